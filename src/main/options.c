/*
 * From argv to struct options, by a table: a flag is one line in `flags` and one in help.c.
 *
 * It can fail by a flag, a value or a word that is not known; each failure is one line that says
 * what to do.
 */
#include "main/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "main/address.h"
#include "main/values.h"

enum {
    STATUS_LEAST = 200,
    STATUS_MOST = 599,
    WORKER_COUNT_MOST = 1024,
    CHECK_TIMEOUT_MS_DEFAULT = 5000,
    LONG_FLAG_BASE = 256, /* getopt_long's value of flags[0]; letters are below */
};

/* What a flag takes, and so what its field in struct options is. */
enum flag_kind {
    FLAG_PATH,     /* const char * */
    FLAG_SWITCH,   /* bool */
    FLAG_COUNT,    /* uint32_t; "off" is PX_UNLIMITED */
    FLAG_RATE,     /* uint32_t, bytes a second; "off" is PX_OFF */
    FLAG_BYTES,    /* uint32_t */
    FLAG_BYTES64,  /* uint64_t; "off" is PX_UNLIMITED_BYTES */
    FLAG_DURATION, /* uint32_t, milliseconds; "off" is PX_OFF */
    FLAG_WORKERS,
    FLAG_LISTEN,
    FLAG_LOG,
    FLAG_STATUS,
    FLAG_TYPE,
    FLAG_HEADER,
    FLAG_HELP,
    FLAG_VERSION,
    FLAG_LATER /* belongs to a part that this version does not have */
};

enum {
    FOR_RESPOND = 1 << COMMAND_RESPOND,
    FOR_HEALTHCHECK = 1 << COMMAND_HEALTHCHECK,
    FOR_ALL = FOR_RESPOND | FOR_HEALTHCHECK,
};

struct flag {
    const char *name;
    char letter; /* '\0': none */
    enum flag_kind kind;
    unsigned commands;
    size_t offset; /* in struct options, for the kinds that say a type */
};

#define AT(member) offsetof(struct options, member)

static const struct flag flags[] = {
    {"listen", 'l', FLAG_LISTEN, FOR_RESPOND, 0},
    {"workers", 'w', FLAG_WORKERS, FOR_RESPOND, 0},
    {"status", 0, FLAG_STATUS, FOR_RESPOND, 0},
    {"type", 0, FLAG_TYPE, FOR_RESPOND, 0},
    {"header", 'H', FLAG_HEADER, FOR_RESPOND, 0},
    {"log", 0, FLAG_LOG, FOR_RESPOND, 0},
    {"log-file", 0, FLAG_PATH, FOR_RESPOND, AT(log_file)},
    {"pid-file", 0, FLAG_PATH, FOR_RESPOND, AT(pid_file)},
    {"max-connections", 0, FLAG_COUNT, FOR_RESPOND, AT(server.connections_max)},
    {"max-fields", 0, FLAG_COUNT, FOR_RESPOND, AT(server.field_count_max)},
    {"max-pipeline", 0, FLAG_COUNT, FOR_RESPOND, AT(server.pipeline_count_max)},
    {"max-head", 0, FLAG_BYTES, FOR_RESPOND, AT(server.head_bytes_max)},
    {"max-target", 0, FLAG_BYTES, FOR_RESPOND, AT(server.target_bytes_max)},
    {"max-content", 0, FLAG_BYTES64, FOR_RESPOND, AT(server.content_bytes_max)},
    {"max-exchange", 0, FLAG_BYTES, FOR_RESPOND, AT(server.exchange_bytes_max)},
    {"max-output", 0, FLAG_BYTES, FOR_RESPOND, AT(server.output_bytes_max)},
    {"max-inbox", 0, FLAG_BYTES64, FOR_RESPOND, AT(inbox_bytes_max)},
    {"timeout-head", 0, FLAG_DURATION, FOR_RESPOND, AT(server.head_timeout_ms)},
    {"timeout-idle", 0, FLAG_DURATION, FOR_RESPOND, AT(server.idle_timeout_ms)},
    {"timeout-total", 0, FLAG_DURATION, FOR_RESPOND, AT(server.total_timeout_ms)},
    {"timeout-linger", 0, FLAG_DURATION, FOR_RESPOND, AT(server.linger_timeout_ms)},
    {"timeout-drain", 0, FLAG_DURATION, FOR_RESPOND, AT(drain_timeout_ms)},
    {"rate-window", 0, FLAG_DURATION, FOR_RESPOND, AT(server.rate_window_ms)},
    {"rate-content", 0, FLAG_RATE, FOR_RESPOND, AT(server.content_rate_min)},
    {"rate-send", 0, FLAG_RATE, FOR_RESPOND, AT(server.send_rate_min)},
    {"timeout", 0, FLAG_DURATION, FOR_HEALTHCHECK, AT(check_timeout_ms)},
    {"quiet", 'q', FLAG_SWITCH, FOR_ALL, AT(quiet)},
    {"help", 'h', FLAG_HELP, FOR_ALL, 0},
    {"version", 0, FLAG_VERSION, FOR_ALL, 0},
    {"user", 0, FLAG_LATER, FOR_ALL, 0},
    {"sandbox", 0, FLAG_LATER, FOR_ALL, 0},
};

enum {
    FLAG_COUNT_ALL = ARRAY_COUNT(flags),
};

static const struct {
    const char *name;
    enum command command;
    bool is_later;
} commands[] = {
    {"respond", COMMAND_RESPOND, false}, {"healthcheck", COMMAND_HEALTHCHECK, false},
    {"files", COMMAND_RESPOND, true},    {"proxy", COMMAND_RESPOND, true},
    {"run", COMMAND_RESPOND, true},      {"check", COMMAND_RESPOND, true},
};

static bool flag_takes_value(const struct flag *flag)
{
    switch (flag->kind) {
    case FLAG_SWITCH:
    case FLAG_HELP:
    case FLAG_VERSION:
        return false;
    case FLAG_PATH:
    case FLAG_COUNT:
    case FLAG_RATE:
    case FLAG_BYTES:
    case FLAG_BYTES64:
    case FLAG_DURATION:
    case FLAG_WORKERS:
    case FLAG_LISTEN:
    case FLAG_LOG:
    case FLAG_STATUS:
    case FLAG_TYPE:
    case FLAG_HEADER:
    case FLAG_LATER:
        return true;
    }
    return true;
}

static px_err listen_add(struct options *options, const char *address, px_error *out_error)
{
    if (address_has_scheme(address))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--listen %s: this version serves http alone, as host:port", address);
    if (options->listen_count == LISTEN_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--listen %s: that is one address too many",
                         address);
    for (uint32_t i = 0; i < options->listen_count; i++)
        if (address_is_same(options->listen[i], address))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "--listen %s: the same address twice; give it once", address);
    options->listen[options->listen_count++] = address;
    return PX_OK;
}

static px_err header_add(struct options *options, const char *text, px_error *out_error)
{
    px_field field;

    if (!value_field(text, &field.name, &field.value))
        return error_set(out_error, PX_ERR_INVALID, 0, "--header %s: write it as 'Name: value'",
                         text);
    if (value_is_framing(field.name))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--header %s: pollux frames messages itself; leave it out", text);
    /* One answer has one type: the last one given. */
    if (value_is_name(field.name, "Content-Type")) {
        options->type = field.value;
        return PX_OK;
    }
    if (options->header_count == HEADER_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--header %s: that is one field too many",
                         text);
    options->headers[options->header_count++] = field;
    return PX_OK;
}

static px_err log_set(struct options *options, const char *name, px_error *out_error)
{
    static const struct {
        const char *name;
        px_log_format format;
    } formats[] = {{"off", PX_LOG_OFF},
                   {"combined", PX_LOG_COMBINED},
                   {"json", PX_LOG_JSON},
                   {"request", PX_LOG_REQUEST}};

    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (strcmp(name, formats[i].name) == 0) {
            options->server.log_format = formats[i].format;
            return PX_OK;
        }
    }
    return error_set(out_error, PX_ERR_INVALID, 0,
                     "--log %s: it is one of combined, json, request, off", name);
}

/* A value may go into a field of the answer. */
static px_err type_set(struct options *options, const char *text, px_error *out_error)
{
    px_str type = px_str_of(text);

    for (size_t i = 0; i < type.len; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
            type.len = 0;
    if (type.len == 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "--type %s: write it as text/plain", text);
    options->type = type;
    return PX_OK;
}

static px_err status_set(struct options *options, const char *text, px_error *out_error)
{
    uint64_t status;

    if (!value_count(text, STATUS_LEAST, STATUS_MOST, &status))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--status %s: it is a number from 200 to 599", text);
    options->status = (uint32_t)status;
    return PX_OK;
}

static px_err workers_set(struct options *options, const char *text, px_error *out_error)
{
    uint64_t workers;

    if (!value_count(text, 0, WORKER_COUNT_MOST, &workers))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--workers %s: it is a number from 0 to 1024", text);
    options->workers = (uint32_t)workers;
    options->workers_given = true;
    return PX_OK;
}

/* Numbers that go straight into a field.  Zero means the default there, so nobody may give it. */
static px_err number_set(struct options *options, const struct flag *flag, const char *text,
                         px_error *out_error)
{
    char *at = (char *)options + flag->offset;
    bool is_off = strcmp(text, "off") == 0;
    uint64_t number = 0;
    const char *form = "it is a number from 1 on";
    bool is_good = false;

    if (flag->kind == FLAG_BYTES64) {
        form = "it is a number of bytes from 1 on, like 64k or 2m, or off";
        is_good = is_off || value_bytes(text, 1, PX_UNLIMITED_BYTES - 1, &number);
        if (is_good)
            *(uint64_t *)(void *)at = is_off ? PX_UNLIMITED_BYTES : number;
    } else {
        if (flag->kind == FLAG_BYTES) {
            form = "it is a number of bytes from 1 on, like 64k or 2m";
            is_off = false;
            is_good = value_bytes(text, 1, UINT32_MAX - 1, &number);
        } else if (flag->kind == FLAG_DURATION) {
            form = "it is a time, like 10s, 500ms or 1m, or off";
            is_good = value_duration(text, UINT32_MAX - 1, &number) && number > 0;
        } else {
            form = "it is a number from 1 on, or off";
            is_good = value_count(text, 1, UINT32_MAX - 1, &number);
        }
        is_good = is_good || is_off;
        if (is_good)
            *(uint32_t *)(void *)at = is_off ? PX_OFF : (uint32_t)number;
    }
    return is_good ? PX_OK
                   : error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: %s", flag->name, text, form);
}

/* A path with control bytes is a slip of the shell, not a name. */
static px_err path_set(struct options *options, const struct flag *flag, const char *text,
                       px_error *out_error)
{
    bool is_good = *text != '\0';

    for (const char *at = text; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            is_good = false;
    if (!is_good)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is a path of a file",
                         flag->name, text);
    *(const char **)(void *)((char *)options + flag->offset) = text;
    return PX_OK;
}

/* One flag.  It is a switch over kinds, so that the compiler names one that was forgotten. */
static px_err flag_apply(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    char *at = (char *)options + flag->offset;

    switch (flag->kind) {
    case FLAG_PATH:
        return path_set(options, flag, value, out_error);
    case FLAG_SWITCH:
        *(bool *)at = true;
        return PX_OK;
    case FLAG_COUNT:
    case FLAG_RATE:
    case FLAG_BYTES:
    case FLAG_BYTES64:
    case FLAG_DURATION:
        return number_set(options, flag, value, out_error);
    case FLAG_WORKERS:
        return workers_set(options, value, out_error);
    case FLAG_LISTEN:
        return listen_add(options, value, out_error);
    case FLAG_LOG:
        return log_set(options, value, out_error);
    case FLAG_STATUS:
        return status_set(options, value, out_error);
    case FLAG_TYPE:
        return type_set(options, value, out_error);
    case FLAG_HEADER:
        return header_add(options, value, out_error);
    case FLAG_HELP:
        options->command = COMMAND_HELP;
        return PX_OK;
    case FLAG_VERSION:
        options->command = COMMAND_VERSION;
        return PX_OK;
    case FLAG_LATER:
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s is not in this version; leave it out",
                         flag->name);
    }
    return PX_OK;
}

/* getopt_long's own tables, made from ours. */
struct getopt_tables {
    struct option longs[FLAG_COUNT_ALL + 1];
    char letters[2 * FLAG_COUNT_ALL + 2];
};

static void getopt_tables_fill(struct getopt_tables *out_tables)
{
    char *letter = out_tables->letters;

    *letter++ = ':'; /* a missing value is told apart from an unknown flag */
    for (int i = 0; i < FLAG_COUNT_ALL; i++) {
        bool takes_value = flag_takes_value(&flags[i]);
        int has_value = takes_value ? required_argument : no_argument;

        /* --sandbox alone and --sandbox=on are answered alike. */
        if (flags[i].kind == FLAG_LATER)
            has_value = optional_argument;
        out_tables->longs[i] = (struct option){flags[i].name, has_value, NULL, LONG_FLAG_BASE + i};
        if (flags[i].letter == '\0')
            continue;
        *letter++ = flags[i].letter;
        if (takes_value)
            *letter++ = ':';
    }
    *letter = '\0';
    out_tables->longs[FLAG_COUNT_ALL] = (struct option){0};
}

static const struct flag *flag_find(int value)
{
    if (value >= LONG_FLAG_BASE && value < LONG_FLAG_BASE + FLAG_COUNT_ALL)
        return &flags[value - LONG_FLAG_BASE];
    for (size_t i = 0; i < FLAG_COUNT_ALL; i++)
        if (flags[i].letter != '\0' && flags[i].letter == value)
            return &flags[i];
    return NULL;
}

/* Why getopt_long refused the last word: optopt is the flag's value, 0 when it is not known. */
static px_err flag_refused(int reason, char **argv, px_error *out_error)
{
    const struct flag *flag = flag_find(optopt);
    char letter[2] = {(char)optopt, '\0'};

    if (flag && reason == ':')
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s needs a value (see pollux --help)",
                         flag->name);
    if (flag)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s takes no value (see pollux --help)",
                         flag->name);
    if (optopt != 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "unknown flag -%s (see pollux --help)",
                         letter);
    return error_set(out_error, PX_ERR_INVALID, 0, "unknown flag %s (see pollux --help)",
                     argv[optind - 1]);
}

static px_err flags_parse(struct options *options, int argc, char **argv, const char *command_name,
                          px_error *out_error)
{
    unsigned command = 1U << options->command;
    struct getopt_tables tables;
    int value;

    getopt_tables_fill(&tables);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((value = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        const struct flag *flag = flag_find(value);

        if (!flag)
            return flag_refused(value, argv, out_error);
        if (!(flag->commands & command))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "--%s is not a flag of pollux %s (see pollux --help)", flag->name,
                             command_name);
        if (flag_apply(options, flag, optarg, out_error) != PX_OK)
            return PX_ERR_INVALID;
        if (options->command == COMMAND_HELP || options->command == COMMAND_VERSION)
            return PX_OK;
    }
    return PX_OK;
}

/* Where to listen when no flag says it. */
static px_err listen_default(struct options *options, const char *port, px_error *out_error)
{
    uint64_t number = 8080;

    if (options->listen_count > 0)
        return PX_OK;
    if (port && *port != '\0' && !value_count(port, 0, UINT16_MAX, &number))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "PORT=%s in the environment is not a port: 0 to 65535", port);
    snprintf(options->port_address, sizeof(options->port_address), "0.0.0.0:%u", (unsigned)number);
    return listen_add(options, options->port_address, out_error);
}

/* What stands beside the flags: the TEXT of respond, the URL of healthcheck. */
static px_err words_parse(struct options *options, int count, char **words, bool is_named,
                          const char *port, px_error *out_error)
{
    switch (options->command) {
    case COMMAND_RESPOND:
        if (count > 0 && !is_named)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s: the command comes first: pollux respond [FLAGS] [TEXT]",
                             words[0]);
        if (count > 1)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s: there is one TEXT already; quote blanks", words[1]);
        if (count == 1)
            options->text = px_str_of(words[0]);
        return listen_default(options, port, out_error);
    case COMMAND_HEALTHCHECK:
        if (count != 1)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "healthcheck needs one URL, like http://localhost:8080/");
        options->url = words[0];
        return PX_OK;
    case COMMAND_HELP:
    case COMMAND_VERSION:
        return PX_OK;
    }
    return PX_OK;
}

static void options_init(struct options *options)
{
    memset(options, 0, sizeof(*options));
    options->server = PX_SERVER_OPTIONS_DEFAULT;
    options->server.log_format = PX_LOG_REQUEST;
    options->status = 200;
    options->text = px_str_of("Hello, world!");
    options->type = px_str_of("text/plain");
    options->check_timeout_ms = CHECK_TIMEOUT_MS_DEFAULT;
}

px_err options_parse(struct options *out_options, int argc, char **argv, const char *port,
                     px_error *out_error)
{
    const char *name = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
    size_t i = 0;

    options_init(out_options);
    if (name) {
        while (i < ARRAY_COUNT(commands) && strcmp(name, commands[i].name) != 0)
            i++;
        if (i == ARRAY_COUNT(commands))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s is not a command (see pollux --help)", name);
        if (commands[i].is_later)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s is not in this version (see pollux --help)", name);
        out_options->command = commands[i].command;
        out_options->server.log_format = PX_LOG_COMBINED;
        argc--;
        argv++;
    }
    if (flags_parse(out_options, argc, argv, name ? name : "respond", out_error) != PX_OK)
        return PX_ERR_INVALID;
    if (words_parse(out_options, argc - optind, argv + optind, name != NULL, port, out_error) !=
        PX_OK)
        return PX_ERR_INVALID;
    return error_clear(out_error);
}
