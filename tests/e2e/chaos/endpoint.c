/*
 * Sockets and signals of the chaos suite.  Whatever cannot work ends the program with a line.
 */
#include "endpoint.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stop_wanted;

void endpoint_parse(struct endpoint *endpoint, const char *text)
{
    memset(endpoint, 0, sizeof(*endpoint));
    if (text[0] == '/') {
        struct sockaddr_un *local = (struct sockaddr_un *)&endpoint->address;

        if (strlen(text) >= sizeof(local->sun_path))
            errx(64, "%s: too long", text);
        local->sun_family = AF_UNIX;
        memcpy(local->sun_path, text, strlen(text) + 1);
        endpoint->bytes = sizeof(*local);
        return;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)&endpoint->address;
    const char *colon = strrchr(text, ':');
    char host[64] = "";

    if (!colon || (size_t)(colon - text) >= sizeof(host))
        errx(64, "%s: not host:port", text);
    memcpy(host, text, (size_t)(colon - text));
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)number_of("port", colon + 1));
    if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
        errx(64, "%s: not an IPv4 address", text);
    endpoint->bytes = sizeof(*v4);
}

int endpoint_connect(const struct endpoint *endpoint, int receive_bytes)
{
    const int on = 1;
    int fd = socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        err(71, "socket");
    if (receive_bytes > 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    if (endpoint->address.ss_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->bytes) == 0 ||
        errno == EINPROGRESS)
        return fd;
    int failed = errno;

    close(fd);
    errno = failed;
    return -1;
}

int endpoint_result(int fd)
{
    int failed = 0;
    socklen_t bytes = sizeof(failed);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &bytes) == 0 ? failed : errno;
}

void endpoint_reset(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

uint64_t clock_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void on_stop(int number)
{
    (void)number;
    stop_wanted = 1;
}

void stop_by_signal(void)
{
    struct sigaction action = {.sa_handler = on_stop};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

bool stopping(void)
{
    return stop_wanted != 0;
}

uint64_t number_of(const char *flag, const char *text)
{
    char *end;

    errno = 0;
    unsigned long long number = strtoull(text ? text : "", &end, 10);

    if (!text || errno != 0 || end == text || *end != '\0')
        errx(64, "%s: a number is needed", flag);
    return number;
}
