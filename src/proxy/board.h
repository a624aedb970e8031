/*
 * A board: health of servers in memory that processes share, and the key of sticky cookies.
 *
 * Happy path: a server's place is found by a hash of its name, or taken.  It can fail by having no
 * free place: then the caller keeps what it knows to itself.
 */
#ifndef PX_PROXY_BOARD_H
#define PX_PROXY_BOARD_H

#include "base/siphash.h"
#include "pollux/proxy.h"
#include "proxy/health.h"

enum {
    BOARD_PLACES = 4096,       /* 64 bytes each, of which those that are used cost memory */
    BOARD_PROBES_MAX = 64,     /* places that are looked at for a server */
    BOARD_SEEN_MS = 10 * 1000, /* how often an upstream says that it has a server */
    /* One that no upstream has had for so long gives its place up. */
    BOARD_FORGET_MS = 10 * 60 * 1000,
};

struct px_upstream_board {
    px_allocator allocator;
    _Atomic uint32_t holds;
    struct siphash_key key; /* secret */
    struct health *places;  /* mapped, shared */
};

px_upstream_board *board_hold(px_upstream_board *board);

/* The place of a server that is described so; NULL: there is none left. */
struct health *board_find(px_upstream_board *board, px_str description, uint64_t now_ms);

#endif
