/*
 * The Range field (RFC 9110 sections 14.1 and 14.2), without I/O.
 *
 * Happy path: "bytes=first-last" becomes one range inside of the content.  What is not understood,
 * is malformed, or asks for more than does good is answered with the whole, as the RFC
 * allows; only a well-formed set of which nothing can be had is refused.
 */
#ifndef PX_HTTP_RANGE_H
#define PX_HTTP_RANGE_H

#include <stdint.h>

#include "base/limits.h"
#include "pollux/str.h"

struct byte_range {
    uint64_t first;
    uint64_t length; /* at least 1 */
};

enum range_result {
    RANGE_WHOLE,        /* ignore it: 200 */
    RANGE_PARTS,        /* 206: one range or several, in the order asked for */
    RANGE_UNSATISFIABLE /* 416 */
};

/* What a Range field asks of content of `size` bytes.  More than RANGE_COUNT_MAX ranges, or more
 * bytes in them than the content has, is RANGE_WHOLE.  Numbers that do not fit saturate.
 * `out_ranges` and `out_count` are written with RANGE_PARTS only. */
enum range_result range_parse(px_str value, uint64_t size,
                              struct byte_range out_ranges[RANGE_COUNT_MAX], uint32_t *out_count);

#endif
