/*
 * The fields of a log line: one table, which the JSON log, its ECS spelling and the manual come
 * from.
 *
 * A field is a name, a sentence, and what it is of an entry.  What an entry does not have is left
 * out.  Nothing here can fail: an entry's texts were bounded when its line was begun.
 */
#ifndef PX_SERVER_LOG_FIELDS_H
#define PX_SERVER_LOG_FIELDS_H

#include "exchange/exchange.h"
#include "http/fields/date.h"
#include "http/message/glimpse.h"
#include "server/session/facts.h"
#include "server/site/log_line.h"

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
    px_str date;     /* that time as a Date field has it; absent: to be rendered */
    uint64_t now_ms; /* of the loop's clock */
    uint64_t duration_ms;
    uint64_t bytes;
    unsigned status;
    unsigned version;
    px_end end;
    px_exchange *exchange; /* NULL: there was none */
};

/* As it stands in a line of JSON, which begins with a comma and a quote. */
struct log_name {
    char text[31];
    uint8_t len; /* of the name alone */
};

struct log_field {
    struct log_name json;
    struct log_name ecs; /* in Elastic Common Schema */
    const char *help;    /* in the manual */
};

static inline px_str log_name_text(const struct log_name *name)
{
    return px_str_make(name->text + 2, name->len);
}

enum log_field_id {
    LOG_TIME,
    LOG_DATE,
    LOG_PEER,
    LOG_CLIENT,
    LOG_METHOD,
    LOG_TARGET,
    LOG_HOST,
    LOG_VERSION,
    LOG_PROTOCOL,
    LOG_STATUS,
    LOG_BYTES,
    LOG_ENDED,
    LOG_REASON,
    LOG_DURATION,
    LOG_FIRST_BYTE,
    LOG_HANDLER,
    LOG_REQUEST_ID,
    LOG_TRACE_ID,
    LOG_SPAN_ID,
    LOG_ROUTE,
    LOG_BYTES_IN,
    LOG_TLS_VERSION,
    LOG_TLS_CIPHER,
    LOG_TLS_RESUMED,
    LOG_UPSTREAM,
    LOG_UPSTREAM_STATUS,
    LOG_UPSTREAM_MS,
    LOG_TRIES,
    LOG_REFERER,
    LOG_AGENT,
    LOG_FIELD_COUNT
};

enum log_kind {
    VALUE_NONE,
    VALUE_TEXT, /* of a peer or a file: to be escaped */
    VALUE_WORD, /* a string of ours, as it is */
    VALUE_TARGET,
    VALUE_NUMBER,
    VALUE_PLAIN /* a text that is no string: a decimal, true, false */
};

/* What a field is of an entry. */
struct log_value {
    enum log_kind kind;
    px_str text; /* borrowed, or in `room`; absent without */
    uint64_t number;
    char room[DATE_BYTES];
};

extern const struct log_field log_fields[LOG_FIELD_COUNT];

/* Bytes of a line beside what the entry's own strings take, names of any spelling with them. */
enum {
    LOG_TEXT_BYTES_MAX = 256,
    LOG_FIELDS_BYTES = 2048 + 2 * LOG_TEXT_BYTES_MAX * TEXT_ESCAPE_FACTOR
};

/* How an exchange ended, in a word. */
const char *end_name(px_end end);

/* The same of this one: that of a server that was asked is told apart. */
const char *exchange_end_name(const px_exchange *exchange, px_end end);

void log_value_take(struct log_value *value, const struct log_entry *entry,
                    enum log_field_id field);

/* One object, without the end of the line. */
void log_put_json(struct log_line *line, const struct log_entry *entry, bool is_ecs);

#endif
