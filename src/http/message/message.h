/*
 * A request and a response as every version of HTTP carries them (RFC 9110 section 6), and the
 * limits of their heads.
 *
 * The codecs (h1, h2) read heads into spans, offsets from the first byte, and copy a good head once
 * into an arena: from there on it is one of these, whose strings end in NUL.
 */
#ifndef PX_HTTP_MESSAGE_H
#define PX_HTTP_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/error.h"
#include "pollux/field.h"

struct http_limits {
    uint32_t head_bytes_max;   /* the whole head, its empty line included; more is 431 */
    uint32_t target_bytes_max; /* more is 414 */
    uint32_t field_count_max;  /* more is 431 */
};

/* A piece of the head, from its first byte. */
struct http_span {
    uint32_t at;
    uint32_t len;
};

struct http_field_span {
    struct http_span name;
    struct http_span value; /* without the blanks at its ends */
};

/* The piece from `from` up to `to`. */
static inline struct http_span http_span_of(size_t from, size_t to)
{
    return (struct http_span){(uint32_t)from, (uint32_t)(to - from)};
}

/* A parsed request whose strings live in an arena and end in NUL. */
struct http_request {
    px_str method;
    px_str target;    /* as received */
    px_str authority; /* from the target when it is absolute or authority-form, else Host; absent
                         when there is none */
    px_str raw_path;  /* path part of the target as received, "*" for asterisk-form, absent for
                         authority-form */
    px_str query;     /* without "?"; absent when the target has none */
    px_field *fields; /* in the arena */
    uint32_t field_count;
};

/* What a response is for (RFC 9110 section 15.2). */
enum http_response_kind {
    HTTP_RESPONSE_FINAL,
    HTTP_RESPONSE_INFORMATIONAL, /* 100 to 199 but 101: the final one is still to come */
    HTTP_RESPONSE_SWITCHING      /* 101: what follows is another protocol (section 7.8) */
};

/* A response head whose strings live in an arena and end in NUL. */
struct http_response {
    px_str reason;    /* the reason phrase as received, perhaps empty; absent over HTTP/2 */
    px_field *fields; /* in the arena */
    uint64_t length;  /* with has_length: what Content-Length says; content need not follow it */
    uint32_t field_count;
    uint16_t status;  /* 100 to 999 */
    uint8_t kind;     /* enum http_response_kind */
    uint8_t major;    /* of the version: 1 or 2 */
    uint8_t minor;    /* of the version: 0 or 1 */
    bool has_length;  /* as for HEAD and 304, whose content it describes (section 8.6) */
    bool has_upgrade; /* an Upgrade field that Connection names (HTTP/1) */
};

static inline enum http_response_kind http_response_kind_of(unsigned status)
{
    if (status == 101)
        return HTTP_RESPONSE_SWITCHING;
    return status < 200 ? HTTP_RESPONSE_INFORMATIONAL : HTTP_RESPONSE_FINAL;
}

#endif
