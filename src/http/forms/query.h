/*
 * Query strings and application/x-www-form-urlencoded content: pairs separated by "&", "+" for a
 * blank, %XX for a byte.
 *
 * No bytes are malformed here, by the rules that browsers and this format share (WHATWG URL,
 * section 5.1): a "%" that two hexadecimal digits do not follow stands for itself, empty pairs are
 * skipped, a pair without "=" has an empty value.  Decoded text may hold any byte, NUL too.
 * Happy path: query_find for the one parameter that a handler asks for.  It can fail for want of
 * memory, and on more than QUERY_PAIRS_MAX pairs.
 */
#ifndef PX_HTTP_QUERY_H
#define PX_HTTP_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "pollux/error.h"
#include "pollux/field.h"

/* A pair as it was received, still encoded. */
struct query_pair {
    px_str name;
    px_str value; /* absent when there is no "=" */
};

/* Takes the next pair off `query` (which has no "?").  False when none is left. */
bool query_next(px_str *query, struct query_pair *out_pair);

/* The byte that is encoded at *at, which is not the end; it is moved behind it. */
char query_decode_one(px_str raw, size_t *at);

/* Whether the encoded text `raw` decodes to `text`. */
bool query_text_is(px_str raw, px_str text);

/* Decodes `raw` into `arena`, ending in NUL: PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err query_decode(px_str raw, struct arena *arena, px_str *out_text);

/* The decoded value of the first pair whose decoded name is `name`: PX_OK, PX_ERR_NOT_FOUND,
 * PX_ERR_MEMORY, or PX_ERR_LIMIT when it is not among the first QUERY_PAIRS_MAX and there are more.
 */
PX_MUST_CHECK px_err query_find(px_str query, px_str name, struct arena *arena, px_str *out_value);

/* All pairs, decoded, in order; this is what a form's collected content is read with.  PX_OK,
 * PX_ERR_MEMORY, or PX_ERR_LIMIT on more than QUERY_PAIRS_MAX. */
PX_MUST_CHECK px_err query_parse(px_str query, struct arena *arena, px_field **out_pairs,
                                 uint32_t *out_count);

#endif
