/*
 * The two parsers of a client's hello: what is a name, which protocol is chosen, at guard pages.
 */
#include "tls/tls_hello.h"

#include <string.h>

#include "base/limits.h"
#include "lib/guard.h"
#include "lib/test.h"

#define NAME_A "\0\x09\0\0\6a.test"

static void names(void **state)
{
    const struct {
        px_str data;
        px_err err;
        const char *name; /* NULL: absent */
    } cases[] = {
        {LITERAL(NAME_A), PX_OK, "a.test"},
        {LITERAL("\0\x09\0\0\6A.TesT"), PX_OK, "A.TesT"},
        {LITERAL("\0\0"), PX_OK, NULL},
        {LITERAL("\0\4\7\0\1x"), PX_OK, NULL},
        {LITERAL("\0\x0d\7\0\1x\0\0\6a.test"), PX_OK, "a.test"},
        {LITERAL("\0\x12\0\0\6a.test\0\0\6b.test"), PX_ERR_INVALID, NULL},
        {LITERAL(""), PX_ERR_MALFORMED, NULL},
        {LITERAL("\0"), PX_ERR_MALFORMED, NULL},
        {LITERAL("\0\1"), PX_ERR_MALFORMED, NULL},
        {LITERAL("\0\1\0"), PX_ERR_MALFORMED, NULL},
        {LITERAL("\0\3\0\0\0"), PX_ERR_MALFORMED, NULL},
        {LITERAL("\0\x09\0\0\7a.test"), PX_ERR_MALFORMED, NULL},
        {LITERAL("\0\x08\0\0\6a.test"), PX_ERR_MALFORMED, NULL},
        {LITERAL("\0\x09\0\0\6a\0test"), PX_ERR_INVALID, NULL},
        {LITERAL("\0\x09\0\0\6a test"), PX_ERR_INVALID, NULL},
        {LITERAL("\0\x09\0\0\6a/test"), PX_ERR_INVALID, NULL},
        {LITERAL("\0\x08\0\0\5a\xff"
                 "est"),
         PX_ERR_INVALID, NULL},
        {LITERAL("\0\x12\0\0\6a test\0\0\7b.test"), PX_ERR_MALFORMED, NULL},
        {LITERAL("\0\x09\0\0\6a\7test"), PX_ERR_INVALID, NULL},
    };
    struct guard guard;

    (void)state;
    guard_init(&guard, 1024);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_str name = {"untouched", 9};
        px_err err = tls_hello_name(guard_at_end(&guard, cases[i].data), &name);

        if (err != cases[i].err)
            fail_msg("case %zu: %d", i, (int)err);
        if (err == PX_OK)
            assert_str_equal(name, px_str_of(cases[i].name));
    }
    guard_deinit(&guard);
}

static void a_name_has_at_most_255_bytes(void **state)
{
    char data[5 + TLS_NAME_BYTES_MAX + 1] = {0};
    px_str name;

    (void)state;
    for (size_t len = TLS_NAME_BYTES_MAX; len <= TLS_NAME_BYTES_MAX + 1; len++) {
        memset(data, 'a', sizeof(data));
        data[0] = (char)((len + 3) >> 8);
        data[1] = (char)(len + 3);
        data[2] = 0;
        data[3] = (char)(len >> 8);
        data[4] = (char)len;
        px_err err = tls_hello_name(px_str_make(data, 5 + len), &name);

        assert_int_equal(err, len == TLS_NAME_BYTES_MAX ? PX_OK : PX_ERR_INVALID);
    }
}

static void protocols(void **state)
{
    const struct {
        px_str list;
        bool http2;
        const char *chosen;
    } cases[] = {
        {LITERAL("\2h2\x08http/1.1"), true, "h2"},
        {LITERAL("\x08http/1.1\2h2"), true, "h2"},
        {LITERAL("\x08http/1.1\2h2"), false, "http/1.1"},
        {LITERAL("\2h2"), false, NULL},
        {LITERAL("\x08http/1.0"), true, "http/1.0"},
        {LITERAL("\x08http/1.0\x08http/1.1"), true, "http/1.1"},
        {LITERAL("\x08http/1.0\2h2"), true, "h2"},
        {LITERAL("\x08http/0.9"), true, NULL},
        {LITERAL("\3h2c"), true, NULL},
        {LITERAL(""), true, NULL},
        {LITERAL("\0"), true, NULL},
        {LITERAL("\3h2"), true, NULL},
        {LITERAL("\x08http/1.1\0"), true, NULL},
        {LITERAL("\x08http/1.1\x09h2"), true, NULL},
    };
    struct guard guard;

    (void)state;
    guard_init(&guard, 256);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_str chosen = tls_hello_protocol(guard_at_end(&guard, cases[i].list), cases[i].http2);

        if (!chosen.ptr != !cases[i].chosen)
            fail_msg("case %zu", i);
        assert_str_equal(chosen, px_str_of(cases[i].chosen));
    }
    guard_deinit(&guard);
}

static void folding(void **state)
{
    char out[16];

    (void)state;
    assert_int_equal(tls_hello_fold(LITERAL("A.Test."), out), 6);
    assert_memory_equal(out, "a.test", 6);
    assert_int_equal(tls_hello_fold(LITERAL("z-_9"), out), 4);
    assert_memory_equal(out, "z-_9", 4);
    assert_int_equal(tls_hello_fold(LITERAL(""), out), 0);
    assert_int_equal(tls_hello_fold(LITERAL("."), out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(a_name_has_at_most_255_bytes),
        cmocka_unit_test(protocols),
        cmocka_unit_test(folding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
