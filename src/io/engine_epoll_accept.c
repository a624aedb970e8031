/*
 * The engine on epoll: accepting.
 *
 * Happy path: a socket that listens is ready, all that waits there is accepted, and the last of it,
 * which brought its request, is read at once.  Out of descriptors or memory it waits a while.
 */
#include <errno.h>
#include <sys/socket.h>

#include "base/error.h"
#include "io/engine_epoll.h"

enum { ACCEPT_RETRY_MS = 100 }; /* a pause after EMFILE: ten tries a second cost nothing */

static void accept_retry(struct io_timer *timer)
{
    engine_accept_resume(CONTAINER_OF(timer, struct io_acceptor, retry));
}

px_err engine_accept_start(struct io_acceptor *acceptor, px_error *out_error)
{
    timer_stop(&acceptor->handle.loop->timers, &acceptor->retry);
    acceptor->retry.on_due = accept_retry;
    acceptor->standing_ms = 0; /* what came in a pause waits since nothing was accepted */
    if (acceptor->handle.slot != SLOT_NONE)
        return PX_OK;
    px_err err = engine_handle_register(&acceptor->handle);

    if (err != PX_OK)
        return error_set(out_error, err, errno, "cannot wait for connections: %s",
                         px_err_name(err));
    return PX_OK;
}

void engine_accept_resume(struct io_acceptor *acceptor)
{
    if (engine_accept_start(acceptor, NULL) != PX_OK)
        timer_start(&acceptor->handle.loop->timers, &acceptor->retry,
                    loop_now_ms(acceptor->handle.loop) + ACCEPT_RETRY_MS);
}

void engine_accept_stop(struct io_acceptor *acceptor)
{
    struct engine *engine = acceptor->handle.loop->engine;

    if (engine->acceptor == acceptor)
        engine->acceptor = NULL;
    timer_stop(&acceptor->handle.loop->timers, &acceptor->retry);
    engine_detach(&acceptor->handle);
}

/* Reads, and most often answers and closes, a connection that brought its request with it: now,
 * while it is warm in the cache.  Whether the connection stays. */
static bool accepted_run(px_loop *loop)
{
    px_stream *stream = loop->engine->accepted;

    loop->engine->accepted = NULL;
    if (!stream)
        return true;
    if (!(stream->handle.flags & STREAM_CLOSING) && !loop->work.behind &&
        !work_is_over(&loop->work)) { /* else it is on the again list */
        list_remove(&stream->handle.work);
        engine_stream_run(stream);
    }
    return !(stream->handle.flags & STREAM_CLOSING);
}

/* The kernel wakes the first process that waits at a shared socket.  One that has got a connection
 * waits behind the others, so that connections that stay are spread. */
static void wait_behind(struct io_acceptor *acceptor)
{
    if (!acceptor->shared || acceptor->handle.slot == SLOT_NONE)
        return;
    engine_detach(&acceptor->handle);
    if (engine_handle_register(&acceptor->handle) != PX_OK)
        timer_start(&acceptor->handle.loop->timers, &acceptor->retry,
                    loop_now_ms(acceptor->handle.loop) + ACCEPT_RETRY_MS);
}

bool engine_accept_take(struct io_acceptor *acceptor)
{
    px_loop *loop = acceptor->handle.loop;
    bool one_stays = false;

    loop->engine->acceptor = acceptor;
    /* A callback may stop it, or close and free it: then it is not looked at again. */
    for (uint32_t budget = ACCEPTS_PER_TICK; budget > 0 && loop->engine->acceptor; budget--) {
        struct sockaddr_storage address;
        socklen_t bytes = sizeof(address);
        int fd = accept4(acceptor->handle.fd, (struct sockaddr *)&address, &bytes,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            loop->tick_callbacks++;
            work_count(&loop->work, WORK_ACCEPT);
            if (PX_LIKELY(!accept_closes(acceptor, fd)))
                acceptor->on_socket(acceptor, fd, &address, bytes);
            one_stays = accepted_run(loop) || one_stays;
            bool is_over = work_is_over(&loop->work) && budget <= ACCEPTS_PER_TICK - ACCEPTS_MIN;

            if (PX_UNLIKELY(is_over || loop_turn_bytes(loop) >= TICK_TURN_BYTES))
                return false;
        } else if (errno == EAGAIN) {
            acceptor->standing_ms = 0;
            if (one_stays)
                wait_behind(acceptor);
            return true;
        } else {
            int sys_errno = errno;

            acceptor->on_error(acceptor, sys_errno);
            if (loop->engine->acceptor && !accept_error_passes(sys_errno)) {
                /* Out of descriptors or memory: the event would come at once, again and again. */
                engine_detach(&acceptor->handle);
                timer_start(&loop->timers, &acceptor->retry, loop->now_ms + ACCEPT_RETRY_MS);
                return true;
            }
        }
    }
    return false;
}
