/*
 * The engine on epoll: edge-triggered, registered once, with ready bits of its own.
 *
 * Happy path of a request: an event sets READY_IN, the stream is received into the loop's chunk, a
 * short read says that the socket is drained, the answer goes out with one send; two system calls.
 * A stream is registered when it first has to wait.  What can go wrong: events of a handle that has
 * ended (slot and generation tell), a lost edge (ready bits are only cleared by EAGAIN or a short
 * read without a hang-up in sight), a busy stream that starves others (budgets, again list).
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "io/engine_epoll.h"
#include "io/push.h"

enum { READY_IN = 1, READY_OUT = 2, READY_HANGUP = 4, READY_ERROR = 8, READY_URGENT = 16 };

px_err engine_create(px_loop *loop, px_error *out_error)
{
    struct engine *engine = alloc_take(&loop->allocator, sizeof(*engine));

    if (!engine)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    engine->fd = epoll_create1(EPOLL_CLOEXEC);
    if (engine->fd < 0) {
        int sys_errno = errno;

        alloc_put(&loop->allocator, engine);
        return error_set(out_error, error_category(sys_errno), sys_errno,
                         "cannot create an epoll set: %s", strerror(sys_errno));
    }
    engine->slot_count = 0;
    engine->first_free = SLOT_NONE;
    engine->slots = NULL;
    engine->acceptor = NULL;
    engine->accepted = NULL;
    loop->engine = engine;
    return PX_OK;
}

void engine_destroy(px_loop *loop)
{
    struct engine *engine = loop->engine;

    if (!engine)
        return;
    close(engine->fd);
    alloc_put(&loop->allocator, engine->slots);
    alloc_put(&loop->allocator, engine);
    loop->engine = NULL;
}

int engine_fd(const px_loop *loop)
{
    return loop->engine->fd;
}

/* --- Registration --------------------------------------------------------------------------- */

static px_err slots_grow(px_loop *loop)
{
    struct engine *engine = loop->engine;
    uint32_t count = engine->slot_count ? engine->slot_count * 2 : 16;
    struct engine_slot *slots =
        alloc_resize(&loop->allocator, engine->slots, count * sizeof(*slots));

    if (!slots)
        return PX_ERR_MEMORY;
    engine->slots = slots;
    for (uint32_t index = count; index-- > engine->slot_count;) {
        slots[index] = (struct engine_slot){NULL, 0, engine->first_free};
        engine->first_free = index;
    }
    engine->slot_count = count;
    return PX_OK;
}

static uint32_t watch_events(unsigned events)
{
    return (events & PX_WATCH_READ ? (uint32_t)EPOLLIN | EPOLLRDHUP : 0) |
           (events & PX_WATCH_WRITE ? (uint32_t)EPOLLOUT : 0);
}

uint32_t engine_handle_events(const struct io_handle *handle)
{
    switch ((enum handle_kind)handle->kind) {
    case HANDLE_STREAM:
        return EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | (uint32_t)EPOLLET;
    case HANDLE_ACCEPTOR:
        return EPOLLIN | (uint32_t)EPOLLEXCLUSIVE;
    case HANDLE_WATCH:
        return watch_events(CONTAINER_OF(handle, const struct px_watch, handle)->events);
    }
    return 0;
}

px_err engine_handle_register(struct io_handle *handle)
{
    struct engine *engine = handle->loop->engine;

    if (engine->first_free == SLOT_NONE && slots_grow(handle->loop) != PX_OK) {
        errno = ENOMEM; /* callers put it into words */
        return PX_ERR_MEMORY;
    }
    uint32_t index = engine->first_free;
    struct engine_slot *slot = &engine->slots[index];
    struct epoll_event event = {.events = engine_handle_events(handle),
                                .data.u64 = (uint64_t)slot->generation << 32 | index};

    if (epoll_ctl(engine->fd, EPOLL_CTL_ADD, handle->fd, &event) != 0)
        return error_category(errno);
    engine->first_free = slot->next_free;
    slot->handle = handle;
    handle->slot = index;
    return PX_OK;
}

static void slot_free(struct io_handle *handle)
{
    struct engine *engine = handle->loop->engine;

    if (handle->slot == SLOT_NONE)
        return;
    struct engine_slot *slot = &engine->slots[handle->slot];

    slot->handle = NULL;
    slot->generation++;
    slot->next_free = engine->first_free;
    engine->first_free = handle->slot;
    handle->slot = SLOT_NONE;
}

void engine_detach(struct io_handle *handle)
{
    if (handle->slot == SLOT_NONE)
        return;
    /* Needed even before a close: a fork may hold a duplicate, which keeps the registration. */
    epoll_ctl(handle->loop->engine->fd, EPOLL_CTL_DEL, handle->fd, NULL);
    slot_free(handle);
}

void engine_close(px_stream *stream)
{
    if (stream->handle.loop->engine->accepted == stream)
        stream->handle.loop->engine->accepted = NULL;
    if (stream->handle.fd < 0)
        return;
    if (stream->handle.flags & STREAM_RESET) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};

        setsockopt(stream->handle.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    }
    /* The close takes it off the epoll set too: streams are accepted by the process that serves
     * them, so no fork holds a duplicate. */
    slot_free(&stream->handle);
    close(stream->handle.fd);
    stream->handle.fd = -1;
}

/* A stream that has to wait is registered now. */
static px_err stream_register(px_stream *stream)
{
    if (stream->handle.slot != SLOT_NONE)
        return PX_OK;
    return engine_handle_register(&stream->handle);
}

/* --- Sending -------------------------------------------------------------------------------- */

static px_err send_result(int sys_errno)
{
    return sys_errno == ENODATA ? PX_ERR_MALFORMED : error_category(sys_errno);
}

static enum push_result send_push(px_stream *stream)
{
    enum push_result result = stream_push(stream);

    if (result == PUSH_FULL)
        stream->handle.ready &= (uint8_t)~READY_OUT;
    return result;
}

bool engine_send(px_stream *stream)
{
    switch (send_push(stream)) {
    case PUSH_DONE:
        return true;
    case PUSH_FULL:
        if (stream->handle.slot != SLOT_NONE)
            return false;
        px_err err = stream_register(stream);

        if (err == PX_OK)
            return false;
        stream->send_errno = err == PX_ERR_MEMORY ? ENOMEM : EIO;
        break;
    case PUSH_BUDGET:
        stream->handle.ready |= READY_OUT; /* it was not the kernel that stopped */
        break;
    case PUSH_FAILED:
        break;
    }
    loop_again(stream->handle.loop, &stream->handle);
    return false;
}

void engine_shutdown(px_stream *stream)
{
    /* It fails only when the peer is gone, which receiving or closing finds out too. */
    shutdown(stream->handle.fd, SHUT_WR);
}

static void stream_run_send(px_stream *stream)
{
    switch (stream->send_errno ? PUSH_FAILED : send_push(stream)) {
    case PUSH_DONE:
        stream_report_sent(stream, PX_OK);
        return;
    case PUSH_FULL:
        return;
    case PUSH_BUDGET:
        loop_again(stream->handle.loop, &stream->handle);
        return;
    case PUSH_FAILED:
        stream_report_sent(stream, send_result(stream->send_errno));
        return;
    }
}

/* --- Receiving ------------------------------------------------------------------------------ */

void engine_recv(px_stream *stream)
{
    struct io_handle *handle = &stream->handle;

    if (handle->flags & STREAM_RUNNING)
        return; /* its run goes on after the callback */
    if (handle->flags & STREAM_EAGER) {
        handle->ready |= READY_IN;
        handle->loop->engine->accepted = stream;
    }
    /* Parked bytes, a ready socket, or the registration that is still to be made. */
    loop_again(handle->loop, handle);
}

bool stream_is_drained(const px_stream *stream)
{
    return stream->inbox.len == 0 && !(stream->handle.ready & READY_IN);
}

/* One receive.  PX_AGAIN: nothing more for now; PX_OK: go on. */
static px_err recv_once(px_stream *stream)
{
    char *ptr, probe;
    size_t room = stream_recv_room(stream, &ptr);
    /* Without room it ends only when there is a byte that finds none: it may be the end instead. */
    ssize_t count = room > 0 ? recv(stream->handle.fd, ptr, room, 0)
                             : recv(stream->handle.fd, &probe, 1, MSG_PEEK);

    if (count > 0 && room == 0) {
        stream_report_end(stream, PX_ERR_LIMIT);
        return PX_AGAIN;
    }
    if (count > 0) {
        /* A short read means drained, unless a hang-up is in line behind it, or an urgent mark, at
         * which a receive stops even where urgent data is in line. */
        if ((size_t)count < room &&
            !(stream->handle.ready & (READY_HANGUP | READY_ERROR | READY_URGENT)))
            stream->handle.ready &= (uint8_t)~READY_IN;
        stream_deliver(stream, ptr, (size_t)count);
        return PX_OK;
    }
    if (count == 0) {
        stream->handle.ready &= (uint8_t)~READY_IN;
        stream_report_end(stream, PX_OK);
        return PX_AGAIN;
    }
    if (errno == EINTR)
        return PX_OK;
    if (errno == EAGAIN) {
        stream->handle.ready &= (uint8_t) ~(READY_IN | READY_URGENT);
        return PX_AGAIN;
    }
    stream_report_end(stream,
                      error_category(errno) == PX_ERR_CLOSED ? PX_ERR_CLOSED : PX_ERR_SYSTEM);
    return PX_AGAIN;
}

static void stream_run_recv(px_stream *stream)
{
    struct io_handle *handle = &stream->handle;

    for (uint32_t budget = RECVS_PER_TICK; (handle->flags & STREAM_RECV); budget--) {
        bool present = (handle->flags & STREAM_PRESENT) && stream->inbox.len > 0;

        if (!present && !(handle->ready & READY_IN))
            break;
        if (budget == 0) {
            loop_again(handle->loop, handle);
            return;
        }
        if (present)
            stream_present(stream);
        else if (recv_once(stream) == PX_AGAIN)
            break;
    }
}

/* A reset must be heard of even by a stream that is not receiving (rule 4). */
static void stream_run_error(px_stream *stream)
{
    int sys_errno = 0;
    socklen_t bytes = sizeof(sys_errno);

    stream->handle.ready &= (uint8_t)~READY_ERROR;
    if (getsockopt(stream->handle.fd, SOL_SOCKET, SO_ERROR, &sys_errno, &bytes) == 0 &&
        sys_errno != 0)
        stream_report_end(stream, error_category(sys_errno) == PX_ERR_CLOSED ? PX_ERR_CLOSED
                                                                             : PX_ERR_SYSTEM);
}

void engine_stream_run(px_stream *stream)
{
    struct io_handle *handle = &stream->handle;

    handle->flags |= STREAM_RUNNING;
    handle->loop->tick_callbacks++;
    work_count(&handle->loop->work, WORK_RUN);
    if ((handle->flags & STREAM_SENDING) && ((handle->ready & READY_OUT) || stream->send_errno))
        stream_run_send(stream);
    if (handle->flags & STREAM_RECV)
        stream_run_recv(stream);
    if ((handle->ready & READY_ERROR) && !(handle->flags & (STREAM_RECV | STREAM_CLOSING)))
        stream_run_error(stream);
    if (PX_UNLIKELY(handle->ready & READY_HANGUP))
        stream_report_left(stream);
    handle->flags &= (uint16_t) ~(STREAM_RUNNING | STREAM_EAGER);
    if (handle->slot != SLOT_NONE || (handle->flags & (STREAM_CLOSING | STREAM_ENDED)))
        return;
    /* It did not end in this run, so it has to wait. */
    px_err err = stream_register(stream);

    if (err != PX_OK)
        stream_report_end(stream, err);
}

/* --- Watches -------------------------------------------------------------------------------- */

px_err engine_watch(struct px_watch *watch, px_error *out_error)
{
    px_err err = engine_handle_register(&watch->handle);
    int sys_errno = errno;

    if (err == PX_OK)
        return PX_OK;
    if (sys_errno == EEXIST)
        err = PX_ERR_CONFLICT;
    if (sys_errno == EPERM || sys_errno == EBADF)
        err = PX_ERR_INVALID;
    return error_set(out_error, err, sys_errno, "cannot watch descriptor %d: %s", watch->handle.fd,
                     strerror(sys_errno));
}

px_err engine_watch_change(struct px_watch *watch)
{
    struct engine *engine = watch->handle.loop->engine;
    struct engine_slot *slot = &engine->slots[watch->handle.slot];
    struct epoll_event event = {.events = watch_events(watch->events),
                                .data.u64 = (uint64_t)slot->generation << 32 | watch->handle.slot};

    return epoll_ctl(engine->fd, EPOLL_CTL_MOD, watch->handle.fd, &event) == 0
               ? PX_OK
               : error_category(errno);
}

static void watch_run(struct px_watch *watch, uint32_t events)
{
    unsigned seen = 0;

    if (events & (EPOLLIN | EPOLLRDHUP))
        seen |= PX_WATCH_READ;
    if (events & EPOLLOUT)
        seen |= PX_WATCH_WRITE;
    if (events & (EPOLLERR | EPOLLHUP))
        seen |= PX_WATCH_ERROR;
    watch->on_ready(watch, seen, watch->context);
}

/* --- Waiting -------------------------------------------------------------------------------- */

void engine_run(struct io_handle *handle)
{
    CHECK(handle->kind == HANDLE_STREAM);
    engine_stream_run(CONTAINER_OF(handle, px_stream, handle));
}

/* Whether others have moved, or worked, so much in this turn that this one goes on later.  A stream
 * that has something to say first waits less than one in the middle of a long answer, so that small
 * requests are not behind a crowd of downloads. */
static bool event_waits(const struct io_handle *handle)
{
    uint64_t bytes = loop_turn_bytes(handle->loop);

    /* Those that were ready before it come first. */
    if (PX_UNLIKELY(handle->loop->work.behind || work_is_over(&handle->loop->work)))
        return true;
    return bytes >= TICK_TURN_BYTES &&
           ((handle->flags & STREAM_SENDING) || bytes >= 4ULL * TICK_TURN_BYTES);
}

static void event_run(struct io_handle *handle, uint32_t events)
{
    switch ((enum handle_kind)handle->kind) {
    case HANDLE_STREAM:
        if (handle->flags & STREAM_CLOSING)
            return;
        if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            handle->ready |= READY_IN;
        if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            handle->ready |= READY_OUT;
        if (events & (EPOLLRDHUP | EPOLLHUP))
            handle->ready |= READY_HANGUP;
        if (events & EPOLLPRI)
            handle->ready |= READY_URGENT | READY_IN;
        if (events & EPOLLERR)
            handle->ready |= READY_ERROR;
        if (PX_UNLIKELY(event_waits(handle)))
            loop_again(handle->loop, handle);
        else
            engine_stream_run(CONTAINER_OF(handle, px_stream, handle));
        return;
    case HANDLE_ACCEPTOR:
        (void)engine_accept_take(CONTAINER_OF(handle, struct io_acceptor, handle));
        return;
    case HANDLE_WATCH:
        watch_run(CONTAINER_OF(handle, struct px_watch, handle), events);
        return;
    }
}

px_err engine_wait(px_loop *loop, int timeout_ms, px_error *out_error)
{
    struct engine *engine = loop->engine;
    int count = epoll_wait(engine->fd, engine->events, EVENTS_PER_WAIT, timeout_ms);
    int sys_errno = errno;

    loop_read_clocks(loop);
    loop_woke(loop, timeout_ms != 0);
    if (count < 0)
        return sys_errno == EINTR ? PX_OK
                                  : error_set(out_error, error_category(sys_errno), sys_errno,
                                              "epoll_wait: %s", strerror(sys_errno));
    for (int index = 0; index < count; index++) {
        uint64_t name = engine->events[index].data.u64;
        struct engine_slot *slot = &engine->slots[(uint32_t)name];

        if (slot->handle && slot->generation == (uint32_t)(name >> 32))
            event_run(slot->handle, engine->events[index].events);
    }
    return PX_OK;
}
