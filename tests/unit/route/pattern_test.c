/*
 * Patterns: what is accepted, what is refused and where, and every pair of a large set compared
 * with the sets of requests that they match.
 */
#include "lib/test.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "model.h"
#include "route/pattern.h"

static char first_block[64 * 1024];

static void arena_begin(struct arena *arena)
{
    arena_init(arena, &alloc_libc, first_block, sizeof(first_block), 1024 * 1024);
}

/* The pattern's parts as one line: method|host|segments. */
static void describe(const struct pattern *pattern, char *out, size_t out_bytes)
{
    static const char *const marks[] = {"=", "?", "*", "$"};
    size_t at =
        (size_t)snprintf(out, out_bytes, "%.*s|%.*s", (int)pattern->method.len,
                         pattern->method.ptr ? pattern->method.ptr : "", (int)pattern->host.len,
                         pattern->host.ptr ? pattern->host.ptr : "");

    for (uint8_t index = 0; index < pattern->segment_count; index++) {
        const struct pattern_segment *segment = &pattern->segments[index];

        at += (size_t)snprintf(out + at, out_bytes - at, "|%s%.*s", marks[segment->kind],
                               (int)segment->text.len, segment->text.ptr ? segment->text.ptr : "");
    }
}

static void pattern_accepts(void **state)
{
    static const char *const cases[][2] = {
        {"/", "||*"},
        {"/{$}", "||$"},
        {"GET /{$}", "GET||$"},
        {"/{rest...}", "||*rest"},
        {"/a", "||=a"},
        {"/a/", "||=a|*"},
        {"/a/{$}", "||=a|$"},
        {"/users/{id}/posts/{post_2}", "||=users|?id|=posts|?post_2"},
        {"POST  \t /x/{_}", "POST||=x|?_"},
        {"M-SEARCH /x", "M-SEARCH||=x"},
        {"get /x", "get||=x"},
        {"Example.COM/", "|example.com|*"},
        {"PUT example.com./x", "PUT|example.com|=x"},
        {"[::1]/x", "|::1|=x"},
        {"127.0.0.1/x", "|127.0.0.1|=x"},
        {"/%61%2Fb/%7Bc%7D", "||=a/b|={c}"},
        {"/a%20b/\xc3\xa9", "||=a b|=\xc3\xa9"},
        {"/...", "||=..."},
        {"/.well-known/x", "||=.well-known|=x"},
        {"/a/%2e%2e", "||=a|=.."},
        {"CONNECT /", "CONNECT||*"},
        {"/a:b@c/$", "||=a:b@c|=$"},
    };
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        for (int end = 0; end < 2; end++) {
            struct arena arena;
            struct pattern pattern;
            px_error error;
            char line[256];
            px_str text = px_str_of(cases[index][0]);

            arena_begin(&arena);
            text = end ? guard_at_end(&guard, text) : guard_at_start(&guard, text);
            if (pattern_parse(text, &arena, &pattern, &error) != PX_OK)
                fail_msg("%s: %s", cases[index][0], error.text);
            assert_int_equal(error.code, PX_OK);
            assert_string_equal(error.text, "");
            assert_string_equal(pattern.text.ptr, cases[index][0]);
            describe(&pattern, line, sizeof(line));
            assert_string_equal(line, cases[index][1]);
            arena_reset(&arena);
        }
    }
    guard_deinit(&guard);
}

struct refusal {
    const char *text;
    uint32_t at; /* from 1 */
    const char *reason;
};

static const struct refusal refusals[] = {
    {"", 1, "it is empty"},
    {"GET", 1, "a \"/\" is missing"},
    {"GET ", 5, "a \"/\" is missing"},
    {"example.com", 1, "a \"/\" is missing"},
    {" /", 1, "a blank where"},
    {"\t/", 1, "a blank where"},
    {"G(T /", 2, "not a token"},
    {"/a b", 1, "not a token"},
    {"GET /a b", 7, "no path has"},
    {"GET /a ", 7, "no path has"},
    {"GET GET /a", 5, "the host is not one"},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZ-ABCDEF /", 33, "too long"},
    {"{host}/", 1, "wildcard in the host"},
    {"GET {x}/a", 5, "wildcard in the host"},
    {"example.com:80/", 1, "has a port"},
    {"[::1]:80/", 1, "has a port"},
    {"[::1/", 1, "the host is not one"},
    {"a@b/", 1, "the host is not one"},
    {"\xc3\xa9/", 1, "the host is not one"},
    {"//", 2, "an empty segment"},
    {"/a//b", 4, "an empty segment"},
    {"/a/./b", 4, "a dot segment"},
    {"/a/..", 4, "a dot segment"},
    {"/a/.", 4, "a dot segment"},
    {"/a?b", 3, "no path has"},
    {"/a#b", 3, "no path has"},
    {"/a\nb", 3, "no path has"},
    {"/a\x7f", 3, "no path has"},
    {"/ab}", 4, "without a \"{\""},
    {"/a%", 3, "without two digits"},
    {"/a%2", 3, "without two digits"},
    {"/a%2g", 3, "without two digits"},
    {"/a/{", 4, "a whole segment"},
    {"/a/{b", 4, "a whole segment"},
    {"/a/x{b}", 4, "a whole segment"},
    {"/a/{b}x", 4, "a whole segment"},
    {"/a/{b}{c}", 4, "a whole segment"},
    {"/a/{{b}}", 4, "a whole segment"},
    {"/{}", 3, "a wildcard's name"},
    {"/{...}", 3, "a wildcard's name"},
    {"/{1a}", 3, "a wildcard's name"},
    {"/{a-b}", 3, "a wildcard's name"},
    {"/{a b}", 1, "not a token"},
    {"/{$a}", 3, "a wildcard's name"},
    {"/{$...}", 3, "a wildcard's name"},
    {"/{a..}", 3, "a wildcard's name"},
    {"/{$}/", 2, "{$} is not at the end"},
    {"/{$}/a", 2, "{$} is not at the end"},
    {"/{a...}/", 2, "{name...} is not at the end"},
    {"/{a...}/b", 2, "{name...} is not at the end"},
    {"/{a}/{a}", 7, "is there twice"},
    {"/{a}/b/{a...}", 9, "is there twice"},
};

static void pattern_refuses(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < sizeof(refusals) / sizeof(refusals[0]); index++) {
        const struct refusal *refusal = &refusals[index];
        struct arena arena;
        struct pattern pattern;
        px_error error;
        char where[32];
        px_str text = guard_at_end(&guard, px_str_of(refusal->text));

        arena_begin(&arena);
        assert_int_equal(pattern_parse(text, &arena, &pattern, NULL), PX_ERR_INVALID);
        assert_int_equal(pattern_parse(text, &arena, &pattern, &error), PX_ERR_INVALID);
        assert_int_equal(error.code, PX_ERR_INVALID);
        snprintf(where, sizeof(where), ", at byte %u", refusal->at);
        if (!strstr(error.text, refusal->reason) || !strstr(error.text, where) ||
            strcmp(strstr(error.text, where), where) != 0 || strchr(error.text, '\n'))
            fail_msg("\"%s\": %s (expected: %s%s)", refusal->text, error.text, refusal->reason,
                     where);
        arena_reset(&arena);
    }
    guard_deinit(&guard);
}

/* `count` times `piece`, behind `start`. */
static px_str repeated(char *buf, const char *start, const char *piece, size_t count)
{
    size_t at = strlen(start);

    memcpy(buf, start, at);
    for (size_t index = 0; index < count; index++) {
        memcpy(buf + at, piece, strlen(piece));
        at += strlen(piece);
    }
    return px_str_make(buf, at);
}

static void pattern_has_limits(void **state)
{
    static char buf[8 * 1024];
    char wilds[ROUTE_PARAMS_MAX * 8 + 32];
    struct arena arena;
    struct pattern pattern;
    size_t at = 0;

    (void)state;
    arena_begin(&arena);
    assert_int_equal(
        pattern_parse(repeated(buf, "", "/a", ROUTE_SEGMENTS_MAX), &arena, &pattern, NULL), PX_OK);
    assert_int_equal(pattern.segment_count, ROUTE_SEGMENTS_MAX);
    assert_int_equal(
        pattern_parse(repeated(buf, "", "/a", ROUTE_SEGMENTS_MAX + 1), &arena, &pattern, NULL),
        PX_ERR_LIMIT);
    assert_int_equal(
        pattern_parse(repeated(buf, "/", "%61", ROUTE_SEGMENT_BYTES_MAX), &arena, &pattern, NULL),
        PX_OK);
    assert_int_equal(pattern.segments[0].text.len, ROUTE_SEGMENT_BYTES_MAX);
    assert_int_equal(
        pattern_parse(repeated(buf, "/", "a", ROUTE_SEGMENT_BYTES_MAX + 1), &arena, &pattern, NULL),
        PX_ERR_LIMIT);
    assert_int_equal(
        pattern_parse(repeated(buf, "/{", "a", ROUTE_PATTERN_BYTES_MAX), &arena, &pattern, NULL),
        PX_ERR_LIMIT);
    for (int index = 0; index <= ROUTE_PARAMS_MAX; index++)
        at += (size_t)snprintf(wilds + at, sizeof(wilds) - at, "/{a%d}", index);
    assert_int_equal(pattern_parse(px_str_make(wilds, at), &arena, &pattern, NULL), PX_ERR_LIMIT);
    at = (size_t)(strrchr(wilds, '/') - wilds);
    assert_int_equal(pattern_parse(px_str_make(wilds, at), &arena, &pattern, NULL), PX_OK);
    assert_int_equal(pattern.param_count, ROUTE_PARAMS_MAX);
    arena_reset(&arena);
}

/* Every pair of the pool, against the sets counted out; the example of two that meet matches both.
 */
static void pattern_compare_is_inclusion(void **state)
{
    static const enum pattern_relation expected[] = {
        [MODEL_SAME] = PATTERN_EQUAL,
        [MODEL_LEFT_INSIDE] = PATTERN_MORE_SPECIFIC,
        [MODEL_RIGHT_INSIDE] = PATTERN_MORE_GENERAL,
        [MODEL_CROSSING] = PATTERN_OVERLAP,
        [MODEL_APART] = PATTERN_DISJOINT,
    };
    static struct model_pool pool;
    static struct pattern parsed[MODEL_PATTERNS_MAX];
    uint32_t seen[5] = {0};
    struct arena arena;

    (void)state;
    arena_begin(&arena);
    model_pool_init(&pool);
    for (uint32_t index = 0; index < pool.count; index++)
        assert_int_equal(
            pattern_parse(px_str_of(pool.patterns[index].text), &arena, &parsed[index], NULL),
            PX_OK);
    for (uint32_t left = 0; left < pool.count; left++) {
        for (uint32_t right = 0; right < pool.count; right++) {
            const struct model_pattern *one = &pool.patterns[left];
            const struct model_pattern *two = &pool.patterns[right];
            enum model_sets sets = model_compare(one, two);
            enum pattern_relation relation = expected[sets];
            char example[128];
            px_str params[MODEL_PARAMS_MAX];
            uint32_t count;

            if (strcmp(one->host, two->host) != 0)
                relation = *one->host && *two->host ? PATTERN_DISJOINT
                           : *one->host             ? PATTERN_MORE_SPECIFIC
                                                    : PATTERN_MORE_GENERAL;
            if (pattern_compare(&parsed[left], &parsed[right]) != relation)
                fail_msg("%s and %s: %d, not %d", one->text, two->text,
                         pattern_compare(&parsed[left], &parsed[right]), relation);
            if (one->host != two->host)
                continue;
            seen[relation]++;
            if (relation == PATTERN_DISJOINT)
                continue;
            pattern_example(&parsed[left], &parsed[right], example, sizeof(example));
            if (!model_match_path(one->path, example, params, &count) ||
                !model_match_path(two->path, example, params, &count))
                fail_msg("%s and %s: not both match %s", one->text, two->text, example);
        }
    }
    print_message("pattern_compare: %u patterns, %u equal, %u overlap, %u disjoint\n", pool.count,
                  seen[PATTERN_EQUAL], seen[PATTERN_OVERLAP], seen[PATTERN_DISJOINT]);
    assert_true(pool.count > 900);
    for (int index = 0; index < 5; index++)
        assert_true(seen[index] >= pool.count);
    arena_reset(&arena);
}

static void pattern_example_is_cut(void **state)
{
    struct arena arena;
    struct pattern pattern;
    char buf[16];

    (void)state;
    arena_begin(&arena);
    assert_int_equal(pattern_parse(px_str_of("/abc/{de}/f"), &arena, &pattern, NULL), PX_OK);
    for (size_t room = 1; room < sizeof(buf); room++) {
        memset(buf, 'x', sizeof(buf));
        pattern_example(&pattern, &pattern, buf, room);
        assert_int_equal(strlen(buf), room - 1 < 9 ? room - 1 : 9);
        assert_memory_equal(buf, "/abc/de/f", strlen(buf));
    }
    arena_reset(&arena);
}

static void pattern_shows_any_text(void **state)
{
    char buf[8];

    (void)state;
    pattern_show(px_str_of("a\nb\x7f"), buf, sizeof(buf));
    assert_string_equal(buf, "a?b?");
    pattern_show(px_str_of("abcdefghi"), buf, sizeof(buf));
    assert_string_equal(buf, "abcd...");
    pattern_show(px_str_of(""), buf, sizeof(buf));
    assert_string_equal(buf, "");
}

static void pattern_decodes(void **state)
{
    char buf[4];
    struct guard guard;

    (void)state;
    guard_init(&guard, 64);
    px_str raw = guard_at_end(&guard, px_str_of("%4a%4Ax%"));
    assert_int_equal(pattern_decode(raw.ptr, 7, buf, 4), 3);
    assert_memory_equal(buf, "JJx", 3);
    assert_int_equal(pattern_decode(raw.ptr, 7, buf, 3), 3);
    assert_int_equal(pattern_decode(raw.ptr, 7, buf, 2), -1);
    assert_int_equal(pattern_decode(raw.ptr, 8, buf, 4), -1);
    assert_int_equal(pattern_decode(raw.ptr, 2, buf, 4), -1);
    assert_int_equal(pattern_decode("%:0", 3, buf, 4), -1);
    assert_int_equal(pattern_decode("%@0", 3, buf, 4), -1);
    assert_int_equal(pattern_decode("%0g", 3, buf, 4), -1);
    assert_int_equal(pattern_decode("", 0, buf, 4), 0);
    guard_deinit(&guard);
}

static void methods_have_numbers(void **state)
{
    (void)state;
    for (uint8_t id = METHOD_GET; id < ROUTE_METHOD_COUNT; id++)
        assert_int_equal(pattern_method_id(pattern_method_name(id)), id);
    assert_int_equal(pattern_method_id(px_str_of("get")), METHOD_OTHER);
    assert_int_equal(pattern_method_id(px_str_of("GETS")), METHOD_OTHER);
    assert_int_equal(pattern_method_id(px_str_of("")), METHOD_OTHER);
    assert_null(pattern_method_name(METHOD_OTHER).ptr);
}

static void parse_once(const px_allocator *allocator, void *context)
{
    struct arena arena;
    struct pattern pattern;
    px_error error;

    (void)context;
    arena_init(&arena, allocator, NULL, 0, 1024 * 1024);
    px_err err = pattern_parse(px_str_of("GET example.com/a/{b}/%41/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/"
                                         "p/q/r/s/t/u/v/w/x/y/z/1/2/{c...}"),
                               &arena, &pattern, &error);
    assert_true(err == PX_OK || err == PX_ERR_MEMORY);
    assert_int_equal(error.code, err);
    arena_reset(&arena);
}

static void pattern_survives_failing_allocations(void **state)
{
    char block[2048];
    size_t failures = 0;

    (void)state;
    assert_true(fault_alloc_each("pattern_parse", parse_once, NULL) >= 1);
    /* An arena without further blocks, and one byte more each time: every object fails once. */
    for (size_t bytes = 0; bytes < sizeof(block); bytes++) {
        struct arena arena;
        struct pattern pattern;
        px_error error;

        arena_init(&arena, &alloc_libc, block + sizeof(block) - bytes, (uint32_t)bytes, 0);
        px_err err =
            pattern_parse(px_str_of("GET example.com/a/{b}/%41/{c...}"), &arena, &pattern, &error);

        assert_int_equal(error.code, err);
        assert_true(err == PX_OK || (err == PX_ERR_MEMORY && failures == bytes));
        failures += err == PX_ERR_MEMORY;
    }
    assert_in_range(failures, 100, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pattern_accepts),
        cmocka_unit_test(pattern_refuses),
        cmocka_unit_test(pattern_has_limits),
        cmocka_unit_test(pattern_compare_is_inclusion),
        cmocka_unit_test(pattern_example_is_cut),
        cmocka_unit_test(pattern_shows_any_text),
        cmocka_unit_test(pattern_decodes),
        cmocka_unit_test(methods_have_numbers),
        cmocka_unit_test(pattern_survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
