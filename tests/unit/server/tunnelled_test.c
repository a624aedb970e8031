/*
 * Tunnels that have parted from their exchange: what held for the request still holds for them.
 */
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "exchange/tunnel.h"
#include "unit/server/client.h"

#define UPGRADE "GET /endless HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: bytes\r\n\r\n"

enum { WINDOW_MS = 200, RATE_MIN = 100000 };

/* A tunnel that sends without end, and when that was over. */
struct endless {
    struct tunnel tunnel;
    uint32_t ended;
};

static size_t endless_receive(struct tunnel *tunnel, px_str bytes)
{
    (void)tunnel;
    return bytes.len;
}

static void endless_receive_end(struct tunnel *tunnel)
{
    tunnel_abort(tunnel);
}

static px_pull endless_pull(struct tunnel *tunnel, char *out, size_t room, size_t *out_bytes)
{
    (void)tunnel;
    memset(out, 'z', room);
    *out_bytes = room;
    return PX_PULL_MORE;
}

static void endless_drain(struct tunnel *tunnel, uint32_t in_ms)
{
    (void)tunnel;
    (void)in_ms;
}

static void endless_end(struct tunnel *tunnel)
{
    CONTAINER_OF(tunnel, struct endless, tunnel)->ended++;
}

static const struct tunnel_events endless_events = {endless_receive, endless_receive_end,
                                                    endless_pull, endless_drain, endless_end};

/* What a tunnel does before it parts, which this one does at once. */
static void never(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    (void)bytes;
    (void)context;
    fail_msg("the exchange should have ended");
}

static const px_tunnel_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                              .on_receive = never};

static void answer_endless(px_exchange *exchange, void *context)
{
    struct endless *endless = context;

    endless->tunnel.events = &endless_events;
    px_respond_tunnel(exchange, px_str_of("bytes"), &callbacks, endless);
    exchange_part(exchange, &endless->tunnel);
}

/* The server asks nothing of readers, and the route a lot. */
static void the_rate_of_its_route_still_holds(void **state)
{
    const int small = 4096;
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    struct endless endless = {.ended = 0};
    struct client client;
    struct site site;
    px_error error;

    (void)state;
    options.rate_window_ms = WINDOW_MS;
    options.send_rate_min = PX_OFF;
    route.send_rate_min = RATE_MIN;
    site_open(&site, &options);
    assert_int_equal(
        px_server_route_with(site.server, "GET /endless", &route, answer_endless, &endless, &error),
        PX_OK);
    client_open(&client, &site);
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    client_send(&client, px_str_of(UPGRADE));
    uint64_t before = pump_now_ms();

    pump_until(site.loop, endless.ended == 1);
    assert_in_range(pump_now_ms() - before, WINDOW_MS / 2, 20 * WINDOW_MS);
    client_close(&client);
    site_close(&site);
    assert_int_equal(endless.ended, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rate_of_its_route_still_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
