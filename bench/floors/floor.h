/*
 * What the floors share: the listener, the answer they send and the clock that dates it.
 *
 * A floor makes the system calls a workload cannot do without, parses nothing, and sends the same
 * bytes as pollux; it is what the kernel costs. So that the bytes stay the same when pollux
 * changes, the bench records an answer of pollux and hands it to the floor as a file; its Date is
 * then kept right here. Whatever goes wrong ends the program: a floor has no user to answer to.
 */
#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define FLOOR_EVENTS_MAX 512
#define FLOOR_FDS_MAX 65536
#define FLOOR_DATE_BYTES 29
#define FLOOR_ANSWER_BYTES_MAX (4u << 20)

struct floor_answer {
    char *bytes;        /* owned: the answer, `copies` times in a row */
    size_t length;      /* of one copy */
    size_t head_length; /* of its head, with the empty line */
    size_t date_at;     /* where the date begins in a copy; 0: there is none */
    size_t copies;
};

static inline void floor_fail(const char *what)
{
    perror(what);
    exit(1);
}

/* Writes the date of now into every copy. IMF-fixdate always has 29 bytes (RFC 9110, 5.6.7). */
static inline void floor_answer_date(struct floor_answer *answer)
{
    char date[FLOOR_DATE_BYTES + 1];
    time_t now = time(NULL);
    struct tm parts;

    if (answer->date_at == 0 || !gmtime_r(&now, &parts) ||
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts) != FLOOR_DATE_BYTES)
        return;
    for (size_t copy = 0; copy < answer->copies; copy++)
        memcpy(answer->bytes + copy * answer->length + answer->date_at, date, FLOOR_DATE_BYTES);
}

/* Without a file, what pollux says to `GET /`, or the same head over that many bytes of content. */
static inline size_t floor_answer_make(char *out, size_t room, size_t content_bytes)
{
    const char *hello = "Hello, world!";
    size_t content = content_bytes == 0 ? strlen(hello) : content_bytes;
    int head = snprintf(out, room,
                        "HTTP/1.1 200 OK\r\nServer: pollux\r\n"
                        "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                        "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n",
                        content);

    if (head < 0 || (size_t)head + content > room) {
        errno = EMSGSIZE;
        floor_fail("the answer");
    }
    for (size_t i = 0; i < content; i++)
        out[(size_t)head + i] = content_bytes == 0 ? hello[i] : (char)('a' + i % 26);
    return (size_t)head + content;
}

/* Loads argv[2] if it is there, finds the date and the end of the head, and makes the copies. */
static inline void floor_answer_init(struct floor_answer *answer, char **argv, size_t copies,
                                     size_t content_bytes)
{
    char *one = malloc(FLOOR_ANSWER_BYTES_MAX);

    if (!one)
        floor_fail("malloc");
    if (argv[1] && argv[2]) {
        FILE *file = fopen(argv[2], "rb");
        if (!file)
            floor_fail(argv[2]);
        answer->length = fread(one, 1, FLOOR_ANSWER_BYTES_MAX, file);
        fclose(file);
    } else {
        answer->length = floor_answer_make(one, FLOOR_ANSWER_BYTES_MAX, content_bytes);
    }

    char *end = memmem(one, answer->length, "\r\n\r\n", 4);
    if (!end) {
        errno = EBADMSG;
        floor_fail("the answer has no end of head");
    }
    answer->head_length = (size_t)(end + 4 - one);
    char *date = memmem(one, answer->head_length, "\r\nDate: ", 8);
    answer->date_at = date ? (size_t)(date + 8 - one) : 0;
    answer->copies = copies;
    answer->bytes = malloc(answer->length * copies);
    if (!answer->bytes)
        floor_fail("malloc");
    for (size_t copy = 0; copy < copies; copy++)
        memcpy(answer->bytes + copy * answer->length, one, answer->length);
    free(one);
    floor_answer_date(answer);
}

/* Listens on 127.0.0.1, port argv[1]. Accepted sockets inherit TCP_NODELAY. */
static inline int floor_listen(char **argv, int defer_seconds)
{
    long port = argv[1] ? strtol(argv[1], NULL, 10) : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (port <= 0 || port > 65535) {
        fprintf(stderr, "usage: %s PORT [FILE WITH THE ANSWER]\n", argv[0]);
        exit(64);
    }
    signal(SIGPIPE, SIG_IGN);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        floor_fail("bind");
    if (defer_seconds > 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_seconds, sizeof(defer_seconds)) != 0)
        floor_fail("TCP_DEFER_ACCEPT");
    if (listen(fd, 4096) != 0)
        floor_fail("listen");
    return fd;
}

static inline void floor_watch(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        floor_fail("epoll_ctl");
}

/* Ticks once a second, so that dating the answers costs no request anything. */
static inline int floor_timer(int epoll)
{
    struct itimerspec second = {{1, 0}, {1, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd < 0 || timerfd_settime(fd, 0, &second, NULL) != 0)
        floor_fail("timerfd");
    floor_watch(epoll, fd, EPOLLIN);
    return fd;
}

static inline void floor_tick(int timer, struct floor_answer *answer)
{
    uint64_t expired;

    if (read(timer, &expired, sizeof(expired)) == (ssize_t)sizeof(expired))
        floor_answer_date(answer);
}

/* One connection an event: the listener is level-triggered. Returns -1 when there is none. */
static inline int floor_accept(int epoll, int listener, uint32_t events)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= FLOOR_FDS_MAX) {
        close(fd);
        return -1;
    }
    if (fd >= 0)
        floor_watch(epoll, fd, events);
    return fd;
}

#endif
