/*
 * The HTTP server: listeners, routes, middleware, filters, limits, on a loop of its own or of
 * yours.
 *
 * Several servers may share one loop; servers on loops of two threads share nothing.  Setup calls
 * take the thread that made the server and may be made before or between runs of its loop.
 */
#ifndef PX_SERVER_H
#define PX_SERVER_H

#include "pollux/exchange.h"
#include "pollux/filter.h"
#include "pollux/loop.h"
#include "pollux/metrics.h"
#include "pollux/options.h"
#include "pollux/site.h"
#include "pollux/stream.h"
#include "pollux/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_server px_server; /**< An HTTP server. */

/** What a server has counted since it was made, and at which it took up (counters_memory). */
typedef struct px_counters {
    size_t struct_size;          /**< sizeof(px_counters), set by the caller. */
    uint64_t accepted;           /**< Connections accepted. */
    uint64_t open;               /**< Connections open now. */
    uint64_t requests;           /**< Heads accepted. */
    uint64_t responses[6];       /**< Final answers by class: [2] is 2xx; [0] is unused. */
    uint64_t refused;            /**< Requests refused for syntax, framing or a limit. */
    uint64_t shed;               /**< Closed to make room: idle, long in a head, or late. */
    uint64_t timed_out;          /**< Connections ended by a deadline or a minimum rate. */
    uint64_t bytes_received;     /**< Bytes read from peers. */
    uint64_t bytes_sent;         /**< Bytes the system took for peers. */
    uint64_t accept_errors;      /**< Failed accepts (descriptors, memory). */
    uint64_t aborted;            /**< Exchanges that did not complete. */
    uint64_t turned_away;        /**< New connections answered with 503 at the limit. */
    uint64_t handshakes;         /**< TLS handshakes that were completed. */
    uint64_t handshakes_resumed; /**< Of those, the ones that resumed a session. */
    uint64_t handshakes_failed;  /**< TLS handshakes that ended before they were complete. */
    uint64_t ticks; /**< Turns of its loop, other servers' on the same loop included. */
    uint64_t
        longest_tick_us; /**< The longest of them, from the end of its wait to the next wait. */
    uint64_t
        longest_tick_callbacks;  /**< Streams run, connections accepted and tasks in that one. */
    uint64_t longest_tick_bytes; /**< Bytes received and sent in that one. */
    uint64_t cut; /**< Exchanges that were cut by a drain's deadline, or by the server's end. */
} px_counters;

/** An empty one, for a call to fill in, as a value.  Any thread. */
static inline px_counters px_counters_default(void)
{
    px_counters counters;

    memset(&counters, 0, sizeof(counters));
    counters.struct_size = sizeof(counters);
    return counters;
}

/** The same. */
#define PX_COUNTERS_DEFAULT px_counters_default()
/** The same as an initialiser of a static. */
#define PX_COUNTERS_INIT PX_INIT_OF(px_counters)

/** Which fields of trusted proxies are believed.  A proxy that writes one of them passes the other
 * on as its client has sent it: say which one yours write. */
typedef enum px_forwarded {
    PX_FORWARDED_EITHER,  /**< Whichever is there; where both are and disagree, neither. */
    PX_FORWARDED_RFC7239, /**< Forwarded (RFC 7239). */
    PX_FORWARDED_PLAIN,   /**< X-Forwarded-For and X-Forwarded-Proto. */
    PX_FORWARDED_NONE     /**< None. */
} px_forwarded;

/** What became of an exchange: for counting and tracing of a program's own. */
typedef struct px_summary {
    size_t struct_size;     /**< Of the library's: what lies behind is not there. */
    px_end end;             /**< How it ended. */
    unsigned status;        /**< As px_exchange_end_fn has it. */
    const char *pattern;    /**< Of its route, borrowed; NULL: none matched. */
    uint64_t connection;    /**< Names its connection, while the server exists. */
    uint64_t bytes_in;      /**< Content received. */
    uint64_t bytes_out;     /**< Content given to the transport. */
    uint32_t duration_ms;   /**< From the end of the request's head. */
    uint32_t handler_ms;    /**< Of that, until it was answered; UINT32_MAX: it was not. */
    uint32_t first_byte_ms; /**< ... until the head of its answer went out; likewise. */
} px_summary;

/** Options of a server.  Zero is the default everywhere.  What px_site_options has too holds for
 * the site that the server is made with, and not for one that is set (px_server_set_site). */
typedef struct px_server_options {
    size_t struct_size; /**< sizeof(px_server_options). */
    px_loop *loop;      /**< Borrowed: outlives the server.  NULL: the server makes its own. */
    const px_allocator *allocator; /**< For the loop it makes; NULL: malloc. */
    const char *server_name;       /**< Server field, copied; NULL: "pollux"; "": none. */
    uint32_t connections_max;      /**< 0: what RLIMIT_NOFILE allows; PX_UNLIMITED likewise. */
    uint32_t head_bytes_max;       /**< Head of a request; 0: 32 KiB. */
    uint32_t field_count_max;      /**< Fields of a head; 0: 100. */
    uint32_t target_bytes_max;     /**< Request target; 0: 8 KiB. */
    uint32_t pipeline_count_max;   /**< Requests of one connection answered in a row; 0: 64. */
    uint32_t exchange_bytes_max;   /**< Memory of one exchange; 0: 1 MiB. */
    uint32_t output_bytes_max;  /**< Written in pieces and not taken yet, one exchange; 0: 1 MiB. */
    uint64_t content_bytes_max; /**< Content of a request; 0: 1 MiB; PX_UNLIMITED_BYTES. */
    uint32_t head_timeout_ms;   /**< First byte to end of a head; 0: 10 s; PX_OFF. */
    uint32_t idle_timeout_ms;   /**< Between requests; 0: 60 s; PX_OFF. */
    uint32_t rate_window_ms;    /**< Time over which the minimum rates are taken; 0: 20 s. */
    uint32_t content_rate_min;  /**< Request content, bytes a second; 0: 240; PX_OFF. */
    uint32_t send_rate_min;     /**< Peer reading our answer, bytes a second; 0: 240; PX_OFF. */
    uint32_t total_timeout_ms;  /**< A whole exchange, from its head; 0: off. */
    uint32_t linger_timeout_ms; /**< Reading on after a refusal; 0: 5 s; PX_OFF. */
    uint32_t log_format;        /**< A px_log_format; 0: off. */
    /** Takes whole log lines at the end of each tick; `lines` is borrowed.  NULL: no log. */
    void (*on_log)(px_str lines, void *context);
    void *log_context;              /**< Handed to on_log; borrowed. */
    px_error_page_fn on_error_page; /**< Of its own site; NULL: pollux's line of text. */
    void *error_page_context;       /**< Handed to on_error_page; borrowed. */
    /** Where the counters are written at the end of each tick; borrowed, outlives the server, its
     * struct_size is set.  The server goes on counting from what it finds there.  Memory that is
     * shared with another process shows them there, and after the end of this one.  NULL: nowhere.
     */
    px_counters *counters_memory;
    uint32_t http2_clear; /**< HTTP/2 without TLS, by prior knowledge; 0: on; PX_OFF. */
    /** Blocks of addresses ("192.0.2.0/24", "2001:db8::1", "unix:" for all peers of unix sockets)
     *  of proxies that are believed when they name the client behind them: by the PROXY protocol
     * where a listener speaks it, and by Forwarded or X-Forwarded-For.  Borrowed for the call. */
    const char *const *trusted_proxies;
    uint32_t trusted_proxy_count; /**< Of trusted_proxies, at most 256. */
    uint32_t forwarded;           /**< A px_forwarded; 0: either. */
    /** What one px_respond may copy; 0: 16 MiB.  Above 64 KiB the copy is not part of
     *  exchange_bytes_max; all of a server's that peers have not taken are at most 16 times this.
     */
    uint32_t respond_bytes_max;
    /** Where it counts, with durations and sizes by route, host, method and status (metrics.h).
     *  Borrowed: outlives the server and the sites that it serves; of one thread.  Several servers
     *  may share it; px_server_counters then has what all of them have counted.  NULL: it counts by
     *  itself, without those. */
    px_metrics *metrics;
    /** What peers may make the server's loop keep, in all, divided over unread bytes, heads,
     * requests, output, and sessions of HTTP/2; at least 16 MiB; 0: 1 GiB.  A share that is taken
     * refuses those that hold most, or has those give way.  Of several servers on a loop the last
     * one's holds. Caches and coders have limits of their own, which a small one makes smaller
     * where they are not set. */
    uint64_t memory_bytes_max;
    /** What it means that a peer has ended its side while a request of its, which is whole, waits
     *  for the program: no answer was begun, or there is nothing to send of one (a producer that
     *  said PX_PULL_LATER, pieces that have not ended).  0: the client has left, unless something
     *  is sent within a second, and within a second of that again: the exchange ends with
     *  PX_END_PEER_GONE.  1: it goes on waiting (RFC 9112 section 9.6 lets it).  Tunnels have ends
     *  of their own.  px_exchange_callbacks.on_peer_end tells of it at once in either case. */
    uint32_t half_close;
    /** Tells that the program broke a rule with an exchange, and which (px_exchange_fault), inside
     *  of the call that broke it: a place for a log line or a breakpoint.  The exchange can be
     * read, and has an error for an answer already.  NULL: not wanted; on_end and the log (`reason`
     * of its JSON lines) say it too. */
    void (*on_fault)(px_exchange *exchange, const char *what, void *context);
    void *fault_context; /**< Handed to on_fault; borrowed: outlives the server. */
    /** Tells of every exchange once it is over, before its on_end and whatever callbacks it has.
     * The exchange can be read, and not answered any more.  NULL: not wanted. */
    void (*on_done)(px_exchange *exchange, const px_summary *summary, void *context);
    void *done_context; /**< Handed to on_done; borrowed: outlives the server. */
    /** Of traces that begin here one in so many is marked as sampled, by chance; 1: each; 0: none.
     *  One that goes on keeps its mark (W3C Trace Context section 3.2.2.5). */
    uint32_t trace_sample;
    uint32_t trace_restart; /**< 1: traces go on from trusted_proxies alone; others begin anew. */
} px_server_options;

/** The defaults, as a value.  Any thread. */
static inline px_server_options px_server_options_default(void)
{
    px_server_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_server_options, as a value. */
#define PX_SERVER_OPTIONS_DEFAULT px_server_options_default()
/** The same as an initialiser of a static. */
#define PX_SERVER_OPTIONS_INIT PX_INIT_OF(px_server_options)

/** Makes a server.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return owned by the caller (px_server_destroy), or NULL: PX_ERR_MEMORY, PX_ERR_INVALID,
 *  PX_ERR_LIMIT (descriptors), PX_ERR_SYSTEM.  The loop's thread; any where it makes its own. */
px_server *px_server_create(const px_server_options *options, px_error *out_error);

/** Ends a server: closes its listeners and connections, ends each exchange with
 *  PX_END_SERVER_CLOSED, and frees it.  On a loop of yours the last bytes of connections go out in
 *  the ticks that follow (px_loop_handle_count).  NULL is fine.  The loop's thread, or any once
 * that one has ended, outside of callbacks. */
void px_server_destroy(px_server *server);

/** The server's loop; borrowed. */
px_loop *px_server_loop(px_server *server);

/** Serves this site in place of the one before: requests whose heads end from now on are its own.
 *  Those that have begun keep theirs, which ends with the last of them, at the end of a tick, if
 *  nothing else holds it.
 *  @param site the server takes a hold of its own.
 *  @return PX_OK, or PX_ERR_INVALID: it is NULL. */
PX_MUST_CHECK px_err px_server_set_site(px_server *server, px_site *site, px_error *out_error);

/* A server is made with a site of its own, whose one host `*` is what the calls below fill, also
 * while it is served.  Once another is served they return PX_ERR_CLOSED. */

/** Registers a handler.
 *  @param pattern as px_host_route.  Copied.  @param context borrowed: outlives the server.
 *  @return as px_host_route. */
PX_MUST_CHECK px_err px_server_route(px_server *server, const char *pattern, px_handler handler,
                                     void *context, px_error *out_error);

/** As px_server_route, with options.  @param options borrowed for the call; NULL: the defaults. */
PX_MUST_CHECK px_err px_server_route_with(px_server *server, const char *pattern,
                                          const px_route_options *options, px_handler handler,
                                          void *context, px_error *out_error);

/** Takes a route out, for the requests that follow; as px_host_unroute. */
PX_MUST_CHECK px_err px_server_unroute(px_server *server, const char *pattern, px_error *out_error);

/** Makes a group of the server's own routes, which px_group_route fills; as px_host_group. */
PX_MUST_CHECK px_err px_server_group(px_server *server, const char *prefix,
                                     const px_route_options *options, px_group **out_group,
                                     px_error *out_error);

/** Runs before the handler of every route, in the order of registration.
 *  @param context borrowed: outlives the server.  @param release as px_route_options; may be NULL.
 *  @return as px_site_use. */
PX_MUST_CHECK px_err px_server_use(px_server *server, px_middleware_fn middleware, void *context,
                                   void (*release)(void *context), px_error *out_error);

/** Registers a response filter; the first registered is nearest to the handler.
 *  @param filter borrowed: outlives the server.  @param context, @param release as px_server_use.
 *  @return as px_site_filter. */
PX_MUST_CHECK px_err px_server_filter(px_server *server, const px_filter *filter, void *context,
                                      void (*release)(void *context), px_error *out_error);

/** Opens an address and serves it (px_listener_open with deferred accept, px_server_serve).
 *  @return PX_OK or the error of px_listener_open. */
PX_MUST_CHECK px_err px_server_listen(px_server *server, const char *address, px_error *out_error);

/** Serves a listener that was opened or inherited.
 *  @param listener owned by the server on success.
 *  @return PX_OK, PX_ERR_LIMIT, PX_ERR_MEMORY, PX_ERR_SYSTEM; PX_ERR_CLOSED: a drain has begun. */
PX_MUST_CHECK px_err px_server_serve(px_server *server, px_listener *listener, px_error *out_error);

/** How a listener is served.  Zero is the default everywhere. */
typedef struct px_serve_options {
    size_t struct_size; /**< sizeof(px_serve_options). */
    /** Borrowed, outlives the server; has a certificate.  NULL: connections are not secure. */
    px_tls *tls;
    /** Port: every request is answered with a redirect to https there (301, 308), and none is
     *  served; for a listener without TLS.  0: they are served. */
    uint32_t https_redirect_port;
    /** 1: connections from trusted_proxies begin with a PROXY header (versions 1 and 2), before
     *  TLS, and their peer is the one that it names; without one they are closed.  Others have none
     *  and are served as they are. */
    uint32_t proxy_protocol;
    uint32_t tag; /**< Names the listener in px_host_options.listeners; at most 65535. */
} px_serve_options;

/** The defaults, as a value.  Any thread. */
static inline px_serve_options px_serve_options_default(void)
{
    px_serve_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_serve_options, as a value. */
#define PX_SERVE_OPTIONS_DEFAULT px_serve_options_default()
/** The same as an initialiser of a static. */
#define PX_SERVE_OPTIONS_INIT PX_INIT_OF(px_serve_options)

/** As px_server_serve, with options.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return as px_server_serve, and PX_ERR_INVALID for options that are not known. */
PX_MUST_CHECK px_err px_server_serve_with(px_server *server, px_listener *listener,
                                          const px_serve_options *options, px_error *out_error);

/** Serves a connection that the program brings: what inetd or another process hands over, one end
 * of a socketpair.
 *  @param fd a connected stream socket; owned by the server on success.
 *  @param options as px_server_serve_with, as if it had come through a listener with them.
 *  @return PX_OK; PX_ERR_INVALID (not a connected stream, options), PX_ERR_LIMIT,
 *  PX_ERR_CLOSED (a drain has begun), PX_ERR_MEMORY, PX_ERR_SYSTEM.  The loop's thread. */
PX_MUST_CHECK px_err px_server_adopt(px_server *server, int fd, const px_serve_options *options,
                                     px_error *out_error);

/** Stops serving a listener and closes it; its connections live on.  What waits in its queue goes
 *  to other processes that have the socket, if any has.  One that it does not serve is left alone.
 *  Outside of callbacks of the server's.  The loop's thread. */
void px_server_unserve(px_server *server, px_listener *listener);

/** The addresses it serves, as px_listener_address; "" when none.  Until the next listen or serve.
 */
const char *px_server_address(const px_server *server);

/** Runs the server's loop until px_server_stop, or, when the server made that loop, until a drain
 * has ended (with a loop of your own: px_server_on_drained).
 *  @return as px_loop_run.  The loop's thread, outside of callbacks. */
PX_MUST_CHECK px_err px_server_run(px_server *server, px_error *out_error);

/** Makes px_server_run return at the end of the tick.  Any thread, and async-signal-safe. */
void px_server_stop(px_server *server);

/** Ends gracefully: stops accepting after `delay_ms`, answers what is in flight with
 *  `Connection: close`, closes idle connections, and `deadline_ms` (0: 30 s) after that closes the
 *  rest.  When the last connection has gone px_server_on_drained is told, and px_server_run returns
 *  where the server made its loop.  Both times are milliseconds.  The loop's thread. */
void px_server_drain(px_server *server, uint32_t delay_ms, uint32_t deadline_ms);

/** How a drain goes. */
typedef struct px_drain_options {
    size_t struct_size;   /**< sizeof(px_drain_options). */
    uint32_t delay_ms;    /**< Accepts that long yet, while px_server_is_draining says so; 0: none;
                             PX_UNLIMITED: until a later call. */
    uint32_t deadline_ms; /**< From the end of the delay until the rest is closed; 0: 30 s;
                               PX_UNLIMITED: every exchange may end by itself. */
    uint32_t idle_ms;     /**< From the end of the delay until idle connections are closed; 0: at
                               once; PX_UNLIMITED: they stay until their next answer, which says
                               `Connection: close`, or their idle timeout, so that no request on its
                               way is lost (RFC 9112 section 9.5). */
    uint32_t leave_queue; /**< 0: what waits in the listeners' queues is still accepted; 1: not,
                               another process accepts there. */
    uint32_t close_ms;  /**< From the call until answers say `Connection: close`, and HTTP/2 GOAWAY,
                             so that peers come back elsewhere; 0: half of the delay;
                             PX_UNLIMITED: the delay. */
    uint32_t spread_ms; /**< From the end of the delay, the time over which WebSockets and streams
                             of events are told to end, each at a moment of its own, so that their
                             peers do not come back all at once; 0: half of the deadline, at most 15
                          s; PX_OFF: at once. */
} px_drain_options;

/** The defaults, as a value.  Any thread. */
static inline px_drain_options px_drain_options_default(void)
{
    px_drain_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_drain_options, as a value. */
#define PX_DRAIN_OPTIONS_DEFAULT px_drain_options_default()
/** The same as an initialiser of a static. */
#define PX_DRAIN_OPTIONS_INIT PX_INIT_OF(px_drain_options)

/** As px_server_drain, with options.  During a drain it can only hasten: each time becomes the
 *  earlier one.  @param options borrowed for the call; NULL: the defaults.
 *  @return PX_OK, or PX_ERR_INVALID for options that are not known.  The loop's thread. */
PX_MUST_CHECK px_err px_server_drain_with(px_server *server, const px_drain_options *options);

/** The same from another thread: the drain begins soon.  @return as px_server_drain_with, or
 * PX_ERR_MEMORY.  Any thread, while the server is known to exist. */
PX_MUST_CHECK px_err px_server_drain_post(px_server *server, const px_drain_options *options);

/** 1 from the call of a drain on, its delay included: what a readiness check answers by; else 0.
 *  The loop's thread. */
int px_server_is_draining(const px_server *server);

/** Calls `on_drained` once, from the loop, when a drain has closed the last connection: the server
 *  can be destroyed then, behind the callback.  A later call replaces it; NULL: nothing is called.
 *  @param context borrowed until then.  The loop's thread. */
void px_server_on_drained(px_server *server, void (*on_drained)(px_server *server, void *context),
                          void *context);

/** Reads the counters.  @param out_counters its struct_size says how much is written.  The loop's
 *  thread. */
void px_server_counters(const px_server *server, px_counters *out_counters);

#ifdef __cplusplus
}
#endif

#endif
