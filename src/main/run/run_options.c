/*
 * Limits, times, listeners, certificates and processes of a configuration.
 *
 * The happy path: each directive of the top is looked up in a table, and its value written where
 * the flag of that name writes it.  It can fail by an address, a user or a folder that is not
 * there, or a number of listeners that is too large; each is noted at its place.
 */
#include "main/run/run_options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "main/listen/address.h"
#include "main/log/log_sink.h"
#include "main/run/run_confine.h"
#include "main/run/run_numbers.h"
#include "main/run/run_observe.h"
#include "main/run/run_secure.h"
#include "process/privileges.h"

enum { HTTP2_ON, HTTP2_TLS, HTTP2_OFF }; /* words of `http2` */
enum { ADDRESS_BYTES_MAX = LISTEN_ADDRESS_BYTES, BLOCKS_TEXT = 300 };

/* The flag's name is not in the file. */
static const char *without_flag(const char *text, const char *flag)
{
    size_t len = strlen(flag);

    return text + (strncmp(text, flag, len) == 0 ? len : 0);
}

static const struct config_typed *value_of(const struct config_node *nodes, const char *name)
{
    const struct config_node *node = node_find(nodes, name);

    return node && node->value_count > 0 ? &node->values[0] : NULL;
}

static void take_numbers(const struct config_node *top, struct options *options)
{
    for (size_t i = 0; i < run_number_count; i++) {
        const struct run_number *row = &run_numbers[i];
        const struct config_node *block = row->block ? node_find(top, row->block) : NULL;
        const struct config_typed *value =
            value_of(row->block ? (block ? block->children : NULL) : top, row->name);

        if (value)
            run_number_store(row, options, value->is_off, value->number);
    }
}

static void take_log(const struct config_node *top, struct options *options)
{
    static const px_log_format formats[] = {PX_LOG_OFF, PX_LOG_COMBINED, PX_LOG_JSON,
                                            PX_LOG_REQUEST, PX_LOG_COMBINED /* template */};
    const struct config_node *log = node_find(top, "log");

    options->server.log_format = PX_LOG_COMBINED;
    if (!log || log->value_count == 0)
        return;
    CHECK(log->values[0].word < ARRAY_COUNT(formats)); /* the schema has these words and no other */
    options->server.log_format = formats[log->values[0].word];
    if (options->server.log_format == PX_LOG_JSON && node_option(log, "ecs"))
        options->server.log_format = PX_LOG_ECS;
    const struct config_typed *path = config_log_path(log);

    if (path)
        options->log_file = path->text.ptr;
}

static void take_process(const struct config_node *top, struct options *options)
{
    static const enum sandbox_mode modes[] = {SANDBOX_ON, SANDBOX_OFF, SANDBOX_REQUIRE};
    struct process_options *process = &options->process;
    const struct config_typed *value = value_of(top, "workers");

    if (value && !value->is_word && !process->workers_given) {
        process->workers = (uint32_t)value->number;
        process->workers_given = true;
    }
    value = value_of(top, "max_workers");
    if (value)
        process->max_workers = (uint32_t)value->number;
    value = value_of(top, "accept");
    process->accept_shared = value && value->word == 1;
    value = value_of(top, "sandbox");
    CHECK(!value || value->word < ARRAY_COUNT(modes));
    if (value)
        process->sandbox = modes[value->word];
    value = value_of(top, "pid_file");
    if (value)
        process->pid_file = value->text.ptr;
    value = value_of(top, "user");
    if (value)
        process->user = value->text.ptr;
    value = value_of(top, "http2");
    options->server.http2_clear = value && value->word != HTTP2_ON ? PX_OFF : 0;
    options->secure.tls.http2 = value && value->word == HTTP2_OFF ? PX_OFF : 0;
}

/* --- What is looked up ------------------------------------------------------------------------ */

static bool sink_is_good(struct config *config, const struct config_typed *value)
{
    struct log_sink sink;
    px_error error;

    if (log_sink_read(value->text.ptr, &sink, &error) == PX_OK)
        return true;
    report_add(&config->load.report, REPORT_MEANING, value->value->place, "%s", error.text);
    return false;
}

/* A file that is to be written needs its folder. */
static bool folder_is_there(struct config *config, const struct config_typed *value)
{
    px_str path = value->text;
    char folder[PATH_MAX];
    struct stat found;
    size_t len = path.len;

    while (len > 0 && path.ptr[len - 1] != '/')
        len--;
    if (len == 0)
        return true;
    if (len < sizeof(folder)) {
        memcpy(folder, path.ptr, len);
        folder[len] = '\0';
        if (stat(folder, &found) == 0 && S_ISDIR(found.st_mode))
            return true;
        errno = errno != 0 ? errno : ENOTDIR;
    } else {
        errno = ENAMETOOLONG;
    }
    report_add(&config->load.report, REPORT_MEANING, value->value->place, "cannot write %s: %s",
               path.ptr, strerror(errno));
    return false;
}

/* The user must be there; whether we may become another one is seen when it is done. */
static bool user_is_there(struct config *config, const struct config_typed *value)
{
    struct privileges privileges;
    px_error error;

    if (privileges_find(value->text.ptr, &privileges, &error) != PX_ERR_INVALID)
        return true;
    report_add(&config->load.report, REPORT_MEANING, value->value->place, "%s",
               without_flag(error.text, "--user: "));
    return false;
}

/* Sockets for more workers than there are. */
static bool max_workers_fit(struct config *config)
{
    const struct config_node *top = config->settings->nodes;
    const struct config_typed *most = value_of(top, "max_workers"),
                              *workers = value_of(top, "workers");

    if (!most || !workers || workers->is_word)
        return true;
    if (workers->number > 0 && workers->number <= most->number)
        return true;
    report_add(&config->load.report, REPORT_MEANING, most->value->place,
               workers->number == 0 ? "with workers 0 there are none"
                                    : "that is less than the workers there are");
    return false;
}

static bool logs_are_good(struct config *config)
{
    bool is_good = true;

    for (const struct config_log *log = config->logs; log; log = log->next) {
        struct config_value value = {.place = log->place};
        const struct config_typed path = {.text = px_str_of(log->path ? log->path : ""),
                                          .value = &value};

        if (log->path)
            is_good &= log_sink_is(log->path) ? sink_is_good(config, &path)
                                              : folder_is_there(config, &path);
    }
    return is_good;
}

static bool look_up(struct config *config)
{
    const struct config_node *top = config->settings->nodes, *log = node_find(top, "log");
    const struct config_typed *user = value_of(top, "user"), *pid_file = value_of(top, "pid_file");
    bool is_good = !user || user_is_there(config, user);

    is_good &= max_workers_fit(config) & logs_are_good(config);
    const struct config_typed *path = config_log_path(log);

    if (path && log_sink_is(path->text.ptr))
        is_good &= sink_is_good(config, path);
    else if (path)
        is_good &= folder_is_there(config, path);
    const struct config_node *errors = node_find(top, "error_log");

    if (errors && errors->value_count > 1)
        is_good &= folder_is_there(config, &errors->values[1]);
    return (!pid_file || folder_is_there(config, pid_file)) && is_good;
}

/* --- Proxies in front ------------------------------------------------------------------------- */

static bool take_block(struct config *config, struct options *options,
                       const struct config_typed *value)
{
    struct config_report *report = &config->load.report;
    struct proxy_options *proxy = &options->proxy;
    px_error error;

    if (px_address_block_check(value->text.ptr, &error) != PX_OK) {
        report_add(report, REPORT_MEANING, value->value->place, "%s", error.text);
        return false;
    }
    if (proxy->trusted_count == TRUSTED_COUNT_MAX) {
        report_add(report, REPORT_MEANING, value->value->place, "at most %d proxies are trusted",
                   TRUSTED_COUNT_MAX);
        return false;
    }
    proxy->trusted[proxy->trusted_count++] = value->text.ptr;
    return true;
}

static bool take_proxies(struct config *config, struct options *options)
{
    static const px_forwarded fields[] = {PX_FORWARDED_EITHER, PX_FORWARDED_RFC7239,
                                          PX_FORWARDED_PLAIN, PX_FORWARDED_NONE};
    bool is_good = true;

    for (const struct config_node *node = config->settings->nodes; node; node = node->next) {
        if (!node_is(node, "trusted_proxies"))
            continue;
        const struct config_typed *field = node_option(node, "field");

        if (field)
            options->server.forwarded = fields[field->word];
        for (uint32_t i = 0; i < node->value_count; i++)
            is_good &= take_block(config, options, &node->values[i]);
    }
    options->server.trusted_proxies = options->proxy.trusted;
    options->server.trusted_proxy_count = options->proxy.trusted_count;
    return is_good;
}

/* --- Listeners -------------------------------------------------------------------------------- */

/* The address as the command line would have it: scheme, address, options. */
static bool listen_text(const struct config_listen *listen, char *out_text, size_t room)
{
    static const char *const names[] = {"mode", "owner", "group", "backlog"};
    int len =
        snprintf(out_text, room, "%s%s", listen->is_tls ? "https://" : "", listen->address.ptr);

    if (len < 0 || (size_t)len >= room)
        return false;
    if (!listen->node)
        return true;
    if (node_option(listen->node, "proxy"))
        len += snprintf(out_text + len, room - (size_t)len, ",proxy");
    for (size_t i = 0; i < ARRAY_COUNT(names) && (size_t)len < room; i++) {
        const struct config_typed *option = node_option(listen->node, names[i]);

        if (option)
            len +=
                snprintf(out_text + len, room - (size_t)len, ",%s=%s", names[i], option->text.ptr);
    }
    return (size_t)len < room;
}

static struct config_place listen_place(const struct config_listen *listen)
{
    struct config_place nowhere = {0};

    return listen->node ? listen->node->values[0].value->place : nowhere;
}

/* The option that an error is about ("...: mode: ...", "...: mode is ..."), or the address. */
static struct config_place option_place(const struct config_listen *listen, const char *text)
{
    static const char *const names[] = {"mode", "owner", "group", "backlog"};

    for (size_t i = 0; listen->node && i < ARRAY_COUNT(names); i++) {
        const struct config_typed *option = node_option(listen->node, names[i]);
        const char *at = strstr(text, ": ");
        size_t len = strlen(names[i]);

        if (option && at && strncmp(at + 2, names[i], len) == 0 && strchr(": ", at[2 + len]))
            return option->value->place;
    }
    return listen_place(listen);
}

static bool take_listen(struct config *config, struct options *options,
                        const struct config_listen *listen)
{
    struct config_report *report = &config->load.report;
    char text[2 * ADDRESS_BYTES_MAX];
    px_error error;
    px_str copy;

    const char *scheme = strstr(listen->address.ptr, "://");

    /* A socket's path may have one in it. */
    if (scheme && strcspn(listen->address.ptr, ":") == (size_t)(scheme - listen->address.ptr)) {
        report_add(report, REPORT_MEANING, listen_place(listen),
                   "an address has no scheme: write listen %s%s", scheme + 3,
                   scheme[-1] == 's' ? " tls" : "");
        return false;
    }
    if (px_address_check(listen->address.ptr, &error) != PX_OK) {
        report_add(report, REPORT_MEANING, listen_place(listen), "%s", error.text);
        return false;
    }
    if (!listen_text(listen, text, sizeof(text))) {
        report_add(report, REPORT_MEANING, listen_place(listen), "the address is too long");
        return false;
    }
    copy = load_copy(&config->load, px_str_of(text));
    if (!copy.ptr)
        return false;
    if (options_listen(options, "listen", copy.ptr, &error) == PX_OK)
        return true;
    report_add(report, REPORT_MEANING, option_place(listen, error.text), "%s",
               without_flag(error.text, "--listen "));
    return false;
}

static bool take_listens(struct config *config, struct options *options)
{
    bool is_good = true, has_proxy = false;

    options->listen_count = 0;
    for (const struct config_listen *listen = config->settings->listens; listen;
         listen = listen->next) {
        is_good &= take_listen(config, options, listen);
        has_proxy = listen->node && node_option(listen->node, "proxy");
        if (has_proxy && options->proxy.trusted_count == 0) {
            report_add(&config->load.report, REPORT_MEANING, listen_place(listen),
                       "proxy needs trusted_proxies: whose header is believed");
            is_good = false;
        }
    }
    return is_good;
}

/* The operator's address, behind all others. */
static bool take_metrics(struct config *config, struct options *options)
{
    const struct config_typed *value = value_of(config->settings->nodes, "metrics");
    px_error error;

    options->metrics = value ? value->text.ptr : NULL;
    if (value && !address_is_secure(value->text.ptr) &&
        px_address_check(value->text.ptr, &error) != PX_OK) {
        report_add(&config->load.report, REPORT_MEANING, value->value->place, "%s", error.text);
        return false;
    }
    if (options_listen_metrics(options, &error) == PX_OK)
        return true;
    CHECK(value); /* without the directive there is nothing to be wrong */
    report_add(&config->load.report, REPORT_MEANING, value->value->place, "%s",
               without_flag(error.text, "--metrics "));
    return false;
}

bool run_options_fill(struct config *config, struct options *options)
{
    const struct config_node *top = config->settings->nodes;

    take_numbers(top, options);
    take_log(top, options);
    take_process(top, options);
    bool is_good = take_proxies(config, options) & look_up(config);

    is_good &= run_secure_fill(config, options) & run_confine_fits(config);
    is_good &= run_observe_fill(config, options);
    return take_listens(config, options) && take_metrics(config, options) && is_good;
}
