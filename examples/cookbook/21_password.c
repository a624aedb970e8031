/* Ask for a name and a password. */
#include <stdio.h>

#include "pollux/pollux.h"

static px_verdict check(px_exchange *exchange, void *context)
{
    px_str user, password;

    (void)context;
    if (px_request_basic_auth(exchange, &user, &password) && px_str_equal(user, px_str_of("ada")) &&
        px_str_equal(password, px_str_of("lovelace"))) /* basic_auth.h reads files of hashes */
        return PX_NEXT;
    px_response_add_field(exchange, px_str_of("WWW-Authenticate"), px_str_of("Basic realm=\"me\""));
    px_respond_error(exchange, 401);
    return PX_STOP;
}

static void secret(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "42\n");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_use(server, check, NULL, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /", secret, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
