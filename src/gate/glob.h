/*
 * Globs: `*` is any text, every other byte is itself.
 *
 * The text may be encoded as a query is: it is decoded while it is compared, so that no memory is
 * taken.  Nothing can fail.  At worst it takes as many steps as both have bytes, multiplied.
 */
#ifndef PX_GATE_GLOB_H
#define PX_GATE_GLOB_H

#include <stdbool.h>

#include "pollux/str.h"

/* Whether the text is like the glob. */
bool glob_matches(px_str glob, px_str text);

/* Likewise the text that `raw` decodes to: "+" is a blank, %XX a byte. */
bool glob_matches_query(px_str glob, px_str raw);

#endif
