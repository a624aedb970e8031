/*
 * Frames that are rendered first, in the order in which they were asked for.
 *
 * Happy path: a frame is written into memory of the session's when it is due, and copied out with
 * the next block.  What peers can make this hold is bounded by their budgets, and by the
 * connection, which reads no more where h2_session_backlog is too much.
 */
#include <string.h>

#include "http/h2/h2_engine.h"

enum { CONTROL_ROOM_FIRST = 192 };

char *h2_frame_put(char *out, size_t bytes, uint8_t type, uint8_t flags, uint32_t id)
{
    *out++ = (char)(bytes >> 16);
    *out++ = (char)(bytes >> 8);
    *out++ = (char)bytes;
    *out++ = (char)type;
    *out++ = (char)flags;
    *out++ = (char)(id >> 24);
    *out++ = (char)(id >> 16);
    *out++ = (char)(id >> 8);
    *out++ = (char)id;
    return out;
}

static char *number_put(char *out, uint32_t number)
{
    *out++ = (char)(number >> 24);
    *out++ = (char)(number >> 16);
    *out++ = (char)(number >> 8);
    *out++ = (char)number;
    return out;
}

char *h2_control_take(struct h2_engine *engine, size_t bytes)
{
    size_t wanted = engine->control.len + bytes;

    if (engine->failed)
        return NULL;
    if (wanted > engine->control.room) {
        size_t room = engine->control.room ? engine->control.room : CONTROL_ROOM_FIRST;

        while (room < wanted)
            room *= 2;
        char *control = h2_memory_resize(&engine->memory, engine->control.bytes, room);

        if (!control) {
            engine->failed = true;
            return NULL;
        }
        engine->control.bytes = control;
        engine->control.room = (uint32_t)room;
    }
    engine->control.len = (uint32_t)wanted;
    engine->control.count++;
    return engine->control.bytes + wanted - bytes;
}

void h2_control_give(struct h2_engine *engine, size_t bytes)
{
    CHECK(bytes <= engine->control.len);
    engine->control.len -= (uint32_t)bytes;
}

void h2_control_reset(struct h2_engine *engine, uint32_t id, uint32_t error)
{
    char *out = h2_control_take(engine, H2_HEAD_BYTES + 4);

    if (out)
        number_put(h2_frame_put(out, 4, H2_RST_STREAM, 0, id), error);
}

void h2_control_goaway(struct h2_engine *engine, uint32_t last_stream, uint32_t error)
{
    char *out = h2_control_take(engine, H2_HEAD_BYTES + 8);

    if (out)
        number_put(number_put(h2_frame_put(out, 8, H2_GOAWAY, 0, 0), last_stream), error);
}

void h2_control_ping(struct h2_engine *engine, const uint8_t text[8], bool ack)
{
    char *out = h2_control_take(engine, H2_HEAD_BYTES + 8);

    if (out)
        memcpy(h2_frame_put(out, 8, H2_PING, ack ? H2_FLAG_ACK : 0, 0), text, 8);
}

void h2_control_window(struct h2_engine *engine, uint32_t id, uint32_t bytes)
{
    char *out = h2_control_take(engine, H2_HEAD_BYTES + 4);

    if (out)
        number_put(h2_frame_put(out, 4, H2_WINDOW_UPDATE, 0, id), bytes);
}

char *h2_block_put(char *out, size_t bytes, uint32_t id, bool ends)
{
    size_t count = bytes > 0 ? (bytes - 1) / H2_FRAME_BYTES_MAX : 0; /* of CONTINUATION frames */
    char *end = out + bytes + (count + 1) * H2_HEAD_BYTES;

    /* From the last piece on, since each moves towards the end. */
    for (size_t index = count; index > 0; index--) {
        size_t from = index * H2_FRAME_BYTES_MAX;
        size_t len = index == count ? bytes - from : H2_FRAME_BYTES_MAX;
        char *piece = out + index * (H2_FRAME_BYTES_MAX + H2_HEAD_BYTES);

        memmove(piece + H2_HEAD_BYTES, out + H2_HEAD_BYTES + from, len);
        h2_frame_put(piece, len, H2_CONTINUATION, index == count ? H2_FLAG_END_HEADERS : 0, id);
    }
    h2_frame_put(out, count > 0 ? H2_FRAME_BYTES_MAX : bytes, H2_HEADERS,
                 (uint8_t)((count > 0 ? 0 : H2_FLAG_END_HEADERS) | (ends ? H2_FLAG_END_STREAM : 0)),
                 id);
    return end;
}
