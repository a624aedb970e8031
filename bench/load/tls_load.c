/*
 * Load for the handshake workloads: connect, TLS 1.3 handshake, a request, read to its end, close.
 *
 * With `full` every handshake is a whole one; with `resumed` each connection resumes the session
 * that the one before it was given, and one that does not counts as an error. One connection after
 * the other: a handshake costs a client about what it costs a server, and what is measured is the
 * server's CPU time, not how long this takes.
 *
 * An answer counts when it begins with HTTP/1.1 200. An alarm ends a program that hangs.
 *
 *     tls_load PORT SECONDS full|resumed [TARGET]
 *
 * prints `requests N errors N seconds S`.
 */
#define _GNU_SOURCE 1

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ERRORS_MAX 1000
#define GRACE_SECONDS 10

struct load {
    SSL_CTX *context;
    SSL_SESSION *session; /* owned: the newest, where sessions are resumed */
    struct sockaddr_in address;
    char request[1024];
    int request_bytes;
    int resumes;
};

static double clock_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* OpenSSL hands over a session for each ticket; the last one is as good as any. */
static int on_session(SSL *tls, SSL_SESSION *session)
{
    struct load *load = SSL_get_app_data(tls);

    SSL_SESSION_free(load->session);
    load->session = session;
    return 1;
}

static int tcp_open(const struct load *load)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) == 0 &&
        connect(fd, (const struct sockaddr *)&load->address, sizeof(load->address)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Reads to the end; whether the answer is a good one. */
static int read_answer(SSL *tls)
{
    char answer[8192];
    size_t length = 0;

    for (;;) {
        int got = SSL_read(tls, answer + length, (int)(sizeof(answer) - length));

        if (got <= 0)
            break;
        length += (size_t)got;
        if (length == sizeof(answer))
            return 0;
    }
    return length > 13 && memcmp(answer, "HTTP/1.1 200 ", 13) == 0;
}

/* OpenSSL lets a session of TLS 1.3 be used once; a copy is as good as new. */
static int resume(SSL *tls, SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);
    int good = copy && SSL_set_session(tls, copy) == 1;

    SSL_SESSION_free(copy);
    return good;
}

static int ask(struct load *load)
{
    int fd = tcp_open(load);
    SSL *tls = fd >= 0 ? SSL_new(load->context) : NULL;
    int wanted = load->resumes && load->session != NULL;
    int good = 0;

    if (tls) {
        SSL_set_app_data(tls, load);
        good = SSL_set_fd(tls, fd) == 1 && (!wanted || resume(tls, load->session)) &&
               SSL_set_tlsext_host_name(tls, "localhost") == 1 && SSL_connect(tls) == 1 &&
               SSL_session_reused(tls) == wanted &&
               SSL_write(tls, load->request, load->request_bytes) == load->request_bytes &&
               read_answer(tls);
        SSL_shutdown(tls);
        SSL_free(tls);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

static int load_init(struct load *load, int argc, char **argv)
{
    long port = argc > 3 ? strtol(argv[1], NULL, 10) : 0;

    memset(load, 0, sizeof(*load));
    if (port <= 0 || port > 65535 ||
        (strcmp(argv[3], "full") != 0 && strcmp(argv[3], "resumed") != 0))
        return 0;
    load->resumes = strcmp(argv[3], "resumed") == 0;
    load->address.sin_family = AF_INET;
    load->address.sin_port = htons((uint16_t)port);
    load->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    load->request_bytes =
        snprintf(load->request, sizeof(load->request),
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
                 argc > 4 ? argv[4] : "/");
    load->context = SSL_CTX_new(TLS_client_method());
    if (!load->context || load->request_bytes >= (int)sizeof(load->request))
        return 0;
    SSL_CTX_set_min_proto_version(load->context, TLS1_3_VERSION);
    SSL_CTX_set_session_cache_mode(load->context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(load->context, on_session);
    return 1;
}

int main(int argc, char **argv)
{
    struct load load;
    uint64_t requests = 0, errors = 0;

    signal(SIGPIPE, SIG_IGN);
    if (!load_init(&load, argc, argv)) {
        fprintf(stderr, "usage: tls_load PORT SECONDS full|resumed [TARGET]\n");
        return 64;
    }
    double seconds = strtod(argv[2], NULL);
    alarm((unsigned)seconds + GRACE_SECONDS);
    double start = clock_seconds(), now = start;
    while (now - start < seconds && errors < ERRORS_MAX) {
        if (ask(&load))
            requests++;
        else
            errors++;
        now = clock_seconds();
    }
    printf("requests %llu errors %llu seconds %.6f\n", (unsigned long long)requests,
           (unsigned long long)errors, now - start);
    SSL_SESSION_free(load.session);
    SSL_CTX_free(load.context);
    return errors == 0 ? 0 : 1;
}
