/*
 * A conduit that is TLS over a stream, for either role.
 *
 * The stream belongs to an owner: a server's connection, or a client's.  The owner makes the
 * conduit, hears of the end of the handshake (`opened`), and then attaches a protocol, which does
 * not know the difference to a stream.  Objects are of a pool of `struct tls_shared`, of which an
 * owner of many conduits has one for each loop.  What can go wrong is told by `failed`.
 *
 *   tls_shared.c   making and freeing, the handshake
 *   tls_conduit.c  the conduit's table, receiving, the end
 *   tls_send.c     sending: sealing content of memory and files into the session's queue
 */
#ifndef PX_CONDUIT_TLS_CONDUIT_H
#define PX_CONDUIT_TLS_CONDUIT_H

#include "conduit/conduit.h"
#include "io/file.h"
#include "tls/tls_session.h"

struct tls_conduit;

/* What a conduit tells the owner of its stream.  In each of them the owner may close. */
struct tls_owner {
    /* The handshake is done: a protocol is to be attached now. */
    void (*opened)(struct tls_conduit *tls, void *context);

    /* The peer's first bytes are plain HTTP.  The owner takes the stream over by
     * tls_conduit_leave, or closes.  NULL: they are read as TLS, which they are not. */
    void (*plain)(struct tls_conduit *tls, void *context);

    /* No protocol will be attached: PX_ERR_MALFORMED (an alert is on its way: the stream should
     * linger), PX_ERR_CLOSED (the peer is gone), PX_ERR_MEMORY.  May come again when the peer
     * leaves afterwards. */
    void (*failed)(struct tls_conduit *tls, px_err reason, void *context);

    /* Bytes have come behind the end, or behind a handshake that failed, and were dropped. */
    void (*dropped)(struct tls_conduit *tls, size_t bytes, void *context);

    /* It is closed but for a close_notify that the peer has yet to read: true when the owner
     * closes it (conduit_close) after a time, false when that is not to be waited for. */
    bool (*linger)(struct tls_conduit *tls, void *context);

    /* That wait is over. */
    void (*parted)(struct tls_conduit *tls, void *context);

    /* The stream is gone, and no protocol was attached that would hear of it. */
    void (*gone)(struct tls_conduit *tls, void *context);
};

/* What the TLS conduits of a loop's server, or client, share. */
struct tls_shared {
    px_loop *loop;                 /* borrowed: outlives it */
    struct pool conduits;          /* of struct tls_conduit */
    struct pool blocks;            /* of struct tls_block */
    struct list handshaking;       /* of struct tls_conduit: the oldest first */
    uint32_t handshake_count;      /* on that list */
    struct list gone;              /* of struct tls_conduit: freed at the end of the tick */
    struct loop_hook last;         /* frees them */
    struct loop_hook checks;       /* in builds for tests: tls_shared_check */
    char opened[RECV_CHUNK_BYTES]; /* what was opened last, while its receiver looks at it */
    char gathered[TLS_FILL_BYTES]; /* small parts and files, while they are sealed */
};

/* Content of a file that a helper thread reads. */
struct tls_read {
    struct file_read read;
    struct tls_conduit *tls; /* borrowed; NULL once it is gone: then this frees itself */
    px_loop *loop;           /* borrowed: outlives it */
    uint32_t at;             /* what of it was sealed */
    uint32_t len;            /* 0 while it is being read */
    int fd;                  /* owned: a duplicate, since the send may be cancelled meanwhile */
    char bytes[TLS_RECORD_BYTES];
};

/* How far it is. */
enum tls_stage {
    TLS_SILENT,    /* no byte of the peer has come */
    TLS_HANDSHAKE, /* the handshake is going on */
    TLS_FAILED,    /* ... and has failed: what still comes is dropped */
    TLS_OPEN,      /* a protocol speaks */
    TLS_PARTING,   /* closed, but for a close_notify that is on its way */
    TLS_CLOSING    /* the stream closes */
};

/* What the protocol wants of receiving. */
enum tls_receiving {
    TLS_RECV_STOPPED,
    TLS_RECV_STARTED, /* it has not been shown all that is here since it began to */
    TLS_RECV_WAITING, /* it has */
    TLS_RECV_ENDED    /* the end was reported */
};

enum tls_sending {
    TLS_SEND_NONE,
    TLS_SEND_CONTENT, /* a send of the protocol is in flight */
    TLS_SEND_SHUT     /* the protocol has ended its side */
};

struct tls_conduit {
    struct pool_item item;
    struct list node;               /* during the handshake, and on its way to the pool */
    struct tls_shared *shared;      /* borrowed: outlives it */
    px_stream *stream;              /* borrowed: the owner's */
    const struct tls_owner *owner;  /* borrowed: static */
    void *owner_context;            /* borrowed: until `gone`, or the protocol's on_closed */
    const px_stream_events *events; /* borrowed: the protocol's; NULL before it is attached */
    void *context;                  /* borrowed: the protocol's */
    struct loop_task wake;          /* goes on with what no event of the stream will go on with */
    struct tls_session session;
    struct inbox inbox;   /* content that the protocol has not used yet */
    const px_part *parts; /* borrowed while sending: the first one not sealed yet */
    uint32_t part_count;
    uint32_t flushing;     /* bytes of the queue in the stream's send */
    uint32_t worked;       /* opening records in ... */
    uint32_t worked_tick;  /* ... this tick, its lower half; in units of base/work.h */
    uint64_t part_offset;  /* bytes of the first part that were sealed */
    struct tls_read *read; /* owned: the read of a file, or NULL */
    uint64_t written_ms;   /* when content was last sealed */
    uint32_t kept_bytes;   /* of BUDGET_SESSIONS */
    uint8_t stage;         /* enum tls_stage */
    uint8_t receiving;     /* enum tls_receiving */
    uint8_t sending;       /* enum tls_sending */
    uint8_t end;           /* px_err: how receiving ended; PX_AGAIN: it has not */
    uint8_t send_error;    /* px_err: a failure that the loop has yet to report, or PX_OK */
    bool corked;  /* what is sealed waits for the end of on_recv, and leaves with the rest of it */
    bool starved; /* records wait in the stream for room to be answered in */
    px_part flushed[TLS_BLOCKS_MAX]; /* what the stream's send is of */
};

extern const struct conduit_ops tls_conduit_ops;

static inline bool conduit_is_tls(const struct conduit *conduit)
{
    return conduit->ops == &tls_conduit_ops;
}

static inline struct tls_conduit *tls_conduit_of(const struct conduit *conduit)
{
    return conduit->below;
}

/* --- tls_shared.c ----------------------------------------------------------------------------- */

/* For at most `count_max` conduits at once, and so many blocks of what they have sealed. */
void tls_shared_init(struct tls_shared *shared, px_loop *loop, uint32_t count_max,
                     uint32_t block_count_max);

/* What a conduit keeps from now on, of the loop's budget: false when there is no room for more. */
bool tls_kept_set(struct tls_conduit *tls, uint32_t bytes);

/* The same, of one that is open: a record that has come in part is kept. */
bool tls_kept_look(struct tls_conduit *tls);

/* No conduit may be in use. */
void tls_shared_deinit(struct tls_shared *shared);

/* States what must hold between ticks; for tests. */
void tls_shared_check(struct tls_shared *shared);

/* The conduit whose handshake has taken the longest, or NULL. */
struct tls_conduit *tls_shared_oldest(const struct tls_shared *shared);

/* Makes a conduit on the server's side of a stream, attaches itself to the stream and begins to
 * receive; `conduit` is what the protocol will speak through.  NULL without memory: the stream is
 * as it was. */
struct tls_conduit *tls_conduit_accept(struct tls_shared *shared, struct conduit *conduit,
                                       px_stream *stream, px_tls *settings,
                                       const struct tls_owner *owner, void *context);

/* The same on the client's side, with a host and what is offered by ALPN (tls_session_connect); the
 * first flight is on its way. */
struct tls_conduit *tls_conduit_connect(struct tls_shared *shared, struct conduit *conduit,
                                        px_stream *stream, px_tls_trust *trust, px_str host,
                                        enum tls_offer offer, const struct tls_owner *owner,
                                        void *context);

/* Goes on with the handshake after bytes have come. */
void tls_handshake(struct tls_conduit *tls, px_str bytes);

/* It ends, one way or the other: before the stage changes. */
void tls_handshake_leave(struct tls_conduit *tls);

/* Lets go of the stream, which stays the owner's: to be freed at the end of the tick.  In `plain`,
 * or when the stream has closed. */
void tls_conduit_leave(struct tls_conduit *tls);

/* --- tls_conduit.c ---------------------------------------------------------------------------- */

extern const px_stream_events tls_stream_events;

void tls_wake(struct loop_task *task);

/* Shows the protocol all it wants to see, within the budget of a stream. */
void tls_content_run(struct tls_conduit *tls);

/* Nothing is waited for any more: the stream closes. */
void tls_part(struct tls_conduit *tls);

/* Has the stream present records that were left with it: for a turn of others, or for lack of room
 * for what they have to be answered with. */
void tls_recv_again(struct tls_conduit *tls);

/* --- tls_send.c ------------------------------------------------------------------------------- */

/* Hands the queue to the stream; false while something of it is in flight. */
bool tls_flush(struct tls_conduit *tls);

px_sent tls_send(struct conduit *conduit, const px_part *parts, size_t count);

/* Goes on with the send in flight, if any, and reports its end; for the loop. */
void tls_send_resume(struct tls_conduit *tls);
void tls_on_sent(px_stream *stream, px_err result, void *context);

/* The read of a file is not waited for any more. */
void tls_read_forget(struct tls_conduit *tls);

#endif
