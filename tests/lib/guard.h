/*
 * Memory with an inaccessible page at either end: a byte read before or behind a parser's input
 * faults at once, in builds without a sanitizer too.
 *
 *   struct guard guard;
 *   guard_init(&guard, 4096);
 *   px_str input = guard_at_end(&guard, LITERAL("GET / HTTP/1.1\r\n\r\n"));
 *   ...
 *   guard_deinit(&guard);
 */
#ifndef PX_TESTS_LIB_GUARD_H
#define PX_TESTS_LIB_GUARD_H

#include <stddef.h>

#include "pollux/str.h"

struct guard {
    char *map; /* owned */
    size_t map_bytes;
    char *ptr;    /* the accessible bytes */
    size_t bytes; /* a multiple of the page size */
};

/* Room for inputs of up to `bytes` bytes. */
void guard_init(struct guard *guard, size_t bytes);
void guard_deinit(struct guard *guard);

/* Copies `input` so that the byte behind its last faults.  Good until the next call. */
px_str guard_at_end(struct guard *guard, px_str input);

/* Copies `input` so that the byte before its first faults.  Good until the next call. */
px_str guard_at_start(struct guard *guard, px_str input);

#endif
