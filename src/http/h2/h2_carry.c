/*
 * What is carried of a field that is not whole (h2_engine.h): as long as its peer lets us wait.
 *
 * Happy path: a piece is added, the field is decoded, and what was carried goes.  Where others need
 * the memory, the connection that has carried something for longest ends.
 */
#include <string.h>

#include "http/h2/h2_engine.h"

enum { CARRY_FIRST_BYTES = 256 };

void h2_carry_give_way(struct h2_memory *memory)
{
    struct h2_engine *engine = CONTAINER_OF(memory, struct h2_engine, memory);

    h2_carry_drop(engine);
    h2_engine_terminate(engine, H2_ENHANCE_YOUR_CALM);
    if (engine->role->gave_way)
        engine->role->gave_way(engine);
}

bool h2_carry_add(struct h2_engine *engine, px_str bytes)
{
    uint32_t len = engine->in.carry_len + (uint32_t)bytes.len;

    if (len > engine->in.carry_room) {
        uint32_t room = engine->in.carry_room ? engine->in.carry_room * 2 : CARRY_FIRST_BYTES;

        room = room > len ? room : len;
        char *larger = h2_memory_carry(&engine->memory, engine->in.carry, room);

        if (!larger) {
            engine->failed = true;
            return false;
        }
        engine->in.carry = larger;
        engine->in.carry_room = room;
    }
    memcpy(engine->in.carry + engine->in.carry_len, bytes.ptr, bytes.len);
    engine->in.carry_len = len;
    return true;
}

void h2_carry_use(struct h2_engine *engine, size_t used)
{
    CHECK(used <= engine->in.carry_len);
    if (used == engine->in.carry_len) {
        h2_carry_drop(engine);
        return;
    }
    engine->in.carry_len -= (uint32_t)used;
    memmove(engine->in.carry, engine->in.carry + used, engine->in.carry_len);
}

void h2_carry_drop(struct h2_engine *engine)
{
    h2_memory_carry_put(&engine->memory, engine->in.carry);
    engine->in.carry = NULL;
    engine->in.carry_len = engine->in.carry_room = 0;
}
