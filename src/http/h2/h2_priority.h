/*
 * The Priority field of RFC 9218: how urgent an answer is, and whether it is of use in pieces.
 *
 * It is a structured dictionary (RFC 8941); what does not parse, or is out of range, means the
 * default, since a wrong priority is no reason to fail a request.
 */
#ifndef PX_HTTP_H2_PRIORITY_H
#define PX_HTTP_H2_PRIORITY_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

enum { H2_URGENCY_DEFAULT = 3, H2_URGENCY_MAX = 7 };

struct h2_priority {
    uint8_t urgency; /* 0 first, 7 last */
    bool incremental;
};

struct h2_priority h2_priority_parse(px_str value);

#endif
