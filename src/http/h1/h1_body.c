/*
 * Reading HTTP/1 content.  See h1_body.h.
 *
 * Chunked content is a machine over single framing bytes, with the data itself handed on in slices.
 * What is not the grammar of RFC 9112 section 7.1 to the letter is refused, and so is framing that
 * outweighs what it frames.  The trailer section is checked here and collected raw; most messages
 * have none and allocate nothing.
 */
#include "http/h1/h1_body.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/text.h"
#include "http/scan/scan.h"

enum body_state {
    BODY_DATA,         /* content; the data of the current chunk */
    BODY_SIZE,         /* chunk size */
    BODY_EXT_BEFORE,   /* blanks behind the size or a value: ";" must follow */
    BODY_EXT_NAME,     /* first byte of an extension's name, blanks before it */
    BODY_EXT_IN_NAME,  /* its further bytes */
    BODY_EXT_AFTER,    /* blanks behind the name: "=" or ";" must follow */
    BODY_EXT_VALUE,    /* first byte of its value, blanks before it */
    BODY_EXT_IN_VALUE, /* further bytes of a token */
    BODY_EXT_QUOTED,   /* inside quotes */
    BODY_EXT_ESCAPED,  /* behind a backslash there */
    BODY_EXT_END,      /* behind the closing quote */
    BODY_SIZE_LF,      /* behind the CR of the size's line */
    BODY_DATA_CR,      /* behind the data */
    BODY_DATA_LF,
    BODY_TRAILER, /* first byte of a trailer line, or the CR of the empty one */
    BODY_TRAILER_NAME,
    BODY_TRAILER_VALUE,
    BODY_TRAILER_LF,
    BODY_END_LF, /* behind the CR of the empty line */
    BODY_DONE,
    BODY_REFUSED
};

_Static_assert(TRAILER_COUNT_MAX < UINT16_MAX, "trailer_count holds it");
_Static_assert(CHUNK_SIZE_DIGITS_MAX == 2 * sizeof(uint64_t), "a size of so many digits fits");
_Static_assert(CHUNK_EXTENSION_BYTES_MAX <= CHUNK_OVERHEAD_BYTES_MAX, "extensions are overhead");

void h1_body_init(struct h1_body *body, enum h1_framing framing, uint64_t content_length,
                  const px_allocator *allocator)
{
    *body = (struct h1_body){.framing = (uint8_t)framing};
    buf_init(&body->trailer, allocator, TRAILER_BYTES_MAX);
    switch (framing) {
    case H1_FRAMING_NONE:
        body->state = BODY_DONE;
        break;
    case H1_FRAMING_LENGTH:
        body->left = content_length;
        body->state = content_length > 0 ? BODY_DATA : BODY_DONE;
        break;
    case H1_FRAMING_CHUNKED:
        body->state = BODY_SIZE;
        break;
    case H1_FRAMING_CLOSE:
        body->left = UINT64_MAX;
        body->state = BODY_DATA;
        break;
    }
}

void h1_body_deinit(struct h1_body *body)
{
    buf_deinit(&body->trailer);
}

static px_err refuse(struct h1_body *body, px_err err, uint16_t status, const char *reason)
{
    body->state = BODY_REFUSED;
    body->status = status;
    body->reason = reason;
    return err;
}

static px_err malformed(struct h1_body *body, const char *reason)
{
    return refuse(body, PX_ERR_MALFORMED, 400, reason);
}

/* What may follow the size, a name or a value: blanks and ";" (RFC 9112 section 7.1.1 and "BWS" in
 * RFC 9110 section 5.6.3), or the line end. */
static px_err after_part(struct h1_body *body, uint8_t byte, enum body_state on_blank)
{
    if (byte == '\r')
        body->state = BODY_SIZE_LF;
    else if (byte == ';')
        body->state = BODY_EXT_NAME;
    else if (text_is_blank((char)byte))
        body->state = (uint8_t)on_blank;
    else
        return malformed(body, "bad byte in a chunk's size or extension");
    return PX_OK;
}

/* Hexadecimal digits and nothing else: no sign, no prefix, no blank.  The number of digits is
 * limited, so that a run of zeros ends too, and the sum stays below 2^63. */
static px_err read_size(struct h1_body *body, uint8_t byte)
{
    if (char_class[byte] & CHAR_HEX) {
        if (body->digits == CHUNK_SIZE_DIGITS_MAX)
            return malformed(body, "chunk size has too many digits");
        body->digits++;
        body->left = body->left << 4 | (unsigned)number_hex_digit((char)byte);
        if (body->left > INT64_MAX - body->received)
            return malformed(body, "chunk size out of range");
        return PX_OK;
    }
    if (body->digits == 0)
        return malformed(body, "chunk without a size");
    return after_part(body, byte, BODY_EXT_BEFORE);
}

/* A byte of an extension.  Extensions are checked, counted and forgotten. */
static px_err read_extension(struct h1_body *body, uint8_t byte)
{
    bool token = char_class[byte] & CHAR_TOKEN;

    switch ((enum body_state)body->state) {
    case BODY_EXT_BEFORE:
        if (byte == '\r')
            return malformed(body, "blank at the end of a chunk's size line");
        return after_part(body, byte, BODY_EXT_BEFORE);
    case BODY_EXT_END:
        return after_part(body, byte, BODY_EXT_BEFORE);
    case BODY_EXT_NAME:
        if (token)
            body->state = BODY_EXT_IN_NAME;
        else if (!text_is_blank((char)byte))
            return malformed(body, "chunk extension without a name");
        return PX_OK;
    case BODY_EXT_AFTER:
        token = false;
        if (byte == '\r')
            return malformed(body, "blank at the end of a chunk's size line");
        __attribute__((fallthrough));
    case BODY_EXT_IN_NAME:
        if (token)
            return PX_OK;
        if (byte == '=') {
            body->state = BODY_EXT_VALUE;
            return PX_OK;
        }
        return after_part(body, byte, BODY_EXT_AFTER);
    case BODY_EXT_VALUE:
        if (token)
            body->state = BODY_EXT_IN_VALUE;
        else if (byte == '"')
            body->state = BODY_EXT_QUOTED;
        else if (!text_is_blank((char)byte))
            return malformed(body, "chunk extension without a value");
        return PX_OK;
    case BODY_EXT_IN_VALUE:
        return token ? PX_OK : after_part(body, byte, BODY_EXT_BEFORE);
    case BODY_EXT_QUOTED:
        if (byte == '"')
            body->state = BODY_EXT_END;
        else if (byte == '\\')
            body->state = BODY_EXT_ESCAPED;
        else if (!(char_class[byte] & CHAR_VALUE))
            return malformed(body, "bad byte in a quoted chunk extension");
        return PX_OK;
    case BODY_EXT_ESCAPED:
        body->state = BODY_EXT_QUOTED;
        if (!(char_class[byte] & CHAR_VALUE))
            return malformed(body, "bad byte in a quoted chunk extension");
        return PX_OK;
    case BODY_DATA:
    case BODY_SIZE:
    case BODY_SIZE_LF:
    case BODY_DATA_CR:
    case BODY_DATA_LF:
    case BODY_TRAILER:
    case BODY_TRAILER_NAME:
    case BODY_TRAILER_VALUE:
    case BODY_TRAILER_LF:
    case BODY_END_LF:
    case BODY_DONE:
    case BODY_REFUSED:
        break;
    }
    return malformed(body, "broken state");
}

/* One byte of chunk framing. */
static px_err read_framing(struct h1_body *body, uint8_t byte)
{
    body->overhead++;
    if (PX_UNLIKELY(body->overhead > CHUNK_OVERHEAD_BYTES_MAX && body->overhead > body->received) &&
        !body->response)
        return malformed(body, "more chunk framing than content");
    switch (body->state) {
    case BODY_SIZE:
        return read_size(body, byte);
    case BODY_SIZE_LF:
        if (byte != '\n')
            return malformed(body, "bare CR behind a chunk size");
        body->digits = 0;
        body->state = body->left > 0 ? BODY_DATA : BODY_TRAILER;
        return PX_OK;
    case BODY_DATA_CR:
        if (byte != '\r')
            return malformed(body, "chunk longer than its size");
        body->state = BODY_DATA_LF;
        return PX_OK;
    case BODY_DATA_LF:
        if (byte != '\n')
            return malformed(body, "bare CR behind chunk data");
        body->state = BODY_SIZE;
        return PX_OK;
    }
    if (++body->extension_bytes > CHUNK_EXTENSION_BYTES_MAX)
        return malformed(body, "chunk extensions too long");
    return read_extension(body, byte);
}

/* One byte of the trailer section (RFC 9112 section 7.1.2), as strict as the head. */
static px_err read_trailer(struct h1_body *body, uint8_t byte)
{
    switch (body->state) {
    case BODY_TRAILER:
        if (byte == '\r') {
            body->state = BODY_END_LF;
            return PX_OK;
        }
        if (!(char_class[byte] & CHAR_TOKEN))
            return malformed(body, "bad first byte of a trailer line");
        if (body->trailer_count == TRAILER_COUNT_MAX)
            return refuse(body, PX_ERR_LIMIT, 431, "too many trailer fields");
        body->trailer_count++;
        body->state = BODY_TRAILER_NAME;
        return PX_OK;
    case BODY_TRAILER_NAME:
        if (byte == ':')
            body->state = BODY_TRAILER_VALUE;
        else if (!(char_class[byte] & CHAR_TOKEN))
            return malformed(body, "bad byte in a trailer name");
        return PX_OK;
    case BODY_TRAILER_VALUE:
        if (byte == '\r')
            body->state = BODY_TRAILER_LF;
        else if (!(char_class[byte] & CHAR_VALUE))
            return malformed(body, "bad byte in a trailer value");
        return PX_OK;
    case BODY_TRAILER_LF:
    case BODY_END_LF:
        if (byte != '\n')
            return malformed(body, "bare CR in the trailer section");
        body->state = body->state == BODY_END_LF ? BODY_DONE : BODY_TRAILER;
        return PX_OK;
    }
    return malformed(body, "broken state");
}

/* Reads on in the trailer section and keeps its lines, without the empty one. */
static px_err read_trailers(struct h1_body *body, px_str bytes, size_t *at)
{
    size_t from = *at;
    size_t room = TRAILER_BYTES_MAX - body->trailer.len;
    size_t keep = 0;

    while (*at < bytes.len && body->state != BODY_DONE) {
        px_err err = read_trailer(body, (uint8_t)bytes.ptr[*at]);

        if (err != PX_OK)
            return err;
        ++*at;
        if (body->state < BODY_END_LF)
            keep = *at - from;
        if (keep > room)
            return refuse(body, PX_ERR_LIMIT, 431, "trailer section too large");
    }
    px_err err = buf_append(&body->trailer, px_str_make(bytes.ptr + from, keep));

    return err == PX_OK ? PX_OK : refuse(body, err, 500, "no memory for the trailer section");
}

/* A slice of the content, as much of it as is there. */
static px_str take_data(struct h1_body *body, px_str bytes, size_t *at)
{
    size_t there = bytes.len - *at;
    size_t take = body->left < there ? (size_t)body->left : there;
    px_str content = px_str_make(bytes.ptr + *at, take);

    *at += take;
    body->received += take;
    if (body->framing != H1_FRAMING_CLOSE)
        body->left -= take;
    if (body->left == 0)
        body->state = body->framing == H1_FRAMING_CHUNKED ? BODY_DATA_CR : BODY_DONE;
    return content;
}

void h1_body_check(const struct h1_body *body)
{
    ASSERT(body->state <= BODY_REFUSED && body->framing <= H1_FRAMING_CLOSE);
    ASSERT((body->state == BODY_REFUSED) == (body->status != 0));
    ASSERT((body->status != 0) == (body->reason != NULL));
    ASSERT(body->trailer_count <= TRAILER_COUNT_MAX && body->trailer.len <= TRAILER_BYTES_MAX);
    ASSERT(body->digits <= CHUNK_SIZE_DIGITS_MAX);
    ASSERT(body->overhead == 0 || body->framing == H1_FRAMING_CHUNKED);
    ASSERT(body->extension_bytes <= body->overhead);
    buf_check(&body->trailer);
    if (body->state == BODY_REFUSED)
        return;
    ASSERT(body->extension_bytes <= CHUNK_EXTENSION_BYTES_MAX);
    ASSERT(body->state != BODY_DATA || body->left > 0);
    ASSERT(body->state != BODY_DATA_CR || body->left == 0);
    ASSERT(body->state != BODY_DATA_LF || body->left == 0);
    ASSERT(body->state == BODY_DATA || body->state == BODY_DONE ||
           body->framing == H1_FRAMING_CHUNKED);
    ASSERT(body->trailer.len == 0 || body->state >= BODY_TRAILER);
    ASSERT(body->framing != H1_FRAMING_CHUNKED || body->left <= INT64_MAX - body->received);
    ASSERT(body->state != BODY_DONE || body->left == 0 || body->framing == H1_FRAMING_CLOSE);
}

uint64_t h1_body_announced(const struct h1_body *body)
{
    return body->state == BODY_DATA ? body->left : 0;
}

px_err h1_body_read(struct h1_body *body, px_str bytes, size_t *out_used, px_str *out_content)
{
    px_str content = px_str_make(bytes.ptr, 0);
    size_t at = 0;

    if (body->state == BODY_REFUSED)
        return PX_ERR_MALFORMED;
    while (at < bytes.len && body->state != BODY_DONE) {
        px_err err = PX_OK;

        if (body->state == BODY_DATA) {
            content = take_data(body, bytes, &at);
            break;
        }
        if (body->state >= BODY_TRAILER)
            err = read_trailers(body, bytes, &at);
        else
            err = read_framing(body, (uint8_t)bytes.ptr[at++]);
        if (err != PX_OK)
            return err;
    }
    ASSERT(at <= bytes.len && content.len <= at);
    *out_used = at;
    *out_content = content;
    return body->state == BODY_DONE ? PX_OK : PX_AGAIN;
}

px_err h1_body_eof(struct h1_body *body)
{
    if (body->framing == H1_FRAMING_CLOSE && body->state != BODY_REFUSED) {
        body->state = BODY_DONE;
        return PX_OK;
    }
    if (body->state == BODY_DONE)
        return PX_OK;
    return malformed(body, "content cut short");
}
