/*
 * Routes that are taken out of a site that is served: the next request does not find them, what has
 * begun goes on, and contexts are released with the site.
 */
#include <string.h>

#include "unit/server/client.h"

#define ASK(path) "GET " path " HTTP/1.1\r\nHost: a.test\r\n\r\n"
#define SAID(text, length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" text
#define IS_GONE ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", "")

static void say(px_exchange *exchange, void *context)
{
    px_respond(exchange, 200, px_str_of(NULL), px_str_of(context));
}

static void count_release(void *context)
{
    *(uint32_t *)context += 1;
}

static void ask_is(const struct site *site, const char *path, const char *expected)
{
    char request[64];

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", path);
    site_exchange(site, request, expected, CLIENT_OPEN);
}

static void what_is_left_answers(void **state)
{
    static char all[] = "all", one[] = "one", named[] = "named";
    struct site site;
    px_error error;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "/", say, all);
    site_route(&site, "GET /users/{id}", say, one);
    site_route(&site, "GET /users/me", say, named);
    ask_is(&site, "/users/me", SAID("named", "5"));
    assert_int_equal(px_server_unroute(site.server, "GET /users/me", &error), PX_OK);
    ask_is(&site, "/users/me", SAID("one", "3"));
    assert_int_equal(px_server_unroute(site.server, "GET /users/{name}", &error), PX_OK);
    ask_is(&site, "/users/me", SAID("all", "3"));
    assert_int_equal(px_server_unroute(site.server, "GET /users/{id}", &error), PX_ERR_NOT_FOUND);
    assert_string_equal(error.text, "there is no route \"GET /users/{id}\"");
    assert_int_equal(px_server_unroute(site.server, "users", &error), PX_ERR_INVALID);
    assert_int_equal(px_server_unroute(site.server, NULL, &error), PX_ERR_INVALID);
    assert_int_equal(px_server_unroute(site.server, "/", NULL), PX_OK);
    ask_is(&site, "/users/me", IS_GONE);
    site_route(&site, "GET /users/me", say, named); /* in its place again */
    ask_is(&site, "/users/me", SAID("named", "5"));
    assert_int_equal(px_server_unroute(site.server, "GET /users/me", &error), PX_OK);
    site_route(&site, "/", say, all); /* alone, it is not even looked up */
    ask_is(&site, "/users/me", SAID("all", "3"));
    assert_int_equal(px_server_unroute(site.server, "/", &error), PX_OK);
    ask_is(&site, "/users/me", IS_GONE);
    site_close(&site);
}

/* --- While exchanges are in it ---------------------------------------------------------------- */

struct waiting {
    px_exchange *exchange;
    uint32_t released;
};

static void wait_for_it(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks none = {.struct_size = sizeof(none)};
    struct waiting *waiting = context;

    px_exchange_set_callbacks(exchange, &none, NULL);
    waiting->exchange = exchange;
}

static void release_waiting(void *context)
{
    struct waiting *waiting = context;

    waiting->released++;
}

static void what_has_begun_goes_on(void **state)
{
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    struct waiting waiting = {NULL, 0};
    struct client client;
    struct site site;
    px_error error;

    (void)state;
    site_open(&site, NULL);
    options.release = release_waiting;
    assert_int_equal(
        px_server_route_with(site.server, "/wait/{id}", &options, wait_for_it, &waiting, &error),
        PX_OK);
    client_open(&client, &site);
    client_send(&client, px_str_of(ASK("/wait/7")));
    while (!waiting.exchange)
        client_pump(&client, &site);
    assert_int_equal(px_server_unroute(site.server, "/wait/{id}", &error), PX_OK);
    ask_is(&site, "/wait/7", IS_GONE);
    assert_int_equal(waiting.released, 0);
    assert_string_equal(px_request_pattern(waiting.exchange), "/wait/{id}");
    px_respond(waiting.exchange, 200, px_str_of(NULL), px_request_param(waiting.exchange, "id"));
    client_expect(&client, &site, SAID("7", "1"));
    client_forget(&client);
    client_send(&client, px_str_of(ASK("/wait/7"))); /* the same head again, on the connection */
    client_expect(&client, &site, IS_GONE);
    client_close(&client);
    site_close(&site);
    assert_int_equal(waiting.released, 1);
}

static void leave(px_exchange *exchange, void *context)
{
    px_error error;

    assert_int_equal(px_host_unroute(context, "GET /once", &error), PX_OK);
    px_respond(exchange, 200, px_str_of(NULL), px_str_of("once"));
}

static void of_a_site_that_is_served(void **state)
{
    static const char *const names[] = {"*"};
    static char hello[] = "hello";
    px_site *served = px_site_create(NULL, NULL);
    uint32_t released = 0;
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    px_group *group;
    px_host *host;
    struct site site;
    px_error error;

    (void)state;
    site_open(&site, NULL);
    assert_non_null(served);
    assert_int_equal(px_site_host(served, names, 1, NULL, &host, &error), PX_OK);
    assert_int_equal(px_host_route(host, "GET /once", NULL, leave, host, &error), PX_OK);
    options.release = count_release;
    assert_int_equal(px_host_route(host, "/b", &options, say, &released, &error), PX_OK);
    assert_int_equal(px_host_group(host, "/api", NULL, &group, &error), PX_OK);
    assert_int_equal(px_group_route(group, "GET /a", NULL, say, hello, &error), PX_OK);
    assert_int_equal(px_group_route(group, "GET /c", NULL, say, hello, &error), PX_OK);
    assert_int_equal(px_server_set_site(site.server, served, &error), PX_OK);
    px_site_destroy(served);
    ask_is(&site, "/once", SAID("once", "4"));
    ask_is(&site, "/once", IS_GONE);
    ask_is(&site, "/api/a", SAID("hello", "5"));
    assert_int_equal(px_group_unroute(group, "GET /a", &error), PX_OK);
    ask_is(&site, "/api/a", IS_GONE);
    ask_is(&site, "/api/c", SAID("hello", "5"));
    assert_int_equal(px_group_unroute(group, "GET a", &error), PX_ERR_INVALID);
    assert_int_equal(px_host_unroute(host, "/b", &error), PX_OK);
    assert_int_equal(px_host_unroute(NULL, "/b", &error), PX_ERR_CLOSED);
    assert_int_equal(px_server_unroute(site.server, "/b", &error), PX_ERR_CLOSED);
    assert_int_equal(released, 0);
    site_close(&site);
    assert_int_equal(released, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_answers),
        cmocka_unit_test(what_has_begun_goes_on),
        cmocka_unit_test(of_a_site_that_is_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
