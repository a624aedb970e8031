/*
 * Byte-exact HTTP/1 input and what must come of it, as h1_flow.h writes it down.
 */
#ifndef PX_TESTS_H1_CASES_H
#define PX_TESTS_H1_CASES_H

#include <stddef.h>

#include "pollux/str.h"

struct h1_case {
    char class; /* F framing, C chunks, L lines and fields, R request line, H Host, P persistence */
    px_str input;
    const char *line;
};

extern const struct h1_case h1_cases[];
extern const size_t h1_case_count;

#endif
