/*
 * One request and its answer: an exchange (RFC 9110 section 3).
 *
 * A handler is called with an exchange when the head of a request is there (or, by its route's
 * option, when the content is).  It answers now, later, or in pieces, with one of the px_respond
 * functions or px_response_start.  None of them returns an error: what failed arrives in on_end.
 * A handler that returns without an answer has set callbacks or a function at the end, or taken a
 * px_ref, or has the content collected, saved or read as a form, whose callback then stands in its
 * place.  One that has kept nothing so is answered 500 with POLLUX_CHECK_RULES=1 in the
 * environment, and that is the exchange's fault; else its client waits.
 * Everything here is used on the thread of the server's loop; other threads hold a px_ref.
 */
#ifndef PX_EXCHANGE_H
#define PX_EXCHANGE_H

#include "pollux/error.h"
#include "pollux/loop.h"
#include "pollux/options.h"
#include "pollux/str.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_exchange px_exchange; /**< One request and its answer. */

/** A handler: is called once for each exchange that its route matches.
 *  @param exchange borrowed until on_end has returned, or, without callbacks, until the answer is
 *  complete.  @param context as registered. */
typedef void (*px_handler)(px_exchange *exchange, void *context);

/** How an exchange ended. */
typedef enum px_end {
    PX_END_COMPLETE,     /**< The whole answer was handed to the system. */
    PX_END_PEER_GONE,    /**< The peer closed or reset before that, its request being whole, or
                              ended its side and is taken to have left
                              (px_server_options.half_close), or ended its side of a WebSocket
                              without a Close. */
    PX_END_TIMEOUT,      /**< A deadline or a minimum rate was missed. */
    PX_END_ABORTED,      /**< px_exchange_abort, or the handler broke a rule (see the text of the
                              function): content longer or shorter than declared, an invalid field,
                              a producer's error, a file that is too short.  Where nothing was sent
                              the peer has got a 500. */
    PX_END_REFUSED,      /**< The request's content broke the protocol or a limit, or the peer left
                              before it was whole; pollux answered. */
    PX_END_NO_MEMORY,    /**< Memory, or a cap of the exchange or of a head, was not enough.  Where
                              nothing was sent the peer has got a 503. */
    PX_END_SERVER_CLOSED /**< The server was destroyed or its drain deadline passed. */
} px_end;

/** What an exchange reports to the handler that set it. */
typedef struct px_exchange_callbacks {
    size_t struct_size; /**< sizeof(px_exchange_callbacks): members behind it are NULL. */
    /** A piece of request content, borrowed until this returns.  All of it counts as used: to slow
     *  the peer down, call px_request_pause.  `bytes.len` is never 0.  NULL: content is dropped. */
    void (*on_content)(px_exchange *exchange, px_str bytes, void *context);
    /** The request's content has ended; trailers are readable.  NULL: not wanted. */
    void (*on_content_end)(px_exchange *exchange, void *context);
    /** Half of the room is free after px_response_room said less.  NULL: not wanted. */
    void (*on_room)(px_exchange *exchange, void *context);
    /** The end, exactly once, whatever happened: the handler's last use of the exchange. */
    void (*on_end)(px_exchange *exchange, px_end end, void *context);
    /** In place of on_content, for a receiver that may be slower than the peer: returns how many of
     *  the bytes, from the first, it has used.  After fewer than all content is paused, the rest
     *  stays where it was received, and px_request_resume (after this has returned) shows it again
     *  in front of what follows.  NULL: on_content is called. */
    size_t (*on_content_some)(px_exchange *exchange, px_str bytes, void *context);
    /** The peer has ended its side of the connection, once the request is whole and while the
     *  program alone can bring the exchange on: there is no answer, or one whose producer said
     *  PX_PULL_LATER, or whose pieces are all sent and px_response_end was not called.  Most likely
     *  the client has left.  The exchange can go on; where it does not, it ends by default in a
     *  second (px_server_options.half_close).  px_exchange_abort ends it at once, as one whose peer
     *  has left.  At most once.  NULL: not wanted. */
    void (*on_peer_end)(px_exchange *exchange, void *context);
    /** The server drains: an answer that has no end of its own, such as a tunnel or a stream of
     *  events, is to come to one.  `in_ms`: the moment for this exchange, so that not all peers
     * come back at once (px_drain_options.spread_ms).  Again, where its time becomes shorter.
     *  NULL: not wanted. */
    void (*on_server_drain)(px_exchange *exchange, uint32_t in_ms, void *context);
} px_exchange_callbacks;

/** In on_server_drain: how long, in milliseconds, what goes on is left alone; then it is closed.
 *  PX_UNLIMITED: for ever.  The thread of its loop. */
uint32_t px_exchange_drain_left_ms(const px_exchange *exchange);

/** The empty callbacks, as a value.  Any thread. */
static inline px_exchange_callbacks px_exchange_callbacks_default(void)
{
    px_exchange_callbacks callbacks;

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.struct_size = sizeof(callbacks);
    return callbacks;
}

/** The defaults of a px_exchange_callbacks, as a value. */
#define PX_EXCHANGE_CALLBACKS_DEFAULT px_exchange_callbacks_default()
/** The same as an initialiser of a static. */
#define PX_EXCHANGE_CALLBACKS_INIT PX_INIT_OF(px_exchange_callbacks)

/** Sets the callbacks of this exchange from now on; a later call replaces them, also those that a
 *  middleware has set.
 *  @param callbacks borrowed: outlives the exchange (a static table).
 *  @param context borrowed likewise. */
void px_exchange_set_callbacks(px_exchange *exchange, const px_exchange_callbacks *callbacks,
                               void *context);

/** What px_exchange_at_end calls.  @param status what was sent, also where the peer left in the
 *  middle of it; 500 where the program cut it short, 499 where the peer left before there was any.
 */
typedef void (*px_exchange_end_fn)(px_exchange *exchange, px_end end, unsigned status,
                                   void *context);

/** Calls a function once when the exchange ends, whatever happens: for middleware, which leaves the
 *  callbacks to the handler.  It comes behind the handler's on_end; of several the last that was
 *  registered comes first.  The exchange can be read there, as in on_end.
 *  @param context borrowed until the call.
 *  @return PX_OK, PX_ERR_MEMORY, PX_ERR_CLOSED (it has ended): then nothing is called. */
PX_MUST_CHECK px_err px_exchange_at_end(px_exchange *exchange, px_exchange_end_fn call,
                                        void *context);

/** Keeps a pointer of the program's with the exchange; NULL at first. */
void px_exchange_set_user_data(px_exchange *exchange, void *user_data);

/** The pointer that px_exchange_set_user_data kept. */
void *px_exchange_user_data(const px_exchange *exchange);

/** Memory that lives as long as the exchange, aligned to 8 bytes.  It is part of
 *  px_server_options.exchange_bytes_max; NULL when that is reached, or without memory. */
void *px_exchange_alloc(px_exchange *exchange, size_t bytes);

/** Gives the exchange up: the connection (HTTP/1) or stream ends visibly broken, whether an answer
 *  was begun or not; on_end comes from the loop with PX_END_ABORTED, and the log has 500.  Once
 *  on_peer_end was called it is PX_END_PEER_GONE, and the log has what was sent. */
void px_exchange_abort(px_exchange *exchange);

/** Whether anything can still become of it: 1; 0 once it has ended, was aborted, or has broken a
 *  rule.  What was posted, or waited for, is dropped then. */
int px_exchange_is_open(const px_exchange *exchange);

/** Which rule the program broke, in words for its log: "a second answer", "less content than its
 *  length says".  Readable once it happened, on_end included; px_server_options.on_fault tells of
 *  it at once.
 *  @return a static string; NULL where none was broken (px_exchange_abort breaks none). */
const char *px_exchange_fault(const px_exchange *exchange);

/** Whether what answers is the page of an error: 1 once px_respond_from was called with a status of
 *  400 or more.  Middleware that refuses or counts lets it pass: the request has been there. */
int px_exchange_is_error_page(const px_exchange *exchange);

/** Goes on after a middleware's PX_STOP (server.h): the next middleware, or the route's handler, is
 * called from the loop and never from here.  Does nothing once there is an answer. */
void px_exchange_next(px_exchange *exchange);

/** The loop that the exchange lives on. */
px_loop *px_exchange_loop(const px_exchange *exchange);

/** The peer's address as text ("192.0.2.1:80").  Lives as long as the exchange, ends in NUL. */
px_str px_exchange_peer(px_exchange *exchange);

/** Our address that the peer reached, as text.  Lives as long as the exchange, ends in NUL. */
px_str px_exchange_local(px_exchange *exchange);

/* --- From other threads, and later --------------------------------------------------------- */

/** A name of an exchange that may be kept after it ended, and used on any thread. */
typedef struct px_ref {
    px_mailbox *mailbox; /**< The way into the server's loop; a reference. */
    uint64_t server;     /**< Which server of that loop. */
    uint32_t slot;       /**< Which exchange. */
    uint32_t generation; /**< Which use of the slot. */
} px_ref;

/** A posted call about an exchange, on the thread of its loop.
 *  @param exchange the exchange, or NULL when it has ended or the server is gone.
 *  @param status PX_OK, PX_ERR_CLOSED (it has ended) or PX_ERR_CANCELLED (the loop ended). */
typedef void (*px_ref_fn)(px_exchange *exchange, px_err status, void *context);

/** Names an exchange.  @return to be given back once with px_ref_release.  The loop's thread. */
px_ref px_exchange_ref(px_exchange *exchange);

/** Runs `call` on the loop's thread, exactly once.  @return PX_OK; PX_ERR_CLOSED when the loop is
 *  gone, or PX_ERR_MEMORY: then `call` does not run.  Any thread. */
PX_MUST_CHECK px_err px_ref_post(const px_ref *ref, px_ref_fn call, void *context);

/** The exchange, or NULL when it has ended.  The loop's thread, while the server exists. */
px_exchange *px_ref_get(const px_ref *ref);

/** Gives the reference back: once for each px_exchange_ref, whose copies are void with it.  Any
 *  thread. */
void px_ref_release(px_ref *ref);

#ifdef __cplusplus
}
#endif

#endif
