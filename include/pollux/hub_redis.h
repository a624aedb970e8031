/*
 * A hub over Redis (publish/subscribe): topics of the same name on several machines are one.
 *
 * It is a px_hub in all but how it is made (pollux/hub.h).  A topic that is given a name there is a
 * channel of Redis; what others publish in it comes to those that are subscribed here.  While Redis
 * is away, what is published reaches the own loop alone, and counts as lost; the hub tries again by
 * itself, with pauses that grow to 30 s.  Delivery is that of Redis: at most once.
 *
 * The peer is trusted: it is the program's own server, on a network of its own.  What comes in a
 * channel and is none of ours is passed over.  The thread of the hub's loop.
 */
#ifndef PX_HUB_REDIS_H
#define PX_HUB_REDIS_H

#include "pollux/hub.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How a hub reaches Redis.  Zero is the default everywhere. */
typedef struct px_hub_redis_options {
    size_t struct_size; /**< sizeof(px_hub_redis_options). */
    /** "ADDRESS:PORT" with an IPv4 address (no name: nothing is looked up), or "unix:/path"; NULL:
     *  127.0.0.1:6379.  Copied. */
    const char *address;
    const char *user;     /**< For AUTH, from Redis 6 on; NULL: its default user.  Copied. */
    const char *password; /**< For AUTH; NULL: it is not asked for.  Copied. */
    const char *prefix;   /**< Of channels; NULL: "pollux:"; at most 64 bytes.  Copied. */
    uint32_t retry_ms;    /**< The first pause before another try; 0: 250. */
} px_hub_redis_options;

/** The defaults, as a value.  Any thread. */
static inline px_hub_redis_options px_hub_redis_options_default(void)
{
    px_hub_redis_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_hub_redis_options, as a value. */
#define PX_HUB_REDIS_OPTIONS_DEFAULT px_hub_redis_options_default()
/** The same as an initialiser of a static. */
#define PX_HUB_REDIS_OPTIONS_INIT PX_INIT_OF(px_hub_redis_options)

/** Makes a member that reaches the others over Redis.  It need not be there yet.
 *  @param loop borrowed: outlives it.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return owned by the caller (px_hub_destroy), or NULL: PX_ERR_INVALID (an address, a prefix, an
 *  option that is not known), PX_ERR_MEMORY, PX_ERR_SYSTEM, PX_ERR_UNSUPPORTED (built without
 *  hiredis). */
px_hub *px_hub_create_redis(px_loop *loop, const px_hub_redis_options *options,
                            px_error *out_error);

/** Whether Redis is there, and has taken the subscriptions: 1 or 0.  1 for a hub of sockets. */
int px_hub_is_connected(const px_hub *hub);

#ifdef __cplusplus
}
#endif

#endif
