/*
 * Flags of every command, and those of every command that serves.
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/flags/flag.h"

static px_err set_listen(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    return options_listen(options, flag->name, value, out_error);
}

static px_err set_log(struct options *options, const struct flag *flag, const char *value,
                      px_error *out_error)
{
    static const struct {
        const char *name;
        px_log_format format;
    } formats[] = {{"off", PX_LOG_OFF},
                   {"combined", PX_LOG_COMBINED},
                   {"json", PX_LOG_JSON},
                   {"request", PX_LOG_REQUEST},
                   {"ecs", PX_LOG_ECS}};

    (void)flag;
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++) {
        if (strcmp(value, formats[i].name) == 0) {
            options->server.log_format = formats[i].format;
            return PX_OK;
        }
    }
    return error_set(out_error, PX_ERR_INVALID, 0,
                     "--log %s: it is one of combined, json, ecs, request, off", value);
}

/* Whichever of both comes first. */
static void http2_settle(struct options *options)
{
    const char *http2 = options->http2_rule ? options->http2_rule : "on";
    bool is_clear =
        strcmp(http2, "on") == 0 && (!options->h2c_rule || strcmp(options->h2c_rule, "off") != 0);

    options->secure.tls.http2 = strcmp(http2, "off") == 0 ? PX_OFF : 0;
    options->server.http2_clear = is_clear ? 0 : PX_OFF;
}

static px_err set_h2c(struct options *options, const struct flag *flag, const char *value,
                      px_error *out_error)
{
    (void)flag;
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "--h2c %s: it is on or off", value);
    options->h2c_rule = value;
    http2_settle(options);
    return PX_OK;
}

static px_err set_http2(struct options *options, const struct flag *flag, const char *value,
                        px_error *out_error)
{
    (void)flag;
    if (strcmp(value, "off") != 0 && strcmp(value, "tls") != 0 && strcmp(value, "on") != 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "--http2 %s: it is on, tls or off", value);
    options->http2_rule = value;
    http2_settle(options);
    return PX_OK;
}

static px_err set_help(struct options *options, const struct flag *flag, const char *value,
                       px_error *out_error)
{
    (void)flag;
    (void)value;
    (void)out_error;
    options->command = COMMAND_HELP;
    return PX_OK;
}

static px_err set_version(struct options *options, const struct flag *flag, const char *value,
                          px_error *out_error)
{
    (void)flag;
    (void)value;
    (void)out_error;
    options->command = COMMAND_VERSION;
    return PX_OK;
}

const struct flag flags_common[] = {
    {"listen", 'l', "ADDR", FOR_SERVING, set_listen, 0,
     "host:port, :port, [v6]:port, unix:/path, fd:NAME; repeat;\n"
     "                              behind it ,mode=0666 ,owner=NAME ,group=NAME ,proxy "
     ",backlog=N"},
    {"h2c", 0, "RULE", FOR_SERVING, set_h2c, 0,
     "HTTP/2 without TLS, by prior knowledge: on (default) or off"},
    {"http2", 0, "RULE", FOR_SERVING, set_http2, 0,
     "on (default), tls: not without TLS, as --h2c off, or off"},
    {"log", 0, "FORMAT", FOR_SERVING, set_log, 0, "combined, json, ecs, request, off; on stdout"},
    {"log-file", 0, "PATH", FOR_SERVING, flag_set_path, FLAG_AT(log_file),
     "the log goes there; HUP and USR1 reopen it"},
    {"quiet", 'q', NULL, FOR_SERVING | FOR_RUN, flag_set_switch, FLAG_AT(quiet),
     "do not say where it listens"},
    {"quiet", 'q', NULL, FOR_CHECK | FOR_CONFIG, flag_set_switch, FLAG_AT(quiet),
     "do not say which file it is"},
    {"print-config", 0, NULL, FOR_SERVING, flag_set_switch, FLAG_AT(print_config),
     "print the file for pollux run that says the same, and end"},
    {"help", 'h', NULL, FOR_ALL, set_help, 0, "print this"},
    {"version", 'V', NULL, FOR_ALL, set_version, 0, "print the version"},
    {0},
};
