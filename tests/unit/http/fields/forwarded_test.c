/*
 * Forwarded and X-Forwarded-For, taken apart from the right; every cut at a guard page.
 */
#include "http/fields/forwarded.h"

#include "lib/guard.h"
#include "lib/test.h"

/* Writes [host proto] of each element from the right; "?" for what is absent, "!" and the end for
 * an element that is none. */
static void hops_print(px_str list, enum forwarded_syntax syntax, char *out_text, size_t room)
{
    size_t len = 0;

    out_text[0] = '\0';
    for (;;) {
        struct forwarded_hop hop;
        px_err err = forwarded_take_last(&list, syntax, &hop);

        if (err == PX_ERR_NOT_FOUND)
            return;
        if (err != PX_OK) {
            snprintf(out_text + len, room - len, "!");
            return;
        }
        len += (size_t)snprintf(
            out_text + len, room - len, "[%.*s %.*s]", hop.host.ptr ? (int)hop.host.len : 1,
            hop.host.ptr ? hop.host.ptr : "?", hop.proto.ptr ? (int)hop.proto.len : 1,
            hop.proto.ptr ? hop.proto.ptr : "?");
        assert_true(len < room);
    }
}

static const char *const rfc7239[][2] = {
    {"", ""},
    {" , ,", ""},
    {"for=192.0.2.1", "[192.0.2.1 ?]"},
    {"For=\"192.0.2.1:80\"", "[192.0.2.1 ?]"},
    {"for=\"192.0.2.1:_x\"", "[192.0.2.1 ?]"},
    {"for=\"[2001:db8::1]\"", "[2001:db8::1 ?]"},
    {"for=\"[2001:db8::1]:4711\"", "[2001:db8::1 ?]"},
    {"for=192.0.2.1;proto=https;by=203.0.113.4", "[192.0.2.1 https]"},
    {"proto=http; for=192.0.2.1 ; host=\"a;b,c\\\"d\"", "[192.0.2.1 http]"},
    {";;for=192.0.2.1;", "[192.0.2.1 ?]"},
    {"proto=https", "[? https]"},
    {"for=unknown", "[? ?]"},
    {"for=_hidden, for=192.0.2.1", "[192.0.2.1 ?][? ?]"},
    {"for=1.1.1.1, for=2.2.2.2;proto=https,,for=3.3.3.3", "[3.3.3.3 ?][2.2.2.2 https][1.1.1.1 ?]"},
    /* What a proxy added is not swallowed by what a client wrote before it. */
    {"for=\"1.1.1.1, for=2.2.2.2", "[2.2.2.2 ?]!"},
    {"for=\"1.1.1.1, for=\"[2001:db8::1]\"", "[2001:db8::1 ?]!"},
    {"for=\"1.1.1.1\\\", for=\"[2001:db8::1]\"", "[2001:db8::1 ?]!"},
    /* Not elements. */
    {"for", "!"},
    {"for=", "!"},
    {"for =192.0.2.1", "!"},
    {"for= 192.0.2.1", "!"},
    {"for=192.0.2.1:80", "!"},
    {"for=[2001:db8::1]", "!"},
    {"for=\"[2001:db8::1\"", "!"},
    {"for=\"[2001:db8::1]x\"", "!"},
    {"for=\"192.0.2.1:\"", "!"},
    {"for=\"192.0.2.1:123456\"", "!"},
    {"for=\"192.0.2.1:8 \"", "!"},
    {"for=\"\"", "!"},
    {"for=\"", "!"},
    {"for=_", "!"},
    {"for=example.com", "!"},
    {"for=\"1.1\\.1.1\"", "!"},
    {"for=1.1.1.1;for=2.2.2.2", "!"},
    {"for=1.1.1.1;proto=http;proto=https", "!"},
    {"for=1.1.1.1;x", "!"},
    {"for=1.1.1.1;x=\"\\", "!"},
    {"for=1.1.1.1;x=\"a\"b\"", "!"},
};

static const char *const plain[][2] = {
    {"", ""},
    {",", ""},
    {"192.0.2.1", "[192.0.2.1 ?]"},
    {"1.1.1.1,2.2.2.2 ,  3.3.3.3", "[3.3.3.3 ?][2.2.2.2 ?][1.1.1.1 ?]"},
    {"2001:db8::1, 192.0.2.1:80", "[192.0.2.1 ?][2001:db8::1 ?]"},
    {"[2001:db8::1]:80", "[2001:db8::1 ?]"},
    {"unknown", "[? ?]"},
    {"\"1.1.1.1, 2.2.2.2", "[2.2.2.2 ?]!"},
    {"localhost", "!"},
    {"1.1.1.1 2.2.2.2", "!"},
};

static void elements_are_taken_from_the_right(void **state)
{
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof(rfc7239) / sizeof(rfc7239[0]); i++) {
        hops_print(px_str_of(rfc7239[i][0]), FORWARDED_RFC7239, text, sizeof(text));
        if (strcmp(text, rfc7239[i][1]) != 0)
            print_error("input: %s\n", rfc7239[i][0]);
        assert_string_equal(text, rfc7239[i][1]);
    }
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
        hops_print(px_str_of(plain[i][0]), FORWARDED_PLAIN, text, sizeof(text));
        if (strcmp(text, plain[i][1]) != 0)
            print_error("input: %s\n", plain[i][0]);
        assert_string_equal(text, plain[i][1]);
    }
}

static void cuts_stay_inside(void **state)
{
    struct guard guard;
    char text[256];

    (void)state;
    guard_init(&guard, 256);
    for (size_t i = 0; i < sizeof(rfc7239) / sizeof(rfc7239[0]); i++) {
        px_str input = px_str_of(rfc7239[i][0]);

        for (size_t len = 0; len <= input.len; len++) {
            px_str cut = px_str_make(input.ptr, len);

            hops_print(guard_at_end(&guard, cut), FORWARDED_RFC7239, text, sizeof(text));
            hops_print(guard_at_start(&guard, cut), FORWARDED_RFC7239, text, sizeof(text));
            hops_print(guard_at_end(&guard, cut), FORWARDED_PLAIN, text, sizeof(text));
        }
    }
    guard_deinit(&guard);
}

static void texts_are_taken_from_the_right(void **state)
{
    px_str list = px_str_of("http, ,https ");

    (void)state;
    assert_str_equal(forwarded_take_text(&list), px_str_of("https"));
    assert_str_equal(forwarded_take_text(&list), px_str_of("http"));
    assert_null(forwarded_take_text(&list).ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_taken_from_the_right),
        cmocka_unit_test(cuts_stay_inside),
        cmocka_unit_test(texts_are_taken_from_the_right),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
