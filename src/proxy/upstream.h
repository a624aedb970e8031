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

enum {
    SERVERS_MAX = 1000,
    SERVER_WEIGHT_MAX = 1000,
    /* RFC 9110 section 9.2.2 leaves retries to us: of a hundred requests twenty may be retries, and
     * ten a second besides, so that an upstream which fails is not asked twice as much for it.  In
     * tenths of a retry. */
    RETRY_COST = 10,
    RETRY_GAIN_REQUEST = 2,
    RETRY_GAIN_SECOND = 100,
    RETRY_MAX = 1000,
    /* A server takes this much more than its share before a key goes elsewhere, in percent. */
    HASH_LOAD_MAX = 150,
    /* A balance looks at a server that was tried before last of all. */
    TRIED_MAX = 16,
};

struct server {
    char *url;     /* owned */
    char *address; /* owned, or NULL */
    uint32_t weight;
    uint32_t busy;       /* requests it has */
    int64_t turn;        /* of the smooth round robin */
    uint32_t fails;      /* in a row */
    uint64_t fail_ms;    /* the last of them */
    uint32_t backoff_ms; /* how long it was out last; 0: it was not */
    uint64_t out_ms;     /* until then it is out */
    uint64_t requests;
    uint64_t failures;
    uint64_t hash; /* of its URL: where it stands for keys */
};

struct px_upstream {
    px_loop *loop;         /* borrowed: outlives it */
    px_client *client;     /* owned */
    px_template *hash_key; /* owned; NULL: not by a key */
    struct siphash_key key;
    px_upstream_options options; /* settled; what it points to is not to be used */
    uint32_t uses;               /* proxies, and its owner */
    uint32_t busy;               /* requests of all servers */
    uint64_t random;             /* of xorshift: no secret */
    uint64_t retries;
    uint32_t retry_tokens;
    uint64_t retry_ms; /* when they were last given for time */
    uint32_t server_count;
    struct server *servers; /* owned */
};

px_upstream *upstream_take(px_upstream *upstream);
void upstream_put(px_upstream *upstream);

/* How a request ended for its server. */
enum server_result {
    SERVER_ANSWERED, /* whatever the status */
    SERVER_FAILED,   /* connect, timeout, cut short: it is blamed */
    SERVER_LEFT,     /* the client left, or it was our own doing: nothing is known */
};

/* The servers that a request was given to, so that another try goes elsewhere. */
struct tried {
    uint16_t indexes[TRIED_MAX];
    uint8_t count;
};

/* The server for a request, which counts as busy from now on; NULL: all have as much as they take,
 * and as many wait as may. */
struct server *upstream_choose(px_upstream *upstream, px_exchange *exchange,
                               const struct tried *tried);

/* Notes that it was given to a server. */
void tried_add(struct tried *tried, const px_upstream *upstream, const struct server *server);

void server_done(px_upstream *upstream, struct server *server, enum server_result result);

bool server_is_up(const px_upstream *upstream, const struct server *server);

/* Whether all have as many requests as they take at once. */
bool upstream_is_full(const px_upstream *upstream);

/* Whether one more request may be tried again: it is counted then. */
bool upstream_retry(px_upstream *upstream);

#endif
