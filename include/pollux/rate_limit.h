/*
 * Rate limits: so many requests in a time for each key, over all processes that share a table.
 *
 *     px_rate_limit_options options = PX_RATE_LIMIT_OPTIONS_DEFAULT;
 *     options.key = "{client}";
 *     options.count = 20, options.per_ms = 1000, options.burst = 40;         20 a second
 *     px_rate_limit *limit = px_rate_limit_create(&options, &error);
 *     px_host_use(host, px_rate_limit_check, limit, px_rate_limit_destroy, &error);
 *
 * Requests are spaced by the generic cell rate algorithm (ITU-T I.371): each moves the key's time
 * on by per_ms / count, and one that would move it more than `burst` of these steps ahead of now is
 * answered 429, with Retry-After (RFC 9110 section 10.2.3) and the fields RateLimit-Policy and
 * RateLimit of draft-ietf-httpapi-ratelimit-headers-10.  Refused requests do not count.
 */
#ifndef PX_RATE_LIMIT_H
#define PX_RATE_LIMIT_H

#include "pollux/matcher.h"
#include "pollux/site.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_rate_table px_rate_table; /**< Where keys are counted. */
typedef struct px_rate_limit px_rate_limit; /**< A limit. */

/** Options of a table. */
typedef struct px_rate_table_options {
    size_t struct_size;            /**< sizeof(px_rate_table_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc.  Not for the counts. */
    /** Memory for counts, 16 bytes a key; 0: 4 MiB, else from 4 KiB to 1 GiB, cut to a power of
     *  two. */
    uint64_t bytes;
} px_rate_table_options;

/** The defaults, as a value.  Any thread. */
static inline px_rate_table_options px_rate_table_options_default(void)
{
    px_rate_table_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_rate_table_options, as a value. */
#define PX_RATE_TABLE_OPTIONS_DEFAULT px_rate_table_options_default()
/** The same as an initialiser of a static. */
#define PX_RATE_TABLE_OPTIONS_INIT PX_INIT_OF(px_rate_table_options)

/** Makes a table in memory that children of fork(2) share with their parent: made before the fork,
 *  it is one for all workers, and for those that come later.  One serves any number of limits.
 *
 *  When it is full: a key has one of four places.  A new key takes the one whose time is the
 *  earliest: it is the soonest to be forgotten anyway, and its key has the most left.  So keys that
 *  are over their limit stay, however many new ones come.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return the caller's hold (px_rate_table_destroy), or NULL: PX_ERR_INVALID, PX_ERR_MEMORY,
 *  PX_ERR_SYSTEM (no random bytes).  Any thread. */
px_rate_table *px_rate_table_create(const px_rate_table_options *options, px_error *out_error);

/** Gives the caller's hold up; each limit has one of its own.  NULL is fine.  Any thread. */
void px_rate_table_destroy(px_rate_table *table);

/** Options of a limit. */
typedef struct px_rate_limit_options {
    size_t struct_size;            /**< sizeof(px_rate_limit_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc. */
    px_rate_table *table; /**< Gets a further hold; NULL: the limit has a small one of its own. */
    const char *key;      /**< A template (PX_TEMPLATE_KEY), copied; NULL: "{client}". */
    /** What tells this limit's counts from others' in the table; copied; NULL: none.  Limits with
     *  the same name, key, count and per_ms count as one: so counts live on when a site is made
     *  anew. */
    const char *name;
    const char *policy; /**< The name that clients are told; visible ASCII; NULL: "default". */
    px_matcher *when;   /**< For requests that match alone; gets a further hold; NULL: for all. */
    uint32_t count;     /**< Requests, 1 at least ... */
    uint32_t per_ms;    /**< ... in so many milliseconds; 0: 1,000. */
    uint32_t burst;     /**< So many may come at once, when none has come before; 0: `count`. */
    uint32_t status;    /**< What is answered above the limit, 400 to 599; 0: 429. */
} px_rate_limit_options;

/** The defaults, as a value.  Any thread. */
static inline px_rate_limit_options px_rate_limit_options_default(void)
{
    px_rate_limit_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_rate_limit_options, as a value. */
#define PX_RATE_LIMIT_OPTIONS_DEFAULT px_rate_limit_options_default()
/** The same as an initialiser of a static. */
#define PX_RATE_LIMIT_OPTIONS_INIT PX_INIT_OF(px_rate_limit_options)

/** Makes a limit.  @param options borrowed for the call.
 *  @return owned by the caller (px_rate_limit_destroy), or NULL: PX_ERR_INVALID, PX_ERR_MEMORY,
 *  PX_ERR_SYSTEM.  Any thread. */
px_rate_limit *px_rate_limit_create(const px_rate_limit_options *options, px_error *out_error);

/** The middleware.  @param limit the px_rate_limit.  The thread of the server's loop; several
 *  threads may use one limit. */
px_verdict px_rate_limit_check(px_exchange *exchange, void *limit);

/** Ends it; to be handed on as `release`.  NULL is fine.  Any thread, while nothing uses it. */
void px_rate_limit_destroy(void *limit);

#ifdef __cplusplus
}
#endif

#endif
