/*
 * The start line: a request line (RFC 9112 section 3) or a status line (section 4).
 *
 * Every byte of a target is checked against its place as it comes, so that the target needs no
 * second look.  What can go wrong is the peer's doing, and is refused where it stands.
 */
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/h1/h1_machine.h"
#include "http/message/host.h"

enum { VERSION_BYTES = 8, SCHEME_BYTES = 5 };

static const char http_version[] = "HTTP/1.1";

/* RFC 9112 section 2.2: empty lines before the request line are skipped, here a few of them. */
static enum h1_step read_empty_lines(struct h1_parser *parser, struct h1_cursor *c)
{
    while (c->at < c->end) {
        if (parser->state == STATE_START_LF) {
            if (c->head[c->at] != '\n')
                return h1_refuse(parser, 400, "bare CR before the request line");
            parser->state = STATE_START;
            c->at++;
            continue;
        }
        if (c->head[c->at] != '\r') {
            parser->method.at = (uint32_t)c->at;
            parser->state = STATE_METHOD;
            return STEP_ON;
        }
        if (parser->empty_lines == EMPTY_LINES_MAX)
            return h1_refuse(parser, 400, "too many empty lines before the request line");
        parser->empty_lines++;
        parser->state = STATE_START_LF;
        c->at++;
    }
    return STEP_MORE;
}

static enum h1_step read_method(struct h1_parser *parser, struct h1_cursor *c)
{
    size_t from = parser->method.at;

    size_t stop = c->end - from > METHOD_BYTES_MAX ? from + METHOD_BYTES_MAX : c->end;

    while (c->at < stop && h1_is_class(c, CHAR_TOKEN))
        c->at++;
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != ' ' || c->at == from)
        return h1_refuse(parser, 400,
                         h1_is_class(c, CHAR_TOKEN) ? "method too long" : "bad byte in the method");
    parser->method_id = http_method_of(c->head + from, c->at - from);
    parser->method.len = (uint32_t)c->at - parser->method.at;
    c->at++;
    parser->target.at = (uint32_t)c->at;
    parser->state = STATE_TARGET;
    return STEP_ON;
}

/* One byte past the limit is enough to answer, whatever it is. */
static inline bool target_full(const struct h1_parser *parser, const struct h1_cursor *c)
{
    return c->at - parser->target.at >= parser->limits->target_bytes_max;
}

static enum h1_step refuse_target(struct h1_parser *parser, const struct h1_cursor *c)
{
    if (target_full(parser, c))
        return h1_refuse(parser, 414, "target too long");
    return h1_refuse(parser, 400, "bad byte in the target");
}

/* The target has ended in front of the blank at the cursor. */
static enum h1_step end_target(struct h1_parser *parser, struct h1_cursor *c)
{
    parser->target.len = (uint32_t)c->at - parser->target.at;
    c->at++;
    parser->step = 0;
    parser->state = STATE_VERSION;
    return STEP_ON;
}

/* A byte of the target that is not ASCII, or one that must continue such a character. */
static bool take_utf8(struct h1_parser *parser, struct h1_cursor *c)
{
    uint8_t byte = (uint8_t)c->head[c->at];

    if ((byte < 0x80 && parser->utf8.left == 0) || !text_utf8_step(&parser->utf8, byte))
        return false;
    c->at++;
    return true;
}

/* Reads bytes of a class, UTF-8 and, in a path, %XX up to the first other byte (STEP_ON: the cursor
 * is at it).  Clients send nearly all visible ASCII, and UTF-8, as it is; "#" ends what a client
 * may send, and RFC 3986 section 2.1 says what follows a "%". */
static enum h1_step read_data(struct h1_parser *parser, struct h1_cursor *c, uint8_t class,
                              size_t (*scan)(const char *ptr, size_t from, size_t len))
{
    size_t target_max = parser->limits->target_bytes_max;
    size_t stop = c->end - parser->target.at > target_max ? parser->target.at + target_max : c->end;

    for (;;) {
        for (; parser->hex_left > 0; parser->hex_left--, c->at++) {
            if (c->at == c->end)
                return STEP_MORE;
            if (c->at == stop || !h1_is_class(c, CHAR_HEX))
                return refuse_target(parser, c);
        }
        if (parser->utf8.left == 0)
            c->at = scan_mixed(c->head, c->at, stop, class, scan);
        if (c->at == c->end)
            return STEP_MORE;
        if (c->at == stop)
            return STEP_ON;
        if (take_utf8(parser, c))
            continue;
        if (parser->utf8.left > 0)
            return refuse_target(parser, c);
        if (class == CHAR_QUERY || c->head[c->at] != '%')
            return STEP_ON;
        parser->hex_left = 2;
        c->at++;
    }
}

static enum h1_step read_query(struct h1_parser *parser, struct h1_cursor *c)
{
    enum h1_step step = read_data(parser, c, CHAR_QUERY, parser->scan->query);

    if (step != STEP_ON)
        return step;
    return c->head[c->at] == ' ' ? end_target(parser, c) : refuse_target(parser, c);
}

static enum h1_step read_path(struct h1_parser *parser, struct h1_cursor *c)
{
    enum h1_step step = read_data(parser, c, CHAR_PATH, parser->scan->path);

    if (step != STEP_ON)
        return step;
    parser->path.len = (uint32_t)c->at - parser->path.at;
    if (c->head[c->at] == ' ')
        return end_target(parser, c);
    if (c->head[c->at] != '?' || target_full(parser, c))
        return refuse_target(parser, c);
    c->at++;
    parser->query_at = (uint32_t)c->at;
    parser->state = STATE_QUERY;
    return read_query(parser, c);
}

/* The first byte tells the form (RFC 9112 section 3.2); only CONNECT has authority-form. */
static enum h1_step begin_target(struct h1_parser *parser, struct h1_cursor *c)
{
    uint8_t byte;

    if (c->at == c->end)
        return STEP_MORE;
    byte = (uint8_t)c->head[c->at];
    if (parser->method_id == METHOD_CONNECT) {
        parser->target_form = H1_TARGET_AUTHORITY;
        parser->authority.at = (uint32_t)c->at;
        parser->state = STATE_CONNECT;
    } else if (byte == '/') {
        parser->target_form = H1_TARGET_ORIGIN;
        parser->path.at = (uint32_t)c->at;
        parser->state = STATE_PATH;
    } else if (byte == '*') {
        parser->target_form = H1_TARGET_ASTERISK;
        parser->path = http_span_of(c->at, c->at + 1);
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
static enum h1_step read_scheme(struct h1_parser *parser, struct h1_cursor *c)
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
            return h1_refuse(parser, 400, "target is neither a path nor an http address");
    }
    parser->authority.at = (uint32_t)c->at;
    parser->state = STATE_AUTHORITY;
    return STEP_ON;
}

/* The authority of an absolute target (RFC 9112 section 3.2.2), which may not be empty. */
static enum h1_step read_authority(struct h1_parser *parser, struct h1_cursor *c)
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
    parser->authority.len = (uint32_t)c->at - parser->authority.at;
    if (!host_valid(c->head + parser->authority.at, parser->authority.len))
        return h1_refuse(parser, 400, "bad authority in the target");
    parser->path.at = (uint32_t)c->at;
    if (c->head[c->at] == ' ')
        return end_target(parser, c);
    parser->state = STATE_PATH;
    return STEP_ON;
}

/* Authority-form: host and port, both mandatory (RFC 9112 section 3.2.3). */
static enum h1_step read_connect(struct h1_parser *parser, struct h1_cursor *c)
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
    parser->authority.len = (uint32_t)c->at - parser->authority.at;
    if (!host_split(px_str_make(c->head + parser->authority.at, parser->authority.len), &parts) ||
        parts.port < 0)
        return h1_refuse(parser, 400, "CONNECT needs a host and a port");
    return end_target(parser, c);
}

static enum h1_step read_asterisk(struct h1_parser *parser, struct h1_cursor *c)
{
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != ' ')
        return refuse_target(parser, c);
    return end_target(parser, c);
}

/* What is between the two blanks; the forms that are rare go round the switch. */
static enum h1_step read_target(struct h1_parser *parser, struct h1_cursor *c)
{
    enum h1_step step = STEP_ON;

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
static enum h1_step read_version_bytes(struct h1_parser *parser, struct h1_cursor *c)
{
    for (; c->at < c->end; c->at++, parser->step++) {
        uint8_t byte = (uint8_t)c->head[c->at];

        switch (parser->step) {
        case 5:
        case 7:
            if (!(char_class[byte] & CHAR_DIGIT))
                return h1_refuse(parser, 400, "bad version");
            if (parser->step == 7)
                parser->minor_version = byte != '0';
            break;
        case VERSION_BYTES:
            if (byte != '\r')
                return h1_refuse(parser, 400, "bad version");
            if (c->head[c->at - 3] != '1')
                return h1_refuse(parser, 505, "HTTP version not supported");
            break;
        case VERSION_BYTES + 1:
            if (byte != '\n')
                return h1_refuse(parser, 400, "bare CR in the request line");
            c->at++;
            return STEP_ON;
        default:
            if (byte != (uint8_t)http_version[parser->step])
                return h1_refuse(parser, 400, "bad version");
        }
    }
    return STEP_MORE;
}

static enum h1_step read_version(struct h1_parser *parser, struct h1_cursor *c)
{
    enum h1_step step = read_version_bytes(parser, c);

    if (step != STEP_ON)
        return step;
    /* Here and not at its first byte, so that an HTTP/2 preface is told about its version. */
    if (parser->target_form == H1_TARGET_ASTERISK && parser->method_id != METHOD_OPTIONS)
        return h1_refuse(parser, 400, "asterisk target without OPTIONS");
    parser->state = STATE_FIELD;
    return STEP_ON;
}

/* "HTTP/1.x 200" and then a blank and the reason phrase (RFC 9112 section 4), or the line end at
 * once: the blank is mandatory, but many servers leave it out and nothing depends on it. */
static enum h1_step read_status(struct h1_parser *parser, struct h1_cursor *c)
{
    for (; c->at < c->end; c->at++, parser->step++) {
        uint8_t byte = (uint8_t)c->head[c->at];

        switch (parser->step) {
        case 7:
        case 9:
        case 10:
        case 11:
            if (!(char_class[byte] & CHAR_DIGIT) || (parser->step == 9 && byte == '0'))
                return h1_refuse(parser, 400, "bad status line");
            if (parser->step == 7)
                parser->minor_version = byte != '0';
            else
                parser->response_status = (uint16_t)(parser->response_status * 10 + byte - '0');
            break;
        case 8:
            if (byte != ' ')
                return h1_refuse(parser, 400, "bad status line");
            break;
        case 12:
            if (byte != ' ' && byte != '\r')
                return h1_refuse(parser, 400, "bad status line");
            c->at += byte == ' ';
            parser->reason_phrase.at = (uint32_t)c->at;
            parser->state = STATE_REASON;
            return STEP_ON;
        default:
            if (byte != (uint8_t)http_version[parser->step])
                return h1_refuse(parser, 400, "bad status line");
        }
    }
    return STEP_MORE;
}

static enum h1_step read_status_line(struct h1_parser *parser, struct h1_cursor *c)
{
    if (parser->state == STATE_STATUS) {
        enum h1_step step = read_status(parser, c);

        if (step != STEP_ON)
            return step;
    }
    if (parser->state == STATE_REASON) {
        c->at = parser->scan->value(c->head, c->at, c->end);
        if (c->at == c->end)
            return STEP_MORE;
        if (c->head[c->at] != '\r')
            return h1_refuse(parser, 400, "bad byte in the status line");
        parser->reason_phrase.len = (uint32_t)c->at - parser->reason_phrase.at;
        c->at++;
        parser->state = STATE_LINE_LF;
    }
    if (c->at == c->end)
        return STEP_MORE;
    if (c->head[c->at] != '\n')
        return h1_refuse(parser, 400, "bare CR in the status line");
    c->at++;
    parser->state = STATE_FIELD;
    return STEP_ON;
}

/* The line that nearly all requests begin with, when it is there whole: a method, a path without
 * "%", perhaps a query, HTTP/1.1.  False: it is not one, and nothing was touched; the machine reads
 * it from its first byte. */
static bool read_common_line(struct h1_parser *parser, struct h1_cursor *c)
{
    static const char version[] = " HTTP/1.1\r\n";
    const char *head = c->head;
    size_t from = c->at, at = c->at, end = c->end, query_at = 0;
    size_t target_at, path_end;
    uint8_t method = METHOD_GET;

    if (end - at < 16)
        return false;
    if (memcmp(head + at, "GET ", 4) == 0) {
        at += 3;
    } else {
        while (at - from < METHOD_BYTES_MAX && at < end &&
               (char_class[(uint8_t)head[at]] & CHAR_TOKEN))
            at++;
        method = http_method_of(head + from, at - from);
    }
    if (end - at < 2 || memcmp(head + at, " /", 2) != 0 || method == METHOD_CONNECT || at == from)
        return false;
    target_at = at + 1;
    path_end = at = scan_mixed(head, at + 2, end, CHAR_PATH, parser->scan->path);
    if (at < end && head[at] == '?') {
        query_at = at + 1;
        at = scan_mixed(head, at + 1, end, CHAR_QUERY, parser->scan->query);
    }
    if (end - at < sizeof(version) - 1 || memcmp(head + at, version, 8) != 0 ||
        memcmp(head + at + 7, version + 7, 4) != 0 ||
        at - target_at > parser->limits->target_bytes_max)
        return false;
    parser->method = http_span_of(from, target_at - 1);
    parser->method_id = method;
    parser->target = http_span_of(target_at, at);
    parser->target_form = H1_TARGET_ORIGIN;
    parser->path = http_span_of(target_at, path_end);
    parser->query_at = (uint32_t)query_at;
    parser->minor_version = 1;
    parser->state = STATE_FIELD;
    c->at = at + sizeof(version) - 1;
    return true;
}

/* The field that nearly all requests begin with, when it is there whole: a Host that is a name or
 * an IPv4 address, with a port of up to four digits or none.  What is anything else is left to the
 * machine; both must agree on what is valid. */
static void read_common_host(struct h1_parser *parser, struct h1_cursor *c)
{
    static const char name[] = "Host: ";
    const char *head = c->head;
    size_t end = c->end;
    size_t from = c->at + sizeof(name) - 1;
    size_t to;

    if (end - c->at < 8 || memcmp(head + c->at, name, 4) != 0 ||
        memcmp(head + c->at + 4, ": ", 2) || parser->limits->field_count_max == 0)
        return;
    to = scan_short(head, from, end, CHAR_HOST);
    if (to == from || to - from > HOST_BYTES_MAX)
        return;
    if (to < end && head[to] == ':') {
        size_t port = ++to;

        while (to < end && to - port < 4 && (char_class[(uint8_t)head[to]] & CHAR_DIGIT))
            to++;
    }
    if (end - to < 2 || memcmp(head + to, "\r\n", 2) != 0)
        return;
    parser->seen |= H1_SEEN_HOST;
    parser->host = http_span_of(from, to);
    parser->fields[0] =
        (struct http_field_span){http_span_of(c->at, c->at + 4), http_span_of(from, to)};
    parser->field_count = 1;
    c->at = to + 2;
}

/* The same and every other start line, piece by piece.  Out of line, so that it does not weigh on
 * the common one. */
__attribute__((noinline)) static enum h1_step read_line(struct h1_parser *parser,
                                                        struct h1_cursor *c)
{
    enum h1_step step = STEP_ON;

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

enum h1_step h1_start_read(struct h1_parser *parser, struct h1_cursor *c)
{
    if (parser->state == STATE_START && read_common_line(parser, c)) {
        read_common_host(parser, c);
        return STEP_ON;
    }
    return read_line(parser, c);
}
