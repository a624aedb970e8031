/*
 * Load for the WebSocket workloads: connections that are opened first, and then
 *
 *   echo       each sends 64 bytes, and 64 more when they have come back
 *   broadcast  one of them sends 1 KiB, and again when all have got it
 *
 *     ws_load PORT SECONDS CONNECTIONS echo|broadcast TARGET
 *
 * prints `ready` when all are open, begins when it reads a byte, and prints `requests N errors N
 * seconds S`: messages that have come.  It ends with its stdin.  What comes is compared with what
 * has to come; an alarm ends a program that hangs.
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FDS_MAX 65536
#define EVENTS_MAX 512
#define MESSAGE_MAX 1024
#define HEAD_MAX 8
#define GRACE_SECONDS 30

struct load {
    struct sockaddr_in address;
    char frame[HEAD_MAX + MESSAGE_MAX]; /* that is sent */
    size_t frame_bytes;
    char answer[HEAD_MAX + MESSAGE_MAX]; /* that has to come */
    size_t answer_bytes;
    uint32_t got[FDS_MAX]; /* of the answer at hand, by descriptor */
    int epoll;
    int is_broadcast;
    uint64_t messages;
    uint64_t errors;
};

static double clock_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void frames_make(struct load *load, size_t count)
{
    static const char key[4] = {0x37, (char)0xfa, 0x21, 0x3d};
    size_t head = count < 126 ? 2 : 4;

    load->frame[0] = load->answer[0] = (char)0x82;
    load->frame[1] = (char)(0x80 | (count < 126 ? count : 126));
    load->answer[1] = (char)(count < 126 ? count : 126);
    if (head == 4) {
        load->frame[2] = load->answer[2] = (char)(count >> 8);
        load->frame[3] = load->answer[3] = (char)count;
    }
    memcpy(load->frame + head, key, sizeof(key));
    for (size_t i = 0; i < count; i++) {
        load->answer[head + i] = (char)('a' + i % 26);
        load->frame[head + 4 + i] = (char)(load->answer[head + i] ^ key[i & 3]);
    }
    load->frame_bytes = head + 4 + count;
    load->answer_bytes = head + count;
}

/* Opens one and reads the answer to its handshake, and no more.  Returns it, or -1. */
static int conn_open(struct load *load, const char *target)
{
    const struct linger reset = {1, 0};
    const int on = 1;
    char text[1024];
    size_t got = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int bytes = snprintf(text, sizeof(text),
                         "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nConnection: Upgrade\r\n"
                         "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                         target, ntohs(load->address.sin_port));

    if (fd < 0 || fd >= FDS_MAX ||
        connect(fd, (struct sockaddr *)&load->address, sizeof(load->address)) != 0 ||
        send(fd, text, (size_t)bytes, MSG_NOSIGNAL) != bytes)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    /* Closed by a reset, no port is held by a connection of the round before. */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    while (got < 4 || memcmp(text + got - 4, "\r\n\r\n", 4) != 0) {
        if (got == sizeof(text) - 1 || recv(fd, text + got, 1, 0) != 1)
            return -1;
        got++;
    }
    if (memcmp(text, "HTTP/1.1 101", 12) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
        return -1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? fd : -1;
}

static void message_send(struct load *load, int fd)
{
    if (send(fd, load->frame, load->frame_bytes, MSG_NOSIGNAL) != (ssize_t)load->frame_bytes)
        load->errors++;
}

/* Reads what came; returns whether an answer is whole with it. */
static int message_read(struct load *load, int fd)
{
    char text[HEAD_MAX + MESSAGE_MAX];
    uint32_t got = load->got[fd];
    ssize_t count = recv(fd, text, load->answer_bytes - got, 0);

    if (count < 0 && errno == EAGAIN)
        return 0;
    if (count <= 0 || memcmp(text, load->answer + got, (size_t)count) != 0) {
        load->errors++;
        return 0;
    }
    got += (uint32_t)count;
    load->got[fd] = got == load->answer_bytes ? 0 : got;
    load->messages += got == load->answer_bytes;
    return got == load->answer_bytes;
}

static void load_run(struct load *load, const int *conns, size_t count, double seconds)
{
    struct epoll_event events[EVENTS_MAX];
    double end = clock_seconds() + seconds;
    size_t outstanding = load->is_broadcast ? 0 : count;

    for (size_t i = 0; !load->is_broadcast && i < count; i++)
        message_send(load, conns[i]);
    for (int is_over = 0; load->errors == 0 && (!is_over || outstanding > 0);) {
        is_over = is_over || clock_seconds() >= end;
        if (load->is_broadcast && outstanding == 0 && !is_over) {
            outstanding = count;
            message_send(load, conns[0]);
        }
        int ready = outstanding > 0 ? epoll_wait(load->epoll, events, EVENTS_MAX, -1) : 0;

        for (int i = 0; i < ready; i++) {
            if (!message_read(load, events[i].data.fd))
                continue;
            if (load->is_broadcast || is_over)
                outstanding--;
            else
                message_send(load, events[i].data.fd);
        }
    }
}

int main(int argc, char **argv)
{
    static struct load load = {.address = {.sin_family = AF_INET}};
    long port = argc == 6 ? strtol(argv[1], NULL, 10) : 0;
    double seconds = argc == 6 ? strtod(argv[2], NULL) : 0;
    long count = argc == 6 ? strtol(argv[3], NULL, 10) : 0;
    char byte;

    if (port < 1 || port > 65535 || !(seconds > 0 && seconds <= 600) || count < 1 ||
        count > FDS_MAX / 2) {
        fprintf(stderr, "usage: ws_load PORT SECONDS CONNECTIONS echo|broadcast TARGET\n");
        return 64;
    }
    load.address.sin_port = htons((uint16_t)port);
    load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    load.is_broadcast = strcmp(argv[4], "broadcast") == 0;
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    frames_make(&load, load.is_broadcast ? 1024 : 64);
    alarm((unsigned)seconds + GRACE_SECONDS);
    int *conns = malloc((size_t)count * sizeof(*conns));

    for (long i = 0; conns && i < count; i++) {
        conns[i] = conn_open(&load, argv[5]);
        if (conns[i] < 0) {
            fprintf(stderr, "ws_load: connection %ld is not opened: %s\n", i, strerror(errno));
            return 1;
        }
    }
    printf("ready\n");
    fflush(stdout);
    if (!conns || read(STDIN_FILENO, &byte, 1) != 1)
        return 1;
    double begin = clock_seconds();

    load_run(&load, conns, (size_t)count, seconds);
    printf("requests %llu errors %llu seconds %.3f\n", (unsigned long long)load.messages,
           (unsigned long long)load.errors, clock_seconds() - begin);
    fflush(stdout);
    (void)!read(STDIN_FILENO, &byte, 1);
    return load.messages > 0 && load.errors == 0 ? 0 : 1;
}
