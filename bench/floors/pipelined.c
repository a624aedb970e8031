/*
 * Floor of the pipelined workload: one recv and one send for all the requests that came together.
 *
 * The first request of a connection is looked at for its length; from then on the number of
 * answers is the number of bytes over that length, and they leave from a row of ready copies. So
 * the floor copies nothing and looks at nothing: a client must repeat one request.
 */
#include "floor.h"

#define REQUEST_BYTES_MIN 18 /* "GET / HTTP/1.0", CRLF CRLF */
#define RECEIVE_BYTES 8192
#define COPIES (RECEIVE_BYTES / REQUEST_BYTES_MIN + 1)

struct pipe_conn {
    uint32_t request_bytes; /* 0: nothing came yet */
    uint32_t rest_bytes;    /* of a request that is not whole */
};

/* Returns the number of requests that are whole now. */
static uint32_t count_requests(struct pipe_conn *conn, const char *received, uint32_t bytes)
{
    if (conn->request_bytes == 0) {
        const char *end = memmem(received, bytes, "\r\n\r\n", 4);
        conn->request_bytes = end ? (uint32_t)(end + 4 - received) : RECEIVE_BYTES;
    }
    bytes += conn->rest_bytes;
    uint32_t count = bytes / conn->request_bytes;
    conn->rest_bytes = bytes - count * conn->request_bytes;
    return count;
}

static void serve(int fd, struct pipe_conn *conn, const struct floor_answer *answer)
{
    char received[RECEIVE_BYTES];
    ssize_t bytes = recv(fd, received, sizeof(received), 0);

    if (bytes < 0 && errno == EAGAIN)
        return;
    if (bytes <= 0) {
        close(fd);
        return;
    }
    size_t length = count_requests(conn, received, (uint32_t)bytes) * answer->length;
    if (length > 0 && send(fd, answer->bytes, length, MSG_NOSIGNAL) != (ssize_t)length)
        close(fd);
}

int main(int argc, char **argv)
{
    struct pipe_conn *conns = calloc(FLOOR_FDS_MAX, sizeof(*conns));
    struct epoll_event events[FLOOR_EVENTS_MAX];
    struct floor_answer answer;
    int listener = floor_listen(argv, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int timer = floor_timer(epoll);

    (void)argc;
    if (!conns)
        floor_fail("calloc");
    floor_answer_init(&answer, argv, COPIES, 0);
    floor_watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, FLOOR_EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int accepted = floor_accept(epoll, listener, EPOLLIN);
                if (accepted >= 0)
                    conns[accepted] = (struct pipe_conn){0, 0};
            } else if (fd == timer) {
                floor_tick(timer, &answer);
            } else {
                serve(fd, &conns[fd], &answer);
            }
        }
    }
}
