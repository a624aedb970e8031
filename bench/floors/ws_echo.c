/*
 * Floor of the WebSocket echo: recv, unmask, send for each message of at most 125 bytes, epoll_wait
 * shared by the connections that are ready, level-triggered, every connection registered once.
 */
#include "ws.h"

/* Turns the masked frames in `in` into ours, in `out`; returns their length. */
static size_t echo(const char *in, size_t length, char *out)
{
    size_t at = 0, wrote = 0;

    while (length - at >= 6) {
        size_t count = in[at + 1] & 0x7f;
        const char *key = in + at + 2;

        if (length - at < 6 + count)
            break;
        out[wrote] = in[at];
        out[wrote + 1] = (char)count;
        for (size_t i = 0; i < count; i++)
            out[wrote + 2 + i] = (char)(in[at + 6 + i] ^ key[i & 3]);
        at += 6 + count;
        wrote += 2 + count;
    }
    return wrote;
}

static void serve(int fd)
{
    char in[4096], out[4096];
    ssize_t received = recv(fd, in, sizeof(in), 0);

    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0) {
        close(fd);
        return;
    }
    if (ws_is_handshake(in, received)) {
        if (!ws_answer(fd))
            close(fd);
        return;
    }
    size_t length = echo(in, (size_t)received, out);

    if (send(fd, out, length, MSG_NOSIGNAL) != (ssize_t)length)
        close(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[FLOOR_EVENTS_MAX];
    int listener = floor_listen(argv, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    (void)argc;
    floor_watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, FLOOR_EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                floor_accept(epoll, listener, EPOLLIN);
            else
                serve(events[i].data.fd);
        }
    }
}
