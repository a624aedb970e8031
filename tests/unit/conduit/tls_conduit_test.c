/*
 * TLS conduits of both roles on one loop, back to back over a pair of sockets.
 */
#include "conduit/tls_conduit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/test.h"
#include "unit/io/pump.h"
#include "unit/tls/authority.h"

static struct authority authority;

static int begin(void **state)
{
    (void)state;
    authority_init(&authority);
    authority_issue(&authority, "a", "a.test", EVP_PKEY_EC, 30);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    authority_deinit(&authority);
    return 0;
}

/* One end: the owner of a stream, and the protocol on its conduit. */
struct side {
    struct conduit conduit;
    px_stream *stream;
    struct tls_shared *shared;
    uint32_t opened, plain, failed, gone, closed, ended;
    px_err reason; /* of failed, or of the end */
    char text[64 * 1024];
    size_t len;
    uint32_t taken_after_leaving;
};

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct side *side = context;

    (void)stream;
    assert_true(side->len + bytes.len <= sizeof(side->text));
    memcpy(side->text + side->len, bytes.ptr, bytes.len);
    side->len += bytes.len;
    return bytes.len;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct side *side = context;

    (void)stream;
    side->ended++;
    side->reason = reason;
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    (void)stream;
    (void)result;
    (void)context;
}

static void on_closed(px_stream *stream, void *context)
{
    struct side *side = context;

    (void)stream;
    side->closed++;
}

static const px_stream_events events = {
    .on_recv = on_recv, .on_recv_end = on_recv_end, .on_sent = on_sent, .on_closed = on_closed};

static void owner_opened(struct tls_conduit *tls, void *context)
{
    struct side *side = context;

    (void)tls;
    side->opened++;
    conduit_attach(&side->conduit, &events, side);
    conduit_recv_start(&side->conduit);
}

static void owner_plain(struct tls_conduit *tls, void *context)
{
    struct side *side = context;

    side->plain++;
    tls_conduit_leave(tls);
    side->taken_after_leaving = side->shared->conduits.taken;
    conduit_plain_init(&side->conduit, side->stream);
    conduit_attach(&side->conduit, &events, side);
}

static void owner_failed(struct tls_conduit *tls, px_err reason, void *context)
{
    struct side *side = context;

    (void)tls;
    side->failed++;
    side->reason = reason;
    conduit_close(&side->conduit);
}

static void owner_dropped(struct tls_conduit *tls, size_t bytes, void *context)
{
    (void)tls;
    (void)bytes;
    (void)context;
}

static bool owner_linger(struct tls_conduit *tls, void *context)
{
    (void)tls;
    (void)context;
    return true;
}

static void owner_parted(struct tls_conduit *tls, void *context)
{
    (void)tls;
    (void)context;
}

static void owner_gone(struct tls_conduit *tls, void *context)
{
    struct side *side = context;

    (void)tls;
    side->gone++;
}

static const struct tls_owner owner = {owner_opened, owner_plain,  owner_failed, owner_dropped,
                                       owner_linger, owner_parted, owner_gone};

/* Two sides with a loop. */
struct pair {
    px_loop *loop;
    struct tls_shared *shared;
    px_tls *tls;
    px_tls_trust *trust;
    struct side server, client;
    int fd; /* the peer's end, where there is no client */
};

static struct pair pair; /* large */

static void pair_begin(bool with_client, const char *host)
{
    int fds[2];

    memset(&pair, 0, sizeof(pair));
    pair.loop = px_loop_create(NULL, NULL);
    pair.shared = calloc(1, sizeof(*pair.shared));
    tls_shared_init(pair.shared, pair.loop, 4, 4 * TLS_BLOCKS_MAX);
    pair.tls = px_tls_create(NULL, NULL);
    assert_int_equal(px_tls_add_certificate(pair.tls, authority_path(&authority, "a.pem"),
                                            authority_path(&authority, "a.key"), NULL),
                     PX_OK);
    px_tls_trust_options options = PX_TLS_TRUST_OPTIONS_DEFAULT;

    options.ca_file = authority_path(&authority, "ca.pem");
    pair.trust = px_tls_trust_create(&options, NULL);
    assert_non_null(pair.trust);
    pair_open(PAIR_UNIX, fds);
    pair.server.shared = pair.client.shared = pair.shared;
    pair.server.stream = stream_create(pair.loop, fds[0], false);
    assert_non_null(tls_conduit_accept(pair.shared, &pair.server.conduit, pair.server.stream,
                                       pair.tls, &owner, &pair.server));
    pair.fd = fds[1];
    if (!with_client)
        return;
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    pair.client.stream = stream_create(pair.loop, fds[1], false);
    assert_non_null(tls_conduit_connect(pair.shared, &pair.client.conduit, pair.client.stream,
                                        pair.trust, px_str_of(host), TLS_OFFER_BOTH, &owner,
                                        &pair.client));
}

static void pair_end(void)
{
    assert_int_equal(pair.shared->conduits.taken, 0);
    assert_int_equal(pair.shared->blocks.taken, 0);
    assert_int_equal(pair.shared->handshake_count, 0);
    tls_shared_deinit(pair.shared);
    free(pair.shared);
    px_loop_destroy(pair.loop);
    px_tls_trust_destroy(pair.trust);
    px_tls_destroy(pair.tls);
}

static void say(struct side *side, const char *text)
{
    px_part part = {.bytes = px_str_of(text)};

    assert_int_equal(conduit_send(&side->conduit, &part, 1), PX_SENT_DONE);
}

static void both_roles(void **state)
{
    (void)state;
    pair_begin(true, "a.test");
    pump_until(pair.loop, pair.client.opened == 1 && pair.server.opened == 1);
    say(&pair.client, "question");
    pump_until(pair.loop, pair.server.len == 8);
    say(&pair.server, "answer");
    pump_until(pair.loop, pair.client.len == 6);
    assert_memory_equal(pair.server.text, "question", 8);
    assert_memory_equal(pair.client.text, "answer", 6);
    conduit_close(&pair.server.conduit);
    pump_until(pair.loop, pair.client.ended == 1);
    assert_int_equal(pair.client.reason, PX_OK);
    conduit_close(&pair.client.conduit);
    pump_until(pair.loop, pair.client.closed == 1 && pair.server.closed == 1);
    pair_end();
}

/* RFC 8446 section 6.1: an end without close_notify is told as one that cut something short. */
static void truncation(void **state)
{
    (void)state;
    pair_begin(true, "a.test");
    pump_until(pair.loop, pair.client.opened == 1 && pair.server.opened == 1);
    say(&pair.server, "half an ans");
    conduit_reset(&pair.server.conduit);
    pump_until(pair.loop, pair.client.ended == 1);
    assert_int_equal(pair.client.reason, PX_ERR_CLOSED);
    conduit_close(&pair.client.conduit);
    pump_until(pair.loop, pair.client.closed == 1);
    pair_end();
}

/* Receiving that was stopped and begun again, with nothing kept: the end is the first that comes.
 */
static void the_end_after_a_pause(void **state)
{
    (void)state;
    pair_begin(true, "a.test");
    pump_until(pair.loop, pair.client.opened == 1 && pair.server.opened == 1);
    pump_quietly(pair.loop, 20);
    conduit_recv_stop(&pair.server.conduit);
    conduit_recv_start(&pair.server.conduit);
    pump_quietly(pair.loop, 20);
    assert_int_equal(shutdown(pair.fd, SHUT_WR), 0);
    pump_until(pair.loop, pair.server.ended == 1);
    assert_int_equal(pair.server.reason, PX_ERR_CLOSED);
    conduit_close(&pair.server.conduit);
    conduit_close(&pair.client.conduit);
    pump_until(pair.loop, pair.server.closed == 1 && pair.client.closed == 1);
    pair_end();
}

/* A record that came in part needs memory until it is whole: where there is none that is told at
 * once, not with the bytes that may never follow. */
static void no_memory_for_part_of_a_record(void **state)
{
    static const char part[100] = {23, 3, 3, 64, 0};
    struct budget *memory;

    (void)state;
    pair_begin(true, "a.test");
    pump_until(pair.loop, pair.client.opened == 1 && pair.server.opened == 1);
    pump_quietly(pair.loop, 20);
    memory = &pair.loop->memory;
    memory->shares[BUDGET_SESSIONS].bytes_max = memory->shares[BUDGET_SESSIONS].bytes;
    assert_int_equal(write(pair.fd, part, sizeof(part)), sizeof(part));
    pump_until(pair.loop, pair.server.ended == 1);
    assert_int_equal(pair.server.reason, PX_ERR_LIMIT);
    conduit_close(&pair.server.conduit);
    conduit_close(&pair.client.conduit);
    pump_until(pair.loop, pair.server.closed == 1 && pair.client.closed == 1);
    pair_end();
}

static void another_name(void **state)
{
    (void)state;
    pair_begin(true, "b.test");
    pump_until(pair.loop, pair.client.gone == 1 && pair.server.gone == 1);
    assert_int_equal(pair.client.opened, 0);
    assert_int_equal(pair.client.failed, 1);
    pair_end();
}

/* A conduit that lets its stream go inside its own callback is there until the tick ends. */
static void plain_http(void **state)
{
    (void)state;
    pair_begin(false, NULL);
    peer_send(pair.fd, px_str_of("GET / HTTP/1.1\r\n\r\n"));
    pump_until(pair.loop, pair.server.plain == 1);
    assert_int_equal(pair.server.taken_after_leaving, 1);
    assert_int_equal(pair.shared->conduits.taken, 0);
    conduit_close(&pair.server.conduit);
    pump_until(pair.loop, pair.server.closed == 1);
    close(pair.fd);
    pair_end();
}

static void a_peer_that_leaves(void **state)
{
    (void)state;
    pair_begin(false, NULL);
    peer_send(pair.fd, px_str_of("\x16\x03\x01"));
    close(pair.fd);
    pump_until(pair.loop, pair.server.gone == 1);
    assert_int_equal(pair.server.reason, PX_ERR_CLOSED);
    pair_end();
}

static void the_oldest_handshake(void **state)
{
    (void)state;
    pair_begin(false, NULL);
    assert_ptr_equal(tls_shared_oldest(pair.shared)->owner_context, &pair.server);
    conduit_close(&pair.server.conduit);
    assert_null(tls_shared_oldest(pair.shared));
    pump_until(pair.loop, pair.server.gone == 1);
    close(pair.fd);
    pair_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_roles),
        cmocka_unit_test(truncation),
        cmocka_unit_test(another_name),
        cmocka_unit_test(plain_http),
        cmocka_unit_test(a_peer_that_leaves),
        cmocka_unit_test(the_oldest_handshake),
        cmocka_unit_test(the_end_after_a_pause),
        cmocka_unit_test(no_memory_for_part_of_a_record),
    };

    return cmocka_run_group_tests(tests, begin, finish);
}
