/*
 * A request on its way through: an exchange on one side, a fetch on the other.
 *
 * Happy path: passage_begin makes the head and gives it to a server; content flows to it as the
 * exchange has it, the answer flows back as it comes, and when both sides have ended the passage is
 * put back.  What can go wrong: the server fails (another try, or an error for the client, or an
 * answer that is cut), the client leaves (the fetch is cancelled).
 *
 *   TRYING -> ANSWERING (or TUNNEL)     the head of the answer is with the exchange
 *          -> REFUSED                   we answered, and nothing is asked any more
 */
#ifndef PX_PROXY_PASSAGE_H
#define PX_PROXY_PASSAGE_H

#include "base/arena.h"
#include "base/pool.h"
#include "http/ws/ws_handshake.h"
#include "net/cidr.h"
#include "proxy/flow.h"
#include "proxy/frames.h"
#include "proxy/kept.h"
#include "proxy/upstream.h"

enum {
    PASSAGE_FIRST_BYTES = 2048,          /* heads of most requests, as they go on */
    PASSAGE_HEAD_BYTES_MAX = 256 * 1024, /* heads have 32 KiB, and their fields a table */
};

enum passage_stage { PASSAGE_TRYING, PASSAGE_ANSWERING, PASSAGE_TUNNEL, PASSAGE_REFUSED };

enum tunnel_side { TO_SERVER, TO_CLIENT, TUNNEL_SIDES };

struct px_proxy {
    px_loop *loop;         /* borrowed */
    px_upstream *upstream; /* a hold */
    px_proxy_options options;
    char *host;           /* owned, or NULL */
    char *name;           /* owned */
    struct cidr *trusted; /* owned */
    struct pool passages;
    struct loop_hook checks; /* in builds for tests: proxy_check */
    bool closing;
};

struct passage {
    struct pool_item item;
    px_proxy *proxy;       /* borrowed: lives as long as it has passages */
    px_exchange *exchange; /* borrowed; NULL: it has ended */
    px_fetch *fetch;       /* borrowed; NULL: none now */
    struct server *server; /* borrowed: has the fetch */
    struct flow request;
    struct flow answer;
    struct budget_holder holder; /* of what is in them */
    px_fetch_options ask;        /* what is asked for; points into the arena */
    struct tried tried;
    struct waiter waiter; /* for a server with room */
    struct place place;   /* with the server that has the fetch */
    uint64_t due_ms;      /* for tries */
    uint64_t started_ms;  /* when the last of them began */
    uint8_t stage;
    uint8_t tries;
    bool comes_again; /* it was given to a server before */
    bool idempotent;
    bool held;    /* content waits until there is a connection */
    bool starved; /* its server wants content that has not come */
    bool wants_trailers;
    bool is_websocket;
    bool leaving;            /* a tunnel's time is over: both sides are told, frame by frame */
    bool told[TUNNEL_SIDES]; /* nothing more goes to it */
    struct frames frames[TUNNEL_SIDES]; /* of those that go to it */
    px_timer *leave;                    /* owned, or NULL */
    char accept[WS_ACCEPT_BYTES];       /* Sec-WebSocket-Accept, as it must come */
    struct arena arena;
    char first[PASSAGE_FIRST_BYTES];
};

/* Asks for it; answers, when that cannot be. */
void passage_begin(px_proxy *proxy, px_exchange *exchange, const px_str *upgrade);

/* Gives the request to a server, the first time or again, perhaps when one has room; answers, when
 * none takes it. */
void passage_try(struct passage *passage);

/* Answers with an error of ours, and says why; `kind` is what Proxy-Status calls it. */
void passage_refuse(struct passage *passage, unsigned status, const char *why, const char *kind);

/* Ends it for the sake of others: answered with an error where no answer has begun, else cut.  The
 * server is asked no longer, and not blamed. */
void passage_give_up(struct passage *passage, unsigned status, const char *why);

/* Tells the program what went wrong. */
void passage_tell(struct passage *passage, unsigned status, const char *why);

/* Puts it back once both sides have ended. */
void passage_settle(struct passage *passage);

/* What a fetch reports. */
extern const px_fetch_callbacks passage_fetch_callbacks;

/* --- Tunnels (tunnel.c) ----------------------------------------------------------------------- */

/* The protocol that a request asks to switch to, and that we take on: absent, for none.  0, or the
 * status that refuses the request. */
unsigned tunnel_asked(px_exchange *exchange, bool is_wanted, px_str *out_protocol);

/* Notes what must come of a handshake of WebSocket.  Over HTTP/2 none has a key (RFC 8441 section
 * 5.1), so that one is made: absent, where the client has sent its own.  PX_OK, PX_ERR_MEMORY or
 * PX_ERR_SYSTEM. */
PX_MUST_CHECK px_err tunnel_expect(struct passage *passage, px_str *out_key);

/* Whether an answer says to the client that a tunnel stands, where there is none (RFC 8441 section
 * 4). */
bool tunnel_is_faked(const struct passage *passage, unsigned status);

/* The server has switched: PX_OK, or PX_ERR_MALFORMED when its answer is none to our request. */
PX_MUST_CHECK px_err tunnel_open(struct passage *passage);

/* Bytes of the server: how many were used. */
size_t tunnel_send(struct passage *passage, px_str bytes);

/* Bytes of the client: how many were used. */
size_t tunnel_receive(struct passage *passage, px_str bytes);

/* The server that is ours drains: before it closes the tunnel, both sides are told. */
void tunnel_drain(struct passage *passage);

/* Bytes of the client on their way to the server: how many were used. */
size_t passage_receive(struct passage *passage, px_str bytes);
void passage_receive_end(struct passage *passage);

/* What must hold of a proxy, and of its requests, between ticks. */
void proxy_check(px_proxy *proxy);

/* A proxy that was let go ends with its last passage. */
void proxy_settle(px_proxy *proxy);

#endif
