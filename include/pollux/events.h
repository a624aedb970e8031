/*
 * Server-sent events (WHATWG HTML, section 9.2): a stream of text events over plain HTTP.
 *
 * A handler calls px_events_accept and then px_events_send as long as it likes.  Each event leaves
 * at once, through compression too.  A px_events lives until its on_close has returned.  The thread
 * of the server's loop.
 */
#ifndef PX_EVENTS_H
#define PX_EVENTS_H

#include "pollux/exchange.h"
#include "pollux/websocket.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_events px_events; /**< A stream of events to one peer. */

/** How a stream of events is begun.  Zero is the default everywhere. */
typedef struct px_events_options {
    size_t struct_size;         /**< sizeof(px_events_options). */
    uint32_t retry_ms;          /**< How long the peer waits before it comes back; 0: not said. */
    uint32_t heartbeat_ms;      /**< A comment after so long without an event; 0: 15 s; PX_OFF. */
    uint32_t backlog_bytes_max; /**< What may wait for the peer to read; 0: 1 MiB. */
    /** A px_backlog: with PX_BACKLOG_CLOSE the stream ends, and the peer comes back. */
    uint32_t backlog;
    uint32_t lifetime_ms; /**< Until it ends; 0: for ever. */
    uint32_t reserved;    /**< Zero. */
    /** After PX_FULL: half of the backlog has gone out. */
    void (*on_drain)(px_events *stream, void *context);
    /** The end, exactly once: the last use of `stream`.  @param end PX_END_COMPLETE after
     *  px_events_close, lifetime_ms or a drain, PX_END_PEER_GONE when the peer has left. */
    void (*on_close)(px_events *stream, px_end end, void *context);
    void *context; /**< Handed to both; borrowed until on_close has returned. */
} px_events_options;

/** The defaults, as a value.  Any thread. */
static inline px_events_options px_events_options_default(void)
{
    px_events_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_events_options, as a value. */
#define PX_EVENTS_OPTIONS_DEFAULT px_events_options_default()
/** The same as an initialiser of a static. */
#define PX_EVENTS_OPTIONS_INIT PX_INIT_OF(px_events_options)

/** Answers 200 with `text/event-stream`, `Cache-Control: no-cache` and `X-Accel-Buffering: no`, and
 *  the stream is open.  Sets the callbacks of the exchange.  Fields may be added before.
 *  @param options borrowed for the call; NULL: the defaults.  What is not known in it aborts.
 *  @return the stream, or NULL, and nothing is called: it was answered 503, for memory, or a rule
 *  was broken (the options, a second answer). */
px_events *px_events_accept(px_exchange *exchange, const px_events_options *options);

/** Sends an event.
 *  @param id becomes Last-Event-ID; absent: none.  @param event its name; absent: "message".
 *  Neither has CR, LF or NUL.  @param data any text; each of its lines becomes a line of data.
 *  All are copied.
 *  @return PX_OK: it will be sent; PX_FULL: it was not taken, by the policy (with PX_BACKLOG_PAUSE
 *  and PX_BACKLOG_DROP alike on_drain follows); PX_ERR_CLOSED: the stream is ending;
 *  PX_ERR_MEMORY: it was not taken; PX_ERR_INVALID: the id or the name, or no stream (NULL). */
px_err px_events_send(px_events *stream, px_str id, px_str event, px_str data);

/** Ends the stream when what waits has gone out; on_close follows.  NULL is fine. */
void px_events_close(px_events *stream);

/** The peer's Last-Event-ID: the last event that it has seen, when it comes back; absent: none. */
px_str px_events_last_id(const px_events *stream);

/** Its exchange, whose request can be read. */
px_exchange *px_events_exchange(px_events *stream);

/** Keeps a pointer of the program's; NULL at first. */
void px_events_set_user_data(px_events *stream, void *user_data);

/** The pointer that px_events_set_user_data kept. */
void *px_events_user_data(const px_events *stream);

#ifdef __cplusplus
}
#endif

#endif
