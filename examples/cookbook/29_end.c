/* End gently at the signal TERM. */
#include <signal.h>
#include <stdio.h>

#include "pollux/pollux.h"

static void on_term(int number, void *context)
{
    (void)number;
    px_server_drain(context, 0, 10 * 1000); /* what is in flight has ten seconds */
}

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "hello\n");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server ||
        px_loop_signal(px_server_loop(server), SIGTERM, on_term, server, &error) != PX_OK ||
        px_server_route(server, "GET /", hello, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    puts("bye");
    px_server_destroy(server);
    return (int)error.code;
}
