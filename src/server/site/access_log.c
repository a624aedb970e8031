/*
 * Log lines.  A line that finds no memory is dropped whole, never cut.
 */
#include "server/site/access_log.h"

#include <string.h>

#include "base/text.h"
#include "http/fields/date.h"
#include "http/fields/field.h"
#include "http/message/uri.h"
#include "server/site/trust.h"

enum {
    ROUTE_BYTES = 256,
    /* With ids, and names of TLS. */
    LINE_FIXED_BYTES = 1024 + ROUTE_BYTES * 6, /* everything in a line but the peer's own strings */
    ESCAPE_FACTOR = 6                          /* the longest escape: \u00HH in JSON */
};

/* One line as it grows; the room was made before. */
struct log_line {
    char *at;
};

static void put(struct log_line *line, px_str text)
{
    line->at = text_write_str(line->at, text);
}

static void put_text(struct log_line *line, const char *text)
{
    put(line, px_str_of(text));
}

static void put_number(struct log_line *line, uint64_t number)
{
    line->at = text_write_number(line->at, number);
}

enum escape { ESCAPE_QUOTED, ESCAPE_HEAD, ESCAPE_JSON };

static void put_hex(struct log_line *line, const char *prefix, unsigned char byte)
{
    static const char hex[] = "0123456789ABCDEF";

    put_text(line, prefix);
    *line->at++ = hex[byte >> 4];
    *line->at++ = hex[byte & 15];
}

static void put_escaped(struct log_line *line, px_str text, enum escape escape)
{
    for (size_t index = 0; index < text.len; index++) {
        unsigned char byte = (unsigned char)text.ptr[index];

        if (byte < 0x20 || byte >= 0x7f) {
            if (escape == ESCAPE_HEAD && (byte == '\r' || byte == '\n'))
                *line->at++ = (char)byte;
            else
                put_hex(line, escape == ESCAPE_JSON ? "\\u00" : "\\x", byte);
        } else if ((byte == '"' || byte == '\\') && escape == ESCAPE_QUOTED) {
            put_hex(line, "\\x", byte);
        } else {
            if ((byte == '"' || byte == '\\') && escape == ESCAPE_JSON)
                *line->at++ = '\\';
            *line->at++ = (char)byte;
        }
    }
}

/* Room for a line with `bytes` of the peer's strings: false (and the line is dropped) without. */
static bool line_begin(px_server *server, size_t bytes, struct log_line *line)
{
    if (buf_reserve(&server->log, LINE_FIXED_BYTES + bytes * ESCAPE_FACTOR) != PX_OK) {
        access_log_flush(server);
        if (buf_reserve(&server->log, LINE_FIXED_BYTES + bytes * ESCAPE_FACTOR) != PX_OK)
            return false;
    }
    line->at = server->log.ptr + server->log.len;
    return true;
}

static void line_end(px_server *server, struct log_line *line)
{
    *line->at++ = '\n';
    server->log.len = (size_t)(line->at - server->log.ptr);
}

/* --- Combined and JSON ------------------------------------------------------------------------ */

/* What a line is made of. */
struct log_entry {
    px_str peer;
    px_str client; /* as trusted proxies say; absent: the peer */
    px_str method;
    px_str target;
    px_str referer;
    px_str agent;
    px_str host;
    const char *reason;                 /* why it was refused; NULL: it was not */
    const struct http_glimpse *glimpse; /* all that is known of it; NULL: it was whole */
    int64_t unix_time;
    uint64_t duration_ms;
    uint64_t bytes;
    unsigned status;
    unsigned version;
    px_end end;
    px_exchange *exchange; /* NULL: there was none */
};

/* A path and a query are encoded again, so that whatever reads the line can take them apart; other
 * forms, and what was refused, are escaped as they came. */
static void put_target(struct log_line *line, px_str target, enum escape escape)
{
    if (target.len > 0 && target.ptr[0] == '/')
        line->at = uri_target_write(line->at, target, URI_QUERY);
    else
        put_escaped(line, target, escape);
}

static const char *version_text(unsigned version)
{
    return version == 10 ? " HTTP/1.0" : version == 11 ? " HTTP/1.1" : " HTTP/2.0";
}

/* The request line; of a request that was refused as it was received, as far as it was. */
static void put_request(struct log_line *line, const struct log_entry *entry)
{
    if (entry->glimpse && entry->glimpse->line.ptr) {
        put_escaped(line, entry->glimpse->line, ESCAPE_QUOTED);
    } else if (!entry->method.ptr) {
        put_text(line, "-");
    } else {
        put_escaped(line, entry->method, ESCAPE_QUOTED);
        put_text(line, " ");
        if (entry->glimpse)
            put_escaped(line, entry->target, ESCAPE_QUOTED);
        else
            put_target(line, entry->target, ESCAPE_QUOTED);
        put_text(line, version_text(entry->version));
    }
}

static void put_combined(struct log_line *line, const struct log_entry *entry)
{
    char date[DATE_LOG_BYTES];

    date_format_log(entry->unix_time, date);
    put(line, entry->client.ptr ? entry->client : entry->peer);
    put_text(line, " - - ");
    put(line, px_str_make(date, sizeof(date)));
    put_text(line, " \"");
    put_request(line, entry);
    put_text(line, "\" ");
    put_number(line, entry->status);
    put_text(line, " ");
    put_number(line, entry->bytes);
    put_text(line, " \"");
    put_escaped(line, entry->referer.len ? entry->referer : px_str_make("-", 1), ESCAPE_QUOTED);
    put_text(line, "\" \"");
    put_escaped(line, entry->agent.len ? entry->agent : px_str_make("-", 1), ESCAPE_QUOTED);
    put_text(line, "\"");
}

static void put_member(struct log_line *line, const char *name, px_str value)
{
    put_text(line, ",\"");
    put_text(line, name);
    put_text(line, "\":\"");
    put_escaped(line, value, ESCAPE_JSON);
    put_text(line, "\"");
}

const char *end_name(px_end end)
{
    switch (end) {
    case PX_END_COMPLETE:
        return "complete";
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

/* As it was registered; a longer one is cut, as what peers send is. */
static px_str route_logged(const struct exchange_outcome *outcome)
{
    px_str route = px_str_of(outcome->pattern ? outcome->pattern : "");

    return route.len > ROUTE_BYTES ? px_str_make(route.ptr, ROUTE_BYTES) : route;
}

static void put_known(struct log_line *line, const char *name, px_str value)
{
    if (value.len > 0)
        put_member(line, name, value);
}

/* What it is called, where it was served, and how its connection is secured. */
static void put_more(struct log_line *line, px_exchange *exchange)
{
    struct exchange_outcome outcome;

    exchange_outcome(exchange, &outcome);
    put_known(line, "request_id", px_request_id(exchange));
    put_known(line, "trace_id", px_request_trace_id(exchange));
    put_known(line, "span_id", px_request_span_id(exchange));
    put_known(line, "route", route_logged(&outcome));
    put_text(line, ",\"bytes_in\":");
    put_number(line, outcome.received);
    put_known(line, "tls_version", px_request_tls_version(exchange));
    put_known(line, "tls_cipher", px_request_tls_cipher(exchange));
}

static void put_json(struct log_line *line, const struct log_entry *entry)
{
    char date[DATE_BYTES];

    date_format(entry->unix_time, date);
    put_text(line, "{\"time\":");
    put_number(line, entry->unix_time < 0 ? 0 : (uint64_t)entry->unix_time);
    put_member(line, "date", px_str_make(date, sizeof(date)));
    put_member(line, "peer", entry->peer);
    if (entry->client.ptr && !px_str_equal(entry->client, entry->peer))
        put_member(line, "client", entry->client);
    put_member(line, "method", entry->method);
    if (entry->glimpse) {
        put_member(line, "target", entry->target);
    } else {
        put_text(line, ",\"target\":\"");
        put_target(line, entry->target, ESCAPE_JSON);
        put_text(line, "\"");
    }
    put_member(line, "host", entry->host);
    put_text(line, ",\"version\":");
    put_number(line, entry->version / 10);
    put_text(line, ".");
    put_number(line, entry->version % 10);
    put_text(line, ",\"status\":");
    put_number(line, entry->status);
    put_text(line, ",\"bytes\":");
    put_number(line, entry->bytes);
    put_member(line, "ended", px_str_of(end_name(entry->end)));
    if (entry->reason)
        put_member(line, "reason", px_str_of(entry->reason));
    put_text(line, ",\"duration_ms\":");
    put_number(line, entry->duration_ms);
    if (entry->exchange)
        put_more(line, entry->exchange);
    put_member(line, "referer", entry->referer);
    put_member(line, "user_agent", entry->agent);
    put_text(line, "}");
}

static void log_entry(px_server *server, uint8_t format, struct log_entry *entry)
{
    struct log_line line;

    entry->referer = http_glimpse_cut(entry->referer);
    entry->agent = http_glimpse_cut(entry->agent);
    entry->host = http_glimpse_cut(entry->host);
    size_t bytes = entry->method.len + entry->target.len + entry->referer.len + entry->agent.len +
                   entry->host.len + (entry->glimpse ? entry->glimpse->line.len : 0);

    if (!line_begin(server, bytes, &line))
        return;
    if (format == PX_LOG_JSON)
        put_json(&line, entry);
    else
        put_combined(&line, entry);
    line_end(server, &line);
}

static bool format_is_per_answer(uint8_t format)
{
    return format == PX_LOG_COMBINED || format == PX_LOG_JSON;
}

/* Content as it was sent, coded if it was.  Of an answer that was cut, what the system has taken:
 * over TLS with what records add, over HTTP/2 with what was framed and waits. */
static uint64_t content_sent(const struct session *session, const px_exchange *exchange, px_end end)
{
    uint64_t bytes = exchange_content_bytes(exchange), mark = exchange_mark_sent(exchange);

    if (end == PX_END_COMPLETE || mark == 0)
        return bytes;
    uint64_t sent = session_carrier(session)->sent_bytes(session);
    uint64_t taken = sent > mark ? sent - mark : 0;

    return taken < bytes ? taken : bytes;
}

void access_log_exchange(struct session *session, px_exchange *exchange, px_end end)
{
    px_server *server = session->server;
    const struct http_request *request = exchange_request(exchange);
    uint8_t format = site_rules_of(exchange)->log_format;
    char peer[ADDRESS_TEXT_BYTES];

    if (!format_is_per_answer(format))
        return;
    size_t peer_len = session_peer_text(session, false, peer, sizeof(peer));
    struct log_entry entry = {
        .peer = px_str_make(peer, peer_len),
        .client = exchange_client(exchange),
        .method = exchange_method_received(exchange),
        .target = request->target,
        .referer = field_find_value(request->fields, request->field_count, "Referer"),
        .agent = field_find_value(request->fields, request->field_count, "User-Agent"),
        .host = request->authority,
        .reason = exchange_refused(exchange),
        .unix_time = server->loop->unix_time,
        .duration_ms = server->loop->now_ms - exchange_started_ms(exchange),
        .bytes = content_sent(session, exchange, end),
        .status = exchange_log_status(exchange),
        .version = px_request_version(exchange),
        .end = exchange_end_of(exchange, end),
        .exchange = exchange,
    };

    log_entry(server, format, &entry);
}

void access_log_refusal(struct session *session, const struct log_refusal *refusal)
{
    px_server *server = session->server;
    const struct http_glimpse *glimpse = refusal->glimpse;
    uint8_t format = server->site->rules.log_format;
    char peer[ADDRESS_TEXT_BYTES], client[ADDRESS_TEXT_BYTES];

    if (!format_is_per_answer(format))
        return;
    size_t peer_len = session_peer_text(session, false, peer, sizeof(peer));
    size_t client_len = trust_glimpse(session, glimpse, client, sizeof(client));
    struct log_entry entry = {
        .peer = px_str_make(peer, peer_len),
        .client = px_str_make(client_len > 0 ? client : NULL, client_len),
        .method = glimpse->method,
        .target = glimpse->target,
        .referer = field_find_value(glimpse->fields, glimpse->field_count, "Referer"),
        .agent = field_find_value(glimpse->fields, glimpse->field_count, "User-Agent"),
        .host = glimpse->host,
        .reason = refusal->reason,
        .glimpse = glimpse,
        .unix_time = server->loop->unix_time,
        .duration_ms = server->loop->now_ms - refusal->since_ms,
        .bytes = refusal->bytes,
        .status = refusal->status,
        .version = glimpse->version,
        .end = refusal->end,
    };

    log_entry(server, format, &entry);
}

/* --- Heads ------------------------------------------------------------------------------------ */

static const char dashes[] = "----------------------------------------\n";

void access_log_head(px_server *server, px_str head)
{
    struct log_line line;

    /* Empty lines before the request line were skipped in silence. */
    while (head.len >= 2 && head.ptr[0] == '\r' && head.ptr[1] == '\n')
        head = px_str_make(head.ptr + 2, head.len - 2);
    if (!line_begin(server, head.len, &line))
        return;
    put_text(&line, dashes);
    put_escaped(&line, px_str_make(head.ptr, head.len - 2), ESCAPE_HEAD);
    line_end(server, &line);
}

void access_log_request(px_server *server, const px_exchange *exchange)
{
    const struct http_request *request = exchange_request(exchange);
    size_t bytes = request->method.len + request->target.len + sizeof(dashes);
    struct log_line line;

    for (uint32_t index = 0; index < request->field_count; index++)
        bytes += request->fields[index].name.len + request->fields[index].value.len + 4;
    if (!line_begin(server, bytes, &line))
        return;
    put_text(&line, dashes);
    put_escaped(&line, request->method, ESCAPE_HEAD);
    put_text(&line, " ");
    put_escaped(&line, request->target, ESCAPE_HEAD);
    put_text(&line, " HTTP/2.0\r\n");
    for (uint32_t index = 0; index < request->field_count; index++) {
        put_escaped(&line, request->fields[index].name, ESCAPE_HEAD);
        put_text(&line, ": ");
        put_escaped(&line, request->fields[index].value, ESCAPE_HEAD);
        put_text(&line, "\r\n");
    }
    line_end(server, &line);
}

void access_log_flush(px_server *server)
{
    px_str lines = buf_str(&server->log);

    if (lines.len == 0)
        return;
    server->log.len = 0;
    server->options.on_log(lines, server->options.log_context);
}
