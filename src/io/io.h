/*
 * The seam between pollux and the kernel: what an engine does for streams, listeners and watches.
 *
 * THE STREAM CONTRACT.  The seam is at the stream, with completion discipline.  Readiness ("the
 * descriptor can be read now") exists only inside engine_epoll.c, and in px_watch for descriptors
 * of foreign libraries; everything above is told "these bytes arrived" and "this send ended".  An
 * engine on io_uring can therefore replace engine_epoll.c without a change above it.
 *
 *  1. A handle is attached to the engine once and detached once.  No system call per operation
 *     registers interest.  A stream that is answered before it ever blocks is never registered at
 *     all.  Events carry slot and generation, checked before use, so that an event that was fetched
 *     before a handle ended cannot reach its successor.
 *  2. Receiving is a subscription.  The receiver returns how many bytes it used; the stream keeps
 *     the rest in one bounded inbox and presents it first, contiguous with what follows.  Chunks
 *     are borrowed until the callback returns, so an idle connection holds no buffer.  Partial
 *     heads, pipelining behind a slow handler and back-pressure are this one mechanism.  The inbox
 *     bytes of a loop are capped too.
 *  3. Stopping is exact: after recv_stop nothing is delivered until recv_start.  recv_start never
 *     calls back; bytes that were kept come from the loop even if the socket stays silent.
 *  4. A reset is reported once, even while stopped.  EOF comes in order, after the last byte.  EOF
 *     after a whole request is half-close, not departure.
 *  5. One send is in flight a stream: a list of parts, each memory or a file range.  sent_bytes
 *     advances as the kernel takes them, so that a slow reader can be told from a dead one.
 *  6. Submitting returns DONE (no callback follows) or PENDING (exactly one follows, from the
 *     loop).  Errors come from the loop.  So nothing recurses and the stack is bounded.
 *  7. From the call of close: no data, end or error.  A send in flight reports once, then
 *     on_closed, then nothing.  A later close may only hasten.  Memory is reaped at the end of the
 *     tick.  release detaches and hands back the descriptor and the unread bytes.
 *  8. Work per handle and tick is bounded in bytes and callbacks (limits.h).  What is out of budget
 *     goes on the *again* list; while that list is not empty the wait does not block.
 *  9. The clock is read after the wait and again before timers fire, and passed down.  Only the
 * loop knows it.
 * 10. A caller that steps the loop has its descriptor, its next timeout and a step call, and needs
 *     all three.
 *
 * Order at the end of a tick: reports of cancelled operations, hooks of LOOP_ENDS (exchanges say
 * on_end), on_closed, hooks of LOOP_LAST (a server says drained, logs are flushed).
 */
#ifndef PX_IO_IO_H
#define PX_IO_IO_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/budget.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/work.h"
#include "io/inbox.h"
#include "io/loop_told.h"
#include "io/timer.h"
#include "pollux/loop.h"
#include "pollux/stream.h"

enum handle_kind { HANDLE_STREAM, HANDLE_ACCEPTOR, HANDLE_WATCH };

enum { SLOT_NONE = UINT32_MAX };

/* What an engine holds of every descriptor. */
struct io_handle {
    struct list work; /* on the again list, or on the closing list once it is closing */
    px_loop *loop;    /* borrowed: outlives the handle */
    int fd;           /* owned, but for a watch */
    uint32_t slot;    /* in the engine's table, or SLOT_NONE while not registered */
    uint8_t kind;     /* enum handle_kind */
    uint8_t ready;    /* private to the engine */
    uint16_t flags;   /* enum stream_flags for a stream */
};

/* A handle that the engine does not know yet; its owner has zeroed it. */
static inline void handle_init(struct io_handle *handle, px_loop *loop, int fd, uint8_t kind)
{
    list_init(&handle->work);
    handle->loop = loop;
    handle->fd = fd;
    handle->slot = SLOT_NONE;
    handle->kind = kind;
}

enum stream_flags {
    STREAM_RECV = 1 << 0,        /* receiving is wanted */
    STREAM_PRESENT = 1 << 1,     /* the inbox is to be presented without new bytes */
    STREAM_ENDED = 1 << 2,       /* on_recv_end was called */
    STREAM_SENDING = 1 << 3,     /* a send is in flight */
    STREAM_CLOSING = 1 << 4,     /* close was called */
    STREAM_RESET = 1 << 5,       /* ... and the peer is to see a reset */
    STREAM_RUNNING = 1 << 6,     /* the engine is inside of its callbacks */
    STREAM_OWNED = 1 << 7,       /* allocated by the loop, freed after on_closed */
    STREAM_SHUT = 1 << 8,        /* our side has ended */
    STREAM_EAGER = 1 << 9,       /* accepted with its first bytes there: read at once */
    STREAM_DETACHED = 1 << 10,   /* released: the descriptor is not ours any more */
    STREAM_FULL = 1 << 11,       /* it ended because its inbox found no room */
    STREAM_LEFT = 1 << 12,       /* the loop's on_left was called */
    STREAM_TELLS_LEFT = 1 << 13, /* ... as its owner wants */
    /* Where unread bytes are short it receives no more at once than is set aside for each: its
     * receiver may have to leave them, and has what others do for them.  Not for what must be whole
     * to be of use. */
    STREAM_FRUGAL = 1 << 14
};

/* A stream.  Embedded in a connection, or allocated for a public caller (STREAM_OWNED). */
struct px_stream {
    struct io_handle handle;
    const px_stream_events *events; /* borrowed: static */
    void *context;                  /* borrowed: outlives the stream */
    struct inbox inbox;             /* bytes the receiver has not used yet */
    const px_part *parts;           /* borrowed while STREAM_SENDING: the first part not sent yet */
    uint32_t part_count;
    uint16_t send_errno;  /* a failure that the loop has yet to report */
    uint16_t file_whole;  /* pieces of a file in a row that the system took whole; bounded */
    uint64_t part_offset; /* bytes of the first part that were taken */
    uint64_t sent_bytes;
};

/* One listening socket. */
struct io_acceptor {
    struct io_handle handle;
    /* A connection was accepted: the descriptor is the callee's.  `address` is what accept gave,
     * borrowed. */
    void (*on_socket)(struct io_acceptor *acceptor, int fd, const void *address, uint32_t bytes);
    /* An accept failed; accepting goes on by itself after a pause where that helps. */
    void (*on_error)(struct io_acceptor *acceptor, int sys_errno);
    /* A connection has waited in a queue that stands for so long that its client has likely left:
     * true to close it at once, false (or NULL) to have it as any other. */
    bool (*on_late)(struct io_acceptor *acceptor);
    void *context;
    struct io_timer retry; /* after EMFILE and its like */
    uint64_t standing_ms;  /* since when the queue was not seen empty, or 0 */
    bool eager;            /* deferred accept: the first bytes are there */
    bool shared;           /* no socket of its own: other processes may wait at it */
};

struct px_watch {
    struct io_handle handle;
    void (*on_ready)(px_watch *watch, unsigned events, void *context);
    void *context;
    unsigned events;
    bool owned; /* allocated by px_watch_create */
};

/* LOOP_CHECKS, in builds for tests: states what must hold between ticks. */
enum loop_phase { LOOP_ENDS, LOOP_LAST, LOOP_CHECKS, LOOP_PHASE_COUNT };

/* Something that runs at the end of every tick. */
struct loop_hook {
    struct list node;
    void (*run)(struct loop_hook *hook);
};

/* Something that runs once, in this tick or the next, which then does not block. */
struct loop_task {
    struct list node;
    void (*run)(struct loop_task *task);
};

/* What lives on a loop and has a name that is never given twice. */
struct loop_tenant {
    struct list node;
    uint64_t id;
};

struct engine;
struct mailbox_post;
struct helpers;

struct px_loop {
    px_allocator allocator;
    struct engine *engine; /* owned */
    struct list again;     /* handles with work left */
    struct list tasks;     /* loop_task */
    struct list tenants;   /* loop_tenant */
    uint64_t tenant_last;
    struct list closing; /* handles to be reaped at the end of the tick */
    struct list streams; /* all that stream_create made */
    struct list hooks[LOOP_PHASE_COUNT];
    struct list caches;          /* loop_cache */
    struct io_timer cache_timer; /* for the one that is due first; made on demand */
    struct timer_heap timers;
    uint64_t now_ms;
    uint64_t now_us; /* the same clock, for what ticks cost */
    int64_t unix_time;
    char *chunk;          /* owned: RECV_CHUNK_BYTES, where streams receive */
    struct budget memory; /* what peers make it keep */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t tick;           /* counts ticks, so that work a tick can be bounded */
    uint64_t tick_since_us;  /* since when the tick works, or 0: that is known already */
    uint64_t tick_bytes;     /* received and sent before it */
    uint64_t turn_bytes;     /* likewise, before the turn that runs now */
    uint32_t tick_callbacks; /* of this tick, so far */
    struct work work;
    /* A peer has ended its side, though nothing is received from it now and what it sent before may
     * be unread: of streams with STREAM_TELLS_LEFT, once. */
    void (*on_left)(px_stream *stream);
    struct loop_told told;
    uint32_t handle_count;
    uint32_t helper_threads_max;
    uint32_t helper_jobs;       /* that were submitted and are not done */
    px_mailbox *mailbox;        /* a reference */
    struct px_watch wake;       /* the mailbox's eventfd */
    struct helpers *helpers;    /* owned, made on demand */
    struct signal_set *signals; /* owned, made on demand */
    void *socket_terms;         /* borrowed: of the last WebSocket, for the next; NULL */
    void *name_servers;         /* owned: what net has names looked up with; NULL: the system's */
    char *origin;               /* owned: a page that is zero in a fork, or NULL */
    bool ticking;               /* inside of a tick, with SIGPIPE blocked */
    bool ending;                /* no more work for helpers */
    atomic_bool stop;
};

/* --- Streams (stream.c) --------------------------------------------------------------------- */

/* Makes a stream of a connected, non-blocking descriptor; it then belongs to the stream. */
void stream_init(px_stream *stream, px_loop *loop, int fd, bool eager);

/* A stream allocated by the loop, freed after its on_closed; NULL without memory. */
px_stream *stream_create(px_loop *loop, int fd, bool eager);

/* Hands received bytes to the receiver; for the engine.  `bytes` lie in the loop's chunk, or at the
 * inbox's end, where `stream_recv_room` said. */
void stream_deliver(px_stream *stream, char *bytes, size_t count);

/* Presents what is kept, without new bytes; for the engine. */
void stream_present(px_stream *stream);

/* Where to receive to: the loop's chunk when the inbox is empty, else room at its end.  0 when
 * there is none to be had. */
size_t stream_recv_room(px_stream *stream, char **out_ptr);

void stream_report_end(px_stream *stream, px_err reason);
void stream_report_sent(px_stream *stream, px_err result);

/* The peer has ended its side: tells the loop's on_left, once, of a stream that does not receive
 * and so would not hear of it. */
void stream_report_left(px_stream *stream);

/* Reaps a closing stream, in two steps. */
void stream_cancel(px_stream *stream);
void stream_reap(px_stream *stream);

/* Closes what stream_create made and is still open. */
void streams_close(px_loop *loop);

/* --- Checking (loop_check.c), for tests ------------------------------------------------------- */

/* States what must hold between two callbacks of a stream. */
void stream_check(const px_stream *stream);

/* States what must hold at the end of a tick. */
void loop_check(const px_loop *loop);

/* --- Loop (loop.c) -------------------------------------------------------------------------- */

/* Has a handle run again in this tick or the next, which then does not block. */
static inline void loop_again(px_loop *loop, struct io_handle *handle)
{
    if (!list_linked(&handle->work))
        list_append(&loop->again, &handle->work);
}

static inline void loop_task_add(px_loop *loop, struct loop_task *task)
{
    if (!list_linked(&task->node))
        list_append(&loop->tasks, &task->node);
}

static inline void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task))
{
    list_init(&task->node);
    task->run = run;
}

/* Names a tenant; taking its node off the list ends it. */
uint64_t loop_tenant_add(px_loop *loop, struct loop_tenant *tenant);
struct loop_tenant *loop_tenant_find(px_loop *loop, uint64_t id);

/* Bytes that the peer's system has acknowledged: they advance while a slow reader reads, even where
 * the kernel's buffer has no room for more of ours.  A system call. */
uint64_t stream_acked_bytes(const px_stream *stream);

/* A stream that has ended since its inbox found no room drops what it kept, and may receive again:
 * for a receiver that lingers, and drops all that comes. */
void stream_reopen(px_stream *stream);

/* A stream has no unread bytes that we know of: closing it will not cut an answer short. */
bool stream_is_drained(const px_stream *stream);

void loop_close(struct io_handle *handle);
void loop_hook_add(px_loop *loop, enum loop_phase phase, struct loop_hook *hook);

/* Reads both clocks. */
void loop_read_clocks(px_loop *loop);

/* What is done belongs to the thread that ticks; looked at in builds for tests, and where the
 * program was started with POLLUX_CHECK_RULES. */
void loop_thread_check(const px_loop *loop);

static inline void loop_used(const px_loop *loop)
{
    if (ASSERTS || PX_UNLIKELY(loop->told.checks_rules))
        loop_thread_check(loop);
}

/* The time from which something is to happen later: inside of a tick that of the tick; outside, in
 * a callback of a foreign loop, the last tick may have been long ago. */
static inline uint64_t loop_now_ms(px_loop *loop)
{
    loop_used(loop);
    if (PX_UNLIKELY(!loop->ticking))
        loop_read_clocks(loop);
    return loop->now_ms;
}

/* The turns of a tick: its events, what it has left over, its tasks. */
static inline void loop_turn_begin(px_loop *loop)
{
    loop->turn_bytes = loop->bytes_received + loop->bytes_sent;
}

/* What all streams have moved in this turn. */
static inline uint64_t loop_turn_bytes(const px_loop *loop)
{
    return loop->bytes_received + loop->bytes_sent - loop->turn_bytes;
}

/* The wait of a tick is over and the clocks were read; for the engine.  A wait that did not block
 * tells how long the tick before it took, where nothing else has. */
void loop_woke(px_loop *loop, bool blocked);

#endif
