/*
 * Connections and servers that end in the middle of something: while another is being let go of,
 * in a drain, at a drain's deadline; and accepting that the kernel refuses for a moment.
 *
 * epoll_ctl is wrapped, and has no memory for a listener as often as the test says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/limits.h"
#include "unit/server/client.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define ONE ANSWER_TEXT("200 OK", "x", "1", "")

/* How many more times a listener is refused: wrapped functions have no context of their own. */
static int refusals;

int __real_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event);

int __wrap_epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    /* Only listeners are added so. */
    if (refusals > 0 && operation == EPOLL_CTL_ADD && (event->events & EPOLLEXCLUSIVE)) {
        refusals--;
        errno = ENOMEM;
        return -1;
    }
    return __real_epoll_ctl(epoll_fd, operation, fd, event);
}

static void one(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "x");
}

/* --- Accepting -------------------------------------------------------------------------------- */

static void keep(px_exchange *exchange, void *context)
{
    *(px_exchange **)context = exchange;
}

/* While many are being turned away nobody is accepted.  Then accepting goes on, but the kernel has
 * no memory for the listener at first: that is tried again, not given up. */
static void accepting_that_was_refused_goes_on(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_exchange *kept = NULL;
    struct site site;
    struct client first, next, silent[REFUSING_COUNT_MAX];

    (void)state;
    options.connections_max = 1;
    site_open(&site, &options);
    site_route(&site, "GET /{$}", one, NULL);
    site_route(&site, "GET /slow", keep, &kept);
    client_open(&first, &site);
    client_send(&first, px_str_of("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
    pump_until(site.loop, kept);
    for (int index = 0; index < REFUSING_COUNT_MAX; index++)
        client_open(&silent[index], &site);
    pump_until(site.loop, site_counters(&site).accepted == 1 + REFUSING_COUNT_MAX);
    refusals = 2;
    px_respond_text(kept, 200, "x");
    client_expect(&first, &site, ONE);
    client_close(&first);
    for (int index = 0; index < REFUSING_COUNT_MAX; index++)
        client_close(&silent[index]);
    client_open(&next, &site);
    client_send(&next, px_str_of(REQUEST));
    client_expect(&next, &site, ONE);
    assert_int_equal(refusals, 0);
    client_close(&next);
    site_close(&site);
}

/* --- One that takes another with it ----------------------------------------------------------- */

enum { LARGE_BYTES = 8 << 20 };

struct couple {
    px_exchange *exchanges[2];
    char *content;
    int count;
    int released;
};

struct partner {
    struct couple *couple;
    int index;
};

static void partner_release(void *context)
{
    struct partner *partner = context;
    struct couple *couple = partner->couple;
    px_exchange *other = couple->exchanges[!partner->index];

    couple->released++;
    couple->exchanges[partner->index] = NULL;
    if (other)
        px_exchange_abort(other);
    free(partner);
}

static void partner_answer(px_exchange *exchange, void *context)
{
    struct couple *couple = context;
    struct partner *partner = malloc(sizeof(*partner));

    assert_non_null(partner);
    *partner = (struct partner){couple, couple->count++};
    couple->exchanges[partner->index] = exchange;
    px_body body = {sizeof(px_body), px_str_make(couple->content, LARGE_BYTES), partner_release,
                    partner};

    px_respond_body(exchange, 200, px_str_of("a/b"), &body);
}

/* Of two answers in flight, the release of each gives the other up, as a hub does that drops who
 * listens.  Both connections are closing; nothing of them may be on the loop afterwards. */
static void release_may_abort_who_is_closing_too(void **state)
{
    struct site site;
    struct client clients[2];
    struct couple couple = {.content = calloc(1, LARGE_BYTES)};

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", partner_answer, &couple);
    for (int index = 0; index < 2; index++) {
        client_open(&clients[index], &site);
        client_send(&clients[index], px_str_of(REQUEST));
    }
    pump_until(site.loop, couple.count == 2);
    pump_quietly(site.loop, 5);
    assert_int_equal(couple.released, 0);
    px_server_destroy(site.server);
    site.server = NULL;
    assert_int_equal(couple.released, 2);
    for (int tick = 0; tick < 3; tick++)
        pump_once(site.loop, 0);
    for (int index = 0; index < 2; index++)
        client_close(&clients[index]);
    site_close(&site);
    free(couple.content);
}

/* --- Drains ----------------------------------------------------------------------------------- */

struct halves {
    px_exchange *exchange;
    uint64_t length;
};

static void first_half(px_exchange *exchange, void *context)
{
    struct halves *halves = context;

    halves->exchange = exchange;
    px_response_start(exchange, 200, px_str_make(NULL, 0), halves->length);
    px_response_write(exchange, px_str_of("half"));
}

#define HALF_OF_EIGHT "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"

/* Its answer had begun before the drain, and could not say that it is the last: the connection is
 * closed when it has nothing more to do, not at the deadline. */
static void drain_closes_who_falls_idle(void **state)
{
    struct site site;
    struct client client;
    struct halves halves = {.length = 8};

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", first_half, &halves);
    client_open(&client, &site);
    client_send(&client, px_str_of(REQUEST));
    client_expect(&client, &site, HALF_OF_EIGHT);
    px_server_drain(site.server, 0, 60 * 1000);
    pump_quietly(site.loop, 5);
    assert_int_equal(client.state, CLIENT_OPEN);
    px_response_write(halves.exchange, px_str_of("rest"));
    px_response_end(halves.exchange);
    client_await_end(&client, &site);
    assert_str_equal(px_str_make(client.text, client.len), px_str_of(HALF_OF_EIGHT "rest"));
    assert_int_equal(client.state, CLIENT_ENDED);
    client_close(&client);
    site_close(&site);
}

/* So it is with one that was in the middle of a delayed drain. */
static void drain_after_a_delay_closes_who_fell_idle(void **state)
{
    struct site site;
    struct client client;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", one, NULL);
    client_open(&client, &site);
    client_send(&client, px_str_of(REQUEST));
    client_expect(&client, &site, ONE);
    px_server_drain(site.server, 20, 60 * 1000);
    client_await_end(&client, &site);
    assert_int_equal(client.state, CLIENT_ENDED);
    client_close(&client);
    site_close(&site);
}

/* An answer that ends with the connection must not look whole when a deadline has cut it. */
static void drain_deadline_resets_what_it_cuts(void **state)
{
    struct site site;
    struct client client;
    struct halves halves = {.length = PX_LENGTH_UNKNOWN};

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", first_half, &halves);
    client_open(&client, &site);
    client_send(&client, px_str_of("GET / HTTP/1.0\r\n\r\n"));
    client_expect(&client, &site, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf");
    px_server_drain(site.server, 0, 50);
    client_await_end(&client, &site);
    assert_int_equal(client.state, CLIENT_RESET);
    client_close(&client);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(release_may_abort_who_is_closing_too),
        cmocka_unit_test(accepting_that_was_refused_goes_on),
        cmocka_unit_test(drain_closes_who_falls_idle),
        cmocka_unit_test(drain_after_a_delay_closes_who_fell_idle),
        cmocka_unit_test(drain_deadline_resets_what_it_cuts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
