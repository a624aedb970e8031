/*
 * What peers make a loop keep, in sum: a number of bytes for each kind of thing, and one for all of
 * them together.  A limit of each connection does not bound what many connections hold; this does.
 *
 * What keeps something for a peer takes its bytes here and gives them back with the memory.  It
 * can fail at the share of the kind or at the sum; what gives way then is for the owner of the kind
 * to say (the peer that holds most, that has waited longest), never one that holds little.
 */
#ifndef PX_BASE_BUDGET_H
#define PX_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"

enum budget_kind {
    BUDGET_HEADS,         /* decoded heads of HTTP/2 requests in progress */
    BUDGET_INBOX,         /* bytes that were received and not used */
    BUDGET_EXCHANGES,     /* heads, fields and content that exchanges keep */
    BUDGET_OUTPUT,        /* what was written, or copied, and not taken by the peer */
    BUDGET_SESSIONS,      /* what HTTP/2 and TLS keep of their connections */
    BUDGET_SOCKETS,       /* what WebSockets, streams of events and topics hold */
    BUDGET_SOCKET_CODERS, /* compression of WebSockets */
    BUDGET_KIND_COUNT
};

enum {
    BUDGET_FIRST_BYTES = 4 * 1024,
    /* Once half of a budget is taken one of many may grow to this part of what is left for all:
     * what is nearly full is not filled by a few large ones. */
    BUDGET_LEFT_PART = 64,
    BUDGET_RESERVE_PART = 4, /* of a budget: set aside for the first 4 KiB of each */
    /* What is held gives way to large ones after this time: before it the one that came first
     * stays. */
    BUDGET_HOLD_MS = 1000,
    BUDGET_LOOK_COUNT = 64, /* of those that have held for longest one gives way ... */
    BUDGET_TRY_COUNT = 256, /* ... and so often for one that asks */
    /* What moves on by such a part of what it holds, within BUDGET_HOLD_MS, is as if it were new;
     * by less, it holds on. */
    BUDGET_MOVE_PART = 8,
    /* Of what peers may make a loop keep, so many parts are for each kind: what is left over is for
     * what a program's caches and coders keep, and for the log. */
    MEMORY_PARTS = 32,
    PART_HEADS = 2,
    PART_INBOX = 2,
    PART_EXCHANGES = 3, /* in arenas and collected; as much again for exchanges themselves */
    PART_OUTPUT = 2,    /* in pieces and copies; as much again for blocks */
    PART_SEALED = 3,    /* blocks of TLS: five for one of what it seals */
    PART_SESSIONS = 6,
    PART_SOCKETS = 2,
    PART_SOCKET_CODERS = 2, /* two hundred pairs that keep their windows, of 1 GiB */
    PART_CODERS = 2,
    PART_CACHES = 3, /* files two parts, coded results one */
    /* What peers may make a loop keep; pollux takes a part of what its machine has instead. */
    MEMORY_BYTES_DEFAULT = 1024 * 1024 * 1024,
    MEMORY_BYTES_MIN = 16 * 1024 * 1024,
};

struct budget_share {
    uint64_t bytes;
    uint64_t bytes_max;
};

/* Some of a kind that can be given back at once, when others ask for it. */
struct budget_holder {
    struct list node;
    uint64_t since_ms; /* when it was taken, or has last moved on */
    uint64_t bytes;
    uint64_t shared_bytes; /* that it holds together with others, or alone by now */
    uint64_t moved_bytes;  /* since `moved_ms` */
    uint64_t moved_ms;
    /* What of it all is its own, with its part of what it shares; NULL: `bytes`. */
    uint64_t (*weigh)(const struct budget_holder *holder);
    /* Gives back all of it, and is on no list then. */
    void (*give_way)(struct budget_holder *holder);
};

struct budget {
    struct budget_share shares[BUDGET_KIND_COUNT];
    struct budget_share sum;
    uint64_t inbox_bytes_max;               /* unread bytes, as they were asked for */
    struct list spare[BUDGET_KIND_COUNT];   /* holders that miss nothing, longest unused in front */
    struct list holders[BUDGET_KIND_COUNT]; /* those that end with it, longest held in front ... */
    struct list
        little[BUDGET_KIND_COUNT]; /* ... and those of them with BUDGET_FIRST_BYTES or less */
    /* Borrowed: of those that wait for more the one that may go on, so that not all wait for each
     * other; NULL: none waits. */
    const struct budget_holder *favoured[BUDGET_KIND_COUNT];
};

/* What asks for more of a kind. */
struct budget_asker {
    uint64_t has_bytes;
    uint64_t more_bytes;
    uint64_t
        since_ms; /* when the first of it was taken; `now_ms` for what is done and not waited for */
    uint64_t now_ms;
    uint32_t rest_part; /* such a part is left of the share, but by the first BUDGET_FIRST_BYTES */
};

/* Nothing is taken; a kind may have `share_bytes_max`, all of them `sum_bytes_max`. */
void budget_init(struct budget *budget, uint64_t sum_bytes_max,
                 const uint64_t share_bytes_max[BUDGET_KIND_COUNT]);

/* States what must hold; for tests. */
void budget_check(const struct budget *budget);

/* The shares of a loop whose peers may make it keep `sum_bytes_max`, of which `inbox_bytes_max` is
 * unread bytes.  What is not given away is for caches and coders, which have limits of their own.
 * What is taken already stays taken. */
void budget_divide(struct budget *budget, uint64_t sum_bytes_max, uint64_t inbox_bytes_max);

/* What may be taken of a kind. */
static inline uint64_t budget_left(const struct budget *budget, enum budget_kind kind)
{
    const struct budget_share *share = &budget->shares[kind];
    uint64_t share_left = share->bytes < share->bytes_max ? share->bytes_max - share->bytes : 0;
    uint64_t sum_left = budget->sum.bytes_max - budget->sum.bytes;

    return share_left < sum_left ? share_left : sum_left;
}

/* Takes all of `bytes`, or nothing and says false. */
static inline bool budget_take(struct budget *budget, enum budget_kind kind, uint64_t bytes)
{
    if (PX_UNLIKELY(bytes > budget_left(budget, kind)))
        return false;
    budget->shares[kind].bytes += bytes;
    budget->sum.bytes += bytes;
    return true;
}

/* The same for one of many that has `has_bytes`.  While half of the share is free it may have what
 * its owner allows; then what is left is for those that have little: a part of it for each, and the
 * last quarter for the first BUDGET_FIRST_BYTES of each.  So one that is full refuses what holds
 * most, and never the many for the few. */
bool budget_take_fair(struct budget *budget, enum budget_kind kind, uint64_t has_bytes,
                      uint64_t more_bytes);

/* Whether more than half of what a kind may have is taken: what is not in use goes back then. */
static inline bool budget_is_short(const struct budget *budget, enum budget_kind kind)
{
    return budget_left(budget, kind) < budget->shares[kind].bytes_max / 2;
}

/* Whether taking that much would leave less than what is set aside for the first bytes of each. */
static inline bool budget_is_at_reserve(const struct budget *budget, enum budget_kind kind,
                                        uint64_t more_bytes)
{
    uint64_t reserve = budget->shares[kind].bytes_max / BUDGET_RESERVE_PART;
    uint64_t left = budget_left(budget, kind);

    return left < reserve || left - reserve < more_bytes;
}

/* Takes what leaves the rest, and for the first BUDGET_FIRST_BYTES of that as well.  Where it is
 * refused, spare holders give way, and then holders: the one that has held most bytes for longest,
 * where that is more than what asks will have held, and those with little after all others.  To
 * more than BUDGET_FIRST_BYTES only what was held for BUDGET_HOLD_MS gives way. */
bool budget_take_pressing(struct budget *budget, enum budget_kind kind,
                          const struct budget_asker *asker);

/* Has one holder of a kind give way to what asks; false: none does. */
bool budget_press(struct budget *budget, enum budget_kind kind, const struct budget_asker *asker);

/* Begins to hold so much, or holds more; budget_spare: what misses nothing. */
void budget_hold(struct budget *budget, enum budget_kind kind, struct budget_holder *holder,
                 uint64_t bytes, uint64_t shared_bytes, uint64_t now_ms);
void budget_spare(struct budget *budget, enum budget_kind kind, struct budget_holder *holder,
                  uint64_t bytes, uint64_t now_ms);

/* Ends to hold; a holder that is on no list is fine, here and below. */
void budget_release(struct budget_holder *holder);

/* It is as if it had been taken just now. */
void budget_touch(struct budget *budget, enum budget_kind kind, struct budget_holder *holder,
                  uint64_t now_ms);

/* It has moved on by `bytes` of `of_bytes`, which counts where that is enough. */
void budget_move(struct budget *budget, enum budget_kind kind, struct budget_holder *holder,
                 uint64_t bytes, uint64_t of_bytes, uint64_t now_ms);

static inline void budget_give(struct budget *budget, enum budget_kind kind, uint64_t bytes)
{
    CHECK(bytes <= budget->shares[kind].bytes);
    budget->shares[kind].bytes -= bytes;
    budget->sum.bytes -= bytes;
}

#endif
