/*
 * Floor of the small file: recv, then one send of head and 10 KiB of content from memory.
 *
 * What a send leaves over (the first ones of a connection may, while the kernel sizes its buffer)
 * is waited for on the spot, up to a second; a client that reads makes that rare.
 */
#include "floor.h"

#define CONTENT_BYTES 10240

static int send_all(int fd, const char *bytes, size_t length)
{
    for (;;) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent == (ssize_t)length)
            return 0;
        if (sent < 0 && errno != EAGAIN)
            return -1;
        if (sent > 0) {
            bytes += sent;
            length -= (size_t)sent;
        }
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (poll(&room, 1, 1000) != 1)
            return -1;
    }
}

static void serve(int fd, const struct floor_answer *answer)
{
    char request[4096];
    ssize_t received = recv(fd, request, sizeof(request), 0);

    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0 || send_all(fd, answer->bytes, answer->length) != 0)
        close(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[FLOOR_EVENTS_MAX];
    struct floor_answer answer;
    int listener = floor_listen(argv, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int timer = floor_timer(epoll);

    (void)argc;
    floor_answer_init(&answer, argv, 1, CONTENT_BYTES);
    floor_watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, FLOOR_EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                floor_accept(epoll, listener, EPOLLIN);
            else if (fd == timer)
                floor_tick(timer, &answer);
            else
                serve(fd, &answer);
        }
    }
}
