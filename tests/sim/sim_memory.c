/*
 * Each block has its size in front of it, so that the bytes that are out are known.
 */
#include "sim_memory.h"

#include <stdlib.h>
#include <string.h>

#include "sim_kernel.h"

enum { FRONT_BYTES = 16 }; /* keeps what follows aligned as malloc aligns it */

static void *memory_resize(void *ptr, size_t bytes, void *context)
{
    struct sim_memory *memory = context;
    char *block = ptr ? (char *)ptr - FRONT_BYTES : NULL;
    size_t before = 0;

    if (sim_fault_strikes(&sim_world->faults, SIM_MEMORY) ||
        sim_fault_planned(&sim_world->faults, "memory") != 0)
        return NULL;
    if (block)
        memcpy(&before, block, sizeof(before));
    /* Always a new block: whoever keeps a pointer into the old one is found out. */
    char *moved = malloc(bytes + FRONT_BYTES);

    if (!moved)
        abort();
    memcpy(moved, &bytes, sizeof(bytes));
    if (block) {
        memcpy(moved + FRONT_BYTES, ptr, before < bytes ? before : bytes);
        free(block);
    } else {
        memory->blocks++;
    }
    memory->taken++;
    memory->bytes += bytes - before;
    if (memory->bytes > memory->bytes_peak)
        memory->bytes_peak = memory->bytes;
    return moved + FRONT_BYTES;
}

static void *memory_allocate(size_t bytes, void *context)
{
    return memory_resize(NULL, bytes, context);
}

static void memory_release(void *ptr, void *context)
{
    struct sim_memory *memory = context;
    size_t before;

    if (!ptr)
        return;
    memcpy(&before, (char *)ptr - FRONT_BYTES, sizeof(before));
    memory->bytes -= before;
    memory->blocks--;
    free((char *)ptr - FRONT_BYTES);
}

void sim_memory_init(struct sim_memory *memory)
{
    *memory =
        (struct sim_memory){.allocator = {memory_allocate, memory_resize, memory_release, memory}};
}

void sim_memory_check(const struct sim_memory *memory)
{
    if (memory->blocks != 0)
        sim_fail("%llu blocks (%llu bytes) were not given back", (unsigned long long)memory->blocks,
                 (unsigned long long)memory->bytes);
}
