/*
 * An allocator that counts, fails when it is told to, and knows what was not given back.
 *
 *   static void build(const px_allocator *allocator, void *context) { ... }
 *   assert_true(fault_alloc_each("thing", build, NULL) >= 3);
 *
 * fault_alloc_each runs `build` with allocation 1 failing, then 2, and so on until one is not
 * reached: each N once alone and once with all that follow failing too.  After each run nothing may
 * be left over.  It prints how many allocations there were, so that a test which reached none
 * shows.
 */
#ifndef PX_TESTS_LIB_FAULT_ALLOC_H
#define PX_TESTS_LIB_FAULT_ALLOC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pollux/alloc.h"

struct fault_alloc {
    px_allocator allocator; /* hand this to the code under test */
    atomic_uint calls;      /* allocations asked for, resizes included */
    atomic_uint failures;   /* of those, how many were refused */
    atomic_int live;        /* blocks out now */
    uint32_t fail_at;       /* the number of the call to refuse, from 1; 0: none */
    bool fail_on;           /* refuse the ones behind it too */
};

/* Nothing fails until fail_at is set. */
void fault_alloc_init(struct fault_alloc *fault);

/* Fails the test when something was not given back. */
void fault_alloc_assert_empty(const struct fault_alloc *fault);

/* Returns the number of allocations that `run` makes when none fails.  `run` must hold for success
 * and for failure: check what it gets, free what it got. */
uint32_t fault_alloc_each(const char *name, void (*run)(const px_allocator *, void *),
                          void *context);

#endif
