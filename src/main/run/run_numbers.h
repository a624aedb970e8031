/*
 * Limits, times and rates that a directive and a flag say alike: where each is kept.
 *
 * Reading a configuration writes there what its directives say, --print-config writes directives
 * of what the flags have put there.
 */
#ifndef PX_MAIN_RUN_NUMBERS_H
#define PX_MAIN_RUN_NUMBERS_H

#include "main/flags/options.h"

/* How a number is stored. */
enum run_cell { CELL_32, CELL_64 };

struct run_number {
    const char *block; /* NULL: it stands at the top */
    const char *name;
    enum run_cell cell;
    size_t offset; /* in struct options */
};

extern const struct run_number run_numbers[];
extern const size_t run_number_count;

void run_number_store(const struct run_number *row, struct options *options, bool is_off,
                      uint64_t number);

/* False: nothing was said, and the default holds. */
bool run_number_load(const struct run_number *row, const struct options *options, bool *out_is_off,
                     uint64_t *out_number);

#endif
