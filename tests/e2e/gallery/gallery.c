/*
 * Handlers of every kind behind listeners of every kind, for the end-to-end tests: what a handler
 * can do must be the same over every protocol version.
 *
 *     gallery FILE ADDR...        https://ADDR takes certificate and key from GALLERY_CERT,
 * GALLERY_KEY
 *
 * It says where it listens as `pollux` does, and ends well with SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gallery.h"

unsigned long gallery_number(px_exchange *exchange, const char *name, unsigned long otherwise)
{
    px_str value = px_request_query_param(exchange, name);

    return value.ptr ? strtoul(value.ptr, NULL, 10) : otherwise;
}

px_str gallery_pattern(size_t bytes)
{
    static char pattern[GALLERY_BYTES_MAX];

    if (pattern[0] == 0)
        for (size_t i = 0; i < GALLERY_BYTES_MAX; i++)
            pattern[i] = (char)('a' + (i + i / 26 + i / 65536) % 26);
    return px_str_make(pattern, bytes < GALLERY_BYTES_MAX ? bytes : GALLERY_BYTES_MAX);
}

void gallery_say(px_exchange *exchange, const char *text)
{
    px_respond_text(exchange, 200, text);
}

static void text(px_exchange *exchange, void *context)
{
    (void)context;
    gallery_say(exchange, "Hello, world!");
}

static void nothing(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, (unsigned)gallery_number(exchange, "status", 204), px_str_of(NULL),
               px_str_of(NULL));
}

static void away(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_redirect(exchange, 303, px_str_of("/text?a=b"));
}

static void error(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_error(exchange, (unsigned)gallery_number(exchange, "status", 500));
}

static void cookies(px_exchange *exchange, void *context)
{
    px_cookie first = {.struct_size = sizeof(px_cookie)},
              second = {.struct_size = sizeof(px_cookie)};

    (void)context;
    first.name = px_str_of("a"), first.value = px_str_of("1"), first.path = px_str_of("/");
    second.name = px_str_of("b"), second.value = px_str_of("2"), second.http_only = 1;
    px_response_add_cookie(exchange, &first);
    px_response_add_cookie(exchange, &second);
    px_response_add_field(exchange, px_str_of("X-Mixed-Case"), px_str_of("Value, Kept"));
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    gallery_say(exchange, "cookies\n");
}

/* Answers with `X-Upper: yes` get their content in upper case: its length becomes unknown. */
static int upper_head(px_exchange *exchange, void *context, void **out_state)
{
    (void)context;
    *out_state = NULL;
    px_response_add_field(exchange, px_str_of("X-Seen"), px_str_of("by the filter"));
    return px_response_field(exchange, "X-Upper").len > 0;
}

static int upper_content(px_exchange *exchange, px_filter_step *step, void *state)
{
    size_t bytes = step->in.len < step->room ? step->in.len : step->room;

    (void)exchange;
    (void)state;
    for (size_t i = 0; i < bytes; i++)
        step->out[i] =
            (char)(step->in.ptr[i] - (step->in.ptr[i] >= 'a' && step->in.ptr[i] <= 'z' ? 32 : 0));
    step->in_used = step->out_used = bytes;
    step->done = step->last && bytes == step->in.len;
    return 0;
}

static void upper(px_exchange *exchange, void *context)
{
    px_response_add_field(exchange, px_str_of("X-Upper"), px_str_of("yes"));
    gallery_body(exchange, context);
}

static px_verdict gate(px_exchange *exchange, void *context)
{
    (void)context;
    if (!px_str_equal(px_request_field(exchange, "X-Gate"), px_str_of("shut")))
        return PX_NEXT;
    px_respond_text(exchange, 403, "shut\n");
    return PX_STOP;
}

struct route {
    const char *pattern;
    px_handler handler;
    px_content_mode mode;
};

static const struct route routes[] = {
    {"GET /text", text, PX_CONTENT_STREAM},
    {"GET /body", gallery_body, PX_CONTENT_STREAM},
    {"GET /producer", gallery_producer, PX_CONTENT_STREAM},
    {"GET /pieces", gallery_pieces, PX_CONTENT_STREAM},
    {"GET /late", gallery_late, PX_CONTENT_STREAM},
    {"GET /inform", gallery_inform, PX_CONTENT_STREAM},
    {"GET /wrong", gallery_wrong, PX_CONTENT_STREAM},
    {"GET /nothing", nothing, PX_CONTENT_STREAM},
    {"GET /away", away, PX_CONTENT_STREAM},
    {"GET /error", error, PX_CONTENT_STREAM},
    {"GET /cookies", cookies, PX_CONTENT_STREAM},
    {"GET /upper", upper, PX_CONTENT_STREAM},
    {"GET /fields/{id}", gallery_fields, PX_CONTENT_STREAM},
    {"OPTIONS /fields/{id}", gallery_fields, PX_CONTENT_STREAM},
    {"POST /echo", gallery_echo, PX_CONTENT_COLLECT},
    {"POST /stream", gallery_stream, PX_CONTENT_STREAM},
    {"POST /count", gallery_count, PX_CONTENT_STREAM},
    {"POST /early", gallery_early, PX_CONTENT_STREAM},
    {"POST /drop", gallery_early, PX_CONTENT_DROP},
    {"POST /form", gallery_form, PX_CONTENT_COLLECT},
    {"POST /parts", gallery_parts, PX_CONTENT_STREAM},
    {"GET /tunnel", gallery_tunnel, PX_CONTENT_STREAM},
    {"CONNECT /tunnel", gallery_tunnel, PX_CONTENT_STREAM},
    {"GET /socket", gallery_socket, PX_CONTENT_STREAM},
    {"GET /socket/closed", gallery_closed, PX_CONTENT_STREAM},
    {"GET /socket/hub", gallery_hub, PX_CONTENT_STREAM},
    {"GET /events", gallery_events, PX_CONTENT_STREAM},
    {"POST /publish", gallery_publish, PX_CONTENT_COLLECT},
    {"GET /wait", gallery_wait, PX_CONTENT_STREAM},
    {"GET /ends", gallery_ends, PX_CONTENT_STREAM},
};

static int prepare(px_server *server, char *file, px_error *out_error)
{
    static const px_filter filter = {
        .struct_size = sizeof(filter), .on_head = upper_head, .on_content = upper_content};

    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
        px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;

        options.content_mode = routes[i].mode;
        if (px_server_route_with(server, routes[i].pattern, &options, routes[i].handler, NULL,
                                 out_error) != PX_OK)
            return -1;
    }
    if (px_server_route(server, "GET /file", gallery_file, file, out_error) != PX_OK ||
        px_server_use(server, gate, NULL, NULL, out_error) != PX_OK ||
        px_server_filter(server, &filter, NULL, NULL, out_error) != PX_OK)
        return -1;
    return 0;
}

/* https://ADDR speaks TLS with the certificate that `tls` has; anything else does not. */
static int listen_on(px_server *server, const char *address, px_tls *tls, px_error *out_error)
{
    const char *https = "https://";
    px_serve_options options = PX_SERVE_OPTIONS_DEFAULT;
    px_listener *listener;

    if (strncmp(address, https, strlen(https)) != 0)
        return px_server_listen(server, address, out_error) == PX_OK ? 0 : -1;
    options.tls = tls;
    listener = px_listener_open(address + strlen(https), NULL, out_error);
    if (!listener)
        return -1;
    if (px_server_serve_with(server, listener, &options, out_error) == PX_OK)
        return 0;
    px_listener_close(listener);
    return -1;
}

static void on_signal(int number, void *server)
{
    (void)number;
    px_server_drain(server, 0, 5000);
}

int main(int argc, char **argv)
{
    px_error failed = {0};
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_server *server;
    px_tls *tls = px_tls_create(NULL, &failed);

    options.content_bytes_max = (uint64_t)64 << 20;
    options.exchange_bytes_max = 4 << 20;
    gallery_watch(&options);
    server = px_server_create(&options, &failed);
    if (!tls || !server || argc < 3 || prepare(server, argv[1], &failed) != 0)
        goto end;
    if (getenv("GALLERY_CERT") && px_tls_add_certificate(tls, getenv("GALLERY_CERT"),
                                                         getenv("GALLERY_KEY"), &failed) != PX_OK)
        goto end;
    for (int i = 2; i < argc; i++)
        if (listen_on(server, argv[i], tls, &failed) != 0)
            goto end;
    if (options.metrics && px_server_route(server, "GET /metrics", px_metrics_handle,
                                           options.metrics, &failed) != PX_OK)
        goto end;
    if (px_loop_signal(px_server_loop(server), SIGTERM, on_signal, server, &failed) != PX_OK)
        goto end;
    fprintf(stderr, "pollux: listening on %s (1 worker)\n", px_server_address(server));
    if (px_server_run(server, &failed) == PX_OK)
        failed.code = PX_OK;

end:
    if (failed.code != PX_OK)
        fprintf(stderr, "gallery: %s\n", failed.text);
    if (server)
        gallery_socket_end(px_server_loop(server));
    px_server_destroy(server);
    px_tls_destroy(tls);
    px_metrics_destroy(options.metrics);
    return failed.code == PX_OK ? 0 : 1;
}
