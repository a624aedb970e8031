/*
 * Sites: hosts, routes and their rules over a connection, one in place of another, who holds what
 * for how long, and each allocation failing.
 */
#include "server/site/site.h"

#include <string.h>
#include <sys/socket.h>

#include "unit/server/client.h"

#define ASK(path, host) "GET " path " HTTP/1.1\r\nHost: " host "\r\n\r\n"
#define PLAIN(text, length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" text

static const px_str no_type = {NULL, 0};

static void name_of_route(px_exchange *exchange, void *context)
{
    px_respond(exchange, 200, no_type, px_str_of(context));
}

static void count_release(void *context)
{
    *(uint32_t *)context += 1;
}

static px_site *make_site(void)
{
    px_error error;
    px_site *made = px_site_create(NULL, &error);

    if (!made)
        fail_msg("%s", error.text);
    return made;
}

static px_host *make_host(px_site *site, const char *name, const px_host_options *options)
{
    px_error error;
    px_host *host = NULL;

    if (px_site_host(site, &name, 1, options, &host, &error) != PX_OK)
        fail_msg("%s", error.text);
    return host;
}

static void make_route(px_host *host, const char *pattern, const px_route_options *options,
                       px_handler handler, void *context)
{
    px_error error;

    if (px_host_route(host, pattern, options, handler, context, &error) != PX_OK)
        fail_msg("%s", error.text);
}

static void serve(struct site *site, px_site *served)
{
    px_error error;

    assert_int_equal(px_server_set_site(site->server, served, &error), PX_OK);
}

/* --- Hosts and routes ------------------------------------------------------------------------- */

static void a_request_goes_by_its_host(void **state)
{
    static char one[] = "one", sub[] = "sub";
    struct site site;
    px_site *served = make_site();
    px_error error;

    (void)state;
    site_open(&site, NULL);
    make_route(make_host(served, "one.test", NULL), "GET /", NULL, name_of_route, one);
    make_route(make_host(served, "*.one.test", NULL), "GET /{$}", NULL, name_of_route, sub);
    serve(&site, served);
    px_site_destroy(served);
    site_exchange(&site, ASK("/", "ONE.test:80"), PLAIN("one", "3"), CLIENT_OPEN);
    site_exchange(&site, ASK("/", "a.b.one.test"), PLAIN("sub", "3"), CLIENT_OPEN);
    site_exchange(&site, ASK("/x", "a.one.test"),
                  ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""), CLIENT_OPEN);
    site_exchange(&site, ASK("/", "two.test"),
                  ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""), CLIENT_OPEN);
    site_exchange(&site, "OPTIONS * HTTP/1.1\r\nHost: one.test\r\n\r\n", PLAIN("", "0"),
                  CLIENT_OPEN);
    site_exchange(&site, "OPTIONS /x HTTP/1.1\r\nHost: two.test\r\n\r\n",
                  ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""), CLIENT_OPEN);
    /* Its own site has gone. */
    assert_int_equal(px_server_route(site.server, "/", name_of_route, one, &error), PX_ERR_CLOSED);
    site_close(&site);
}

static void listeners_have_hosts_of_their_own(void **state)
{
    static char first[] = "first", second[] = "second";
    static const uint32_t tags[] = {7};
    px_host_options options = PX_HOST_OPTIONS_DEFAULT;
    px_serve_options how = PX_SERVE_OPTIONS_DEFAULT;
    px_listen_options listen = PX_LISTEN_OPTIONS_DEFAULT;
    struct site site, other;
    px_site *served = make_site();
    px_error error;

    (void)state;
    site_open(&site, NULL);
    listen.defer_accept_s = PX_OFF;
    px_listener *listener = px_listener_open("127.0.0.1:0", &listen, &error);

    how.tag = 70000;
    assert_int_equal(px_server_serve_with(site.server, listener, &how, &error), PX_ERR_INVALID);
    how.tag = 7;
    assert_int_equal(px_server_serve_with(site.server, listener, &how, &error), PX_OK);
    other = site;
    snprintf(other.address, sizeof(other.address), "%s", px_listener_address(listener));
    options.listeners = tags;
    options.listener_count = 1;
    make_route(make_host(served, "a.test", &options), "/", NULL, name_of_route, second);
    options.listeners = (const uint32_t[]){0, 8};
    options.listener_count = 2;
    make_route(make_host(served, "a.test", &options), "/", NULL, name_of_route, first);
    serve(&site, served);
    px_site_destroy(served);
    site_exchange(&site, ASK("/", "a.test"), PLAIN("first", "5"), CLIENT_OPEN);
    site_exchange(&other, ASK("/", "a.test"), PLAIN("second", "6"), CLIENT_OPEN);
    site_close(&site);
}

static void what_conflicts_names_both(void **state)
{
    static char none[] = "";
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    px_site *served = make_site();
    px_host *host = make_host(served, "a.test", NULL), *more = NULL;
    const char *names[] = {"b.test", "A.TEST"};
    uint32_t released = 0;
    px_middleware_use uses[] = {{NULL, &released, count_release}};
    px_error error;

    (void)state;
    options.release = count_release;
    make_route(host, "GET /a/{x}", &options, name_of_route, &released);
    assert_int_equal(px_host_route(host, "GET /{y}/b", &options, name_of_route, &released, &error),
                     PX_ERR_CONFLICT);
    assert_non_null(strstr(error.text, "GET /a/{x}"));
    assert_non_null(strstr(error.text, "GET /{y}/b"));
    assert_int_equal(released, 1);
    options.middleware = uses;
    options.middleware_count = 1;
    assert_int_equal(px_host_route(host, "/m", &options, name_of_route, &released, &error),
                     PX_ERR_INVALID);
    assert_int_equal(released, 3);
    assert_int_equal(px_site_host(served, names, 2, NULL, &more, &error), PX_ERR_CONFLICT);
    assert_null(more);
    assert_int_equal(px_host_route(host, "/n", NULL, NULL, none, &error), PX_ERR_INVALID);
    assert_int_equal(px_host_use(host, NULL, &released, count_release, &error), PX_ERR_INVALID);
    assert_int_equal(px_host_filter(host, NULL, &released, count_release, &error), PX_ERR_INVALID);
    assert_int_equal(released, 5);
    px_site_destroy(served);
    assert_int_equal(released, 6);
    px_site_destroy(NULL);
}

static void a_route_is_found_without_a_request(void **state)
{
    static char root[] = "root", put[] = "put";
    static const struct {
        const char *method;
        const char *host;
        const char *path;
        const char *context;
        unsigned status;
    } cases[] = {
        {"GET", "a.test", "/x", "root", 0},     {"HEAD", "A.test:1", "/x", "root", 0},
        {"PUT", "a.test", "/x", "put", 0},      {"POST", "a.test", "/x", NULL, 405},
        {"OPTIONS", "a.test", "/x", NULL, 204}, {"OPTIONS", "a.test", "*", NULL, 200},
        {"GET", "a.test", "/y", NULL, 404},     {"GET", "b.test", "/x", NULL, 404},
        {"GET", "a.test", "/z", NULL, 301},     {"POST", "a.test", "/q/../x", NULL, 308},
        {"CONNECT", "a.test", "/x", NULL, 405},
    };
    px_site *served = make_site();
    px_host *host = make_host(served, "a.test", NULL);

    (void)state;
    make_route(host, "GET /x", NULL, name_of_route, root);
    make_route(host, "PUT /x", NULL, name_of_route, put);
    make_route(host, "GET /z/", NULL, name_of_route, root);
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 11);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        void *context = NULL;
        unsigned status = 1;
        px_err err =
            px_site_find(served, 0, px_str_of(cases[index].method), px_str_of(cases[index].host),
                         px_str_of(cases[index].path), &context, &status);

        assert_int_equal(err, cases[index].context ? PX_OK : PX_ERR_NOT_FOUND);
        assert_int_equal(status, cases[index].status);
        if (cases[index].context)
            assert_string_equal(context, cases[index].context);
    }
    px_site_destroy(served);
}

/* --- Rules ------------------------------------------------------------------------------------ */

/* Writes its letter down, and at "w" waits for a later px_exchange_next. */
struct trace {
    char seen[32];
    px_exchange *waiting;
};

struct mark {
    struct trace *trace;
    char letter;
};

static px_verdict mark_run(px_exchange *exchange, void *context)
{
    const struct mark *mark = context;
    size_t len = strlen(mark->trace->seen);

    mark->trace->seen[len] = mark->letter;
    mark->trace->seen[len + 1] = '\0';
    if (mark->letter != 'w')
        return PX_NEXT;
    mark->trace->waiting = exchange;
    return PX_STOP;
}

static int mark_filter(px_exchange *exchange, void *context, void **out_state)
{
    (void)out_state;
    mark_run(exchange, context);
    return 0;
}

static const px_filter filter = {.struct_size = sizeof(filter), .on_head = mark_filter};

static void answer_trace(px_exchange *exchange, void *context)
{
    struct trace *trace = context;

    px_respond(exchange, 200, no_type, px_str_of(trace->seen));
}

static void error_page(px_exchange *exchange, unsigned status, void *context)
{
    px_respond(exchange, status, no_type, px_str_of(context));
}

static void chains_run_from_the_site_to_the_route_and_back(void **state)
{
    struct trace trace = {{0}, NULL};
    struct mark marks[8];
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    px_site *served = make_site();
    px_host *host = make_host(served, "*", NULL);
    px_error error;

    (void)state;
    for (size_t index = 0; index < 8; index++)
        marks[index] = (struct mark){&trace, "shrwSHRX"[index]};
    px_middleware_use uses[] = {{mark_run, &marks[2], NULL}, {mark_run, &marks[3], NULL}};
    px_filter_use filters[] = {{&filter, &marks[6], NULL}};

    options.middleware = uses;
    options.middleware_count = 2;
    options.filters = filters;
    options.filter_count = 1;
    make_route(host, "/r", &options, answer_trace, &trace);
    make_route(host, "/plain", NULL, answer_trace, &trace);
    assert_int_equal(px_site_use(served, mark_run, &marks[0], NULL, &error), PX_OK);
    assert_int_equal(px_host_use(host, mark_run, &marks[1], NULL, &error), PX_OK);
    assert_int_equal(px_site_filter(served, &filter, &marks[4], NULL, &error), PX_OK);
    assert_int_equal(px_host_filter(host, &filter, &marks[5], NULL, &error), PX_OK);
    site_open(&site, NULL);
    serve(&site, served);
    assert_int_equal(px_site_use(served, mark_run, &marks[0], NULL, &error), PX_ERR_CLOSED);
    assert_int_equal(px_host_use(host, mark_run, &marks[0], NULL, &error), PX_ERR_CLOSED);
    assert_int_equal(px_site_host(served, NULL, 0, NULL, &host, &error), PX_ERR_CLOSED);
    px_site_destroy(served);
    site_exchange(&site, ASK("/plain", "a"), PLAIN("sh", "2"), CLIENT_OPEN);
    assert_string_equal(trace.seen, "shHS");
    trace.seen[0] = '\0';
    client_open(&client, &site);
    client_send(&client, LITERAL(ASK("/r", "a")));
    while (!trace.waiting)
        client_pump(&client, &site);
    assert_string_equal(trace.seen, "shrw");
    px_exchange_next(trace.waiting);
    client_expect(&client, &site, PLAIN("shrw", "4"));
    assert_string_equal(trace.seen, "shrwRHS");
    client_close(&client);
    site_close(&site);
}

static void limits_and_error_pages_are_those_of_the_route(void **state)
{
    static char of_site[] = "site", of_host[] = "host", of_route[] = "route";
    px_site_options site_options = PX_SITE_OPTIONS_DEFAULT;
    px_host_options host_options = PX_HOST_OPTIONS_DEFAULT;
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT, collect = options;
    struct site site;
    px_error error;

    (void)state;
    site_options.on_error_page = error_page;
    site_options.error_page_context = of_site;
    site_options.content_bytes_max = 3;
    px_site *served = px_site_create(&site_options, &error);

    host_options.on_error_page = error_page;
    host_options.error_page_context = of_host;
    host_options.content_bytes_max = 5;
    px_host *host = make_host(served, "a", &host_options);

    options.on_error_page = error_page;
    options.error_page_context = of_route;
    options.content_bytes_max = 7;
    options.content_mode = collect.content_mode = PX_CONTENT_COLLECT;
    make_route(host, "POST /r", &options, name_of_route, of_route);
    make_route(host, "POST /h", &collect, name_of_route, of_host);
    make_route(make_host(served, "b", NULL), "POST /s", &collect, name_of_route, of_site);
    site_open(&site, NULL);
    serve(&site, served);
    px_site_destroy(served);

#define POST(path, host, length) \
    "POST " path " HTTP/1.1\r\nHost: " host "\r\nContent-Length: " length "\r\n\r\n"
#define TOO_LARGE(text, length)                               \
    "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n" \
    "Content-Length: " length "\r\n\r\n" text
    site_exchange(&site, POST("/r", "a", "8"), TOO_LARGE("route", "5"), CLIENT_ENDED);
    site_exchange(&site, POST("/r", "a", "7") "1234567", PLAIN("route", "5"), CLIENT_OPEN);
    site_exchange(&site, POST("/h", "a", "6"), TOO_LARGE("host", "4"), CLIENT_ENDED);
    site_exchange(&site, POST("/h", "a", "5") "12345", PLAIN("host", "4"), CLIENT_OPEN);
    site_exchange(&site, POST("/s", "b", "4"), TOO_LARGE("site", "4"), CLIENT_ENDED);
    site_exchange(&site, POST("/s", "b", "3") "123", PLAIN("site", "4"), CLIENT_OPEN);
    site_exchange(&site, ASK("/", "c"), "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nsite",
                  CLIENT_OPEN);
    site_exchange(&site, ASK("/", "a"), "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nhost",
                  CLIENT_OPEN);
    site_close(&site);
}

enum { KEPT_LINES_BYTES = 32768 };

static void keep_lines(px_str lines, void *context)
{
    char *text = context;
    size_t len = strlen(text);

    assert_true(len + lines.len < KEPT_LINES_BYTES);
    memcpy(text + len, lines.ptr, lines.len);
    text[len + lines.len] = '\0';
}

static void the_access_log_goes_by_host_and_route(void **state)
{
    static char text[] = "x";
    static char lines[KEPT_LINES_BYTES];
    px_server_options server_options = PX_SERVER_OPTIONS_DEFAULT;
    px_site_options site_options = PX_SITE_OPTIONS_DEFAULT;
    px_host_options host_options = PX_HOST_OPTIONS_DEFAULT;
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    struct site site;
    px_error error;

    (void)state;
    lines[0] = '\0';
    server_options.on_log = keep_lines;
    server_options.log_context = lines;
    site_options.log_format = PX_LOG_COMBINED;
    px_site *served = px_site_create(&site_options, &error);
    px_host *host = make_host(served, "a", NULL);

    options.no_log = 1;
    make_route(host, "/quiet", &options, name_of_route, text);
    make_route(host, "/loud", NULL, name_of_route, text);
    host_options.log_format = PX_OFF;
    make_route(make_host(served, "off", &host_options), "/", NULL, name_of_route, text);
    host_options.log_format = PX_LOG_JSON;
    make_route(make_host(served, "json", &host_options), "/", NULL, name_of_route, text);
    site_open(&site, &server_options);
    serve(&site, served);
    px_site_destroy(served);
    site_exchange(&site, ASK("/quiet", "a"), PLAIN("x", "1"), CLIENT_OPEN);
    site_exchange(&site, ASK("/loud", "a"), PLAIN("x", "1"), CLIENT_OPEN);
    site_exchange(&site, ASK("/nothing", "off"), PLAIN("x", "1"), CLIENT_OPEN);
    site_exchange(&site, ASK("/object", "json"), PLAIN("x", "1"), CLIENT_OPEN);
    pump_quietly(site.loop, 3);
    assert_null(strstr(lines, "/quiet"));
    assert_non_null(strstr(lines, "\"GET /loud HTTP/1.1\" 200"));
    assert_null(strstr(lines, "/nothing"));
    assert_non_null(strstr(lines, "\"target\":\"/object\""));
    site_close(&site);
}

/* A host's lines go its own way, also where the server has none, and also once its site has gone.
 */
static void lines_go_their_own_way(void **state)
{
    static char text[] = "x";
    static char own[KEPT_LINES_BYTES], other[KEPT_LINES_BYTES];

    (void)state;
    for (int has_server = 0; has_server < 2; has_server++) {
        px_server_options server_options = PX_SERVER_OPTIONS_DEFAULT;
        px_site_options site_options = PX_SITE_OPTIONS_DEFAULT;
        px_host_options host_options = PX_HOST_OPTIONS_DEFAULT;
        px_route_options route_options = PX_ROUTE_OPTIONS_DEFAULT;
        px_log_options log = PX_LOG_OPTIONS_DEFAULT;
        struct site site;
        px_error error;

        own[0] = other[0] = '\0';
        if (has_server) {
            server_options.on_log = keep_lines;
            server_options.log_context = other;
        }
        site_options.log_format = PX_LOG_COMBINED;
        px_site *served = px_site_create(&site_options, &error);

        log.on_log = keep_lines;
        log.context = own;
        host_options.log = &log;
        px_host *host = make_host(served, "a", &host_options);

        make_route(host, "/plain", NULL, name_of_route, text);
        log = PX_LOG_OPTIONS_DEFAULT;
        log.format = PX_LOG_JSON;
        route_options.log = &log;
        make_route(host, "/json", &route_options, name_of_route, text);
        log.format = PX_OFF;
        make_route(host, "/off", &route_options, name_of_route, text);
        log.format = PX_LOG_REQUEST;
        assert_int_equal(px_host_route(host, "/r", &route_options, name_of_route, text, &error),
                         PX_ERR_INVALID);
        log.format = PX_LOG_TEMPLATE;
        assert_int_equal(px_host_route(host, "/t", &route_options, name_of_route, text, &error),
                         PX_ERR_INVALID);
        make_route(make_host(served, "b", NULL), "/", NULL, name_of_route, text);
        site_open(&site, &server_options);
        serve(&site, served);
        px_site_destroy(served);
        site_exchange(&site, ASK("/plain", "a") ASK("/b", "b") ASK("/json", "a") ASK("/off", "a"),
                      PLAIN("x", "1") PLAIN("x", "1") PLAIN("x", "1") PLAIN("x", "1"), CLIENT_OPEN);
        served = make_site();
        serve(&site, served);
        px_site_destroy(served);
        pump_quietly(site.loop, 3);
        assert_non_null(strstr(own, "\"GET /plain HTTP/1.1\" 200"));
        assert_non_null(strstr(own, "\"target\":\"/json\""));
        assert_null(strstr(own, "/b"));
        assert_null(strstr(own, "/off"));
        assert_int_equal(strstr(other, "GET /b ") != NULL, has_server);
        assert_null(strstr(other, "/plain"));
        site_close(&site);
    }
}

/* One line in so many by chance, errors beside them or as the rest. */
static void the_access_log_is_sampled(void **state)
{
    enum { ROUNDS = 200 };
    static const struct {
        uint32_t sample;
        uint32_t errors;
        bool has_answers; /* some, not all */
        bool has_errors;
    } cases[] = {{1000000000, 0, false, false}, {1000000000, 1, false, true}, {2, 1, true, true}};
    static char text[] = "x";
    static char lines[KEPT_LINES_BYTES];
    px_server_options server_options = PX_SERVER_OPTIONS_DEFAULT;

    (void)state;
    server_options.on_log = keep_lines;
    server_options.log_context = lines;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_site_options options = PX_SITE_OPTIONS_DEFAULT;
        struct client client;
        struct site site;
        px_error error;
        uint32_t count = 0;

        lines[0] = '\0';
        options.log_format = PX_LOG_COMBINED;
        options.log_sample = cases[index].sample;
        options.log_errors = cases[index].errors;
        px_site *served = px_site_create(&options, &error);

        make_route(make_host(served, "a", NULL), "/", NULL, name_of_route, text);
        site_open(&site, &server_options);
        serve(&site, served);
        px_site_destroy(served);
        client_open(&client, &site);
        for (uint32_t round = 0; round < ROUNDS; round++)
            client_send(&client, px_str_of(ASK("/", "a")));
        client_send(&client, px_str_of(ASK("/", "other")));
        client_send(&client, LITERAL("BAD\r\n\r\n"));
        client_await_end(&client, &site);
        client_close(&client);
        pump_until(site.loop, site_counters(&site).open == 0);
        for (const char *at = lines; (at = strstr(at, "\" 200 ")) != NULL; at++)
            count++;
        assert_true(cases[index].has_answers ? count > 0 && count < ROUNDS : count == 0);
        assert_true(cases[index].has_errors == (strstr(lines, "\" 404 ") != NULL));
        assert_true(cases[index].has_errors == (strstr(lines, "\"BAD\" 400 ") != NULL));
        site_close(&site);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 3);
}

/* --- One in place of another ------------------------------------------------------------------ */

/* An exchange that waits, and what was released of its site. */
struct held {
    px_exchange *exchange;
    uint32_t released;
};

static void hold(px_exchange *exchange, void *context)
{
    ((struct held *)context)->exchange = exchange;
}

static px_verdict hold_before(px_exchange *exchange, void *context)
{
    hold(exchange, context);
    return PX_STOP;
}

static void count_held(void *context)
{
    ((struct held *)context)->released++;
}

/* "/" answers by name; "/wait" waits in its handler, "/before" in a middleware. */
static px_site *site_of_name(char *name, struct held *held)
{
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    px_middleware_use before = {hold_before, held, NULL};
    px_site *served = make_site();
    px_host *host = make_host(served, "*", NULL);

    make_route(host, "/{$}", NULL, name_of_route, name);
    options.release = count_held;
    make_route(host, "/wait", &options, hold, held);
    options.release = NULL;
    options.middleware = &before;
    options.middleware_count = 1;
    make_route(host, "/before", &options, name_of_route, name);
    return served;
}

static void an_exchange_keeps_its_site(void **state)
{
    static const char *const paths[] = {ASK("/wait", "a"), ASK("/before", "a")};
    static char old_name[] = "old", new_name[] = "new";

    (void)state;
    for (size_t index = 0; index < 2; index++) {
        struct held old = {NULL, 0}, new = {NULL, 0};
        struct site site;
        struct client client;
        px_site *first = site_of_name(old_name, &old), *second = site_of_name(new_name, &new);

        site_open(&site, NULL);
        serve(&site, first);
        px_site_destroy(first);
        client_open(&client, &site);
        client_send(&client, px_str_of(paths[index]));
        while (!old.exchange)
            client_pump(&client, &site);
        serve(&site, second);
        site_exchange(&site, ASK("/", "a"), PLAIN("new", "3"), CLIENT_OPEN);
        assert_int_equal(old.released, 0);
        if (index == 0)
            px_respond(old.exchange, 200, no_type, LITERAL("old"));
        else
            px_exchange_next(old.exchange);
        client_expect(&client, &site, PLAIN("old", "3"));
        pump_quietly(site.loop, 2);
        assert_int_equal(old.released, 1);
        /* The connection lives on, and is the new site's. */
        client_forget(&client);
        client_send(&client, LITERAL(ASK("/", "a")));
        client_expect(&client, &site, PLAIN("new", "3"));
        client_close(&client);
        site_close(&site);
        assert_int_equal(new.released, 0);
        px_site_destroy(second);
        assert_int_equal(new.released, 1);
    }
}

static void a_site_goes_with_a_cut_short_exchange(void **state)
{
    static char old_name[] = "old", new_name[] = "new";
    struct held old = {NULL, 0}, new = {NULL, 0};
    struct site site;
    struct client client;
    px_site *first = site_of_name(old_name, &old), *second = site_of_name(new_name, &new);

    (void)state;
    site_open(&site, NULL);
    serve(&site, first);
    px_site_destroy(first);
    client_open(&client, &site);
    client_send(&client, LITERAL(ASK("/wait", "a")));
    while (!old.exchange)
        client_pump(&client, &site);
    serve(&site, second);
    px_site_destroy(second);
    assert_int_equal(old.released, 0);
    setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
               sizeof(struct linger)); /* a reset: an end would be no departure */
    client_close(&client);
    for (int round = 0; round < 100 && old.released == 0; round++)
        assert_int_equal(px_loop_wait(site.loop, 20, NULL), PX_OK);
    assert_int_equal(old.released, 1);
    site_close(&site);
    assert_int_equal(new.released, 1);
}

/* Serves another site from inside a handler: this answer is of the old one, which ends with the
 * tick; what is behind it on the same connection is of the new one. */
struct swap {
    px_server *server;
    px_site *next;
    uint32_t *released;
    uint32_t released_inside;
};

static void swap_now(px_exchange *exchange, void *context)
{
    struct swap *swap = context;
    px_error error;

    assert_int_equal(px_server_set_site(swap->server, swap->next, &error), PX_OK);
    px_site_destroy(swap->next);
    px_respond(exchange, 200, no_type, LITERAL("swapped"));
    swap->released_inside = *swap->released;
}

static void a_handler_may_serve_another_site(void **state)
{
    static char new_name[] = "new";
    struct held new = {NULL, 0};
    struct site site;
    uint32_t released = 0;
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    struct swap swap = {NULL, site_of_name(new_name, &new), &released, 0};
    px_error error;

    (void)state;
    site_open(&site, NULL);
    swap.server = site.server;
    options.release = count_release;
    assert_int_equal(
        px_server_route_with(site.server, "/", &options, name_of_route, &released, &error), PX_OK);
    assert_int_equal(px_server_route(site.server, "/swap", swap_now, &swap, &error), PX_OK);
    site_exchange(&site, ASK("/swap", "a") ASK("/", "a"), PLAIN("swapped", "7") PLAIN("new", "3"),
                  CLIENT_OPEN);
    assert_int_equal(swap.released_inside, 0);
    assert_int_equal(released, 1);
    site_close(&site);
    assert_int_equal(new.released, 1);
}

static void a_drain_ends_with_the_site_of_then(void **state)
{
    static char old_name[] = "old", new_name[] = "new";
    struct held old = {NULL, 0}, new = {NULL, 0};
    struct site site;
    struct client client;
    px_site *first = site_of_name(old_name, &old), *second = site_of_name(new_name, &new);

    (void)state;
    site_open(&site, NULL);
    serve(&site, first);
    px_site_destroy(first);
    client_open(&client, &site);
    client_send(&client, LITERAL(ASK("/wait", "a")));
    while (!old.exchange)
        client_pump(&client, &site);
    px_server_drain(site.server, 0, 0);
    serve(&site, second);
    px_site_destroy(second);
    pump_quietly(site.loop, 2);
    assert_int_equal(old.released, 0);
    px_respond(old.exchange, 200, no_type, LITERAL("old"));
    client_await_end(&client, &site);
    assert_string_equal(client.text,
                        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nold");
    client_close(&client);
    site_close(&site);
    assert_int_equal(old.released, 1);
    assert_int_equal(new.released, 1);
}

static void two_servers_serve_one_site(void **state)
{
    static char name[] = "both";
    struct held held = {NULL, 0};
    struct site one, two;
    px_site *served = site_of_name(name, &held);
    px_error error;

    (void)state;
    site_open(&one, NULL);
    site_open(&two, NULL);
    serve(&one, served);
    serve(&two, served);
    serve(&two, served);
    assert_int_equal(px_server_set_site(one.server, NULL, &error), PX_ERR_INVALID);
    px_site_destroy(served);
    site_exchange(&one, ASK("/", "a"), PLAIN("both", "4"), CLIENT_OPEN);
    site_close(&one);
    assert_int_equal(held.released, 0);
    site_exchange(&two, ASK("/", "a"), PLAIN("both", "4"), CLIENT_OPEN);
    site_close(&two);
    assert_int_equal(held.released, 1);
}

/* --- Times ------------------------------------------------------------------------------------ */

static void a_route_has_a_time_of_its_own(void **state)
{
    static char name[] = "x";
    struct held slow = {NULL, 0}, quick = {NULL, 0};
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    struct site site;
    struct client client, other;
    px_error error;

    (void)state;
    site_open(&site, NULL);
    options.total_timeout_ms = 1;
    assert_int_equal(px_server_route_with(site.server, "/quick", &options, hold, &quick, &error),
                     PX_OK);
    assert_int_equal(px_server_route(site.server, "/slow", hold, &slow, &error), PX_OK);
    assert_int_equal(px_server_route(site.server, "/", name_of_route, name, &error), PX_OK);
    client_open(&other, &site);
    client_send(&other, LITERAL(ASK("/slow", "a")));
    client_open(&client, &site);
    client_send(&client, LITERAL(ASK("/quick", "a")));
    client_await_end(&client, &site);
    assert_int_equal(site_counters(&site).timed_out, 1);
    assert_non_null(slow.exchange);
    px_respond(slow.exchange, 200, no_type, LITERAL("slow"));
    client_expect(&other, &site, PLAIN("slow", "4"));
    client_close(&client);
    client_close(&other);
    site_close(&site);
}

/* --- Failing allocations ---------------------------------------------------------------------- */

static void build(const px_allocator *allocator, void *context)
{
    static char name[] = "name";
    px_site_options options = PX_SITE_OPTIONS_DEFAULT;
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    uint32_t released = 0, given = 0;
    char host_name[32];
    px_error error;

    (void)context;
    options.allocator = allocator;
    px_site *served = px_site_create(&options, &error);

    if (!served) {
        assert_int_equal(error.code, PX_ERR_MEMORY);
        return;
    }
    px_middleware_use uses[] = {{mark_run, &released, count_release}};
    px_filter_use filters[] = {{&filter, &released, count_release}};

    route.release = count_release;
    route.middleware = uses;
    route.filters = filters;
    route.middleware_count = route.filter_count = 1;
    for (int index = 0; index < 40; index++) {
        const char *names[] = {host_name};
        px_host *host = NULL;

        snprintf(host_name, sizeof(host_name), "host%d.test", index);
        px_err err = px_site_host(served, names, 1, NULL, &host, &error);

        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        if (!host)
            continue;
        err = px_host_route(host, "/", &route, name_of_route, &released, &error);
        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        given += 3;
        err = px_host_use(host, mark_run, &released, count_release, &error);
        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        err = px_site_filter(served, &filter, &released, count_release, &error);
        assert_true(err == PX_OK || err == PX_ERR_MEMORY || err == PX_ERR_LIMIT);
        given += 2;
        void *found = name;
        unsigned status = 0;

        if (px_site_find(served, 0, px_str_of("GET"), px_str_of(host_name), px_str_of("/"), &found,
                         &status) == PX_OK)
            assert_ptr_equal(found, &released);
    }
    px_site_destroy(served);
    assert_int_equal(released, given);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("site", build, NULL) >= 10);
}

static void many_hosts_take_little(void **state)
{
    enum { HOSTS = 10000, BYTES_EACH = 1024 };
    static char name[] = "name";
    px_site *served = make_site();
    char host_name[32];

    (void)state;
    for (int index = 0; index < HOSTS; index++) {
        snprintf(host_name, sizeof(host_name), "host%d.example.org", index);
        make_route(make_host(served, host_name, NULL), "GET /{rest...}", NULL, name_of_route, name);
    }
    assert_true(served->arena.bytes_taken < HOSTS * BYTES_EACH);
    print_message("%d hosts: %u bytes each\n", HOSTS, served->arena.bytes_taken / HOSTS);
    px_site_destroy(served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_by_its_host),
        cmocka_unit_test(listeners_have_hosts_of_their_own),
        cmocka_unit_test(what_conflicts_names_both),
        cmocka_unit_test(a_route_is_found_without_a_request),
        cmocka_unit_test(chains_run_from_the_site_to_the_route_and_back),
        cmocka_unit_test(limits_and_error_pages_are_those_of_the_route),
        cmocka_unit_test(the_access_log_goes_by_host_and_route),
        cmocka_unit_test(the_access_log_is_sampled),
        cmocka_unit_test(an_exchange_keeps_its_site),
        cmocka_unit_test(a_site_goes_with_a_cut_short_exchange),
        cmocka_unit_test(a_handler_may_serve_another_site),
        cmocka_unit_test(a_drain_ends_with_the_site_of_then),
        cmocka_unit_test(two_servers_serve_one_site),
        cmocka_unit_test(a_route_has_a_time_of_its_own),
        cmocka_unit_test(lines_go_their_own_way),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(many_hosts_take_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
