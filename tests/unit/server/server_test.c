/*
 * The server as an object: options, setting up, what fails and what is released, two servers on one
 * loop, and every allocation of "create, serve one request, destroy" failing.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/server/client.h"

static void hello(px_exchange *exchange, void *context)
{
    px_respond_text(exchange, 200, context ? context : "Hello, world!");
}

static void count_release(void *context)
{
    *(uint32_t *)context += 1;
}

static void bad_options_are_refused(void **state)
{
    px_error error;
    char name[200];

    (void)state;
    memset(name, 'a', sizeof(name));
    name[97] = '\0';
    for (int which = 0; which < 7; which++) {
        px_server_options options = PX_SERVER_OPTIONS_DEFAULT;

        switch (which) {
        case 0:
            options.struct_size = 0;
            break;
        case 1:
            options.head_bytes_max = 2 << 20;
            break;
        case 2:
            options.field_count_max = 100000;
            break;
        case 3:
            options.log_format = 17;
            break;
        case 4:
            options.server_name = name;
            break;
        case 5:
            options.server_name = "a\r\nb";
            break;
        case 6:
            options.target_bytes_max = 2 << 20;
            break;
        }
        assert_null(px_server_create(&options, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
        assert_true(error.text[0] != '\0');
        assert_null(px_server_create(&options, NULL));
    }
    px_server_destroy(NULL);
}

static px_verdict go_on(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
    return PX_NEXT;
}

static int look_on(px_exchange *exchange, void *context, void **out_state)
{
    (void)exchange;
    (void)context;
    (void)out_state;
    return 0;
}

/* Every registered context is released once: with the server, or at once when the call failed. */
static void contexts_are_released_once(void **state)
{
    static const px_filter filter = {.struct_size = sizeof(filter), .on_head = look_on};
    static const px_filter headless = {.struct_size = sizeof(headless)};
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    uint32_t released = 0, given = 0;
    px_error error;
    px_server *server = px_server_create(NULL, &error);

    (void)state;
    assert_non_null(server);
    options.release = count_release;
    assert_int_equal(px_server_route_with(server, "GET /a", &options, hello, &released, &error),
                     PX_OK);
    given++;
    assert_int_equal(released, 0);
    assert_int_equal(px_server_route_with(server, "GET /a", &options, hello, &released, &error),
                     PX_ERR_CONFLICT);
    assert_int_equal(released, 1);
    assert_int_equal(px_server_route_with(server, "no slash", &options, hello, &released, &error),
                     PX_ERR_INVALID);
    assert_int_equal(released, 2);
    assert_int_equal(px_server_route_with(server, "GET /b", &options, NULL, &released, &error),
                     PX_ERR_INVALID);
    assert_int_equal(released, 3);
    options.content_mode = 99;
    assert_int_equal(px_server_route_with(server, "GET /b", &options, hello, &released, &error),
                     PX_ERR_INVALID);
    assert_int_equal(released, 4);
    released = 0;
    while (px_server_use(server, go_on, &released, count_release, &error) == PX_OK)
        given++;
    assert_int_equal(error.code, PX_ERR_LIMIT);
    assert_int_equal(released, 1);
    while (px_server_filter(server, &filter, &released, count_release, &error) == PX_OK)
        given++;
    assert_int_equal(error.code, PX_ERR_LIMIT);
    assert_int_equal(released, 2);
    assert_int_equal(px_server_filter(server, &headless, &released, count_release, &error),
                     PX_ERR_INVALID);
    assert_int_equal(released, 3);
    released = 0;
    px_server_destroy(server);
    assert_int_equal(released, given);
}

static void addresses_are_listed(void **state)
{
    px_error error;
    px_server *server = px_server_create(NULL, &error);

    (void)state;
    assert_string_equal(px_server_address(server), "");
    assert_int_equal(px_server_listen(server, "nonsense", &error), PX_ERR_INVALID);
    assert_int_equal(px_server_listen(server, "nonsense", NULL), PX_ERR_INVALID);
    assert_int_equal(px_server_listen(server, "127.0.0.1:0", &error), PX_OK);
    assert_memory_equal(px_server_address(server), "127.0.0.1:", 10);
    assert_null(strchr(px_server_address(server), ','));
    char first[64];

    snprintf(first, sizeof(first), "%s", px_server_address(server));
    assert_int_equal(px_server_listen(server, first, &error), PX_ERR_ADDRESS_IN_USE);
    assert_int_equal(px_server_listen(server, "[::1]:0", &error), PX_OK);
    assert_memory_equal(px_server_address(server), first, strlen(first));
    assert_non_null(strstr(px_server_address(server), ", [::1]:"));
    px_server_destroy(server);
}

static void stop_in_handler(px_exchange *exchange, void *context)
{
    px_respond_text(exchange, 200, "bye");
    px_server_stop(*(px_server **)context);
}

static void run_until_stopped(void **state)
{
    px_error error;
    px_server *server = px_server_create(NULL, &error);
    char text[1024];

    (void)state;
    assert_int_equal(px_server_route(server, "GET /", stop_in_handler, &server, &error), PX_OK);
    assert_int_equal(px_server_listen(server, "127.0.0.1:0", &error), PX_OK);
    int fd = peer_connect(px_server_address(server));

    peer_send(fd, LITERAL("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_int_equal(px_server_run(server, &error), PX_OK);
    assert_true(peer_recv(fd, text, sizeof(text), 1000) > 0);
    assert_memory_equal(text, "HTTP/1.1 200 OK\r\nServer: pollux\r\nDate: ", 39);
    /* A drain of nothing ends at once; run returns. */
    close(fd);
    px_server_drain(server, 0, 0);
    assert_int_equal(px_server_run(server, &error), PX_OK);
    px_server_destroy(server);
}

static void two_servers_on_one_loop(void **state)
{
    struct site first;
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_error error;
    struct client clients[2];
    char texts[2][8] = {"first", "second"};

    (void)state;
    site_open(&first, NULL);
    site_route(&first, "GET /", hello, texts[0]);
    struct site second = first;

    options.loop = first.loop;
    options.server_name = "";
    second.server = px_server_create(&options, &error);
    assert_non_null(second.server);
    assert_ptr_equal(px_server_loop(second.server), first.loop);
    assert_int_equal(px_server_listen(second.server, "127.0.0.1:0", &error), PX_OK);
    snprintf(second.address, sizeof(second.address), "%s", px_server_address(second.server));
    site_route(&second, "GET /", hello, texts[1]);
    client_open(&clients[0], &first);
    client_open(&clients[1], &second);
    for (int index = 0; index < 2; index++)
        client_send(&clients[index], LITERAL("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    client_expect(&clients[0], &first, ANSWER_TEXT("200 OK", "first", "5", ""));
    client_expect(&clients[1], &first, ANSWER_TEXT("200 OK", "second", "6", ""));
    /* One goes, the other does not notice. */
    px_server_destroy(second.server);
    client_await_end(&clients[1], &first);
    client_forget(&clients[0]);
    client_send(&clients[0], LITERAL("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    client_expect(&clients[0], &first, ANSWER_TEXT("200 OK", "first", "5", ""));
    client_close(&clients[0]);
    client_close(&clients[1]);
    site_close(&first);
}

static void counters_of_any_size(void **state)
{
    struct site site;
    px_counters counters;

    (void)state;
    site_open(&site, NULL);
    memset(&counters, 0xff, sizeof(counters));
    counters.struct_size = offsetof(px_counters, requests);
    px_server_counters(site.server, &counters);
    assert_int_equal(counters.accepted, 0);
    assert_int_equal(counters.requests, UINT64_MAX); /* beyond what was asked for */
    site_close(&site);
}

/* One server counts where another has left off; what is behind the struct that the embedder knows
 * is left alone. */
static void counters_outlive_the_server(void **state)
{
    px_counters memory = {.struct_size = offsetof(px_counters, longest_tick_bytes)};
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    char text[8] = "first";
    uint64_t bytes = 0;

    (void)state;
    memory.longest_tick_bytes = 77;
    options.counters_memory = &memory;
    for (uint64_t count = 1; count <= 3; count++) {
        site_open(&site, &options);
        site_route(&site, "GET /{$}", hello, text);
        client_open(&client, &site);
        client_send(&client, LITERAL("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
        client_expect(&client, &site, ANSWER_TEXT("200 OK", "first", "5", ""));
        pump_quietly(site.loop, 2);
        assert_int_equal(memory.accepted, count);
        assert_int_equal(memory.open, 1);
        assert_int_equal(memory.requests, count);
        assert_int_equal(memory.responses[2], count);
        assert_int_equal(memory.bytes_received, 27 * count);
        /* Counted while the connection is still open. */
        assert_true(memory.bytes_sent > bytes);
        assert_int_equal(memory.bytes_sent, site_counters(&site).bytes_sent);
        bytes = memory.bytes_sent;
        client_close(&client);
        site_close(&site);
        assert_int_equal(memory.open, 0);
    }
    assert_true(memory.ticks > 3);
    assert_true(memory.longest_tick_us > 0);
    assert_int_equal(memory.longest_tick_bytes, 77);
    assert_int_equal(memory.struct_size, offsetof(px_counters, longest_tick_bytes));
    memory.struct_size = 0;
    px_error error;

    assert_null(px_server_create(&options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
}

/* --- Every allocation ------------------------------------------------------------------------- */

struct serving {
    px_loop *loop;
    uint32_t ended;
    uint32_t begun;
};

static void serving_end(px_exchange *exchange, px_end end, void *context)
{
    struct serving *serving = context;

    (void)exchange;
    (void)end;
    serving->ended++;
}

static const px_exchange_callbacks serving_callbacks = {
    .struct_size = sizeof(px_exchange_callbacks), .on_end = serving_end};

static void serve_echo(px_exchange *exchange, void *context)
{
    struct serving *serving = context;

    serving->begun++;
    px_exchange_set_callbacks(exchange, &serving_callbacks, serving);
    px_response_add_field(exchange, LITERAL("X-Path"), px_request_path(exchange));
    px_respond(exchange, 200, LITERAL("text/plain"), px_request_content(exchange));
}

static void drop_log(px_str lines, void *context)
{
    (void)lines;
    (void)context;
}

static void serve_and_fail(const px_allocator *allocator, void *context)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    struct serving serving = {0};
    char request[9000];
    px_error error;

    (void)context;
    options.allocator = allocator;
    options.log_format = PX_LOG_COMBINED;
    options.on_log = drop_log;
    px_server *server = px_server_create(&options, &error);

    if (!server) {
        assert_int_equal(error.code, PX_ERR_MEMORY);
        return;
    }
    route.content_mode = PX_CONTENT_COLLECT;
    px_err err = px_server_route_with(server, "POST /{name}", &route, serve_echo, &serving, &error);

    if (err == PX_OK)
        err = px_server_listen(server, "127.0.0.1:0", &error);
    if (err == PX_OK) {
        static char text[65536];
        int fd = peer_connect(px_server_address(server));
        size_t len = (size_t)snprintf(request, sizeof(request),
                                      "POST /%%41 HTTP/1.1\r\nHost: a\r\nX-Long: %02000d\r\n"
                                      "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                                      "fa0\r\n%04000d\r\n0\r\nTrailer: x\r\n\r\n",
                                      0, 0);
        bool answered = false;

        /* In two pieces, so that the inbox is used too. */
        (void)!send(fd, request, 100, MSG_NOSIGNAL);
        for (int count = 0; count < 5; count++)
            pump_once(px_server_loop(server), 1);
        (void)!send(fd, request + 100, len - 100, MSG_NOSIGNAL); /* it may be closed by now */
        for (int count = 0; count < 2000; count++) {
            pump_once(px_server_loop(server), 5);
            long got = peer_recv(fd, text, sizeof(text), 0);

            answered |= got > 12 && memcmp(text, "HTTP/1.1 200", 12) == 0;
            if (got == 0 || got == -2)
                break;
            assert_true(count < 1999);
        }
        /* Whole, or a refusal that says so, or cut off. */
        if (answered)
            assert_int_equal(serving.begun, 1);
        close(fd);
    } else {
        assert_int_equal(err, PX_ERR_MEMORY);
    }
    px_server_destroy(server);
    assert_int_equal(serving.begun, serving.ended);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("create, serve, destroy", serve_and_fail, NULL) >= 20);
}

/* Each listener has its own TLS, or redirect, however many there are. */
static void listeners_beyond_255(void **state)
{
    enum { COUNT = 258 };
    static px_tls *tls[COUNT];
    struct site site, last;
    px_error error;

    (void)state;
    px_tls *probe = px_tls_create(NULL, &error);

    px_tls_destroy(probe);
    if (!probe)
        return; /* a build without TLS */
    site_open(&site, NULL);
    last = site;
    for (int i = 0; i < COUNT; i++) {
        px_serve_options options = PX_SERVE_OPTIONS_DEFAULT;
        px_listener *listener = px_listener_open("127.0.0.1:0", NULL, &error);

        assert_non_null(listener);
        tls[i] = px_tls_create(NULL, &error);
        assert_int_equal(px_tls_add_self_signed(tls[i], NULL, &error), PX_OK);
        options.tls = tls[i];
        snprintf(last.address, sizeof(last.address), "%s", px_listener_address(listener));
        assert_int_equal(px_server_serve_with(site.server, listener, &options, &error), PX_OK);
        if (i >= 254)
            site_exchange(
                &last, "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                ANSWER_TEXT("400 Bad Request",
                            "400 Bad Request: this port speaks TLS, ask it with https://\n", "60",
                            "Connection: close\r\n"),
                CLIENT_ENDED);
    }
    site_close(&site);
    for (int i = 0; i < COUNT; i++)
        px_tls_destroy(tls[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_options_are_refused),     cmocka_unit_test(contexts_are_released_once),
        cmocka_unit_test(addresses_are_listed),        cmocka_unit_test(run_until_stopped),
        cmocka_unit_test(two_servers_on_one_loop),     cmocka_unit_test(counters_of_any_size),
        cmocka_unit_test(counters_outlive_the_server), cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(listeners_beyond_255),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
