/*
 * Requests that a middleware rewrites, and error pages that are another path of the host: from
 * where they may be asked for, what the page's handler sees, what becomes of the handler of before,
 * and that there is no second one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "unit/server/client.h"

#define HOST "HTTP/1.1\r\nHost: a\r\n\r\n"
#define PLAIN(status_line, text, length) \
    "HTTP/1.1 " status_line "\r\nContent-Length: " length "\r\n\r\n" text

static const px_str no_type = {NULL, 0};

struct house {
    const char *page; /* target of error pages; NULL: none */
    unsigned status;  /* of the page; 0: that of the error, UINT_MAX: its own */
    uint32_t asked;   /* how often a page was */
    px_err last;      /* what px_respond_from said */
    uint32_t ends;    /* of handlers that have failed */
    void *user_data;  /* as the last of them found it */
    uint32_t contents;
    px_timer *timer;
    px_exchange *later;
};

static void error_page(px_exchange *exchange, unsigned status, void *context)
{
    struct house *house = context;

    house->asked++;
    if (!house->page)
        return;
    house->last =
        px_respond_from(exchange, house->status ? house->status : status, px_str_of(house->page));
}

/* --- Handlers --------------------------------------------------------------------------------- */

/* What it was asked for: "GET /path?query content-length range". */
static void show(px_exchange *exchange, void *context)
{
    char text[256];
    px_str query = px_request_query(exchange), range = px_request_field(exchange, "Range");

    (void)context;
    snprintf(text, sizeof(text), "%s %s?%s %d %s", px_request_method(exchange).ptr,
             px_request_path(exchange).ptr, query.ptr ? query.ptr : "-",
             (int)px_request_content_length(exchange), range.ptr ? range.ptr : "-");
    px_respond(exchange, 200, no_type, px_str_of(text));
}

static void failing_content(px_exchange *exchange, px_str bytes, void *context)
{
    struct house *house = context;

    (void)exchange;
    (void)bytes;
    house->contents++;
}

static void failing_end(px_exchange *exchange, px_end end, void *context)
{
    struct house *house = context;

    assert_int_equal(end, PX_END_COMPLETE);
    house->ends++;
    house->user_data = px_exchange_user_data(exchange);
}

static const px_exchange_callbacks failing = {.struct_size = sizeof(px_exchange_callbacks),
                                              .on_content = failing_content,
                                              .on_end = failing_end};

static void fail_now(px_exchange *exchange, void *context)
{
    px_exchange_set_callbacks(exchange, &failing, context);
    px_exchange_set_user_data(exchange, context);
    px_response_add_field(exchange, LITERAL("X-Kept"), LITERAL("1"));
    px_respond_error(exchange, 503);
}

static void fail_timer(px_timer *timer, void *context)
{
    struct house *house = context;

    (void)timer;
    px_respond_error(house->later, 503);
}

static void fail_later(px_exchange *exchange, void *context)
{
    struct house *house = context;

    px_exchange_set_callbacks(exchange, &failing, context);
    px_exchange_set_user_data(exchange, context);
    px_response_add_field(exchange, LITERAL("X-Kept"), LITERAL("1"));
    house->later = exchange;
    house->timer = px_timer_create(px_exchange_loop(exchange), fail_timer, house);
    px_timer_start(house->timer, 1);
}

static void fail_again(px_exchange *exchange, void *context)
{
    (void)context;
    px_exchange_set_user_data(exchange, NULL);
    px_respond_error(exchange, 500);
}

static void answer_twice(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_error(exchange, 503);
    px_respond(exchange, 200, no_type, LITERAL("no"));
}

/* --- Error pages ------------------------------------------------------------------------------ */

static void house_open(struct site *site, struct house *house)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;

    memset(house, 0, sizeof(*house));
    options.on_error_page = error_page;
    options.error_page_context = house;
    site_open(site, &options);
    site_route(site, "GET /page", show, NULL);
    site_route_with(site, "GET /collected", PX_CONTENT_COLLECT, 0, show, NULL);
    site_route(site, "/now", fail_now, house);
    site_route(site, "/later", fail_later, house);
    site_route(site, "GET /again", fail_again, house);
    site_route(site, "/twice", answer_twice, house);
}

static void house_close(struct site *site, struct house *house)
{
    px_timer_destroy(house->timer);
    site_close(site);
}

static void pages_are_other_paths(void **state)
{
    static const struct {
        const char *page;
        unsigned status;
        const char *request;
        const char *answer;
        px_err last;
        uint32_t asked;
    } cases[] = {
        /* No route, wrong method, a handler now and later. */
        {"/page", 0, "GET /nowhere " HOST, PLAIN("404 Not Found", "GET /page?- 0 -", "15"), PX_OK,
         1},
        {"/page?e=404", 0, "HEAD /nowhere " HOST,
         "HTTP/1.1 404 Not Found\r\nContent-Length: 20\r\n\r\n", PX_OK, 1},
        {"/page", 0, "DELETE /page " HOST,
         "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD, OPTIONS\r\nContent-Length: "
         "15\r\n\r\n"
         "GET /page?- 0 -",
         PX_OK, 1},
        {"/page", 0, "GET /now " HOST,
         "HTTP/1.1 503 Service Unavailable\r\nX-Kept: 1\r\nContent-Length: 15\r\n\r\nGET /page?- 0 "
         "-",
         PX_OK, 1},
        {"/page", 0, "GET /later " HOST,
         "HTTP/1.1 503 Service Unavailable\r\nX-Kept: 1\r\nContent-Length: 15\r\n\r\nGET /page?- 0 "
         "-",
         PX_OK, 1},
        /* Content of before is not the page's; what follows it is read. */
        {"/page", 0,
         "POST /now HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET /page " HOST,
         "HTTP/1.1 503 Service Unavailable\r\nX-Kept: 1\r\nContent-Length: 15\r\n\r\nGET /page?- 0 "
         "-"
         "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nGET /page?- 0 -",
         PX_OK, 1},
        {"/collected", 0,
         "POST /later HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbodyGET /page " HOST,
         "HTTP/1.1 503 Service Unavailable\r\nX-Kept: 1\r\nContent-Length: 20\r\n\r\n"
         "GET /collected?- 0 -"
         "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\nGET /page?- 0 -",
         PX_OK, 1},
        /* Under a status: whole.  Under its own: as it was asked for. */
        {"/page", 0, "GET /nowhere HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n",
         PLAIN("404 Not Found", "GET /page?- 0 -", "15"), PX_OK, 1},
        {"/page", 200, "GET /nowhere " HOST, PLAIN("200 OK", "GET /page?- 0 -", "15"), PX_OK, 1},
        /* A page that is not there, or fails, or is no target: the line of text of the first. */
        {"/none", 0, "GET /nowhere " HOST,
         ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""), PX_ERR_LIMIT, 2},
        {"/again", 0, "GET /nowhere " HOST,
         ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""), PX_ERR_LIMIT, 2},
        {"/none", 200, "GET /nowhere " HOST,
         ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""), PX_ERR_LIMIT, 2},
        {"page", 0, "GET /nowhere " HOST, ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""),
         PX_ERR_INVALID, 1},
        {"/page", 199, "GET /nowhere " HOST,
         ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""), PX_ERR_INVALID, 1},
        {"/page", 0, "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", NULL, PX_ERR_INVALID, 1},
        /* A second answer is one. */
        {"/page", 0, "GET /twice " HOST, NULL, PX_OK, 1},
    };
    struct site site;
    struct house house;

    (void)state;
    assert_int_equal(ARRAY_COUNT(cases), 16);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        house_open(&site, &house);
        house.page = cases[index].page;
        house.status = cases[index].status;
        if (cases[index].answer) {
            site_exchange(&site, cases[index].request, cases[index].answer, CLIENT_OPEN);
        } else {
            struct client client;

            client_open(&client, &site);
            client_send(&client, px_str_of(cases[index].request));
            client_await(&client, &site, 20);
            pump_quietly(site.loop, 3);
            client_pump(&client, &site);
            assert_memory_equal(client.text,
                                cases[index].request[0] == 'C' ? "HTTP/1.1 405 " : "HTTP/1.1 500 ",
                                13);
            client_close(&client);
        }
        if (house.last != cases[index].last || house.asked != cases[index].asked)
            fail_msg("case %zu: %d, asked %u", index, (int)house.last, house.asked);
        /* The handler of before hears of the end, with what it has kept. */
        if (strstr(cases[index].request, "/now ") || strstr(cases[index].request, "/later")) {
            assert_int_equal(house.ends, 1);
            assert_ptr_equal(house.user_data, &house);
            /* Its content as far as it was there before it failed. */
            assert_true(house.contents <= (strstr(cases[index].request, "body") != NULL));
        }
        house_close(&site, &house);
    }
}

/* --- Rewriting -------------------------------------------------------------------------------- */

static px_verdict rewrite(px_exchange *exchange, void *context)
{
    char target[128];
    px_str path = px_request_raw_path(exchange);

    (void)context;
    if (px_request_set_field(exchange, LITERAL("Range"), LITERAL("bytes=1-")) != PX_OK ||
        px_request_set_client(exchange, LITERAL("192.0.2.7")) != PX_OK)
        return PX_STOP;
    if (path.len > 4 && memcmp(path.ptr, "/old", 4) == 0) {
        snprintf(target, sizeof(target), "/new%s?was=old", path.ptr + 4);
        if (px_request_rewrite(exchange, px_str_of(target)) != PX_OK)
            return PX_STOP;
    }
    return PX_NEXT;
}

static void show_name(px_exchange *exchange, void *context)
{
    char text[256];

    (void)context;
    snprintf(text, sizeof(text), "%s %s %s %s %s", px_request_param(exchange, "name").ptr,
             px_request_query(exchange).ptr, px_request_target(exchange).ptr,
             px_request_client(exchange).ptr, px_request_field(exchange, "range").ptr);
    px_respond(exchange, 200, no_type, px_str_of(text));
}

static void keep_line(px_str lines, void *context)
{
    snprintf(context, 256, "%.*s", (int)lines.len, lines.ptr);
}

static void a_middleware_rewrites(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    char line[256] = "";
    struct site site;
    px_error error;

    (void)state;
    options.log_format = PX_LOG_COMBINED;
    options.on_log = keep_line;
    options.log_context = line;
    site_open(&site, &options);
    site_route(&site, "GET /new/{name}", show_name, NULL);
    assert_int_equal(px_server_use(site.server, rewrite, NULL, NULL, &error), PX_OK);
    site_exchange(&site, "GET /old/%61 " HOST,
                  PLAIN("200 OK", "a was=old /old/%61 192.0.2.7 bytes=1-", "37"), CLIENT_OPEN);
    assert_memory_equal(line, "192.0.2.7 ", 10);
    assert_non_null(strstr(line, "\"GET /old/%61 HTTP/1.1\" 200 "));
    site_exchange(&site, "GET /old " HOST,
                  ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", ""), CLIENT_OPEN);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_other_paths),
        cmocka_unit_test(a_middleware_rewrites),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
