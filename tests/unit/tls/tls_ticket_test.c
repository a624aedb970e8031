/*
 * Ticket keys: workers that begin with one secret stay together, keys rotate, never back; files.
 */
#include "tls/tls_ticket.h"

#include <string.h>

#include "authority.h"
#include "lib/test.h"

static bool same(const struct tls_ticket_key *left, const struct tls_ticket_key *right)
{
    return memcmp(left, right, sizeof(*left)) == 0;
}

static void workers_stay_together(void **state)
{
    struct tls_tickets one, other, old;
    px_error error;

    (void)state;
    assert_int_equal(tls_tickets_init(&one, &error), PX_OK);
    other = one;
    int64_t now = one.epoch * TLS_TICKET_ROTATION_S;

    /* One looks at every turn, the other once after five. */
    for (int turn = 1; turn <= 5; turn++) {
        old = one;
        tls_tickets_advance(&one, now + turn * (int64_t)TLS_TICKET_ROTATION_S);
        assert_false(same(&one.keys[0], &old.keys[0]));
        assert_true(same(&one.keys[1], &old.keys[0]));
        assert_int_equal(one.key_count, 2);
        assert_memory_not_equal(one.secret, old.secret, sizeof(old.secret));
    }
    tls_tickets_advance(&other, now + 5 * (int64_t)TLS_TICKET_ROTATION_S);
    assert_true(same(&one.keys[0], &other.keys[0]));
    assert_true(same(&one.keys[1], &other.keys[1]));
    /* Within a turn, and when the clock goes back, nothing happens. */
    old = one;
    tls_tickets_advance(&one, now + 6 * (int64_t)TLS_TICKET_ROTATION_S - 1);
    tls_tickets_advance(&one, now);
    tls_tickets_advance(&one, 0);
    assert_memory_equal(&one, &old, sizeof(one));
}

static void two_secrets_are_not_the_same(void **state)
{
    struct tls_tickets one, other;
    px_error error;

    (void)state;
    assert_int_equal(tls_tickets_init(&one, &error), PX_OK);
    assert_int_equal(tls_tickets_init(&other, &error), PX_OK);
    assert_false(same(&one.keys[0], &other.keys[0]));
    /* Name, MAC and cipher come of different purposes. */
    assert_memory_not_equal(one.keys[0].mac, one.keys[0].cipher, sizeof(one.keys[0].mac));
}

static void a_clock_that_jumps_does_not_keep_us_busy(void **state)
{
    struct tls_tickets tickets, old;
    px_error error;

    (void)state;
    assert_int_equal(tls_tickets_init(&tickets, &error), PX_OK);
    old = tickets;
    tls_tickets_advance(&tickets, INT64_MAX);
    assert_int_equal(tickets.epoch, INT64_MAX / TLS_TICKET_ROTATION_S);
    assert_false(same(&tickets.keys[0], &old.keys[0]));
}

static void files(void **state)
{
    static const size_t good[] = {80, 160, 640}, bad[] = {0, 1, 79, 81, 48, 720};
    struct authority authority;
    struct tls_tickets tickets, before;
    unsigned char bytes[720];
    px_error error;

    (void)state;
    authority_init(&authority);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i / 80 + 1);
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        authority_write(&authority, "keys", bytes, good[i]);
        assert_int_equal(tls_tickets_load(&tickets, authority_path(&authority, "keys"), &error),
                         PX_OK);
        assert_int_equal(tickets.key_count, good[i] / 80);
        assert_true(tickets.from_file);
        assert_memory_equal(tickets.keys, bytes, good[i]);
    }
    before = tickets;
    tls_tickets_advance(&tickets, INT64_MAX); /* who writes the file rotates */
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        authority_write(&authority, "keys", bytes, bad[i]);
        assert_int_equal(tls_tickets_load(&tickets, authority_path(&authority, "keys"), &error),
                         PX_ERR_INVALID);
        assert_non_null(strstr(error.text, "openssl rand 80"));
    }
    assert_int_equal(tls_tickets_load(&tickets, authority_path(&authority, "none"), &error),
                     PX_ERR_NOT_FOUND);
    assert_memory_equal(&tickets, &before, sizeof(tickets));
    authority_deinit(&authority);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_stay_together),
        cmocka_unit_test(two_secrets_are_not_the_same),
        cmocka_unit_test(a_clock_that_jumps_does_not_keep_us_busy),
        cmocka_unit_test(files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
