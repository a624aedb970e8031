/*
 * Whose turn it is: what one connection may have of a tick, what it keeps while it waits for its
 * next one, and that a busy one is not taken for an idle one.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "unit/server/client.h"

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define ONE ANSWER_TEXT("200 OK", "x", "1", "")

static void one(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "x");
}

static char *repeated(const char *text, size_t count)
{
    size_t len = strlen(text);
    char *out = malloc(len * count + 1);

    assert_non_null(out);
    for (size_t at = 0; at < count; at++)
        memcpy(out + at * len, text, len);
    out[len * count] = '\0';
    return out;
}

/* --- Bytes of one connection in one tick ------------------------------------------------------ */

struct endless {
    int peer;
    size_t pulled; /* in this tick */
};

/* Takes what has come before it gives more, so that the socket always has room. */
static px_pull endless_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                            void *context)
{
    struct endless *endless = context;
    static char taken[256 * 1024];

    (void)exchange;
    while (peer_recv(endless->peer, taken, sizeof(taken), 0) > 0)
        continue;
    memset(out, 'x', room);
    *out_bytes = room;
    endless->pulled += room;
    return PX_PULL_MORE;
}

static void endless_answer(px_exchange *exchange, void *context)
{
    px_producer producer = {
        .struct_size = sizeof(px_producer), .pull = endless_pull, .context = context};

    px_respond_producer(exchange, 200, px_str_of("a/b"), PX_LENGTH_UNKNOWN, &producer);
}

static void bytes_of_a_tick_are_bounded(void **state)
{
    struct site site;
    struct client client;
    struct endless endless;
    size_t most = 0, all = 0;

    (void)state;
    site_open(&site, NULL);
    site_route(&site, "GET /{$}", endless_answer, &endless);
    client_open(&client, &site);
    endless.peer = client.fd;
    client_send(&client, px_str_of(REQUEST));
    for (int tick = 0; tick < 40; tick++) {
        endless.pulled = 0;
        pump_once(site.loop, 20);
        all += endless.pulled;
        if (endless.pulled > most)
            most = endless.pulled;
    }
    /* It gets its turn every time, and no more than one for its event and one for its task, each
     * with the block it ends with. */
    assert_true(all >= SEND_TURN_BYTES * 10);
    assert_in_range(most, SEND_TURN_BYTES / 2, 2 * (SEND_TURN_BYTES + 2 * OUT_BYTES));
    client_close(&client);
    pump_quietly(site.loop, 5);
    site_close(&site);
}

/* --- Bytes of all connections in one tick ----------------------------------------------------- */

static char megabyte[1 << 20];

static void megabyte_answer(px_exchange *exchange, void *context)
{
    px_body body = {sizeof(px_body), px_str_make(megabyte, sizeof(megabyte)), NULL, NULL};

    (void)context;
    px_respond_body(exchange, 200, px_str_make(NULL, 0), &body);
}

/* Many newcomers with large answers do not make one long tick, and all are served. */
static void crowds_share_a_tick(void **state)
{
    enum { COUNT = 40 };
    static char taken[1 << 20];
    struct site site;
    int fds[COUNT];
    size_t got[COUNT] = {0}, all = 0;
    uint64_t most = 0, before = 0;

    (void)state;
    site_open_deferred(&site, NULL);
    site_route(&site, "GET /{$}", megabyte_answer, NULL);
    for (int index = 0; index < COUNT; index++) {
        fds[index] = peer_connect(site.address);
        peer_send(fds[index], px_str_of(REQUEST));
    }
    while (all < COUNT * sizeof(megabyte)) {
        pump_once(site.loop, 20);
        uint64_t sent = site_counters(&site).bytes_sent;

        most = sent - before > most ? sent - before : most;
        before = sent;
        for (int index = 0; index < COUNT; index++) {
            long count = peer_recv(fds[index], taken, sizeof(taken), 0);

            assert_true(count != 0 && count != -2);
            got[index] += count > 0 ? (size_t)count : 0;
            all += count > 0 ? (size_t)count : 0;
        }
        all = 0;
        for (int index = 0; index < COUNT; index++)
            all += got[index] < sizeof(megabyte) ? got[index] : sizeof(megabyte);
    }
    assert_true(most <= 3 * (TICK_TURN_BYTES + SEND_TURN_BYTES + 4096));
    for (int index = 0; index < COUNT; index++)
        close(fds[index]);
    site_close(&site);
}

/* --- Shedding --------------------------------------------------------------------------------- */

/* At the limit, a newcomer takes the place of the longest idle: not of the one whose pipelined
 * requests are answered in turns, though it waits between two of them. */
static void busy_connection_is_not_shed(void **state)
{
    enum { COUNT = 800 };
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client busy, idle, newcomer;
    char *requests = repeated(REQUEST, COUNT), *expected = repeated(ONE, COUNT);

    (void)state;
    options.connections_max = 2;
    site_open(&site, &options);
    site_route(&site, "GET /{$}", one, NULL);
    client_open(&busy, &site);
    client_open(&idle, &site);
    client_send(&busy, px_str_of(REQUEST));
    client_expect(&busy, &site, ONE);
    pump_quietly(site.loop, 20);
    client_send(&idle, px_str_of(REQUEST));
    client_expect(&idle, &site, ONE);
    pump_quietly(site.loop, 20);
    client_forget(&busy); /* from now on the longest idle ... */
    client_send(&busy, px_str_of(requests));
    client_open(&newcomer, &site);
    client_send(&newcomer, px_str_of(REQUEST));
    client_expect(&busy, &site, expected); /* ... but busy */
    assert_int_equal(busy.state, CLIENT_OPEN);
    client_expect(&newcomer, &site, ONE);
    assert_int_equal(site_counters(&site).requests, COUNT + 3);
    assert_int_equal(site_counters(&site).responses[2], COUNT + 3);
    client_close(&busy);
    client_close(&idle);
    client_close(&newcomer);
    pump_quietly(site.loop, 5);
    site_close(&site);
    free(requests);
    free(expected);
}

/* --- Exchanges -------------------------------------------------------------------------------- */

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    (void)exchange;
    *(int *)context += end == PX_END_COMPLETE;
}

static const px_exchange_callbacks end_only = {.struct_size = sizeof(px_exchange_callbacks),
                                               .on_end = on_end};

static void one_and_hear(px_exchange *exchange, void *context)
{
    px_exchange_set_callbacks(exchange, &end_only, context);
    px_respond_text(exchange, 200, "x");
}

/* An exchange whose end is still to be reported holds its place until the end of the tick: whoever
 * comes meanwhile waits for it, and is not told that the service is unavailable. */
static void full_pool_of_exchanges_is_waited_for(void **state)
{
    enum { CONNECTIONS = 24, COUNT = 250 };
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client clients[CONNECTIONS];
    char *requests = repeated(REQUEST, COUNT), *expected = repeated(ONE, COUNT);
    int complete = 0;

    (void)state;
    options.connections_max = 100;
    site_open(&site, &options);
    site_route(&site, "GET /{$}", one_and_hear, &complete);
    for (int index = 0; index < CONNECTIONS; index++)
        client_open(&clients[index], &site);
    pump_until(site.loop, site_counters(&site).accepted == CONNECTIONS);
    for (int index = 0; index < CONNECTIONS; index++)
        client_send(&clients[index], px_str_of(requests));
    for (int index = 0; index < CONNECTIONS; index++) {
        client_expect(&clients[index], &site, expected);
        assert_int_equal(clients[index].state, CLIENT_OPEN);
    }
    pump_until(site.loop, complete == CONNECTIONS * COUNT);
    assert_int_equal(site_counters(&site).responses[5], 0);
    for (int index = 0; index < CONNECTIONS; index++)
        client_close(&clients[index]);
    pump_quietly(site.loop, 5);
    site_close(&site);
    free(requests);
    free(expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_a_tick_are_bounded),
        cmocka_unit_test(crowds_share_a_tick),
        cmocka_unit_test(busy_connection_is_not_shed),
        cmocka_unit_test(full_pool_of_exchanges_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
