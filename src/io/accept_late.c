/*
 * Connections that have waited in the kernel's queue for longer than their clients do.
 *
 * Happy path: the queue was empty a moment ago, and nothing is asked.  Once it has stood for long
 * the kernel says of each connection how long it was there.  Where it does not (unix sockets, a
 * filter of system calls), all are had in their order.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/engine.h"

enum { ACCEPT_VAIN_MS = 1000 }; /* of closing, without one that is in time */

/* Since its first bytes came, or since it was made where none have. */
static uint32_t accepted_age_ms(int fd)
{
    struct tcp_info info = {.tcpi_last_data_recv = 0};
    socklen_t bytes = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) == 0 ? info.tcpi_last_data_recv : 0;
}

/* A queue that was not empty for long is longer than its clients wait: answering those at its head
 * is work for clients that leave before it is done, and makes the next as late.  They go unread, so
 * that those behind them are served in time. */
bool accept_closes(struct io_acceptor *acceptor, int fd)
{
    uint64_t now_ms = acceptor->handle.loop->now_ms;

    if (acceptor->standing_ms == 0)
        acceptor->standing_ms = now_ms;
    uint64_t stands_ms = now_ms - acceptor->standing_ms;

    /* In vain where closing is no faster than what comes: none of those that are left is in time,
     * and all would go.  Then they are had in their order, until the queue was empty. */
    if (PX_LIKELY(stands_ms < ACCEPT_LATE_MS) || stands_ms >= ACCEPT_LATE_MS + ACCEPT_VAIN_MS)
        return false;
    if (accepted_age_ms(fd) < ACCEPT_LATE_MS) {
        acceptor->standing_ms = now_ms - ACCEPT_LATE_MS; /* it helps */
        return false;
    }
    if (!acceptor->on_late || !acceptor->on_late(acceptor))
        return false;
    close(fd);
    return true;
}
