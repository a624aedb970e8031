/*
 * Counting exchanges in flight by key.
 *
 * Happy path: the key's entry is found or made, and goes when its last exchange has ended; so there
 * are never more entries than exchanges, which the server bounds.  It can fail for want of memory,
 * and then the request is answered 503.
 */
#include "pollux/connection_limit.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/map.h"
#include "base/options.h"
#include "gate/matcher.h"
#include "io/random.h"
#include "pollux/response.h"
#include "pollux/template.h"

enum { TAG_WORDS = 2 };

/* A key that has exchanges in flight.  Its text is not kept: two keyed hashes of it are as good. */
struct counted {
    struct map_entry entry;
    uint64_t tag[TAG_WORDS];
    uint32_t count;
};

struct px_connection_limit {
    px_allocator allocator;
    struct map keys; /* of struct counted, owned */
    px_template *key;
    px_matcher *when; /* a hold, or NULL */
    struct siphash_key hashes[TAG_WORDS];
    uint32_t count;
    unsigned status;
};

/* What an exchange gives back at its end; in its memory. */
struct share {
    px_connection_limit *limit;
    struct counted *counted;
};

static void counted_free(struct map_entry *entry, void *context)
{
    px_connection_limit *limit = context;

    alloc_put(&limit->allocator, CONTAINER_OF(entry, struct counted, entry));
}

px_connection_limit *px_connection_limit_create(const px_connection_limit_options *options,
                                                px_error *out_error)
{
    px_connection_limit_options known;

    if (options_take(&known, sizeof(known), options, "connection limit options", out_error) !=
        PX_OK)
        return NULL;
    if (known.count == 0 || (known.status != 0 && (known.status < 400 || known.status > 599))) {
        error_set(out_error, PX_ERR_INVALID, 0,
                  "a limit has a count of 1 at least, and the status of an error");
        return NULL;
    }
    const px_allocator *used = known.allocator ? known.allocator : &alloc_libc;
    px_connection_limit *limit = alloc_take_zeroed(used, sizeof(*limit));

    if (!limit) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    px_err err = random_bytes(limit->hashes, sizeof(limit->hashes));
    struct map_options map = {.allocator = &limit->allocator,
                              .key = limit->hashes[0],
                              .bytes_max = SIZE_MAX / 2,
                              .count_max = UINT32_MAX,
                              .evicted = counted_free,
                              .context = limit};

    limit->allocator = *used;
    limit->count = known.count;
    limit->status = known.status ? known.status : 429;
    limit->when = matcher_hold(known.when);
    map_init(&limit->keys, &map);
    if (err != PX_OK)
        error_set(out_error, err, 0, "no random bytes");
    else
        limit->key = px_template_create(px_str_of(known.key ? known.key : "{client}"), used, NULL,
                                        out_error);
    if (limit->key)
        return limit;
    px_connection_limit_destroy(limit);
    return NULL;
}

void px_connection_limit_destroy(void *limit)
{
    px_connection_limit *self = limit;

    if (!self)
        return;
    px_allocator allocator = self->allocator;

    CHECK(self->keys.count == 0);
    map_deinit(&self->keys);
    px_template_destroy(self->key);
    px_matcher_destroy(self->when);
    alloc_put(&allocator, self);
}

/* The key's entry; NULL without memory. */
static struct counted *counted_take(px_connection_limit *limit, px_str key)
{
    uint64_t tag[TAG_WORDS];

    for (int word = 0; word < TAG_WORDS; word++)
        tag[word] = siphash(&limit->hashes[word], key.ptr, key.len);
    px_str name = px_str_make((const char *)tag, sizeof(tag));
    struct map_entry *entry = map_find(&limit->keys, name);

    if (entry)
        return CONTAINER_OF(entry, struct counted, entry);
    struct counted *counted = alloc_take_zeroed(&limit->allocator, sizeof(*counted));

    if (!counted)
        return NULL;
    memcpy(counted->tag, tag, sizeof(tag));
    name = px_str_make((const char *)counted->tag, sizeof(tag));
    if (map_put(&limit->keys, &counted->entry, name, sizeof(*counted)) == PX_OK)
        return counted;
    alloc_put(&limit->allocator, counted);
    return NULL;
}

/* One exchange less; an entry without any goes. */
static void counted_drop(px_connection_limit *limit, struct counted *counted)
{
    CHECK(limit->keys.count > 0);
    if (counted->count > 0)
        return;
    map_remove(&limit->keys, &counted->entry);
    counted_free(&counted->entry, limit);
}

static void share_end(px_exchange *exchange, px_end end, unsigned status, void *context)
{
    struct share *share = context;

    (void)exchange;
    (void)end;
    (void)status;
    CHECK(share->counted->count > 0);
    share->counted->count--;
    counted_drop(share->limit, share->counted);
}

static px_verdict refuse(px_exchange *exchange, unsigned status)
{
    px_respond_error(exchange, status);
    return PX_STOP;
}

px_verdict px_connection_limit_check(px_exchange *exchange, void *limit)
{
    px_connection_limit *self = limit;

    if (!gate_guards(self->when, exchange))
        return PX_NEXT;
    px_str key = px_template_text(self->key, exchange, PX_TEMPLATE_KEY);
    struct share *share = key.ptr ? px_exchange_alloc(exchange, sizeof(*share)) : NULL;
    struct counted *counted = share ? counted_take(self, key) : NULL;

    if (!counted)
        return refuse(exchange, 503);
    CHECK(counted->count <= self->count);
    if (counted->count == self->count)
        return refuse(exchange, self->status);
    *share = (struct share){self, counted};
    counted->count++;
    if (px_exchange_at_end(exchange, share_end, share) == PX_OK)
        return PX_NEXT;
    counted->count--;
    counted_drop(self, counted);
    return refuse(exchange, 503);
}
