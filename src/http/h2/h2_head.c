/*
 * Fields of HTTP/2 requests: what each may be, and what they must be together.
 *
 * The rules for methods, targets, hosts and values are those of the HTTP/1 parser, so that a
 * request means the same whichever way it came.  A request that is refused for its target, method,
 * host or size is answered with the status of HTTP/1; what is no request at all (pseudo-fields that
 * are missing, doubled or late, fields that may not be) resets the stream.
 */
#include "http/h2/h2_head.h"

#include <string.h>

#include "base/number.h"
#include "http/fields/field.h"
#include "http/message/host.h"
#include "http/message/uri.h"

/* What one field costs beside its bytes in an HTTP/1 head: colon, blank, CR, LF.  More than the two
 * NULs that it costs here. */
enum { FIELD_OVERHEAD = 4 };

size_t h2_head_object_bytes(const struct http_limits *limits)
{
    return sizeof(struct h2_head) + limits->field_count_max * sizeof(struct http_field_span) +
           limits->head_bytes_max;
}

void h2_head_init(struct h2_head *head, const struct scan_table *scan,
                  const struct http_limits *limits, bool trailers)
{
    memset(&head->content_length, 0,
           offsetof(struct h2_head, crumbs) - offsetof(struct h2_head, content_length));
    head->scan = scan;
    head->limits = limits;
    head->text = (char *)(head->fields + limits->field_count_max);
    head->crumbs_at = limits->head_bytes_max;
    head->trailers = trailers;
    head->regular_seen = trailers; /* RFC 9113 section 8.1: no pseudo-fields in trailers */
}

static inline bool text_is(px_str text, const char *literal)
{
    size_t len = strlen(literal);

    return text.len == len && memcmp(text.ptr, literal, len) == 0;
}

/* Most pieces are short: no call for those. */
static inline void copy(char *to, const char *from, size_t len)
{
    if (len >= 8 && len <= 32) {
        const char *from_end = from + len - 8;
        char *to_end = to + len - 8;

        for (; to < to_end; to += 8, from += 8)
            memcpy(to, from, 8);
        memcpy(to_end, from_end, 8);
    } else if (len > 0) {
        memcpy(to, from, len);
    }
}

/* Keeps a piece with its NUL.  The room was counted before. */
static struct http_span keep(struct h2_head *head, px_str text)
{
    struct http_span span = {head->text_len, (uint32_t)text.len};

    copy(head->text + span.at, text.ptr, text.len);
    head->text[span.at + text.len] = '\0';
    head->text_len += (uint32_t)text.len + 1;
    return span;
}

/* Keeps a crumb apart from the rest, so that it is copied once, when they are joined.  It needs no
 * NUL, and what was counted for its field is more than what joins it. */
static struct http_span keep_crumb(struct h2_head *head, px_str text)
{
    head->crumbs_at -= (uint32_t)text.len;
    CHECK(head->crumbs_at >= head->text_len && head->crumbs_at <= head->limits->head_bytes_max);
    if (text.len > 0)
        memcpy(head->text + head->crumbs_at, text.ptr, text.len);
    return (struct http_span){head->crumbs_at, (uint32_t)text.len};
}

/* The first reason counts. */
static void refuse(struct h2_head *head, uint16_t status, const char *reason)
{
    if (head->status != 0)
        return;
    head->status = status;
    head->reason = reason;
}

/* --- Pseudo-fields ---------------------------------------------------------------------------- */

/* RFC 9113 section 8.3.1: a path and a query as in an HTTP/1 request line, or "*". */
static void note_path(struct h2_head *head, px_str path)
{
    size_t at;

    head->path_bytes = (uint32_t)path.len;
    if (text_is(path, "*"))
        return;
    at = uri_path_end(path, 0, head->scan);
    head->path_bytes = (uint32_t)at;
    if (at < path.len && path.ptr[at] == '?')
        at = uri_query_end(path, at + 1, head->scan);
    /* As over HTTP/1: a target that is none is answered. */
    if (path.len == 0 || path.ptr[0] != '/' || at < path.len)
        refuse(head, 400, "bad byte in the target");
}

static void note_method(struct h2_head *head, px_str method)
{
    if (method.len == 0 || scan_short(method.ptr, 0, method.len, CHAR_TOKEN) < method.len)
        refuse(head, 400, "bad method");
    else if (method.len > METHOD_BYTES_MAX)
        refuse(head, 400, "method too long");
    head->method_id = http_method_of(method.ptr, method.len);
}

/* One that we do not serve is refused as in an HTTP/1 target. */
static void note_scheme(struct h2_head *head, px_str scheme)
{
    if (field_name_is(scheme, "http") || field_name_is(scheme, "https"))
        return;
    refuse(head, 400, "scheme not served");
}

static int pseudo_of(px_str name)
{
    static const char *const names[H2_PSEUDO_COUNT] = {":method", ":scheme", ":authority", ":path",
                                                       ":protocol"};

    for (int pseudo = 0; pseudo < H2_PSEUDO_COUNT; pseudo++) {
        if (text_is(name, names[pseudo]))
            return pseudo;
    }
    return -1;
}

static void add_pseudo(struct h2_head *head, px_str name, px_str value)
{
    int pseudo = pseudo_of(name);

    /* RFC 9113 section 8.3: unknown, doubled, or behind the other fields. */
    if (pseudo < 0 || head->regular_seen || head->seen & 1 << pseudo) {
        head->malformed = true;
        return;
    }
    head->seen = (uint8_t)(head->seen | 1 << pseudo);
    if (pseudo == H2_PSEUDO_PATH && value.len > head->limits->target_bytes_max) {
        refuse(head, 414, "target too long");
        head->pseudo[pseudo] = keep(head, http_glimpse_cut(value)); /* for the log */
        return;
    }
    head->pseudo[pseudo] = keep(head, value);
    switch ((enum h2_pseudo)pseudo) {
    case H2_PSEUDO_METHOD:
        note_method(head, value);
        break;
    case H2_PSEUDO_SCHEME:
        note_scheme(head, value);
        break;
    case H2_PSEUDO_PATH:
        note_path(head, value);
        break;
    case H2_PSEUDO_AUTHORITY:
        if (!host_valid(value.ptr, value.len))
            refuse(head, 400, "bad authority in the target");
        break;
    case H2_PSEUDO_PROTOCOL:
        if (!field_name_valid(value))
            head->malformed = true;
        break;
    case H2_PSEUDO_COUNT:
        break;
    }
}

/* --- Fields ----------------------------------------------------------------------------------- */

static void note_length(struct h2_head *head, px_str value)
{
    uint64_t length = 0;

    if ((head->said & H2_SAID_LENGTH) || !number_read(value, INT64_MAX, &length)) {
        head->malformed = true;
        return;
    }
    head->said |= H2_SAID_LENGTH;
    head->content_length = length;
}

/* RFC 9113 section 8.2.2: what belongs to a connection of HTTP/1. */
static bool is_connection_field(px_str name, px_str value)
{
    switch (name.len) {
    case 2:
        return text_is(name, "te") && !field_name_is(value, "trailers");
    case 7:
        return text_is(name, "upgrade");
    case 10:
        return text_is(name, "connection") || text_is(name, "keep-alive");
    case 16:
        return text_is(name, "proxy-connection");
    case 17:
        return text_is(name, "transfer-encoding");
    }
    return false;
}

static void note_host(struct h2_head *head, px_str value, struct http_span span)
{
    if (head->said & H2_SAID_HOST)
        refuse(head, 400, "Host twice");
    else if (!host_valid(value.ptr, value.len))
        refuse(head, 400, "bad Host");
    head->said |= H2_SAID_HOST;
    head->host = span;
}

/* Fields that mean something here. */
static void note_field(struct h2_head *head, px_str name, px_str value, struct http_span span)
{
    switch (name.len) {
    case 4:
        if (text_is(name, "host"))
            note_host(head, value, span);
        break;
    case 6:
        if (text_is(name, "expect")) {
            head->said &= (uint8_t)~H2_SAID_EXPECT_CONTINUE;
            head->said |= field_name_is(value, "100-continue") ? H2_SAID_EXPECT_CONTINUE
                                                               : H2_SAID_EXPECT_UNKNOWN;
        }
        break;
    case 8:
        if (text_is(name, "priority") && !(head->said & H2_SAID_PRIORITY)) {
            head->said |= H2_SAID_PRIORITY;
            head->priority = span;
        }
        break;
    case 14:
        if (text_is(name, "content-length"))
            note_length(head, value);
        break;
    }
}

/* RFC 9113 section 8.2.1: tokens in lower case; values without NUL, CR, LF and blanks at the ends;
 * other control bytes are refused as in HTTP/1. */
static bool field_is_good(const struct h2_head *head, px_str name, px_str value)
{
    for (size_t at = 0; at < name.len; at++) {
        uint8_t byte = (uint8_t)name.ptr[at];

        if (!(char_class[byte] & CHAR_TOKEN) || (byte >= 'A' && byte <= 'Z'))
            return false;
    }
    if (name.len == 0 || is_connection_field(name, value))
        return false;
    if (value.len == 0)
        return true;
    char first = value.ptr[0], last = value.ptr[value.len - 1];

    return first != ' ' && first != '\t' && last != ' ' && last != '\t' &&
           scan_mixed(value.ptr, 0, value.len, CHAR_VALUE, head->scan->value) == value.len;
}

static void add_field(struct h2_head *head, px_str name, px_str value)
{
    const struct http_limits *limits = head->limits;
    uint32_t count_max = head->trailers && limits->field_count_max > TRAILER_COUNT_MAX
                             ? TRAILER_COUNT_MAX
                             : limits->field_count_max;

    head->regular_seen = true;
    if (!field_is_good(head, name, value)) {
        head->malformed = true;
        return;
    }
    /* RFC 9113 section 8.2.3: a Cookie may come in crumbs, which count as one field. */
    if (!head->trailers && text_is(name, "cookie")) {
        if (head->crumb_count == H2_CRUMBS_MAX ||
            head->field_count + (head->crumb_count == 0 ? 1U : 0U) > count_max) {
            refuse(head, 431, "too many fields");
            return;
        }
        head->crumbs[head->crumb_count++] = keep_crumb(head, value);
        return;
    }
    if (head->field_count + (head->crumb_count > 0 ? 1U : 0U) >= count_max) {
        refuse(head, 431, "too many fields");
        return;
    }
    struct http_field_span *field = &head->fields[head->field_count++];

    field->name = keep(head, name);
    field->value = keep(head, value);
    if (!head->trailers)
        note_field(head, name, value, field->value);
}

/* A path that is alone too much for a head: the log shows its beginning, where there is room. */
static void keep_glimpse(struct h2_head *head, px_str name, px_str path)
{
    path = http_glimpse_cut(path);
    if (!text_is(name, ":path") || head->regular_seen || head->seen & 1 << H2_PSEUDO_PATH ||
        path.len >= head->crumbs_at - head->text_len)
        return;
    head->seen |= 1 << H2_PSEUDO_PATH;
    head->pseudo[H2_PSEUDO_PATH] = keep(head, path);
}

void h2_head_add(struct h2_head *head, px_str name, px_str value)
{
    uint32_t bytes_max = head->limits->head_bytes_max;
    size_t more = name.len + value.len + FIELD_OVERHEAD;

    if (head->trailers && bytes_max > TRAILER_BYTES_MAX)
        bytes_max = TRAILER_BYTES_MAX;
    head->bytes = more < UINT32_MAX - head->bytes ? head->bytes + (uint32_t)more : UINT32_MAX;
    if (head->bytes > bytes_max) {
        refuse(head, 431, "head too large");
        keep_glimpse(head, name, value);
        return;
    }
    if (head->malformed)
        return;
    if (name.len > 0 && name.ptr[0] == ':')
        add_pseudo(head, name, value);
    else
        add_field(head, name, value);
}

/* --- Fields that came before ------------------------------------------------------------------ */

/* The lower bits of a note: a field of no meaning here, or a pseudo-field; the others are its
 * method, or the bytes of its path without the query. */
enum { NOTE_FIELD = 1, NOTE_PSEUDO = 2, NOTE_BITS = 4, NOTE_MAX = UINT16_MAX >> NOTE_BITS };

/* What there is to note of a field that was just added and is good; 0: nothing. */
static uint16_t note_of(const struct h2_head *head, px_str name)
{
    static const char *const meant[] = {"host", "expect", "cookie", "priority", "content-length"};
    int pseudo = name.len > 0 && name.ptr[0] == ':' ? pseudo_of(name) : -1;
    uint32_t more = pseudo == H2_PSEUDO_METHOD ? head->method_id
                    : pseudo == H2_PSEUDO_PATH ? head->path_bytes
                                               : 0;

    if (head->trailers || pseudo == H2_PSEUDO_PROTOCOL || more > NOTE_MAX)
        return 0;
    for (size_t index = 0; index < ARRAY_COUNT(meant); index++)
        if (text_is(name, meant[index]))
            return 0;
    return pseudo < 0 ? NOTE_FIELD
                      : (uint16_t)(more << NOTE_BITS | (NOTE_PSEUDO + (uint32_t)pseudo));
}

/* Adds a field by its note: false where it has to be looked at, since it is one too many. */
static bool add_known(struct h2_head *head, px_str name, px_str value, uint16_t note)
{
    const struct http_limits *limits = head->limits;
    size_t bytes = head->bytes + name.len + value.len + FIELD_OVERHEAD;
    uint32_t kind = note & ((1U << NOTE_BITS) - 1);

    if (PX_UNLIKELY(bytes > limits->head_bytes_max || head->trailers || head->malformed))
        return false;
    if (PX_LIKELY(kind == NOTE_FIELD)) {
        if (PX_UNLIKELY(head->field_count + (head->crumb_count > 0 ? 1U : 0U) >=
                        limits->field_count_max))
            return false;
        struct http_field_span *field = &head->fields[head->field_count++];

        head->regular_seen = true;
        field->name = keep(head, name);
        field->value = keep(head, value);
    } else {
        uint32_t pseudo = kind - NOTE_PSEUDO;

        if (PX_UNLIKELY(head->regular_seen || head->seen & 1U << pseudo))
            return false;
        head->seen = (uint8_t)(head->seen | 1U << pseudo);
        head->pseudo[pseudo] = keep(head, value);
        if (pseudo == H2_PSEUDO_METHOD)
            head->method_id = (uint8_t)(note >> NOTE_BITS);
        else if (pseudo == H2_PSEUDO_PATH)
            head->path_bytes = note >> NOTE_BITS;
    }
    head->bytes = (uint32_t)bytes;
    return true;
}

void h2_head_add_noted(struct h2_head *head, px_str name, px_str value, uint16_t *note)
{
    if (PX_LIKELY(note && *note) && PX_LIKELY(add_known(head, name, value, *note)))
        return;
    bool good = !head->malformed && head->status == 0;

    h2_head_add(head, name, value);
    if (note && good && !head->malformed && head->status == 0)
        *note = note_of(head, name);
}

/* --- Together --------------------------------------------------------------------------------- */

/* RFC 9113 section 8.5: what CONNECT is for has a port. */
static bool has_port(const struct h2_head *head)
{
    struct host_parts parts;

    return host_split(h2_head_text(head, head->pseudo[H2_PSEUDO_AUTHORITY]), &parts) &&
           parts.port >= 0;
}

/* Whether the pseudo-fields make a request (RFC 9113 sections 8.3.1 and 8.5, RFC 8441 section 4).
 */
static bool pseudo_complete(struct h2_head *head)
{
    bool connect = head->method_id == METHOD_CONNECT;
    bool protocol = h2_head_has(head, H2_PSEUDO_PROTOCOL);

    if (!h2_head_has(head, H2_PSEUDO_METHOD) || (protocol && !connect))
        return false;
    head->extended = protocol;
    if (connect && !protocol)
        return h2_head_has(head, H2_PSEUDO_AUTHORITY) && !h2_head_has(head, H2_PSEUDO_SCHEME) &&
               !h2_head_has(head, H2_PSEUDO_PATH);
    if (protocol && !h2_head_has(head, H2_PSEUDO_AUTHORITY))
        return false;
    return h2_head_has(head, H2_PSEUDO_SCHEME) && h2_head_has(head, H2_PSEUDO_PATH);
}

/* What HTTP/1 would refuse too, once the head is whole. */
static void judge(struct h2_head *head)
{
    bool has_authority = h2_head_has(head, H2_PSEUDO_AUTHORITY);

    /* RFC 9113 section 8.3.1: Host says the same as :authority. */
    if ((head->said & H2_SAID_HOST) && has_authority &&
        !field_text_equal(h2_head_text(head, head->host),
                          h2_head_text(head, head->pseudo[H2_PSEUDO_AUTHORITY])))
        refuse(head, 400, "Host differs from :authority");
    /* RFC 9110 section 7.2: for which host it is must be said. */
    if (!(head->said & H2_SAID_HOST) && !has_authority)
        refuse(head, 400, "Host is missing");
    if (head->method_id == METHOD_CONNECT && !head->extended && !has_port(head))
        refuse(head, 400, "CONNECT needs a host and a port");
    if (text_is(h2_head_text(head, head->pseudo[H2_PSEUDO_PATH]), "*") &&
        head->method_id != METHOD_OPTIONS)
        refuse(head, 400, "asterisk target without OPTIONS");
}

px_err h2_head_end(struct h2_head *head)
{
    if (head->malformed)
        return PX_ERR_MALFORMED;
    if (head->trailers)
        return head->status ? PX_ERR_LIMIT : PX_OK;
    /* What was too much may have been left out: it is not missing. */
    if (head->status == 431 || head->status == 414)
        return PX_ERR_LIMIT;
    if (!pseudo_complete(head))
        return PX_ERR_MALFORMED;
    judge(head);
    return head->status ? PX_ERR_LIMIT : PX_OK;
}
