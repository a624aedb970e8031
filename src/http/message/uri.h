/*
 * Paths and percent-encoding (RFC 3986), without I/O.
 *
 * The head parser has checked that every "%" in a path is followed by two hexadecimal digits; the
 * functions here check it again, since others call them too.  Decoding happens once.  A path is
 * matched segment by segment as received and its segments are decoded apart, so that "%2F" never
 * becomes a separator; what is decoded whole (to name a file) can refuse it.
 */
#ifndef PX_HTTP_URI_H
#define PX_HTTP_URI_H

#include <stdbool.h>

#include "base/arena.h"
#include "http/scan/scan.h"
#include "pollux/error.h"
#include "pollux/str.h"

/* What to do about an encoded "/" when a path is decoded whole. */
enum uri_slash {
    URI_SLASH_DECODE, /* one segment or parameter: it is a byte like any other */
    URI_SLASH_REFUSE  /* a whole path: it would be mistaken for a separator */
};

/* Decodes `raw` once into `arena`; the copy ends in NUL.  A NUL in it (%00) is refused.
 * PX_OK, PX_ERR_MALFORMED or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err uri_decode(struct arena *arena, px_str raw, enum uri_slash slash,
                                px_str *out_text);

/* The same into `out`, which has raw.len + 1 bytes.  PX_OK or PX_ERR_MALFORMED. */
PX_MUST_CHECK px_err uri_decode_into(char *out, px_str raw, enum uri_slash slash, px_str *out_text);

/* uri_decode for a whole path: an encoded "/" is refused. */
PX_MUST_CHECK px_err uri_path_decode(struct arena *arena, px_str raw, px_str *out_path);

/* Removes "." and ".." segments (RFC 3986 section 5.2.4) of an absolute path that is decoded or has
 * no encoded dots and ends in NUL, in place.  A path that climbs above its root is refused, where
 * the RFC would stay at the root: no honest client asks for it.
 * PX_OK, and its new length, or PX_ERR_MALFORMED (above the root, or no leading slash). */
PX_MUST_CHECK px_err uri_path_normalise(char *path, size_t len, size_t *out_len);

/* --- Targets as received ---------------------------------------------------------------------- */

/* Clients send more in a target than RFC 3986 lets them, and it is taken as data.  Wherever a
 * target goes on (a redirect, a log, another server) it is encoded again, by this function alone.
 */

/* Where the path that begins at `at` ends: the index of the first byte that is neither visible
 * ASCII data, nor UTF-8, nor a whole %XX. */
size_t uri_path_end(px_str text, size_t at, const struct scan_table *scan);

/* Likewise a query, in which a "%" is a byte like any other. */
size_t uri_query_end(px_str text, size_t at, const struct scan_table *scan);

/* What of a target is written: in a path a "?" is encoded too. */
enum uri_part {
    URI_PATH,
    URI_QUERY /* a query, or a whole target */
};

/* The bytes that uri_target_write needs at most. */
size_t uri_target_room(px_str target);

/* Writes it with what RFC 3986 does not allow there as %XX.  What is encoded already stays; a "%"
 * without two digits is written as "%25".  Returns one past the end. */
char *uri_target_write(char *out, px_str target, enum uri_part part);

/* An absolute http or https address, as a program is given one. */
struct uri_parts {
    bool https;
    px_str authority; /* host and port as written */
    px_str host;      /* an IPv6 address without its brackets */
    uint16_t port;    /* the one of the scheme when there is none */
    px_str target;    /* path and query, "/" when there is none; without a fragment */
};

/* Takes `text` apart; the parts are borrowed from it.  PX_OK or PX_ERR_INVALID. */
PX_MUST_CHECK px_err uri_split(px_str text, struct uri_parts *out_parts);

#endif
