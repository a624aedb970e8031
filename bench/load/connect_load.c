/*
 * Load for the connection-per-request workload: connect, send a request, read to its end, close.
 *
 * CONNECTIONS go through that together, a step at a time: all connect, all send, all are read to
 * their end. So the requests come in a burst, as from a client that asks an event loop what is
 * ready, but without the cost of asking. Were each connection to go its way alone, a client on one
 * core, which pays for the handshake, would be the slower side, and one would measure how a server
 * falls asleep and wakes up once a request.
 *
 * An answer counts when it begins with HTTP/1.1 200 and is as long as the first; all else is an
 * error, and so is a program that hangs: an alarm ends it.
 *
 *     connect_load PORT SECONDS CONNECTIONS [TARGET [FIELD LINE]]
 *
 * prints `requests N errors N seconds S`.
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define ERRORS_MAX 1000
#define GRACE_SECONDS 10

struct load {
    struct sockaddr_in address;
    char request[1024];
    size_t request_bytes;
    size_t answer_bytes; /* of the first good answer; 0: none came yet */
    uint64_t requests;
    uint64_t errors;
};

static double clock_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Returns a connection, or -1. */
static int conn_open(const struct load *load)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&load->address, sizeof(load->address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* A failure shows when the answer is missing. */
static void conn_send(const struct load *load, int fd)
{
    if (fd >= 0)
        (void)!send(fd, load->request, load->request_bytes, MSG_NOSIGNAL);
}

/* Waits for the end of the answer: MSG_WAITALL returns when the buffer is full or the peer done. */
static void conn_finish(struct load *load, int fd)
{
    char answer[4096];
    ssize_t received = fd < 0 ? -1 : recv(fd, answer, sizeof(answer), MSG_WAITALL);
    size_t total = received > 0 ? (size_t)received : 0;
    int good = received > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0;

    while (received == (ssize_t)sizeof(answer)) {
        received = recv(fd, answer, sizeof(answer), MSG_WAITALL);
        total += received > 0 ? (size_t)received : 0;
    }
    if (fd >= 0)
        close(fd);
    if (load->answer_bytes == 0)
        load->answer_bytes = total;
    if (good && received >= 0 && total == load->answer_bytes)
        load->requests++;
    else
        load->errors++;
}

static void load_run(struct load *load, double seconds, size_t connections)
{
    int *conns = malloc(connections * sizeof(*conns));
    double end = clock_seconds() + seconds;

    if (!conns)
        return;
    do {
        for (size_t i = 0; i < connections; i++)
            conns[i] = conn_open(load);
        for (size_t i = 0; i < connections; i++)
            conn_send(load, conns[i]);
        for (size_t i = 0; i < connections; i++)
            conn_finish(load, conns[i]);
    } while (clock_seconds() < end && load->errors < ERRORS_MAX);
    free(conns);
}

int main(int argc, char **argv)
{
    struct load load = {.address = {.sin_family = AF_INET}};
    long port = argc > 3 ? strtol(argv[1], NULL, 10) : 0;
    double seconds = argc > 3 ? strtod(argv[2], NULL) : 0;
    long connections = argc > 3 ? strtol(argv[3], NULL, 10) : 0;

    if (port < 1 || port > 65535 || !(seconds > 0 && seconds <= 600) || connections < 1 ||
        connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: connect_load PORT SECONDS CONNECTIONS [TARGET [FIELD LINE]]\n");
        return 64;
    }
    load.address.sin_port = htons((uint16_t)port);
    load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int bytes =
        snprintf(load.request, sizeof(load.request),
                 "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\nConnection: close\r\n%s%s\r\n",
                 argc > 4 ? argv[4] : "/", port, argc > 5 ? argv[5] : "", argc > 5 ? "\r\n" : "");
    if (bytes < 0 || (size_t)bytes >= sizeof(load.request)) {
        fprintf(stderr, "connect_load: the request is too long\n");
        return 64;
    }
    load.request_bytes = (size_t)bytes;
    alarm((unsigned)seconds + GRACE_SECONDS);

    double begin = clock_seconds();
    load_run(&load, seconds, (size_t)connections);
    printf("requests %llu errors %llu seconds %.3f\n", (unsigned long long)load.requests,
           (unsigned long long)load.errors, clock_seconds() - begin);
    return load.requests > 0 && load.errors == 0 ? 0 : 1;
}
