/*
 * What each field of a log line is, and a line of all of them as JSON.
 */
#include "server/site/log_fields.h"

#include <string.h>

#include "exchange/upstream.h"

const struct log_field log_fields[LOG_FIELD_COUNT] = {
    [LOG_TIME] = {"time", "pollux.time", "unix time of the line, seconds"},
    [LOG_DATE] = {"date", "@timestamp", "the same, as in a Date field; in ECS as RFC 3339 has it"},
    [LOG_PEER] = {"peer", "source.address",
                  "address of the connection's other end, without its port"},
    [LOG_CLIENT] = {"client", "client.address",
                    "address of the client, where a trusted proxy has named another one"},
    [LOG_METHOD] = {"method", "http.request.method", "of the request; empty where there was none"},
    [LOG_TARGET] = {"target", "url.original", "likewise"},
    [LOG_HOST] = {"host", "url.domain", "likewise"},
    [LOG_VERSION] = {"version", "http.version", "1.0, 1.1 or 2.0"},
    [LOG_PROTOCOL] = {"protocol", "network.protocol",
                      "the same as `HTTP/1.0`, `HTTP/1.1`, `HTTP/2`"},
    [LOG_STATUS] = {"status", "http.response.status_code",
                    "that was sent; 499 where the client left before"},
    [LOG_BYTES] = {"bytes", "http.response.body.bytes", "content that was sent"},
    [LOG_ENDED] = {"ended", "pollux.ended",
                   "`complete`, `client`, `upstream`, `timeout`, `aborted`, `refused`, `memory`, "
                   "`server`"},
    [LOG_REASON] = {"reason", "event.reason", "why it was refused"},
    [LOG_DURATION] = {"duration_ms", "pollux.duration_ms",
                      "from the end of its head to the end of its answer"},
    [LOG_FIRST_BYTE] = {"first_byte_ms", "pollux.first_byte_ms",
                        "from the end of its head until the head of its answer was sent"},
    [LOG_HANDLER] = {"handler_ms", "pollux.handler_ms",
                     "from the end of its head until its handler had answered, content that the "
                     "handler waited for with it"},
    [LOG_REQUEST_ID] = {"request_id", "http.request.id", "see above"},
    [LOG_TRACE_ID] = {"trace_id", "trace.id", "see above"},
    [LOG_SPAN_ID] = {"span_id", "span.id", "see above"},
    [LOG_ROUTE] = {"route", "pollux.route", "the pattern that served it"},
    [LOG_BYTES_IN] = {"bytes_in", "http.request.body.bytes", "content that was received"},
    [LOG_TLS_VERSION] = {"tls_version", "tls.version", "of its connection"},
    [LOG_TLS_CIPHER] = {"tls_cipher", "tls.cipher", "of its connection"},
    [LOG_TLS_RESUMED] = {"tls_resumed", "tls.resumed",
                         "whether its connection went on with an earlier session"},
    [LOG_UPSTREAM] = {"upstream", "pollux.upstream", "the server that was asked, the last of them"},
    [LOG_UPSTREAM_STATUS] = {"upstream_status", "pollux.upstream_status",
                             "what that server answered"},
    [LOG_UPSTREAM_MS] = {"upstream_ms", "pollux.upstream_ms",
                         "from when the first server was asked until the head of the answer came; "
                         "without one, until the end"},
    [LOG_TRIES] = {"tries", "pollux.tries", "how many times a server was asked"},
    [LOG_REFERER] = {"referer", "http.request.referrer",
                     "of the request; empty where there was none"},
    [LOG_AGENT] = {"user_agent", "user_agent.original", "likewise"},
};

static void is_text(struct log_value *value, px_str text)
{
    value->kind = VALUE_TEXT;
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
        is_known(value, px_request_id(exchange));
        break;
    case LOG_TRACE_ID:
        is_known(value, px_request_trace_id(exchange));
        break;
    case LOG_SPAN_ID:
        is_known(value, px_request_span_id(exchange));
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

void log_value_take(struct log_value *value, const struct log_entry *entry, enum log_field_id field)
{
    value->kind = VALUE_NONE;
    value->text = px_str_make(NULL, 0);
    switch (field) {
    case LOG_TIME:
        is_number(value, entry->unix_time < 0 ? 0 : (uint64_t)entry->unix_time);
        break;
    case LOG_DATE:
        date_format(entry->unix_time, value->room);
        is_text(value, px_str_make(value->room, DATE_BYTES));
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
        is_text(value, px_str_of(protocol_name(entry->version)));
        break;
    case LOG_STATUS:
        is_number(value, entry->status);
        break;
    case LOG_BYTES:
        is_number(value, entry->bytes);
        break;
    case LOG_ENDED:
        is_text(value, px_str_of(entry->exchange ? exchange_end_name(entry->exchange, entry->end)
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

/* What its index asks of each document. */
static const char ecs_version[] = "\"ecs.version\":\"8.11.0\"";

static void ecs_date(struct log_value *value, const struct log_entry *entry)
{
    date_format_internet(entry->unix_time, value->room);
    value->text = px_str_make(value->room, DATE_INTERNET_BYTES);
}

void log_put_json(struct log_line *line, const struct log_entry *entry, bool is_ecs)
{
    struct log_value value;

    put_text(line, "{");
    if (is_ecs)
        put_text(line, ecs_version);
    for (uint32_t field = 0; field < LOG_FIELD_COUNT; field++) {
        log_value_take(&value, entry, (enum log_field_id)field);
        if (value.kind == VALUE_NONE)
            continue;
        if (is_ecs && field == LOG_DATE)
            ecs_date(&value, entry);
        bool is_string = value.kind == VALUE_TEXT || value.kind == VALUE_TARGET;

        /* ECS has the version of HTTP, and of TLS, as a keyword. */
        is_string = is_string || (is_ecs && field == LOG_VERSION);
        put_text(line, field > 0 || is_ecs ? ",\"" : "\"");
        put_text(line, is_ecs ? log_fields[field].ecs : log_fields[field].name);
        put_text(line, is_string ? "\":\"" : "\":");
        if (value.kind == VALUE_NUMBER)
            put_number(line, value.number);
        else if (value.kind == VALUE_PLAIN)
            put(line, value.text);
        else if (value.kind == VALUE_TARGET)
            put_target(line, value.text, TEXT_JSON);
        else
            put_escaped(line, value.text, TEXT_JSON);
        if (is_string)
            put_text(line, "\"");
    }
    put_text(line, "}");
}
