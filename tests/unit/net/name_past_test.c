/*
 * What a name had: a change is told from answers that rotate, which are remembered for a minute.
 */
#include "net/name_past.h"

#include "lib/test.h"

static struct name_past past;
static uint64_t now_ms;

static int begin(void **state)
{
    (void)state;
    past = (struct name_past){0};
    now_ms = 1000 * 1000;
    return 0;
}

static struct net_address address_of(const char *text)
{
    struct net_address address;

    memset(&address, 0, sizeof(address));
    assert_true(address_numeric(px_str_of(text), 80, &address));
    return address;
}

/* One answer, a second after the last: of one address, or of two. */
static void note(const char *first, const char *second)
{
    struct net_address addresses[2] = {address_of(first), address_of(second ? second : first)};

    now_ms += 1000;
    name_past_note(&past, addresses, second ? 2 : 1, now_ms);
}

static bool has(const char *text)
{
    struct net_address address = address_of(text);

    return name_past_has(&past, &address, now_ms);
}

static void what_has_changed_is_gone(void **state)
{
    (void)state;
    assert_false(has("192.0.2.1"));
    note("192.0.2.1", "2001:db8::1");
    assert_true(has("192.0.2.1"));
    assert_true(has("2001:db8::1"));
    note("192.0.2.1", "192.0.2.2");
    assert_false(has("2001:db8::1"));
    note("192.0.2.3", NULL);
    assert_true(has("192.0.2.3"));
    assert_false(has("192.0.2.1"));
    assert_false(has("192.0.2.2"));
    /* The first bytes of another family are not the same address. */
    note("::", NULL);
    assert_false(has("0.0.0.0"));
}

static void what_comes_back_rotates(void **state)
{
    (void)state;
    note("192.0.2.1", NULL);
    note("192.0.2.2", NULL);
    assert_false(has("192.0.2.1"));
    note("192.0.2.1", NULL);
    assert_true(has("192.0.2.1"));
    assert_true(has("192.0.2.2"));
    note("192.0.2.3", NULL);
    assert_true(has("192.0.2.1"));
    assert_true(has("192.0.2.2"));
    assert_false(has("192.0.2.4"));
    /* The order of an answer tells nothing. */
    begin(NULL);
    note("192.0.2.1", "192.0.2.2");
    note("192.0.2.2", "192.0.2.1");
    note("192.0.2.3", NULL);
    assert_false(has("192.0.2.1"));
}

static void a_minute_is_remembered(void **state)
{
    (void)state;
    note("192.0.2.1", NULL);
    note("192.0.2.2", NULL);
    note("192.0.2.1", NULL);
    uint64_t back_ms = now_ms;

    while (now_ms < back_ms + NAME_PAST_MS - 3000)
        note("192.0.2.1", NULL);
    assert_true(has("192.0.2.2")); /* 58 s ago */
    note("192.0.2.1", NULL);
    assert_true(has("192.0.2.2"));
    note("192.0.2.1", NULL);
    assert_false(has("192.0.2.2")); /* 60 s ago */
    /* It does not rotate for ever, and what comes back after long is a change. */
    note("192.0.2.3", NULL);
    note("192.0.2.4", NULL);
    assert_false(has("192.0.2.3"));
    assert_false(has("192.0.2.1"));
    note("192.0.2.2", NULL);
    assert_false(has("192.0.2.4"));
}

static void it_is_bounded(void **state)
{
    char text[32];

    (void)state;
    note("192.0.2.1", NULL);
    note("192.0.2.2", NULL);
    note("192.0.2.1", NULL);
    for (int index = 0; index < 2 * NAME_PAST_MAX; index++) {
        snprintf(text, sizeof(text), "198.51.100.%d", index);
        note(text, "192.0.2.9");
        now_ms -= 900; /* all of it within the minute */
    }
    assert_int_equal(past.count, NAME_PAST_MAX);
    assert_true(has("198.51.100.63"));
    assert_true(has("198.51.100.40"));
    assert_true(has("192.0.2.9"));
    assert_false(has("198.51.100.20"));
    assert_false(has("192.0.2.2"));
}

static void a_unix_socket_has_no_name(void **state)
{
    struct net_address address = {.socket.any.sa_family = AF_UNIX};

    (void)state;
    name_past_note(&past, &address, 1, now_ms);
    assert_int_equal(past.count, 0);
    assert_false(name_past_has(&past, &address, now_ms));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_has_changed_is_gone, begin),
        cmocka_unit_test_setup(what_comes_back_rotates, begin),
        cmocka_unit_test_setup(a_minute_is_remembered, begin),
        cmocka_unit_test_setup(it_is_bounded, begin),
        cmocka_unit_test_setup(a_unix_socket_has_no_name, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
