/*
 * Conditional requests (RFC 9110 section 13), without I/O: which answer the preconditions of a
 * request to GET or HEAD leave.
 *
 * Happy path: no such field, and nothing is looked at twice.  The order is that of section 13.2.2.
 * A date that is malformed, or given twice, is no precondition; a tag list is one over all of its
 * field lines.
 */
#ifndef PX_HTTP_CONDITIONAL_H
#define PX_HTTP_CONDITIONAL_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/field.h"

enum conditional_field {
    CONDITIONAL_IF_MATCH = 1 << 0,
    CONDITIONAL_IF_NONE_MATCH = 1 << 1,
    CONDITIONAL_IF_MODIFIED_SINCE = 1 << 2,
    CONDITIONAL_IF_UNMODIFIED_SINCE = 1 << 3,
    CONDITIONAL_IF_RANGE = 1 << 4,
    CONDITIONAL_RANGE = 1 << 5
};

/* A request's fields, and which of the above are among them. */
struct conditional {
    const px_field *fields; /* borrowed: the request's */
    uint32_t field_count;
    unsigned seen;  /* enum conditional_field */
    unsigned twice; /* those that are there more than once */
};

/* What the fields are held against. */
struct validators {
    px_str etag;      /* strong, as it is sent */
    int64_t modified; /* Last-Modified, Unix seconds */
    bool undated;     /* there is none: no date is a precondition */
    bool date_weak;   /* two versions may have one date: it joins no ranges */
    bool coded;       /* what is coded on the fly has the tag with the coding's name behind it */
};

enum conditional_result {
    CONDITIONAL_GO_ON,
    CONDITIONAL_NOT_MODIFIED, /* 304 */
    CONDITIONAL_FAILED        /* 412 */
};

void conditional_init(struct conditional *conditional, const px_field *fields, uint32_t count);

/* Steps 1 to 4 of RFC 9110 section 13.2.2.  `now` is Unix time. */
enum conditional_result conditional_evaluate(const struct conditional *conditional,
                                             const struct validators *validators, int64_t now);

/* Step 5, for GET: whether the Range field counts, and what it says. */
bool conditional_range(const struct conditional *conditional, const struct validators *validators,
                       int64_t now, px_str *out_range);

#endif
