/*
 * The event loop: one thread, one loop, nothing global.
 *
 * A loop runs itself (px_loop_run) or is stepped by a program that has a loop of its own
 * (px_loop_fd, px_loop_timeout_ms, px_loop_step).  Everything that lives on a loop is used on the
 * loop's thread only, except where a function says "any thread".
 */
#ifndef PX_LOOP_H
#define PX_LOOP_H

#include <stdint.h>

#include "pollux/alloc.h"
#include "pollux/error.h"
#include "pollux/options.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_loop px_loop;       /**< An event loop. */
typedef struct px_timer px_timer;     /**< A timer on a loop. */
typedef struct px_watch px_watch;     /**< A foreign descriptor on a loop. */
typedef struct px_mailbox px_mailbox; /**< The way into a loop from other threads. */

/** Options of a loop. */
typedef struct px_loop_options {
    size_t struct_size;            /**< sizeof(px_loop_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc, realloc and free. */
    uint64_t inbox_bytes_max;      /**< Received and unread bytes of all streams; 0: 64 MiB. */
    uint32_t helper_threads_max;   /**< Threads for blocking work, started on demand; 0: 4. */
    uint32_t reserved;             /**< Zero. */
} px_loop_options;

/** The defaults, as a value.  Any thread. */
static inline px_loop_options px_loop_options_default(void)
{
    px_loop_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_loop_options, as a value. */
#define PX_LOOP_OPTIONS_DEFAULT px_loop_options_default()
/** The same as an initialiser of a static. */
#define PX_LOOP_OPTIONS_INIT PX_INIT_OF(px_loop_options)

/** Makes a loop.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @param out_error written when not NULL.
 *  @return the loop, owned by the caller (px_loop_destroy), or NULL: PX_ERR_MEMORY, PX_ERR_LIMIT
 *  (descriptors), PX_ERR_INVALID (options), PX_ERR_SYSTEM.
 *  The calling thread becomes the loop's thread when it first runs or steps it. */
px_loop *px_loop_create(const px_loop_options *options, px_error *out_error);

/** Ends a loop: closes the streams that are still open (their on_closed come), cancels what was
 *  posted (each call runs once, with PX_ERR_CANCELLED), waits for blocking work in progress and
 * frees everything.  Servers, listeners, timers, watches and dials on it must be gone: run or step
 * it until px_loop_handle_count counts streams alone.
 *  @param loop owned; NULL is fine.  The loop's thread, outside of callbacks. */
void px_loop_destroy(px_loop *loop);

/** Runs until px_loop_stop.  SIGPIPE is blocked in this thread meanwhile, and restored after.
 *  @return PX_OK after a stop, PX_ERR_INVALID in a fork (px_loop_after_fork), else PX_ERR_SYSTEM.
 *  The loop's thread, outside of callbacks. */
PX_MUST_CHECK px_err px_loop_run(px_loop *loop, px_error *out_error);

/** Makes px_loop_run return at the end of the current tick; remembered when it is not running.
 *  Any thread, and async-signal-safe. */
void px_loop_stop(px_loop *loop);

/** The descriptor that becomes readable when px_loop_step has something to do.
 *  Owned by the loop: poll it, do not read or close it.  The loop's thread. */
int px_loop_fd(const px_loop *loop);

/** How long the caller may wait on px_loop_fd before the next step.
 *  @return milliseconds, 0 when there is work right now, -1 when there is no deadline.
 *  The loop's thread. */
int px_loop_timeout_ms(px_loop *loop);

/** One tick: takes the events that are there, runs callbacks and due timers, never blocks.
 *  A caller with a loop of its own needs all three: wait for px_loop_fd at most px_loop_timeout_ms,
 * then step.  @return PX_OK, PX_ERR_SYSTEM, or PX_ERR_INVALID in a fork (px_loop_after_fork). The
 * loop's thread, outside of callbacks. */
PX_MUST_CHECK px_err px_loop_step(px_loop *loop, px_error *out_error);

/** One tick that may block: waits until there is something to do, at most `timeout_ms` (-1: without
 *  an end), takes the events, runs callbacks and due timers.  It may return early and with nothing
 *  done: call it in a loop over what is waited for, such as px_loop_handle_count.  px_loop_stop
 * ends the wait and is remembered for the next px_loop_run.  SIGPIPE is blocked meanwhile.
 *  @return as px_loop_step.  The loop's thread, outside of callbacks. */
PX_MUST_CHECK px_err px_loop_wait(px_loop *loop, int timeout_ms, px_error *out_error);

/** In a child of fork(2), makes a loop that its parent made work here: descriptors are registered
 *  anew, so that signals (px_loop_signal) and connections are those of this process.  Without it
 *  px_loop_run and px_loop_step fail with PX_ERR_INVALID.  Parent and child then share the sockets
 * of streams and listeners: the child of a program that goes to the background is meant, whose
 * parent exits.
 *  @return PX_OK; PX_ERR_INVALID when helper threads had been started before the fork
 * (px_loop_work, file content, names looked up): the child has none of them; PX_ERR_LIMIT or
 * PX_ERR_SYSTEM, and then the loop cannot be used.  The loop's thread, outside of callbacks. */
PX_MUST_CHECK px_err px_loop_after_fork(px_loop *loop, px_error *out_error);

/** Has names that are dialled on this loop looked up at these name servers, by libc's resolver, in
 *  place of those of the system's configuration; what else that says, and what the system knows
 *  without a server, holds.  Before the first dial.
 *  @param servers addresses with or without a port ("192.0.2.1", "[2001:db8::1]:5353"); read in the
 *  call.  @param count at most 3.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_LIMIT, PX_ERR_MEMORY.  The loop's thread. */
PX_MUST_CHECK px_err px_loop_set_name_servers(px_loop *loop, const char *const *servers,
                                              size_t count, px_error *out_error);

/** Checks one of them as written: PX_OK, or PX_ERR_INVALID with a line that says what is wrong. Any
 *  thread. */
PX_MUST_CHECK px_err px_name_server_check(const char *server, px_error *out_error);

/** As px_loop_set_name_servers, for what the calling thread looks up by itself, with getaddrinfo.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_LIMIT, PX_ERR_MEMORY.  Any thread, for itself alone. */
PX_MUST_CHECK px_err px_name_servers_use(const char *const *servers, size_t count,
                                         px_error *out_error);

/** Milliseconds of the monotonic clock: at the start of this tick, or now when no tick runs.
 *  The loop's thread. */
uint64_t px_loop_now_ms(const px_loop *loop);

/** Seconds of the real-time clock (Unix time): at the start of this tick, or now when no tick runs.
 *  The loop's thread. */
int64_t px_loop_unix_time(const px_loop *loop);

/** Streams, listeners, watches, timers and dials that are not closed yet.  The loop's thread. */
uint32_t px_loop_handle_count(const px_loop *loop);

/* --- Calls from other threads ------------------------------------------------------------- */

/** A posted call.  @param status PX_OK on the loop's thread, or PX_ERR_CANCELLED when the loop
 * ended first (then on the thread that destroyed it).  @param context as posted. */
typedef void (*px_post_fn)(px_err status, void *context);

/** Runs `call` on the loop's thread, once, soon.  Calls of one thread keep their order.
 *  @return PX_OK or PX_ERR_MEMORY.  Any thread, while the loop is known to exist; where that is not
 *  known, use a mailbox. */
PX_MUST_CHECK px_err px_loop_post(px_loop *loop, px_post_fn call, void *context);

/** The loop's mailbox, which outlives it.  @return a reference of the caller's own
 *  (px_mailbox_release), never NULL.  The loop's thread. */
px_mailbox *px_loop_mailbox(px_loop *loop);

/** As px_loop_post.  @return PX_OK, PX_ERR_MEMORY, or PX_ERR_CLOSED when the loop is gone: then
 *  `call` does not run.  Any thread. */
PX_MUST_CHECK px_err px_mailbox_post(px_mailbox *mailbox, px_post_fn call, void *context);

/** A call that was posted for later, as long as its poster wants to take it back. */
typedef struct px_posted px_posted;

/** As px_mailbox_post, after a time.
 *  @param delay_ms from now; `call` runs on the loop's thread, not before.  Its status may also be
 *  PX_ERR_MEMORY: there is none to wait with.
 *  @param out_posted to be given back with px_posted_release; NULL: it is never taken back.
 *  @return as px_mailbox_post.  Any thread. */
PX_MUST_CHECK px_err px_mailbox_post_after(px_mailbox *mailbox, uint32_t delay_ms, px_post_fn call,
                                           void *context, px_posted **out_posted);

/** Takes a call back.  @return PX_OK: it does not run, and its context is the caller's again;
 *  PX_ERR_CLOSED: it has run, or runs just now, or was taken back before.  Any thread. */
PX_MUST_CHECK px_err px_posted_cancel(px_posted *posted);

/** Gives it back; it runs all the same.  NULL is fine.  Any thread. */
void px_posted_release(px_posted *posted);

/** Takes another reference.  Any thread. */
px_mailbox *px_mailbox_retain(px_mailbox *mailbox);

/** Drops a reference; NULL is fine.  Any thread. */
void px_mailbox_release(px_mailbox *mailbox);

/** Runs `work` on a helper thread (for calls that block), then `done` on the loop's thread.
 *  @param work on a helper thread: must not touch anything of the loop.
 *  @param done with PX_OK, or PX_ERR_CANCELLED when the loop ended before `work` began.
 *  @param context handed to both.
 *  @return PX_OK, PX_ERR_MEMORY, PX_ERR_LIMIT (queue full) or PX_ERR_CLOSED (the loop is being
 *  destroyed).  The loop's thread. */
PX_MUST_CHECK px_err px_loop_work(px_loop *loop, void (*work)(void *context), px_post_fn done,
                                  void *context);

/* --- Timers ------------------------------------------------------------------------------- */

/** Makes a timer that is not started.
 *  @param on_timer called on the loop's thread when it is due; may start it again or destroy it.
 *  @return owned by the caller (px_timer_destroy), or NULL without memory.  The loop's thread. */
px_timer *px_timer_create(px_loop *loop, void (*on_timer)(px_timer *timer, void *context),
                          void *context);

/** Starts it, or starts it anew: it fires once, not before `delay_ms` milliseconds from this tick's
 *  start, or from now when no tick runs.  Cannot fail.  The loop's thread. */
void px_timer_start(px_timer *timer, uint32_t delay_ms);

/** Stops it: it does not fire until started again.  The loop's thread. */
void px_timer_stop(px_timer *timer);

/** Stops and frees it; NULL is fine, and so is its own callback.  The loop's thread. */
void px_timer_destroy(px_timer *timer);

/* --- Signals ------------------------------------------------------------------------------ */

/** Has `on_signal` called on the loop's thread when the process gets `signal_number`.  No handler
 * is installed: the signal is blocked in the calling thread and read from a descriptor, so block it
 *  in other threads too (start them after this call).  One that the process ignores is set to its
 *  default meanwhile.  Undone by px_loop_destroy.
 *  @return PX_OK, PX_ERR_CONFLICT (taken already), PX_ERR_INVALID, PX_ERR_MEMORY, PX_ERR_SYSTEM.
 *  The loop's thread. */
PX_MUST_CHECK px_err px_loop_signal(px_loop *loop, int signal_number,
                                    void (*on_signal)(int signal_number, void *context),
                                    void *context, px_error *out_error);

/* --- Foreign descriptors ------------------------------------------------------------------ */

/** What a watch looks for, or has seen; a set of bits. */
enum px_watch_events {
    PX_WATCH_READ = 1,  /**< Readable, or at its end. */
    PX_WATCH_WRITE = 2, /**< Writable. */
    PX_WATCH_ERROR = 4  /**< Broken or hung up; always looked for. */
};

/** Watches a descriptor of another library, level-triggered: `on_ready` is called in every tick in
 *  which one of `events` holds.
 *  @param fd borrowed: stays open until px_watch_destroy.
 *  @return owned by the caller, or NULL: PX_ERR_MEMORY, PX_ERR_CONFLICT (watched already),
 *  PX_ERR_INVALID (not a pollable descriptor), PX_ERR_SYSTEM.  The loop's thread. */
px_watch *px_watch_create(px_loop *loop, int fd, unsigned events,
                          void (*on_ready)(px_watch *watch, unsigned events, void *context),
                          void *context, px_error *out_error);

/** Looks for other events from now on.  @return PX_OK or PX_ERR_SYSTEM.  The loop's thread. */
PX_MUST_CHECK px_err px_watch_change(px_watch *watch, unsigned events);

/** Ends the watch; no callback follows.  NULL is fine, and so is its own callback.  Does not close
 * the descriptor.  The loop's thread. */
void px_watch_destroy(px_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
