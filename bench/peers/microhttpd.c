/*
 * Peer: libmicrohttpd on epoll in one thread, with the answer of the workload made once.
 * `microhttpd PORT`; ends on a signal.
 *
 * It is stepped from here with a wait of at most a millisecond: left to its own thread, version
 * 0.9.75 goes to sleep over readable connections once a few hundred are busy at a time.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define WAIT_MS_MAX 1

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **request)
{
    (void)url, (void)method, (void)version, (void)upload, (void)upload_bytes;
    if (!*request) { /* an answer to this first call would close the connection */
        *request = context;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, context);
}

int main(int argc, char **argv)
{
    static char hello[] = "Hello, world!";
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    struct MHD_Response *response;
    struct MHD_Daemon *daemon;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    response = MHD_create_response_from_buffer(strlen(hello), hello, MHD_RESPMEM_PERSISTENT);
    if (!response || MHD_add_response_header(response, "Content-Type", "text/plain") != MHD_YES)
        return 1;
    daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_TURBO, (uint16_t)port, NULL, NULL, answer,
                              response, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_CONNECTION_LIMIT,
                              15000u, MHD_OPTION_CONNECTION_TIMEOUT, 600u,
                              MHD_OPTION_LISTEN_BACKLOG_SIZE, 4096u, MHD_OPTION_END);
    if (!daemon) {
        fprintf(stderr, "microhttpd: cannot listen on port %ld\n", port);
        return 1;
    }
    while (MHD_run_wait(daemon, WAIT_MS_MAX) == MHD_YES)
        continue;
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return 0;
}
