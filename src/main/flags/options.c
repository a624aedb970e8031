/*
 * From argv to struct options: getopt_long over the tables of flags, then the words beside them.
 *
 * It can fail by a flag, a value or a word that is not known; each failure is one line that says
 * what to do.
 */
#include "main/flags/options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/answers/place.h"
#include "main/flags/command.h"
#include "main/flags/flag.h"
#include "main/flags/options_effect.h"
#include "main/flags/suggest.h"
#include "main/flags/values.h"
#include "main/listen/address.h"
#include "main/log/log_sink.h"

enum {
    CHECK_TIMEOUT_MS_DEFAULT = 5000,
    LONG_FLAG_BASE = 256, /* getopt_long's value of the first flag; letters are below */
};

/* For whose help a line sends to. */
static const char *command_name(const struct options *options)
{
    return options->name ? options->name : "respond";
}

px_err options_listen(struct options *options, const char *flag, const char *address,
                      px_error *out_error)
{
    uint32_t count = options->listen_count;

    CHECK(count <= LISTEN_COUNT_MAX);
    if (count == LISTEN_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: that is one address too many",
                         flag, address);
    px_err err = listen_options_read(flag, address, &options->listen_options[count], out_error);

    if (err != PX_OK)
        return err;
    if (options->listen_options[count].address[0] != '\0')
        address = options->listen_options[count].address;
    if (address_has_scheme(address_bare(address)))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s %s: an address is host:port, or https://host:port", flag, address);
    for (uint32_t i = 0; i < count; i++)
        if (address_is_same(options->listen[i], address))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "--%s %s: the same address twice; give it once", flag, address);
    for (uint32_t i = 0; i < count; i++)
        if (address_covers(options->listen[i], address) ||
            address_covers(address, options->listen[i]))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "--%s %s: it overlaps with %s, one of which is every address with "
                             "that port; give that one alone",
                             flag, address, options->listen[i]);
    options->listen[options->listen_count++] = address;
    return PX_OK;
}

/* getopt_long's own tables, made from ours. */
struct getopt_tables {
    const struct flag *flags[FLAG_COUNT_MAX];
    int count;
    struct option longs[FLAG_COUNT_MAX + 1];
    char letters[3 * FLAG_COUNT_MAX + 2];
};

static int flag_has_value(const struct flag *flag)
{
    if (!flag->value)
        return no_argument;
    return flag->value[0] == '[' ? optional_argument : required_argument;
}

/* Where two commands have a flag of one name or letter, theirs counts that is given it. */
static bool flag_is_shadowed(const struct flag *flag, unsigned command)
{
    if (flag->commands & command)
        return false;
    for (size_t group = 0; group < flag_group_count; group++)
        for (const struct flag *other = flag_groups[group]; other->name; other++)
            if ((other->commands & command) &&
                (strcmp(other->name, flag->name) == 0 ||
                 (flag->letter != '\0' && other->letter == flag->letter)))
                return true;
    return false;
}

static void getopt_tables_fill(struct getopt_tables *out_tables, unsigned command)
{
    char *letter = out_tables->letters;
    int count = 0;

    *letter++ = ':'; /* a missing value is told apart from an unknown flag */
    for (size_t group = 0; group < flag_group_count; group++) {
        for (const struct flag *flag = flag_groups[group]; flag->name; flag++) {
            int has_value = flag_has_value(flag);

            if (flag_is_shadowed(flag, command))
                continue;
            CHECK(count < FLAG_COUNT_MAX);
            out_tables->flags[count] = flag;
            out_tables->longs[count] =
                (struct option){flag->name, has_value, NULL, LONG_FLAG_BASE + count};
            count++;
            if (flag->letter == '\0')
                continue;
            *letter++ = flag->letter;
            for (int colons = 0; colons < has_value; colons++)
                *letter++ = ':';
        }
    }
    CHECK((size_t)(letter - out_tables->letters) < sizeof(out_tables->letters));
    *letter = '\0';
    out_tables->count = count;
    out_tables->longs[count] = (struct option){0};
}

static const struct flag *flag_find(const struct getopt_tables *tables, int value)
{
    if (value >= LONG_FLAG_BASE && value < LONG_FLAG_BASE + tables->count)
        return tables->flags[value - LONG_FLAG_BASE];
    for (int i = 0; i < tables->count; i++)
        if (tables->flags[i]->letter != '\0' && tables->flags[i]->letter == value)
            return tables->flags[i];
    return NULL;
}

/* "--lisen=x" is not known, or could be several: says which one is near. */
static px_err flag_unknown(const struct options *options, const char *word, px_error *out_error)
{
    struct suggestion near = suggest(word + 2, strcspn(word + 2, "="));
    unsigned command = 1U << options->command;

    for (size_t group = 0; group < flag_group_count; group++)
        for (const struct flag *flag = flag_groups[group]; flag->name; flag++)
            if ((flag->commands & command) && flag->help)
                suggest_try(&near, flag->name);
    return error_set(out_error, PX_ERR_INVALID, 0, "unknown flag %s%s%s%s (see pollux %s --help)",
                     word, near.nearest ? ": did you mean --" : "",
                     near.nearest ? near.nearest : "", near.nearest ? "?" : "",
                     command_name(options));
}

/* Why getopt_long refused the last word: optopt is the flag's value, 0 when it is not known. */
static px_err flag_refused(const struct options *options, const struct getopt_tables *tables,
                           int reason, char **argv, px_error *out_error)
{
    const struct flag *flag = flag_find(tables, optopt);
    char letter[2] = {(char)optopt, '\0'};

    if (flag)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s (see pollux %s --help)", flag->name,
                         reason == ':' ? "needs a value" : "takes no value", command_name(options));
    if (optopt != 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "unknown flag -%s (see pollux %s --help)",
                         letter, command_name(options));
    return flag_unknown(options, argv[optind - 1], out_error);
}

/* It is a flag, but of others. */
static px_err flag_misplaced(const struct options *options, const struct flag *flag,
                             px_error *out_error)
{
    const char *owner = NULL;

    for (const struct command_row *row = command_rows; row->name && !owner; row++)
        if ((flag->commands & 1U << row->command))
            owner = row->name;
    CHECK(owner); /* every flag is one of some command */
    return error_set(out_error, PX_ERR_INVALID, 0,
                     "--%s is a flag of pollux %s, not of pollux %s (see pollux %s --help)",
                     flag->name, owner, command_name(options), command_name(options));
}

static bool flag_is_of(const struct flag *flag, const struct flag *group)
{
    for (; group->name; group++)
        if (group == flag)
            return true;
    return false;
}

static px_err flags_parse(struct options *options, int argc, char **argv, px_error *out_error)
{
    unsigned command = 1U << options->command;
    struct getopt_tables tables = {0};
    int value;

    options->help_command = options->command;
    getopt_tables_fill(&tables, command);
    opterr = 0;
    optind = 0; /* glibc: begin anew */
    while ((value = getopt_long(argc, argv, tables.letters, tables.longs, NULL)) != -1) {
        const struct flag *flag = flag_find(&tables, value);

        if (!flag)
            return flag_refused(options, &tables, value, argv, out_error);
        if (!(flag->commands & command))
            return flag_misplaced(options, flag, out_error);
        if (flag->set(options, flag, optarg, out_error) != PX_OK)
            return PX_ERR_INVALID;
        if (options->command == COMMAND_HELP || options->command == COMMAND_VERSION)
            return PX_OK;
        if (!options->secure.given && flag_is_of(flag, flags_tls))
            options->secure.given = flag->name;
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
    CHECK(number <= UINT16_MAX); /* so that it has room */
    snprintf(options->port_address, sizeof(options->port_address), "0.0.0.0:%u", (unsigned)number);
    return options_listen(options, "listen", options->port_address, out_error);
}

/* "pollux -w 2 files": a word behind flags, where no command came before them. */
static px_err command_late(const char *word, px_error *out_error)
{
    const char *name = "respond", *rest = " [TEXT]";

    const struct command_row *row = command_find(word);

    if (row) {
        name = row->name;
        rest = row->words;
    }
    return error_set(out_error, PX_ERR_INVALID, 0,
                     "%s: the command comes first: pollux %s [FLAGS]%s", word, name, rest);
}

/* What stands beside the flags: the TEXT of respond, the URL of healthcheck. */
static px_err words_parse(struct options *options, int count, char **words, bool is_named,
                          const char *port, px_error *out_error)
{
    switch (options->command) {
    case COMMAND_RESPOND:
        if (count > 0 && !is_named)
            return command_late(words[0], out_error);
        if (count > 1)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s: there is one TEXT already; quote blanks", words[1]);
        options->respond.has_text = count == 1;
        if (count == 1)
            options->respond.text = px_str_of(words[0]);
        return listen_default(options, port, out_error);
    case COMMAND_FILES:
        if (count > 1)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s: there is one DIR already; serve several from one above them",
                             words[1]);
        if (count == 1)
            options->files.root = words[0];
        return listen_default(options, port, out_error);
    case COMMAND_PROXY:
        if (count > UPSTREAM_COUNT_MAX)
            return error_set(out_error, PX_ERR_INVALID, 0, "%s: at most %d servers",
                             words[UPSTREAM_COUNT_MAX], UPSTREAM_COUNT_MAX);
        for (int i = 0; i < count; i++)
            options->gateway.urls[options->gateway.url_count++] = words[i];
        if (places_check(&options->gateway, out_error) != PX_OK)
            return PX_ERR_INVALID;
        return listen_default(options, port, out_error);
    case COMMAND_HEALTHCHECK:
        if (count != 1)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "healthcheck needs one URL, like http://localhost:8080/");
        if (options->healthcheck.insecure && options->healthcheck.ca_file)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "--insecure looks at no certificate that --ca could have signed: "
                             "leave one of them out");
        options->healthcheck.url = words[0];
        return PX_OK;
    case COMMAND_FMT:
        if (count > 1)
            return error_set(out_error, PX_ERR_INVALID, 0, "%s: there is one FILE already",
                             words[1]);
        if (count == 1)
            options->run.file = words[0];
        return PX_OK;
    case COMMAND_CHECK:
        if (options->run.explain) {
            if (count != 2)
                return error_set(out_error, PX_ERR_INVALID, 0,
                                 "--explain needs a method and a URL: GET http://example.org/");
            options->run.method = words[0];
            options->run.url = words[1];
            return PX_OK;
        }
        /* fall through */
    case COMMAND_RUN:
    case COMMAND_CONFIG:
    case COMMAND_RELOAD:
        if (count > 0)
            return error_set(out_error, PX_ERR_INVALID, 0, "%s: a file is named with -c %s",
                             words[0], words[0]);
        return PX_OK;
    case COMMAND_HELP:
    case COMMAND_VERSION:
        return PX_OK;
    }
    return PX_OK;
}

/* What the flags of TLS need of each other. */
static px_err secure_check(struct options *options, px_error *out_error)
{
    struct secure_options *secure = &options->secure;
    uint32_t file_count = secure->certificate_count - secure->made_count;
    bool has_certificate = secure->certificate_count > 0;
    const char *address = NULL;

    for (uint32_t i = options->listen_count; i > 0; i--)
        if (address_is_secure(options->listen[i - 1]))
            address = options->listen[i - 1];
    if (address && !has_certificate)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--listen %s: TLS needs --tls-cert and --tls-key, or --tls-self-signed",
                         address);
    if (has_certificate && !address)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "a certificate is given and no address for it: add -l https://:8443");
    if (secure->key_count != 0 && secure->key_count != file_count)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "there are %u of --tls-cert and %u of --tls-key: give one for each",
                         file_count, secure->key_count);
    if (file_count > 0 && secure->made_count > 0)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--tls-self-signed stands in for --tls-cert: leave one of them out");
    if (secure->redirect && !address)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--https-redirect %s: it needs -l https://... to redirect to",
                         secure->redirect);
    if (secure->given && !address)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s is for TLS, and no address speaks it: add -l https://:8443",
                         secure->given);
    if (secure->tls.client != PX_TLS_CLIENT_OFF && !secure->tls.client_ca_file)
        return error_set(
            out_error, PX_ERR_INVALID, 0,
            "--tls-client needs --tls-client-ca: the authorities of client certificates");
    if (secure->tls.client == PX_TLS_CLIENT_OFF && secure->tls.client_ca_file)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--tls-client off asks for no certificate that --tls-client-ca could "
                         "have signed: leave one of them out");
    return PX_OK;
}

/* A header that no peer may send would close every connection. */
static px_err proxy_check(const struct options *options, px_error *out_error)
{
    if (options->proxy.protocol && options->proxy.trusted_count == 0)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--proxy-protocol needs --trust-proxy: whose header is believed");
    for (uint32_t i = 0; i < options->listen_count; i++)
        if (options->listen_options[i].proxy && options->proxy.trusted_count == 0)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "--listen %s: proxy needs --trust-proxy: whose header is believed",
                             options->listen[i]);
    if (options->proxy.trusted_count == 0 && (options->server.forwarded == PX_FORWARDED_RFC7239 ||
                                              options->server.forwarded == PX_FORWARDED_PLAIN))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--proxy-header needs --trust-proxy: whose field is believed");
    return PX_OK;
}

/* What would be without effect, and so was meant otherwise. */
static px_err process_check(const struct options *options, px_error *out_error)
{
    const struct process_options *process = &options->process;
    struct log_sink sink;
    px_error error;

    if (process->max_workers > 0 && process->workers_given && process->workers == 0)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--max-workers %u: with --workers 0 there are none", process->max_workers);
    if (process->max_workers > 0 && process->workers > process->max_workers)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--max-workers %u: it is less than --workers %u", process->max_workers,
                         process->workers);
    if (options->log_file && options->server.log_format == PX_LOG_OFF)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--log off leaves nothing for --log-file: leave one of them out");
    if (options->log_file && log_sink_is(options->log_file) &&
        log_sink_read(options->log_file, &sink, &error) != PX_OK)
        return error_set(out_error, PX_ERR_INVALID, 0, "--log-file %s", error.text);
    return PX_OK;
}

/* Behind the addresses that are served, which have a default of their own. */
px_err options_listen_metrics(struct options *options, px_error *out_error)
{
    if (!options->metrics)
        return PX_OK;
    if (address_is_secure(options->metrics))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--metrics %s: it speaks no TLS; name an address without https",
                         options->metrics);
    if (options_listen(options, "metrics", options->metrics, out_error) != PX_OK)
        return PX_ERR_INVALID;
    options->metrics = options->listen[options->listen_count - 1];
    return PX_OK;
}

static void options_init(struct options *options)
{
    memset(options, 0, sizeof(*options));
    options->server = PX_SERVER_OPTIONS_DEFAULT;
    options->secure.tls = PX_TLS_OPTIONS_DEFAULT;
    options->server.log_format = PX_LOG_REQUEST;
    options->process.sandbox = sandbox_mode_default;
    options->respond.status = 200;
    options->respond.text = px_str_of("Hello, world!");
    options->respond.type = px_str_of("text/plain");
    options->files.root = ".";
    options->gateway.upstream = PX_UPSTREAM_OPTIONS_DEFAULT;
    options->gateway.upstream.balance = PX_BALANCE_ROUND_ROBIN;
    options->gateway.proxy = PX_PROXY_OPTIONS_DEFAULT;
    options->gateway.trust = PX_TLS_TRUST_OPTIONS_DEFAULT;
    options->gateway.check.struct_size = sizeof(options->gateway.check);
    options->healthcheck.timeout_ms = CHECK_TIMEOUT_MS_DEFAULT;
}

/* "help", and behind it whose. */
static px_err help_parse(struct options *options, int count, char **words, px_error *out_error)
{
    options->command = COMMAND_HELP;
    if (count == 0 || words[0][0] == '-')
        return error_clear(out_error);
    const struct command_row *row = command_find(words[0]);

    if (!row)
        return command_unknown(words[0], out_error);
    options->name = row->name;
    options->help_command = row->command;
    return error_clear(out_error);
}

px_err options_parse(struct options *out_options, int argc, char **argv, const char *port,
                     px_error *out_error)
{
    const char *name = argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;

    options_init(out_options);
    if (name && strcmp(name, "help") == 0)
        return help_parse(out_options, argc - 2, argv + 2, out_error);
    if (name) {
        const struct command_row *row = command_find(name);

        if (!row)
            return command_unknown(name, out_error);
        out_options->command = row->command;
        out_options->name = row->name;
        out_options->server.log_format = PX_LOG_COMBINED;
        argc--;
        argv++;
    }
    if (flags_parse(out_options, argc, argv, out_error) != PX_OK)
        return PX_ERR_INVALID;
    if (words_parse(out_options, argc - optind, argv + optind, name != NULL, port, out_error) !=
        PX_OK)
        return PX_ERR_INVALID;
    if (options_listen_metrics(out_options, out_error) != PX_OK ||
        secure_check(out_options, out_error) != PX_OK ||
        process_check(out_options, out_error) != PX_OK ||
        proxy_check(out_options, out_error) != PX_OK ||
        options_effect_check(out_options, out_error) != PX_OK)
        return PX_ERR_INVALID;
    options_check(out_options);
    return error_clear(out_error);
}
