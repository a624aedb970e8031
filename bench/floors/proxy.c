/*
 * Floor of the proxy: for each request recv, send to the server, recv, send to the client, nothing
 * read of what passes.  Each client has a connection to the server of its own, made when it is
 * accepted; what one recv took is sent in one send, and for what does not fit poll waits.
 */
#include "floor.h"

enum { PIECE_BYTES = 32 * 1024 };

static int other[FLOOR_FDS_MAX]; /* the other side of each descriptor */

static int server_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || fd >= FLOOR_FDS_MAX ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0)
        floor_fail("connect");
    return fd;
}

static void pass(int fd)
{
    static char piece[PIECE_BYTES];
    ssize_t count = recv(fd, piece, sizeof(piece), MSG_DONTWAIT), sent = 0;

    if (count < 0 && errno == EAGAIN)
        return;
    while (count > 0 && sent < count) {
        ssize_t more =
            send(other[fd], piece + sent, (size_t)(count - sent), MSG_NOSIGNAL | MSG_DONTWAIT);
        struct pollfd full = {.fd = other[fd], .events = POLLOUT};

        if (more < 0 && errno == EAGAIN)
            poll(&full, 1, 1000);
        else if (more < 0)
            count = 0;
        else
            sent += more;
    }
    if (count > 0)
        return;
    close(other[fd]);
    close(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[FLOOR_EVENTS_MAX];
    int listener = floor_listen(argv, 0), epoll = epoll_create1(EPOLL_CLOEXEC);
    int port = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 0;

    floor_watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, FLOOR_EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                pass(fd);
                continue;
            }
            int client = floor_accept(epoll, listener, EPOLLIN);
            if (client < 0)
                continue;
            other[client] = server_connect(port);
            other[other[client]] = client;
            floor_watch(epoll, other[client], EPOLLIN);
        }
    }
}
