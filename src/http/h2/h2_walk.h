/*
 * A walk over the heads of the frames that a peer sends.
 *
 * It takes the preface and the nine bytes in front of each frame, keeps a budget for each kind of
 * flood, and knows which streams were opened and which have ended.  Happy path: a few comparisons a
 * frame; payloads are passed by its caller.  It can fail with the error code that ends the
 * connection.
 *
 * "In any 10 s" is counted in seconds: a budget never lets more through in ten, and may find fault
 * with as much in eleven.
 */
#ifndef PX_HTTP_H2_WALK_H
#define PX_HTTP_H2_WALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"
#include "http/h2/h2_frame.h"
#include "pollux/error.h"
#include "pollux/str.h"

enum { H2_BUDGET_SECONDS = 11, H2_USED_WORDS = 4 };

/* What is counted. */
enum h2_budget {
    H2_BUDGET_OPENED,   /* streams: no limit, what resets are held against */
    H2_BUDGET_RESETS,   /* RST_STREAM received, or sent because of what the peer did */
    H2_BUDGET_PING,     /* with or without ACK */
    H2_BUDGET_SETTINGS, /* likewise */
    H2_BUDGET_PRIORITY, /* PRIORITY and PRIORITY_UPDATE */
    H2_BUDGET_EMPTY,    /* DATA that carries nothing and ends nothing */
    H2_BUDGET_OTHER,    /* GOAWAY and unknown types */
    H2_BUDGET_WINDOW,   /* WINDOW_UPDATE, held against what was sent */
    H2_BUDGET_SENT,     /* DATA frames that we sent: no limit */
    H2_BUDGET_COUNT
};

/* What a frame's head says (RFC 9113 section 4.1). */
struct h2_frame {
    uint32_t bytes; /* of its payload */
    uint32_t stream;
    uint8_t type;
    uint8_t flags;
};

struct h2_walk {
    uint64_t second;             /* of the clock, that `counts[...][second_index]` is for */
    uint32_t block_bytes_max;    /* of one header block as it is on the wire */
    uint32_t left;               /* payload bytes of the frame at hand that are to come */
    uint32_t frame_count;        /* frames whose head was seen; it may wrap */
    uint32_t last_stream;        /* the highest that the peer has opened */
    uint32_t block_stream;       /* whose header block is not whole, or 0 */
    uint32_t block_bytes;        /* of that block so far */
    uint32_t block_frames;       /* CONTINUATION frames of it */
    uint32_t empty_frames;       /* of those, the empty ones in a row */
    struct h2_frame frame;       /* the one at hand */
    uint8_t head[H2_HEAD_BYTES]; /* of the next frame, as far as it is there */
    uint8_t head_len;
    uint8_t preface_len; /* of the preface, as far as it was there */
    uint8_t second_index;
    bool settings_seen;             /* the first frame was SETTINGS */
    bool answers;                   /* what a server sends is walked over: it opens no streams */
    bool resets_over;               /* h2_walk_count found a budget exceeded */
    uint64_t used[H2_USED_WORDS];   /* bit n: stream last_stream - 2n was opened */
    uint64_t closed[H2_USED_WORDS]; /* likewise: the peer has ended or reset it */
    uint32_t sums[H2_BUDGET_COUNT]; /* of counts */
    uint16_t counts[H2_BUDGET_COUNT][H2_BUDGET_SECONDS];
};

/* `head_bytes_max` is what a decoded head may have. */
void h2_walk_init(struct h2_walk *walk, uint32_t head_bytes_max);

/* From the beginning on it is a server that sends: no preface, and streams that we opened. */
void h2_walk_answers(struct h2_walk *walk);

/* Time passes: what was spent is forgotten. */
void h2_walk_tick(struct h2_walk *walk, uint64_t now_ms);

/* Takes the preface and the head of a frame from `bytes`, once the payload of the one before was
 * passed.  PX_OK: walk->frame is there, and walk->left bytes of payload come.  PX_AGAIN: more bytes
 * are needed.  PX_ERR_MALFORMED: the connection ends with *out_error. */
PX_MUST_CHECK px_err h2_walk_next(struct h2_walk *walk, px_str bytes, size_t *out_used,
                                  uint32_t *out_error);

/* So many bytes of the payload were taken. */
static inline void h2_walk_pass(struct h2_walk *walk, uint32_t bytes)
{
    walk->left -= bytes;
}

/* Whether a stream was never opened: idle (RFC 9113 section 5.1), or the other side's. */
static inline bool h2_walk_is_idle(const struct h2_walk *walk, uint32_t stream)
{
    return !(stream & 1) || stream > walk->last_stream;
}

/* Names what has begun and is not whole: a header block, or a frame other than DATA, which a rate
 * is taken of.  0: nothing.  Another frame has another name, so that a peer whose bytes happen to
 * end within one after the other is not taken for one that trickles. */
uint32_t h2_walk_unfinished(const struct h2_walk *walk);

/* States what must hold between two feeds; for tests. */
void h2_walk_check(const struct h2_walk *walk);

/* Counts what did not come as a frame: a reset that the peer forced on us, DATA that we sent. */
void h2_walk_count(struct h2_walk *walk, enum h2_budget budget);

/* Counts what its caller has found in a frame: H2_NO_ERROR, or ENHANCE_YOUR_CALM when it was one
 * too many. */
uint32_t h2_walk_spend(struct h2_walk *walk, enum h2_budget budget);

#endif
