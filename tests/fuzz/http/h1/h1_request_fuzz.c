/*
 * A request that is made of any bytes: it is refused, or the server's parser reads back exactly
 * what was to be said, as one request and not two.
 *
 * The input is lines: method, target, host, upgrade, then names and values in turn; the first byte
 * sets form, framing and connection.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/h1/h1_request.h"

enum { FIELDS_MAX = 8, INPUT_MAX = 4096, FIXED_FIELDS = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The next piece of the input, up to 0xff. */
static px_str piece_take(px_str *rest)
{
    const char *stop = rest->len > 0 ? memchr(rest->ptr, 0xff, rest->len) : NULL;
    px_str piece = px_str_make(rest->ptr, stop ? (size_t)(stop - rest->ptr) : rest->len);
    size_t used = piece.len + (stop ? 1 : 0);

    *rest = px_str_make(rest->ptr + used, rest->len - used);
    return piece;
}

static px_str span_str(const char *wire, struct http_span span)
{
    return px_str_make(wire + span.at, span.len);
}

static void read_back(const struct h1_request_head *head, const char *wire, size_t bytes)
{
    static const struct http_limits limits = {3 * INPUT_MAX, 2 * INPUT_MAX,
                                              FIELDS_MAX + FIXED_FIELDS};
    struct http_field_span fields[FIELDS_MAX + FIXED_FIELDS];
    struct h1_parser parser;

    h1_parser_init(&parser, H1_REQUEST, scan_table_best(), &limits, fields);
    px_err err = h1_parse(&parser, wire, bytes);

    /* A target may have what the parser refuses ("%zz" in a path): then it is refused as a whole.
     */
    CHECK(err != PX_AGAIN);
    if (err != PX_OK)
        return;
    CHECK(parser.head_bytes == bytes);
    CHECK(px_str_equal(span_str(wire, parser.method), head->method));
    CHECK(parser.target_form == head->form && parser.framing == head->framing);
    CHECK(head->form == H1_TARGET_ASTERISK ||
          px_str_equal(span_str(wire, parser.target), head->target));
    CHECK(px_str_equal(span_str(wire, parser.host), head->host));
    CHECK(parser.keep_alive == (head->connection != H1_CONNECTION_CLOSE));
    CHECK(parser.field_count >= head->field_count + 1);
    for (uint32_t index = 0; index < head->field_count; index++) {
        CHECK(px_str_equal(span_str(wire, fields[index + 1].name), head->fields[index].name));
        CHECK(px_str_equal(span_str(wire, fields[index + 1].value), head->fields[index].value));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_field fields[FIELDS_MAX];
    const char *reason = NULL;

    if (len < 1 || len > INPUT_MAX)
        return 0;
    px_str rest = px_str_make((const char *)data + 1, len - 1);
    struct h1_request_head head = {
        .form = data[0] & 3,
        .framing = data[0] >> 2 & 3,
        .connection = data[0] >> 4 & 3,
        .trailers = data[0] & 64,
        .length = len,
        .fields = fields,
    };

    head.method = piece_take(&rest);
    head.target = piece_take(&rest);
    head.host = piece_take(&rest);
    head.upgrade = piece_take(&rest);
    while (rest.len > 0 && head.field_count < FIELDS_MAX) {
        fields[head.field_count].name = piece_take(&rest);
        fields[head.field_count++].value = piece_take(&rest);
    }
    char *wire = malloc(h1_request_room(&head));

    CHECK(wire);
    if (h1_check_request(&head, &reason) == PX_OK)
        read_back(&head, wire, (size_t)(h1_write_request(&head, wire) - wire));
    else
        CHECK(reason);
    free(wire);
    return 0;
}
