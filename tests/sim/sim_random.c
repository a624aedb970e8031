/*
 * xoshiro256** seeded by splitmix64 (Blackman and Vigna, public domain).  Not for secrets: its only
 * virtue here is that the same seed gives the same run on every machine.
 */
#include "sim_random.h"

#include <string.h>

static uint64_t rotate(uint64_t value, int by)
{
    return (value << by) | (value >> (64 - by));
}

void sim_random_seed(struct sim_random *random, uint64_t seed)
{
    for (int index = 0; index < 4; index++) {
        seed += 0x9e3779b97f4a7c15u;
        uint64_t mixed = seed;

        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
        random->state[index] = mixed ^ (mixed >> 31);
    }
}

uint64_t sim_random_next(struct sim_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t shifted = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t sim_random_below(struct sim_random *random, uint64_t limit)
{
    return sim_random_next(random) % limit;
}

uint64_t sim_random_between(struct sim_random *random, uint64_t low, uint64_t high)
{
    return low + sim_random_below(random, high - low + 1);
}

uint64_t sim_random_skewed(struct sim_random *random, uint64_t low, uint64_t high)
{
    uint64_t span = high - low;
    int bits = 0;

    while (bits < 63 && (span >> bits) > 0)
        bits++;
    uint64_t cut = bits == 0 ? 0 : span >> sim_random_below(random, (uint64_t)bits);

    return sim_random_between(random, low, low + cut);
}

bool sim_random_chance(struct sim_random *random, uint32_t of_65536)
{
    return of_65536 > 0 && sim_random_below(random, 65536) < of_65536;
}

void sim_random_fill(struct sim_random *random, void *out, size_t bytes)
{
    char *at = out;

    while (bytes > 0) {
        uint64_t value = sim_random_next(random);
        size_t count = bytes < sizeof(value) ? bytes : sizeof(value);

        memcpy(at, &value, count);
        at += count;
        bytes -= count;
    }
}
