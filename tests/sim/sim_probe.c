/*
 * Questions to a kernel.  A case makes a connected pair (client, server), does something, and
 * prints what calls return and what an edge-triggered epoll set reports for the server's end.
 */
#include "sim_probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct probe {
    const char *unix_path;
    bool is_unix;
    int listener;
    int client;
    int server;
    int epoll;
    struct sockaddr_storage address;
    socklen_t address_bytes;
};

static void say(const char *what, long result)
{
    int sys_errno = errno;

    if (result < 0)
        printf("%s: %s\n", what, strerrorname_np(sys_errno));
    else
        printf("%s: %ld\n", what, result);
}

static void say_events(struct probe *probe, const char *what)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{EPOLLIN, "IN"},   {EPOLLOUT, "OUT"}, {EPOLLPRI, "PRI"},
                 {EPOLLERR, "ERR"}, {EPOLLHUP, "HUP"}, {EPOLLRDHUP, "RDHUP"}};
    struct epoll_event events[8];

    probe_settle();
    int count = epoll_wait(probe->epoll, events, 8, 0);

    printf("%s:", what);
    for (int index = 0; index < count; index++) {
        for (size_t name = 0; name < sizeof(names) / sizeof(names[0]); name++)
            if (events[index].events & names[name].bit)
                printf(" %s", names[name].name);
        if (index + 1 < count)
            printf(",");
    }
    puts(count == 0 ? " nothing" : "");
}

static int sock_new(const struct probe *probe)
{
    return socket(probe->is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                  0);
}

static void listener_open(struct probe *probe)
{
    memset(&probe->address, 0, sizeof(probe->address));
    if (probe->is_unix) {
        struct sockaddr_un *name = (void *)&probe->address;

        unlink(probe->unix_path);
        name->sun_family = AF_UNIX;
        snprintf(name->sun_path, sizeof(name->sun_path), "%s", probe->unix_path);
        probe->address_bytes = sizeof(*name);
    } else {
        struct sockaddr_in *name = (void *)&probe->address;

        name->sin_family = AF_INET;
        name->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        probe->address_bytes = sizeof(*name);
    }
    probe->listener = sock_new(probe);
    if (bind(probe->listener, (void *)&probe->address, probe->address_bytes) != 0 ||
        listen(probe->listener, 16) != 0)
        exit(2);
    getsockname(probe->listener, (void *)&probe->address, &probe->address_bytes);
}

static void watch_et(struct probe *probe, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET};

    event.data.fd = fd;
    if (epoll_ctl(probe->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        exit(2);
}

static void pair_open(struct probe *probe)
{
    listener_open(probe);
    probe->epoll = epoll_create1(EPOLL_CLOEXEC);
    probe->client = sock_new(probe);
    if (connect(probe->client, (void *)&probe->address, probe->address_bytes) != 0 &&
        errno != EINPROGRESS)
        exit(2);
    probe_settle();
    probe->server = accept4(probe->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (probe->server < 0)
        exit(2);
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void pair_close(struct probe *probe)
{
    close_one(&probe->client);
    close_one(&probe->server);
    close_one(&probe->listener);
    close_one(&probe->epoll);
}

static void say_recv(int fd, size_t bytes)
{
    char buf[4096];

    say("recv", recv(fd, buf, bytes, 0));
}

static void say_send(int fd, const char *text)
{
    say("send", send(fd, text, strlen(text), MSG_NOSIGNAL));
}

static void linger_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

/* --- Cases ------------------------------------------------------------------------------------ */

static void case_edges(struct probe *probe)
{
    watch_et(probe, probe->server);
    say_events(probe, "new");
    say_events(probe, "again");
    say_send(probe->client, "abc");
    say_events(probe, "after data");
    say_events(probe, "without reading");
    say_send(probe->client, "d");
    say_events(probe, "after more data");
    say_recv(probe->server, 2);
    say_events(probe, "after a part was read");
    say_recv(probe->server, 100);
    say_recv(probe->server, 100);
}

static void case_half_close(struct probe *probe)
{
    watch_et(probe, probe->server);
    say_events(probe, "new");
    say_send(probe->client, "abc");
    say("shutdown", shutdown(probe->client, SHUT_WR));
    say_events(probe, "data and end");
    say_recv(probe->server, 100);
    say_events(probe, "after the data");
    say_recv(probe->server, 100);
    say_recv(probe->server, 100);
    say_send(probe->server, "still");
    probe_settle();
    say_recv(probe->client, 100);
    say("shutdown", shutdown(probe->server, SHUT_WR));
    say_events(probe, "both ended");
    say_recv(probe->client, 100);
}

static void case_close(struct probe *probe)
{
    watch_et(probe, probe->server);
    say_events(probe, "new");
    say_send(probe->client, "abc");
    close_one(&probe->client);
    say_events(probe, "data and close");
    say_recv(probe->server, 100);
    say_recv(probe->server, 100);
    say_send(probe->server, "one");
    say_events(probe, "after a send to nobody");
    say_send(probe->server, "two");
    say_recv(probe->server, 100);
    say_recv(probe->server, 100);
    say("shutdown", shutdown(probe->server, SHUT_WR));
}

static void case_reset_after_data(struct probe *probe)
{
    watch_et(probe, probe->server);
    say_events(probe, "new");
    say_send(probe->client, "abc");
    probe_settle();
    linger_reset(probe->client);
    close_one(&probe->client);
    say_events(probe, "data and reset");
    say_recv(probe->server, 100);
    say_recv(probe->server, 100);
    say_recv(probe->server, 100);
    say_send(probe->server, "x");
    say_events(probe, "at the end");
}

static void case_reset_then_send(struct probe *probe)
{
    watch_et(probe, probe->server);
    say_events(probe, "new");
    linger_reset(probe->client);
    close_one(&probe->client);
    say_events(probe, "reset");
    say_send(probe->server, "x");
    say_send(probe->server, "y");
    say_recv(probe->server, 100);
    say_events(probe, "at the end");
}

static void case_reset_after_fin(struct probe *probe)
{
    watch_et(probe, probe->server);
    say_events(probe, "new");
    shutdown(probe->client, SHUT_WR);
    say_events(probe, "end");
    linger_reset(probe->client);
    close_one(&probe->client);
    say_events(probe, "reset");
    say_recv(probe->server, 100);
    say_send(probe->server, "x");
    say_recv(probe->server, 100);
}

static void case_socket_error(struct probe *probe)
{
    int number = -1;
    socklen_t bytes = sizeof(number);

    linger_reset(probe->client);
    close_one(&probe->client);
    probe_settle();
    watch_et(probe, probe->server);
    say_events(probe, "added after the reset");
    say("getsockopt", getsockopt(probe->server, SOL_SOCKET, SO_ERROR, &number, &bytes));
    say("error", number);
    getsockopt(probe->server, SOL_SOCKET, SO_ERROR, &number, &bytes);
    say("error again", number);
    say_recv(probe->server, 100);
    say_send(probe->server, "x");
}

static void case_unread_close(struct probe *probe)
{
    watch_et(probe, probe->client);
    say_events(probe, "client");
    say_send(probe->client, "abc");
    say_send(probe->server, "answer");
    say_events(probe, "client");
    close_one(&probe->server);
    say_events(probe, "closed with bytes unread");
    say_recv(probe->client, 100);
    say_recv(probe->client, 100);
    say_recv(probe->client, 100);
}

static void case_own_shutdown(struct probe *probe)
{
    watch_et(probe, probe->server);
    say_events(probe, "new");
    say("shutdown", shutdown(probe->server, SHUT_WR));
    say_events(probe, "own shutdown");
    say_send(probe->server, "x");
    say_send(probe->client, "late");
    say_events(probe, "data after it");
    say_recv(probe->server, 100);
    close_one(&probe->client);
    say_events(probe, "closed");
    say_recv(probe->server, 100);
}

static void case_level(struct probe *probe)
{
    struct epoll_event event = {.events = EPOLLIN};

    epoll_ctl(probe->epoll, EPOLL_CTL_ADD, probe->server, &event);
    say_events(probe, "new");
    say_send(probe->client, "abc");
    say_events(probe, "data");
    say_events(probe, "still");
    say_recv(probe->server, 100);
    say_events(probe, "read");
    event.events = EPOLLIN | EPOLLOUT;
    say("mod", epoll_ctl(probe->epoll, EPOLL_CTL_MOD, probe->server, &event));
    say_events(probe, "writable");
    say("add", epoll_ctl(probe->epoll, EPOLL_CTL_ADD, probe->server, &event));
    say("del", epoll_ctl(probe->epoll, EPOLL_CTL_DEL, probe->server, NULL));
    say("del", epoll_ctl(probe->epoll, EPOLL_CTL_DEL, probe->server, NULL));
    say_events(probe, "deleted");
}

static void case_duplicate(struct probe *probe)
{
    watch_et(probe, probe->server);
    say_events(probe, "new");
    int copy = dup(probe->server);

    close_one(&probe->server);
    say_send(probe->client, "abc");
    say_events(probe, "a closed number whose file lives on");
    close_one(&copy);
    say_send(probe->client, "abc");
    say_events(probe, "the file is closed");
}

static void case_duplicate_shut(struct probe *probe)
{
    int copy = dup(probe->server);

    say("shutdown", shutdown(probe->server, SHUT_RDWR));
    close_one(&probe->server);
    probe_settle();
    say_recv(probe->client, 100);
    close_one(&copy);
}

static void case_full(struct probe *probe)
{
    static char block[65536];
    long sent = 0;
    ssize_t count;

    watch_et(probe, probe->server);
    say_events(probe, "new");
    for (int turn = 0; turn < 4096; turn++) {
        count = send(probe->server, block, sizeof(block), MSG_NOSIGNAL);
        if (count < 0)
            break;
        sent += count;
        probe_settle();
        (void)sent;
    }
    say("full", count);
    while (epoll_wait(probe->epoll, &(struct epoll_event){0}, 1, 0) > 0)
        continue;
    say_events(probe, "full");
    for (int turn = 0; turn < 100000; turn++) {
        count = recv(probe->client, block, sizeof(block), 0);
        if (count <= 0)
            break;
        sent -= count;
        if (turn % 16 == 0)
            probe_settle();
    }
    say_events(probe, "room");
    say_send(probe->server, "x");
    say_events(probe, "room is told once");
}

static void case_urgent(struct probe *probe, bool in_line)
{
    int on = in_line;

    setsockopt(probe->server, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    watch_et(probe, probe->server);
    say_events(probe, "new");
    say_send(probe->client, "abc");
    say_events(probe, "data");
    say("send urgent", send(probe->client, "U", 1, MSG_OOB));
    say_events(probe, "urgent");
    say_send(probe->client, "def");
    say_events(probe, "data");
    say_recv(probe->server, 100);
    say_events(probe, "after a receive that stopped at the mark");
    say_recv(probe->server, 100);
    say_recv(probe->server, 100);
}

static void case_urgent_in_line(struct probe *probe)
{
    case_urgent(probe, true);
}

static void case_urgent_apart(struct probe *probe)
{
    case_urgent(probe, false);
}

static void case_peek_and_drop(struct probe *probe)
{
    char buf[8];

    say_send(probe->client, "abcdef");
    probe_settle();
    say("peek", recv(probe->server, buf, 4, MSG_PEEK));
    if (!probe->is_unix)
        say("drop", recv(probe->server, NULL, 4, MSG_TRUNC));
    say_recv(probe->server, 100);
    say("nothing asked", recv(probe->server, buf, 0, 0));
}

static void case_connect(struct probe *probe)
{
    int fd = sock_new(probe);
    int number = -1;
    socklen_t bytes = sizeof(number);

    watch_et(probe, fd);
    say_events(probe, "fresh");
    say_send(fd, "x");
    say("connect", connect(fd, (void *)&probe->address, probe->address_bytes));
    say_events(probe, "connected");
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &bytes);
    say("error", number);
    close(fd);
    close_one(&probe->listener);
    fd = sock_new(probe);
    say("connect", connect(fd, (void *)&probe->address, probe->address_bytes));
    if (!probe->is_unix) {
        watch_et(probe, fd);
        say_events(probe, "refused");
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &bytes);
        say("error", number);
    }
    close(fd);
}

static void case_listener_close(struct probe *probe)
{
    int fd = sock_new(probe);

    say("connect", connect(fd, (void *)&probe->address, probe->address_bytes));
    probe_settle();
    close_one(&probe->listener);
    probe_settle();
    say_recv(fd, 100);
    close(fd);
}

static void case_listener_events(struct probe *probe)
{
    struct epoll_event event = {.events = EPOLLIN};
    int fds[2];

    epoll_ctl(probe->epoll, EPOLL_CTL_ADD, probe->listener, &event);
    say_events(probe, "idle");
    for (int index = 0; index < 2; index++) {
        fds[index] = sock_new(probe);
        say("connect", connect(fds[index], (void *)&probe->address, probe->address_bytes));
    }
    say_events(probe, "two wait");
    close(accept4(probe->listener, NULL, NULL, SOCK_NONBLOCK));
    say_events(probe, "one waits");
    close(fds[0]);
    close(fds[1]);
    int last = accept4(probe->listener, NULL, NULL, SOCK_NONBLOCK);

    probe_settle();
    say_recv(last, 100);
    close(last);
    say_events(probe, "none waits");
    say("accept", accept4(probe->listener, NULL, NULL, SOCK_NONBLOCK));
}

static void case_address_in_use(struct probe *probe)
{
    int fd = sock_new(probe);
    int on = 1;

    if (!probe->is_unix)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("bind", bind(fd, (void *)&probe->address, probe->address_bytes));
    say("listen", listen(probe->listener, 4));
    close(fd);
    fd = sock_new(probe);
    if (!probe->is_unix) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
        say("bind to share", bind(fd, (void *)&probe->address, probe->address_bytes));
        setsockopt(probe->listener, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
        say("shared too late", bind(fd, (void *)&probe->address, probe->address_bytes));
    }
    close(fd);
}

/* The first is bound without SO_REUSEPORT, then sets it, then listens. */
static void case_reuse_port(struct probe *probe)
{
    int first = sock_new(probe), second = sock_new(probe);
    int on = 1;

    ((struct sockaddr_in *)&probe->address)->sin_port = 0;
    setsockopt(first, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("bind", bind(first, (void *)&probe->address, probe->address_bytes));
    getsockname(first, (void *)&probe->address, &probe->address_bytes);
    setsockopt(first, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    say("listen", listen(first, 4));
    setsockopt(second, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    say("bind", bind(second, (void *)&probe->address, probe->address_bytes));
    say("listen", listen(second, 4));
    close(second);
    second = sock_new(probe);
    setsockopt(second, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    say("bind without", bind(second, (void *)&probe->address, probe->address_bytes));
    close(first);
    close(second);
}

static void case_deferred(struct probe *probe)
{
    int seconds = 30;
    int fd = sock_new(probe);

    if (!probe->is_unix)
        setsockopt(probe->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    say("connect", connect(fd, (void *)&probe->address, probe->address_bytes));
    probe_settle();
    close_one(&probe->server);
    probe->server = accept4(probe->listener, NULL, NULL, SOCK_NONBLOCK);
    say("accept without data", probe->server >= 0 ? 0 : -1);
    say_send(fd, "abc");
    probe_settle();
    close_one(&probe->server);
    probe->server = accept4(probe->listener, NULL, NULL, SOCK_NONBLOCK);
    say("accept with data", probe->server >= 0 ? 0 : -1);
    close(fd);
}

static void case_deferred_fin(struct probe *probe)
{
    int seconds = 30;
    int fd = sock_new(probe);

    if (!probe->is_unix)
        setsockopt(probe->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds));
    connect(fd, (void *)&probe->address, probe->address_bytes);
    probe_settle();
    shutdown(fd, SHUT_WR);
    probe_settle();
    close_one(&probe->server);
    probe->server = accept4(probe->listener, NULL, NULL, SOCK_NONBLOCK);
    say("accept at the end of the data", probe->server >= 0 ? 0 : -1);
    if (probe->server >= 0)
        say_recv(probe->server, 100);
    close(fd);
}

static void case_accepted_inherits(struct probe *probe)
{
    int on = 1;
    int number = 0;
    socklen_t bytes = sizeof(number);
    int fd = sock_new(probe);

    setsockopt(probe->listener, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
    setsockopt(probe->listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connect(fd, (void *)&probe->address, probe->address_bytes);
    probe_settle();
    close_one(&probe->server);
    probe->server = accept4(probe->listener, NULL, NULL, SOCK_NONBLOCK);
    getsockopt(probe->server, IPPROTO_TCP, TCP_NODELAY, &number, &bytes);
    say("no delay", number);
    getsockopt(probe->server, SOL_SOCKET, SO_OOBINLINE, &number, &bytes);
    say("urgent in line", number);
    close(fd);
}

enum { FOR_TCP = 1, FOR_UNIX = 2, FOR_BOTH = 3 };

static const struct {
    const char *name;
    void (*run)(struct probe *probe);
    int kinds;
} cases[] = {
    {"edges", case_edges, FOR_BOTH},
    {"half-close", case_half_close, FOR_BOTH},
    {"close", case_close, FOR_BOTH},
    {"reset after data", case_reset_after_data, FOR_TCP},
    {"reset, then send", case_reset_then_send, FOR_TCP},
    {"reset after the end", case_reset_after_fin, FOR_TCP},
    {"socket error", case_socket_error, FOR_TCP},
    {"close with bytes unread", case_unread_close, FOR_BOTH},
    {"own shutdown", case_own_shutdown, FOR_BOTH},
    {"level-triggered", case_level, FOR_BOTH},
    {"duplicate", case_duplicate, FOR_BOTH},
    {"duplicate shut down", case_duplicate_shut, FOR_BOTH},
    {"full", case_full, FOR_BOTH},
    {"urgent in line", case_urgent_in_line, FOR_TCP},
    {"urgent apart", case_urgent_apart, FOR_TCP},
    {"peek and drop", case_peek_and_drop, FOR_BOTH},
    {"connect", case_connect, FOR_BOTH},
    {"listener closed", case_listener_close, FOR_BOTH},
    {"listener events", case_listener_events, FOR_BOTH},
    {"address in use", case_address_in_use, FOR_BOTH},
    {"reuse port", case_reuse_port, FOR_TCP},
    {"deferred accept", case_deferred, FOR_BOTH},
    {"deferred accept, end", case_deferred_fin, FOR_BOTH},
    {"inherited", case_accepted_inherits, FOR_TCP},
};

void probe_run(const char *unix_path)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        for (int kind = FOR_TCP; kind <= FOR_UNIX; kind++) {
            struct probe probe = {.unix_path = unix_path, .is_unix = kind == FOR_UNIX};

            if (!(cases[index].kinds & kind))
                continue;
            printf("== %s, %s\n", cases[index].name, probe.is_unix ? "unix" : "tcp");
            pair_open(&probe);
            cases[index].run(&probe);
            pair_close(&probe);
        }
    }
    unlink(unix_path);
}
