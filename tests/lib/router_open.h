/*
 * Routers with arenas of their own, for tests of the router alone; a few at a time.
 */
#ifndef PX_TESTS_LIB_ROUTER_OPEN_H
#define PX_TESTS_LIB_ROUTER_OPEN_H

#include "base/alloc.h"
#include "route/router.h"

enum { ROUTERS_OPEN_MAX = 4 };

static struct {
    struct router *router; /* NULL: not in use */
    struct arena arena;
} routers_open[ROUTERS_OPEN_MAX];

/* PX_OK or PX_ERR_MEMORY. */
static inline px_err router_open(const px_allocator *allocator, struct router **out_router)
{
    uint32_t index = 0;

    *out_router = NULL;
    while (routers_open[index].router)
        CHECK(++index < ROUTERS_OPEN_MAX);
    arena_init(&routers_open[index].arena, allocator, NULL, 0, ROUTER_BYTES_MAX);
    routers_open[index].router = router_create(&routers_open[index].arena);
    if (!routers_open[index].router)
        return PX_ERR_MEMORY;
    *out_router = routers_open[index].router;
    return PX_OK;
}

static inline void router_close(struct router *router)
{
    for (uint32_t index = 0; index < ROUTERS_OPEN_MAX; index++) {
        if (routers_open[index].router != router)
            continue;
        arena_reset(&routers_open[index].arena);
        routers_open[index].router = NULL;
        return;
    }
}

#endif
