/*
 * Floor of the WebSocket broadcast: whatever a connection says is a message of 1 KiB, and a send of
 * the same framed bytes goes to each connection that is open.
 */
#include "ws.h"

enum { MESSAGE_BYTES = 1024, HEAD_BYTES = 4 };

static int conns[FLOOR_FDS_MAX];
static int conn_count;

static void broadcast(const char *frame)
{
    for (int i = 0; i < conn_count; i++) {
        if (send(conns[i], frame, HEAD_BYTES + MESSAGE_BYTES, MSG_NOSIGNAL) < 0)
            conns[i--] = conns[--conn_count]; /* its close has come, or comes */
    }
}

static void leave(int fd)
{
    for (int i = 0; i < conn_count; i++) {
        if (conns[i] == fd)
            conns[i--] = conns[--conn_count];
    }
    close(fd);
}

static void serve(int fd, char *frame)
{
    char in[4096];
    ssize_t received = recv(fd, in, sizeof(in), 0);

    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0) {
        leave(fd);
        return;
    }
    if (!ws_is_handshake(in, received)) {
        for (ssize_t i = 8; i < received && i < MESSAGE_BYTES + 8; i++)
            frame[HEAD_BYTES + i - 8] = (char)(in[i] ^ in[4 + (i & 3)]);
        broadcast(frame);
        return;
    }
    if (ws_answer(fd))
        conns[conn_count++] = fd;
    else
        close(fd);
}

int main(int argc, char **argv)
{
    static char frame[HEAD_BYTES + MESSAGE_BYTES] = {'\x82', 126, MESSAGE_BYTES >> 8, 0};
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
                serve(events[i].data.fd, frame);
        }
    }
}
