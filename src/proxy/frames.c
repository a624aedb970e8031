/*
 * Where frames of a WebSocket end.
 */
#include "proxy/frames.h"

#include "base/check.h"

/* One more byte of a head. */
static void head_follow(struct frames *frames, char byte)
{
    struct ws_head head;

    CHECK(frames->head_len < sizeof(frames->head));
    frames->head[frames->head_len++] = byte;
    px_err err = ws_head_take(px_str_make(frames->head, frames->head_len), &head);

    if (err == PX_AGAIN)
        return;
    frames->lost = err != PX_OK;
    if (frames->lost)
        return;
    ASSERT(head.bytes == frames->head_len);
    frames->closed = frames->closed || head.opcode == WS_CLOSE;
    frames->left = head.length;
    frames->head_len = 0;
}

size_t frames_follow(struct frames *frames, px_str bytes, bool stops)
{
    size_t at = 0;

    while (at < bytes.len && !frames->lost && !(stops && frames_are_between(frames))) {
        size_t rest = bytes.len - at;

        if (frames->left == 0) {
            head_follow(frames, bytes.ptr[at++]);
            continue;
        }
        size_t count = frames->left < rest ? (size_t)frames->left : rest;

        frames->left -= count;
        at += count;
    }
    return frames->lost ? bytes.len : at;
}
