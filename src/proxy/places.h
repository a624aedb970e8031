/*
 * The places of an upstream: which requests have them, and which of those give way.
 *
 * Happy path: place_take as a server is asked, place_note as content moves, place_give as it is
 * done.  While requests wait for a place those that are held are looked at: one whose client keeps
 * it (an answer that is not read, content that does not come) has a time for that, which bytes that
 * move win back, and gives way when it is over.  docs/decisions/places-of-upstreams.md says why so.
 */
#ifndef PX_PROXY_PLACES_H
#define PX_PROXY_PLACES_H

#include "base/list.h"
#include "exchange/upstream.h"
#include "pollux/loop.h"
#include "pollux/proxy.h"
#include "proxy/queue.h"

enum {
    PLACES_LOOK_MS = 250,
    /* What a client may keep a place for without moving, at most: half of what others wait. */
    PLACES_HOLD_MS = 5000,
    PLACES_SHARE_PART = 4, /* of them for one connection, while others wait */
    /* Of those that wait one connection keeps as many, where the queue is full and it has most. */
    PLACES_WAITING_MIN = 16,
};

struct passage;

struct places {
    px_timer *look;   /* owned: runs while requests wait */
    struct list held; /* of place.node */
    uint32_t share;   /* of one connection */
    uint32_t hold_ms;
    bool is_looking; /* the timer is started */
};

/* What a request has of them, while it is with a server. */
struct place {
    struct list node;
    uint64_t noted_ms;   /* until when credit_ms is counted */
    uint64_t mark_acked; /* what the client's end had acknowledged then; UINT64_MAX: not known */
    struct exchange_places *client; /* borrowed: of its connection; NULL: not known, or it ended */
    int64_t credit_ms; /* what its client may still keep it for; below 0: it is over since then */
    bool waiting;      /* it counts in client->waiting */
    bool kept;         /* it counts in client->kept */
    bool owed;         /* it is for the client to go on */
};

/* PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err places_init(px_upstream *upstream);
void places_deinit(px_upstream *upstream);

void place_take(struct passage *passage);
void place_give(struct passage *passage);

/* It begins and ends to wait for one. */
void place_wait(struct passage *passage, uint64_t due_ms);
void place_wait_end(struct passage *passage);

/* Its exchange has ended: its connection has nothing to do with it any more. */
void place_leave(struct passage *passage);

/* So many bytes went from or to the client; 0: what it is for to go on may have changed. */
void place_note(struct passage *passage, uint64_t bytes);

/* Whether a request may have the next place, though others wait that came later. */
bool place_is_fair(const struct waiter *waiter);

/* The queue is full: one that waits leaves it, with an answer, where its connection has far more
 * of it than that of `passage` would.  Whether there was one. */
bool places_make_room(const struct passage *passage);

#endif
