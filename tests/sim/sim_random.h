/*
 * The simulation's randomness: one seeded generator, so that a seed is a whole run.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_random {
    uint64_t state[4];
};

void sim_random_seed(struct sim_random *random, uint64_t seed);
uint64_t sim_random_next(struct sim_random *random);

/* A number in [0, limit); limit > 0. */
uint64_t sim_random_below(struct sim_random *random, uint64_t limit);

/* A number in [low, high]. */
uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high);

/* A number in [low, high] whose magnitude, not its value, is even: small ones come often. */
uint64_t sim_random_skewed(struct sim_random *random, uint64_t low, uint64_t high);

/* True in `of_65536` of 65,536 cases.  0 draws nothing. */
bool sim_random_chance(struct sim_random *random, uint32_t of_65536);

void sim_random_fill(struct sim_random *random, void *out, size_t bytes);

#endif
