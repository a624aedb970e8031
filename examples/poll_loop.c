/*
 * A server inside of another loop: this program calls poll() itself, and pollux is one
 * descriptor in it beside the program's own (here: standard input, where "quit" ends it).
 *
 *     poll_loop [ADDR]
 */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "pollux/pollux.h"

static void count(px_exchange *exchange, void *context)
{
    char text[64];
    unsigned *requests = context;

    snprintf(text, sizeof(text), "request %u\n", ++*requests);
    px_respond_text(exchange, 200, text);
}

/* A caller with his own loop needs three things: descriptor, timeout, step. */
static px_err serve(px_loop *loop, px_error *error)
{
    struct pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {px_loop_fd(loop), POLLIN, 0}};
    char line[64];

    for (;;) {
        if (poll(waits, 2, px_loop_timeout_ms(loop)) < 0)
            return PX_ERR_SYSTEM;
        if (waits[0].revents) {
            ssize_t bytes = read(STDIN_FILENO, line, sizeof(line));

            if (bytes <= 0 || (bytes >= 4 && memcmp(line, "quit", 4) == 0))
                return PX_OK;
        }
        if (px_loop_step(loop, error) != PX_OK)
            return error->code;
    }
}

int main(int argc, char **argv)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    unsigned requests = 0;
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(&options, &error);

    if (!server || px_server_route(server, "GET /", count, &requests, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        serve(px_server_loop(server), &error) != PX_OK)
        fprintf(stderr, "poll_loop: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
