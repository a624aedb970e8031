/*
 * The delimiters of a form.
 *
 * A delimiter begins with CR and has no other, so bytes that began to look like one and turned out
 * not to be are simply its first bytes: they need not be kept to be handed on, only counted, and
 * the search never has to go back.
 */
#include "http/forms/multipart.h"

#include <string.h>

#include "base/check.h"
#include "http/fields/field.h"
#include "http/forms/multipart_part.h"

enum multipart_state {
    MULTIPART_PREAMBLE,  /* before the first delimiter; ignored (RFC 2046 section 5.1.1) */
    MULTIPART_CONTENT,   /* of a part */
    MULTIPART_DELIMITED, /* behind a delimiter: "-", padding or CR */
    MULTIPART_PADDED,    /* padding was seen: more of it, or CR */
    MULTIPART_LINE_END,  /* CR was seen: LF, and the fields of a part begin */
    MULTIPART_HEAD,
    MULTIPART_CLOSING,     /* the first "-" of the close-delimiter was seen */
    MULTIPART_CLOSED,      /* behind it: padding, CR or the end */
    MULTIPART_CLOSED_LINE, /* CR was seen */
    MULTIPART_EPILOGUE,    /* ignored */
    MULTIPART_ENDED,       /* finish was called */
};

_Static_assert(MULTIPART_BOUNDARY_BYTES_MAX + 4 <= UINT8_MAX, "delimiter_len holds it");
_Static_assert(MULTIPART_ENDED <= UINT8_MAX, "state holds it");

static px_err refuse(struct multipart *multipart, px_err err, const char *reason)
{
    multipart->err = err;
    multipart->reason = reason;
    return err;
}

/* A callback's result. */
static px_err told(struct multipart *multipart, px_err err)
{
    return err == PX_OK ? PX_OK : refuse(multipart, err, "refused by the receiver");
}

/* bchars (RFC 2046 section 5.1.1): a blank is one of them, but not the last. */
static bool boundary_valid(px_str boundary)
{
    if (boundary.len == 0 || boundary.len > MULTIPART_BOUNDARY_BYTES_MAX)
        return false;
    for (size_t i = 0; i < boundary.len; i++) {
        char byte = boundary.ptr[i];
        bool alphanumeric = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                            (byte >= 'a' && byte <= 'z');

        if (!alphanumeric && (byte == '\0' || !strchr("'()+_,-./:=? ", byte)))
            return false;
    }
    return boundary.ptr[boundary.len - 1] != ' ';
}

px_err multipart_boundary(px_str content_type, px_str *out_boundary)
{
    struct media_type type;
    struct field_param param;

    if (content_type.len == 0)
        return PX_ERR_UNSUPPORTED;
    if (media_type_parse(content_type, &type) != PX_OK)
        return PX_ERR_MALFORMED;
    if (!media_type_is(&type, "multipart", "form-data"))
        return PX_ERR_UNSUPPORTED;
    if (field_param_find(type.params, "boundary", &param) != PX_OK || !boundary_valid(param.value))
        return PX_ERR_MALFORMED;
    *out_boundary = param.value;
    return PX_OK;
}

/* A delimiter may begin here, behind a line end that is not content. */
static void start_line(struct multipart *multipart)
{
    multipart->matched = 2;
    multipart->matched_outside = 2;
}

px_err multipart_init(struct multipart *multipart, px_str boundary, const px_allocator *allocator,
                      const struct multipart_events *events, void *context)
{
    if (!boundary_valid(boundary))
        return PX_ERR_INVALID;
    multipart->events = events;
    multipart->context = context;
    /* A head, and behind it room for its names without their escapes. */
    buf_init(&multipart->head, allocator, 2 * MULTIPART_HEAD_BYTES_MAX + 2);
    multipart->reason = NULL;
    multipart->err = PX_OK;
    multipart->part_count = 0;
    multipart->paused = false;
    start_line(multipart);
    multipart->state = MULTIPART_PREAMBLE;
    multipart->delimiter_len = (uint8_t)(boundary.len + 4);
    memcpy(multipart->delimiter, "\r\n--", 4);
    memcpy(multipart->delimiter + 4, boundary.ptr, boundary.len);
    return PX_OK;
}

void multipart_check(const struct multipart *multipart)
{
    bool searches = multipart->state == MULTIPART_PREAMBLE || multipart->state == MULTIPART_CONTENT;

    ASSERT(multipart->state <= MULTIPART_ENDED && multipart->events);
    ASSERT(multipart->delimiter_len > 4 &&
           multipart->delimiter_len <= sizeof(multipart->delimiter));
    ASSERT(multipart->matched < multipart->delimiter_len);
    ASSERT(multipart->matched_outside <= multipart->matched);
    ASSERT(multipart->matched == 0 || searches);
    ASSERT(multipart->part_count <= MULTIPART_PARTS_MAX);
    ASSERT(multipart->part_count > 0 || multipart->state != MULTIPART_CONTENT);
    ASSERT((multipart->err != PX_OK) == (multipart->reason != NULL));
    ASSERT(multipart->state != MULTIPART_HEAD || multipart->head.len <= MULTIPART_HEAD_BYTES_MAX);
    buf_check(&multipart->head);
}

void multipart_deinit(struct multipart *multipart)
{
    buf_deinit(&multipart->head);
}

static px_err tell_data(struct multipart *multipart, const char *from, const char *to)
{
    if (from == to || multipart->state == MULTIPART_PREAMBLE)
        return PX_OK;
    return told(multipart, multipart->events->on_part_data(px_str_make(from, (size_t)(to - from)),
                                                           multipart->context));
}

static px_err delimiter_found(struct multipart *multipart)
{
    bool in_part = multipart->state == MULTIPART_CONTENT;

    multipart->matched = 0;
    multipart->matched_outside = 0;
    multipart->state = MULTIPART_DELIMITED;
    if (!in_part)
        return PX_OK;
    return told(multipart, multipart->events->on_part_end(multipart->context));
}

/* How many of the delimiter's bytes, from its `matched`-th, stand at `at`. */
static size_t match_on(const struct multipart *multipart, const char *at, const char *end)
{
    size_t wanted = multipart->delimiter_len - multipart->matched;
    size_t there = (size_t)(end - at) < wanted ? (size_t)(end - at) : wanted;
    size_t len = 0;

    while (len < there && at[len] == multipart->delimiter[multipart->matched + len])
        len++;
    return len;
}

/* Reads content (or the preamble) up to the end of the next delimiter, or all there is. */
static px_err read_content(struct multipart *multipart, const char **at, const char *end)
{
    const char *from = *at;

    ASSERT(from < end);
    if (multipart->matched > 0) {
        size_t len = match_on(multipart, from, end);

        multipart->matched = (uint8_t)(multipart->matched + len);
        if (multipart->matched == multipart->delimiter_len) {
            *at = from + len;
            return delimiter_found(multipart);
        }
        if (from + len == end) {
            *at = end;
            return PX_OK;
        }
        /* No delimiter: its first bytes were content, and from here on it is as if none had been
         * seen. Those that came in this piece are handed on from there with what follows. */
        size_t before = multipart->matched - len;

        ASSERT(before >= multipart->matched_outside);
        px_err err = tell_data(multipart, multipart->delimiter + multipart->matched_outside,
                               multipart->delimiter + before);

        multipart->matched = 0;
        multipart->matched_outside = 0;
        if (err != PX_OK || multipart->paused)
            return err;
    }
    for (const char *cr = from; (cr = memchr(cr, '\r', (size_t)(end - cr))); cr++) {
        size_t len = match_on(multipart, cr, end);

        if (len < multipart->delimiter_len && cr + len < end)
            continue;

        px_err err = tell_data(multipart, from, cr);

        if (err != PX_OK)
            return err;
        *at = cr;
        if (multipart->paused)
            return PX_OK;
        *at = cr + len;
        multipart->matched = (uint8_t)len;
        return len == multipart->delimiter_len ? delimiter_found(multipart) : PX_OK;
    }
    *at = end;
    return tell_data(multipart, from, end);
}

static px_err part_begins(struct multipart *multipart)
{
    struct multipart_part part;

    if (multipart->part_count == MULTIPART_PARTS_MAX)
        return refuse(multipart, PX_ERR_LIMIT, "too many parts");
    multipart->part_count++;

    const char *reason = "no memory for the fields of a part";
    px_err err = multipart_part_parse(&multipart->head, multipart->fields, &part, &reason);

    if (err != PX_OK)
        return refuse(multipart, err, reason);
    multipart->state = MULTIPART_CONTENT;
    /* A part without content need not have the line end before it: body-part := MIME-part-headers
     * [CRLF *OCTET] (RFC 2046 section 5.1.1), so that of its empty line is the delimiter's then. */
    start_line(multipart);
    return told(multipart, multipart->events->on_part_begin(&part, multipart->context));
}

/* Collects the fields of a part, a line at a time, up to the empty line. */
static px_err read_head(struct multipart *multipart, const char **at, const char *end)
{
    struct buf *head = &multipart->head;

    while (*at < end) {
        const char *lf = memchr(*at, '\n', (size_t)(end - *at));
        size_t len = lf ? (size_t)(lf + 1 - *at) : (size_t)(end - *at);

        if (len > MULTIPART_HEAD_BYTES_MAX - head->len)
            return refuse(multipart, PX_ERR_LIMIT, "the fields of a part are too long");

        px_err err = buf_append(head, px_str_make(*at, len));

        if (err != PX_OK)
            return refuse(multipart, err, "no memory for the fields of a part");
        *at += len;
        if (!lf)
            return PX_OK;
        if (head->len < 2 || head->ptr[head->len - 2] != '\r')
            return refuse(multipart, PX_ERR_MALFORMED, "a field of a part ends in a bare LF");
        if (head->len == 2 || (head->len >= 4 && head->ptr[head->len - 3] == '\n'))
            return part_begins(multipart);
    }
    return PX_OK;
}

/* transport-padding, and the CR behind it. */
static px_err read_padding(struct multipart *multipart, char byte)
{
    if (byte == ' ' || byte == '\t') {
        multipart->state = MULTIPART_PADDED;
        return PX_OK;
    }
    /* A line that begins with the delimiter is one, whatever follows (RFC 2046 section 5.1.1); with
     * something behind it there is no telling what was meant. */
    if (byte != '\r')
        return refuse(multipart, PX_ERR_MALFORMED, "a boundary is followed by other bytes");
    multipart->state = MULTIPART_LINE_END;
    return PX_OK;
}

/* One byte of what stands behind a delimiter. */
static px_err read_framing(struct multipart *multipart, char byte)
{
    switch ((enum multipart_state)multipart->state) {
    case MULTIPART_DELIMITED:
        if (byte != '-')
            return read_padding(multipart, byte);
        multipart->state = MULTIPART_CLOSING;
        return PX_OK;
    case MULTIPART_PADDED:
        return read_padding(multipart, byte);
    case MULTIPART_LINE_END:
        if (byte != '\n')
            return refuse(multipart, PX_ERR_MALFORMED, "a boundary ends in a bare CR");
        multipart->head.len = 0;
        multipart->state = MULTIPART_HEAD;
        return PX_OK;
    case MULTIPART_CLOSING:
        if (byte != '-')
            return refuse(multipart, PX_ERR_MALFORMED, "a boundary is followed by other bytes");
        multipart->state = MULTIPART_CLOSED;
        return PX_OK;
    case MULTIPART_CLOSED:
        if (byte == '\r')
            multipart->state = MULTIPART_CLOSED_LINE;
        else if (byte != ' ' && byte != '\t')
            return refuse(multipart, PX_ERR_MALFORMED,
                          "the last boundary is followed by other bytes");
        return PX_OK;
    case MULTIPART_CLOSED_LINE:
        if (byte != '\n')
            return refuse(multipart, PX_ERR_MALFORMED, "the last boundary ends in a bare CR");
        multipart->state = MULTIPART_EPILOGUE;
        return PX_OK;
    case MULTIPART_PREAMBLE:
    case MULTIPART_CONTENT:
    case MULTIPART_HEAD:
    case MULTIPART_EPILOGUE:
    case MULTIPART_ENDED:
        break;
    }
    CHECK(false); /* the others do not read framing */
    return PX_ERR_MALFORMED;
}

void multipart_pause(struct multipart *multipart)
{
    multipart->paused = true;
}

px_err multipart_feed(struct multipart *multipart, px_str bytes, size_t *out_used)
{
    const char *at = bytes.ptr;
    const char *end = bytes.len > 0 ? at + bytes.len : at;
    px_err err = multipart->err;

    CHECK(multipart->state != MULTIPART_ENDED);
    multipart->paused = false;
    while (err == PX_OK && at < end && !multipart->paused) {
        switch ((enum multipart_state)multipart->state) {
        case MULTIPART_PREAMBLE:
        case MULTIPART_CONTENT:
            err = read_content(multipart, &at, end);
            break;
        case MULTIPART_HEAD:
            err = read_head(multipart, &at, end);
            break;
        case MULTIPART_DELIMITED:
        case MULTIPART_PADDED:
        case MULTIPART_LINE_END:
        case MULTIPART_CLOSING:
        case MULTIPART_CLOSED:
        case MULTIPART_CLOSED_LINE:
            err = read_framing(multipart, *at++);
            break;
        case MULTIPART_EPILOGUE:
        case MULTIPART_ENDED:
            at = end;
            break;
        }
    }
    ASSERT(at <= end);
    if (ASSERTS)
        multipart_check(multipart);
    if (err == PX_OK)
        *out_used = bytes.len - (size_t)(end - at);
    return err;
}

px_err multipart_finish(struct multipart *multipart)
{
    if (multipart->err != PX_OK)
        return multipart->err;
    CHECK(multipart->state != MULTIPART_ENDED);
    if (multipart->state != MULTIPART_CLOSED && multipart->state != MULTIPART_EPILOGUE)
        return refuse(multipart, PX_ERR_MALFORMED, "the last boundary is missing");
    multipart->state = MULTIPART_ENDED;
    return told(multipart, multipart->events->on_end(multipart->context));
}
