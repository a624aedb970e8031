/*
 * Runs a parser over the same bytes in every way they can arrive: whole, one byte at a time, and
 * cut in two at each offset; each presentation ends at a guard page, and once more starts behind
 * one.
 *
 * It keeps the stream contract: `feed` says how many bytes it consumed, and what it left is
 * presented first next time, contiguous with what follows, at another address.
 */
#ifndef PX_TESTS_LIB_SPLITS_H
#define PX_TESTS_LIB_SPLITS_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

struct split_reader {
    /* Before each run. */
    void (*begin)(void *context);
    /* All that has arrived and was not consumed; returns how many bytes of it are consumed now.
     * Called for every arrival, also when nothing is left to do. */
    size_t (*feed)(px_str bytes, void *context);
    /* After the last byte: checks the result.  `left` bytes were not consumed; `split` names the
     * run for messages. */
    void (*end)(size_t left, const char *split, void *context);
    void *context;
};

/* Returns the number of runs, which is input.len * 2 + 4 for input of two bytes or more. */
uint32_t splits_each(px_str input, const struct split_reader *reader);

#endif
