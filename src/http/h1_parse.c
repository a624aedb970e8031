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
#include "base/limits.h"
#include "http/h1_field.h"
#include "http/host.h"

enum state {
    STATE_START,     /* before the first line: empty lines are skipped */
    STATE_START_LF,  /* behind the CR of one */
    STATE_METHOD,    /* request line */
    STATE_TARGET,    /* its first byte */
    STATE_SCHEME,    /* "http://" or "https://" */
    STATE_AUTHORITY, /* of an absolute target, up to "/", "?" or the blank */
    STATE_CONNECT,   /* authority-form */
    STATE_ASTERISK,  /* behind the "*" */
    STATE_PATH,
    STATE_QUERY,
    STATE_VERSION,
    STATE_STATUS,   /* status line: its version and code */
    STATE_REASON,   /* its reason phrase */
    STATE_LINE_LF,  /* behind the CR of the status line */
    STATE_FIELD,    /* first byte of a field line, or the CR of the empty one */
    STATE_NAME,     /* field name */
    STATE_BLANKS,   /* between the colon and the value */
    STATE_VALUE,    /* field value */
    STATE_VALUE_LF, /* behind its CR */
    STATE_END_LF,   /* behind the CR of the empty line */
    STATE_DONE,
    STATE_REFUSED
};

enum step { STEP_ON, STEP_MORE, STEP_DONE, STEP_REFUSED };

/* The bytes at hand; `end` does not pass the limit of the head. */
struct cursor {
    const char *head;
    uint32_t at;
    uint32_t end;
};

/* A piece this short is cheaper to read by table than to hand to the wide scan. */
enum { SHORT_BYTES = 16, WORD_BYTES = 8, VERSION_BYTES = 8, SCHEME_BYTES = 5 };

static const char http_version[] = "HTTP/1.1";

static enum step refuse(struct h1_parser *parser, uint16_t status, const char *reason)
{
    (void)h1_field_refuse(parser, status, reason);
    parser->state = STATE_REFUSED;
    return STEP_REFUSED;
}

static inline bool is_class(const struct cursor *c, uint8_t class)
{
    return char_class[(uint8_t)c->head[c->at]] & class;
}

/* Up to SHORT_BYTES bytes of a class; true when it stopped in front of a byte outside it. */
static inline bool scan_short(struct cursor *c, uint32_t stop, uint8_t class)
{
    uint32_t short_stop = stop - c->at > SHORT_BYTES ? c->at + SHORT_BYTES : stop;

    while (c->at < short_stop) {
        if (!is_class(c, class))
            return true;
        c->at++;
    }
    return false;
}

/* RFC 9112 section 2.2: empty lines before the request line are skipped, here a few of them. */
static enum step read_empty_lines(struct h1_parser *parser, struct cursor *c)
{
    while (c->at < c->end) {
        if (parser->state == STATE_START_LF) {
            if (c->head[c->at] != '\n')
                return refuse(parser, 400, "bare CR before the request line");
            parser->state = STATE_START;
            c->at++;
            continue;
        }
        if (c->head[c->at] != '\r') {
            parser->method.at = c->at;
            parser->state = STATE_METHOD;
            return STEP_ON;
        }
        if (parser->empty_lines == EMPTY_LINES_MAX)
            return refuse(parser, 400, "too many empty lines before the request line");
        parser->empty_lines++;
        parser->state = STATE_START_LF;
        c->at++;
    }
    return STEP_MORE;
}

/* Methods are case-sensitive (RFC 9110 section 9.1). */
static uint8_t method_of(const char *text, size_t len)
{
    static const struct {
        uint8_t len;
        uint8_t method;
        char text[8];
    } methods[] = {
        {3, METHOD_GET, "GET"},         {4, METHOD_HEAD, "HEAD"},
        {4, METHOD_POST, "POST"},       {3, METHOD_PUT, "PUT"},
        {6, METHOD_DELETE, "DELETE"},   {7, METHOD_CONNECT, "CONNECT"},
        {7, METHOD_OPTIONS, "OPTIONS"}, {5, METHOD_TRACE, "TRACE"},
        {5, METHOD_PATCH, "PATCH"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        if (methods[i].len == len && memcmp(text, methods[i].text, len) == 0)
            return methods[i].method;
    }
    return METHOD_OTHER;
}

static inline enum step read_method(struct h1_parser *parser, struct cursor *c)
{
    uint32_t from = parser->method.at;

    if (c->end - from >= 4 && memcmp(c->head + from, "GET ", 4) == 0) {
        c->at = from + 3;
        parser->method_id = METHOD_GET;
    } else {
        uint32_t stop = c->end - from > METHOD_BYTES_MAX ? from + METHOD_BYTES_MAX : c->end;

        while (c->at < stop && is_class(c, CHAR_TOKEN))
            c->at++;
        if (c->at == c->end)
            return STEP_MORE;
        if (c->head[c->at] != ' ' || c->at == from)
            return refuse(parser, 400,
                          is_class(c, CHAR_TOKEN) ? "method too long" : "bad byte in the method");
        parser->method_id = method_of(c->head + from, c->at - from);
    }
    parser->method.len = c->at - from;
    c->at++;
    parser->target.at = c->at;
    parser->state = STATE_TARGET;
    return STEP_ON;
}

/* One byte past the limit is enough to answer, whatever it is. */
static inline bool target_full(const struct h1_parser *parser, const struct cursor *c)
{
    return c->at - parser->target.at >= parser->limits->target_bytes_max;
}

static enum step refuse_target(struct h1_parser *parser, const struct cursor *c)
{
    if (target_full(parser, c))
        return refuse(parser, 414, "target too long");
    return refuse(parser, 400, "bad byte in the target");
}

/* The target has ended in front of the blank at the cursor. */
static inline enum step end_target(struct h1_parser *parser, struct cursor *c)
{
    parser->target.len = c->at - parser->target.at;
    c->at++;
    parser->step = 0;
    parser->state = STATE_VERSION;
    return STEP_ON;
}

/* Reads bytes of a class and %XX up to the first other byte (STEP_ON: the cursor is at it). */
static inline enum step read_escaped(struct h1_parser *parser, struct cursor *c, uint8_t class,
                                     size_t (*scan)(const char *ptr, size_t from, size_t len))
{
    uint32_t target_max = parser->limits->target_bytes_max;
    uint32_t stop =
        c->end - parser->target.at > target_max ? parser->target.at + target_max : c->end;

    for (;;) {
        for (; parser->hex_left > 0; parser->hex_left--, c->at++) {
            if (c->at == c->end)
                return STEP_MORE;
            if (c->at == stop || !is_class(c, CHAR_HEX))
                return refuse_target(parser, c);
        }
        if (!scan_short(c, stop, class))
            c->at = (uint32_t)scan(c->head, c->at, stop);
        if (c->at == c->end)
            return STEP_MORE;
        if (c->at == stop || c->head[c->at] != '%')
            return STEP_ON;
        parser->hex_left = 2;
        c->at++;
    }
}

static inline enum step read_query(struct h1_parser *parser, struct cursor *c)
{
    enum step step = read_escaped(parser, c, CHAR_QUERY, parser->scan->query);

    if (step != STEP_ON)
        return step;
    return c->head[c->at] == ' ' ? end_target(parser, c) : refuse_target(parser, c);
}

static inline enum step read_path(struct h1_parser *parser, struct cursor *c)
{
    enum step step = read_escaped(parser, c, CHAR_PATH, parser->scan->path);

    if (step != STEP_ON)
        return step;
    parser->path.len = c->at - parser->path.at;
    if (c->head[c->at] == ' ')
        return end_target(parser, c);
    if (c->head[c->at] != '?' || target_full(parser, c))
        return refuse_target(parser, c);
    c->at++;
    parser->query_at = c->at;
    parser->state = STATE_QUERY;
    return read_query(parser, c);
}

/* The first byte tells the form (RFC 9112 section 3.2); only CONNECT has authority-form. */
static inline enum step begin_target(struct h1_parser *parser, struct cursor *c)
{
    uint8_t byte;

    if (c->at == c->end)
        return STEP_MORE;
    byte = (uint8_t)c->head[c->at];
    if (parser->method_id == METHOD_CONNECT) {
        parser->target_form = H1_TARGET_AUTHORITY;
        parser->authority.at = c->at;
        parser->state = STATE_CONNECT;
    } else if (byte == '/') {
        parser->target_form = H1_TARGET_ORIGIN;
        parser->path.at = c->at;
        parser->state = STATE_PATH;
    } else if (byte == '*') {
        parser->target_form = H1_TARGET_ASTERISK;
        parser->path = (struct h1_span){c->at, 1};
        c->at++;
        parser->state = STATE_ASTERISK;
    } else {
        parser->target_form = H1_TARGET_ABSOLUTE;
        parser->step = 0;
        parser->state = STATE_SCHEME;
    }
    return STEP_ON;
}

/* "http://" or "https://", in any case (RFC 3986 section 3.1).  parser->step counts what of
 * "https://" was seen, the "s" included when it was left out. */
static enum step read_scheme(struct h1_parser *parser, struct cursor *c)
{
    static const char scheme[] = "https://";

    for (; parser->step < sizeof(scheme) - 1; parser->step++, c->at++) {
        char byte;

        if (c->at == c->end)
            return STEP_MORE;
        byte = c->head[c->at];
        if (parser->step == SCHEME_BYTES - 1 && byte == ':')
            parser->step++;
        if (target_full(parser, c))
            return refuse_target(parser, c);
        if (parser->step < SCHEME_BYTES)
            byte = (char)(byte | 0x20);
        if (byte != scheme[parser->step])
            return refuse(parser, 400, "target is neither a path nor an http address");
    }
    parser->authority.at = c->at;
    parser->state = STATE_AUTHORITY;
    return STEP_ON;
}

/* The authority of an absolute target (RFC 9112 section 3.2.2), which may not be empty. */
static enum step read_authority(struct h1_parser *parser, struct cursor *c)
{
    for (;; c->at++) {
        uint8_t byte;

        if (c->at == c->end)
            return STEP_MORE;
        byte = (uint8_t)c->head[c->at];
        if (byte == ' ')
            break;
        if (target_full(parser, c))
            return refuse_target(parser, c);
        if (byte == '/' || byte == '?')
            break;
        if (!(char_class[byte] & CHAR_HOST) && byte != ':' && byte != '[' && byte != ']')
            return refuse_target(parser, c);
    }
    parser->authority.len = c->at - parser->authority.at;
    if (!host_valid(c->head + parser->authority.at, parser->authority.len))
        return refuse(parser, 400, "bad authority in the target");
    parser->path.at = c->at;
    if (c->head[c->at] == ' ')
        return end_target(parser, c);
    parser->state = STATE_PATH;
    return STEP_ON;
}

/* Authority-form: host and port, both mandatory (RFC 9112 section 3.2.3). */
static enum step read_connect(struct h1_parser *parser, struct cursor *c)
{
    struct host_parts parts;

    for (;; c->at++) {
        uint8_t byte;

        if (c->at == c->end)
            return STEP_MORE;
        byte = (uint8_t)c->head[c->at];
        if (byte == ' ')
            break;
        if (target_full(parser, c) ||
            (!(char_class[byte] & CHAR_HOST) && byte != ':' && byte != '[' && byte != ']'))
            return refuse_target(parser, c);
    }
    parser->authority.len = c->at - parser->authority.at;
    if (!host_split(px_str_make(c->head + parser->authority.at, parser->authority.len), &parts) ||
        parts.port < 0)
        return refuse(parser, 400, "CONNECT needs a host and a port");
    return end_target(parser, c);
}

static enum step read_asterisk(struct h1_parser *parser, struct cursor *c)
{
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != ' ')
        return refuse_target(parser, c);
    return end_target(parser, c);
}

/* What is between the two blanks; the forms that are rare go round the switch. */
static inline enum step read_target(struct h1_parser *parser, struct cursor *c)
{
    enum step step = STEP_ON;

    while (step == STEP_ON && parser->state != STATE_VERSION) {
        switch (parser->state) {
        case STATE_TARGET:
            step = begin_target(parser, c);
            break;
        case STATE_SCHEME:
            step = read_scheme(parser, c);
            break;
        case STATE_AUTHORITY:
            step = read_authority(parser, c);
            break;
        case STATE_CONNECT:
            step = read_connect(parser, c);
            break;
        case STATE_ASTERISK:
            step = read_asterisk(parser, c);
            break;
        case STATE_PATH:
            step = read_path(parser, c);
            break;
        case STATE_QUERY:
            step = read_query(parser, c);
            break;
        }
    }
    return step;
}

/* The version and the line end (RFC 9112 section 2.3).  A minor version above 1 counts as 1;
 * another major one is answered with 505, once it is sure that it is well-formed.  parser->step
 * counts its bytes. */
static enum step read_version_slowly(struct h1_parser *parser, struct cursor *c)
{
    for (; c->at < c->end; c->at++, parser->step++) {
        uint8_t byte = (uint8_t)c->head[c->at];

        switch (parser->step) {
        case 5:
        case 7:
            if (!(char_class[byte] & CHAR_DIGIT))
                return refuse(parser, 400, "bad version");
            if (parser->step == 7)
                parser->minor_version = byte != '0';
            break;
        case VERSION_BYTES:
            if (byte != '\r')
                return refuse(parser, 400, "bad version");
            if (c->head[c->at - 3] != '1')
                return refuse(parser, 505, "HTTP version not supported");
            break;
        case VERSION_BYTES + 1:
            if (byte != '\n')
                return refuse(parser, 400, "bare CR in the request line");
            c->at++;
            return STEP_ON;
        default:
            if (byte != (uint8_t)http_version[parser->step])
                return refuse(parser, 400, "bad version");
        }
    }
    return STEP_MORE;
}

static inline enum step read_version(struct h1_parser *parser, struct cursor *c)
{
    const char *at = c->head + c->at;

    if (parser->step == 0 && c->end - c->at >= VERSION_BYTES + 2 &&
        memcmp(at, http_version, VERSION_BYTES) == 0 &&
        memcmp(at + VERSION_BYTES, "\r\n", 2) == 0) {
        c->at += VERSION_BYTES + 2;
        parser->minor_version = 1;
    } else {
        enum step step = read_version_slowly(parser, c);

        if (step != STEP_ON)
            return step;
    }
    /* Here and not at its first byte, so that an HTTP/2 preface is told about its version. */
    if (parser->target_form == H1_TARGET_ASTERISK && parser->method_id != METHOD_OPTIONS)
        return refuse(parser, 400, "asterisk target without OPTIONS");
    parser->state = STATE_FIELD;
    return STEP_ON;
}

/* "HTTP/1.x 200" and then a blank and the reason phrase (RFC 9112 section 4), or the line end at
 * once: the blank is mandatory, but many servers leave it out and nothing depends on it. */
static enum step read_status(struct h1_parser *parser, struct cursor *c)
{
    for (; c->at < c->end; c->at++, parser->step++) {
        uint8_t byte = (uint8_t)c->head[c->at];

        switch (parser->step) {
        case 7:
        case 9:
        case 10:
        case 11:
            if (!(char_class[byte] & CHAR_DIGIT) || (parser->step == 9 && byte == '0'))
                return refuse(parser, 400, "bad status line");
            if (parser->step == 7)
                parser->minor_version = byte != '0';
            else
                parser->response_status = (uint16_t)(parser->response_status * 10 + byte - '0');
            break;
        case 8:
            if (byte != ' ')
                return refuse(parser, 400, "bad status line");
            break;
        case 12:
            if (byte != ' ' && byte != '\r')
                return refuse(parser, 400, "bad status line");
            c->at += byte == ' ';
            parser->reason_phrase.at = c->at;
            parser->state = STATE_REASON;
            return STEP_ON;
        default:
            if (byte != (uint8_t)http_version[parser->step])
                return refuse(parser, 400, "bad status line");
        }
    }
    return STEP_MORE;
}

static enum step read_status_line(struct h1_parser *parser, struct cursor *c)
{
    if (parser->state == STATE_STATUS) {
        enum step step = read_status(parser, c);

        if (step != STEP_ON)
            return step;
    }
    if (parser->state == STATE_REASON) {
        c->at = (uint32_t)parser->scan->value(c->head, c->at, c->end);
        if (c->at == c->end)
            return STEP_MORE;
        if (c->head[c->at] != '\r')
            return refuse(parser, 400, "bad byte in the status line");
        parser->reason_phrase.len = c->at - parser->reason_phrase.at;
        c->at++;
        parser->state = STATE_LINE_LF;
    }
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != '\n')
        return refuse(parser, 400, "bare CR in the status line");
    c->at++;
    parser->state = STATE_FIELD;
    return STEP_ON;
}

static enum step read_start_line(struct h1_parser *parser, struct cursor *c)
{
    enum step step = STEP_ON;

    if (parser->role == H1_RESPONSE)
        return read_status_line(parser, c);
    if (parser->state <= STATE_START_LF)
        step = read_empty_lines(parser, c);
    if (step == STEP_ON && parser->state == STATE_METHOD)
        step = read_method(parser, c);
    if (step == STEP_ON)
        step = read_target(parser, c);
    if (step == STEP_ON)
        step = read_version(parser, c);
    return step;
}

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
static enum step finish_request(struct h1_parser *parser)
{
    if (parser->minor_version == 1 && !parser->has_host)
        return refuse(parser, 400, "Host is missing");
    if (parser->has_transfer_encoding) {
        if (parser->has_content_length)
            return refuse(parser, 400, "Content-Length with Transfer-Encoding");
        if (parser->minor_version == 0)
            return refuse(parser, 400, "Transfer-Encoding in HTTP/1.0");
        if (parser->coding_unknown)
            return refuse(parser, 501, "unknown transfer coding");
        parser->framing = H1_FRAMING_CHUNKED;
    } else if (parser->has_content_length) {
        parser->framing = H1_FRAMING_LENGTH;
    }
    parser->keep_alive =
        !parser->connection_close && (parser->minor_version == 1 || parser->connection_keep);
    return STEP_DONE;
}

static enum step finish_response(struct h1_parser *parser)
{
    uint16_t status = parser->response_status;

    if (parser->has_transfer_encoding &&
        (parser->has_content_length || parser->coding_unknown || parser->minor_version == 0))
        return refuse(parser, 400, "ambiguous framing");
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

static inline enum step read_end(struct h1_parser *parser, struct cursor *c)
{
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != '\n')
        return refuse(parser, 400, "bare CR in the head");
    c->at++;
    parser->head_bytes = c->at;
    parser->state = STATE_DONE;
    return parser->role == H1_REQUEST ? finish_request(parser) : finish_response(parser);
}

static inline enum step read_value_lf(struct h1_parser *parser, struct cursor *c)
{
    struct h1_field_span *field = &parser->fields[parser->field_count];
    uint32_t end = c->at - 1;

    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != '\n')
        return refuse(parser, 400, "bare CR in a field");
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

static inline enum step read_value(struct h1_parser *parser, struct cursor *c)
{
    c->at = scan_value(parser->scan, c->head, c->at, c->end);
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != '\r')
        return refuse(parser, 400,
                      c->head[c->at] == '\n' ? "bare LF in a field" : "bad byte in a field value");
    c->at++;
    parser->state = STATE_VALUE_LF;
    return read_value_lf(parser, c);
}

static inline enum step read_blanks(struct h1_parser *parser, struct cursor *c)
{
    while (c->at < c->end && (c->head[c->at] == ' ' || c->head[c->at] == '\t'))
        c->at++;
    if (c->at == c->end)
        return STEP_MORE;
    parser->fields[parser->field_count].value.at = c->at;
    parser->state = STATE_VALUE;
    return read_value(parser, c);
}

static inline enum step read_name(struct h1_parser *parser, struct cursor *c)
{
    struct h1_span *name = &parser->fields[parser->field_count].name;

    if (!scan_short(c, c->end, CHAR_TOKEN))
        c->at = (uint32_t)parser->scan->token(c->head, c->at, c->end);
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != ':')
        return refuse(parser, 400, "bad byte in a field name");
    name->len = c->at - name->at;
    c->at++;
    parser->state = STATE_BLANKS;
    return read_blanks(parser, c);
}

/* A line that begins with a blank would be a folded one (RFC 9112 section 5.2), or one that hides
 * behind the request line (section 2.2); both are refused. */
static inline enum step begin_field(struct h1_parser *parser, struct cursor *c)
{
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] == '\r') {
        c->at++;
        parser->state = STATE_END_LF;
        return read_end(parser, c);
    }
    if (!is_class(c, CHAR_TOKEN))
        return refuse(parser, 400, "bad first byte of a field line");
    if (parser->field_count == parser->limits->field_count_max)
        return refuse(parser, 431, "too many fields");
    parser->fields[parser->field_count].name.at = c->at;
    parser->state = STATE_NAME;
    return read_name(parser, c);
}

static enum step read_fields(struct h1_parser *parser, struct cursor *c)
{
    enum step step = STEP_ON;

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
    struct cursor c = {head, parser->offset, len < bytes_max ? (uint32_t)len : bytes_max};
    enum step step = STEP_ON;

    if (PX_UNLIKELY(parser->state >= STATE_DONE))
        return parser->state == STATE_DONE ? PX_OK : PX_ERR_MALFORMED;
    if (parser->state < STATE_FIELD)
        step = read_start_line(parser, &c);
    if (step == STEP_ON)
        step = read_fields(parser, &c);
    parser->offset = c.at;
    if (step == STEP_DONE)
        return PX_OK;
    if (step == STEP_MORE && c.at < bytes_max)
        return PX_AGAIN;
    if (step == STEP_MORE) {
        bool in_target = parser->state >= STATE_TARGET && parser->state <= STATE_QUERY;

        (void)refuse(parser, in_target ? 414 : 431, "head too large");
    }
    return PX_ERR_MALFORMED;
}
