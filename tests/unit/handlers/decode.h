/*
 * Decoding what compressing made, by the libraries' own decoders, which the product does not link.
 */
#ifndef PX_TESTS_UNIT_HANDLERS_DECODE_H
#define PX_TESTS_UNIT_HANDLERS_DECODE_H

#include "http/fields/accept.h"
#include "pollux/str.h"

/* As far as `coded` goes; owned by the caller (free).  `out_whole`: it ended where the coding says
 * so.  Fails the test on bytes that are not of that coding. */
px_str decode(enum coding coding, px_str coded, bool *out_whole);

#endif
