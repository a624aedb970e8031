/*
 * Floor of the keep-alive workload: recv and send for each request, epoll_wait shared by the
 * connections that is ready, level-triggered, every connection registered once. One recv is taken
 * to be one request, which holds for a client that waits for its answer.
 */
#include "floor.h"

static void serve(int fd, const struct floor_answer *answer)
{
    char request[4096];
    ssize_t received = recv(fd, request, sizeof(request), 0);

    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0 ||
        send(fd, answer->bytes, answer->length, MSG_NOSIGNAL) != (ssize_t)answer->length)
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
    floor_answer_init(&answer, argv, 1, 0);
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
