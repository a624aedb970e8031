/*
 * An answer's head, or trailer section, as HTTP/2 brings it to a client: one field after the other
 * (RFC 9113 section 8), checked as they come.
 *
 * Happy path: h2_answer_begin, h2_answer_add for each field, h2_answer_point, and the fields are
 * there, borrowed until the next begin.  It can fail by being malformed (a stream error) or too
 * large for its limits.
 */
#ifndef PX_HTTP_H2_ANSWER_H
#define PX_HTTP_H2_ANSWER_H

#include "base/buf.h"
#include "http/message/message.h"

struct h2_answer {
    const struct http_limits *limits; /* borrowed: outlives it */
    struct buf text;                  /* owned: names and values, each with its NUL */
    px_field *fields;                 /* owned: field_count_max; slices of text once pointed */
    uint64_t length;                  /* with has_length */
    uint32_t field_count;
    uint32_t head_bytes; /* as HTTP/1 would count them */
    uint16_t status;
    bool trailers;  /* it is a trailer section */
    bool malformed; /* it breaks a rule */
    bool too_large; /* ... or a limit, or memory ran out */
    bool regular;   /* pseudo-fields are over */
    bool has_length;
};

/* PX_OK or PX_ERR_MEMORY; deinit in both cases. */
PX_MUST_CHECK px_err h2_answer_init(struct h2_answer *answer, const px_allocator *allocator,
                                    const struct http_limits *limits);
void h2_answer_deinit(struct h2_answer *answer, const px_allocator *allocator);

void h2_answer_begin(struct h2_answer *answer, bool trailers);

/* The next field.  What is wrong with it is remembered. */
void h2_answer_add(struct h2_answer *answer, px_str name, px_str value);

/* All fields are there: they become slices. */
void h2_answer_point(struct h2_answer *answer);

#endif
