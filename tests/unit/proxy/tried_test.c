/*
 * The servers that a request was given to: the first are known, those behind are counted, and
 * taking back the last leaves all others.
 */
#include "lib/test.h"
#include "proxy/upstream.h"

enum { SERVERS = TRIED_MAX + 4 };

static struct server servers[SERVERS];
static const px_upstream upstream = {.servers = servers, .server_count = SERVERS};

static void what_is_taken_back_is_the_last(void **state)
{
    (void)state;
    for (size_t given = 1; given <= SERVERS; given++) {
        struct tried tried = {.count = 0};

        for (size_t index = 0; index < given; index++)
            tried_add(&tried, &upstream, &servers[index]);
        assert_int_equal(tried.count, given);
        tried_drop(&tried);
        for (size_t index = 0; index < SERVERS; index++)
            assert_int_equal(tried_has(&tried, &upstream, &servers[index]),
                             index < given - 1 && index < TRIED_MAX);
        /* It is there again, or another is in its place. */
        tried_add(&tried, &upstream, &servers[SERVERS - 1]);
        assert_int_equal(tried.count, given);
        assert_int_equal(tried_has(&tried, &upstream, &servers[SERVERS - 1]), given <= TRIED_MAX);
    }
}

static void one_that_is_given_it_twice_is_known_for_the_first_time(void **state)
{
    struct tried tried = {.count = 0};

    (void)state;
    for (size_t index = 0; index < TRIED_MAX; index++)
        tried_add(&tried, &upstream, &servers[index]);
    tried_add(&tried, &upstream, &servers[TRIED_MAX - 1]);
    tried_drop(&tried);
    assert_true(tried_has(&tried, &upstream, &servers[TRIED_MAX - 1]));
    tried_drop(&tried);
    assert_false(tried_has(&tried, &upstream, &servers[TRIED_MAX - 1]));
    assert_true(tried_has(&tried, &upstream, &servers[TRIED_MAX - 2]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_back_is_the_last),
        cmocka_unit_test(one_that_is_given_it_twice_is_known_for_the_first_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
