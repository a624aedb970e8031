/*
 * HTTP/1 content as it arrives (RFC 9112 sections 6 and 7): a length, chunks, or until the close.
 *
 * Happy path: h1_body_read is called with the bytes at hand, returns a slice of content that lies
 * in them, and how many it used.  It never copies content.  Malformed framing is final: nothing
 * resynchronises.
 */
#ifndef PX_HTTP_H1_BODY_H
#define PX_HTTP_H1_BODY_H

#include "base/buf.h"
#include "http/h1/h1_parse.h"

struct h1_body {
    uint64_t left;      /* bytes left of the content or of the current chunk */
    uint64_t overhead;  /* chunk framing seen so far, in bytes */
    uint64_t received;  /* content bytes seen so far */
    const char *reason; /* after PX_ERR_MALFORMED or PX_ERR_LIMIT: static, one line */
    struct buf trailer; /* owned: the raw trailer section of chunked content, empty otherwise */
    uint32_t extension_bytes; /* of chunk extensions seen so far */
    uint16_t trailer_count;   /* trailer fields seen so far */
    uint16_t status; /* after PX_ERR_MALFORMED or PX_ERR_LIMIT: what to answer (400, 431) */
    uint8_t state;   /* private to h1_body.c */
    uint8_t framing; /* enum h1_framing */
    uint8_t digits;  /* of the chunk size read so far */
    bool response; /* set by the caller after init: chunks may be as small as their sender likes, as
                      those of a stream of events are */
};

/* `allocator` serves the trailer section only, at most TRAILER_BYTES_MAX. */
void h1_body_init(struct h1_body *body, enum h1_framing framing, uint64_t content_length,
                  const px_allocator *allocator);
void h1_body_deinit(struct h1_body *body);

/* Reads on.  *out_used is how many of `bytes` were dealt with, *out_content the content among them
 * (a slice of `bytes`, possibly empty); both are written on PX_OK, PX_AGAIN.
 *   PX_AGAIN  there is more to come; call again with the bytes after *out_used when there are some.
 *             One call returns one slice, so bytes may be left; it uses one at least if it got any.
 *   PX_OK     the content has ended (and its trailer section, if any).
 *   PX_ERR_MALFORMED, PX_ERR_LIMIT, PX_ERR_MEMORY  refused, now and at every later call. */
PX_MUST_CHECK px_err h1_body_read(struct h1_body *body, px_str bytes, size_t *out_used,
                                  px_str *out_content);

/* States what must hold between two calls; for tests. */
void h1_body_check(const struct h1_body *body);

/* Bytes that the length, or the chunk whose size line is behind us, says are still to come. */
uint64_t h1_body_announced(const struct h1_body *body);

/* The peer closed: PX_OK when the content was delimited by that, else PX_ERR_MALFORMED. */
PX_MUST_CHECK px_err h1_body_eof(struct h1_body *body);

/* Parses the trailer section after PX_OK into `arena`: fields in order, framing and routing fields
 * (RFC 9110 section 6.5.1) dropped.  Names and values end in NUL.  PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err h1_body_trailers(const struct h1_body *body, struct arena *arena,
                                      px_field **out_fields, uint32_t *out_count);

#endif
