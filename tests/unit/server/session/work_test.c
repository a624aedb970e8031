/*
 * What a tick may begin is bounded in units of work, whatever peers send, and who comes last waits
 * for a turn of each of the others and not for all that they have asked.  Units are counted, so
 * that the result does not depend on the machine.
 */
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "io/io.h"
#include "unit/server/client.h"

enum {
    CROWD = 60,
    /* Four turns, each with what the connection that ends it may still begin: to read, to answer.
     */
    TICK_UNITS_MAX = 4 * (WORK_TURN_MAX + WORK_CONN_MAX),
    NEWCOMER_TICKS_MAX = 80,
    TICKS_MAX = 2000
};

#define REQUEST "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

static void one(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "x");
}

/* --- What a peer of the crowd sends ----------------------------------------------------------- */

static char attack[64 * 1024];
static size_t attack_len;

static void put(const char *bytes, size_t len)
{
    assert_true(attack_len + len <= sizeof(attack));
    memcpy(attack + attack_len, bytes, len);
    attack_len += len;
}

static void put_frame(char type, char flags, uint32_t stream, const char *bytes, size_t len)
{
    const char head[9] = {
        (char)(len >> 16),    (char)(len >> 8),     (char)len,           type,         flags,
        (char)(stream >> 24), (char)(stream >> 16), (char)(stream >> 8), (char)stream,
    };

    put(head, sizeof(head));
    put(bytes, len);
}

/* A hundred requests, whose answers find no window. */
static void put_h2(const char *first, size_t first_len, const char *block, size_t len)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    put(preface, sizeof(preface) - 1);
    put_frame(4, 0, 0, "\0\4\0\0\0\0", 6);
    put_frame(1, 5, 1, first, first_len);
    for (uint32_t stream = 3; stream < 200; stream += 2)
        put_frame(1, 5, stream, block, len);
}

#define GET_BLOCK "\x82\x84\x86\x01\x01"
#define GET_BLOCK_BYTES 6

static void make_requests(void)
{
    put_h2(GET_BLOCK "a", GET_BLOCK_BYTES, GET_BLOCK "a", GET_BLOCK_BYTES);
}

/* 28 KiB of a head in seven bytes: a field of 4 KB is in the table (RFC 7541 section 6.2.1). */
static void make_large_heads(void)
{
    static char first[GET_BLOCK_BYTES + 6 + 3990];

    memset(first, 'a', sizeof(first));
    memcpy(first, GET_BLOCK "a\x40\1x\x7f\x97\x1e", GET_BLOCK_BYTES + 6);
    put_h2(first, sizeof(first), GET_BLOCK "a\xbe\xbe\xbe\xbe\xbe\xbe\xbe", GET_BLOCK_BYTES + 7);
}

static void make_pipelined(void)
{
    for (int count = 0; count < 1000; count++)
        put("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
}

/* Each of them opens a stream and takes it back. */
static void make_resets(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    put(preface, sizeof(preface) - 1);
    put_frame(4, 0, 0, "", 0);
    for (uint32_t stream = 1; stream < 400; stream += 2) {
        put_frame(1, 5, stream, GET_BLOCK "a", GET_BLOCK_BYTES);
        put_frame(3, 0, stream, "\0\0\0\x08", 4);
    }
}

static void make_pings(void)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    put(preface, sizeof(preface) - 1);
    put_frame(4, 0, 0, "", 0);
    for (int count = 0; count < 900; count++)
        put_frame(6, 0, 0, "12345678", 8);
}

static const struct {
    const char *name;
    void (*make)(void);
} attacks[] = {
    {"requests", make_requests},   {"large heads", make_large_heads},
    {"pipelined", make_pipelined}, {"resets", make_resets},
    {"pings", make_pings},
};

_Static_assert(ARRAY_COUNT(attacks) == 5, "each is here");

/* --- The test --------------------------------------------------------------------------------- */

static void attack_run(const char *name)
{
    struct site site;
    struct client newcomer;
    int fds[CROWD];
    int ticks = 0;
    bool served = false;

    site_open(&site, NULL);
    site_route(&site, "GET /{$}", one, NULL);
    for (int index = 0; index < CROWD; index++) {
        fds[index] = peer_connect(site.address);
        pump_quietly(site.loop, 1);
    }
    for (int index = 0; index < CROWD; index++)
        peer_send(fds[index], px_str_make(attack, attack_len));
    client_open(&newcomer, &site);
    client_send(&newcomer, px_str_of(REQUEST));
    site.loop->work.most = 0;
    for (; ticks < TICKS_MAX && !(served && px_loop_timeout_ms(site.loop) != 0); ticks++) {
        client_pump(&newcomer, &site);
        if (!served && newcomer.state != CLIENT_OPEN) {
            served = true;
            print_message("%s: the newcomer is served in tick %d\n", name, ticks);
            assert_in_range(ticks, 0, NEWCOMER_TICKS_MAX);
        }
    }
    print_message("%s: %u units at most in a tick, %d ticks\n", name, site.loop->work.most, ticks);
    assert_true(served);
    /* There was more to do than fits a tick, and no tick did more. */
    assert_in_range(site.loop->work.most, WORK_TURN_MAX, TICK_UNITS_MAX);
    for (int index = 0; index < CROWD; index++)
        peer_reset(fds[index]);
    client_close(&newcomer);
    pump_quietly(site.loop, 20);
    assert_in_range(site.loop->work.most, WORK_TURN_MAX, TICK_UNITS_MAX);
    site_close(&site);
}

static void work_of_a_tick_is_bounded(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(attacks); index++) {
        attack_len = 0;
        attacks[index].make();
        attack_run(attacks[index].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_of_a_tick_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
