/*
 * Spans as JSON: OTLP 1.x in protobuf's JSON form, with ids in hexadecimal and numbers of 64 bits
 * as strings, and attributes as OpenTelemetry's conventions for HTTP servers (1.23 and later) have
 * them.
 *
 * The happy path: room for the longest span there can be is made once, and then nothing can fail.
 * Texts of peers are cut at SPAN_TEXT_BYTES_MAX and escaped.
 */
#include "main/observe/span.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/number.h"
#include "base/text.h"
#include "pollux/pollux.h"

enum {
    SPAN_TEXT_BYTES_MAX = 512, /* of a text; the longest are paths and user agents */
    SPAN_TEXTS_MAX = 14,
    ESCAPE_FACTOR = 6, /* \u00HH */
    SPAN_FIXED_BYTES = 4096,
    SPAN_BYTES_MAX = SPAN_FIXED_BYTES + SPAN_TEXTS_MAX * SPAN_TEXT_BYTES_MAX * ESCAPE_FACTOR,
    SPAN_KIND_SERVER = 2,
    SPAN_STATUS_ERROR = 2,
    NS_PER_MS = 1000000,
};

static const char end_text[] = "]}]}]}";

/* An object's or array's members as they come. */
struct span_writer {
    char *at;
    bool has_attribute;
};

static void put(struct span_writer *span, const char *text)
{
    span->at = text_write_str(span->at, px_str_of(text));
}

static void put_number(struct span_writer *span, uint64_t number)
{
    span->at = text_write_number(span->at, number);
}

/* RFC 8259 section 7; bytes from 0x7f are no UTF-8 that a peer has promised. */
static void put_escaped(struct span_writer *span, px_str text)
{
    if (text.len > SPAN_TEXT_BYTES_MAX)
        text.len = SPAN_TEXT_BYTES_MAX;
    span->at = text_write_escaped(span->at, text, TEXT_JSON);
}

static void put_text(struct span_writer *span, const char *name, px_str text)
{
    put(span, ",\"");
    put(span, name);
    put(span, "\":\"");
    put_escaped(span, text);
    put(span, "\"");
}

/* What there is none of is left out. */
static void put_attribute(struct span_writer *span, const char *name, px_str text)
{
    if (text.len == 0)
        return;
    put(span, span->has_attribute ? ",{\"key\":\"" : "{\"key\":\"");
    put(span, name);
    put(span, "\",\"value\":{\"stringValue\":\"");
    put_escaped(span, text);
    put(span, "\"}}");
    span->has_attribute = true;
}

static void put_attribute_number(struct span_writer *span, const char *name, uint64_t number)
{
    put(span, span->has_attribute ? ",{\"key\":\"" : "{\"key\":\"");
    put(span, name);
    put(span, "\",\"value\":{\"intValue\":\"");
    put_number(span, number);
    put(span, "\"}}");
    span->has_attribute = true;
}

/* --- What a request was ----------------------------------------------------------------------- */

static const char *end_word(px_end end)
{
    switch (end) {
    case PX_END_COMPLETE:
        return NULL;
    case PX_END_PEER_GONE:
        return "client";
    case PX_END_TIMEOUT:
        return "timeout";
    case PX_END_ABORTED:
        return "aborted";
    case PX_END_REFUSED:
        return "refused";
    case PX_END_NO_MEMORY:
        return "memory";
    case PX_END_SERVER_CLOSED:
        break;
    }
    return "server";
}

/* Those of RFC 9110 and RFC 5789; peers make others up. */
static bool is_known(px_str method)
{
    static const char *const known[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                        "CONNECT", "OPTIONS", "TRACE", "PATCH"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (px_str_equal(method, px_str_of(known[i])))
            return true;
    return false;
}

/* The path of a pattern, without the method in front of it. */
static px_str route_of(const char *pattern)
{
    const char *path = pattern ? strchr(pattern, '/') : NULL;

    return path ? px_str_of(path) : px_str_make(NULL, 0);
}

static const char *version_of(unsigned version)
{
    return version == 10 ? "1.0" : version == 11 ? "1.1" : "2";
}

/* "example.org:8443" -> its name, and its port or 0. */
static px_str authority_split(px_str authority, px_str *out_port)
{
    const char *colon = authority.len > 0 ? memrchr(authority.ptr, ':', authority.len) : NULL;

    *out_port = px_str_make(NULL, 0);
    if (!colon || authority.ptr[authority.len - 1] == ']')
        return authority;
    size_t len = (size_t)(colon - authority.ptr);

    CHECK(len < authority.len);
    *out_port = px_str_make(colon + 1, authority.len - len - 1);
    return px_str_make(authority.ptr, len);
}

static void put_request(struct span_writer *span, px_exchange *exchange)
{
    px_str method = px_request_method(exchange), port;
    px_str host = authority_split(px_request_authority(exchange), &port);
    bool known = is_known(method);
    uint64_t number;

    put_attribute(span, "http.request.method", known ? method : px_str_of("_OTHER"));
    if (!known)
        put_attribute(span, "http.request.method_original", method);
    put_attribute(span, "url.scheme", px_request_scheme(exchange));
    put_attribute(span, "url.path", px_request_raw_path(exchange));
    put_attribute(span, "url.query", px_request_query(exchange));
    put_attribute(span, "server.address", host);
    if (number_read(port, UINT16_MAX, &number))
        put_attribute_number(span, "server.port", number);
    put_attribute(span, "client.address", px_request_client(exchange));
    put_attribute(span, "network.protocol.name", px_str_of("http"));
    put_attribute(span, "network.protocol.version",
                  px_str_of(version_of(px_request_version(exchange))));
    put_attribute(span, "user_agent.original", px_request_field(exchange, "User-Agent"));
    put_attribute(span, "pollux.request_id", px_request_id(exchange));
}

static void put_answer(struct span_writer *span, const px_summary *summary, const char *error)
{
    put_attribute(span, "http.route", route_of(summary->pattern));
    if (summary->status > 0)
        put_attribute_number(span, "http.response.status_code", summary->status);
    put_attribute_number(span, "http.request.body.size", summary->bytes_in);
    put_attribute_number(span, "http.response.body.size", summary->bytes_out);
    put_attribute(span, "error.type", px_str_of(error ? error : ""));
}

/* The name of a span is the method, and the route where there is one: never what a peer makes up.
 */
static void put_name(struct span_writer *span, px_exchange *exchange, const px_summary *summary)
{
    px_str method = px_request_method(exchange), route = route_of(summary->pattern);

    put(span, ",\"name\":\"");
    put_escaped(span, is_known(method) ? method : px_str_of("HTTP"));
    if (route.len > 0)
        put(span, " ");
    put_escaped(span, route);
    put(span, "\"");
}

/* --- Messages --------------------------------------------------------------------------------- */

px_err span_put_begin(struct buf *out)
{
    char host[65] = "", text[512];

    if (gethostname(host, sizeof(host) - 1) != 0 || strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEF"
                                                                 "GHIJKLMNOPQRSTUVWXYZ0123456789-._"
                                                                 "") != strlen(host))
        host[0] = '\0';
    int len = snprintf(text, sizeof(text),
                       "{\"resourceSpans\":[{\"resource\":{\"attributes\":["
                       "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"pollux\"}},"
                       "{\"key\":\"service.version\",\"value\":{\"stringValue\":\"%s\"}},"
                       "{\"key\":\"host.name\",\"value\":{\"stringValue\":\"%s\"}},"
                       "{\"key\":\"process.pid\",\"value\":{\"intValue\":\"%ld\"}}]},"
                       "\"scopeSpans\":[{\"scope\":{\"name\":\"pollux\",\"version\":\"%s\"},"
                       "\"spans\":[",
                       PX_VERSION_STRING, host, (long)getpid(), PX_VERSION_STRING);

    CHECK(len > 0 && (size_t)len < sizeof(text));
    return buf_append(out, px_str_make(text, (size_t)len));
}

px_err span_put(struct buf *out, px_exchange *exchange, const px_summary *summary, uint64_t end_ns,
                bool is_first)
{
    ASSERT(out->len > 0);
    uint64_t duration_ns = (uint64_t)summary->duration_ms * NS_PER_MS;
    px_str parent = px_request_parent_span_id(exchange);
    px_str state = px_request_tracestate(exchange);
    const char *error = end_word(summary->end);
    char digits[16];
    px_err err = buf_reserve(out, SPAN_BYTES_MAX + sizeof(end_text));

    if (err != PX_OK)
        return err;
    if (!error && summary->status >= 500) {
        snprintf(digits, sizeof(digits), "%u", summary->status);
        error = digits;
    }
    struct span_writer span = {.at = out->ptr + out->len};

    put(&span, is_first ? "{\"kind\":" : ",{\"kind\":");
    put_number(&span, SPAN_KIND_SERVER);
    put_text(&span, "traceId", px_request_trace_id(exchange));
    put_text(&span, "spanId", px_request_span_id(exchange));
    if (parent.len > 0)
        put_text(&span, "parentSpanId", parent);
    if (state.len > 0)
        put_text(&span, "traceState", state);
    put_name(&span, exchange, summary);
    put(&span, ",\"startTimeUnixNano\":\"");
    put_number(&span, end_ns - duration_ns);
    put(&span, "\",\"endTimeUnixNano\":\"");
    put_number(&span, end_ns);
    put(&span, "\",\"attributes\":[");
    put_request(&span, exchange);
    put_answer(&span, summary, error);
    put(&span, "]");
    if (error) {
        put(&span, ",\"status\":{\"code\":");
        put_number(&span, SPAN_STATUS_ERROR);
        put(&span, "}");
    }
    put(&span, "}");
    CHECK(span.at > out->ptr + out->len && span.has_attribute);
    CHECK((size_t)(span.at - out->ptr) <= out->cap - sizeof(end_text));
    out->len = (size_t)(span.at - out->ptr);
    return PX_OK;
}

px_err span_put_end(struct buf *out)
{
    return buf_append(out, px_str_of(end_text));
}
