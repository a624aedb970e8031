/* Three routes that speak JSON: one reads a field and a query parameter, one a part of the path.
 *
 *     api [ADDR]        curl 'http://127.0.0.1:8080/greet?name=Ada' -H 'Accept-Language: de' */
#include <stdio.h>

#include "pollux/pollux.h"

/* Answers {"name": "lead value"}; what JSON would want escaped in the value becomes "_". */
static void respond_pair(px_exchange *exchange, const char *name, const char *lead, px_str value)
{
    char text[256];
    int len = snprintf(text, sizeof(text), "{\"%s\": \"%s", name, lead);

    for (size_t i = 0; i < value.len && (size_t)len < sizeof(text) - 8; i++)
        text[len++] =
            (unsigned char)value.ptr[i] < ' ' || strchr("\"\\", value.ptr[i]) ? '_' : value.ptr[i];
    len += snprintf(text + len, sizeof(text) - (size_t)len, "\"}\n");
    px_respond(exchange, 200, px_str_of("application/json"), px_str_make(text, (size_t)len));
}

static void version(px_exchange *exchange, void *context)
{
    (void)context;
    respond_pair(exchange, "version", "", px_str_of(PX_VERSION_STRING));
}

static void greet(px_exchange *exchange, void *context)
{
    px_str language = px_request_field(exchange, "Accept-Language");
    int is_german = language.len >= 2 && memcmp(language.ptr, "de", 2) == 0;

    (void)context;
    respond_pair(exchange, "greeting", is_german ? "Hallo " : "Hello ",
                 px_request_query_param(exchange, "name"));
}

static void user(px_exchange *exchange, void *context)
{
    (void)context;
    respond_pair(exchange, "user", "", px_request_param(exchange, "id"));
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /version", version, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /greet", greet, NULL, &error) != PX_OK ||
        px_server_route(server, "GET /users/{id}", user, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "api: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
