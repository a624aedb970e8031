/*
 * Built without hiredis: there is no hub over Redis.
 */
#include "base/error.h"
#include "pollux/hub_redis.h"

px_hub *px_hub_create_redis(px_loop *loop, const px_hub_redis_options *options, px_error *out_error)
{
    (void)loop;
    (void)options;
    error_set(out_error, PX_ERR_UNSUPPORTED, 0, "built without hiredis (PX_REDIS)");
    return NULL;
}
