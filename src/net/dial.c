/*
 * Dialling: resolve, connect to each address in turn, hand out a stream.
 *
 * Happy path: a numeric address is connected to without blocking, a watch tells when it is there.
 * Names are resolved on a helper thread.  It can fail by refusal, by its deadline, or for want of
 * memory or descriptors; on_dialled is called exactly once, from the loop.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "io/io.h"
#include "net/address.h"

enum { DIAL_TIMEOUT_MS_DEFAULT = 10 * 1000 };

struct dial {
    px_loop *loop;        /* borrowed: outlives the dial */
    struct io_timer step; /* the deadline; also takes the first step from the loop */
    uint64_t deadline_ms;
    px_watch *watch; /* owned: the connection attempt */
    int fd;          /* owned: its descriptor, or -1 */
    int sys_errno;   /* of the last attempt */
    bool resolving;  /* the helper thread holds it */
    bool abandoned;  /* it timed out meanwhile: freed when the thread lets go */
    px_err resolved;
    struct address_text split;
    struct net_address addresses[ADDRESS_COUNT_MAX];
    size_t count;
    size_t next;
    void (*on_dialled)(px_stream *stream, px_err result, void *context);
    void *context;
    char text[]; /* the address as written */
};

static void dial_next(struct dial *dial);

static void dial_drop(struct dial *dial)
{
    px_watch_destroy(dial->watch);
    dial->watch = NULL;
    if (dial->fd >= 0)
        close(dial->fd);
    dial->fd = -1;
}

/* Ends the dial; its last line of life. */
static void dial_finish(struct dial *dial, px_stream *stream, px_err result)
{
    void (*on_dialled)(px_stream *, px_err, void *) = dial->on_dialled;
    void *context = dial->context;
    px_loop *loop = dial->loop;

    dial_drop(dial);
    timer_deinit(&loop->timers, &dial->step);
    loop->handle_count--;
    if (dial->resolving)
        dial->abandoned = true;
    else
        alloc_put(&loop->allocator, dial);
    on_dialled(stream, result, context);
}

static void dial_connected(struct dial *dial)
{
    int fd = dial->fd;

    px_watch_destroy(dial->watch);
    dial->watch = NULL;
    px_stream *stream = stream_create(dial->loop, fd, false);

    if (stream)
        dial->fd = -1;
    dial_finish(dial, stream, stream ? PX_OK : PX_ERR_MEMORY);
}

static void dial_ready(px_watch *watch, unsigned events, void *context)
{
    struct dial *dial = context;
    int sys_errno = 0;
    socklen_t bytes = sizeof(sys_errno);

    (void)watch;
    (void)events;
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &sys_errno, &bytes) != 0)
        sys_errno = errno;
    if (sys_errno == 0) {
        dial_connected(dial);
        return;
    }
    dial->sys_errno = sys_errno;
    dial_drop(dial);
    dial_next(dial);
}

/* Begins to connect to one address: PX_OK, or a category when it failed at once. */
static px_err dial_attempt(struct dial *dial, const struct net_address *address)
{
    const int on = 1;

    dial->fd = socket(address->socket.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (dial->fd < 0)
        goto fail;
    if (address->socket.any.sa_family != AF_UNIX) {
        setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(dial->fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    }
    if (connect(dial->fd, &address->socket.any, address->bytes) != 0 && errno != EINPROGRESS)
        goto fail;
    dial->watch = px_watch_create(dial->loop, dial->fd, PX_WATCH_WRITE, dial_ready, dial, NULL);
    if (dial->watch)
        return PX_OK;
    errno = ENOMEM;

fail:
    dial->sys_errno = errno;
    dial_drop(dial);
    return error_category(dial->sys_errno);
}

static void dial_next(struct dial *dial)
{
    while (dial->next < dial->count) {
        if (dial_attempt(dial, &dial->addresses[dial->next++]) == PX_OK)
            return;
    }
    px_err err = error_category(dial->sys_errno);

    dial_finish(dial, NULL, err == PX_OK ? PX_ERR_NOT_FOUND : err);
}

/* On a helper thread. */
static void dial_resolve(void *context)
{
    struct dial *dial = context;

    dial->resolved = address_resolve(&dial->split, dial->addresses, &dial->count, NULL);
}

static void dial_resolved(px_err status, void *context)
{
    struct dial *dial = context;

    dial->resolving = false;
    if (dial->abandoned) {
        alloc_put(&dial->loop->allocator, dial);
        return;
    }
    if (status != PX_OK)
        dial_finish(dial, NULL, status);
    else if (dial->resolved != PX_OK)
        dial_finish(dial, NULL, dial->resolved);
    else if (dial->deadline_ms <= dial->loop->now_ms)
        dial_finish(dial, NULL, PX_ERR_TIMEOUT);
    else
        dial_next(dial);
}

static void dial_step(struct io_timer *timer)
{
    struct dial *dial = CONTAINER_OF(timer, struct dial, step);
    px_loop *loop = dial->loop;

    if (loop->now_ms >= dial->deadline_ms) {
        dial_finish(dial, NULL, PX_ERR_TIMEOUT);
        return;
    }
    timer_start(&loop->timers, &dial->step, dial->deadline_ms);
    dial_next(dial);
}

static px_err dial_start(struct dial *dial)
{
    if (address_is_name(&dial->split)) {
        dial->resolving = true;
        timer_start(&dial->loop->timers, &dial->step, dial->deadline_ms);
        return px_loop_work(dial->loop, dial_resolve, dial_resolved, dial);
    }
    /* The first attempt is made from the loop, so that on_dialled never comes from inside px_dial.
     */
    px_err err = address_resolve(&dial->split, dial->addresses, &dial->count, NULL);

    if (err == PX_OK)
        timer_start(&dial->loop->timers, &dial->step, dial->loop->now_ms);
    return err;
}

px_err px_dial(px_loop *loop, const char *address, uint32_t timeout_ms,
               void (*on_dialled)(px_stream *stream, px_err result, void *context), void *context,
               px_error *out_error)
{
    size_t bytes = strlen(address) + 1;

    error_clear(out_error);
    struct dial *dial = alloc_take_zeroed(&loop->allocator, sizeof(*dial) + bytes);

    if (!dial)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    dial->loop = loop;
    dial->fd = -1;
    dial->on_dialled = on_dialled;
    dial->context = context;
    memcpy(dial->text, address, bytes);
    px_err err = address_split(dial->text, &dial->split, out_error);

    if (err == PX_OK && (dial->split.kind == ADDRESS_FD || dial->split.host.len == 0))
        err = error_set(out_error, PX_ERR_INVALID, 0, "'%s' is not an address to connect to",
                        address);
    if (err != PX_OK)
        goto fail;
    err = timer_init(&loop->timers, &dial->step, dial_step);
    if (err != PX_OK) {
        error_set(out_error, err, 0, "out of memory");
        goto fail;
    }
    loop->handle_count++;
    dial->deadline_ms = loop->now_ms + (timeout_ms ? timeout_ms : DIAL_TIMEOUT_MS_DEFAULT);
    err = dial_start(dial);
    if (err == PX_OK)
        return PX_OK;
    loop->handle_count--;
    timer_deinit(&loop->timers, &dial->step);
    error_set(out_error, err, 0, "cannot dial '%s': %s", address, px_err_name(err));

fail:
    alloc_put(&loop->allocator, dial);
    return err;
}
