/*
 * The client: fetches, origins and connections.
 *
 * A *fetch* is one request and its answer.  An *origin* is what connections are kept for: an
 * address, whether TLS is spoken and with which identity, which protocol.  Fetches wait at their
 * origin, in order, until one of its connections is free or a new one is there.  Closing is asked
 * for at any time; what a fetch used is freed at the end of a tick (LOOP_ENDS), a connection when
 * its stream has closed, the client when both are gone.
 *
 *   client.c    the client's life, the end of fetches
 *   request.c   what a caller asks for, read and copied
 *   fetch.c     a fetch from its start to its end, its deadlines
 *   answer.c    what a caller reads of an answer
 *   origin.c    origins: waiting, keeping, limits
 *   lookup.c    names of hosts whose connections are kept
 *   link.c      connections: dialling, TLS, closing; above them the protocols:
 *   h1_link.c   HTTP/1.1: driver and events; h1_link_read.c, h1_link_write.c
 *   h2_link.c   HTTP/2: many fetches on one connection
 */
#ifndef PX_CLIENT_CLIENT_H
#define PX_CLIENT_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/pool.h"
#include "http/h1/h1_request.h"
#include "http/h2/h2_client.h"
#include "http/message/message.h"
#include "io/io.h"
#include "net/name_lookup.h"
#include "pollux/client.h"

enum { FETCH_FIRST_BYTES = 1024 };

struct link;
struct tls_shared;

struct px_client {
    px_loop *loop; /* borrowed: outlives it */
    px_client_options options;
    struct http_limits limits;
    const struct scan_table *scan;
    px_tls_trust *trust;    /* a reference, or NULL: made when it is first needed */
    struct tls_shared *tls; /* owned, or NULL: made when it is first needed */
    struct map origins;     /* of struct origin */
    struct names names;     /* of hosts that were dialled */
    struct pool fetches;
    struct pool links;
    struct pool works;       /* of struct link_work */
    struct pool outs;        /* of struct link_out */
    struct list all;         /* of px_fetch: all that have not ended */
    struct list ended;       /* of px_fetch: on_end is due */
    struct list open;        /* of struct link: all of them */
    struct list idle;        /* of struct link: without a request, the longest first */
    struct list wanting;     /* of struct origin: fetches wait there, and there was no room; the
                                one whose fetch waits longest first */
    uint64_t turns;          /* fetches that have waited */
    struct loop_hook ends;   /* says on_end */
    struct loop_hook last;   /* frees the client once it is destroyed */
    struct loop_hook checks; /* in builds for tests: client_check */
    struct loop_task serve;  /* gives waiting fetches to connections */
    struct io_timer again;   /* has that done again, where one is not drained yet */
    bool closing;            /* px_client_destroy was called */
    bool stepped;            /* ... and steps the loop until it is over */
    bool over;               /* nothing uses it any more */
};

/* --- Origins ---------------------------------------------------------------------------------- */

/* What an origin is made of; slices are borrowed. */
struct origin_key {
    px_str address;      /* where to connect */
    px_str name;         /* whose certificate it is to be; absent without TLS */
    px_str preamble;     /* what every connection begins with; may be absent */
    px_tls_trust *trust; /* NULL without TLS */
    uint8_t protocol;    /* px_fetch_protocol */
};

struct origin {
    struct map_entry entry; /* of px_client.origins */
    struct list wanting;    /* in px_client.wanting */
    struct list waiting;    /* of px_fetch, in order */
    struct list idle;       /* of struct link: the last used first */
    px_client *client;      /* borrowed: holds it */
    px_tls_trust *trust;    /* a reference, or NULL without TLS */
    const char *address;    /* in `text`, with a NUL */
    px_str name;            /* in `text` */
    px_str preamble;        /* in `text` */
    uint32_t uses;          /* fetches and connections that it is the origin of */
    uint32_t link_count;
    uint32_t opening_count; /* of those, not open yet */
    uint32_t idle_count;
    uint32_t waiting_count;
    uint8_t protocol;        /* px_fetch_protocol */
    bool only_http1;         /* its server chose HTTP/1.1, where it had the choice */
    bool is_name;            /* its address is to be looked up */
    struct name_waiter look; /* on a list: that is under way */
    uint64_t looked_ms;      /* when the last of them began */
    uint64_t http1_until_ms; /* its server has said HTTP_1_1_REQUIRED, and answers over HTTP/1.1 */
    char text[];             /* the key */
};

/* The origin of that key, made where there is none, for a fetch to use: PX_OK, PX_ERR_MEMORY, or
 * PX_ERR_INVALID: a part of it is too long. */
PX_MUST_CHECK px_err origin_take(px_client *client, const struct origin_key *key,
                                 struct origin **out_origin);

/* A fetch or a connection uses it no more; the last of them frees it. */
void origin_put(struct origin *origin);

/* A fetch begins, or ceases, to wait. */
void origin_wait(struct origin *origin, px_fetch *fetch);
void origin_leave(struct origin *origin, px_fetch *fetch);

/* A connection has no request; it is kept, where that is of use. */
void origin_keep(struct origin *origin, struct link *link);

/* Fetches have begun, or ceased, to wait: where none does, connections that were opened and are not
 * needed any more are as old as any when they are used. */
void origin_rest(struct origin *origin);

/* A connection that speaks HTTP/2 has room for more. */
void origin_offer(struct origin *origin, struct link *link);

/* Whether a fetch is to be asked over HTTP/1.1, though the origin's protocol may be HTTP/2 (RFC
 * 9113 section 7). */
bool origin_takes_http1(const struct origin *origin, const px_fetch *fetch);

/* A kept connection is used: its name is looked up again, when it is time (lookup.c). */
void origin_look_again(struct origin *origin);

/* Has waiting fetches served, from the loop. */
void origin_want(struct origin *origin);
void origin_serve(struct loop_task *task);
void origin_serve_again(struct io_timer *timer);

/* A connection has not come about: for the first of those that wait, or for all where there is no
 * other. */
void origin_refuse(struct origin *origin, const px_error *error);

/* --- Fetches ---------------------------------------------------------------------------------- */

enum fetch_stage {
    FETCH_WAITING,  /* for a connection */
    FETCH_SENT,     /* given to one; no byte of the final answer's head was taken yet */
    FETCH_ANSWERED, /* the head of the answer was told */
    FETCH_FINISHED, /* the end is known, and is told when nothing uses its memory any more */
    FETCH_AGAIN     /* it waits again, when nothing uses its memory any more */
};

/* What is asked for, in the fetch's arena but for the content. */
struct fetch_request {
    struct h1_request_head head; /* CONNECT has an authority as its target */
    px_str content;              /* borrowed: until on_end */
    uint64_t pull_length;
    px_field *trailers; /* behind it */
    uint32_t trailer_count;
    uint32_t trailer_room;
    uint32_t flags;    /* enum px_fetch_flags */
    uint8_t method_id; /* enum http_method */
};

/* Informational heads that came. */
struct fetch_informs {
    uint32_t bytes;
    uint16_t count;
};

/* How its connections fared, for what may be done again. */
struct fetch_facts {
    bool reused;      /* the last one has served others before */
    bool kept;        /* ... or was without a request: its server may have given it up by then */
    bool stale;       /* ... and ended as it was used, before a byte of the answer */
    bool unprocessed; /* the server has not begun it */
    bool over_http1;  /* it is to go over HTTP/1.1: the server has said HTTP_1_1_REQUIRED */
};

struct px_fetch {
    struct pool_item item;
    struct list all;                     /* in px_client.all, or px_client.ended */
    struct list waiting;                 /* in origin.waiting */
    uint64_t turn;                       /* which of the client's it was to wait; 0: it has not */
    px_client *client;                   /* borrowed: outlives it */
    struct origin *origin;               /* borrowed: outlives it */
    struct link *link;                   /* borrowed: where it is in progress, or NULL */
    struct list on_link;                 /* HTTP/2: in link.fetches */
    struct list ready;                   /* HTTP/2: in link.ready, to be gone on with */
    struct h2_call call;                 /* HTTP/2: its stream */
    struct buf held;                     /* owned; HTTP/2: content that was not used */
    const px_fetch_callbacks *callbacks; /* borrowed: outlives it */
    void *context;                       /* likewise */
    struct arena arena;
    struct fetch_request request;
    struct http_response answer; /* in the arena */
    px_field *trailers;          /* likewise */
    uint64_t content_length;     /* of the answer, or PX_LENGTH_UNKNOWN */
    uint64_t content_sent;
    struct io_timer timer;
    uint64_t total_due_ms;
    uint64_t active_ms; /* when something last moved */
    uint32_t connect_ms;
    uint32_t dialled_ms; /* what its connection took, which was new */
    uint32_t wait_ms;
    uint32_t first_byte_ms;
    uint32_t silence_ms;
    uint32_t trailer_count;
    struct fetch_informs informs;
    uint8_t tries;
    uint8_t stage; /* enum fetch_stage */
    struct fetch_facts facts;
    bool paused;     /* its content waits for px_fetch_resume */
    bool begun;      /* a byte of the answer has come */
    uint8_t writing; /* HTTP/2: enum link_writing */
    bool over;       /* HTTP/2: the answer is whole, but perhaps not used up */
    bool tunnel;
    bool again; /* it was sent a second time: there is no third */
    px_error error;
    char first[FETCH_FIRST_BYTES]; /* of the arena */
};

/* Reads the caller's options into a new fetch: PX_OK, PX_ERR_INVALID, PX_ERR_MEMORY, or what no
 * TLS can be spoken for. */
PX_MUST_CHECK px_err fetch_read_options(px_fetch *fetch, const px_fetch_options *options,
                                        struct origin_key *out_key, px_error *out_error);

/* The end, which is told from the loop.  `why` may be NULL on PX_OK. */
void fetch_end(px_fetch *fetch, px_err code, const char *why);
void fetch_end_with(px_fetch *fetch, const px_error *error);

/* Nothing uses its memory any more: waits again, or is told its end. */
void fetch_left(px_fetch *fetch);

/* Whether it may be sent again after its connection has broken. */
bool fetch_may_repeat(const px_fetch *fetch);

/* What is pulled has `bytes` more, and may be over: whether that is the length that was said. */
bool fetch_length_holds(const px_fetch *fetch, size_t bytes, bool over);

/* Something moved; what it waits for may have changed. */
void fetch_moved(px_fetch *fetch);

/* Nothing moved, and yet what it waits for may have changed. */
void fetch_wait(px_fetch *fetch);

/* What must hold of its timer between ticks. */
void fetch_timer_check(const px_fetch *fetch);

void fetch_free(px_fetch *fetch);

static inline bool fetch_is_live(const px_fetch *fetch)
{
    return fetch->stage < FETCH_FINISHED;
}

/* Whether the caller gives content, or bytes for a tunnel, when asked. */
static inline bool fetch_pulls(const px_fetch *fetch)
{
    return fetch->request.pull_length != 0;
}

/* What must hold of it between ticks. */
void client_check(px_client *client);

/* Has on_end told at the end of this tick. */
void client_note_end(px_client *client, px_fetch *fetch);

/* What TLS connections share, made when it is first needed; NULL without memory. */
struct tls_shared *client_tls(px_client *client);

#endif
