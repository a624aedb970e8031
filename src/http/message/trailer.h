/*
 * Which fields have no business in a trailer section: what must be known before the content, what
 * frames, routes or authenticates (RFC 9110 section 6.5.1).  Both versions of HTTP drop them.
 */
#ifndef PX_HTTP_TRAILER_H
#define PX_HTTP_TRAILER_H

#include <stdbool.h>

#include "pollux/str.h"

/* Whether a field of that name is dropped, in any case. */
bool trailer_is_dropped(px_str name);

#endif
