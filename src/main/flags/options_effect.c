/*
 * Flags that contradict each other, or would be without effect: what was meant is not known.
 *
 * Each is an error of the command line, so nothing is served otherwise than its reader thinks.
 */
#include "main/flags/options_effect.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "main/listen/address.h"

enum { DRAIN_MS_DEFAULT = 30 * 1000 };

static px_err refuse(px_error *out_error, const char *text)
{
    return error_set(out_error, PX_ERR_INVALID, 0, "%s", text);
}

static bool is(const char *rule, const char *word)
{
    return rule && strcmp(rule, word) == 0;
}

/* RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
static bool has_no_content(uint32_t status)
{
    return status == 204 || status == 205 || status == 304;
}

static px_err serving_check(const struct options *options, px_error *out_error)
{
    const struct process_options *process = &options->process;
    uint32_t drain_ms = process->drain_timeout_ms ? process->drain_timeout_ms : DRAIN_MS_DEFAULT;

    if (is(options->h2c_rule, "on") && options->http2_rule && !is(options->http2_rule, "on"))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--http2 %s leaves nothing for --h2c on: leave one of them out",
                         options->http2_rule);
    if (options->respond.has_text && has_no_content(options->respond.status))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--status %" PRIu32 ": such an answer has no content; leave TEXT out",
                         options->respond.status);
    if (process->drain_spread_ms > 0 && process->drain_spread_ms != PX_OFF && drain_ms != PX_OFF &&
        process->drain_spread_ms > drain_ms)
        return refuse(out_error, "--drain-spread is longer than --timeout-drain (default 30s), "
                                 "which ends all: make it shorter");
    if (process->accept_shared && process->workers_given && process->workers == 0)
        return refuse(out_error, "--accept shared is for several workers: with --workers 0 there "
                                 "are none");
    return PX_OK;
}

static px_err gateway_check(const struct options *options, px_error *out_error)
{
    static const char http[] = "http://", https[] = "https://";
    const struct gateway_options *gateway = &options->gateway;
    const char *flag = gateway->trust.ca_file            ? "upstream-ca"
                       : gateway->trust.certificate_file ? "upstream-cert"
                       : gateway->trust.key_file         ? "upstream-key"
                                                         : NULL;
    bool is_any_https = false;

    for (uint32_t i = 0; i < gateway->url_count; i++) {
        const char *url = gateway->urls[i];
        bool is_https = strncmp(url, https, sizeof(https) - 1) == 0;

        is_any_https |= is_https;
        if (!is_https && strncmp(url, http, sizeof(http) - 1) == 0)
            url += sizeof(http) - 1;
        for (uint32_t at = 0; at < options->listen_count; at++)
            if (address_is_same(options->listen[at], url))
                return error_set(out_error, PX_ERR_INVALID, 0,
                                 "%s: pollux itself listens there, and would ask itself over and "
                                 "over",
                                 gateway->urls[i]);
    }
    if (flag && gateway->url_count > 0 && !is_any_https)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s is for https:// servers, and there is none", flag);
    if (gateway->proxy.retry_disconnect && gateway->proxy.tries == 1)
        return refuse(out_error,
                      "--tries 1 leaves nothing for --retry-disconnect: leave one of them out");
    return PX_OK;
}

px_err options_effect_check(const struct options *options, px_error *out_error)
{
    if (options->command == COMMAND_CHECK && !options->run.explain &&
        (options->run.from || options->respond.header_count > 0))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s is for --explain METHOD URL: add it, or leave this one out",
                         options->run.from ? "from" : "header");
    if (serving_check(options, out_error) != PX_OK)
        return PX_ERR_INVALID;
    return gateway_check(options, out_error);
}
