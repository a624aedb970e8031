/*
 * Load for the connection-per-request workload: connect, send a request, read to its end, close.
 *
 * CONNECTIONS are kept open at a time, in a ring: the oldest is read to its end and a new one takes
 * its place. A client that asked an event loop which one is ready would spend as much on asking as
 * the server does on answering; every server answers in about the order of arrival, so the oldest
 * is the one to ask. An answer counts when it begins with HTTP/1.1 200 and is as long as the first;
 * all else is an error, and so is a program that hangs: an alarm ends it.
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

/* Returns a connection that has sent its request, or -1. */
static int conn_open(struct load *load)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&load->address, sizeof(load->address)) == 0 &&
        send(fd, load->request, load->request_bytes, MSG_NOSIGNAL) == (ssize_t)load->request_bytes)
        return fd;
    close(fd);
    return -1;
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
    int *ring = malloc(connections * sizeof(*ring));
    double end = clock_seconds() + seconds;

    if (!ring)
        return;
    for (size_t i = 0; i < connections; i++)
        ring[i] = conn_open(load);
    for (size_t oldest = 0; clock_seconds() < end && load->errors < ERRORS_MAX;
         oldest = oldest + 1 == connections ? 0 : oldest + 1) {
        conn_finish(load, ring[oldest]);
        ring[oldest] = conn_open(load);
    }
    for (size_t i = 0; i < connections; i++)
        conn_finish(load, ring[i]);
    free(ring);
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
