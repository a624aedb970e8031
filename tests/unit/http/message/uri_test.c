/*
 * Percent-decoding, dot segments, whole addresses, hosts and ports.
 */
#include "http/message/uri.h"

#include <string.h>

#include "http/message/host.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "lib/test.h"

enum { ARENA_BYTES = 64 * 1024 };

typedef px_err (*uri_function)(struct arena *arena, px_str text, px_str *out_text);

static px_err decode_segment(struct arena *arena, px_str raw, px_str *out_text)
{
    return uri_decode(arena, raw, URI_SLASH_DECODE, out_text);
}

/* In place, of a copy. */
static px_err normalise(struct arena *arena, px_str path, px_str *out_path)
{
    px_str copy = arena_copy(arena, path);
    size_t len;
    px_err err =
        copy.ptr ? uri_path_normalise((char *)(uintptr_t)copy.ptr, copy.len, &len) : PX_ERR_MEMORY;

    if (err == PX_OK)
        *out_path = px_str_make(copy.ptr, len);
    return err;
}

/* Runs at a guard page; `expected` NULL means that it must be refused and nothing written. */
static void assert_gives(uri_function function, px_str input, const char *expected)
{
    static const px_str untouched = {"untouched", 9};
    struct guard guard;
    struct arena arena;
    px_str out = untouched;
    px_err err;

    guard_init(&guard, input.len + 1);
    arena_init(&arena, &alloc_libc, NULL, 0, ARENA_BYTES);
    err = function(&arena, guard_at_end(&guard, input), &out);
    if (expected) {
        assert_int_equal(err, PX_OK);
        assert_str_equal(out, px_str_of(expected));
        assert_int_equal(out.ptr[out.len], '\0');
    } else {
        assert_int_equal(err, PX_ERR_MALFORMED);
        assert_ptr_equal(out.ptr, untouched.ptr);
    }
    arena_reset(&arena);
    guard_deinit(&guard);
}

static void uri_decodes_once(void **state)
{
    (void)state;
    assert_gives(decode_segment, LITERAL(""), "");
    assert_gives(decode_segment, LITERAL("abc"), "abc");
    assert_gives(decode_segment, LITERAL("%41%62%6a%6A"), "Abjj");
    assert_gives(decode_segment, LITERAL("a%2Fb%2fc"), "a/b/c");
    assert_gives(decode_segment, LITERAL("%2541"), "%41");
    assert_gives(decode_segment, LITERAL("%25%32%35"), "%25");
    assert_gives(decode_segment, LITERAL("%c3%a4%FF"), "\xc3\xa4\xff");
    assert_gives(decode_segment, LITERAL("a+b"), "a+b");
    assert_gives(decode_segment, LITERAL("%0d%0A%01"), "\r\n\x01");
}

static px_err target_encode(struct arena *arena, px_str target, px_str *out_text)
{
    size_t room = uri_target_room(target);
    char *text = arena_take_text(arena, room + 1);
    char *end = uri_target_write(text, target, URI_QUERY);

    assert_true(end <= text + room);
    *end = '\0';
    *out_text = px_str_make(text, (size_t)(end - text));
    return PX_OK;
}

/* What goes on is RFC 3986's, says the same, and is not encoded twice. */
static void uri_targets_are_encoded_again(void **state)
{
    static const struct {
        const char *target;
        const char *encoded;
    } cases[] = {
        {"", ""},
        {"/a/b?c=d", "/a/b?c=d"},
        {"/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@"},
        {"/a[b].txt", "/a%5Bb%5D.txt"},
        {"/{}|^\"<>\\`", "/%7B%7D%7C%5E%22%3C%3E%5C%60"},
        {"/\\evil.example", "/%5Cevil.example"},
        {"/\xc3\xa4", "/%C3%A4"},
        {"/%C3%a4", "/%C3%a4"},
        {"/?off=100%", "/?off=100%25"},
        {"/?%", "/?%25"},
        {"/?%4", "/?%254"},
        {"/?%zz%41", "/?%25zz%41"},
        {"/?a?b", "/?a?b"},
        {"a b\r\n", "a%20b%0D%0A"},
    };

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 14);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        assert_gives(target_encode, px_str_of(cases[index].target), cases[index].encoded);
        assert_gives(target_encode, px_str_of(cases[index].encoded), cases[index].encoded);
    }
}

static void uri_ends_where_data_does(void **state)
{
    static const struct {
        const char *text;
        size_t path;
        size_t query;
    } cases[] = {
        {"/a?b", 2, 4},    {"/a[b]\"<>\\^`{|}", 14, 14},
        {"/%41%4g", 4, 7}, {"/\xc3\xa4\xc3", 3, 3},
        {"/a#b", 2, 2},    {"/a b", 2, 2},
        {"/%", 1, 2},      {"/\xe2\x82\xac/\xf4\x90\x80\x80", 5, 5},
    };
    struct guard guard;

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 8);
    guard_init(&guard, 64);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_str text = guard_at_end(&guard, px_str_of(cases[index].text));

        assert_int_equal(uri_path_end(text, 0, scan_table_best()), cases[index].path);
        assert_int_equal(uri_query_end(text, 0, scan_table_best()), cases[index].query);
    }
    guard_deinit(&guard);
}

static void uri_refuses_what_is_no_encoding(void **state)
{
    (void)state;
    assert_gives(decode_segment, LITERAL("%"), NULL);
    assert_gives(decode_segment, LITERAL("a%4"), NULL);
    assert_gives(decode_segment, LITERAL("%4g"), NULL);
    assert_gives(decode_segment, LITERAL("%g4"), NULL);
    assert_gives(decode_segment, LITERAL("%%41"), NULL);
    assert_gives(decode_segment, LITERAL("% 4"), NULL);
    assert_gives(decode_segment, LITERAL("%u0041"), NULL);
    assert_gives(decode_segment, LITERAL("%00"), NULL);
    assert_gives(decode_segment, LITERAL("a%00b"), NULL);
    assert_gives(decode_segment, LITERAL("a\0b"), NULL);
    assert_gives(decode_segment, LITERAL("%\xb4\xb1"), NULL);
}

static void uri_path_keeps_its_separators(void **state)
{
    (void)state;
    assert_gives(uri_path_decode, LITERAL("/a/%62/"), "/a/b/");
    assert_gives(uri_path_decode, LITERAL("/%2e%2E/a"), "/../a");
    assert_gives(uri_path_decode, LITERAL("/%5c"), "/\\");
    assert_gives(uri_path_decode, LITERAL("/a%2fb"), NULL);
    assert_gives(uri_path_decode, LITERAL("/a%2Fb"), NULL);
    assert_gives(uri_path_decode, LITERAL("/%252f"), "/%2f");
    assert_gives(uri_path_decode, LITERAL("/%c0%af"), "/\xc0\xaf");
}

static void uri_removes_dot_segments(void **state)
{
    (void)state;
    assert_gives(normalise, LITERAL("/"), "/");
    assert_gives(normalise, LITERAL("/a/b/c/./../../g"), "/a/g");
    assert_gives(normalise, LITERAL("/."), "/");
    assert_gives(normalise, LITERAL("/./"), "/");
    assert_gives(normalise, LITERAL("/a/."), "/a/");
    assert_gives(normalise, LITERAL("/a/.."), "/");
    assert_gives(normalise, LITERAL("/a/../"), "/");
    assert_gives(normalise, LITERAL("/a/b/.."), "/a/");
    assert_gives(normalise, LITERAL("/a/b/../c"), "/a/c");
    assert_gives(normalise, LITERAL("/a//../b"), "/a/b");
    assert_gives(normalise, LITERAL("//"), "//");
    assert_gives(normalise, LITERAL("//a/."), "//a/");
    assert_gives(normalise, LITERAL("/..a/...b/.c/d."), "/..a/...b/.c/d.");
    assert_gives(normalise, LITERAL("/..;/a"), "/..;/a");
    assert_gives(normalise, LITERAL("/.../"), "/.../");
    assert_gives(normalise, LITERAL("/..\\a"), "/..\\a");
}

static void uri_refuses_to_climb_above_the_root(void **state)
{
    (void)state;
    assert_gives(normalise, LITERAL("/.."), NULL);
    assert_gives(normalise, LITERAL("/../a"), NULL);
    assert_gives(normalise, LITERAL("/a/../../b"), NULL);
    assert_gives(normalise, LITERAL("/./.."), NULL);
    assert_gives(normalise, LITERAL("/a/../.."), NULL);
    assert_gives(normalise, LITERAL(""), NULL);
    assert_gives(normalise, LITERAL("a/b"), NULL);
    assert_gives(normalise, LITERAL(".."), NULL);
}

/* Written down apart from the code: a stack of segments. */
static void uri_survives_two_thousand_segments(void **state)
{
    enum { SEGMENTS = 2000 };
    char path[SEGMENTS * 3 + 1];

    (void)state;
    for (int i = 0; i < SEGMENTS; i++)
        memcpy(path + i * 3, i % 2 == 0 ? "/ab" : "/..", 3);
    assert_gives(normalise, px_str_make(path, SEGMENTS * 3), "/");
    assert_gives(normalise, px_str_make(path + 3, SEGMENTS * 3 - 3), NULL);
}

static void assert_splits(const char *text, bool https, const char *host, uint16_t port,
                          const char *target)
{
    struct uri_parts parts;

    assert_int_equal(uri_split(px_str_of(text), &parts), PX_OK);
    assert_int_equal(parts.https, https);
    assert_str_equal(parts.host, px_str_of(host));
    assert_int_equal(parts.port, port);
    assert_str_equal(parts.target, px_str_of(target));
}

static void uri_splits_addresses(void **state)
{
    (void)state;
    assert_splits("http://a", false, "a", 80, "/");
    assert_splits("http://a/", false, "a", 80, "/");
    assert_splits("HTTPS://a.example:8443/b?c=%20#d", true, "a.example", 8443, "/b?c=%20");
    assert_splits("https://[::1]/", true, "::1", 443, "/");
    assert_splits("http://[2001:db8::1]:8080", false, "2001:db8::1", 8080, "/");
    assert_splits("http://127.0.0.1:0/#", false, "127.0.0.1", 0, "/");
    assert_splits("http://a:/b", false, "a", 80, "/b");
}

static void uri_refuses_other_addresses(void **state)
{
    static const char *const bad[] = {
        "",           "a",           "/a",         "http:",         "http:/a",        "http://",
        "http:///a",  "http://?a",   "http://a?b", "ftp://a/",      "http://u@a/",    "http://a:b/",
        "http://a b", "http://a/ b", "http://a/%", "http://a/\x01", "http://a:65536", "http://[::1",
        "http://#a",  "httpss://a",  " http://a",  "http://a\\b",   "http://a/\xc3",  "http://a,b/",
    };
    struct uri_parts parts;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(uri_split(px_str_of(bad[i]), &parts), PX_ERR_INVALID);
}

static void host_splits_what_it_finds_valid(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        int32_t port;
        bool ipv6;
    } cases[] = {
        {"a", "a", -1, false},
        {"a:", "a", -1, false},
        {"a:0", "a", 0, false},
        {"a:000080", "a", 80, false},
        {"a:65535", "a", 65535, false},
        {"a.", "a.", -1, false},
        {"[::]", "::", -1, true},
        {"[1:2:3:4:5:6:7:8]:9", "1:2:3:4:5:6:7:8", 9, true},
        {"[1:2:3:4:5:6:1.2.3.4]", "1:2:3:4:5:6:1.2.3.4", -1, true},
        {"[::1.2.3.4]:1", "::1.2.3.4", 1, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_str text = px_str_of(cases[i].text);
        struct host_parts parts;

        assert_true(host_valid(text.ptr, text.len));
        assert_true(host_split(text, &parts));
        assert_str_equal(parts.host, px_str_of(cases[i].host));
        assert_int_equal(parts.port, cases[i].port);
        assert_int_equal(parts.ipv6, cases[i].ipv6);
    }
}

static void host_and_split_agree_on_what_is_none(void **state)
{
    static const char *const bad[] = {"",
                                      ":",
                                      ":1",
                                      "a:b",
                                      "a:65536",
                                      "a:-1",
                                      "a:1:2",
                                      "[",
                                      "[]",
                                      "[::1",
                                      "[::1]x",
                                      "[::1]:x",
                                      "::1",
                                      "a/b",
                                      "a@b",
                                      "a,b",
                                      "a%41",
                                      "[1]",
                                      "[::%1]",
                                      "[1::2::]",
                                      "[.]",
                                      "[::.]",
                                      "[1:2:3:4:5:6:7:1.2.3.4]"};
    struct host_parts parts;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(host_valid(bad[i], strlen(bad[i])));
        assert_false(host_split(px_str_of(bad[i]), &parts));
    }
}

static void host_names_have_a_limit(void **state)
{
    char text[HOST_BYTES_MAX + 4];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_true(host_valid(text, HOST_BYTES_MAX));
    assert_false(host_valid(text, HOST_BYTES_MAX + 1));
    memcpy(text + HOST_BYTES_MAX, ":80", 3);
    assert_true(host_valid(text, HOST_BYTES_MAX + 3));
}

static void uri_in_a_short_of_memory(const px_allocator *allocator, void *context)
{
    const uri_function functions[] = {decode_segment, normalise};

    (void)context;
    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        struct arena arena;
        px_str out = {NULL, 0};
        px_err err;

        arena_init(&arena, allocator, NULL, 0, ARENA_BYTES);
        err = functions[i](&arena, LITERAL("/a"), &out);
        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        assert_int_equal(err == PX_OK, out.ptr != NULL);
        arena_reset(&arena);
    }
}

static void uri_functions_live_without_memory(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("uri", uri_in_a_short_of_memory, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uri_decodes_once),
        cmocka_unit_test(uri_targets_are_encoded_again),
        cmocka_unit_test(uri_ends_where_data_does),
        cmocka_unit_test(uri_refuses_what_is_no_encoding),
        cmocka_unit_test(uri_path_keeps_its_separators),
        cmocka_unit_test(uri_removes_dot_segments),
        cmocka_unit_test(uri_refuses_to_climb_above_the_root),
        cmocka_unit_test(uri_survives_two_thousand_segments),
        cmocka_unit_test(uri_splits_addresses),
        cmocka_unit_test(uri_refuses_other_addresses),
        cmocka_unit_test(host_splits_what_it_finds_valid),
        cmocka_unit_test(host_and_split_agree_on_what_is_none),
        cmocka_unit_test(host_names_have_a_limit),
        cmocka_unit_test(uri_functions_live_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
