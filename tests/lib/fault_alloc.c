/*
 * The counting allocator.  Counters are atomic because a mailbox may be freed on another thread.
 */
#include "lib/fault_alloc.h"

#include <stdlib.h>
#include <string.h>

#include "lib/test.h"

enum { FAULT_CALLS_MAX = 100000 };

static bool refuses(struct fault_alloc *fault)
{
    uint32_t call = atomic_fetch_add(&fault->calls, 1) + 1;

    if (fault->fail_at == 0 || call < fault->fail_at || (call > fault->fail_at && !fault->fail_on))
        return false;
    atomic_fetch_add(&fault->failures, 1);
    return true;
}

static void *fault_allocate(size_t bytes, void *context)
{
    struct fault_alloc *fault = context;

    if (refuses(fault))
        return NULL;
    void *ptr = malloc(bytes ? bytes : 1);

    assert_non_null(ptr);
    /* Fresh memory is never zero here: who relies on that is found. */
    memset(ptr, 0xa5, bytes);
    atomic_fetch_add(&fault->live, 1);
    return ptr;
}

static void *fault_resize(void *old, size_t bytes, void *context)
{
    struct fault_alloc *fault = context;

    if (refuses(fault))
        return NULL;
    void *ptr = realloc(old, bytes ? bytes : 1);

    assert_non_null(ptr);
    if (!old)
        atomic_fetch_add(&fault->live, 1);
    return ptr;
}

static void fault_release(void *ptr, void *context)
{
    struct fault_alloc *fault = context;

    if (!ptr)
        return;
    free(ptr);
    assert_true(atomic_fetch_sub(&fault->live, 1) > 0);
}

void fault_alloc_init(struct fault_alloc *fault)
{
    memset(fault, 0, sizeof(*fault));
    fault->allocator.allocate = fault_allocate;
    fault->allocator.resize = fault_resize;
    fault->allocator.release = fault_release;
    fault->allocator.context = fault;
}

void fault_alloc_assert_empty(const struct fault_alloc *fault)
{
    int live = atomic_load(&fault->live);

    if (live != 0)
        fail_msg("%d blocks were not given back (allocation %u failed%s)", live, fault->fail_at,
                 fault->fail_on ? ", and all behind it" : "");
}

uint32_t fault_alloc_each(const char *name, void (*run)(const px_allocator *, void *),
                          void *context)
{
    struct fault_alloc fault;

    for (uint32_t number = 1; number <= FAULT_CALLS_MAX; number++) {
        for (int fail_on = 0; fail_on < 2; fail_on++) {
            fault_alloc_init(&fault);
            fault.fail_at = number;
            fault.fail_on = fail_on;
            run(&fault.allocator, context);
            fault_alloc_assert_empty(&fault);
            if (atomic_load(&fault.failures) == 0) {
                print_message("%s: %u allocations, each failed alone and with the rest\n", name,
                              number - 1);
                return number - 1;
            }
        }
    }
    fail_msg("%s: more than %d allocations", name, FAULT_CALLS_MAX);
    return 0;
}
