/*
 * The test's side of a loop: bounded ticks, and sockets that are not pollux's.
 */
#include "unit/io/pump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/test.h"

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t pump_now_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

uint64_t pump_cpu_ms(void)
{
    return clock_ms(CLOCK_THREAD_CPUTIME_ID);
}

void pump_once(px_loop *loop, int wait_ms)
{
    struct pollfd poller = {.fd = px_loop_fd(loop), .events = POLLIN};
    int timeout_ms = px_loop_timeout_ms(loop);
    px_error error;

    if (timeout_ms < 0 || timeout_ms > wait_ms)
        timeout_ms = wait_ms;
    poll(&poller, 1, timeout_ms);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
}

void pump_quietly(px_loop *loop, int duration_ms)
{
    uint64_t end = pump_now_ms() + (uint64_t)duration_ms;

    do
        pump_once(loop, 5);
    while (pump_now_ms() < end);
}

void pump_fail(const char *condition, const char *file, int line)
{
    print_error("in %d ms it did not come to: %s\n", PUMP_LIMIT_MS, condition);
    _fail(file, line);
}

static void pair_tcp(int family, int out_fds[2])
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_storage address;
    socklen_t bytes = family == AF_INET6 ? sizeof(v6) : sizeof(v4);
    const int on = 1;

    memset(&address, 0, sizeof(address));
    memcpy(&address, family == AF_INET6 ? (void *)&v6 : (void *)&v4, bytes);
    int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &bytes), 0);
    out_fds[1] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(out_fds[1], (struct sockaddr *)&address, bytes), 0);
    out_fds[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(out_fds[0] >= 0);
    setsockopt(out_fds[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(out_fds[1], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    close(listener);
}

void pair_open(enum pair_kind kind, int out_fds[2])
{
    switch (kind) {
    case PAIR_UNIX:
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, out_fds), 0);
        assert_int_equal(fcntl(out_fds[0], F_SETFL, O_NONBLOCK), 0);
        break;
    case PAIR_TCP4:
        pair_tcp(AF_INET, out_fds);
        break;
    case PAIR_TCP6:
        pair_tcp(AF_INET6, out_fds);
        break;
    case PAIR_KIND_COUNT:
        break;
    }
}

void pair_shrink(int fd)
{
    const int bytes = 4096;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
}

void peer_send(int fd, px_str bytes)
{
    struct timeval limit = {.tv_sec = PUMP_LIMIT_MS / 1000};

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    for (size_t at = 0; at < bytes.len;) {
        ssize_t count = send(fd, bytes.ptr + at, bytes.len - at, MSG_NOSIGNAL);

        if (count < 0)
            fail_msg("the peer cannot send: %s", strerror(errno));
        at += (size_t)count;
    }
}

long peer_recv(int fd, char *out, size_t room, int wait_ms)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    if (poll(&poller, 1, wait_ms) == 0)
        return -1;
    ssize_t count = recv(fd, out, room, 0);

    return count < 0 ? -2 : count;
}

void peer_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

int peer_connect(const char *address)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    struct sockaddr *target = (struct sockaddr *)&v4;
    socklen_t bytes = sizeof(v4);
    const int on = 1;

    if (strncmp(address, "unix:", 5) == 0) {
        snprintf(local.sun_path, sizeof(local.sun_path), "%s", address + 5);
        target = (struct sockaddr *)&local;
        bytes = sizeof(local);
    } else {
        char host[64];
        const char *colon = strrchr(address, ':');
        bool brackets = address[0] == '[';

        assert_non_null(colon);
        snprintf(host, sizeof(host), "%.*s", (int)(colon - address) - 2 * brackets,
                 address + brackets);
        v4.sin_port = v6.sin6_port = htons((uint16_t)strtol(colon + 1, NULL, 10));
        if (brackets) {
            assert_int_equal(inet_pton(AF_INET6, host, &v6.sin6_addr), 1);
            target = (struct sockaddr *)&v6;
            bytes = sizeof(v6);
        } else {
            assert_int_equal(inet_pton(AF_INET, host, &v4.sin_addr), 1);
        }
    }
    int fd = socket(target->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (connect(fd, target, bytes) != 0)
        fail_msg("cannot connect to %s: %s", address, strerror(errno));
    if (target->sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

unsigned char file_byte(uint64_t offset)
{
    return (unsigned char)(offset * 7 + offset / 251 + (offset >> 16));
}

int file_make(size_t bytes)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    char *text = malloc(bytes ? bytes : 1);

    assert_true(fd >= 0);
    assert_non_null(text);
    for (size_t at = 0; at < bytes; at++)
        text[at] = (char)file_byte(at);
    assert_int_equal(write(fd, text, bytes), (long)bytes);
    free(text);
    return fd;
}
