/*
 * Where frames of a WebSocket end, in one direction of a tunnel that is passed on unread.
 *
 * Happy path: frames_follow sees every byte that goes on.  What is no WebSocket any more is noticed
 * by its heads, and has no ends from then on.
 */
#ifndef PX_PROXY_FRAMES_H
#define PX_PROXY_FRAMES_H

#include "http/ws/ws_frame.h"

/* All zeros at first. */
struct frames {
    uint64_t left; /* content of the frame at hand that is still to come */
    char head[WS_HEAD_BYTES_MAX];
    uint8_t head_len; /* of a head that is not whole */
    bool closed;      /* a Close frame has begun */
    bool lost;        /* what came is no frame */
};

/* Follows bytes that go on: how many may; fewer than all where `stops` is wanted, up to the end of
 * a frame. */
size_t frames_follow(struct frames *frames, px_str bytes, bool stops);

/* Whether a frame may be put in here. */
static inline bool frames_are_between(const struct frames *frames)
{
    return frames->left == 0 && frames->head_len == 0 && !frames->lost;
}

#endif
