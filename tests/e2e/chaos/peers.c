/*
 * Many peers that are no good ones, for the chaos suite.
 *
 *   peers --to ADDR --count N --kind KIND [--path PATH] [--every-ms MS]
 *
 *   idle        one request each, answered; then silence
 *   mute        nothing at all
 *   head        a head that never ends, a byte at a time
 *   post        content that never ends, a byte at a time
 *   read        a large answer, read a few bytes at a time
 *
 * Says "ready N" when all that could be are connected and have begun; on SIGTERM a JSON object of
 * what became of them.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "endpoint.h"

enum { EVENTS = 512, CONNECTING_MAX = 256, SMALL_BUFFER_BYTES = 2304, STATUS_COUNT = 600 };

enum peer_state { WAITING, CONNECTING, BEGUN, ENDED };

struct peer {
    int fd;
    uint8_t state; /* enum peer_state */
    uint16_t status;
};

struct kind {
    const char *name;
    const char *method; /* of what is sent at first; NULL: nothing */
    const char *rest;   /* behind the path */
    const char *more;   /* what is sent again and again, or NULL */
    bool reads;         /* takes what comes at once; else a little at a time, or never */
    int read_bytes;     /* of the answer at a time */
};

static const struct kind kinds[] = {
    {"idle", "GET", " HTTP/1.1\r\nHost: a\r\n\r\n", NULL, true, 0},
    {"mute", NULL, NULL, NULL, true, 0},
    {"head", "GET", " HTTP/1.1\r\nHost: a\r\nX-Slow: ", "a", true, 0},
    {"post", "POST", " HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", "a", true, 0},
    {"read", "GET", " HTTP/1.1\r\nHost: a\r\n\r\n", NULL, false, 16},
};

struct crowd {
    struct endpoint to;
    const struct kind *kind;
    char request[512];
    uint32_t count;
    uint32_t begun; /* have sent what they begin with; of `idle`, have their answer */
    uint32_t connecting;
    uint32_t refused;
    uint32_t closed;
    uint32_t reset;
    uint32_t statuses[STATUS_COUNT];
    int epoll_fd;
    struct peer *peers;
};

static void peer_end(struct crowd *crowd, struct peer *peer, uint32_t *counter)
{
    if (peer->state == CONNECTING)
        crowd->connecting--;
    if (peer->state == CONNECTING || (crowd->kind == &kinds[0] && peer->status == 0))
        crowd->begun++; /* it will not, and nobody shall wait for it */
    peer->state = ENDED;
    ++*counter;
    close(peer->fd);
    peer->fd = -1;
}

static void peer_connect(struct crowd *crowd, struct peer *peer)
{
    peer->fd = endpoint_connect(&crowd->to, crowd->kind->reads ? 0 : SMALL_BUFFER_BYTES);
    peer->state = CONNECTING;
    crowd->connecting++;
    if (peer->fd < 0) {
        peer->fd = dup(STDERR_FILENO); /* for peer_end to close */
        peer_end(crowd, peer, &crowd->refused);
        return;
    }
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u32 = (uint32_t)(peer - crowd->peers)};

    if (epoll_ctl(crowd->epoll_fd, EPOLL_CTL_ADD, peer->fd, &event) != 0)
        err(71, "epoll_ctl");
}

/* Reads what there is, or a little. */
static void peer_read(struct crowd *crowd, struct peer *peer, size_t bytes)
{
    char buffer[16384];

    for (;;) {
        ssize_t count = recv(peer->fd, buffer, bytes ? bytes : sizeof(buffer), 0);

        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0) {
            peer_end(crowd, peer, count == 0 ? &crowd->closed : &crowd->reset);
            return;
        }
        if (peer->status == 0 && count >= 12 && memcmp(buffer, "HTTP/1.1 ", 9) == 0) {
            peer->status = (uint16_t)strtoul(buffer + 9, NULL, 10);
            if (peer->status < STATUS_COUNT)
                crowd->statuses[peer->status]++;
            crowd->begun += crowd->kind == &kinds[0];
        }
        if (bytes)
            return;
    }
}

static void on_event(struct crowd *crowd, struct peer *peer, uint32_t events)
{
    if (peer->fd < 0)
        return;
    if (peer->state == CONNECTING) {
        if (endpoint_result(peer->fd) != 0) {
            peer_end(crowd, peer, &crowd->refused);
            return;
        }
        if (!(events & EPOLLOUT))
            return;
        crowd->connecting--;
        peer->state = BEGUN;
        crowd->begun += crowd->kind != &kinds[0];
        if (crowd->request[0] && send(peer->fd, crowd->request, strlen(crowd->request), 0) < 0 &&
            errno != EAGAIN) {
            peer_end(crowd, peer, &crowd->reset);
            return;
        }
    }
    if (crowd->kind->reads)
        peer_read(crowd, peer, 0);
    else if (events & (EPOLLHUP | EPOLLERR))
        peer_end(crowd, peer, &crowd->reset);
}

/* Everybody does a little more. */
static void go_on(struct crowd *crowd)
{
    for (uint32_t index = 0; index < crowd->count; index++) {
        struct peer *peer = &crowd->peers[index];

        if (peer->state != BEGUN)
            continue;
        if (crowd->kind->more && send(peer->fd, crowd->kind->more, 1, MSG_NOSIGNAL) < 0 &&
            errno != EAGAIN)
            peer_end(crowd, peer, &crowd->reset);
        else if (crowd->kind->read_bytes)
            peer_read(crowd, peer, (size_t)crowd->kind->read_bytes);
    }
}

static void run(struct crowd *crowd, uint64_t every_us)
{
    struct epoll_event events[EVENTS];
    uint64_t next_us = clock_us() + every_us;
    uint32_t next = 0;
    bool said = false;

    while (!stopping()) {
        for (; next < crowd->count && crowd->connecting < CONNECTING_MAX; next++)
            peer_connect(crowd, &crowd->peers[next]);
        int count = epoll_wait(crowd->epoll_fd, events, EVENTS, next < crowd->count ? 1 : 20);

        for (int index = 0; index < count; index++)
            on_event(crowd, &crowd->peers[events[index].data.u32], events[index].events);
        if (!said && crowd->begun >= crowd->count) {
            said = true;
            printf("ready %u\n", crowd->count - crowd->refused - crowd->closed - crowd->reset);
            fflush(stdout);
        }
        if (clock_us() >= next_us) {
            go_on(crowd);
            next_us = clock_us() + every_us;
        }
    }
}

static void report(const struct crowd *crowd)
{
    const char *comma = "";

    printf("{\"peers\": %u, \"open\": %u, \"refused\": %u, \"closed\": %u, \"reset\": %u, "
           "\"statuses\": {",
           crowd->count, crowd->count - crowd->refused - crowd->closed - crowd->reset,
           crowd->refused, crowd->closed, crowd->reset);
    for (int status = 0; status < STATUS_COUNT; status++) {
        if (crowd->statuses[status] == 0)
            continue;
        printf("%s\"%d\": %u", comma, status, crowd->statuses[status]);
        comma = ", ";
    }
    printf("}}\n");
}

static const struct kind *kind_of(const char *name)
{
    for (size_t index = 0; name && index < sizeof(kinds) / sizeof(kinds[0]); index++) {
        if (strcmp(kinds[index].name, name) == 0)
            return &kinds[index];
    }
    errx(64, "--kind is one of idle, mute, head, post, read");
}

int main(int argc, char **argv)
{
    struct crowd crowd = {.count = 0};
    const char *to = NULL, *path = "/", *kind = NULL;
    uint64_t every_ms = 1000;

    for (int at = 1; at < argc; at += 2) {
        const char *flag = argv[at], *value = at + 1 < argc ? argv[at + 1] : NULL;

        if (strcmp(flag, "--to") == 0 && value)
            to = value;
        else if (strcmp(flag, "--kind") == 0)
            kind = value;
        else if (strcmp(flag, "--path") == 0 && value)
            path = value;
        else if (strcmp(flag, "--count") == 0)
            crowd.count = (uint32_t)number_of(flag, value);
        else if (strcmp(flag, "--every-ms") == 0)
            every_ms = number_of(flag, value);
        else
            errx(64, "%s is no flag of this program", flag);
    }
    crowd.kind = kind_of(kind);
    if (!to || crowd.count == 0)
        errx(64, "--to ADDR and --count N are needed");
    endpoint_parse(&crowd.to, to);
    if (crowd.kind->method)
        snprintf(crowd.request, sizeof(crowd.request), "%s %s%s", crowd.kind->method, path,
                 crowd.kind->rest);
    raise_limit();
    stop_by_signal();
    crowd.peers = calloc(crowd.count, sizeof(crowd.peers[0]));
    crowd.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!crowd.peers || crowd.epoll_fd < 0)
        err(71, "setting up");
    for (uint32_t index = 0; index < crowd.count; index++)
        crowd.peers[index].fd = -1;
    run(&crowd, every_ms * 1000);
    report(&crowd);
    free(crowd.peers);
    return 0;
}
