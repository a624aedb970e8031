/*
 * Limits of exchanges in flight: so many at a time for each key, of one loop.
 *
 *     px_connection_limit_options options = PX_CONNECTION_LIMIT_OPTIONS_DEFAULT;
 *     options.count = 10;
 *     px_connection_limit *limit = px_connection_limit_create(&options, &error);
 *     px_host_use(host, px_connection_limit_check, limit, px_connection_limit_destroy, &error);
 *
 * An exchange counts from here until it ends, whatever becomes of it; what comes above the limit is
 * answered 429 and does not count.
 */
#ifndef PX_CONNECTION_LIMIT_H
#define PX_CONNECTION_LIMIT_H

#include "pollux/matcher.h"
#include "pollux/site.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_connection_limit px_connection_limit; /**< A limit and its counts. */

/** Options of a limit. */
typedef struct px_connection_limit_options {
    size_t struct_size;            /**< sizeof(px_connection_limit_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc. */
    const char *key;               /**< A template (PX_TEMPLATE_KEY), copied; NULL: "{client}". */
    px_matcher *when; /**< For requests that match alone; gets a further hold; NULL: for all. */
    uint32_t count;   /**< Exchanges at a time of a key, 1 at least. */
    uint32_t status;  /**< What is answered above the limit, 400 to 599; 0: 429. */
} px_connection_limit_options;

/** The defaults, as a value.  Any thread. */
static inline px_connection_limit_options px_connection_limit_options_default(void)
{
    px_connection_limit_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_connection_limit_options, as a value. */
#define PX_CONNECTION_LIMIT_OPTIONS_DEFAULT px_connection_limit_options_default()
/** The same as an initialiser of a static. */
#define PX_CONNECTION_LIMIT_OPTIONS_INIT PX_INIT_OF(px_connection_limit_options)

/** Makes a limit.  @param options borrowed for the call.
 *  @return owned by the caller (px_connection_limit_destroy), or NULL: PX_ERR_INVALID,
 *  PX_ERR_MEMORY, PX_ERR_SYSTEM (no random bytes).  Any thread; it is used by that of one loop. */
px_connection_limit *px_connection_limit_create(const px_connection_limit_options *options,
                                                px_error *out_error);

/** The middleware.  @param limit the px_connection_limit.  The thread of the server's loop. */
px_verdict px_connection_limit_check(px_exchange *exchange, void *limit);

/** Ends it; to be handed on as `release`.  NULL is fine.  The thread of the server's loop, when no
 *  exchange that it counts is left. */
void px_connection_limit_destroy(void *limit);

#ifdef __cplusplus
}
#endif

#endif
