/*
 * Route patterns, as in Go 1.22's net/http: `[METHOD ][HOST]/path`.
 *
 * A segment of the path is a literal (percent-decoded once), `{name}` (one segment that is not
 * empty), or, at the end, `{name...}` (the rest, which may be empty), `/` (a rest without a name)
 * or
 * `{$}` (nothing behind the last slash).  Happy path: one pass over the text into an arena.  A bad
 * pattern is PX_ERR_INVALID with a text that says what is wrong and at which byte.
 *
 * Stricter than Go where a pattern could never match or is a slip of the pen: an unclean path, a
 * bad percent-encoding, "}" without "{", "?", "#", blanks, a port behind the host.
 */
#ifndef PX_ROUTE_PATTERN_H
#define PX_ROUTE_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "http/h1/h1_parse.h"
#include "pollux/error.h"
#include "pollux/str.h"

/* The methods with a number in enum http_method, METHOD_OTHER (which none has) included. */
enum { ROUTE_METHOD_COUNT = METHOD_PATCH + 1 };

enum pattern_segment_kind {
    SEGMENT_LITERAL, /* these bytes */
    SEGMENT_WILD,    /* {name}: one segment, not empty */
    SEGMENT_REST,    /* {name...} or a trailing slash: all that follows, also nothing */
    SEGMENT_SLASH    /* {$}: nothing follows the slash */
};

struct pattern_segment {
    px_str
        text;   /* literal: its bytes, decoded; wild, rest: the name, absent for a trailing slash */
    px_str raw; /* as written, without its slash */
    enum pattern_segment_kind kind;
};

/* All its memory is the arena's that it was parsed into. */
struct pattern {
    px_str text;   /* as written; ends in NUL */
    px_str method; /* absent: any */
    px_str host;   /* lower case, without brackets and trailing dot; absent: any */
    struct pattern_segment *segments;
    uint8_t segment_count; /* 1 or more */
    uint8_t param_count;   /* segments with a name */
    uint8_t method_id;     /* enum http_method; METHOD_OTHER for any too */
};

/* How the requests that one pattern matches stand to those of another. */
enum pattern_relation {
    PATTERN_EQUAL,         /* the same requests */
    PATTERN_MORE_GENERAL,  /* the left one matches all of the right one's, and more */
    PATTERN_MORE_SPECIFIC, /* the right one matches all of the left one's, and more */
    PATTERN_OVERLAP,       /* some in common, and each has some of its own */
    PATTERN_DISJOINT       /* none in common */
};

/* Parses `text`.  PX_OK; PX_ERR_INVALID, PX_ERR_LIMIT or PX_ERR_MEMORY with out_error filled in
 * (which may be NULL).  What an invalid pattern took of the arena stays taken. */
PX_MUST_CHECK px_err pattern_parse(px_str text, struct arena *arena, struct pattern *out_pattern,
                                   px_error *out_error);

/* Compares methods and paths, and first hosts: a pattern with a host is more specific than one
 * without, whatever the rest, and two with different hosts are disjoint.  A pattern without a
 * method matches any but CONNECT; GET matches HEAD. */
enum pattern_relation pattern_compare(const struct pattern *left, const struct pattern *right);

/* Writes into `buf` a path that both match, NUL-terminated and cut at `buf_bytes` (1 or more).  The
 * two are not disjoint. */
void pattern_example(const struct pattern *left, const struct pattern *right, char *buf,
                     size_t buf_bytes);

/* Writes `text` into `buf` for a message: NUL-terminated, control bytes as "?", and cut with "..."
 * where it is longer than `buf_bytes` (4 or more). */
void pattern_show(px_str text, char *buf, size_t buf_bytes);

/* The number of a method token, METHOD_OTHER when it has none; and the token of a number. */
uint8_t pattern_method_id(px_str method);
px_str pattern_method_name(uint8_t method_id);

/* Percent-decodes one segment into `buf`, which has `buf_bytes`.  The number of bytes, or -1 when a
 * "%" is not followed by two digits or `buf` is too small. */
ptrdiff_t pattern_decode(const char *raw, size_t len, char *buf, size_t buf_bytes);

#endif
