/*
 * A rate limit: the key of a request is written, hashed behind what names the limit, and counted.
 *
 * Happy path: one look into the table.  Above the limit the answer says when to come again.  It can
 * fail for want of the exchange's memory for the key; that is answered 503.
 */
#include "pollux/rate_limit.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/options.h"
#include "base/text.h"
#include "gate/matcher.h"
#include "gate/rate_table.h"
#include "pollux/response.h"
#include "pollux/template.h"

enum { NS_PER_MS = 1000 * 1000, NS_PER_S = 1000 * NS_PER_MS, VALUE_BYTES = 256, POLICY_MAX = 64 };

struct px_rate_limit {
    px_allocator allocator;
    px_rate_table *table; /* a hold */
    px_template *key;     /* owned */
    px_matcher *when;     /* a hold, or NULL */
    uint64_t name_hash;   /* of what tells this limit from others */
    struct rate_quota quota;
    uint32_t burst;
    unsigned status;
    char policy[POLICY_MAX + 1];
};

/* --- Making ----------------------------------------------------------------------------------- */

/* What clients are told: a String of structured fields (RFC 9651 section 3.3.3) without escapes. */
static bool policy_valid(const char *policy)
{
    size_t len = strlen(policy);

    for (size_t at = 0; at < len; at++) {
        if (policy[at] < 0x20 || policy[at] > 0x7e || policy[at] == '"' || policy[at] == '\\')
            return false;
    }
    return len > 0 && len <= POLICY_MAX;
}

static px_err options_check(const px_rate_limit_options *options, px_error *out_error)
{
    if (options->count == 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "a rate has a count of 1 at least");
    if (options->status != 0 && (options->status < 400 || options->status > 599))
        return error_set(out_error, PX_ERR_INVALID, 0, "%u is no status of an error",
                         options->status);
    if (options->policy && !policy_valid(options->policy))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "a policy's name has 1 to %d bytes of visible ASCII without quotes",
                         POLICY_MAX);
    return PX_OK;
}

static px_err quota_set(px_rate_limit *limit, const px_rate_limit_options *options,
                        px_error *out_error)
{
    uint64_t per_ns = (uint64_t)(options->per_ms ? options->per_ms : 1000) * NS_PER_MS;

    limit->burst = options->burst ? options->burst : options->count;
    limit->quota.step_ns = per_ns / options->count;
    if (limit->quota.step_ns == 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "more than a request a nanosecond");
    if (limit->burst > INT64_MAX / limit->quota.step_ns)
        return error_set(out_error, PX_ERR_INVALID, 0, "a burst of %u at that rate never ends",
                         limit->burst);
    limit->quota.reach_ns = limit->burst * limit->quota.step_ns;
    return PX_OK;
}

/* Counts are of one limit when name, key and rate are the same; a burst may change. */
static uint64_t name_hash(const px_rate_limit *limit, const px_rate_limit_options *options,
                          const char *key)
{
    px_str parts[] = {px_str_of(options->name ? options->name : ""), px_str_of(key)};
    uint64_t words[3] = {0, 0, limit->quota.step_ns};

    CHECK(limit->table && limit->quota.step_ns > 0);
    for (size_t index = 0; index < 2; index++)
        words[index] = rate_table_hash(limit->table, parts[index]);
    return rate_table_hash(limit->table, px_str_make((const char *)words, sizeof(words)));
}

px_rate_limit *px_rate_limit_create(const px_rate_limit_options *options, px_error *out_error)
{
    px_rate_limit_options known;

    if (options_take(&known, sizeof(known), options, "rate limit options", out_error) != PX_OK)
        return NULL;
    if (options_check(&known, out_error) != PX_OK)
        return NULL;
    const px_allocator *used = known.allocator ? known.allocator : &alloc_libc;
    const char *key = known.key ? known.key : "{client}";
    px_rate_limit *limit = alloc_take_zeroed(used, sizeof(*limit));

    if (!limit) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    limit->allocator = *used;
    limit->status = known.status ? known.status : 429;
    limit->when = matcher_hold(known.when);
    *text_write_str(limit->policy, px_str_of(known.policy ? known.policy : "default")) = '\0';
    if (quota_set(limit, &known, out_error) != PX_OK)
        goto fail;
    limit->key = px_template_create(px_str_of(key), used, NULL, out_error);
    if (!limit->key)
        goto fail;
    px_rate_table_options table_options = PX_RATE_TABLE_OPTIONS_DEFAULT;

    table_options.allocator = used;
    table_options.bytes = RATE_BYTES_OWN;
    limit->table = known.table ? rate_table_hold(known.table)
                               : px_rate_table_create(&table_options, out_error);
    if (!limit->table)
        goto fail;
    limit->name_hash = name_hash(limit, &known, key);
    error_clear(out_error);
    return limit;
fail:
    px_rate_limit_destroy(limit);
    return NULL;
}

void px_rate_limit_destroy(void *limit)
{
    px_rate_limit *self = limit;

    if (!self)
        return;
    px_allocator allocator = self->allocator;

    px_rate_table_destroy(self->table);
    px_template_destroy(self->key);
    px_matcher_destroy(self->when);
    alloc_put(&allocator, self);
}

/* --- Counting --------------------------------------------------------------------------------- */

static uint64_t seconds_up(uint64_t ns)
{
    uint64_t seconds = (ns + NS_PER_S - 1) / NS_PER_S;

    return seconds > 0 ? seconds : 1;
}

/* A member of a list: the policy's name, and two numbers. */
static void set_field(px_exchange *exchange, const px_rate_limit *limit, const char *name,
                      const char *first, uint64_t first_value, const char *second,
                      uint64_t second_value)
{
    char value[VALUE_BYTES];
    struct text text;

    text_init(&text, value, sizeof(value));
    text_put_byte(&text, '"');
    text_put_words(&text, limit->policy);
    text_put_words(&text, first);
    text_put_number(&text, first_value);
    text_put_words(&text, second);
    text_put_number(&text, second_value);
    CHECK(!text.cut);
    px_response_add_field(exchange, px_str_of(name), text_str(&text));
}

static void refuse(px_exchange *exchange, const px_rate_limit *limit, uint64_t wait_ns)
{
    char value[TEXT_NUMBER_BYTES];
    struct text text;
    uint64_t wait_s = seconds_up(wait_ns);

    text_init(&text, value, sizeof(value));
    text_put_number(&text, wait_s);
    CHECK(!text.cut);
    px_response_set_field(exchange, px_str_of("Retry-After"), text_str(&text));
    /* draft-ietf-httpapi-ratelimit-headers-10, sections 3 and 4. */
    set_field(exchange, limit, "RateLimit-Policy", "\";q=", limit->burst,
              ";w=", seconds_up(limit->quota.reach_ns));
    set_field(exchange, limit, "RateLimit", "\";r=", 0, ";t=", wait_s);
    px_respond_error(exchange, limit->status);
}

px_verdict px_rate_limit_check(px_exchange *exchange, void *limit)
{
    px_rate_limit *self = limit;
    uint64_t words[2], wait_ns;

    if (!gate_guards(self->when, exchange))
        return PX_NEXT;
    px_str key = px_template_text(self->key, exchange, PX_TEMPLATE_KEY);

    if (!key.ptr) {
        px_respond_error(exchange, 503);
        return PX_STOP;
    }
    words[0] = self->name_hash;
    words[1] = rate_table_hash(self->table, key);
    uint64_t hash = rate_table_hash(self->table, px_str_make((const char *)words, sizeof(words)));
    uint64_t now_ns = px_loop_now_ms(px_exchange_loop(exchange)) * NS_PER_MS;

    if (rate_table_take(self->table, hash, &self->quota, now_ns, &wait_ns))
        return PX_NEXT;
    refuse(exchange, self, wait_ns);
    return PX_STOP;
}
