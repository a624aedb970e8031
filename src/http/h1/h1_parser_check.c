/*
 * What must hold of a head parser between two calls; compiled for tests alone to be looked at.
 */
#include "base/check.h"
#include "base/limits.h"
#include "http/h1/h1_machine.h"

static void span_check(const struct h1_parser *parser, struct http_span span)
{
    ASSERT(span.at <= parser->offset && span.len <= parser->offset - span.at);
}

/* Fields are in the order of the wire and do not overlap. */
static void fields_check(const struct h1_parser *parser)
{
    uint32_t end = 0;

    for (uint32_t index = 0; index < parser->field_count; index++) {
        const struct http_field_span *field = &parser->fields[index];

        span_check(parser, field->name);
        span_check(parser, field->value);
        ASSERT(field->name.at >= end && field->name.len > 0);
        ASSERT(field->value.at > field->name.at + field->name.len);
        end = field->value.at + field->value.len;
    }
}

static void done_check(const struct h1_parser *parser)
{
    ASSERT(parser->head_bytes == parser->offset);
    ASSERT(parser->framing <= H1_FRAMING_CLOSE);
    ASSERT(parser->framing != H1_FRAMING_CLOSE || parser->role == H1_RESPONSE);
    ASSERT(parser->framing != H1_FRAMING_CLOSE || !parser->keep_alive);
    ASSERT(parser->framing != H1_FRAMING_LENGTH || (parser->seen & H1_SEEN_CONTENT_LENGTH));
    ASSERT(parser->framing != H1_FRAMING_CHUNKED || !(parser->seen & H1_SEEN_CONTENT_LENGTH) ||
           parser->role == H1_RESPONSE);
    ASSERT(parser->role == H1_RESPONSE || parser->method.len > 0);
    ASSERT(parser->role == H1_REQUEST || parser->response_status >= 100);
}

void h1_parser_check(const struct h1_parser *parser)
{
    ASSERT(parser->scan && parser->limits && parser->fields);
    ASSERT(parser->state <= STATE_REFUSED && parser->role <= H1_RESPONSE);
    ASSERT(parser->offset <= parser->limits->head_bytes_max);
    ASSERT(parser->field_count <= parser->limits->field_count_max);
    ASSERT(parser->empty_lines <= EMPTY_LINES_MAX + 1 && parser->hex_left <= 2);
    ASSERT((parser->state == STATE_REFUSED) == (parser->status != 0));
    ASSERT((parser->status != 0) == (parser->reason != NULL));
    ASSERT(parser->minor_version <= 1 && parser->method_id <= METHOD_PATCH);
    if (parser->state == STATE_REFUSED)
        return;
    ASSERT(!parser->too_large);
    ASSERT(parser->mark <= parser->offset && parser->query_at <= parser->offset);
    span_check(parser, parser->method);
    span_check(parser, parser->target);
    span_check(parser, parser->authority);
    span_check(parser, parser->path);
    span_check(parser, parser->host);
    span_check(parser, parser->reason_phrase);
    fields_check(parser);
    if (parser->state == STATE_DONE)
        done_check(parser);
}
