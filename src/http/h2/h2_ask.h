/*
 * A request's head, and its trailer section, as nghttp2 takes them.
 *
 * Happy path: room is made for H2_ASK_FIELDS_ADDED more fields than the head has, h2_ask_head fills
 * it.  Nothing can fail, nothing is copied.
 */
#ifndef PX_HTTP_H2_ASK_H
#define PX_HTTP_H2_ASK_H

#include <nghttp2/nghttp2.h>

#include "base/text.h"
#include "http/h1/h1_request.h"

enum { H2_ASK_FIELDS_ADDED = 6 }; /* four pseudo-fields, te and content-length */

/* Puts the head's fields at `out`: how many.  `number` keeps the text of a length, as long as the
 * fields are used. */
size_t h2_ask_head(nghttp2_nv *out, const struct h1_request_head *head, const char *scheme,
                   char number[TEXT_NUMBER_BYTES]);

/* Likewise any fields. */
size_t h2_ask_fields(nghttp2_nv *out, const px_field *fields, uint32_t count);

/* What the library takes for them: it keeps a copy of each name and value, and renders them. */
size_t h2_ask_bytes(const px_field *fields, uint32_t count);

#endif
