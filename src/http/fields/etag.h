/*
 * Entity tags (RFC 9110 section 8.8.3), without I/O.
 *
 * A strong tag says "these bytes": it is made of the content's length and a hash of the content, or
 * of what stands for it.  Lists of tags are walked, not split at commas: an opaque tag may hold
 * commas and backslashes.  A malformed list matches up to where it is malformed.
 */
#ifndef PX_HTTP_ETAG_H
#define PX_HTTP_ETAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollux/str.h"

enum { ETAG_BYTES_MAX = 2 + 16 + 1 + 16 }; /* quotes, two numbers, a hyphen */

/* Writes a strong tag, quotes included, and returns its length. */
size_t etag_write(uint64_t size, uint64_t hash, char out_text[ETAG_BYTES_MAX]);

/* Takes the next tag off a list: `out_opaque` has its quotes.  False when none is left or the rest
 * is malformed. */
bool etag_list_next(px_str *list, bool *out_weak, px_str *out_opaque);

/* Whether a list has `etag` (a strong one, as it is sent) by the strong or the weak comparison (RFC
 * 9110 section 8.8.3.2). */
bool etag_list_has(px_str list, px_str etag, bool strong);

/* Whether `tag` is `etag` (both strong) with the name of a content coding in it, as compressing on
 * the fly makes it: "abc" becomes "abc-gzip". */
bool etag_is_coded(px_str tag, px_str etag);

#endif
