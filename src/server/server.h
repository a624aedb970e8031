/*
 * The server, seen from inside: what its connections share.
 */
#ifndef PX_SERVER_SERVER_H
#define PX_SERVER_SERVER_H

#include "base/buf.h"
#include "exchange/exchange.h"
#include "http/h1/h1_repeat.h"
#include "http/h1/h1_write.h"
#include "metrics/table.h"
#include "net/cidr.h"
#include "net/listener.h"
#include "pollux/server.h"
#include "server/session/deadline.h"
#include "server/site/site.h"

struct session_protocol;
struct tls_service;

/* A listener that is served, and how.  Its address is what the listener's events carry. */
struct server_listener {
    px_server *server;     /* borrowed: owns it */
    px_listener *listener; /* owned */
    px_serve_options options;
    uint16_t secure; /* whose TLS its connections speak: an index of tls_service's, from 1; or 0 */
    uint16_t redirect; /* where its requests are sent: an index of redirects.ports, from 1; or 0 */
};

/* What is served. */
struct server_listening {
    struct server_listener *listeners[LISTENERS_MAX]; /* owned */
    uint32_t count;
    char address[1024]; /* of all of them, for px_server_address */
};

/* Ports of https, for listeners that redirect. */
struct server_redirects {
    uint16_t ports[LISTENERS_MAX];
    uint32_t count;
};

/* Proxies that are believed. */
struct server_trust {
    struct cidr *blocks; /* owned */
    uint32_t count;
};

/* How far a drain is. */
enum server_phase { SERVER_SERVING, SERVER_DRAIN_DELAY, SERVER_DRAINING, SERVER_DRAINED };

struct server_drain {
    struct io_timer timer;
    struct loop_task queue; /* accepts what waits */
    uint64_t begin_ms;      /* the end of the delay */
    uint64_t close_ms;      /* when answers begin to say that they are the last */
    uint64_t idle_ms;       /* when idle connections end; UINT64_MAX: by themselves */
    uint64_t deadline_ms;   /* when the rest does */
    uint32_t spread_ms;     /* over which exchanges that last are told to end */
    uint32_t told;          /* how many of them were */
    uint32_t rounds;        /* turns of accepting */
    bool leaves_queue;      /* another process accepts there */
    bool ends_idle;         /* idle_ms has come */
    bool closes;            /* close_ms has come, or the end of the delay */
    void (*on_drained)(px_server *server, void *context);
    void *context; /* of on_drained */
};

/* When a walk over all connections is worth another try. */
struct server_again {
    uint64_t heads_ms;      /* for unfinished heads that have grown old */
    uint64_t stalled_ms;    /* for those whose peer does not do its part */
    uint64_t shares_ms;     /* for connections that hold more of HTTP/2 than others */
    uint64_t outs_ms;       /* for those that have been sending for longest */
    uint64_t sessions_tick; /* for those that are idle, where memory is short: in which they were */
};

/* Of output. */
struct server_blocks {
    struct pool outs;          /* of struct out */
    const struct pool *sealed; /* borrowed: tls_service's, of what TLS has sealed; or NULL */
};

/* Where it counts. */
struct server_count {
    struct metrics_cells *cells; /* `own`, or those of options.metrics (borrowed) */
    struct metrics_cells own;
    struct metrics_cells shown; /* what of the gauges in `cells` is its */
    uint32_t shown_conns;       /* conn_count when that was last written */
    int64_t shown_time;         /* when what moves slowly was last written */
    uint64_t ticks_seen;        /* loop->told.last.count, as it was counted */
};

/* Lines of this tick, and where they go. */
struct server_log {
    struct buf lines;
    struct log_way way;
};

struct px_server {
    px_loop *loop; /* borrowed, or owned when own_loop */
    bool own_loop;
    bool accepting_paused; /* as many as may be are being turned away */
    uint8_t phase;         /* enum server_phase */
    px_server_options
        options; /* with the defaults filled in; of its pointers counters_memory and metrics are
                    used, and what px_site_options has too is the site's that it was made with */
    struct exchange_service service;
    px_site *site;          /* held: what is served */
    px_host *own;           /* borrowed: `*` of the site it was made with, while that is served */
    struct list unused;     /* sites that nothing holds any more, to be ended with the tick */
    bool has_logs;          /* a site that it has served has a way for lines of its own */
    bool has_totals;        /* a site that it has served has a total timeout */
    uint32_t conn_count;    /* slots of the pool in use */
    uint32_t idle_count;    /* of those, the ones that wait for a request */
    uint32_t head_count;    /* likewise, for the end of a head or handshake */
    uint32_t closing_count; /* of those, the ones that are closing */
    uint32_t linger_count;
    uint32_t refusing_count; /* of those, the ones that are turned away */
    struct server_again again;
    const struct session_protocol *const *protocols; /* borrowed: static, by session_protocol_id */
    struct pool conns;                               /* of what any protocol makes of struct conn */
    struct pool works;                               /* of h1_work */
    struct server_blocks blocks;
    struct pool h2_requests; /* of h2_request */
    struct h2_shared *h2;    /* owned: what all HTTP/2 sessions share; NULL in a build without */
    struct server_listening listening;
    struct server_redirects redirects;
    struct server_trust trust;
    struct tls_service *tls; /* owned; NULL without a TLS listener */
    struct deadline_wheel deadlines;
    struct h1_stamp stamp;
    struct http_limits parse_limits; /* do not change: h1_repeats relies on it */
    struct h1_repeats h1_repeats;
    const struct scan_table *scan; /* borrowed: static */
    struct server_log log;
    struct loop_task limit;  /* stops accepting, or goes on */
    struct loop_hook checks; /* in builds for tests: server_check */
    struct loop_hook last;   /* flushes the log, looks whether a drain has ended */
    struct server_drain drain;
    struct server_count count;
    char server_name[H1_SERVER_NAME_MAX + 1];
};

static inline px_server *server_of(const px_exchange *exchange)
{
    return CONTAINER_OF(exchange_service_of(exchange), px_server, service);
}

/* Whether accepted heads are logged, and this one, whose route was looked for. */
static inline bool server_logs_heads(const px_server *server, const px_exchange *exchange)
{
    return server->site->rules.log_format == PX_LOG_REQUEST && server->options.on_log &&
           site_rules_of(exchange)->log_format != PX_LOG_OFF;
}

/* A connection went: accepting may go on. */
static inline void server_room_note(px_server *server)
{
    if (PX_UNLIKELY(server->accepting_paused))
        loop_task_add(server->loop, &server->limit);
}

/* --- drain.c ---------------------------------------------------------------------------------- */

PX_MUST_CHECK px_err drain_init(px_server *server);
/* The server is drained, or gone: nothing of a drain comes any more. */
void drain_over(px_server *server);
void drain_deinit(px_server *server);

/* What must hold of it between ticks. */
void drain_check(const px_server *server);

/* At the end of a tick: whether a drain has ended. */
void drain_look(px_server *server);

/* Tells an exchange that the server drains, and a moment of its own to end in. */
void drain_tell(px_server *server, px_exchange *exchange);

/* The moment of the next one that lasts, in ms from now, within the spread. */
uint32_t drain_place(px_server *server);

#endif
