/*
 * Content by length, by chunks and by close: slices, budgets at their exact byte, trailers, the end
 * of the stream, and failing memory.  The grammar of chunks is in h1_cases.c, class C.
 */
#include "http/h1/h1_body.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "lib/splits.h"
#include "lib/test.h"

enum { CONTENT_MAX = 1024 * 1024 };

/* What came of reading some content. */
struct outcome {
    struct h1_body body;
    enum h1_framing framing;
    uint64_t length;
    px_err err;
    size_t used;
    size_t content_bytes;
    char content[CONTENT_MAX];
};

static struct outcome outcome;

static void outcome_begin(void *context)
{
    struct outcome *out = context;

    h1_body_deinit(&out->body);
    h1_body_init(&out->body, out->framing, out->length, &alloc_libc);
    out->err = PX_AGAIN;
    out->used = 0;
    out->content_bytes = 0;
}

/* Consumes what the body consumes, call after call. */
static size_t outcome_feed(px_str bytes, void *context)
{
    struct outcome *out = context;
    size_t at = 0;

    while (out->err == PX_AGAIN) {
        px_str rest = px_str_make(bytes.ptr + at, bytes.len - at);
        px_str content = {NULL, 0};
        size_t used = 0;

        out->err = h1_body_read(&out->body, rest, &used, &content);
        if (out->err != PX_OK && out->err != PX_AGAIN)
            break;
        assert_true(used <= rest.len);
        assert_true(used > 0 || rest.len == 0 || out->err == PX_OK);
        assert_true(out->content_bytes + content.len <= CONTENT_MAX);
        if (content.len > 0) {
            assert_true(content.ptr >= rest.ptr && content.ptr + content.len <= rest.ptr + used);
            memcpy(out->content + out->content_bytes, content.ptr, content.len);
        }
        out->content_bytes += content.len;
        at += used;
        if (at == bytes.len)
            break;
    }
    out->used += at;
    return at;
}

static px_str outcome_content(void)
{
    return px_str_make(outcome.content, outcome.content_bytes);
}

static void read_all(enum h1_framing framing, uint64_t length, px_str bytes)
{
    outcome.framing = framing;
    outcome.length = length;
    outcome_begin(&outcome);
    (void)outcome_feed(bytes, &outcome);
}

/* Byte by byte; returns how many bytes had come when it ended. */
static size_t read_bytewise(enum h1_framing framing, px_str bytes)
{
    outcome.framing = framing;
    outcome.length = 0;
    outcome_begin(&outcome);
    for (size_t at = 0; at < bytes.len; at++) {
        (void)outcome_feed(px_str_make(bytes.ptr + at, 1), &outcome);
        if (outcome.err != PX_AGAIN)
            return at + 1;
    }
    return bytes.len;
}

static void body_without_content_is_over_at_once(void **state)
{
    (void)state;
    read_all(H1_FRAMING_NONE, 0, LITERAL("GET"));
    assert_int_equal(outcome.err, PX_OK);
    assert_int_equal(outcome.used, 0);
    read_all(H1_FRAMING_LENGTH, 0, LITERAL("GET"));
    assert_int_equal(outcome.err, PX_OK);
    assert_int_equal(outcome.used, 0);
    assert_int_equal(h1_body_eof(&outcome.body), PX_OK);
}

static const char *split_expected;

static void length_end(size_t left, const char *split, void *context)
{
    (void)split;
    (void)context;
    assert_int_equal(outcome.err, PX_OK);
    assert_int_equal(left, 4);
    assert_str_equal(outcome_content(), px_str_of(split_expected));
}

static void body_by_length_takes_just_that(void **state)
{
    struct split_reader reader = {outcome_begin, outcome_feed, length_end, &outcome};

    (void)state;
    outcome.framing = H1_FRAMING_LENGTH;
    outcome.length = 12;
    split_expected = "hello, world";
    assert_true(splits_each(LITERAL("hello, worldGET "), &reader) > 2);
    read_all(H1_FRAMING_LENGTH, 12, LITERAL("hello"));
    assert_int_equal(outcome.err, PX_AGAIN);
    assert_int_equal(outcome.body.left, 7);
    assert_int_equal(outcome.body.received, 5);
    assert_int_equal(h1_body_eof(&outcome.body), PX_ERR_MALFORMED);
    assert_int_equal(outcome.body.status, 400);
    assert_non_null(outcome.body.reason);
    read_all(H1_FRAMING_LENGTH, INT64_MAX, LITERAL("hello"));
    assert_int_equal(outcome.body.left, INT64_MAX - 5);
}

static void close_end(size_t left, const char *split, void *context)
{
    (void)split;
    (void)context;
    assert_int_equal(left, 0);
    assert_int_equal(outcome.err, PX_AGAIN);
    assert_int_equal(h1_body_eof(&outcome.body), PX_OK);
    assert_str_equal(outcome_content(), px_str_of(split_expected));
    assert_int_equal(outcome.body.received, strlen(split_expected));
}

static void body_by_close_takes_all(void **state)
{
    struct split_reader reader = {outcome_begin, outcome_feed, close_end, &outcome};

    (void)state;
    outcome.framing = H1_FRAMING_CLOSE;
    outcome.length = 0;
    split_expected = "hello\r\n0\r\n\r\n";
    assert_true(splits_each(px_str_of(split_expected), &reader) > 2);
    read_all(H1_FRAMING_CLOSE, 0, LITERAL(""));
    assert_int_equal(h1_body_eof(&outcome.body), PX_OK);
}

static void body_cut_short_is_malformed_at_every_byte(void **state)
{
    static const char bytes[] = "5;a=\"b\"\r\nhello\r\n0\r\nX: y\r\n\r\n";

    (void)state;
    for (size_t len = 0; len < sizeof(bytes) - 1; len++) {
        read_all(H1_FRAMING_CHUNKED, 0, px_str_make(bytes, len));
        assert_int_equal(outcome.err, PX_AGAIN);
        assert_int_equal(h1_body_eof(&outcome.body), PX_ERR_MALFORMED);
    }
    read_all(H1_FRAMING_CHUNKED, 0, px_str_make(bytes, sizeof(bytes) - 1));
    assert_int_equal(outcome.err, PX_OK);
    assert_int_equal(h1_body_eof(&outcome.body), PX_OK);
}

static void body_stays_refused(void **state)
{
    px_str content;
    size_t used;

    (void)state;
    read_all(H1_FRAMING_CHUNKED, 0, LITERAL("x"));
    assert_int_equal(outcome.err, PX_ERR_MALFORMED);
    assert_int_equal(h1_body_read(&outcome.body, LITERAL("0\r\n\r\n"), &used, &content),
                     PX_ERR_MALFORMED);
    assert_int_equal(h1_body_eof(&outcome.body), PX_ERR_MALFORMED);
}

/* A text that grows; owned by the test. */
static px_str repeated(px_str piece, size_t count, px_str last)
{
    char *bytes = malloc(piece.len * count + last.len + 1);

    assert_non_null(bytes);
    for (size_t i = 0; i < count; i++)
        memcpy(bytes + i * piece.len, piece.ptr, piece.len);
    memcpy(bytes + count * piece.len, last.ptr, last.len);
    return px_str_make(bytes, piece.len * count + last.len);
}

/* Whole, byte by byte and in odd pieces it is refused after the same content; by bytes, exactly at
 * `at`. */
static void assert_refused_at(px_str bytes, size_t at, size_t content_bytes, uint16_t status)
{
    read_all(H1_FRAMING_CHUNKED, 0, bytes);
    assert_true(outcome.err == PX_ERR_MALFORMED || outcome.err == PX_ERR_LIMIT);
    assert_int_equal(outcome.content_bytes, content_bytes);
    assert_int_equal(outcome.body.status, status);
    assert_int_equal(read_bytewise(H1_FRAMING_CHUNKED, bytes), at);
    assert_int_equal(outcome.content_bytes, content_bytes);
    assert_int_equal(outcome.body.status, status);
    for (size_t step = 2; step < 100; step += 7) {
        outcome_begin(&outcome);
        for (size_t from = 0; from < bytes.len && outcome.err == PX_AGAIN; from += step) {
            size_t len = bytes.len - from < step ? bytes.len - from : step;

            (void)outcome_feed(px_str_make(bytes.ptr + from, len), &outcome);
        }
        assert_int_equal(outcome.content_bytes, content_bytes);
        assert_int_equal(outcome.body.status, status);
    }
    free((void *)bytes.ptr);
}

static void body_refuses_twenty_thousand_one_byte_chunks(void **state)
{
    /* "1 CR LF x CR LF" has five bytes of framing for one of content. */
    size_t chunks = CHUNK_OVERHEAD_BYTES_MAX / 5;
    size_t rest = CHUNK_OVERHEAD_BYTES_MAX + 1 - chunks * 5;
    size_t content = chunks;

    (void)state;
    /* The byte of content comes after three of the five. */
    if (rest > 3) {
        rest++;
        content++;
    }
    assert_refused_at(repeated(LITERAL("1\r\nx\r\n"), 20000, LITERAL("0\r\n\r\n")),
                      chunks * 6 + rest, content, 400);
}

static void body_takes_many_chunks_that_carry_something(void **state)
{
    px_str bytes = repeated(LITERAL("10\r\n0123456789abcdef\r\n"), 20000, LITERAL("0\r\n\r\n"));

    (void)state;
    read_all(H1_FRAMING_CHUNKED, 0, bytes);
    assert_int_equal(outcome.err, PX_OK);
    assert_int_equal(outcome.content_bytes, 320000);
    free((void *)bytes.ptr);
}

static void body_refuses_64_kib_of_extensions(void **state)
{
    enum { CHUNK_BYTES = 32 * 1024 };
    char *bytes = calloc(1, 80 * CHUNK_BYTES);
    size_t len = 0;

    (void)state;
    assert_non_null(bytes);

    /* In one chunk: the budget of framing ends it, one byte past its size. */
    len = (size_t)snprintf(bytes, 64, "1;");
    memset(bytes + len, 'a', 64 * 1024);
    len += 64 * 1024;
    memcpy(bytes + len, "\r\nx\r\n0\r\n\r\n", 10);
    assert_refused_at(px_str_make(bytes, len + 10), CHUNK_OVERHEAD_BYTES_MAX + 1, 0, 400);

    /* In sum, with much content in between: the budget of extensions does. */
    bytes = calloc(1, 80 * CHUNK_BYTES);
    assert_non_null(bytes);
    len = 0;
    for (int i = 0; i < 24; i++) {
        len += (size_t)snprintf(bytes + len, 64, "%x;", CHUNK_BYTES);
        memset(bytes + len, 'a', 1023);
        len += 1023;
        memcpy(bytes + len, "\r\n", 2);
        len += 2 + CHUNK_BYTES;
        memcpy(bytes + len, "\r\n", 2);
        len += 2;
    }
    read_all(H1_FRAMING_CHUNKED, 0, px_str_make(bytes, len));
    assert_int_equal(outcome.err, PX_ERR_MALFORMED);
    assert_int_equal(outcome.body.extension_bytes, CHUNK_EXTENSION_BYTES_MAX + 1);
    assert_int_equal(outcome.content_bytes, 16 * CHUNK_BYTES);
    free(bytes);
}

static void body_limits_trailers(void **state)
{
    char *bytes = calloc(1, 100 * 1024);
    size_t len;

    (void)state;
    assert_non_null(bytes);
    /* Too many: at the first byte of the one above the limit. */
    len = (size_t)snprintf(bytes, 64, "0\r\n");
    for (int i = 0; i < TRAILER_COUNT_MAX + 1; i++)
        len += (size_t)snprintf(bytes + len, 64, "X: y\r\n");
    assert_refused_at(px_str_make(bytes, len), 3 + TRAILER_COUNT_MAX * 6 + 1, 0, 431);
    /* Too large: at the byte. */
    bytes = calloc(1, 100 * 1024);
    assert_non_null(bytes);
    len = (size_t)snprintf(bytes, 64, "0\r\nX: ");
    memset(bytes + len, 'a', 64 * 1024);
    assert_refused_at(px_str_make(bytes, len + 64 * 1024), 3 + TRAILER_BYTES_MAX + 1, 0, 431);
    /* Just fits. */
    bytes = calloc(1, 100 * 1024);
    assert_non_null(bytes);
    len = (size_t)snprintf(bytes, 64, "0\r\nX: ");
    memset(bytes + len, 'a', TRAILER_BYTES_MAX - 5);
    len += TRAILER_BYTES_MAX - 5;
    memcpy(bytes + len, "\r\n\r\n", 4);
    read_all(H1_FRAMING_CHUNKED, 0, px_str_make(bytes, len + 4));
    assert_int_equal(outcome.err, PX_OK);
    assert_int_equal(outcome.body.trailer.len, TRAILER_BYTES_MAX);
    free(bytes);
}

static void body_drops_trailers_that_frame_or_route(void **state)
{
    static const char *const dropped[] = {
        "Transfer-Encoding",
        "Content-Length",
        "Host",
        "Connection",
        "Trailer",
        "TE",
        "Upgrade",
        "Expect",
        "Range",
        "Cookie",
        "Set-Cookie",
        "Authorization",
        "Content-Type",
        "X-Real-IP",
        "X-Forwarded-For",
        "Cache-Control",
        "Forwarded",
        "Keep-Alive",
        "If-Match",
        "WWW-Authenticate",
        "Content-Encoding",
        "content-range",
        "hOsT",
        "Max-Forwards",
        "Proxy-Authorization",
    };
    char bytes[256];

    (void)state;
    for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++) {
        struct arena arena;
        px_field *fields;
        uint32_t count;
        int len =
            snprintf(bytes, sizeof(bytes), "0\r\nA: 1\r\n%s: x\r\nB:\t2 \r\n\r\n", dropped[i]);

        read_all(H1_FRAMING_CHUNKED, 0, px_str_make(bytes, (size_t)len));
        assert_int_equal(outcome.err, PX_OK);
        arena_init(&arena, &alloc_libc, NULL, 0, 64 * 1024);
        assert_int_equal(h1_body_trailers(&outcome.body, &arena, &fields, &count), PX_OK);
        assert_int_equal(count, 2);
        assert_str_equal(fields[0].name, LITERAL("A"));
        assert_str_equal(fields[0].value, LITERAL("1"));
        assert_str_equal(fields[1].name, LITERAL("B"));
        assert_str_equal(fields[1].value, LITERAL("2"));
        assert_int_equal(fields[1].value.ptr[1], '\0');
        arena_reset(&arena);
    }
}

static void body_has_no_trailers_without_any(void **state)
{
    struct arena arena;
    px_field *fields;
    uint32_t count = 1;

    (void)state;
    arena_init(&arena, &alloc_libc, NULL, 0, 1024);
    read_all(H1_FRAMING_CHUNKED, 0, LITERAL("0\r\n\r\n"));
    assert_int_equal(h1_body_trailers(&outcome.body, &arena, &fields, &count), PX_OK);
    assert_int_equal(count, 0);
    assert_null(outcome.body.trailer.ptr);
    arena_reset(&arena);
}

static void trailers_with(const px_allocator *allocator, void *context)
{
    struct h1_body body;
    struct arena arena;
    px_field *fields;
    px_str content;
    uint32_t count;
    size_t used;
    px_err err;

    (void)context;
    h1_body_init(&body, H1_FRAMING_CHUNKED, 0, allocator);
    arena_init(&arena, allocator, NULL, 0, 64 * 1024);
    err = h1_body_read(&body, LITERAL("0\r\nX: y\r\n\r\n"), &used, &content);
    assert_true(err == PX_OK || err == PX_ERR_MEMORY);
    if (err == PX_OK) {
        err = h1_body_trailers(&body, &arena, &fields, &count);
        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
    }
    arena_reset(&arena);
    h1_body_deinit(&body);
}

static void body_lives_without_memory(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("trailers", trailers_with, NULL), 2);
}

static int body_teardown(void **state)
{
    (void)state;
    h1_body_deinit(&outcome.body);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(body_without_content_is_over_at_once),
        cmocka_unit_test(body_by_length_takes_just_that),
        cmocka_unit_test(body_by_close_takes_all),
        cmocka_unit_test(body_cut_short_is_malformed_at_every_byte),
        cmocka_unit_test(body_stays_refused),
        cmocka_unit_test(body_refuses_twenty_thousand_one_byte_chunks),
        cmocka_unit_test(body_takes_many_chunks_that_carry_something),
        cmocka_unit_test(body_refuses_64_kib_of_extensions),
        cmocka_unit_test(body_limits_trailers),
        cmocka_unit_test(body_drops_trailers_that_frame_or_route),
        cmocka_unit_test(body_has_no_trailers_without_any),
        cmocka_unit_test(body_lives_without_memory),
    };

    h1_body_init(&outcome.body, H1_FRAMING_NONE, 0, &alloc_libc);
    return cmocka_run_group_tests(tests, NULL, body_teardown);
}
