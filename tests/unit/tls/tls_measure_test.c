/*
 * The size of a hello, whatever the records and the reads that it comes in.
 */
#include "tls/tls_measure.h"

#include "lib/guard.h"
#include "lib/test.h"

/* A record of the handshake; a message's head. */
#define RECORD(length) "\x16\3\1" length
#define HELLO_16_KIB "\1\0\x40\0"

static void hellos_of_any_cut(void **state)
{
    enum { CASE_COUNT = 17 };
    const struct {
        px_str bytes;
        bool fine;
    } cases[] = {
        {LITERAL(""), true},
        {LITERAL(RECORD("\0\4") HELLO_16_KIB), true},
        {LITERAL(RECORD("\0\4") "\1\0\x40\1"), false},
        {LITERAL(RECORD("\0\4") "\1\1\0\0"), false},
        {LITERAL(RECORD("\0\4") "\1\xff\xff\xff"), false},
        /* Its head in two records, and in four. */
        {LITERAL(RECORD("\0\1") "\1" RECORD("\0\3") "\0\x40\0"), true},
        {LITERAL(RECORD("\0\1") "\1" RECORD("\0\3") "\1\0\0"), false},
        {LITERAL(RECORD("\0\1") "\1" RECORD("\0\1") "\1" RECORD("\0\1") "\0" RECORD("\0\1") "\0"),
         false},
        /* Empty records, and those of other types, hold none of it. */
        {LITERAL(RECORD("\0\0") RECORD("\0\4") "\1\1\0\0"), false},
        {LITERAL("\x14\3\1\0\1\1" RECORD("\0\4") "\1\1\0\0"), false},
        {LITERAL("\x17\3\1\0\4\1\1\0\0" RECORD("\0\4") HELLO_16_KIB), true},
        /* A second one, behind a first. */
        {LITERAL(RECORD("\0\6") "\1\0\0\2ab" RECORD("\0\4") "\1\1\0\0"), false},
        {LITERAL(RECORD("\0\x0a") "\1\0\0\2ab\1\1\0\0"), false},
        {LITERAL(RECORD("\0\x0a") "\1\0\0\2ab\1\0\x40\0"), true},
        /* What it holds is not looked at. */
        {LITERAL(RECORD("\0\x08") "\1\0\0\4\1\1\0\0"), true},
        /* Another message may be large: OpenSSL has limits for those. */
        {LITERAL(RECORD("\0\4") "\x0b\1\0\0"), true},
        /* Behind the exchange of keys all is encrypted. */
        {LITERAL(RECORD("\0\6") "\x10\0\0\2ab" RECORD("\0\4") "\1\1\0\0"), true},
    };
    struct guard guard;

    (void)state;
    _Static_assert(sizeof(cases) / sizeof(cases[0]) == CASE_COUNT, "none is lost");
    _Static_assert(TLS_HELLO_BYTES_MAX == 0x4000, "the cases are made for it");
    guard_init(&guard, 256);
    for (size_t at = 0; at < CASE_COUNT; at++) {
        px_str bytes = cases[at].bytes;

        for (size_t cut = 0; cut <= bytes.len; cut++) {
            struct tls_measure measure = {0};
            px_str left = {bytes.ptr, cut}, right = {bytes.ptr + cut, bytes.len - cut};
            bool fine = tls_measure_feed(&measure, guard_at_end(&guard, left)) &&
                        tls_measure_feed(&measure, guard_at_end(&guard, right));

            if (fine != cases[at].fine)
                fail_msg("case %zu, cut at %zu", at, cut);
        }
        struct tls_measure measure = {0};
        bool fine = true;

        for (size_t index = 0; index < bytes.len; index++) {
            px_str byte = {bytes.ptr + index, 1};

            fine = fine && tls_measure_feed(&measure, guard_at_end(&guard, byte));
        }
        assert_int_equal(fine, cases[at].fine);
    }
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hellos_of_any_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
