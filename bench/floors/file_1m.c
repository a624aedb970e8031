/*
 * Floor of the large file: recv, send of the head, then sendfile in turns of 48 KiB.
 *
 * Connections with something to send take turns, one sendfile each, so that no socket's buffer
 * grows until it falls out of the cache. A short sendfile means the socket is full: the connection
 * leaves the round until its edge says that there is room. Registered once, edge-triggered.
 */
#include "floor.h"

#define CONTENT_BYTES (1u << 20)
#define TURN_BYTES (48u << 10)

struct file_conn {
    off_t offset; /* how much of the content is out */
    int sending;  /* an answer is under way */
    int in_round; /* is on the list of those with a turn */
    int readable; /* something came that was not received yet */
};

struct file_floor {
    struct floor_answer answer;
    struct file_conn *conns; /* owned: indexed by descriptor */
    int *round;              /* owned: descriptors that have a turn */
    int round_count;
    int file; /* the content, from offset 0 */
    off_t file_bytes;
};

/* The content goes into a file without a name, so that it begins on a page. */
static void file_init(struct file_floor *floor)
{
    FILE *file = tmpfile();
    size_t bytes = floor->answer.length - floor->answer.head_length;

    if (!file || fwrite(floor->answer.bytes + floor->answer.head_length, 1, bytes, file) != bytes ||
        fflush(file) != 0)
        floor_fail("tmpfile");
    floor->file = fileno(file);
    floor->file_bytes = (off_t)bytes;
}

static void round_join(struct file_floor *floor, int fd)
{
    if (!floor->conns[fd].in_round) {
        floor->conns[fd].in_round = 1;
        floor->round[floor->round_count++] = fd;
    }
}

static void conn_receive(struct file_floor *floor, int fd)
{
    struct file_conn *conn = &floor->conns[fd];
    char request[4096];
    ssize_t received = recv(fd, request, sizeof(request), 0);

    conn->readable = 0;
    if (received < 0 && errno == EAGAIN)
        return;
    if (received <= 0 || send(fd, floor->answer.bytes, floor->answer.head_length,
                              MSG_NOSIGNAL | MSG_MORE) != (ssize_t)floor->answer.head_length) {
        close(fd);
        return;
    }
    conn->sending = 1;
    conn->offset = 0;
    round_join(floor, fd);
}

/* One sendfile. Returns whether the connection keeps its place in the round. */
static int conn_turn(struct file_floor *floor, int fd)
{
    struct file_conn *conn = &floor->conns[fd];
    size_t left = (size_t)(floor->file_bytes - conn->offset);
    size_t turn = left < TURN_BYTES ? left : TURN_BYTES;
    ssize_t sent = sendfile(fd, floor->file, &conn->offset, turn);

    if (sent < 0 && errno != EAGAIN) {
        *conn = (struct file_conn){0, 0, 0, 0};
        close(fd);
        return 0;
    }
    if (conn->offset == floor->file_bytes) {
        conn->sending = 0;
        return 0;
    }
    return sent == (ssize_t)turn;
}

static void round_run(struct file_floor *floor)
{
    int count = floor->round_count;

    floor->round_count = 0;
    for (int i = 0; i < count; i++) {
        int fd = floor->round[i];
        struct file_conn *conn = &floor->conns[fd];
        conn->in_round = 0;
        if (conn_turn(floor, fd))
            round_join(floor, fd);
        else if (!conn->sending && conn->readable)
            conn_receive(floor, fd);
    }
}

static void conn_event(struct file_floor *floor, int fd, uint32_t events)
{
    struct file_conn *conn = &floor->conns[fd];

    if (conn->sending) {
        conn->readable |= (events & (EPOLLIN | EPOLLHUP)) != 0;
        round_join(floor, fd);
    } else if (events & (EPOLLIN | EPOLLHUP)) {
        conn_receive(floor, fd);
    }
}

int main(int argc, char **argv)
{
    struct file_floor floor = {.conns = calloc(FLOOR_FDS_MAX, sizeof(struct file_conn)),
                               .round = calloc(FLOOR_FDS_MAX, sizeof(int))};
    struct epoll_event events[FLOOR_EVENTS_MAX];
    int listener = floor_listen(argv, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int timer = floor_timer(epoll);

    (void)argc;
    if (!floor.conns || !floor.round)
        floor_fail("calloc");
    floor_answer_init(&floor.answer, argv, 1, CONTENT_BYTES);
    file_init(&floor);
    floor_watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, FLOOR_EVENTS_MAX, floor.round_count > 0 ? 0 : -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) {
                int accepted = floor_accept(epoll, listener, EPOLLIN | EPOLLOUT | EPOLLET);
                if (accepted >= 0)
                    floor.conns[accepted] = (struct file_conn){0, 0, 0, 0};
            } else if (fd == timer) {
                floor_tick(timer, &floor.answer);
            } else {
                conn_event(&floor, fd, events[i].events);
            }
        }
        round_run(&floor);
    }
}
