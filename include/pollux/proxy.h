/*
 * A reverse proxy: requests are answered with what another server answers.
 *
 * A px_upstream is a set of servers that serve the same; a px_proxy is a handler that hands its
 * exchanges to one.  Heads are parsed and written anew, content is streamed both ways and the
 * slower side holds the faster one back, and what went wrong is seen: an answer that ends too soon
 * ends too soon for the client.  What happens to a request is in docs/PROXY.md.  The thread of the
 * loop of the servers that hand exchanges to it.
 */
#ifndef PX_PROXY_H
#define PX_PROXY_H

#include "pollux/exchange.h"
#include "pollux/options.h"
#include "pollux/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

struct px_metrics;

typedef struct px_upstream px_upstream; /**< Servers that serve the same. */
typedef struct px_proxy px_proxy;       /**< A handler that asks an upstream. */

/* --- An upstream ------------------------------------------------------------------------------ */

/** How a request's server is chosen.  Only servers that are up are; where fewer than half are, all
 *  count as up. */
typedef enum px_balance {
    PX_BALANCE_RANDOM = 0,  /**< Two at random, by weight: the less busy of them. */
    PX_BALANCE_ROUND_ROBIN, /**< By turns, by weight, the turns of one spread over the round. */
    PX_BALANCE_LEAST,       /**< The least busy, by weight; among equals by turns. */
    PX_BALANCE_HASH         /**< By a key: the same server as long as it is up. */
} px_balance;

/** What is known of servers, in memory that processes share. */
typedef struct px_upstream_board px_upstream_board;

/** Makes a board in memory that children of fork(2) share with their parent: made before the fork,
 *  it is one for all workers, and for those that come later.  Servers of the same upstream's name,
 *  URL and check are the same on it, so what is known of them lives on when an upstream is made
 *  anew.  It has room for 4,096 servers; those beyond are known to their own upstream alone.
 *  @param allocator copied; NULL: malloc.  Not for what is shared.
 *  @return the caller's hold (px_upstream_board_destroy), or NULL: PX_ERR_MEMORY, PX_ERR_SYSTEM (no
 *  random bytes).  Any thread. */
px_upstream_board *px_upstream_board_create(const px_allocator *allocator, px_error *out_error);

/** Gives the caller's hold up; each upstream has one of its own.  NULL is fine.  Any thread. */
void px_upstream_board_destroy(px_upstream_board *board);

/** What is asked of servers to see whether they are well.  Zero is the default everywhere. */
typedef struct px_upstream_check {
    size_t struct_size;  /**< sizeof(px_upstream_check). */
    const char *path;    /**< What is asked for, with GET; copied; NULL: "/". */
    const char *host;    /**< Its Host, copied; NULL: the server's own. */
    uint32_t every_ms;   /**< Between two checks of a server, give or take a tenth; 0: 2 s. */
    uint32_t timeout_ms; /**< Of one check; 0: as long as every_ms. */
    uint32_t fall;       /**< Checks in a row that fail until a server is down; 0: 3. */
    uint32_t rise;       /**< ... and that succeed until it is up again; 0: 2. */
    uint32_t status_min; /**< Statuses that are well; 0: 200 ... */
    uint32_t status_max; /**< ... to 399, or to status_min where that was given. */
} px_upstream_check;

/** An empty one, to be filled in, as a value.  Any thread. */
static inline px_upstream_check px_upstream_check_default(void)
{
    px_upstream_check check;

    memset(&check, 0, sizeof(check));
    check.struct_size = sizeof(check);
    return check;
}

/** The same. */
#define PX_UPSTREAM_CHECK_DEFAULT px_upstream_check_default()
/** The same as an initialiser of a static. */
#define PX_UPSTREAM_CHECK_INIT PX_INIT_OF(px_upstream_check)

/** A server.  Zero is the default everywhere. */
typedef struct px_upstream_server {
    size_t struct_size; /**< sizeof(px_upstream_server), the same in all of an array. */
    /** "http://host[:port]", "https://host[:port]", "h2c://host[:port]" (HTTP/2 by prior knowledge)
     *  or "unix:/path"; copied. */
    const char *url;
    /** Where to connect instead of the URL's host: "host:port"; copied; NULL: there. */
    const char *address;
    uint32_t weight;       /**< Its share, 1 to 1000; 0: 1. */
    uint32_t requests_max; /**< Of it at once; 0: as the upstream says. */
    uint32_t backup;       /**< 1: it is asked while none of the others can be. */
    uint32_t reserved;     /**< Zero. */
} px_upstream_server;

/** An empty one, to be filled in, as a value.  Any thread. */
static inline px_upstream_server px_upstream_server_default(void)
{
    px_upstream_server server;

    memset(&server, 0, sizeof(server));
    server.struct_size = sizeof(server);
    return server;
}

/** The same. */
#define PX_UPSTREAM_SERVER_DEFAULT px_upstream_server_default()
/** The same as an initialiser of a static. */
#define PX_UPSTREAM_SERVER_INIT PX_INIT_OF(px_upstream_server)

/** Options of an upstream.  Zero is the default everywhere. */
typedef struct px_upstream_options {
    size_t struct_size;                /**< sizeof(px_upstream_options). */
    px_loop *loop;                     /**< Borrowed: outlives the upstream. */
    const px_upstream_server *servers; /**< Borrowed for the call. */
    uint32_t server_count;             /**< Of servers, 1 to 1000. */
    uint32_t balance;                  /**< A px_balance. */
    const char *hash_key;        /**< The template of PX_BALANCE_HASH, copied; NULL: "{client}". */
    px_tls_trust *trust;         /**< For https, counted; NULL: the system's roots, read
                             for the first request. */
    uint32_t fails_max;          /**< Failures in a row until a server is out; 0: 3; PX_OFF. */
    uint32_t fails_ms;           /**< ... when no two are further apart; 0: 10 s. */
    uint32_t backoff_ms;         /**< A server is out so long; twice that each time; 0: 1 s. */
    uint32_t backoff_ms_max;     /**< ... and at most; 0: 60 s. */
    uint32_t requests_max;       /**< Of one server at once; 0: 256. */
    uint32_t queue_max;          /**< Requests that wait for one of them to end; 0: 256; PX_OFF. */
    uint32_t queue_timeout_ms;   /**< How long they wait; 0: 10 s. */
    uint32_t connect_timeout_ms; /**< For each address; 0: 5 s. */
    uint32_t first_byte_timeout_ms; /**< From the request's last byte; 0: 60 s; PX_OFF. */
    uint32_t silence_timeout_ms;    /**< Between two bytes, of both; 0: 60 s; PX_OFF. */
    uint32_t keep_timeout_ms;       /**< Idle connections are kept so long; 0: 30 s. */
    uint32_t keep_max;       /**< Idle connections of one server; 0: as many as its requests_max, so
                                  that a burst leaves none to be opened anew; PX_OFF. */
    uint32_t slow_start_ms;  /**< A server that is back gets its share little by little, for so
                         long; 0: 10 s; PX_OFF. */
    uint32_t proxy_protocol; /**< 1, 2: connections begin with a PROXY header of that version, and
                         serve one request each; 0: they do not. */
    px_upstream_board *board;       /**< Gets a further hold; NULL: what is known is its own. */
    const char *name;               /**< Its name on the board; copied; NULL: "". */
    const px_upstream_check *check; /**< Borrowed for the call; NULL: servers are not checked. */
    /** A client stays with a server by a cookie of this name, whose value is made with a key of the
     *  board: nothing else makes one that counts.  Copied; NULL: it does not. */
    const char *sticky_cookie;
    /** A server is out or back, or fewer than half are left.  @param text a line for a person,
     *  borrowed.  NULL: not told. */
    void (*on_change)(const px_upstream *upstream, const char *text, void *context);
    void *change_context; /**< Handed to on_change; borrowed. */
    /** Where its requests and servers are counted, by its name, or without one by its first
     *  server's URL; borrowed: outlives the upstream.  NULL: they are not. */
    struct px_metrics *metrics;
} px_upstream_options;

/** The defaults, as a value.  Any thread. */
static inline px_upstream_options px_upstream_options_default(void)
{
    px_upstream_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_upstream_options, as a value. */
#define PX_UPSTREAM_OPTIONS_DEFAULT px_upstream_options_default()
/** The same as an initialiser of a static. */
#define PX_UPSTREAM_OPTIONS_INIT PX_INIT_OF(px_upstream_options)

/** Makes an upstream; connects to nothing yet.
 *  @param options borrowed for the call.
 *  @return owned by the caller (px_upstream_destroy), or NULL: PX_ERR_INVALID (the text says what),
 *  PX_ERR_MEMORY, PX_ERR_SYSTEM. */
px_upstream *px_upstream_create(const px_upstream_options *options, px_error *out_error);

/** Lets it go; it ends with the last proxy that uses it.  NULL is fine. */
void px_upstream_destroy(px_upstream *upstream);

/** What is known of a server. */
typedef struct px_upstream_facts {
    size_t struct_size; /**< sizeof(px_upstream_facts), before the call. */
    uint64_t requests;  /**< That were given to it. */
    uint64_t failures;  /**< Of those, the ones that it is blamed for. */
    uint64_t retries;   /**< Requests of the whole upstream that went to another try. */
    uint32_t busy;      /**< Requests it has now. */
    int up;             /**< 1; 0: it is out, for failures or by checks. */
    uint32_t waiting;   /**< Requests of the whole upstream that wait for a server. */
    uint32_t reserved;  /**< Zero. */
} px_upstream_facts;

/** An empty one, for a call to fill in, as a value.  Any thread. */
static inline px_upstream_facts px_upstream_facts_default(void)
{
    px_upstream_facts facts;

    memset(&facts, 0, sizeof(facts));
    facts.struct_size = sizeof(facts);
    return facts;
}

/** The same. */
#define PX_UPSTREAM_FACTS_DEFAULT px_upstream_facts_default()
/** The same as an initialiser of a static. */
#define PX_UPSTREAM_FACTS_INIT PX_INIT_OF(px_upstream_facts)

/** Tells it.  @param index of the server in the options, below server_count. */
void px_upstream_tell(const px_upstream *upstream, uint32_t index, px_upstream_facts *out_facts);

/* --- A proxy ---------------------------------------------------------------------------------- */

/** Options of a proxy.  Zero is the default everywhere. */
typedef struct px_proxy_options {
    size_t struct_size;    /**< sizeof(px_proxy_options). */
    px_upstream *upstream; /**< The proxy takes a hold of its own. */
    /** Host of the requests; NULL: as the client sent it; "": the server's own; else this.  Copied.
     */
    const char *host;
    const char *name; /**< Our name in Via (RFC 9110 section 7.6.3), copied; NULL: "pollux".  A
                           request that has it there already came around: it is answered 508. */
    /** Blocks of peers whose X-Forwarded-* and Forwarded are passed on and added to, as those of
     *  px_server_options; those of other peers are dropped.  Borrowed for the call. */
    const char *const *trusted_proxies;
    uint32_t trusted_proxy_count; /**< Of trusted_proxies, at most 256. */
    uint32_t forwarded;           /**< 1: a Forwarded field (RFC 7239) is written too. */
    uint32_t underscores; /**< Fields with "_" in their names, which many programs cannot tell from
                               those with "-": 0: dropped; 1: passed on; 2: answered 400. */
    uint32_t tries;       /**< Of a request, the first included; 0: 2. */
    uint32_t replay_bytes_max; /**< Content that is kept to be sent again; 0: 64 KiB; PX_OFF. */
    uint32_t answer_bytes_max; /**< Of an answer that its client has not taken; 0: 16 KiB, at most
                                    16 MiB. */
    uint32_t expect_forward;   /**< 1: where a client waits for 100 (Continue), so do we, up to a
                                    second: content is asked for when the server has. */
    uint32_t no_upgrade;       /**< 1: requests to switch protocols go on as plain ones. */
    uint32_t retry_disconnect; /**< 1: a new connection that ends without a byte is retried, too. */
    uint32_t connect_timeout_ms;    /**< As those of the upstream; 0: what it says. */
    uint32_t first_byte_timeout_ms; /**< Likewise. */
    uint32_t silence_timeout_ms;    /**< Likewise. */
    uint32_t total_timeout_ms; /**< For the tries of a request, until its answer begins; 0: no limit
                                    but those of the upstream. */
    /** A request was answered with an error that the proxy made (502, 503, 504), or its answer was
     *  cut.  @param status 0: cut.  @param text a line for a person, borrowed.  NULL: not told. */
    void (*on_failure)(px_exchange *exchange, unsigned status, const char *text, void *context);
    void *failure_context; /**< Handed to on_failure; borrowed. */
    uint32_t proxy_status; /**< 1: errors that the proxy makes say their kind in a Proxy-Status
                              field (RFC 9209), under the name in Via. */
    uint32_t reserved;     /**< Zero. */
} px_proxy_options;

/** The defaults, as a value.  Any thread. */
static inline px_proxy_options px_proxy_options_default(void)
{
    px_proxy_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_proxy_options, as a value. */
#define PX_PROXY_OPTIONS_DEFAULT px_proxy_options_default()
/** The same as an initialiser of a static. */
#define PX_PROXY_OPTIONS_INIT PX_INIT_OF(px_proxy_options)

/** Makes a proxy.
 *  @param options borrowed for the call.
 *  @return owned by the caller (px_proxy_destroy), or NULL: PX_ERR_INVALID (the text says what),
 *  PX_ERR_MEMORY. */
px_proxy *px_proxy_create(const px_proxy_options *options, px_error *out_error);

/** Lets it go: a `release` of a route's context.  What it is doing goes on, and it ends with the
 *  last exchange of its own, at the end of a tick of the loop.  @param proxy a px_proxy; NULL is
 *  fine. */
void px_proxy_destroy(void *proxy);

/** The handler: a route's, with PX_CONTENT_STREAM.  A route for every method is "/"; CONNECT, which
 *  has no path, is refused (405) where it has a route: "CONNECT /".
 *  @param proxy a px_proxy. */
void px_proxy_handle(px_exchange *exchange, void *proxy);

#ifdef __cplusplus
}
#endif

#endif
