/*
 * Blocks of output, when few are left: peers that read slowly give way to those that ask for one,
 * and what a driver works on does not end under it.
 */
#include <stdlib.h>
#include <string.h>

#include "server/server.h"
#include "unit/server/client.h"

#define BIG "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
#define MADE "GET /made HTTP/1.1\r\nHost: a\r\n\r\n"
#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"

enum { BIG_BYTES = 8 << 20 };

static void big(px_exchange *exchange, void *context)
{
    px_body body = {.struct_size = sizeof(body), .bytes = px_str_make(context, BIG_BYTES)};

    px_respond_body(exchange, 200, px_str_of("text/plain"), &body);
}

/* The same in as many blocks as it takes. */
static px_pull made_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                         void *context)
{
    size_t *left = context;

    (void)exchange;
    *out_bytes = room < *left ? room : *left;
    memset(out, 'x', *out_bytes);
    *left -= *out_bytes;
    return *left > 0 ? PX_PULL_MORE : PX_PULL_END;
}

static void made(px_exchange *exchange, void *context)
{
    px_producer producer = {.struct_size = sizeof(producer), .pull = made_pull, .context = context};

    px_respond_producer(exchange, 200, px_str_of("text/plain"), BIG_BYTES, &producer);
}

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

/* A server with so many blocks. */
static void site_make(struct site *site, uint32_t count, char *content)
{
    memset(content, 'x', BIG_BYTES);
    site_open(site, NULL);
    site_route(site, "GET /big", big, content);
    site_route(site, "GET /{$}", hello, NULL);
    site->server->blocks.outs.count_max = count;
}

static void blocked_open(struct client *client, const struct site *site, const char *requests)
{
    uint32_t taken = site->server->blocks.outs.taken;

    client_open(client, site);
    client_send(client, px_str_of(requests));
    for (int rounds = 0; rounds < 20 || site->server->blocks.outs.taken == taken; rounds++) {
        /* None has to be given back yet, however long this takes. */
        site->server->again.outs_ms = site->loop->now_ms + SHED_PAUSE_MS;
        pump_quietly(site->loop, 1);
    }
}

/* The one that has been sending for longest takes another block for its answer: others make room,
 * but its own driver goes on. */
static void no_connection_ends_under_its_driver(void **state)
{
    enum { BLOCKS = 32, OTHERS = BLOCKS - 1 };
    struct site site;
    struct client slow, others[OTHERS];
    size_t left = BIG_BYTES;
    char *content = malloc(BIG_BYTES);

    (void)state;
    assert_non_null(content);
    site_make(&site, BLOCKS, content);
    site_route(&site, "GET /made", made, &left);
    blocked_open(&slow, &site, MADE GET);
    for (int index = 0; index < OTHERS; index++)
        blocked_open(&others[index], &site, BIG);
    assert_int_equal(site.server->blocks.outs.taken, BLOCKS);
    site.server->again.outs_ms = 0;
    client_await(&slow, &site, BIG_BYTES + 160);
    assert_int_equal(slow.state, CLIENT_OPEN);
    assert_memory_equal(slow.text + slow.len - 13, "Hello, world!", 13);
    /* The one after it has been sending for longest: cut short, and it shows. */
    client_await_end(&others[0], &site);
    assert_int_equal(others[0].state, CLIENT_RESET);
    assert_in_range(site_counters(&site).shed, 1, OTHERS);
    for (int index = 0; index < OTHERS; index++)
        client_close(&others[index]);
    client_close(&slow);
    pump_until(site.loop, site_counters(&site).open == 0);
    free(content);
    site_close(&site);
}

/* What the kernel holds for a peer that read slowly is freed when its connection ends: that is work
 * of a tick, and so only some of many end in one. */
static void few_of_many_full_sockets_end_in_a_tick(void **state)
{
    enum { BLOCKS = 64, CROWD = 60, TICK_UNITS_MAX = 2 * (2 * WORK_TURN_MAX + WORK_CONN_MAX) };
    struct site site;
    struct client crowd[CROWD], newcomer;
    char *content = malloc(BIG_BYTES);

    (void)state;
    assert_non_null(content);
    site_make(&site, BLOCKS, content);
    for (int index = 0; index < CROWD; index++)
        blocked_open(&crowd[index], &site, BIG);
    assert_int_equal(site.server->blocks.outs.taken, CROWD);
    site.server->again.outs_ms = 0;
    site.loop->work.most = 0;
    client_open(&newcomer, &site);
    client_send(&newcomer, px_str_of(GET));
    client_await(&newcomer, &site, 60);
    assert_memory_equal(newcomer.text + newcomer.len - 13, "Hello, world!", 13);
    assert_in_range(site_counters(&site).shed, 1, CROWD / 2);
    assert_in_range(site.loop->work.most, 2 * (uint32_t)(1 << 20) / WORK_PURGE_BYTES,
                    TICK_UNITS_MAX);
    for (int index = 0; index < CROWD; index++)
        client_close(&crowd[index]);
    client_close(&newcomer);
    pump_until(site.loop, site_counters(&site).open == 0);
    free(content);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_connection_ends_under_its_driver),
        cmocka_unit_test(few_of_many_full_sockets_end_in_a_tick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
