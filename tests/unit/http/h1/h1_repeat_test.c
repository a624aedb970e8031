/*
 * Heads that come again: found when each byte is the same, and what is found is what reading them
 * would have given.  Which heads are kept, in a table.
 */
#include "lib/test.h"

#include "base/check.h"
#include "h1_cases.h"
#include "http/h1/h1_repeat.h"
#include "lib/guard.h"

enum { FIELDS_MAX = 40, READ_MAX = 2048 };

static const struct http_limits limits = {4096, 2048, FIELDS_MAX};

/* A head that was read, whatever came of it. */
struct reading {
    struct h1_parser parser;
    struct http_field_span spans[FIELDS_MAX];
};

static px_err read_head(struct reading *reading, px_str bytes)
{
    h1_parser_init(&reading->parser, H1_REQUEST, scan_table_best(), &limits, reading->spans);
    return h1_parse(&reading->parser, bytes.ptr, bytes.len);
}

/* As a connection does: looked for, read where it is not there, and told of. */
static bool come(struct h1_repeats *repeats, px_str bytes)
{
    struct reading reading;

    if (h1_repeat_find(repeats, bytes.ptr, bytes.len))
        return true;
    assert_int_equal(read_head(&reading, bytes), PX_OK);
    h1_repeat_note(repeats, &reading.parser, bytes.ptr);
    h1_repeats_check(repeats);
    return false;
}

static void assert_span(struct http_span is, struct http_span wanted)
{
    assert_int_equal(is.at, wanted.at);
    assert_int_equal(is.len, wanted.len);
}

static void assert_same(const struct h1_parser *is, const struct h1_parser *wanted)
{
    assert_int_equal(is->state, wanted->state);
    assert_int_equal(is->head_bytes, wanted->head_bytes);
    assert_int_equal(is->offset, wanted->offset);
    assert_int_equal(is->method_id, wanted->method_id);
    assert_int_equal(is->target_form, wanted->target_form);
    assert_int_equal(is->minor_version, wanted->minor_version);
    assert_int_equal(is->framing, wanted->framing);
    assert_int_equal(is->keep_alive, wanted->keep_alive);
    assert_int_equal(is->seen, wanted->seen);
    assert_int_equal(is->query_at, wanted->query_at);
    assert_int_equal(is->field_count, wanted->field_count);
    assert_span(is->method, wanted->method);
    assert_span(is->target, wanted->target);
    assert_span(is->authority, wanted->authority);
    assert_span(is->path, wanted->path);
    assert_span(is->host, wanted->host);
    for (size_t at = 0; at < is->field_count; at++) {
        assert_span(is->fields[at].name, wanted->fields[at].name);
        assert_span(is->fields[at].value, wanted->fields[at].value);
    }
}

#define PLAIN "GET /a/page?x=1 HTTP/1.1\r\nHost: a.example\r\nAccept: */*\r\n\r\n"

static const px_str plain = {PLAIN, sizeof(PLAIN) - 1};

static void it_is_kept_the_second_time(void **state)
{
    struct h1_repeats repeats = {0};

    (void)state;
    assert_false(come(&repeats, plain));
    assert_false(come(&repeats, plain));
    assert_true(come(&repeats, plain));
}

/* The bytes stand before a page that cannot be read. */
static const struct h1_parser *found_at_end(const struct h1_repeats *repeats, struct guard *guard,
                                            px_str bytes)
{
    px_str at_end = guard_at_end(guard, bytes);

    return h1_repeat_find(repeats, at_end.ptr, at_end.len);
}

static void a_part_of_it_is_not_found(void **state)
{
    struct h1_repeats repeats = {0};
    struct guard guard;

    (void)state;
    (void)come(&repeats, plain);
    (void)come(&repeats, plain);
    guard_init(&guard, plain.len);
    for (size_t len = 0; len < plain.len; len++)
        assert_null(found_at_end(&repeats, &guard, px_str_make(plain.ptr, len)));
    assert_non_null(found_at_end(&repeats, &guard, plain));
    guard_deinit(&guard);
}

static void it_is_not_found_when_any_bit_differs(void **state)
{
    struct h1_repeats repeats = {0};
    char bytes[64];

    (void)state;
    (void)come(&repeats, plain);
    (void)come(&repeats, plain);
    memcpy(bytes, plain.ptr, plain.len);
    for (size_t at = 0; at < plain.len * 8; at++) {
        bytes[at / 8] = (char)(bytes[at / 8] ^ (1 << at % 8));
        assert_null(h1_repeat_find(&repeats, bytes, plain.len));
        bytes[at / 8] = (char)(bytes[at / 8] ^ (1 << at % 8));
    }
    assert_non_null(h1_repeat_find(&repeats, bytes, plain.len));
}

/* Heads that take turns in one place put out none: each was followed by another. */
static void heads_that_differ_are_not_copied(void **state)
{
    const px_str one = LITERAL("GET /same/beginning/1 HTTP/1.1\r\nHost: a\r\n\r\n");
    const px_str two = LITERAL("GET /same/beginning/2 HTTP/1.1\r\nHost: bc\r\n\r\n");
    struct h1_repeats repeats = {0};

    (void)state;
    assert_int_equal(h1_repeat_index(one.ptr), h1_repeat_index(two.ptr));
    for (int turn = 0; turn < 10; turn++) {
        assert_false(come(&repeats, one));
        assert_false(come(&repeats, two));
    }
    assert_false(come(&repeats, two));
    assert_true(come(&repeats, two));
    assert_false(come(&repeats, one));
    assert_true(come(&repeats, two));
    assert_false(come(&repeats, one)); /* missed twice with no other between: it takes the place */
    assert_true(come(&repeats, one));
}

enum { KINDS = 18 };

#define LINE "GET / HTTP/1.1\r\nHost: a\r\n"
#define TEN(text) text text text text text text text text text text

static const struct {
    bool kept;
    const char *head;
} kinds[] = {
    {true, LINE "\r\n"},
    {true, "GET / HTTP/1.0\r\n\r\n"},
    {true, "GET http://b/?q HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
    {true, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {true, LINE "Expect: something\r\n\r\n"},
    {true, LINE "Cookies: a=b\r\n\r\n"},
    {true, LINE TEN("a: b\r\n") TEN("a: b\r\n") "a: b\r\na: b\r\na: b\r\n\r\n"},
    {false, LINE TEN("a: b\r\n") TEN("a: b\r\n") "a: b\r\na: b\r\na: b\r\na: b\r\n\r\n"},
    {true, LINE "a: " TEN(TEN("1234567")) "123456789012345678901234567890123456\r\n\r\n"},
    {false, LINE "a: " TEN(TEN("1234567")) "1234567890123456789012345678901234567\r\n\r\n"},
    {false, LINE "Cookie: a=b\r\n\r\n"},
    {false, LINE "cOOKIE: a=b\r\n\r\n"},
    {false, LINE "Authorization: Basic YTpi\r\n\r\n"},
    {false, LINE "Proxy-Authorization: Basic YTpi\r\nAccept: */*\r\n\r\n"},
    {false, LINE "Content-Length: 0\r\n\r\n"},
    {false, LINE "Content-Length: 3\r\n\r\n"},
    {false, LINE "Transfer-Encoding: chunked\r\n\r\n"},
    {false, "\r\n" LINE "\r\n"},
};

static void which_are_kept(void **state)
{
    size_t count = sizeof(kinds) / sizeof(*kinds);

    (void)state;
    assert_int_equal(count, KINDS);
    for (size_t at = 0; at < count; at++) {
        struct h1_repeats repeats = {0};
        px_str head = px_str_of(kinds[at].head);

        (void)come(&repeats, head);
        (void)come(&repeats, head);
        if (come(&repeats, head) != kinds[at].kept)
            fail_msg("kind %zu of %zu bytes: %s", at, head.len, head.ptr);
    }
}

/* All that the parser is tested with: what is found is what reading it gives. */
static void what_is_found_is_what_reading_gives(void **state)
{
    struct h1_repeats repeats = {0};
    size_t found = 0;

    (void)state;
    for (size_t at = 0; at < h1_case_count; at++) {
        px_str input = h1_cases[at].input;
        const struct h1_parser *repeated = h1_repeat_find(&repeats, input.ptr, input.len);
        struct reading reading;

        for (int turn = 0; turn < 3 && read_head(&reading, input) == PX_OK; turn++) {
            if (repeated)
                assert_same(repeated, &reading.parser);
            found += repeated != NULL;
            if (!repeated)
                h1_repeat_note(&repeats, &reading.parser, input.ptr);
            h1_repeats_check(&repeats);
            repeated = h1_repeat_find(&repeats, input.ptr, input.len);
        }
        if (read_head(&reading, input) != PX_OK)
            assert_null(repeated);
    }
    assert_true(found > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_kept_the_second_time),
        cmocka_unit_test(a_part_of_it_is_not_found),
        cmocka_unit_test(it_is_not_found_when_any_bit_differs),
        cmocka_unit_test(heads_that_differ_are_not_copied),
        cmocka_unit_test(which_are_kept),
        cmocka_unit_test(what_is_found_is_what_reading_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
