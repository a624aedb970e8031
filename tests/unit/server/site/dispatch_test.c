/*
 * From a request to its handler: routes, what no route serves, content modes, middleware now and
 * later, answers later, tunnels.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "unit/server/client.h"

#define HOST "HTTP/1.1\r\nHost: a\r\n\r\n"
#define PLAIN(status_line, text, length) \
    "HTTP/1.1 " status_line "\r\nContent-Length: " length "\r\n\r\n" text

static const px_str no_type = {NULL, 0};

static void name_of_route(px_exchange *exchange, void *context)
{
    px_respond(exchange, 200, no_type, px_str_of(context));
}

static void show_params(px_exchange *exchange, void *context)
{
    char text[256];

    (void)context;
    snprintf(text, sizeof(text), "%s|%s|%s", px_request_param(exchange, "id").ptr,
             px_request_param(exchange, "rest").ptr, px_request_pattern(exchange));
    px_respond(exchange, 200, no_type, px_str_of(text));
}

static void routes_and_what_none_serves(void **state)
{
    static char root[] = "root", slash[] = "slash", put[] = "put", hosted[] = "hosted";
    static const struct {
        const char *request;
        const char *answer;
    } cases[] = {
        {"GET / " HOST, PLAIN("200 OK", "root", "4")},
        {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", PLAIN("200 OK", "root", "4")},
        {"GET /u/a%2Fb/x/y%20z " HOST, PLAIN("200 OK", "a/b|x/y z|GET /u/{id}/{rest...}", "31")},
        {"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n", PLAIN("200 OK", "hosted", "6")},
        {"GET /nowhere " HOST, ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", "")},
        {"DELETE /item " HOST, ANSWER_TEXT("405 Method Not Allowed", "405 Method Not Allowed\n",
                                           "23", "Allow: GET, HEAD, PUT, OPTIONS\r\n")},
        {"OPTIONS /item " HOST,
         "HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, PUT, OPTIONS\r\n\r\n"},
        {"OPTIONS * " HOST, PLAIN("200 OK", "", "0")},
        {"CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", NULL},
        {"GET /dir " HOST,
         "HTTP/1.1 301 Moved Permanently\r\nLocation: dir/\r\nContent-Length: 0\r\n\r\n"},
        {"GET /dir?a=b " HOST,
         "HTTP/1.1 301 Moved Permanently\r\nLocation: dir/?a=b\r\nContent-Length: 0\r\n\r\n"},
        {"POST /dir " HOST,
         "HTTP/1.1 308 Permanent Redirect\r\nLocation: dir/\r\nContent-Length: 0\r\n\r\n"},
        {"GET /dir/below " HOST, PLAIN("200 OK", "slash", "5")},
        {"GET /x/../item " HOST,
         "HTTP/1.1 301 Moved Permanently\r\nLocation: item\r\nContent-Length: 0\r\n\r\n"},
        /* Never to another host. */
        {"GET //evil.example/%2e%2e " HOST, NULL},
    };
    struct site site;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", name_of_route, root);
    site_route(&site, "GET h.example/", name_of_route, hosted);
    site_route(&site, "GET /u/{id}/{rest...}", show_params, NULL);
    site_route(&site, "GET /item", name_of_route, root);
    site_route(&site, "PUT /item", name_of_route, put);
    site_route(&site, "/dir/", name_of_route, slash);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        if (cases[index].answer) {
            site_exchange(&site, cases[index].request, cases[index].answer, CLIENT_OPEN);
            continue;
        }
        struct client client;

        client_open(&client, &site);
        client_send(&client, px_str_of(cases[index].request));
        client_await(&client, &site, 20);
        pump_quietly(site.loop, 3);
        client_pump(&client, &site);
        if (cases[index].request[0] == 'C')
            assert_memory_equal(client.text, "HTTP/1.1 405 ", 13);
        assert_null(strstr(client.text, "Location: //"));
        assert_null(strstr(client.text, "Location: /\\"));
        client_close(&client);
    }
    site_close(&site);
}

#define REDIRECT(status, path) \
    "HTTP/1.1 " status "\r\nLocation: " path "\r\nContent-Length: 0\r\n\r\n"
#define MOVED(path) REDIRECT("301 Moved Permanently", path)

/* What a route guards is not reached by another spelling of its path through a route whose handler
 * resolves it. */
static void no_spelling_goes_round_a_route(void **state)
{
    static char guarded[] = "guarded", all[] = "all", one[] = "one", version[] = "version";
    static const struct {
        const char *request;
        const char *answer;
    } cases[] = {
        {"GET /admin/x " HOST, PLAIN("200 OK", "guarded", "7")},
        {"GET //admin/x " HOST, MOVED("/admin/x")},
        {"GET /./admin/x?q=/../ " HOST, MOVED("/admin/x?q=/../")},
        {"GET /x/../admin/x " HOST, MOVED("/admin/x")},
        {"GET /admin%2fx " HOST, MOVED("/admin/x")},
        {"GET /%2Fadmin/x " HOST, MOVED("/admin/x")},
        {"GET /pub/%2e%2e/admin/x " HOST, MOVED("/admin/x")},
        {"GET /pub/.%2E%2fadmin/%78 " HOST, MOVED("/admin/%78")},
        {"DELETE /x//../admin/x " HOST, REDIRECT("308 Permanent Redirect", "/admin/x")},
        /* Within what has the same route a spelling is the handler's to resolve. */
        {"GET /a//b " HOST, PLAIN("200 OK", "all", "3")},
        {"GET /a/../b%2fc " HOST, PLAIN("200 OK", "all", "3")},
        {"GET /admin/a/..//b " HOST, PLAIN("200 OK", "guarded", "7")},
        {"GET /admin/../b " HOST, MOVED("/b")},
        /* A slash in a parameter is a byte of it. */
        {"GET /pkg/@a%2fb " HOST, PLAIN("200 OK", "one", "3")},
        {"GET /pkg/a/b " HOST, PLAIN("200 OK", "version", "7")},
        /* Unless the handler says that it resolves it. */
        {"GET /tree/a%2fb " HOST, MOVED("/tree/a/b")},
        {"GET /tree/a%2fc " HOST, MOVED("/tree/a/c")},
        {"GET /tree/a " HOST, PLAIN("200 OK", "one", "3")},
    };
    px_route_options resolves = PX_ROUTE_OPTIONS_DEFAULT;
    struct site site;
    px_error error;

    (void)state;
    resolves.resolves_path = 1;
    site_open(&site, NULL);
    site_route(&site, "/", name_of_route, all);
    site_route(&site, "/admin/", name_of_route, guarded);
    site_route(&site, "/pkg/{name}", name_of_route, one);
    site_route(&site, "/pkg/{name}/{version}", name_of_route, version);
    site_route(&site, "/tree/a/b", name_of_route, guarded);
    assert_int_equal(
        px_server_route_with(site.server, "/tree/{name}", &resolves, name_of_route, one, &error),
        PX_OK);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        site_exchange(&site, cases[index].request, cases[index].answer, CLIENT_OPEN);
    site_close(&site);
}

/* --- Content ---------------------------------------------------------------------------------- */

struct seen {
    uint32_t called;
    size_t content_at_call;
    bool whole;
};

static void note_call(px_exchange *exchange, void *context)
{
    struct seen *seen = context;
    px_str content = px_request_content(exchange);

    seen->called++;
    seen->whole = content.ptr != NULL;
    seen->content_at_call = content.len;
    px_respond(exchange, 200, no_type, LITERAL("ok"));
}

static void content_modes_and_limits_by_route(void **state)
{
    struct site site;
    struct seen stream = {0}, collect = {0}, drop = {0};
    struct client client;

    (void)state;
    site_open(&site, NULL);
    site_route_with(&site, "POST /stream", PX_CONTENT_STREAM, 10, note_call, &stream);
    site_route_with(&site, "POST /collect", PX_CONTENT_COLLECT, 10, note_call, &collect);
    site_route_with(&site, "POST /drop", PX_CONTENT_DROP, 10, note_call, &drop);
    static const char *const names[] = {"stream", "collect", "drop"};
    struct seen *seens[] = {&stream, &collect, &drop};

    for (int index = 0; index < 3; index++) {
        char head[128];

        snprintf(head, sizeof(head), "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n",
                 names[index]);
        client_open(&client, &site);
        client_send(&client, px_str_of(head));
        pump_quietly(site.loop, 10);
        /* Before the content: only a streaming handler. */
        assert_int_equal(seens[index]->called, index == 0 ? 1 : 0);
        client_send(&client, LITERAL("0123456789"));
        client_expect(&client, &site, PLAIN("200 OK", "ok", "2"));
        assert_int_equal(seens[index]->called, 1);
        assert_int_equal(seens[index]->content_at_call, index == 1 ? 10 : 0);
        client_close(&client);
        /* Without content each is called. */
        snprintf(head, sizeof(head), "POST /%s HTTP/1.1\r\nHost: a\r\n\r\n", names[index]);
        site_exchange(&site, head, PLAIN("200 OK", "ok", "2"), CLIENT_OPEN);
        assert_int_equal(seens[index]->called, 2);
        /* Above the route's limit none is. */
        snprintf(head, sizeof(head), "POST /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
                 names[index]);
        client_open(&client, &site);
        client_send(&client, px_str_of(head));
        client_await_end(&client, &site);
        assert_memory_equal(client.text, "HTTP/1.1 413 ", 13);
        assert_int_equal(seens[index]->called, 2);
        client_close(&client);
    }
    site_close(&site);
}

/* What comes behind the answer has the limit of its route, be it above or below the site's. */
static void rest_of_content_has_the_limit_of_its_route(void **state)
{
    static const struct {
        uint64_t bytes_max;
        int chunks; /* of a KiB */
        bool goes_on;
    } cases[] = {{10, 0, true},    {10, 1, false}, {2048, 2, true},
                 {2048, 3, false}, {0, 1, false},  {8192, 8, true}};
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct seen seen = {0};

    (void)state;
    options.content_bytes_max = 100;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct client client;
        char chunk[1024 + 8];

        site_open(&site, &options);
        site_route_with(&site, "POST /now", PX_CONTENT_STREAM, cases[index].bytes_max, note_call,
                        &seen);
        client_open(&client, &site);
        client_send(&client, LITERAL("POST /now HTTP/1.1\r\nHost: a\r\n"
                                     "Transfer-Encoding: chunked\r\n\r\n"));
        client_await(&client, &site, 20);
        memset(chunk, 'x', sizeof(chunk));
        memcpy(chunk, "400\r\n", 5);
        memcpy(chunk + 5 + 1024, "\r\n", 2);
        for (int at = 0; at < cases[index].chunks; at++) {
            client_send(&client, px_str_make(chunk, 1024 + 7));
            pump_quietly(site.loop, 3);
        }
        client_send(&client, LITERAL("0\r\n\r\nPOST /now HTTP/1.1\r\nHost: a\r\n\r\n"));
        pump_quietly(site.loop, 10);
        client_pump(&client, &site);
        const char *second = strstr(client.text + 10, "HTTP/1.1 200");

        if ((second != NULL) != cases[index].goes_on)
            fail_msg("case %zu: %s", index, client.text);
        client_close(&client);
        site_close(&site);
    }
}

/* --- Middleware ------------------------------------------------------------------------------- */

struct gate {
    int how; /* 0: next, 1: answers, 2: later, then next, 3: later, then answers, 4: aborts */
    uint32_t runs;
    px_ref ref;
    bool waiting;
};

static px_verdict gate_run(px_exchange *exchange, void *context)
{
    struct gate *gate = context;

    gate->runs++;
    switch (gate->how) {
    case 1:
        px_respond_error(exchange, 403);
        return PX_STOP;
    case 2:
    case 3:
        gate->ref = px_exchange_ref(exchange);
        gate->waiting = true;
        return PX_STOP;
    case 4:
        px_exchange_abort(exchange);
        return PX_STOP;
    default:
        px_response_add_field(exchange, LITERAL("X-Gate"), LITERAL("open"));
        return PX_NEXT;
    }
}

static void gate_later(struct site *site, struct gate *gate)
{
    pump_until(site->loop, gate->waiting);
    gate->waiting = false;
    px_exchange *exchange = px_ref_get(&gate->ref);

    assert_non_null(exchange);
    if (gate->how == 2)
        px_exchange_next(exchange);
    else
        px_respond_error(exchange, 403);
    px_ref_release(&gate->ref);
}

static void middleware_stops_and_goes_on(void **state)
{
    struct site site;
    struct gate first = {0}, second = {0};
    struct seen stream = {0}, collect = {0};
    px_error error;

    (void)state;
    site_open(&site, NULL);
    site_route_with(&site, "POST /stream", PX_CONTENT_STREAM, 0, note_call, &stream);
    site_route_with(&site, "POST /collect", PX_CONTENT_COLLECT, 0, note_call, &collect);
    assert_int_equal(px_server_use(site.server, gate_run, &first, NULL, &error), PX_OK);
    assert_int_equal(px_server_use(site.server, gate_run, &second, NULL, &error), PX_OK);
    for (first.how = 0; first.how < 5; first.how++) {
        for (int shape = 0; shape < 4; shape++) {
            struct client client;
            char text[256];
            uint32_t called = stream.called + collect.called, ran = second.runs;

            snprintf(text, sizeof(text), "POST /%s HTTP/1.1\r\nHost: a\r\n%s",
                     shape & 1 ? "collect" : "stream",
                     shape & 2 ? "Content-Length: 4\r\n\r\nbody" : "\r\n");
            client_open(&client, &site);
            client_send(&client, px_str_of(text));
            if (first.how == 2 || first.how == 3)
                gate_later(&site, &first);
            if (first.how == 4) {
                client_await_end(&client, &site);
                assert_int_equal(client.state, CLIENT_RESET);
            } else {
                client_await(&client, &site, 30);
                assert_memory_equal(client.text, first.how % 2 ? "HTTP/1.1 403 " : "HTTP/1.1 200 ",
                                    13);
            }
            assert_int_equal(second.runs, ran + (first.how == 0 || first.how == 2));
            assert_int_equal(stream.called + collect.called,
                             called + (first.how == 0 || first.how == 2));
            if ((first.how == 0 || first.how == 2) && shape & 1)
                assert_int_equal(collect.content_at_call, shape & 2 ? 4 : 0);
            /* The connection goes on. */
            if (first.how == 0 || first.how == 2) {
                int how = first.how;

                client_forget(&client);
                first.how = 0;
                client_send(&client, LITERAL("POST /stream " HOST));
                client_expect(&client, &site,
                              "HTTP/1.1 200 OK\r\nX-Gate: open\r\nX-Gate: open\r\n"
                              "Content-Length: 2\r\n\r\nok");
                first.how = how;
            }
            client_close(&client);
        }
    }
    site_close(&site);
}

/* --- Later, and tunnels ----------------------------------------------------------------------- */

struct later {
    px_ref ref;
    uint32_t begun;
    uint32_t received;
    uint32_t ended;
    px_timer *timer;
};

static void later_answer(px_timer *timer, void *context)
{
    struct later *later = context;
    px_exchange *exchange = px_ref_get(&later->ref);

    assert_non_null(exchange);
    px_response_inform(exchange, 103, LITERAL("Link"), LITERAL("</x>"));
    px_respond(exchange, 200, no_type, LITERAL("later"));
    px_ref_release(&later->ref);
    px_timer_destroy(timer);
}

static void answer_by_timer(px_exchange *exchange, void *context)
{
    struct later *later = context;

    later->ref = px_exchange_ref(exchange);
    later->timer = px_timer_create(px_exchange_loop(exchange), later_answer, later);
    px_timer_start(later->timer, 10);
}

static void answered_from_a_timer(void **state)
{
    struct site site;
    struct later later = {.begun = 0};

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /", answer_by_timer, &later);
    site_exchange(&site, "GET / " HOST,
                  "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" PLAIN("200 OK", "later", "5"),
                  CLIENT_OPEN);
    site_close(&site);
}

static void tunnel_receive(px_exchange *exchange, px_str bytes, void *context)
{
    ((struct later *)context)->received += (uint32_t)bytes.len;
    px_response_write(exchange, bytes);
}

static void tunnel_end(px_exchange *exchange, void *context)
{
    ((struct later *)context)->ended++;
    px_response_write(exchange, LITERAL("bye"));
    px_response_end(exchange);
}

static const px_tunnel_callbacks tunnel_callbacks = {.struct_size = sizeof(px_tunnel_callbacks),
                                                     .on_receive = tunnel_receive,
                                                     .on_receive_end = tunnel_end};

static void open_now(px_exchange *exchange, void *context)
{
    px_respond_tunnel(exchange, LITERAL("echo"), &tunnel_callbacks, context);
}

static void open_later(px_exchange *exchange, void *context)
{
    struct later *later = context;

    later->ref = px_exchange_ref(exchange);
    later->begun++;
}

static void tunnels_now_and_later(void **state)
{
    (void)state;
    for (int late = 0; late < 2; late++) {
        struct site site;
        struct client client;
        struct later later = {.begun = 0};

        site_open(&site, NULL);
        site_route(&site, "GET /", late ? open_later : open_now, &later);
        client_open(&client, &site);
        /* Bytes of the tunnel may come with the request. */
        client_send(&client, LITERAL("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                                     "Upgrade: echo\r\n\r\nearly "));
        if (late) {
            pump_until(site.loop, later.begun == 1);
            pump_quietly(site.loop, 5);
            px_respond_tunnel(px_ref_get(&later.ref), LITERAL("echo"), &tunnel_callbacks, &later);
            px_ref_release(&later.ref);
        }
        client_expect(&client, &site,
                      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                      "Upgrade: echo\r\n\r\nearly ");
        client_forget(&client);
        client_send(&client, LITERAL("and on"));
        client_expect(&client, &site, "and on");
        shutdown(client.fd, SHUT_WR);
        client_await_end(&client, &site);
        assert_string_equal(client.text, "and onbye");
        assert_int_equal(client.state, CLIENT_ENDED);
        assert_int_equal(later.ended, 1);
        client_close(&client);
        site_close(&site);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_and_what_none_serves),
        cmocka_unit_test(no_spelling_goes_round_a_route),
        cmocka_unit_test(content_modes_and_limits_by_route),
        cmocka_unit_test(rest_of_content_has_the_limit_of_its_route),
        cmocka_unit_test(middleware_stops_and_goes_on),
        cmocka_unit_test(answered_from_a_timer),
        cmocka_unit_test(tunnels_now_and_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
