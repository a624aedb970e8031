/*
 * The connection without a network.  Memory never runs out here: that is tested elsewhere.
 */
#include "unit/http/h1/h1_flow.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/limits.h"

enum { LINE_BYTES_MAX = 16 * 1024 * 1024 };

static void flow_write(struct buf *buf, px_str text)
{
    CHECK(buf_append(buf, text) == PX_OK);
}

static void flow_note(struct h1_flow *flow, const char *text)
{
    flow_write(&flow->line, px_str_of(text));
}

static void flow_head(struct h1_flow *flow)
{
    h1_parser_init(&flow->parser, H1_REQUEST, flow->scan, &flow->limits, flow->fields);
    flow->phase = FLOW_HEAD;
}

void h1_flow_begin(struct h1_flow *flow, const struct scan_table *scan)
{
    h1_flow_deinit(flow);
    flow->begun = true;
    flow->scan = scan;
    flow->limits =
        (struct http_limits){HEAD_BYTES_DEFAULT, TARGET_BYTES_DEFAULT, FIELD_COUNT_DEFAULT};
    flow->started = 0;
    flow->reason = NULL;
    arena_init(&flow->arena, &alloc_libc, flow->memory, sizeof(flow->memory), 1024 * 1024);
    buf_init(&flow->line, &alloc_libc, LINE_BYTES_MAX);
    buf_init(&flow->content, &alloc_libc, LINE_BYTES_MAX);
    h1_body_init(&flow->body, H1_FRAMING_NONE, 0, &alloc_libc);
    flow_head(flow);
}

void h1_flow_deinit(struct h1_flow *flow)
{
    if (!flow->begun)
        return;
    arena_reset(&flow->arena);
    buf_deinit(&flow->line);
    buf_deinit(&flow->content);
    h1_body_deinit(&flow->body);
    flow->begun = false;
}

static void flow_refuse(struct h1_flow *flow, uint16_t status, const char *reason)
{
    char text[16];

    CHECK(reason && status >= 400 && status < 600);
    snprintf(text, sizeof(text), "%d", status);
    flow_note(flow, text);
    flow->reason = reason;
    flow->phase = FLOW_END;
}

/* What is taken must end in NULs and hold what the spans say. */
static void flow_take(struct h1_flow *flow, const char *head)
{
    const struct h1_parser *parser = &flow->parser;
    struct http_request request;

    arena_reset(&flow->arena);
    CHECK(h1_request_take(parser, head, &flow->arena, &request) == PX_OK);
    CHECK(request.method.ptr[request.method.len] == '\0');
    CHECK(request.target.ptr[request.target.len] == '\0');
    CHECK(!request.raw_path.ptr || request.raw_path.ptr[request.raw_path.len] == '\0');
    CHECK(!request.query.ptr || request.query.ptr[request.query.len] == '\0');
    CHECK(!request.authority.ptr || request.authority.ptr[request.authority.len] == '\0');
    CHECK(request.field_count == parser->field_count);
    for (uint32_t i = 0; i < request.field_count; i++) {
        CHECK(strlen(request.fields[i].name.ptr) == request.fields[i].name.len);
        CHECK(strlen(request.fields[i].value.ptr) == request.fields[i].value.len);
    }
    flow_write(&flow->line, request.method);
    flow_note(flow, " ");
    flow_write(&flow->line, request.target);
    if (parser->seen & H1_SEEN_EXPECT_CONTINUE)
        flow_note(flow, " expect");
    if (parser->seen & H1_SEEN_EXPECT_UNKNOWN)
        flow_note(flow, " expect?");
    if ((parser->seen & H1_SEEN_CONNECTION_UPGRADE) && (parser->seen & H1_SEEN_UPGRADE))
        flow_note(flow, " upgrade");
}

static void flow_trailers(struct h1_flow *flow)
{
    px_field *fields;
    uint32_t count;

    if (flow->body.trailer_count == 0)
        return;
    CHECK(h1_body_trailers(&flow->body, &flow->arena, &fields, &count) == PX_OK);
    flow_note(flow, "{");
    for (uint32_t i = 0; i < count; i++) {
        CHECK(strlen(fields[i].name.ptr) == fields[i].name.len);
        CHECK(strlen(fields[i].value.ptr) == fields[i].value.len);
        flow_note(flow, i > 0 ? ", " : "");
        flow_write(&flow->line, fields[i].name);
        flow_note(flow, ": ");
        flow_write(&flow->line, fields[i].value);
    }
    flow_note(flow, "}");
}

/* Writes what came of the content; `closing` when it is all. */
static void flow_content(struct h1_flow *flow, bool closing)
{
    char text[32];

    if (flow->parser.framing == H1_FRAMING_NONE)
        return;
    flow_note(flow, "[");
    if (flow->content.len <= FLOW_TEXT_MAX) {
        flow_write(&flow->line, buf_str(&flow->content));
    } else {
        snprintf(text, sizeof(text), "#%zu", flow->content.len);
        flow_note(flow, text);
    }
    if (closing)
        flow_note(flow, "]");
}

static void flow_done(struct h1_flow *flow)
{
    flow_content(flow, true);
    flow_trailers(flow);
    flow_note(flow, ";");
    if (flow->parser.keep_alive) {
        flow_head(flow);
        return;
    }
    flow_note(flow, "close");
    flow->phase = FLOW_END;
}

static bool flow_feed_head(struct h1_flow *flow, px_str bytes, size_t *used)
{
    const char *head = bytes.ptr + *used;
    px_err err = h1_parse(&flow->parser, head, bytes.len - *used);

    if (err == PX_AGAIN)
        return false;
    if (err != PX_OK) {
        flow_refuse(flow, flow->parser.status, flow->parser.reason);
        return true;
    }
    flow->started++;
    flow_take(flow, head);
    *used += flow->parser.head_bytes;
    h1_body_deinit(&flow->body);
    h1_body_init(&flow->body, flow->parser.framing, flow->parser.content_length, &alloc_libc);
    flow->content.len = 0;
    flow->phase = FLOW_CONTENT;
    return true;
}

static bool flow_feed_content(struct h1_flow *flow, px_str bytes, size_t *used)
{
    px_str rest = px_str_make(bytes.ptr + *used, bytes.len - *used);
    px_str content;
    size_t took;
    px_err err = h1_body_read(&flow->body, rest, &took, &content);

    if (err != PX_OK && err != PX_AGAIN) {
        flow_content(flow, false);
        flow_refuse(flow, flow->body.status, flow->body.reason);
        return true;
    }
    CHECK(took <= rest.len && content.len <= took);
    CHECK(content.len == 0 || (content.ptr >= rest.ptr && content.ptr < rest.ptr + took));
    flow_write(&flow->content, content);
    *used += took;
    if (err == PX_AGAIN) {
        CHECK(took > 0 || rest.len == 0);
        return rest.len > took;
    }
    flow_done(flow);
    return true;
}

size_t h1_flow_feed(struct h1_flow *flow, px_str bytes)
{
    size_t used = 0;
    bool more = true;

    while (more) {
        switch (flow->phase) {
        case FLOW_HEAD:
            more = flow_feed_head(flow, bytes, &used);
            break;
        case FLOW_CONTENT:
            more = flow_feed_content(flow, bytes, &used);
            break;
        case FLOW_END:
            return bytes.len;
        }
    }
    return used;
}

const char *h1_flow_end(struct h1_flow *flow)
{
    switch (flow->phase) {
    case FLOW_HEAD:
        flow_note(flow, flow->parser.offset > 0 ? "head" : "idle");
        break;
    case FLOW_CONTENT:
        flow_content(flow, false);
        CHECK(h1_body_eof(&flow->body) == PX_ERR_MALFORMED);
        flow_note(flow, "content");
        break;
    case FLOW_END:
        break;
    }
    flow_write(&flow->line, px_str_make("", 1));
    return flow->line.ptr;
}
