/*
 * Log lines.  A line that finds no memory is dropped whole, never cut.
 */
#include "server/site/access_log.h"

#include <string.h>

#include "http/fields/date.h"
#include "http/fields/field.h"
#include "server/site/log_fields.h"
#include "server/site/log_template.h"
#include "server/site/trust.h"

static struct log_way way_of(const px_server *server, const struct site_rules *rules)
{
    struct log_way own = {server->options.on_log, server->options.log_context};

    return rules->log.on_log ? rules->log : own;
}

/* Lines that go elsewhere are handed over before the first of these. */
static void way_choose(px_server *server, const struct site_rules *rules)
{
    struct log_way way = way_of(server, rules);

    if (PX_LIKELY(server->log.way.on_log == way.on_log && server->log.way.context == way.context))
        return;
    access_log_flush(server);
    server->log.way = way;
}

/* Room for a line with `bytes` of the peer's strings: false (and the line is dropped) without. */
static bool line_begin(px_server *server, size_t bytes, struct log_line *line)
{
    if (buf_reserve(&server->log.lines, LOG_FIELDS_BYTES + bytes * TEXT_ESCAPE_FACTOR) != PX_OK) {
        access_log_flush(server);
        if (buf_reserve(&server->log.lines, LOG_FIELDS_BYTES + bytes * TEXT_ESCAPE_FACTOR) != PX_OK)
            return false;
    }
    line->at = server->log.lines.ptr + server->log.lines.len;
    return true;
}

static void line_end(px_server *server, struct log_line *line)
{
    *line->at++ = '\n';
    server->log.lines.len = (size_t)(line->at - server->log.lines.ptr);
}

/* --- Combined and JSON ------------------------------------------------------------------------ */

static const char *version_text(unsigned version)
{
    return version == 10 ? " HTTP/1.0" : version == 11 ? " HTTP/1.1" : " HTTP/2.0";
}

/* The request line; of a request that was refused as it was received, as far as it was. */
static void put_request(struct log_line *line, const struct log_entry *entry)
{
    if (entry->glimpse && entry->glimpse->line.ptr) {
        put_escaped(line, entry->glimpse->line, TEXT_QUOTED);
    } else if (!entry->method.ptr) {
        put_text(line, "-");
    } else {
        put_escaped(line, entry->method, TEXT_QUOTED);
        put_text(line, " ");
        if (entry->glimpse)
            put_escaped(line, entry->target, TEXT_QUOTED);
        else
            put_target(line, entry->target, TEXT_QUOTED);
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
    put_escaped(line, entry->referer.len ? entry->referer : px_str_make("-", 1), TEXT_QUOTED);
    put_text(line, "\" \"");
    put_escaped(line, entry->agent.len ? entry->agent : px_str_make("-", 1), TEXT_QUOTED);
    put_text(line, "\"");
}

static void log_entry(px_server *server, const struct site_rules *rules, struct log_entry *entry)
{
    px_str texts[TEMPLATE_PIECES_MAX];
    struct log_line line;
    uint8_t format = rules->log_format;

    entry->referer = http_glimpse_cut(entry->referer);
    entry->agent = http_glimpse_cut(entry->agent);
    entry->host = http_glimpse_cut(entry->host);
    size_t bytes = entry->method.len + entry->target.len + entry->referer.len + entry->agent.len +
                   entry->host.len + (entry->glimpse ? entry->glimpse->line.len : 0);

    way_choose(server, rules);
    if (format == PX_LOG_TEMPLATE)
        bytes = log_template_read(rules->log_template, entry, texts);
    if (!line_begin(server, bytes, &line))
        return;
    if (format == PX_LOG_TEMPLATE)
        log_put_template(&line, rules->log_template, entry, texts);
    else if (format != PX_LOG_COMBINED)
        log_put_json(&line, entry, format == PX_LOG_ECS);
    else
        put_combined(&line, entry);
    line_end(server, &line);
}

static bool format_is_per_answer(uint8_t format)
{
    return format != PX_LOG_OFF && format != PX_LOG_REQUEST;
}

/* Whether an answer is one of those that have a line.  Chance decides, and nothing that a peer
 * sends: it could choose not to be seen. */
static bool is_due(px_server *server, const struct site_rules *rules, unsigned status, px_end end)
{
    if (PX_LIKELY(rules->log_sample <= 1))
        return true;
    if (rules->log_errors && (status >= 400 || end != PX_END_COMPLETE))
        return true;
    return exchange_service_draw(&server->service) % rules->log_sample == 0;
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
    const struct site_rules *rules = site_rules_of(exchange);
    unsigned status = exchange_log_status(exchange);
    char peer[ADDRESS_TEXT_BYTES];

    if (!format_is_per_answer(rules->log_format) || !way_of(server, rules).on_log ||
        exchange_is_unlogged(exchange) || !is_due(server, rules, status, end))
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
        .date = h1_stamp_date(&server->stamp, server->loop->unix_time),
        .now_ms = server->loop->now_ms,
        .duration_ms = server->loop->now_ms - exchange_started_ms(exchange),
        .bytes = content_sent(session, exchange, end),
        .status = status,
        .version = px_request_version(exchange),
        .end = exchange_end_of(exchange, end),
        .exchange = exchange,
    };

    log_entry(server, rules, &entry);
}

void access_log_refusal(struct session *session, const struct log_refusal *refusal)
{
    px_server *server = session->server;
    const struct http_glimpse *glimpse = refusal->glimpse;
    const struct site_rules *rules = &server->site->rules;
    char peer[ADDRESS_TEXT_BYTES], client[ADDRESS_TEXT_BYTES];

    if (!format_is_per_answer(rules->log_format) ||
        !is_due(server, rules, refusal->status, refusal->end))
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
        .now_ms = server->loop->now_ms,
        .duration_ms = server->loop->now_ms - refusal->since_ms,
        .bytes = refusal->bytes,
        .status = refusal->status,
        .version = glimpse->version,
        .end = refusal->end,
    };

    log_entry(server, rules, &entry);
}

/* --- Heads ------------------------------------------------------------------------------------ */

static const char dashes[] = "----------------------------------------\n";

void access_log_head(px_server *server, px_str head)
{
    struct log_line line;

    /* Empty lines before the request line were skipped in silence. */
    while (head.len >= 2 && head.ptr[0] == '\r' && head.ptr[1] == '\n')
        head = px_str_make(head.ptr + 2, head.len - 2);
    way_choose(server, &server->site->rules);
    if (!line_begin(server, head.len, &line))
        return;
    put_text(&line, dashes);
    put_escaped(&line, px_str_make(head.ptr, head.len - 2), TEXT_HEAD);
    line_end(server, &line);
}

void access_log_request(px_server *server, const px_exchange *exchange)
{
    const struct http_request *request = exchange_request(exchange);
    size_t bytes = request->method.len + request->target.len + sizeof(dashes);
    struct log_line line;

    for (uint32_t index = 0; index < request->field_count; index++)
        bytes += request->fields[index].name.len + request->fields[index].value.len + 4;
    way_choose(server, &server->site->rules);
    if (!line_begin(server, bytes, &line))
        return;
    put_text(&line, dashes);
    put_escaped(&line, request->method, TEXT_HEAD);
    put_text(&line, " ");
    put_escaped(&line, request->target, TEXT_HEAD);
    put_text(&line, " HTTP/2.0\r\n");
    for (uint32_t index = 0; index < request->field_count; index++) {
        put_escaped(&line, request->fields[index].name, TEXT_HEAD);
        put_text(&line, ": ");
        put_escaped(&line, request->fields[index].value, TEXT_HEAD);
        put_text(&line, "\r\n");
    }
    line_end(server, &line);
}

void access_log_flush(px_server *server)
{
    px_str lines = buf_str(&server->log.lines);

    if (lines.len == 0)
        return;
    server->log.lines.len = 0;
    CHECK(server->log.way.on_log);
    server->log.way.on_log(lines, server->log.way.context);
}
