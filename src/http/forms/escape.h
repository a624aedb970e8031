/*
 * Writing foreign text into pages, references and JSON, so that it stays text.
 *
 * Names of files are bytes.  What is not UTF-8, control characters, and characters that reorder the
 * text around them (they make "exe.txt" of "txt.exe") are shown as U+FFFD, which no reader mistakes
 * for the character.  In a reference every byte is kept.  Each function appends to a buffer: PX_OK,
 * PX_ERR_LIMIT or PX_ERR_MEMORY.
 */
#ifndef PX_HTTP_ESCAPE_H
#define PX_HTTP_ESCAPE_H

#include "base/buf.h"

/* Text of an HTML element, or of an attribute's value in double quotes. */
PX_MUST_CHECK px_err escape_html(struct buf *out, px_str text);

/* One segment of a path: all but the unreserved characters (RFC 3986 section 2.3) is encoded, "/"
 * and ":" too, so that no name becomes a scheme, an authority or another path.  The result is safe
 * in an attribute's value and in JSON. */
PX_MUST_CHECK px_err escape_segment(struct buf *out, px_str segment);

/* The same into room for 3 * segment.len bytes; returns one past the end. */
char *escape_segment_write(char *out, px_str segment);

/* What stands between the quotes of a JSON string (RFC 8259 section 7); also safe inside HTML. */
PX_MUST_CHECK px_err escape_json(struct buf *out, px_str text);

#endif
