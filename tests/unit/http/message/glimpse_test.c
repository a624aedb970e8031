/*
 * What is seen of requests that are refused: whole heads and broken ones, cut at every byte.
 */
#include "http/message/glimpse.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/fields/field.h"
#include "lib/guard.h"
#include "lib/test.h"

static const struct glimpse_case {
    const char *head;
    const char *line;
    const char *method;
    const char *target;
    const char *host;
    const char *agent;
    unsigned version;
} cases[] = {
    {"GET /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: u v\r\n\r\n", "GET /a?b HTTP/1.1", "GET", "/a?b",
     "h", "u v", 11},
    {"GET / HTTP/1.0\r\n\r\nHost: not-its\r\n", "GET / HTTP/1.0", "GET", "/", "", "", 10},
    {"\r\n\nPOST /x HTTP/1.1\nhost : a\nUSER-AGENT:\tb \n", "POST /x HTTP/1.1", "POST", "/x", "a",
     "b", 11},
    {"nonsense\r\n\r\n", "nonsense", "nonsense", "", "", "", 11},
    {"GET  /two blanks  HTTP/9.9", "GET  /two blanks  HTTP/9.9", "GET", "/two blanks", "", "", 11},
    {"GET /half HT", "GET /half HT", "GET", "/half HT", "", "", 11},
    {"GET /half HTTP/1.1\r", "GET /half HTTP/1.1", "GET", "/half", "", "", 11},
    {"HTTP/1.1 200 OK\r\nHost: a\r\n", "HTTP/1.1 200 OK", "HTTP/1.1", "200 OK", "a", "", 11},
    {"GET HTTP/1.1\r\n", "GET HTTP/1.1", "GET", "", "", "", 11},
    {" HTTP/1.1\r\n", " HTTP/1.1", "", "", "", "", 11},
    {"GET /\r\nno colon\r\nHost: first\r\nHost: second\r\n\r\n", "GET /", "GET", "/", "first", "",
     11},
    {"", "", "", "", "", "", 11},
    {"\r\n\r\n", "", "", "", "", "", 11},
    {"\x16\x03\x01\x02", "\x16\x03\x01\x02", "\x16\x03\x01\x02", "", "", "", 11},
};

_Static_assert(ARRAY_COUNT(cases) == 14, "a case was lost");

static void same(px_str seen, const char *wanted)
{
    assert_int_equal(seen.len, strlen(wanted));
    if (seen.len > 0)
        assert_memory_equal(seen.ptr, wanted, seen.len);
}

static void what_is_seen(void **state)
{
    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        const struct glimpse_case *one = &cases[index];
        struct http_glimpse glimpse;
        struct guard guard;

        guard_init(&guard, 4096);
        http_glimpse_read(guard_at_end(&guard, px_str_of(one->head)), &glimpse);
        same(glimpse.line, one->line);
        same(glimpse.method, one->method);
        same(glimpse.target, one->target);
        same(glimpse.host, one->host);
        same(field_find_value(glimpse.fields, glimpse.field_count, "User-Agent"), one->agent);
        assert_int_equal(glimpse.version, one->version);
        guard_deinit(&guard);
    }
}

/* A slice lies in what came, and has its bound. */
static void within(px_str slice, px_str head)
{
    if (!slice.ptr)
        return;
    assert_true(slice.ptr >= head.ptr && slice.ptr + slice.len <= head.ptr + head.len);
    assert_true(slice.len <= GLIMPSE_BYTES_MAX);
}

static void every_cut_is_within(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        for (size_t len = 0; len <= strlen(cases[index].head); len++) {
            px_str head = guard_at_end(&guard, px_str_make(cases[index].head, len));
            struct http_glimpse glimpse;

            http_glimpse_read(head, &glimpse);
            within(glimpse.line, head);
            within(glimpse.method, head);
            within(glimpse.target, head);
            within(glimpse.host, head);
            for (uint32_t field = 0; field < glimpse.field_count; field++)
                within(glimpse.fields[field].value, head);
        }
    }
    guard_deinit(&guard);
}

static void long_pieces_are_cut(void **state)
{
    enum { LONG = 3 * GLIMPSE_BYTES_MAX };
    char *head = malloc(4 * LONG);
    struct http_glimpse glimpse;
    size_t len = 0;

    (void)state;
    assert_non_null(head);
    len += (size_t)snprintf(head, 8, "GET /");
    memset(head + len, 'a', LONG);
    len += LONG;
    len += (size_t)snprintf(head + len, 64, " HTTP/1.1\r\nHost: ");
    memset(head + len, 'b', LONG);
    len += LONG;
    http_glimpse_read(px_str_make(head, len), &glimpse);
    assert_int_equal(glimpse.line.len, GLIMPSE_BYTES_MAX);
    assert_int_equal(glimpse.target.len, GLIMPSE_BYTES_MAX);
    assert_int_equal(glimpse.host.len, GLIMPSE_BYTES_MAX);
    assert_int_equal(glimpse.method.len, 3);
    free(head);
}

static void fields_are_bounded(void **state)
{
    char head[2048] = "GET / HTTP/1.1\r\n";
    struct http_glimpse glimpse;

    (void)state;
    for (int index = 0; index < GLIMPSE_FIELDS_MAX; index++)
        strncat(head, "Forwarded: for=a\r\n", sizeof(head) - strlen(head) - 1);
    http_glimpse_read(px_str_of(head), &glimpse);
    assert_int_equal(glimpse.field_count, GLIMPSE_FIELDS_MAX);
    assert_false(glimpse.fields_cut);
    strncat(head, "x-forwarded-for: a\r\n", sizeof(head) - strlen(head) - 1);
    http_glimpse_read(px_str_of(head), &glimpse);
    assert_int_equal(glimpse.field_count, GLIMPSE_FIELDS_MAX);
    assert_true(glimpse.fields_cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_seen),
        cmocka_unit_test(every_cut_is_within),
        cmocka_unit_test(long_pieces_are_cut),
        cmocka_unit_test(fields_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
