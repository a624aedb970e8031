/*
 * What each field of a log line is, and a line of all of them as JSON.
 */
#include "server/site/log_fields.h"

#include <string.h>

#include "exchange/upstream.h"

/* A name as it stands in a line, behind a comma and before its value; its length. */
#define SPELT(name)                        \
    {                                      \
        ",\"" name "\":", sizeof(name) - 1 \
    }
#define FIELD(name, ecs, help)        \
    {                                 \
        SPELT(name), SPELT(ecs), help \
    }

const struct log_field log_fields[LOG_FIELD_COUNT] = {
    [LOG_TIME] = FIELD("time", "pollux.time", "unix time of the line, seconds"),
    [LOG_DATE] =
        FIELD("date", "@timestamp", "the same, as in a Date field; in ECS as RFC 3339 has it"),
    [LOG_PEER] =
        FIELD("peer", "source.address", "address of the connection's other end, without its port"),
    [LOG_CLIENT] = FIELD("client", "client.address",
                         "address of the client, where a trusted proxy has named another one"),
    [LOG_METHOD] =
        FIELD("method", "http.request.method", "of the request; empty where there was none"),
    [LOG_TARGET] = FIELD("target", "url.original", "likewise"),
    [LOG_HOST] = FIELD("host", "url.domain", "likewise"),
    [LOG_VERSION] = FIELD("version", "http.version", "1.0, 1.1 or 2.0"),
    [LOG_PROTOCOL] =
        FIELD("protocol", "network.protocol", "the same as `HTTP/1.0`, `HTTP/1.1`, `HTTP/2`"),
    [LOG_STATUS] = FIELD("status", "http.response.status_code",
                         "that was sent; 499 where the client left before"),
    [LOG_BYTES] = FIELD("bytes", "http.response.body.bytes", "content that was sent"),
    [LOG_ENDED] =
        FIELD("ended", "pollux.ended",
              "`complete`, `client`, `upstream`, `timeout`, `aborted`, `refused`, `memory`, "
              "`server`"),
    [LOG_REASON] = FIELD("reason", "event.reason", "why it was refused"),
    [LOG_DURATION] = FIELD("duration_ms", "pollux.duration_ms",
                           "from the end of its head to the end of its answer"),
    [LOG_FIRST_BYTE] = FIELD("first_byte_ms", "pollux.first_byte_ms",
                             "from the end of its head until the head of its answer was sent"),
    [LOG_HANDLER] =
        FIELD("handler_ms", "pollux.handler_ms",
              "from the end of its head until its handler had answered, content that the "
              "handler waited for with it"),
    [LOG_REQUEST_ID] = FIELD("request_id", "http.request.id", "see above"),
    [LOG_TRACE_ID] = FIELD("trace_id", "trace.id", "see above"),
    [LOG_SPAN_ID] = FIELD("span_id", "span.id", "see above"),
    [LOG_ROUTE] = FIELD("route", "pollux.route", "the pattern that served it"),
    [LOG_BYTES_IN] = FIELD("bytes_in", "http.request.body.bytes", "content that was received"),
    [LOG_TLS_VERSION] = FIELD("tls_version", "tls.version", "of its connection"),
    [LOG_TLS_CIPHER] = FIELD("tls_cipher", "tls.cipher", "of its connection"),
    [LOG_TLS_RESUMED] = FIELD("tls_resumed", "tls.resumed",
                              "whether its connection went on with an earlier session"),
    [LOG_UPSTREAM] =
        FIELD("upstream", "pollux.upstream", "the server that was asked, the last of them"),
    [LOG_UPSTREAM_STATUS] =
        FIELD("upstream_status", "pollux.upstream_status", "what that server answered"),
    [LOG_UPSTREAM_MS] =
        FIELD("upstream_ms", "pollux.upstream_ms",
              "from when the first server was asked until the head of the answer came; "
              "without one, until the end"),
    [LOG_TRIES] = FIELD("tries", "pollux.tries", "how many times a server was asked"),
    [LOG_REFERER] =
        FIELD("referer", "http.request.referrer", "of the request; empty where there was none"),
    [LOG_AGENT] = FIELD("user_agent", "user_agent.original", "likewise"),
};

static void is_text(struct log_value *value, px_str text)
{
    value->kind = VALUE_TEXT;
    value->text = text;
}

/* Of our own making, so that nothing in it is to be escaped. */
static void is_word(struct log_value *value, px_str text)
{
    value->kind = text.len > 0 ? VALUE_WORD : VALUE_NONE;
    value->text = text;
}

/* What there is none of is left out. */
static void is_known(struct log_value *value, px_str text)
{
    value->kind = text.len > 0 ? VALUE_TEXT : VALUE_NONE;
    value->text = text.len > LOG_TEXT_BYTES_MAX ? px_str_make(text.ptr, LOG_TEXT_BYTES_MAX) : text;
}

static void is_number(struct log_value *value, uint64_t number)
{
    value->kind = VALUE_NUMBER;
    value->number = number;
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

const char *exchange_end_name(const px_exchange *exchange, px_end end)
{
    return end != PX_END_COMPLETE && exchange_upstream_broke(exchange) ? "upstream" : end_name(end);
}

static const char *version_number(unsigned version)
{
    return version == 10 ? "1.0" : version == 11 ? "1.1" : "2.0";
}

static const char *protocol_name(unsigned version)
{
    return version == 10 ? "HTTP/1.0" : version == 11 ? "HTTP/1.1" : "HTTP/2";
}

static void resumed_of(struct log_value *value, px_exchange *exchange)
{
    const struct session *session = session_of_exchange(exchange);
    size_t len = session ? session_carrier(session)->secure(session, FACT_TLS_RESUMED, value->room,
                                                            sizeof(value->room))
                         : 0;

    value->kind = len > 0 ? VALUE_PLAIN : VALUE_NONE;
    value->text = px_str_make(value->room, len);
}

/* What was asked of a server. */
static void upstream_value(struct log_value *value, const struct log_entry *entry,
                           enum log_field_id field)
{
    const struct exchange_upstream *upstream = exchange_upstream_of(entry->exchange);

    if (!upstream)
        return;
    if (field == LOG_UPSTREAM)
        is_known(value, upstream->server);
    else if (field == LOG_TRIES)
        is_number(value, upstream->tries);
    else if (field == LOG_UPSTREAM_MS)
        is_number(value, (upstream->answered_ms > 0 ? upstream->answered_ms : entry->now_ms) -
                             upstream->asked_ms);
    else if (upstream->status > 0)
        is_number(value, upstream->status);
}

/* What only an exchange knows. */
static void exchange_value(struct log_value *value, const struct log_entry *entry,
                           enum log_field_id field)
{
    px_exchange *exchange = entry->exchange;
    struct exchange_outcome outcome;
    uint32_t ms;

    switch (field) {
    case LOG_FIRST_BYTE:
        if (exchange_first_byte_ms(exchange, &ms))
            is_number(value, ms);
        break;
    case LOG_HANDLER:
        if (exchange_handler_ms(exchange, &ms))
            is_number(value, ms);
        break;
    case LOG_REQUEST_ID:
        is_word(value, px_request_id(exchange));
        break;
    case LOG_TRACE_ID:
        is_word(value, px_request_trace_id(exchange));
        break;
    case LOG_SPAN_ID:
        is_word(value, px_request_span_id(exchange));
        break;
    case LOG_ROUTE:
        exchange_outcome(exchange, &outcome);
        is_known(value, px_str_of(outcome.pattern ? outcome.pattern : ""));
        break;
    case LOG_BYTES_IN:
        exchange_outcome(exchange, &outcome);
        is_number(value, outcome.received);
        break;
    case LOG_TLS_VERSION:
        is_known(value, px_request_tls_version(exchange));
        break;
    case LOG_TLS_CIPHER:
        is_known(value, px_request_tls_cipher(exchange));
        break;
    case LOG_TLS_RESUMED:
        resumed_of(value, exchange);
        break;
    default:
        upstream_value(value, entry, field);
    }
}

/* As it was rendered for this second's answers, if there were some. */
static px_str date_of(const struct log_entry *entry, char room[DATE_BYTES])
{
    if (entry->date.ptr)
        return entry->date;
    date_format(entry->unix_time, room);
    return px_str_make(room, DATE_BYTES);
}

__attribute__((always_inline)) static inline void
value_take(struct log_value *value, const struct log_entry *entry, enum log_field_id field)
{
    value->kind = VALUE_NONE;
    value->text = px_str_make(NULL, 0);
    switch (field) {
    case LOG_TIME:
        is_number(value, entry->unix_time < 0 ? 0 : (uint64_t)entry->unix_time);
        break;
    case LOG_DATE:
        is_word(value, date_of(entry, value->room));
        break;
    case LOG_PEER:
        is_text(value, entry->peer);
        break;
    case LOG_CLIENT:
        if (entry->client.ptr && !px_str_equal(entry->client, entry->peer))
            is_text(value, entry->client);
        break;
    case LOG_METHOD:
        is_text(value, entry->method);
        break;
    case LOG_TARGET:
        is_text(value, entry->target);
        if (!entry->glimpse)
            value->kind = VALUE_TARGET;
        break;
    case LOG_HOST:
        is_text(value, entry->host);
        break;
    case LOG_VERSION:
        value->kind = VALUE_PLAIN;
        value->text = px_str_of(version_number(entry->version));
        break;
    case LOG_PROTOCOL:
        is_word(value, px_str_of(protocol_name(entry->version)));
        break;
    case LOG_STATUS:
        is_number(value, entry->status);
        break;
    case LOG_BYTES:
        is_number(value, entry->bytes);
        break;
    case LOG_ENDED:
        is_word(value, px_str_of(entry->exchange ? exchange_end_name(entry->exchange, entry->end)
                                                 : end_name(entry->end)));
        break;
    case LOG_REASON:
        is_known(value, px_str_of(entry->reason ? entry->reason : ""));
        break;
    case LOG_DURATION:
        is_number(value, entry->duration_ms);
        break;
    case LOG_REFERER:
        is_text(value, entry->referer);
        break;
    case LOG_AGENT:
        is_text(value, entry->agent);
        break;
    default:
        if (entry->exchange)
            exchange_value(value, entry, field);
    }
}

void log_value_take(struct log_value *value, const struct log_entry *entry, enum log_field_id field)
{
    value_take(value, entry, field);
}

/* Puts a name and what stands before its value.  The room of a line has more than one name to
 * spare, so that a whole name is copied, whatever its length. */
static inline void put_name(struct log_line *line, const struct log_name *name)
{
    memcpy(line->at, name->text, sizeof(name->text));
    line->at += name->len + sizeof(",\"\":") - 1;
}

static inline void put_byte(struct log_line *line, char byte)
{
    *line->at++ = byte;
}

static inline void put_value(struct log_line *line, const struct log_value *value)
{
    if (value->kind == VALUE_NUMBER) {
        put_number(line, value->number);
        return;
    }
    if (value->kind == VALUE_PLAIN) {
        put(line, value->text);
        return;
    }
    put_byte(line, '"');
    if (value->kind == VALUE_WORD)
        put(line, value->text);
    else if (value->kind == VALUE_TARGET)
        put_target(line, value->text, TEXT_JSON);
    else
        put_escaped(line, value->text, TEXT_JSON);
    put_byte(line, '"');
}

/* Whether a field is one that most entries lack: they are of no server and of no TLS. */
static inline bool is_absent(const struct log_entry *entry, uint32_t field)
{
    if (!entry->exchange)
        return false;
    if (field >= LOG_TLS_VERSION && field <= LOG_TLS_RESUMED)
        return !exchange_is_secure(entry->exchange);
    return field >= LOG_UPSTREAM && field <= LOG_TRIES && !exchange_upstream_of(entry->exchange);
}

/* What Elastic Common Schema has otherwise: dates are of RFC 3339, versions of HTTP are keywords.
 */
static void ecs_turn(struct log_value *value, const struct log_entry *entry, uint32_t field)
{
    if (field == LOG_DATE) {
        date_format_internet(entry->unix_time, value->room);
        value->text = px_str_make(value->room, DATE_INTERNET_BYTES);
    } else if (field == LOG_VERSION) {
        value->kind = VALUE_WORD;
    }
}

void log_put_json(struct log_line *line, const struct log_entry *entry, bool is_ecs)
{
    struct log_value value;
    char *begin = line->at;

    if (is_ecs) /* what its index asks of each document */
        put_text(line, ",\"ecs.version\":\"8.11.0\"");
        /* Each field's own way, and no switch: a JSON line costs half of what it did. */
#pragma GCC unroll 40
    for (uint32_t field = 0; field < LOG_FIELD_COUNT; field++) {
        if (is_absent(entry, field))
            continue;
        value_take(&value, entry, (enum log_field_id)field);
        if (value.kind == VALUE_NONE)
            continue;
        if (is_ecs)
            ecs_turn(&value, entry, field);
        put_name(line, is_ecs ? &log_fields[field].ecs : &log_fields[field].json);
        put_value(line, &value);
    }
    CHECK(*begin == ',');
    *begin = '{';
    put_byte(line, '}');
}
