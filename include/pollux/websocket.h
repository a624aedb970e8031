/*
 * WebSocket (RFC 6455), with permessage-deflate (RFC 7692), over HTTP/1.1 and HTTP/2 (RFC 8441).
 *
 * A handler calls px_websocket_accept; from then on the table of events tells what comes, and
 * px_websocket_send answers.  A px_websocket lives until its on_close has returned.  The exchange's
 * request stays readable all that time, but with `detach`.  The thread of the server's loop, where
 * nothing else is said.
 */
#ifndef PX_WEBSOCKET_H
#define PX_WEBSOCKET_H

#include "pollux/exchange.h"
#include "pollux/options.h"
#include "pollux/response.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_websocket px_websocket; /**< One end of a WebSocket: ours. */

/** What a message is. */
typedef enum px_websocket_kind {
    PX_WEBSOCKET_TEXT = 1,  /**< UTF-8: checked in what comes, and in what is sent. */
    PX_WEBSOCKET_BINARY = 2 /**< Any bytes. */
} px_websocket_kind;

/** What a WebSocket reports. */
typedef struct px_websocket_events {
    size_t struct_size; /**< sizeof(px_websocket_events): members behind it are NULL. */
    /** A whole message, borrowed until this returns. */
    void (*on_message)(px_websocket *socket, px_websocket_kind kind, px_str message, void *context);
    /** The handshake is answered; from px_websocket_accept, before it returns. */
    void (*on_open)(px_websocket *socket, void *context);
    /** In place of on_message: a piece of a message as it comes, borrowed until this returns;
     * `last` is 1 with its last one, which may be empty. */
    void (*on_piece)(px_websocket *socket, px_websocket_kind kind, px_str piece, int last,
                     void *context);
    /** After PX_FULL: half of the backlog has gone out. */
    void (*on_drain)(px_websocket *socket, void *context);
    /** The peer has answered a ping of ours. */
    void (*on_pong)(px_websocket *socket, uint64_t round_trip_ms, void *context);
    /** The end, exactly once: the last use of `socket`, and then `context`.
     *  @param code what the peer's Close frame says, 1005 where it says nothing; what ours says
     * where we failed the connection (section 7.1.7); 1006 where it ended without.  @param reason
     * UTF-8, borrowed until this returns.  @param clean 1: both ends have said Close. */
    void (*on_close)(px_websocket *socket, unsigned code, px_str reason, int clean, void *context);
} px_websocket_events;

/** A table without callbacks, as a value.  Any thread. */
static inline px_websocket_events px_websocket_events_default(void)
{
    px_websocket_events events;

    memset(&events, 0, sizeof(events));
    events.struct_size = sizeof(events);
    return events;
}

/** The same. */
#define PX_WEBSOCKET_EVENTS_DEFAULT px_websocket_events_default()
/** The same as an initialiser of a static. */
#define PX_WEBSOCKET_EVENTS_INIT PX_INIT_OF(px_websocket_events)

/** What becomes of a message when the backlog is full. */
typedef enum px_backlog {
    PX_BACKLOG_PAUSE, /**< It is not taken (PX_FULL), on_drain follows, and nothing is read
                           meanwhile. */
    PX_BACKLOG_DROP,  /**< It is not taken (PX_FULL). */
    PX_BACKLOG_CLOSE  /**< The WebSocket is closed with 1013, and what waits is dropped. */
} px_backlog;

/** How a WebSocket is accepted.  Zero is the default everywhere. */
typedef struct px_websocket_options {
    size_t struct_size; /**< sizeof(px_websocket_options). */
    /** Subprotocols (section 1.9), the preferred one first; the first that the peer offers is
     * taken. NULL: none.  Borrowed for the call. */
    const char *const *protocols;
    uint32_t protocol_count; /**< Of protocols. */
    uint32_t origin_count;   /**< Of origins. */
    /** Origins whose pages may connect ("https://example.com"); NULL: the one that the request is
     *  for.  Without an Origin field the peer is no browser, and may.  Borrowed for the call. */
    const char *const *origins;
    uint64_t message_bytes_max; /**< Of a message that comes, inflated; 0: 1 MiB.  Above: 1009. */
    uint32_t fragments_max;     /**< Frames of one message; 0: 4,096.  Above: 1009. */
    uint32_t any_origin;        /**< 1: pages of any origin may connect. */
    /** What may wait for the peer to read; 0: 1 MiB.  A message that begins below it is taken
     * whole.
     */
    uint32_t backlog_bytes_max;
    uint32_t backlog;     /**< A px_backlog. */
    uint32_t ping_ms;     /**< Between pings of ours; 0: 30 s; PX_OFF. */
    uint32_t idle_ms;     /**< Without a byte of the peer, until it is given up; 0: 75 s; PX_OFF. */
    uint32_t close_ms;    /**< For the peer's Close after ours; 0: 5 s. */
    uint32_t lifetime_ms; /**< Until it is closed with 1001; 0: for ever. */
    uint32_t deflate;     /**< 1: permessage-deflate where the peer offers it. */
    uint32_t deflate_level;       /**< 1 to 9; 0: 5. */
    uint32_t deflate_server_bits; /**< Window of what we send, 8 to 15 bits; 0: 15. */
    uint32_t deflate_client_bits; /**< Likewise, of what the peer sends. */
    uint32_t deflate_takeover;    /**< PX_OFF: each message is deflated for itself, at both ends. */
    uint32_t deflate_bytes_min;   /**< Shorter messages are sent as they are; 0: 1 KiB. */
    /** Inflated bytes for each received, above 64 KiB of a message; 0: any.  Above: 1009. */
    uint32_t deflate_ratio_max;
    /** 1: over HTTP/1.1 the exchange ends with the handshake, once the handler has returned: it is
     *  logged then, its on_end is called, and what it took is given back, which is most of what an
     *  idle WebSocket takes.  From then on px_websocket_exchange is NULL, and px_websocket_ref
     *  names nothing.  Over HTTP/2 it lasts, as without this. */
    uint32_t detach;
    /** Of a message that has begun, over the server's rate_window_ms: bytes a second as they come,
     *  while its memory is held (so not of pieces that were not deflated); 0: as its route asks of
     *  content (content_rate_min); PX_OFF.  Below: 1008. */
    uint32_t message_rate_min;
} px_websocket_options;

/** The defaults, as a value.  Any thread. */
static inline px_websocket_options px_websocket_options_default(void)
{
    px_websocket_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_websocket_options, as a value. */
#define PX_WEBSOCKET_OPTIONS_DEFAULT px_websocket_options_default()
/** The same as an initialiser of a static. */
#define PX_WEBSOCKET_OPTIONS_INIT PX_INIT_OF(px_websocket_options)

/** Answers a request for a WebSocket: 101 over HTTP/1.1, 200 over HTTP/2, and it is open; or 400,
 *  403 (another origin), 426 (no upgrade, or another version).  Sets the callbacks of the exchange.
 *  @param options borrowed for the call; NULL: the defaults.  What is not known in it aborts.
 *  @param events borrowed: outlives the exchange (a static table).
 *  @param context handed to the events; borrowed until on_close has returned.
 *  @return the WebSocket, or NULL when it was refused, for want of memory (503) too, or a rule was
 *  broken: no event follows. */
px_websocket *px_websocket_accept(px_exchange *exchange, const px_websocket_options *options,
                                  const px_websocket_events *events, void *context);

/* --- Sending ---------------------------------------------------------------------------------- */

/** Sends a message, copied; messages keep their order.
 *  @return PX_OK: it will be sent; PX_FULL by the policy; PX_ERR_CLOSED: it is closing, or closed;
 *  PX_ERR_MEMORY: memory, or the share of all WebSockets of the loop, is not enough, and so that no
 *  message is missing in the row it fails with 1013, from the loop;
 *  PX_ERR_CONFLICT: a message in pieces is not finished; PX_ERR_INVALID: text that is not UTF-8, of
 *  which nothing is sent, or no socket (NULL: it was refused). */
px_err px_websocket_send(px_websocket *socket, px_websocket_kind kind, px_str message);

/** As px_websocket_send, and does not copy (unless it is deflated).  @param body copied; its
 *  `release` is called once in any case, but where it does not say its size (PX_ERR_INVALID). */
px_err px_websocket_send_body(px_websocket *socket, px_websocket_kind kind, const px_body *body);

/** Sends a message in pieces, each a frame (section 5.4), copied, and never deflated; stop at
 *  PX_FULL until on_drain.  @param last 1 with the last piece, which may be empty; text
 *  may be cut inside of a character.  @return as px_websocket_send. */
px_err px_websocket_send_piece(px_websocket *socket, px_websocket_kind kind, px_str piece,
                               int last);

/** What may be sent before the backlog is full, in bytes.  After it said less than half of the
 *  backlog, on_drain comes. */
size_t px_websocket_room(px_websocket *socket);

/** Sends a ping now; on_pong says how long its answer took.  @return as px_websocket_send. */
px_err px_websocket_ping(px_websocket *socket);

/** Begins the closing handshake (section 7.1.2): what waits is sent, then Close; no message is
 *  reported any more, and on_close comes when the peer has answered, or after close_ms.
 *  @param code as section 7.4: 1000, 1001, 1003, 1007 to 1014, 3000 to 4999.
 *  @param reason UTF-8, at most 123 bytes, the rest is cut off; may be absent.
 *  @return PX_OK, PX_ERR_CLOSED (it is closing already), PX_ERR_INVALID (the code, or a reason
 * that is not UTF-8), PX_ERR_MEMORY:
 * it is given up, from the loop. */
px_err px_websocket_close(px_websocket *socket, unsigned code, px_str reason);

/* --- Receiving -------------------------------------------------------------------------------- */

/** Reads no more until px_websocket_resume: the peer is slowed down.  What was received is kept. */
void px_websocket_pause(px_websocket *socket);

/** Reads on; never calls back itself. */
void px_websocket_resume(px_websocket *socket);

/* --- What it is ------------------------------------------------------------------------------- */

/** Its exchange, whose request can be read; NULL once it has ended before (`detach`). */
px_exchange *px_websocket_exchange(px_websocket *socket);

/** The subprotocol that was agreed; absent: none.  Lives as long as the WebSocket. */
px_str px_websocket_protocol(const px_websocket *socket);

/** Whether permessage-deflate was agreed: 1 or 0. */
int px_websocket_is_deflated(const px_websocket *socket);

/** Keeps a pointer of the program's; NULL at first. */
void px_websocket_set_user_data(px_websocket *socket, void *user_data);

/** The pointer that px_websocket_set_user_data kept. */
void *px_websocket_user_data(const px_websocket *socket);

/* --- From other threads ----------------------------------------------------------------------- */

/** A name that may be kept after its end and used on any thread: with px_ref_post, in whose call
 *  px_websocket_of finds the WebSocket.  @return to be given back once with px_ref_release. */
px_ref px_websocket_ref(px_websocket *socket);

/** The WebSocket of an exchange; NULL when it has none, or its on_close was called; NULL is fine.
 */
px_websocket *px_websocket_of(px_exchange *exchange);

/** As px_websocket_send, on any thread: the message is copied and sent by the loop, where the
 *  policy of the backlog holds; what is not taken there is lost.
 *  @return PX_OK, PX_ERR_MEMORY, PX_ERR_INVALID (text that is not UTF-8), or PX_ERR_CLOSED: the
 *  loop is gone. */
PX_MUST_CHECK px_err px_websocket_send_from(const px_ref *ref, px_websocket_kind kind,
                                            px_str message);

#ifdef __cplusplus
}
#endif

#endif
