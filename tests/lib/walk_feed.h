/*
 * A walk over frames whose payloads are passed and not looked at.
 */
#ifndef PX_TESTS_LIB_WALK_FEED_H
#define PX_TESTS_LIB_WALK_FEED_H

#include "http/h2/h2_walk.h"

/* PX_OK: all of it was walked over.  PX_ERR_MALFORMED: *out_used bytes were in front of the frame
 * at fault. */
static inline px_err walk_feed(struct h2_walk *walk, uint64_t now_ms, px_str bytes,
                               size_t *out_used, uint32_t *out_error)
{
    size_t at = 0;

    h2_walk_tick(walk, now_ms);
    *out_error = H2_NO_ERROR;
    while (at < bytes.len) {
        size_t used = 0, here = bytes.len - at;

        if (walk->left > 0) {
            used = here < walk->left ? here : walk->left;
            h2_walk_pass(walk, (uint32_t)used);
        } else if (h2_walk_next(walk, px_str_make(bytes.ptr + at, here), &used, out_error) ==
                   PX_ERR_MALFORMED) {
            *out_used = at;
            return PX_ERR_MALFORMED;
        }
        at += used;
    }
    *out_used = at;
    return PX_OK;
}

#endif
