/*
 * The machine that reads an HTTP/1 head.  See h1_parse.h for what it promises.
 *
 * parser->state always names the piece that comes next, so that running out of bytes needs no
 * bookkeeping: a reader returns STEP_MORE and is entered again where it stopped.  On the happy path
 * the readers follow each other without going through the switches again.  Each looks at a few
 * bytes by table, since most pieces are short, before it calls the wide scan for the rest.
 */
#include "http/h1_parse.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "http/h1_machine.h"

enum { WORD_BYTES = 8 };

/* Where the first byte of the value stands that is a CTL other than HTAB, or `end`: eight bytes at
 * a time, then the wide scan.  The two differences find a byte below 0x20 and a DEL; a borrow can
 * only raise flags above a true one, so the lowest flag is exact. */
static inline uint32_t scan_value(const struct scan_table *scan, const char *head, uint32_t at,
                                  uint32_t end)
{
    static const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    uint32_t long_at = at + 2 * SHORT_BYTES;

    while (end - at >= WORD_BYTES) {
        uint64_t word;
        uint64_t found;

        if (at >= long_at)
            return (uint32_t)scan->value(head, at, end);
        memcpy(&word, head + at, WORD_BYTES);
        word = le64toh(word);
        found = (word - ones * 0x20) & ~word & high;
        word ^= ones * 0x7f;
        found |= (word - ones) & ~word & high;
        if (found == 0) {
            at += WORD_BYTES;
            continue;
        }
        at += (uint32_t)__builtin_ctzll(found) / 8;
        if (head[at] != '\t')
            return at;
        at++;
    }
    while (at < end && (char_class[(uint8_t)head[at]] & CHAR_VALUE))
        at++;
    return at;
}

/* How the content is delimited (RFC 9112 section 6.3), and whether the connection persists
 * (section 9.3). */
static enum h1_step finish_request(struct h1_parser *parser)
{
    if (parser->minor_version == 1 && !parser->has_host)
        return h1_refuse(parser, 400, "Host is missing");
    if (parser->has_transfer_encoding) {
        if (parser->has_content_length)
            return h1_refuse(parser, 400, "Content-Length with Transfer-Encoding");
        if (parser->minor_version == 0)
            return h1_refuse(parser, 400, "Transfer-Encoding in HTTP/1.0");
        if (parser->coding_unknown)
            return h1_refuse(parser, 501, "unknown transfer coding");
        parser->framing = H1_FRAMING_CHUNKED;
    } else if (parser->has_content_length) {
        parser->framing = H1_FRAMING_LENGTH;
    }
    parser->keep_alive =
        !parser->connection_close && (parser->minor_version == 1 || parser->connection_keep);
    return STEP_DONE;
}

static enum h1_step finish_response(struct h1_parser *parser)
{
    uint16_t status = parser->response_status;

    if (parser->has_transfer_encoding &&
        (parser->has_content_length || parser->coding_unknown || parser->minor_version == 0))
        return h1_refuse(parser, 400, "ambiguous framing");
    if (parser->head_response || status < 200 || status == 204 || status == 304)
        parser->framing = H1_FRAMING_NONE;
    else if (parser->has_transfer_encoding)
        parser->framing = H1_FRAMING_CHUNKED;
    else if (parser->has_content_length)
        parser->framing = H1_FRAMING_LENGTH;
    else
        parser->framing = H1_FRAMING_CLOSE;
    parser->keep_alive = parser->framing != H1_FRAMING_CLOSE && !parser->connection_close &&
                         (parser->minor_version == 1 || parser->connection_keep);
    return STEP_DONE;
}

static inline enum h1_step read_end(struct h1_parser *parser, struct h1_cursor *c)
{
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != '\n')
        return h1_refuse(parser, 400, "bare CR in the head");
    c->at++;
    parser->head_bytes = c->at;
    parser->state = STATE_DONE;
    return parser->role == H1_REQUEST ? finish_request(parser) : finish_response(parser);
}

static inline enum h1_step read_value_lf(struct h1_parser *parser, struct h1_cursor *c)
{
    struct h1_field_span *field = &parser->fields[parser->field_count];
    uint32_t end = c->at - 1;

    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != '\n')
        return h1_refuse(parser, 400, "bare CR in a field");
    while (end > field->value.at && (c->head[end - 1] == ' ' || c->head[end - 1] == '\t'))
        end--;
    field->value.len = end - field->value.at;
    c->at++;
    parser->field_count++;
    parser->state = STATE_FIELD;
    if (PX_UNLIKELY(!h1_field_note(parser, c->head, field))) {
        parser->state = STATE_REFUSED;
        return STEP_REFUSED;
    }
    return STEP_ON;
}

static inline enum h1_step read_value(struct h1_parser *parser, struct h1_cursor *c)
{
    c->at = scan_value(parser->scan, c->head, c->at, c->end);
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != '\r')
        return h1_refuse(parser, 400,
                         c->head[c->at] == '\n' ? "bare LF in a field"
                                                : "bad byte in a field value");
    c->at++;
    parser->state = STATE_VALUE_LF;
    return read_value_lf(parser, c);
}

static inline enum h1_step read_blanks(struct h1_parser *parser, struct h1_cursor *c)
{
    while (c->at < c->end && (c->head[c->at] == ' ' || c->head[c->at] == '\t'))
        c->at++;
    if (c->at == c->end)
        return STEP_MORE;
    parser->fields[parser->field_count].value.at = c->at;
    parser->state = STATE_VALUE;
    return read_value(parser, c);
}

static inline enum h1_step read_name(struct h1_parser *parser, struct h1_cursor *c)
{
    struct h1_span *name = &parser->fields[parser->field_count].name;

    if (!h1_scan_short(c, c->end, CHAR_TOKEN))
        c->at = (uint32_t)parser->scan->token(c->head, c->at, c->end);
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != ':')
        return h1_refuse(parser, 400, "bad byte in a field name");
    name->len = c->at - name->at;
    c->at++;
    parser->state = STATE_BLANKS;
    return read_blanks(parser, c);
}

/* A line that begins with a blank would be a folded one (RFC 9112 section 5.2), or one that hides
 * behind the request line (section 2.2); both are refused. */
static inline enum h1_step begin_field(struct h1_parser *parser, struct h1_cursor *c)
{
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] == '\r') {
        c->at++;
        parser->state = STATE_END_LF;
        return read_end(parser, c);
    }
    if (!h1_is_class(c, CHAR_TOKEN))
        return h1_refuse(parser, 400, "bad first byte of a field line");
    if (parser->field_count == parser->limits->field_count_max)
        return h1_refuse(parser, 431, "too many fields");
    parser->fields[parser->field_count].name.at = c->at;
    parser->state = STATE_NAME;
    return read_name(parser, c);
}

static enum h1_step read_fields(struct h1_parser *parser, struct h1_cursor *c)
{
    enum h1_step step = STEP_ON;

    while (step == STEP_ON) {
        switch (parser->state) {
        case STATE_FIELD:
            step = begin_field(parser, c);
            break;
        case STATE_NAME:
            step = read_name(parser, c);
            break;
        case STATE_BLANKS:
            step = read_blanks(parser, c);
            break;
        case STATE_VALUE:
            step = read_value(parser, c);
            break;
        case STATE_VALUE_LF:
            step = read_value_lf(parser, c);
            break;
        case STATE_END_LF:
            step = read_end(parser, c);
            break;
        }
    }
    return step;
}

void h1_parser_init(struct h1_parser *parser, enum h1_role role, const struct scan_table *scan,
                    const struct h1_parse_limits *limits, struct h1_field_span *fields)
{
    *parser = (struct h1_parser){
        .scan = scan,
        .limits = limits,
        .fields = fields,
        .role = (uint8_t)role,
        .state = role == H1_REQUEST ? STATE_START : STATE_STATUS,
    };
}

px_err h1_parse(struct h1_parser *parser, const char *head, size_t len)
{
    uint32_t bytes_max = parser->limits->head_bytes_max;
    struct h1_cursor c = {head, parser->offset, len < bytes_max ? (uint32_t)len : bytes_max};
    enum h1_step step = STEP_ON;

    if (PX_UNLIKELY(parser->state >= STATE_DONE))
        return parser->state == STATE_DONE ? PX_OK : PX_ERR_MALFORMED;
    if (parser->state < STATE_FIELD)
        step = h1_start_read(parser, &c);
    if (step == STEP_ON)
        step = read_fields(parser, &c);
    parser->offset = c.at;
    if (step == STEP_DONE)
        return PX_OK;
    if (step == STEP_MORE && c.at < bytes_max)
        return PX_AGAIN;
    if (step == STEP_MORE) {
        bool in_target = parser->state >= STATE_TARGET && parser->state <= STATE_QUERY;

        (void)h1_refuse(parser, in_target ? 414 : 431, "head too large");
    }
    return PX_ERR_MALFORMED;
}
