/*
 * Signs of life for the service manager: the first at once, then one each time it asks for.  It can
 * fail by memory alone.
 */
#include "main/worker/watchdog.h"

#include "base/check.h"
#include "base/error.h"

static void on_time(px_timer *timer, void *context)
{
    const struct notify *notify = context;

    CHECK(notify->watchdog_ms > 0);
    notify_send(notify, "WATCHDOG=1\n");
    px_timer_start(timer, notify->watchdog_ms);
}

px_err watchdog_start(px_loop *loop, const struct notify *notify, px_timer **out_timer,
                      px_error *out_error)
{
    if (notify->watchdog_ms == 0)
        return PX_OK;
    CHECK(!*out_timer);
    *out_timer = px_timer_create(loop, on_time, (void *)(uintptr_t)notify);
    if (!*out_timer)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    px_timer_start(*out_timer, 0);
    return PX_OK;
}
