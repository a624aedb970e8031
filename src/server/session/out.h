/*
 * Output of a connection: a block where heads and small content are rendered, and the parts of the
 * send that is in flight.  A connection holds one only while it has something to say.
 */
#ifndef PX_SERVER_OUT_H
#define PX_SERVER_OUT_H

#include "base/limits.h"
#include "base/pool.h"
#include "pollux/stream.h"

struct out {
    struct pool_item item;
    uint32_t len;
    uint32_t part_count;
    px_part parts[2]; /* the block, then content that is not copied */
    char bytes[OUT_BYTES];
};

static inline size_t out_room(const struct out *out)
{
    return OUT_BYTES - out->len;
}

#endif
