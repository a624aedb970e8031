/* Acceptors: the half that all engines share. */
#include "io/acceptor.h"

#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/error.h"
#include "io/engine.h"

void acceptor_init(struct io_acceptor *acceptor, int fd)
{
    CHECK(fd >= 0);
    memset(acceptor, 0, sizeof(*acceptor));
    handle_init(&acceptor->handle, NULL, fd, HANDLE_ACCEPTOR); /* its loop comes with the start */
    acceptor->retry.index = TIMER_IDLE;
}

/* Sockets that share an address (SO_REUSEPORT) are each one process's own. */
static bool is_shared(int fd)
{
    int shares_address = 0;
    socklen_t bytes = sizeof(shares_address);

    return getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shares_address, &bytes) == 0 &&
           !shares_address;
}

px_err acceptor_start(struct io_acceptor *acceptor, px_loop *loop, bool eager,
                      const struct acceptor_events *events, void *context, px_error *out_error)
{
    CHECK(events->on_socket && events->on_error);
    CHECK(!acceptor->handle.loop || acceptor->handle.loop == loop);
    if (!acceptor->handle.loop && timer_init(&loop->timers, &acceptor->retry, NULL) != PX_OK)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    acceptor->handle.loop = loop;
    acceptor->on_socket = events->on_socket;
    acceptor->on_error = events->on_error;
    acceptor->on_late = events->on_late;
    acceptor->context = context;
    acceptor->eager = eager;
    acceptor->shared = is_shared(acceptor->handle.fd);
    px_err err = engine_accept_start(acceptor, out_error);

    if (err != PX_OK)
        acceptor_stop(acceptor);
    return err;
}

void acceptor_stop(struct io_acceptor *acceptor)
{
    px_loop *loop = acceptor->handle.loop;

    if (!loop)
        return;
    engine_accept_stop(acceptor);
    timer_deinit(&loop->timers, &acceptor->retry);
    acceptor->handle.loop = NULL;
}

void acceptor_pause(struct io_acceptor *acceptor)
{
    CHECK(acceptor->handle.loop);
    engine_accept_stop(acceptor);
}

void acceptor_resume(struct io_acceptor *acceptor)
{
    CHECK(acceptor->handle.loop);
    engine_accept_resume(acceptor);
}

bool acceptor_take(struct io_acceptor *acceptor)
{
    CHECK(acceptor->handle.loop);
    return engine_accept_take(acceptor);
}
