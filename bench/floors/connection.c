/*
 * Floor of the connection-per-request workload: accept4, recv, send and close for each request.
 *
 * TCP_DEFER_ACCEPT hands over a connection together with its request, so that none ever enters
 * the epoll set; what comes without one (its second of grace is over) is closed.
 */
#include "floor.h"

#define ACCEPTS_PER_EVENT 64

static void serve(int fd, const struct floor_answer *answer)
{
    char request[4096];

    if (recv(fd, request, sizeof(request), 0) > 0)
        (void)!send(fd, answer->bytes, answer->length, MSG_NOSIGNAL);
    close(fd);
}

int main(int argc, char **argv)
{
    struct epoll_event events[2];
    struct floor_answer answer;
    int listener = floor_listen(argv, 1);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int timer = floor_timer(epoll);

    (void)argc;
    floor_answer_init(&answer, argv, 1, 0);
    floor_watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, 2, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == timer) {
                floor_tick(timer, &answer);
                continue;
            }
            for (int accepts = 0; accepts < ACCEPTS_PER_EVENT; accepts++) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                    break;
                serve(fd, &answer);
            }
        }
    }
}
