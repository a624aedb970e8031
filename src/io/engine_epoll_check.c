/*
 * What must hold of the engine's table of handles at the end of a tick; for tests.
 */
#include "io/engine_epoll.h"

void engine_check(const px_loop *loop)
{
    const struct engine *engine = loop->engine;
    uint32_t free_count = 0, used_count = 0;

    ASSERT(engine->fd >= 0 && !engine->accepted);
    for (uint32_t index = 0; index < engine->slot_count; index++) {
        const struct io_handle *handle = engine->slots[index].handle;

        ASSERT(!handle || (handle->slot == index && handle->loop == loop));
        used_count += handle != NULL;
    }
    for (uint32_t at = engine->first_free; at != SLOT_NONE; at = engine->slots[at].next_free) {
        ASSERT(at < engine->slot_count && !engine->slots[at].handle);
        free_count++;
        ASSERT(free_count <= engine->slot_count);
    }
    ASSERT(free_count + used_count == engine->slot_count);
}
