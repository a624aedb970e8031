/*
 * The machine that reads an HTTP/1 head.  See h1_parse.h for what it promises.
 *
 * parser->state always names the piece that comes next, so that running out of bytes needs no
 * bookkeeping: a reader returns STEP_MORE and is entered again where it stopped.  On the happy path
 * the readers follow each other without going through the switches again.  Each looks at a few
 * bytes by table, since most pieces are short, before it calls the wide scan for the rest.
 */
#include "http/h1/h1_parse.h"

#include <endian.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/h1/h1_machine.h"

enum { WORD_BYTES = 8, WORDS_BYTES = 16, INIT_BYTES = 64 };

_Static_assert(INIT_BYTES < sizeof(struct h1_parser), "the second piece is not empty");
_Static_assert(INIT_BYTES % WORD_BYTES == 0, "the first piece ends where a member may begin");
_Static_assert(FIELD_COUNT_LIMIT < UINT16_MAX, "field_count holds it");
_Static_assert(EMPTY_LINES_MAX < UINT8_MAX, "empty_lines holds it, and one more");
_Static_assert(STATE_REFUSED <= UINT8_MAX, "state holds it");
_Static_assert(H1_SEEN_UPGRADE <= UINT16_MAX, "seen holds it");
_Static_assert(STATE_TARGET < STATE_QUERY && STATE_QUERY < STATE_VERSION, "of the request line");
_Static_assert(STATE_REASON < STATE_FIELD && STATE_END_LF < STATE_DONE, "h1_parse compares them");
_Static_assert(HEAD_BYTES_DEFAULT <= HEAD_BYTES_LIMIT, "the default may be set");
_Static_assert(FIELD_COUNT_DEFAULT <= FIELD_COUNT_LIMIT, "the default may be set");
_Static_assert(TARGET_BYTES_DEFAULT < HEAD_BYTES_DEFAULT, "a head has room for more than a target");

/* Where the first byte of the value stands that is a CTL other than HTAB, or `end`: eight bytes at
 * a time, then the wide scan.  The two differences find a byte below 0x20 and a DEL; a borrow can
 * only raise flags above a true one, so the lowest flag is exact. */
static inline size_t scan_value(const struct scan_table *scan, const char *head, size_t at,
                                size_t end)
{
    static const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    size_t long_at = at + WORDS_BYTES;

    while (end - at >= WORD_BYTES) {
        uint64_t word;
        uint64_t found;

        if (at >= long_at)
            return scan->value(head, at, end);
        memcpy(&word, head + at, WORD_BYTES);
        word = le64toh(word);
        found = (word - ones * 0x20) & ~word & high;
        word ^= ones * 0x7f;
        found |= (word - ones) & ~word & high;
        if (found == 0) {
            at += WORD_BYTES;
            continue;
        }
        at += (size_t)__builtin_ctzll(found) / 8;
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
    if (parser->minor_version == 1 && !(parser->seen & H1_SEEN_HOST))
        return h1_refuse(parser, 400, "Host is missing");
    if (parser->seen & H1_SEEN_TRANSFER_ENCODING) {
        if (parser->seen & H1_SEEN_CONTENT_LENGTH)
            return h1_refuse(parser, 400, "Content-Length with Transfer-Encoding");
        if (parser->minor_version == 0)
            return h1_refuse(parser, 400, "Transfer-Encoding in HTTP/1.0");
        if (parser->seen & H1_SEEN_CODING_UNKNOWN)
            return h1_refuse(parser, 501, "unknown transfer coding");
        parser->framing = H1_FRAMING_CHUNKED;
    } else if (parser->seen & H1_SEEN_CONTENT_LENGTH) {
        parser->framing = H1_FRAMING_LENGTH;
    }
    parser->keep_alive = !(parser->seen & H1_SEEN_CONNECTION_CLOSE) &&
                         (parser->minor_version == 1 || (parser->seen & H1_SEEN_CONNECTION_KEEP));
    return STEP_DONE;
}

static enum h1_step finish_response(struct h1_parser *parser)
{
    uint16_t status = parser->response_status;
    bool never = status < 200 || status == 204; /* has content, whatever its fields say */

    if ((parser->seen & H1_SEEN_TRANSFER_ENCODING) &&
        ((parser->seen & H1_SEEN_CONTENT_LENGTH) || (parser->seen & H1_SEEN_CODING_UNKNOWN) ||
         parser->minor_version == 0))
        return h1_refuse(parser, 400, "ambiguous framing");
    if (parser->head_response || never || status == 304)
        parser->framing = H1_FRAMING_NONE;
    else if (parser->seen & H1_SEEN_TRANSFER_ENCODING)
        parser->framing = H1_FRAMING_CHUNKED;
    else if (parser->seen & H1_SEEN_CONTENT_LENGTH)
        parser->framing = H1_FRAMING_LENGTH;
    else
        parser->framing = H1_FRAMING_CLOSE;
    parser->keep_alive = parser->framing != H1_FRAMING_CLOSE &&
                         !(parser->seen & H1_SEEN_CONNECTION_CLOSE) &&
                         (parser->minor_version == 1 || (parser->seen & H1_SEEN_CONNECTION_KEEP));
    /* RFC 9112 section 6.1: neither has a coding, so where it ends is in doubt for its sender; and
     * what follows a 101 is not HTTP. */
    if ((never && (parser->seen & H1_SEEN_TRANSFER_ENCODING)) || status == 101)
        parser->keep_alive = false;
    return STEP_DONE;
}

/* The ends of the field being read, as far as they are known. */
struct field_ends {
    size_t name_at;
    size_t name_end;
    size_t value_at;
};

/* Between two calls they are in the entry that the field will have. */
static inline struct field_ends ends_recall(const struct h1_parser *parser, size_t at)
{
    const struct http_field_span *field = &parser->fields[parser->field_count];

    if (PX_LIKELY(parser->state == STATE_FIELD || parser->state == STATE_END_LF))
        return (struct field_ends){at, at, at};
    return (struct field_ends){field->name.at, field->name.at + field->name.len, field->value.at};
}

/* The bytes have run out at `at`. */
static enum h1_step pause_fields(struct h1_parser *parser, struct h1_cursor *c, size_t at,
                                 uint8_t state, struct field_ends ends)
{
    if (state != STATE_FIELD && state != STATE_END_LF)
        parser->fields[parser->field_count] = (struct http_field_span){
            http_span_of(ends.name_at, ends.name_end), {(uint32_t)ends.value_at, 0}};
    c->at = at;
    parser->state = state;
    return STEP_MORE;
}

/* The field whose value ends at `value_end`, blanks included, has its line end.  The pieces stay in
 * registers: what was just written in halves is slow to read as a whole. */
static inline bool end_field(struct h1_parser *parser, const char *head, struct field_ends ends,
                             size_t value_end)
{
    while (value_end > ends.value_at && text_is_blank(head[value_end - 1]))
        value_end--;

    struct http_span name = http_span_of(ends.name_at, ends.name_end);
    struct http_span value = http_span_of(ends.value_at, value_end);

    ASSERT(ends.name_end > ends.name_at && ends.value_at > ends.name_end);
    parser->fields[parser->field_count++] = (struct http_field_span){name, value};
    if (PX_LIKELY(h1_field_note(parser, head, name, value)))
        return true;
    parser->state = STATE_REFUSED;
    return false;
}

/* The field lines and the empty one, with what varies in registers.  A line that begins with a
 * blank would be a folded one (RFC 9112 section 5.2), or one that hides behind the request line
 * (section 2.2); both are refused like any byte that is no token. */
static enum h1_step read_fields(struct h1_parser *parser, struct h1_cursor *c)
{
    const char *head = c->head;
    size_t at = c->at;
    size_t end = c->end;
    uint8_t state = parser->state;
    struct field_ends ends = ends_recall(parser, at);

    for (;;) {
        switch (state) {
        case STATE_FIELD:
            if (at == end)
                return pause_fields(parser, c, at, state, ends);
            if (head[at] == '\r') {
                at++;
                state = STATE_END_LF;
                continue;
            }
            if (!(char_class[(uint8_t)head[at]] & CHAR_TOKEN))
                return h1_refuse(parser, 400, "bad first byte of a field line");
            if (parser->field_count == parser->limits->field_count_max)
                return h1_refuse(parser, 431, "too many fields");
            ends.name_at = ends.name_end = ends.value_at = at;
            state = STATE_NAME;
            __attribute__((fallthrough));
        case STATE_NAME:
            at = scan_mixed(head, at, end, CHAR_TOKEN, parser->scan->token);
            if (at == end)
                return pause_fields(parser, c, at, state, ends);
            if (head[at] != ':')
                return h1_refuse(parser, 400, "bad byte in a field name");
            ends.name_end = at++;
            state = STATE_BLANKS;
            __attribute__((fallthrough));
        case STATE_BLANKS:
            while (at < end && text_is_blank(head[at]))
                at++;
            if (at == end)
                return pause_fields(parser, c, at, state, ends);
            ends.value_at = at;
            state = STATE_VALUE;
            __attribute__((fallthrough));
        case STATE_VALUE:
            at = scan_value(parser->scan, head, at, end);
            if (at == end)
                return pause_fields(parser, c, at, state, ends);
            if (head[at++] != '\r')
                return h1_refuse(parser, 400, "bad byte in a field value");
            state = STATE_VALUE_LF;
            __attribute__((fallthrough));
        case STATE_VALUE_LF:
            if (at == end)
                return pause_fields(parser, c, at, state, ends);
            if (head[at++] != '\n')
                return h1_refuse(parser, 400, "bare CR in a field");
            if (PX_UNLIKELY(!end_field(parser, head, ends, at - 2)))
                return STEP_REFUSED;
            state = STATE_FIELD;
            continue;
        case STATE_END_LF:
            if (at == end)
                return pause_fields(parser, c, at, state, ends);
            if (head[at] != '\n')
                return h1_refuse(parser, 400, "bare CR in the head");
            c->at = at + 1;
            parser->head_bytes = (uint32_t)c->at;
            parser->state = STATE_DONE;
            return parser->role == H1_REQUEST ? finish_request(parser) : finish_response(parser);
        }
    }
}

void h1_parser_init(struct h1_parser *parser, enum h1_role role, const struct scan_table *scan,
                    const struct http_limits *limits, struct http_field_span *fields)
{
    /* Two pieces, each short enough for plain stores: of the whole gcc makes a `rep stos`, which
     * takes as long as the parsing of a short head. */
    memset(parser, 0, INIT_BYTES);
    memset((char *)parser + INIT_BYTES, 0, sizeof(*parser) - INIT_BYTES);
    parser->scan = scan;
    parser->limits = limits;
    parser->fields = fields;
    parser->role = (uint8_t)role;
    parser->state = role == H1_REQUEST ? STATE_START : STATE_STATUS;
}

px_err h1_parse(struct h1_parser *parser, const char *head, size_t len)
{
    size_t bytes_max = parser->limits->head_bytes_max;
    struct h1_cursor c = {head, parser->offset, len < bytes_max ? len : bytes_max};
    enum h1_step step = STEP_ON;

    ASSERT(len >= parser->offset); /* what was seen before is still there */
    ASSERT(parser->offset <= bytes_max);
    if (PX_UNLIKELY(parser->state >= STATE_DONE))
        return parser->state == STATE_DONE ? PX_OK : PX_ERR_MALFORMED;
    if (parser->state < STATE_FIELD)
        step = h1_start_read(parser, &c);
    if (step == STEP_ON)
        step = read_fields(parser, &c);
    ASSERT(c.at >= parser->offset && c.at <= c.end);
    parser->offset = (uint32_t)c.at;
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
