/*
 * The epoll set of a fork: made anew, since registrations belong to the parent's.
 *
 * Happy path: each handle is registered under the name that it has.  It can fail for want of
 * descriptors or memory; then the old set stays.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "io/engine_epoll.h"

px_err engine_renew(px_loop *loop, px_error *out_error)
{
    struct engine *engine = loop->engine;
    int fd = epoll_create1(EPOLL_CLOEXEC);

    for (uint32_t index = 0; fd >= 0 && index < engine->slot_count; index++) {
        const struct engine_slot *slot = &engine->slots[index];
        struct epoll_event event = {.data.u64 = (uint64_t)slot->generation << 32 | index};

        if (!slot->handle)
            continue;
        event.events = engine_handle_events(slot->handle);
        if (epoll_ctl(fd, EPOLL_CTL_ADD, slot->handle->fd, &event) != 0) {
            int sys_errno = errno;

            close(fd);
            errno = sys_errno;
            fd = -1;
        }
    }
    if (fd < 0)
        return error_set(out_error, error_category(errno), errno,
                         "cannot make an epoll set in the fork: %s", strerror(errno));
    close(engine->fd);
    engine->fd = fd;
    return PX_OK;
}
