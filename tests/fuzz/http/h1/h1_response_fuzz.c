/*
 * Heads and contents of an answer: what comes of it must not depend on how the bytes arrive or on
 * the scan table, and what is taken must be what the parser saw.
 *
 * The first byte sets how the stream is cut and whether it answers a HEAD, the rest is the stream.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "http/h1/h1_body.h"
#include "http/h1/h1_parse.h"

enum { TABLES_MAX = 8, FIELDS_MAX = 16, ARENA_BYTES = 8192, STREAM_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What came of a stream. */
struct outcome {
    px_err head;
    px_err content;
    uint16_t status;
    uint8_t framing;
    bool keep_alive;
    uint32_t field_count;
    const char *reason;
    size_t content_len;
    char bytes[STREAM_MAX];
};

static void response_check(const struct http_response *response, const struct h1_parser *parser)
{
    CHECK(response->status >= 100 && response->status <= 999);
    CHECK(response->kind == http_response_kind_of(response->status));
    CHECK(response->reason.ptr[response->reason.len] == '\0');
    CHECK(response->field_count == parser->field_count);
    for (uint32_t index = 0; index < response->field_count; index++) {
        const px_field *field = &response->fields[index];

        CHECK(field->name.len > 0 && field->name.ptr[field->name.len] == '\0');
        CHECK(field->value.ptr[field->value.len] == '\0');
        CHECK(strlen(field->value.ptr) == field->value.len);
    }
}

/* Each arrival is a copy of its own, so that the sanitizer sees a byte read past it. */
static void run(const struct scan_table *scan, const uint8_t *data, size_t len, size_t step,
                bool answers_head, struct outcome *out)
{
    static const struct http_limits limits = {512, 64, FIELDS_MAX};
    static char memory[ARENA_BYTES];
    struct http_field_span fields[FIELDS_MAX];
    struct http_response response;
    struct h1_parser parser;
    struct h1_body body;
    struct arena arena;
    size_t used = 0;

    memset(out, 0, sizeof(*out));
    out->head = out->content = PX_AGAIN;
    arena_init(&arena, NULL, memory, sizeof(memory), 0);
    h1_parser_init(&parser, H1_RESPONSE, scan, &limits, fields);
    parser.head_response = answers_head;
    for (size_t arrived = 0; arrived < len;) {
        arrived = len - arrived > step ? arrived + step : len;
        char *copy = malloc(arrived - used + 1);

        CHECK(copy);
        memcpy(copy, data + used, arrived - used);
        px_str here = px_str_make(copy, arrived - used);

        if (out->head == PX_AGAIN) {
            out->head = h1_parse(&parser, here.ptr, here.len);
            if (out->head == PX_OK) {
                CHECK(h1_response_take(&parser, here.ptr, &arena, &response) == PX_OK);
                response_check(&response, &parser);
                h1_body_init(&body, (enum h1_framing)parser.framing, parser.content_length,
                             &alloc_libc);
                body.response = true;
                used += parser.head_bytes;
                here = px_str_make(here.ptr + parser.head_bytes, here.len - parser.head_bytes);
            }
        }
        while (out->head == PX_OK && out->content == PX_AGAIN && here.len > 0) {
            px_str content;
            size_t more;

            out->content = h1_body_read(&body, here, &more, &content);
            if (out->content != PX_OK && out->content != PX_AGAIN)
                break;
            memcpy(out->bytes + out->content_len, content.ptr, content.len);
            out->content_len += content.len;
            here = px_str_make(here.ptr + more, here.len - more);
            used += more;
        }
        free(copy);
    }
    if (out->head == PX_OK) {
        if (out->content == PX_AGAIN)
            out->content = h1_body_eof(&body);
        out->status = response.status;
        out->framing = parser.framing;
        out->keep_alive = parser.keep_alive;
        out->field_count = response.field_count;
        h1_body_deinit(&body);
    }
    out->reason = parser.reason;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct outcome first, other;
    const struct scan_table *tables[TABLES_MAX];
    size_t count = scan_tables(tables, TABLES_MAX);

    if (len < 1 || len > STREAM_MAX)
        return 0;
    size_t step = (size_t)(data[0] & 63) + 1;
    bool answers_head = data[0] & 64;

    run(&scan_plain, data + 1, len - 1, len, answers_head, &first);
    for (size_t index = 0; index < count; index++) {
        const size_t steps[] = {1, step, len};

        for (size_t turn = 0; turn < ARRAY_COUNT(steps); turn++) {
            run(tables[index], data + 1, len - 1, steps[turn], answers_head, &other);
            CHECK(memcmp(&first, &other, sizeof(first)) == 0);
        }
    }
    return 0;
}
