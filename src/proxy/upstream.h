/*
 * An upstream from inside: its servers, which one is next, and how they fared.
 *
 * Happy path: upstream_choose, a fetch, server_done with how it went.  It can fail by having no
 * server that takes a request now.
 */
#ifndef PX_PROXY_UPSTREAM_H
#define PX_PROXY_UPSTREAM_H

#include "base/siphash.h"
#include "io/io.h"
#include "pollux/client.h"
#include "pollux/proxy.h"
#include "pollux/template.h"
#include "proxy/board.h"
#include "proxy/health.h"
#include "proxy/places.h"
#include "proxy/queue.h"
#include "proxy/upstream_counts.h"

enum {
    SERVERS_MAX = 1000,
    SERVER_WEIGHT_MAX = 1000,
    /* RFC 9110 section 9.2.2 leaves retries to us: of a hundred requests twenty may be retries, and
     * ten a second besides, so that an upstream which fails is not asked twice as much for it.  In
     * tenths of a retry. */
    RETRY_COST = 10,
    RETRY_GAIN_REQUEST = 2,
    RETRY_GAIN_SECOND = 100,
    /* What can be saved up: by time for ten seconds; by requests so that one server of two may die
     * under a thousand of them. */
    RETRY_SECONDS_MAX = 10 * RETRY_GAIN_SECOND,
    RETRY_REQUESTS_MAX = 1000 * RETRY_COST,
    /* A server takes this much more than its share before a key goes elsewhere, in percent. */
    HASH_LOAD_MAX = 150,
    /* A balance looks at a server that was tried before last of all. */
    TRIED_MAX = 16,
    STICKY_BYTES = 32,
};

struct server {
    char *url;             /* owned */
    char *address;         /* owned, or NULL */
    struct health *health; /* borrowed: on the board, or `own` */
    struct check *check;   /* owned; NULL: it is not checked */
    struct health own;
    uint32_t weight;
    uint32_t requests_max;
    uint32_t busy; /* requests it has */
    bool is_backup;
    int64_t turn; /* of the smooth round robin */
    uint64_t requests;
    uint64_t failures;
    uint64_t hash;             /* of its URL: where it stands for keys */
    char cookie[STICKY_BYTES]; /* what names it to a client that stays */
    struct server_counts counts;
};

struct checker;

struct px_upstream {
    px_loop *loop;            /* borrowed: outlives it */
    px_client *client;        /* owned */
    px_template *hash_key;    /* owned; NULL: not by a key */
    px_upstream_board *board; /* a hold, or NULL */
    struct checker *checker;  /* owned; NULL: servers are not checked */
    char *sticky;             /* owned: a cookie's name; NULL: none */
    px_timer *seeing;         /* owned: says to the board that it has servers; NULL without one */
    struct queue queue;       /* of those that wait for a server */
    struct places places;     /* of those that have one */
    struct upstream_counts counts;
    struct health_rules rules;
    struct siphash_key key;      /* the board's, or its own */
    px_upstream_options options; /* settled; what it points to is not to be used */
    uint32_t uses;               /* proxies, and its owner */
    uint32_t proxies;            /* that give it requests */
    uint32_t busy;               /* requests of all servers */
    uint64_t random;             /* of xorshift: no secret */
    uint64_t retries;
    uint32_t retry_tokens;
    uint64_t retry_ms; /* when they were last given for time */
    uint32_t server_count;
    struct server *servers;  /* owned */
    struct loop_hook checks; /* in builds for tests: upstream_check */
};

px_upstream *upstream_take(px_upstream *upstream);
void upstream_put(px_upstream *upstream);

/* What must hold of it between ticks. */
void upstream_check(const px_upstream *upstream);

/* How a request ended for its server. */
enum server_result {
    SERVER_ANSWERED, /* whatever the status */
    SERVER_FAILED,   /* connect, timeout, cut short: it is blamed */
    SERVER_LEFT,     /* the client left, or it was our own doing: nothing is known */
};

/* The servers that a request was given to, so that another try goes elsewhere. */
struct tried {
    uint16_t indexes[TRIED_MAX]; /* of the first of them; those behind are only counted */
    uint32_t count;
};

/* The server for a request, which counts as busy from now on; NULL: all have as much as they take.
 */
struct server *upstream_choose(px_upstream *upstream, px_exchange *exchange,
                               const struct tried *tried);

/* Notes that it was given to a server. */
void tried_add(struct tried *tried, const px_upstream *upstream, const struct server *server);

/* The last time does not count. */
void tried_drop(struct tried *tried);

/* Whether it is known to have been given to a server. */
bool tried_has(const struct tried *tried, const px_upstream *upstream, const struct server *server);

void server_done(px_upstream *upstream, struct server *server, enum server_result result);

/* Gives what waits to servers that have room. */
void upstream_serve(px_upstream *upstream);

/* Whether fewer than half of the servers are up, so that all are asked. */
bool upstream_is_in_panic(const px_upstream *upstream);

bool server_is_up(const px_upstream *upstream, const struct server *server);

/* Whether a server that is up takes one more request now. */
bool upstream_has_room(const px_upstream *upstream);

/* Writes what is told of an upstream, with its name in front where that is not said yet. */
void upstream_say(const px_upstream *upstream, const char *what, char *out, size_t room);

/* Tells that a server is out or back, and what follows from it. */
void upstream_tell_change(px_upstream *upstream, const struct server *server, const char *what);

/* Whether one more request may be tried again: it is counted then. */
bool upstream_retry(px_upstream *upstream);

/* --- Staying with a server (sticky.c) --------------------------------------------------------- */

/* Makes what names each server to its clients. */
void sticky_init(px_upstream *upstream);

/* The server that a request names, or NULL. */
struct server *sticky_find(const px_upstream *upstream, px_exchange *exchange);

/* Has the client stay with a server, unless it names it already. */
void sticky_set(const px_upstream *upstream, const struct server *server, px_exchange *exchange);

/* --- Checks (checker.c) ----------------------------------------------------------------------- */

/* PX_OK, PX_ERR_MEMORY or PX_ERR_INVALID. */
PX_MUST_CHECK px_err checker_open(px_upstream *upstream, const px_upstream_check *check,
                                  px_error *out_error);

/* What is in flight is cancelled, and says nothing. */
void checker_close(px_upstream *upstream);

#endif
