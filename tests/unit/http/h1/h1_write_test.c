/*
 * Response heads byte for byte, inside of the room that was asked for, up to its last byte.
 */
#include "base/text.h"
#include "http/h1/h1_write.h"

#include <signal.h>
#include <string.h>

#include "base/check.h"
#include "lib/guard.h"
#include "lib/test.h"

enum { NEW_YEAR_2026 = 1767225600 }; /* Thu, 01 Jan 2026 00:00:00 GMT */

#define DATE "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"

static void stamp_of(struct h1_stamp *stamp, const char *name)
{
    h1_stamp_init(stamp, px_str_of(name));
    h1_stamp_update(stamp, NEW_YEAR_2026);
}

/* Writes it into exactly the room that h1_head_room asks for, which ends at a guard page. */
static void head_is(const struct h1_response_head *head, const struct h1_stamp *stamp,
                    const char *expected)
{
    size_t room = h1_head_room(head);
    struct guard guard;

    guard_init(&guard, room);
    char *out = guard.ptr + guard.bytes - room;
    char *end = h1_write_head(out, head, stamp);

    assert_true(end <= out + room);
    assert_str_equal(px_str_make(out, (size_t)(end - out)), px_str_of(expected));
    guard_deinit(&guard);
}

static void heads_of_all_kinds(void **state)
{
    const px_field fields[] = {{LITERAL("X-One"), LITERAL("1")}, {LITERAL("X-Two"), LITERAL("")}};
    const struct {
        struct h1_response_head head;
        const char *expected;
    } cases[] = {
        {{.status = 200, .has_length = true, .length = 13, .type = LITERAL("text/plain")},
         "HTTP/1.1 200 OK\r\nServer: pollux\r\n" DATE
         "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\n"},
        {{.status = 200, .chunked = true},
         "HTTP/1.1 200 OK\r\nServer: pollux\r\n" DATE "Transfer-Encoding: chunked\r\n\r\n"},
        {{.status = 200}, "HTTP/1.1 200 OK\r\nServer: pollux\r\n" DATE "\r\n"},
        {{.status = 200, .no_server = true, .has_length = true},
         "HTTP/1.1 200 OK\r\n" DATE "Content-Length: 0\r\n\r\n"},
        {{.status = 200, .no_date = true, .has_length = true},
         "HTTP/1.1 200 OK\r\nServer: pollux\r\nContent-Length: 0\r\n\r\n"},
        {{.status = 200, .no_date = true, .no_server = true}, "HTTP/1.1 200 OK\r\n\r\n"},
        {{.status = 204}, "HTTP/1.1 204 No Content\r\nServer: pollux\r\n" DATE "\r\n"},
        {{.status = 404, .has_length = true, .length = UINT64_MAX},
         "HTTP/1.1 404 Not Found\r\nServer: pollux\r\n" DATE
         "Content-Length: 18446744073709551615\r\n\r\n"},
        {{.status = 599}, "HTTP/1.1 599 \r\nServer: pollux\r\n" DATE "\r\n"},
        {{.status = 200, .connection = H1_CONNECTION_CLOSE},
         "HTTP/1.1 200 OK\r\nServer: pollux\r\n" DATE "Connection: close\r\n\r\n"},
        {{.status = 200, .connection = H1_CONNECTION_KEEP_ALIVE},
         "HTTP/1.1 200 OK\r\nServer: pollux\r\n" DATE "Connection: keep-alive\r\n\r\n"},
        {{.status = 101, .connection = H1_CONNECTION_UPGRADE, .upgrade = LITERAL("echo")},
         "HTTP/1.1 101 Switching Protocols\r\nServer: pollux\r\n" DATE
         "Connection: Upgrade\r\nUpgrade: echo\r\n\r\n"},
        {{.status = 200, .fields = fields, .field_count = 2, .has_length = true, .length = 1},
         "HTTP/1.1 200 OK\r\nServer: pollux\r\n" DATE
         "X-One: 1\r\nX-Two: \r\nContent-Length: 1\r\n\r\n"},
    };
    struct h1_stamp stamp;

    (void)state;
    stamp_of(&stamp, "pollux");
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++)
        head_is(&cases[index].head, &stamp, cases[index].expected);
}

static void longest_head_fits_its_room(void **state)
{
    static char name[H1_SERVER_NAME_MAX + 1], text[3000];
    px_field fields[40];
    struct h1_stamp stamp;
    struct guard guard;

    (void)state;
    memset(name, 'n', H1_SERVER_NAME_MAX);
    memset(text, 't', sizeof(text));
    stamp_of(&stamp, name);
    for (size_t index = 0; index < ARRAY_COUNT(fields); index++)
        fields[index] = (px_field){px_str_make(text, index + 1), px_str_make(text, index * 70)};
    /* Every status: the longest reason there is. */
    for (uint16_t status = 100; status < 600; status++) {
        struct h1_response_head head = {.status = status,
                                        .has_length = true,
                                        .length = UINT64_MAX,
                                        .connection = H1_CONNECTION_UPGRADE,
                                        .type = px_str_make(text, 500),
                                        .upgrade = px_str_make(text, 300),
                                        .fields = fields,
                                        .field_count = ARRAY_COUNT(fields)};
        size_t room = h1_head_room(&head);

        guard_init(&guard, room);
        char *out = guard.ptr + guard.bytes - room;

        assert_true(h1_write_head(out, &head, &stamp) <= out + room);
        head.field_count = 0;
        room = h1_head_room(&head);
        out = guard.ptr + guard.bytes - room;
        assert_true(h1_write_head(out, &head, &stamp) <= out + room);
        guard_deinit(&guard);
    }
}

static void stamp_changes_with_the_second(void **state)
{
    static const struct {
        int64_t time;
        const char *date;
    } cases[] = {
        {0, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
        {NEW_YEAR_2026, DATE},
        {NEW_YEAR_2026 + 1, "Date: Thu, 01 Jan 2026 00:00:01 GMT\r\n"},
        {NEW_YEAR_2026, DATE}, /* a clock that was set back */
        {-5, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
        {INT64_MIN + 1, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
    };
    struct h1_stamp stamp;

    (void)state;
    for (int named = 0; named < 2; named++) {
        h1_stamp_init(&stamp, px_str_of(named ? "x" : ""));
        for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
            char expected[128];

            for (int twice = 0; twice < 2; twice++)
                h1_stamp_update(&stamp, cases[index].time);
            snprintf(expected, sizeof(expected), "HTTP/1.1 200 OK\r\n%s%s",
                     named ? "Server: x\r\n" : "", cases[index].date);
            assert_str_equal(px_str_make(stamp.text, stamp.len), px_str_of(expected));
        }
    }
}

static void informational_heads(void **state)
{
    char out[256];
    const px_field fields[] = {{LITERAL("Link"), LITERAL("</a>; rel=preload")},
                               {LITERAL("X"), LITERAL("")}};
    const px_field small = {LITERAL("Nam"), LITERAL("va")};

    (void)state;
    char *end = h1_write_inform(out, 103, fields, 2);

    assert_str_equal(px_str_make(out, (size_t)(end - out)),
                     LITERAL("HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nX: \r\n\r\n"));
    end = h1_write_inform(out, 100, NULL, 0);
    assert_str_equal(px_str_make(out, (size_t)(end - out)),
                     LITERAL("HTTP/1.1 100 Continue\r\n\r\n"));
    /* "`out` has room for 64 bytes more than the fields." */
    for (unsigned status = 100; status < 200; status++) {
        struct guard guard;

        guard_init(&guard, 64 + h1_fields_room(&small, 1));
        char *end_of_all = guard.ptr + guard.bytes;

        assert_true(h1_write_inform(end_of_all - 64 - h1_fields_room(&small, 1), status, &small,
                                    1) <= end_of_all);
        guard_deinit(&guard);
    }
}

static void chunk_heads_and_numbers(void **state)
{
    static const struct {
        uint32_t bytes;
        const char *head;
    } chunks[] = {{1, "0001\r\n"},    {15, "000f\r\n"},     {16, "0010\r\n"},
                  {4096, "1000\r\n"}, {0xabcd, "abcd\r\n"}, {65535, "ffff\r\n"}};
    static const struct {
        uint64_t number;
        const char *text;
    } numbers[] = {{0, "0"}, {9, "9"}, {10, "10"}, {18446744073709551615U, "18446744073709551615"}};
    char out[32];

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(chunks); index++) {
        h1_write_chunk_head(out, chunks[index].bytes);
        assert_memory_equal(out, chunks[index].head, H1_CHUNK_HEAD_BYTES);
    }
    for (size_t index = 0; index < ARRAY_COUNT(numbers); index++) {
        char *end = text_write_number(out, numbers[index].number);

        assert_str_equal(px_str_make(out, (size_t)(end - out)), px_str_of(numbers[index].text));
    }
}

static void empty_chunk(void)
{
    char out[H1_CHUNK_HEAD_BYTES];

    h1_write_chunk_head(out, 0); /* it would end the content */
}

static void huge_chunk(void)
{
    char out[H1_CHUNK_HEAD_BYTES];

    h1_write_chunk_head(out, 65536);
}

static void long_name(void)
{
    struct h1_stamp stamp;
    char name[H1_SERVER_NAME_MAX + 2];

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    h1_stamp_init(&stamp, px_str_of(name));
}

static void misuse_aborts(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(empty_chunk, output, sizeof(output)), SIGABRT);
    assert_int_equal(test_signal_of(huge_chunk, output, sizeof(output)), SIGABRT);
    assert_int_equal(test_signal_of(long_name, output, sizeof(output)), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_of_all_kinds),
        cmocka_unit_test(longest_head_fits_its_room),
        cmocka_unit_test(stamp_changes_with_the_second),
        cmocka_unit_test(informational_heads),
        cmocka_unit_test(chunk_heads_and_numbers),
        cmocka_unit_test(misuse_aborts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
