/*
 * Query strings and forms: pairs, decoding, lookup; every cut at a guard page; each allocation
 * failing.
 */
#include "http/forms/query.h"

#include "base/limits.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "lib/test.h"

enum { ARENA_BYTES = 1024 * 1024 };

/* Writes [name=value] of each pair, as it was received; [name] without "=". */
static void pairs_print(px_str query, char *out_text, size_t room)
{
    struct query_pair pair;
    size_t len = 0;

    out_text[0] = '\0';
    while (query_next(&query, &pair)) {
        len += (size_t)snprintf(out_text + len, room - len, "[%.*s%s%.*s]", (int)pair.name.len,
                                pair.name.ptr, pair.value.ptr ? "=" : "", (int)pair.value.len,
                                pair.value.ptr ? pair.value.ptr : "");
        assert_true(len < room);
    }
    assert_int_equal(query.len, 0);
    assert_false(query_next(&query, &pair));
}

static void query_is_taken_apart(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"&", ""},
        {"&&&", ""},
        {"a", "[a]"},
        {"a=", "[a=]"},
        {"=a", "[=a]"},
        {"=", "[=]"},
        {"a=b", "[a=b]"},
        {"a=b=c", "[a=b=c]"},
        {"a=1&b=2", "[a=1][b=2]"},
        {"&a=1&&b&", "[a=1][b]"},
        {"a;b=c", "[a;b=c]"},
        {"a%26b=c%3Dd", "[a%26b=c%3Dd]"},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pairs_print(px_str_of(cases[i][0]), text, sizeof(text));
        assert_string_equal(text, cases[i][1]);
    }
    pairs_print(px_str_make(NULL, 0), text, sizeof(text));
    assert_string_equal(text, "");
}

static void query_decodes_and_leaves_odd_percents(void **state)
{
    const struct {
        px_str raw;
        px_str text;
    } cases[] = {
        {LITERAL(""), LITERAL("")},
        {LITERAL("abc"), LITERAL("abc")},
        {LITERAL("a+b%20c%2Bd"), LITERAL("a b c+d")},
        {LITERAL("%e2%82%AC"), LITERAL("\xe2\x82\xac")},
        {LITERAL("%00%ff%0d%0A"), LITERAL("\0\xff\r\n")},
        {LITERAL("%"), LITERAL("%")},
        {LITERAL("100%"), LITERAL("100%")},
        {LITERAL("%4"), LITERAL("%4")},
        {LITERAL("%4g%g4"), LITERAL("%4g%g4")},
        {LITERAL("%%41"), LITERAL("%A")},
        {LITERAL("%2541"), LITERAL("%41")},
        {LITERAL("%+1"), LITERAL("% 1")},
        {LITERAL("%/0%:0%@0%G0%`0"), LITERAL("%/0%:0%@0%G0%`0")},
        {LITERAL("\xc3\xa9"), LITERAL("\xc3\xa9")},
    };
    struct arena arena;
    char first[512];

    (void)state;
    arena_init(&arena, &alloc_libc, first, sizeof(first), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_str text = LITERAL("untouched");

        assert_int_equal(query_decode(cases[i].raw, &arena, &text), PX_OK);
        assert_str_equal(text, cases[i].text);
        assert_int_equal(text.ptr[text.len], '\0');
        assert_true(query_text_is(cases[i].raw, cases[i].text));
        assert_false(query_text_is(cases[i].raw, LITERAL("something else")));
    }
    assert_false(query_text_is(LITERAL("ab"), LITERAL("a")));
    assert_false(query_text_is(LITERAL("a"), LITERAL("ab")));
    assert_false(query_text_is(LITERAL("%41b"), LITERAL("A")));
    arena_reset(&arena);
}

static void query_find_decodes_names(void **state)
{
    px_str query = LITERAL("a=1&na%6De=J%C3%BCrgen+X&b&name=2&empty=");
    struct arena arena;
    char first[512];
    px_str value = LITERAL("untouched");

    (void)state;
    arena_init(&arena, &alloc_libc, first, sizeof(first), 0);
    assert_int_equal(query_find(query, LITERAL("Name"), &arena, &value), PX_ERR_NOT_FOUND);
    assert_int_equal(query_find(LITERAL(""), LITERAL("a"), &arena, &value), PX_ERR_NOT_FOUND);
    assert_str_equal(value, LITERAL("untouched"));
    assert_int_equal(query_find(query, LITERAL("name"), &arena, &value), PX_OK);
    assert_str_equal(value, LITERAL("J\xc3\xbcrgen X"));
    assert_int_equal(query_find(query, LITERAL("b"), &arena, &value), PX_OK);
    assert_str_equal(value, LITERAL(""));
    assert_int_equal(query_find(query, LITERAL("empty"), &arena, &value), PX_OK);
    assert_str_equal(value, LITERAL(""));
    arena_reset(&arena);
}

static void query_limits_the_pairs(void **state)
{
    static char text[4 * (QUERY_PAIRS_MAX + 1)];
    struct arena arena;
    char none;
    px_field *pairs = NULL;
    uint32_t count = 0;
    px_str value;
    size_t len = 0;

    (void)state;
    for (int i = 0; i < QUERY_PAIRS_MAX; i++, len += 4)
        memcpy(text + len, "a=b&", 4);
    memcpy(text + len, "z=1&", 4);
    arena_init(&arena, &alloc_libc, &none, 0, ARENA_BYTES);
    assert_int_equal(query_parse(px_str_make(text, len), &arena, &pairs, &count), PX_OK);
    assert_int_equal(count, QUERY_PAIRS_MAX);
    assert_str_equal(pairs[QUERY_PAIRS_MAX - 1].value, LITERAL("b"));
    assert_int_equal(query_find(px_str_make(text, len), LITERAL("z"), &arena, &value),
                     PX_ERR_NOT_FOUND);
    assert_int_equal(query_parse(px_str_make(text, len + 4), &arena, &pairs, &count), PX_ERR_LIMIT);
    assert_int_equal(query_find(px_str_make(text, len + 4), LITERAL("z"), &arena, &value),
                     PX_ERR_LIMIT);
    assert_int_equal(query_find(px_str_make(text, len + 4), LITERAL("a"), &arena, &value), PX_OK);
    arena_reset(&arena);
}

static void parse_all(const px_allocator *allocator, void *context)
{
    static char text[12 * 500];
    struct arena arena;
    char none;
    px_field *pairs = NULL;
    uint32_t count = 7;
    px_str value = LITERAL("untouched");

    (void)context;
    for (size_t at = 0; at < sizeof(text); at += 12)
        memcpy(text + at, "n%41me=v+1+&", 12);
    arena_init(&arena, allocator, &none, 0, ARENA_BYTES);
    px_err err = query_parse(px_str_make(text, sizeof(text)), &arena, &pairs, &count);

    if (err == PX_OK) {
        assert_int_equal(count, 500);
        for (uint32_t i = 0; i < count; i++) {
            assert_str_equal(pairs[i].name, LITERAL("nAme"));
            assert_str_equal(pairs[i].value, LITERAL("v 1 "));
            assert_int_equal(pairs[i].name.ptr[4], '\0');
            assert_int_equal(pairs[i].value.ptr[4], '\0');
        }
    } else {
        assert_int_equal(err, PX_ERR_MEMORY);
        assert_null(pairs);
        assert_int_equal(count, 7);
    }
    arena_reset(&arena);
    err = query_find(px_str_make(text, sizeof(text)), LITERAL("nAme"), &arena, &value);
    if (err == PX_OK) {
        assert_str_equal(value, LITERAL("v 1 "));
    } else {
        assert_int_equal(err, PX_ERR_MEMORY);
        assert_str_equal(value, LITERAL("untouched"));
    }
    arena_reset(&arena);
}

static void query_survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("query_parse", parse_all, NULL) >= 4);
}

static void query_parse_of_nothing_is_an_empty_table(void **state)
{
    struct arena arena;
    char first[128];
    px_field *pairs = NULL;
    uint32_t count = 7;

    (void)state;
    arena_init(&arena, &alloc_libc, first, sizeof(first), 0);
    assert_int_equal(query_parse(px_str_make(NULL, 0), &arena, &pairs, &count), PX_OK);
    assert_int_equal(count, 0);
    assert_non_null(pairs);
    arena_reset(&arena);
}

static void query_stays_within_its_input(void **state)
{
    px_str whole = LITERAL("&a=1&%4&b%3=%&c%31+=%e2%82%&d");
    struct guard guard;
    char text[256];
    char expected[256];

    (void)state;
    guard_init(&guard, whole.len);
    for (size_t from = 0; from <= whole.len; from++) {
        for (size_t len = 0; len <= whole.len - from; len++) {
            px_str cut = px_str_make(whole.ptr + from, len);

            pairs_print(cut, expected, sizeof(expected));
            for (int at_start = 0; at_start < 2; at_start++) {
                px_str input = at_start ? guard_at_start(&guard, cut) : guard_at_end(&guard, cut);
                struct arena arena;
                char first[2048];
                px_field *pairs = NULL;
                uint32_t count = 0;
                px_str value;

                pairs_print(input, text, sizeof(text));
                assert_string_equal(text, expected);
                arena_init(&arena, &alloc_libc, first, sizeof(first), 0);
                assert_int_equal(query_parse(input, &arena, &pairs, &count), PX_OK);
                for (uint32_t i = 0; i < count; i++)
                    assert_int_equal(query_find(input, pairs[i].name, &arena, &value), PX_OK);
                arena_reset(&arena);
            }
        }
    }
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_is_taken_apart),
        cmocka_unit_test(query_decodes_and_leaves_odd_percents),
        cmocka_unit_test(query_find_decodes_names),
        cmocka_unit_test(query_limits_the_pairs),
        cmocka_unit_test(query_survives_failing_allocations),
        cmocka_unit_test(query_parse_of_nothing_is_an_empty_table),
        cmocka_unit_test(query_stays_within_its_input),
    };

    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
