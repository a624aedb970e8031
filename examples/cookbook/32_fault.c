/* Hear of what a handler does wrong, or, with POLLUX_CHECK_RULES=1 in the environment, forgets. */
#include <stdio.h>

#include "pollux/pollux.h"

static void on_fault(px_exchange *exchange, const char *what, void *context)
{
    px_str target = px_request_target(exchange);

    (void)context; /* a good place for a breakpoint */
    fprintf(stderr, "%.*s: %s\n", (int)target.len, target.ptr, what);
}

static void twice(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "one\n");
    px_respond_text(exchange, 200, "two\n"); /* so its client gets a 500 */
}

static void forget(px_exchange *exchange, void *context)
{
    (void)exchange, (void)context; /* no answer, no callbacks, no px_ref: likewise */
}

int main(int argc, char **argv)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;

    options.on_fault = on_fault;
    px_server *server = px_server_create(&options, &error);

    if (!server || px_server_route(server, "GET /twice", twice, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /forget", forget, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
