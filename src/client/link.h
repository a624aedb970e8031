/*
 * A client's connection: a stream and a conduit, an origin it belongs to, and at most one fetch.
 *
 * Its protocol is HTTP/1.1: two enums, one driver, as a server's connection has them.  A fetch is
 * given to it, or it is idle; it is freed when its stream has closed.
 */
#ifndef PX_CLIENT_LINK_H
#define PX_CLIENT_LINK_H

#include "base/check.h"
#include "client/client.h"
#include "conduit/tls_conduit.h"
#include "http/h1/h1_body.h"

enum link_stage {
    LINK_DIALLING,
    LINK_HANDSHAKE,
    LINK_OPEN,   /* a protocol speaks */
    LINK_CLOSING /* until its stream has closed */
};

/* What a connection says: a block where a head, and small content, is rendered. */
struct link_out {
    struct pool_item item;
    uint32_t len;
    uint32_t part_count;
    px_part parts[3]; /* a head that is not in the block, the block, content that is not copied */
    char bytes[OUT_BYTES];
};

/* What reading an answer takes: from its first byte to its end. */
struct link_work {
    struct pool_item item;
    bool content;  /* the head is done: `body` is in use */
    bool over;     /* the last of the content was read */
    uint32_t held; /* content that was read and not used: it comes again, first of the bytes */
    struct h1_parser parser;
    struct h1_body body;
    struct http_field_span spans[];
};

enum link_reading {
    READ_NOTHING, /* no request: what comes ends the connection */
    READ_HEAD,
    READ_CONTENT,
    READ_TUNNEL,
    READ_CLOSED /* nothing more comes, or is looked at */
};

enum link_writing {
    WRITE_NOTHING, /* no request */
    WRITE_HEAD,
    WRITE_HELD, /* the head is out, the content waits for 100 (Continue) */
    WRITE_CONTENT,
    WRITE_LATER,  /* `pull` has nothing now */
    WRITE_DONE,   /* all is rendered */
    WRITE_SHUT,   /* and our side of the tunnel has ended */
    WRITE_CLOSED, /* nothing can be sent any more */
};

struct link {
    struct pool_item item;
    struct list node;      /* in px_client.open */
    struct list idle;      /* in origin.idle, while it has no request */
    struct list aged;      /* in px_client.idle, likewise */
    px_client *client;     /* borrowed: outlives it */
    struct origin *origin; /* borrowed: outlives it */
    px_dialing *dial;      /* while it is being made */
    px_stream *stream;     /* the loop's, until on_closed; NULL while dialling */
    struct conduit conduit;
    px_fetch *fetch;      /* HTTP/1.1: the one in progress, or NULL */
    struct h2_client *h2; /* owned; NULL: it speaks HTTP/1.1 */
    union {
        struct {                    /* where h2 is NULL */
            struct link_work *work; /* owned, or NULL */
            px_str in;              /* borrowed: the bytes at hand, while the driver runs */
            size_t in_used;
        };
        struct {                 /* where it is not */
            struct list fetches; /* of px_fetch, those in progress */
            struct list ready;   /* of px_fetch, those to be gone on with */
        };
    };
    struct link_out *out;  /* owned, or NULL */
    struct io_timer timer; /* of the handshake; then of what is kept */
    struct loop_task wake;
    union {
        px_part preamble; /* while it is sent */
        struct {
            uint64_t sent_base; /* bytes that the system had taken when the request began */
            uint64_t sent_seen; /* when the deadline was last looked at */
        };
    };
    uint64_t due_ms;  /* until when it is kept; while it is made, when that began */
    uint32_t made_ms; /* how long that took */
    uint32_t keep_ms; /* how long it is kept, by what the server says */
    uint32_t served;  /* requests before this one */
    uint8_t stage;    /* enum link_stage */
    uint8_t reading;  /* enum link_reading */
    uint8_t writing;  /* enum link_writing */
    bool driving;
    bool sending; /* a send is in flight */
    bool peer_ended;
    bool chunked; /* the request's content is */
    bool unclean; /* it is not used again */
    bool http1;   /* it is to speak HTTP/1.1, whatever its origin's would */
    bool kept;    /* it was opened for a fetch that did not need it any more */
};

/* With 112 of its stream: what a kept connection costs while it is idle. */
_Static_assert(sizeof(struct link) <= 288, "an idle connection is small");

/* Whether nothing was asked on it that is not over. */
static inline bool link_is_unused(const struct link *link)
{
    return link->h2 ? list_empty(&link->fetches) : !link->fetch;
}

/* Its stream has closed. */
void link_freed(struct link *link);

/* Makes one: dials, for what waits at the origin.  PX_OK, or an error and nothing happened. */
PX_MUST_CHECK px_err link_open(struct origin *origin, const px_fetch *first, px_error *out_error);

/* Gives a fetch, which waits no more, to a connection without one. */
void link_take(struct link *link, px_fetch *fetch);

/* Its fetch is over, one way or another, and has left it: keeps the connection, or closes it. */
void link_free(struct link *link);

/* Closes it, from wherever; the fetch that is in progress leaves first, as link_part says. */
void link_close(struct link *link, bool reset);

/* The fetch in progress leaves, once nothing of it is being sent. */
void link_part(struct link *link);

/* The connection has broken: its fetch is sent again, or fails. */
void link_lost(struct link *link, px_err reason, const char *why);

static inline uint8_t fetch_writing(const px_fetch *fetch)
{
    CHECK(fetch->link);
    return fetch->link->h2 ? fetch->writing : fetch->link->writing;
}

/* --- HTTP/2 ----------------------------------------------------------------------------------- */

/* PX_OK, PX_ERR_MEMORY or PX_ERR_UNSUPPORTED. */
PX_MUST_CHECK px_err h2_link_open(struct link *link);
void h2_link_take(struct link *link, px_fetch *fetch);
void h2_link_advance(struct link *link);

/* The content of a fetch waits no longer for 100 (Continue). */
void h2_link_release(struct link *link, px_fetch *fetch);

/* A fetch that is over, or waits again, leaves. */
void h2_link_leave(struct link *link, px_fetch *fetch);

/* All of its fetches are sent again, or fail. */
void h2_link_lost(struct link *link, px_err reason, const char *why);

/* --- HTTP/1.1 --------------------------------------------------------------------------------- */

/* A protocol begins to speak on a connection that has just opened. */
void h1_link_open(struct link *link);
void h1_link_advance(struct link *link);
void h1_link_wake(struct loop_task *task);

/* PX_OK when something was done, PX_AGAIN when there is nothing to do now; else the fetch has its
 * error and the connection cannot go on. */
PX_MUST_CHECK px_err h1_link_read(struct link *link);
PX_MUST_CHECK px_err h1_link_write(struct link *link);

/* Whether bytes of the server are of use now. */
bool h1_link_wants_bytes(const struct link *link);
void h1_link_work_release(struct link *link);
void h1_link_out_release(struct link *link);

#endif
