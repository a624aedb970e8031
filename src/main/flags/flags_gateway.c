/*
 * Flags of `pollux proxy`: which servers are asked, and how.
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/flags/flag.h"
#include "main/flags/values.h"

enum { TRIES_MOST = 100 };

/* What may stand in a field of a request. */
static bool is_visible(const char *value)
{
    for (; *value != '\0'; value++)
        if ((unsigned char)*value <= ' ' || (unsigned char)*value >= 0x7f)
            return false;
    return true;
}

static px_err set_balance(struct options *options, const struct flag *flag, const char *value,
                          px_error *out_error)
{
    static const struct {
        const char *name;
        px_balance choice;
    } balances[] = {{"roundrobin", PX_BALANCE_ROUND_ROBIN},
                    {"least", PX_BALANCE_LEAST},
                    {"random", PX_BALANCE_RANDOM},
                    {"hash", PX_BALANCE_HASH}};

    if (strncmp(value, "hash=", 5) == 0) {
        options->gateway.upstream.balance = PX_BALANCE_HASH;
        options->gateway.hash_key = value + 5;
        return PX_OK;
    }
    for (size_t i = 0; i < ARRAY_COUNT(balances); i++) {
        if (strcmp(value, balances[i].name) == 0) {
            options->gateway.upstream.balance = balances[i].choice;
            return PX_OK;
        }
    }
    return error_set(out_error, PX_ERR_INVALID, 0,
                     "--%s %s: it is one of roundrobin, least, random, hash, hash=TEMPLATE",
                     flag->name, value);
}

static px_err set_tries(struct options *options, const struct flag *flag, const char *value,
                        px_error *out_error)
{
    uint64_t tries;

    if (!value_count(value, 1, TRIES_MOST, &tries))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is a number from 1 to %d",
                         flag->name, value, TRIES_MOST);
    options->gateway.proxy.tries = (uint32_t)tries;
    return PX_OK;
}

static px_err set_host(struct options *options, const struct flag *flag, const char *value,
                       px_error *out_error)
{
    if (*value == '\0' || !is_visible(value))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s: it is pass, upstream, or a host",
                         flag->name);
    if (strcmp(value, "pass") == 0)
        options->gateway.proxy.host = NULL;
    else
        options->gateway.proxy.host = strcmp(value, "upstream") == 0 ? "" : value;
    return PX_OK;
}

static px_err set_name(struct options *options, const struct flag *flag, const char *value,
                       px_error *out_error)
{
    if (*value == '\0' || !is_visible(value) || strpbrk(value, "\"(),/:;<=>?@[\\]{}"))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is a name without a blank",
                         flag->name, value);
    options->gateway.proxy.name = value;
    return PX_OK;
}

static px_err set_check(struct options *options, const struct flag *flag, const char *value,
                        px_error *out_error)
{
    if (*value != '/' || !is_visible(value))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is a path, like /health",
                         flag->name, value);
    options->gateway.check.path = value;
    return PX_OK;
}

static px_err set_send_proxy(struct options *options, const struct flag *flag, const char *value,
                             px_error *out_error)
{
    if (strcmp(value, "v1") != 0 && strcmp(value, "v2") != 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is v1 or v2", flag->name,
                         value);
    options->gateway.upstream.proxy_protocol = (uint32_t)(value[1] - '0');
    return PX_OK;
}

static px_err set_retry(struct options *options, const struct flag *flag, const char *value,
                        px_error *out_error)
{
    (void)flag;
    (void)value;
    (void)out_error;
    options->gateway.proxy.retry_disconnect = 1;
    return PX_OK;
}

static px_err set_forwarded(struct options *options, const struct flag *flag, const char *value,
                            px_error *out_error)
{
    (void)flag;
    (void)value;
    (void)out_error;
    options->gateway.proxy.forwarded = 1;
    return PX_OK;
}

static px_err set_proxy_status(struct options *options, const struct flag *flag, const char *value,
                               px_error *out_error)
{
    (void)flag;
    (void)value;
    (void)out_error;
    options->gateway.proxy.proxy_status = 1;
    return PX_OK;
}

static px_err set_underscores(struct options *options, const struct flag *flag, const char *value,
                              px_error *out_error)
{
    (void)flag;
    (void)value;
    (void)out_error;
    options->gateway.proxy.underscores = 1;
    return PX_OK;
}

const struct flag flags_gateway[] = {
    {"balance", 0, "HOW", FOR_PROXY, set_balance, 0,
     "roundrobin (default), least, random, hash=TEMPLATE"},
    {"tries", 0, "N", FOR_PROXY, set_tries, 0, "of a request, the first included (default 2)"},
    {"retry-disconnect", 0, NULL, FOR_PROXY, set_retry, 0,
     "try again when a new connection ends without a byte"},
    {"fails", 0, "N", FOR_PROXY, flag_set_count, FLAG_AT(gateway.upstream.fails_max),
     "failures in a row until a server is out (default 3), or off"},
    {"check", 0, "PATH", FOR_PROXY, set_check, 0, "ask servers for it every 2s; 3 failures: down"},
    {"slow-start", 0, "TIME", FOR_PROXY, flag_set_duration, FLAG_AT(gateway.upstream.slow_start_ms),
     "until one that is back has its share (default 10s)"},
    {"host", 0, "HOST", FOR_PROXY, set_host, 0,
     "Host of requests: pass (default), upstream, or a text"},
    {"via", 0, "NAME", FOR_PROXY, set_name, 0, "our name in Via (default pollux)"},
    {"forwarded", 0, NULL, FOR_PROXY, set_forwarded, 0, "write a Forwarded field, too"},
    {"keep-underscores", 0, NULL, FOR_PROXY, set_underscores, 0,
     "pass fields on with _ in their names"},
    {"proxy-status", 0, NULL, FOR_PROXY, set_proxy_status, 0,
     "errors say their kind in a Proxy-Status field"},
    {"timeout-connect", 0, "TIME", FOR_PROXY, flag_set_duration,
     FLAG_AT(gateway.upstream.connect_timeout_ms), "for each address of a server (default 5s)"},
    {"timeout-first-byte", 0, "TIME", FOR_PROXY, flag_set_duration,
     FLAG_AT(gateway.upstream.first_byte_timeout_ms),
     "from a request's last byte to its answer's first (default 60s)"},
    {"timeout-upstream", 0, "TIME", FOR_PROXY, flag_set_duration,
     FLAG_AT(gateway.upstream.silence_timeout_ms),
     "between two bytes of an answer or a request (default 60s)"},
    {"timeout-tries", 0, "TIME", FOR_PROXY, flag_set_duration,
     FLAG_AT(gateway.proxy.total_timeout_ms), "for all tries of a request (default: none)"},
    {"max-upstream", 0, "N", FOR_PROXY, flag_set_count, FLAG_AT(gateway.upstream.requests_max),
     "requests of one server at once, for each worker (default 256)"},
    {"queue", 0, "N", FOR_PROXY, flag_set_count, FLAG_AT(gateway.upstream.queue_max),
     "requests that wait for one of them to end (default 256), or off"},
    {"timeout-queue", 0, "TIME", FOR_PROXY, flag_set_duration,
     FLAG_AT(gateway.upstream.queue_timeout_ms), "how long they wait (default 10s)"},
    {"upstream-ca", 0, "FILE", FOR_PROXY, flag_set_path, FLAG_AT(gateway.trust.ca_file),
     "PEM: authorities of https servers (default: system)"},
    {"upstream-cert", 0, "FILE", FOR_PROXY, flag_set_path, FLAG_AT(gateway.trust.certificate_file),
     "PEM: shown to https servers that ask"},
    {"upstream-key", 0, "FILE", FOR_PROXY, flag_set_path, FLAG_AT(gateway.trust.key_file),
     "PEM: its key (default: in the same file)"},
    {"send-proxy", 0, "VERSION", FOR_PROXY, set_send_proxy, 0,
     "v1 or v2: connections begin with a PROXY header"},
    {"buffer-replay", 0, "SIZE", FOR_PROXY, flag_set_bytes, FLAG_AT(gateway.proxy.replay_bytes_max),
     "content kept to be sent again (default 64k)"},
    {0},
};
