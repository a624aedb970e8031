/*
 * Chunked content: the same content, end and trailers however it arrives, and none of it outside of
 * what arrived.
 *
 * The first byte sets how the bytes are cut, the rest is the content as framed.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/h1/h1_body.h"

enum { INPUT_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct result {
    px_err err;
    size_t used;
    uint64_t overhead;
    const char *reason;
    struct buf content;  /* owned */
    struct buf trailers; /* owned: names and values as taken */
};

static void take_trailers(struct result *result, const struct h1_body *body)
{
    struct arena arena;
    px_field *fields;
    uint32_t count;

    arena_init(&arena, &alloc_libc, NULL, 0, INPUT_MAX);
    CHECK(h1_body_trailers(body, &arena, &fields, &count) == PX_OK);
    CHECK(count <= body->trailer_count);
    for (uint32_t i = 0; i < count; i++) {
        CHECK(fields[i].name.len > 0 && strlen(fields[i].name.ptr) == fields[i].name.len);
        CHECK(strlen(fields[i].value.ptr) == fields[i].value.len);
        CHECK(buf_append(&result->trailers, fields[i].name) == PX_OK);
        CHECK(buf_append(&result->trailers, fields[i].value) == PX_OK);
    }
    arena_reset(&arena);
}

/* One arrival, read until it is used up or the content has ended. */
static void read_arrival(struct result *result, struct h1_body *body, px_str bytes)
{
    size_t at = 0;

    while (result->err == PX_AGAIN && at < bytes.len) {
        px_str content;
        size_t used;

        result->err =
            h1_body_read(body, px_str_make(bytes.ptr + at, bytes.len - at), &used, &content);
        if (result->err != PX_OK && result->err != PX_AGAIN)
            return;
        CHECK(used > 0 && used <= bytes.len - at && content.len <= used);
        if (content.len > 0)
            CHECK(content.ptr >= bytes.ptr + at &&
                  content.ptr + content.len <= bytes.ptr + at + used);
        CHECK(buf_append(&result->content, content) == PX_OK);
        at += used;
    }
    result->used += at;
}

static void run(struct result *result, const char *bytes, size_t len, size_t step)
{
    struct h1_body body;

    h1_body_init(&body, H1_FRAMING_CHUNKED, 0, &alloc_libc);
    result->err = PX_AGAIN;
    result->used = 0;
    buf_init(&result->content, &alloc_libc, INPUT_MAX);
    buf_init(&result->trailers, &alloc_libc, INPUT_MAX);
    for (size_t from = 0; from < len && result->err == PX_AGAIN; from += step) {
        size_t piece = len - from < step ? len - from : step;
        char *copy = malloc(piece);

        CHECK(copy);
        memcpy(copy, bytes + from, piece);
        read_arrival(result, &body, px_str_make(copy, piece));
        free(copy);
    }
    result->overhead = body.overhead;
    result->reason = body.reason;
    CHECK(body.received == result->content.len);
    if (result->err == PX_OK)
        take_trailers(result, &body);
    else if (result->err == PX_AGAIN)
        CHECK(h1_body_eof(&body) == PX_ERR_MALFORMED);
    else
        CHECK(body.status >= 400 && body.reason);
    h1_body_deinit(&body);
}

static void result_deinit(struct result *result)
{
    buf_deinit(&result->content);
    buf_deinit(&result->trailers);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *bytes = (const char *)data + 1;
    struct result whole;

    if (len < 1 || len > INPUT_MAX / 2)
        return 0;
    len--;

    const size_t steps[] = {1, (size_t)data[0] % 64 + 1};

    run(&whole, bytes, len, len + 1);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct result other;

        run(&other, bytes, len, steps[i]);
        CHECK(whole.err == other.err && whole.reason == other.reason);
        CHECK(whole.overhead == other.overhead);
        CHECK(whole.err != PX_OK || whole.used == other.used);
        CHECK(px_str_equal(buf_str(&whole.content), buf_str(&other.content)));
        CHECK(px_str_equal(buf_str(&whole.trailers), buf_str(&other.trailers)));
        result_deinit(&other);
    }
    result_deinit(&whole);
    return 0;
}
