/*
 * Flags about proxies in front: which they are, and how they name the client behind them.
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/flags/flag.h"

static px_err add_trust(struct options *options, const struct flag *flag, const char *value,
                        px_error *out_error)
{
    struct proxy_options *proxy = &options->proxy;
    px_error error;

    if (px_address_block_check(value, &error) != PX_OK)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s", flag->name, error.text);
    if (proxy->trusted_count == TRUSTED_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: at most %d of them", flag->name,
                         value, TRUSTED_COUNT_MAX);
    proxy->trusted[proxy->trusted_count++] = value;
    options->server.trusted_proxies = proxy->trusted;
    options->server.trusted_proxy_count = proxy->trusted_count;
    return PX_OK;
}

static px_err set_field(struct options *options, const struct flag *flag, const char *value,
                        px_error *out_error)
{
    static const struct {
        const char *name;
        px_forwarded choice;
    } fields[] = {{"either", PX_FORWARDED_EITHER},
                  {"forwarded", PX_FORWARDED_RFC7239},
                  {"x-forwarded-for", PX_FORWARDED_PLAIN},
                  {"off", PX_FORWARDED_NONE}};

    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        if (strcmp(value, fields[i].name) == 0) {
            options->server.forwarded = fields[i].choice;
            return PX_OK;
        }
    }
    return error_set(out_error, PX_ERR_INVALID, 0,
                     "--%s %s: it is one of forwarded, x-forwarded-for, either, off", flag->name,
                     value);
}

const struct flag flags_proxy[] = {
    {"trust-proxy", 0, "BLOCK", FOR_SERVING, add_trust, 0,
     "believe proxies at 192.0.2.0/24, 2001:db8::1, unix:; repeat"},
    {"proxy-header", 0, "NAME", FOR_SERVING, set_field, 0,
     "their field: forwarded, x-forwarded-for, either (default), off"},
    {"proxy-protocol", 0, NULL, FOR_SERVING, flag_set_switch, FLAG_AT(proxy.protocol),
     "their connections begin with a PROXY header, v1 or v2"},
    {0},
};
