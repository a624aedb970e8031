/*
 * Paths that are not clean, and where to redirect them.
 *
 * The router does not clean a path by itself: two names for one thing would be two for caches and
 * access rules too.  A path that no pattern matches as it stands is redirected to its clean form
 * where router_path_clean_needed says so (with 308 where method and content must not change).  One
 * that a rest matches is handed on as received, but where its plain form has another route: a
 * handler of files resolves "..", "//" and "%2F", and would serve what that other route guards.
 * It can fail for want of memory only.
 */
#ifndef PX_ROUTE_PATH_H
#define PX_ROUTE_PATH_H

#include <stdbool.h>

#include "base/arena.h"
#include "pollux/error.h"
#include "pollux/str.h"

/* Whether a path has an empty segment or a dot segment ("//", "/./", "/../", "/." or "/.." at its
 * end).  An encoded dot is a byte like any other here. */
bool router_path_clean_needed(px_str raw_path);

/* Where to redirect to, without the query: `raw_path` cleaned as Go does it (one slash for many, no
 * dot segments, not above the root, a slash at the end is kept), with a slash behind it if
 * `add_slash`.  It begins with exactly one slash, and every byte that may not stand in a path is
 * percent-encoded (a browser takes "\" for "/").  Text in `arena` that ends in NUL.
 * PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err router_redirect_path(px_str raw_path, bool add_slash, struct arena *arena,
                                          px_str *out_path);

/* The same place as a relative reference (RFC 3986 section 4.2), for a peer that asked for
 * `raw_path` perhaps with a prefix that was taken off: "dir/" for "/a/dir", "../b" for "/a//b". */
PX_MUST_CHECK px_err router_redirect_relative(px_str raw_path, bool add_slash, struct arena *arena,
                                              px_str *out_reference);

/* Whether the path is spelled as a handler of files resolves it: it is clean, and no slash or dot
 * in it is encoded. */
bool router_path_is_plain(px_str raw_path);

/* That spelling, without the query, cleaned and encoded as router_redirect_path does it.  There is
 * no relative reference to it that all clients resolve alike: some take "%2e" for a dot, some do
 * not.  Text in `arena` that ends in NUL.  PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err router_plain_path(px_str raw_path, struct arena *arena, px_str *out_path);

#endif
