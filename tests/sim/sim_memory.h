/*
 * The allocator of the program under test: counts what is out, and fails by seed.
 */
#ifndef SIM_MEMORY_H
#define SIM_MEMORY_H

#include <stdint.h>

#include "pollux/alloc.h"

struct sim_memory {
    px_allocator allocator; /* its context is this struct */
    uint64_t blocks;        /* out now */
    uint64_t bytes;
    uint64_t bytes_peak;
    uint64_t taken; /* ever */
};

void sim_memory_init(struct sim_memory *memory);

/* Fails the run when a block is still out. */
void sim_memory_check(const struct sim_memory *memory);

#endif
