/*
 * SETTINGS of the peer (RFC 9113 section 6.5).
 *
 * Happy path: six bytes after six are gathered and obeyed, and at the end of the frame that is
 * said. What may not be is the code with which the connection ends.  Windows of streams move once
 * for a frame, to what it said last: it may say thousands of them, and a connection may have a
 * hundred streams.
 */
#include <string.h>

#include "http/h2/h2_engine.h"

size_t h2_gather(struct h2_engine *engine, px_str bytes, size_t want)
{
    size_t part = want - engine->in.small_len;

    part = part < bytes.len ? part : bytes.len;
    memcpy(engine->in.small + engine->in.small_len, bytes.ptr, part);
    engine->in.small_len = (uint8_t)(engine->in.small_len + part);
    return part;
}

uint32_t h2_settings_begin(struct h2_engine *engine, const struct h2_frame *frame)
{
    bool ack = frame->flags & H2_FLAG_ACK;

    if (frame->stream != 0)
        return H2_PROTOCOL_ERROR;
    if (ack ? frame->bytes != 0 : frame->bytes % H2_SETTING_BYTES != 0)
        return H2_FRAME_SIZE_ERROR;
    if (ack && engine->settings_open == 0)
        return H2_PROTOCOL_ERROR;
    engine->in.payload = PAYLOAD_SETTINGS;
    engine->in.window_said = false;
    return H2_NO_ERROR;
}

/* RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1. */
static uint32_t setting_take(struct h2_engine *engine, uint16_t id, uint32_t value)
{
    switch (id) {
    case H2_SETTING_TABLE_BYTES:
        hpack_encoder_limit(&engine->encoder, value);
        break;
    case H2_SETTING_PUSH:
        return value > (engine->walk.answers ? 0 : 1) ? H2_PROTOCOL_ERROR : H2_NO_ERROR;
    case H2_SETTING_STREAMS_MAX:
        engine->peer_streams_max = value;
        break;
    case H2_SETTING_STREAM_WINDOW:
        if (value > INT32_MAX)
            return H2_FLOW_CONTROL_ERROR;
        engine->in.window = value;
        engine->in.window_said = true;
        break;
    case H2_SETTING_FRAME_BYTES_MAX:
        /* Ours are never larger than the least it may say. */
        return value < H2_FRAME_BYTES_MAX || value >= 1 << 24 ? H2_PROTOCOL_ERROR : H2_NO_ERROR;
    case H2_SETTING_CONNECT_PROTOCOL:
        if (value > 1 || (engine->peer_connect && value == 0))
            return H2_PROTOCOL_ERROR;
        engine->peer_connect = value;
        break;
    case H2_SETTING_NO_RFC7540_PRIORITIES:
        if (value > 1 || (engine->peer_priorities >= 0 && engine->peer_priorities != (int)value))
            return H2_PROTOCOL_ERROR;
        engine->peer_priorities = (int8_t)value;
        break;
    }
    return H2_NO_ERROR;
}

uint32_t h2_settings_over(struct h2_engine *engine)
{
    if (engine->walk.frame.flags & H2_FLAG_ACK) {
        engine->settings_open--;
        return H2_NO_ERROR;
    }
    if (engine->in.window_said)
        h2_engine_move_windows(engine, engine->in.window);
    char *out = h2_control_take(engine, H2_HEAD_BYTES);

    if (out)
        h2_frame_put(out, 0, H2_SETTINGS, H2_FLAG_ACK, 0);
    return H2_NO_ERROR;
}

uint32_t h2_settings_take(struct h2_engine *engine, px_str bytes)
{
    engine->work += (uint32_t)bytes.len;
    for (size_t at = 0; at < bytes.len;) {
        at += h2_gather(engine, px_str_make(bytes.ptr + at, bytes.len - at), H2_SETTING_BYTES);
        if (engine->in.small_len < H2_SETTING_BYTES)
            break;
        uint32_t error =
            setting_take(engine, (uint16_t)(engine->in.small[0] << 8 | engine->in.small[1]),
                         h2_number_at(engine->in.small + 2));

        engine->in.small_len = 0;
        if (error != H2_NO_ERROR)
            return error;
    }
    return H2_NO_ERROR;
}
