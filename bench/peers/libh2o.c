/*
 * Peer: libh2o on its own event loop, one handler, one thread: the answer of the workload is a
 * constant, as in the examples that come with h2o. `libh2o PORT`; ends on a signal.
 */
#define H2O_USE_LIBUV 0

#include <arpa/inet.h>
#include <h2o.h>
#include <h2o/http1.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define ACCEPTS_PER_EVENT 16

static int answer(h2o_handler_t *handler, h2o_req_t *request)
{
    static h2o_generator_t generator = {NULL, NULL};
    h2o_iovec_t hello = {H2O_STRLIT("Hello, world!")};

    (void)handler;
    request->res.status = 200;
    request->res.reason = "OK";
    request->res.content_length = hello.len;
    h2o_add_header(&request->pool, &request->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL,
                   H2O_STRLIT("text/plain"));
    h2o_start_response(request, &generator);
    h2o_send(request, &hello, 1, 1);
    return 0;
}

static void accept_some(h2o_socket_t *listener, const char *error)
{
    if (error)
        return;
    for (int accepts = 0; accepts < ACCEPTS_PER_EVENT; accepts++) {
        h2o_socket_t *socket = h2o_evloop_socket_accept(listener);
        if (!socket)
            return;
        h2o_accept(listener->data, socket);
    }
}

static int listen_on(long port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 4096) != 0) {
        perror("libh2o");
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    h2o_globalconf_t config;
    h2o_context_t context;
    h2o_accept_ctx_t accept_context = {0};
    h2o_hostconf_t *host;
    h2o_handler_t *handler;
    h2o_socket_t *listener;
    int fd = listen_on(argc > 1 ? strtol(argv[1], NULL, 10) : 0);

    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&config);
    config.http1.req_timeout = 600 * 1000;
    host = h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    handler = h2o_create_handler(h2o_config_register_path(host, "/", 0), sizeof(*handler));
    handler->on_req = answer;

    h2o_context_init(&context, h2o_evloop_create(), &config);
    accept_context.ctx = &context;
    accept_context.hosts = config.hosts;
    listener = h2o_evloop_socket_create(context.loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->data = &accept_context;
    h2o_socket_read_start(listener, accept_some);
    while (h2o_evloop_run(context.loop, INT32_MAX) == 0)
        continue;
    return 0;
}
