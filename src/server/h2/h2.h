/*
 * HTTP/2 on a connection: a session (src/http/h2/h2_session.h), its requests, one driver.
 *
 * Every event (bytes, room to write, a deadline, an answer from a handler) is recorded and ends up
 * in h2_advance, which is never re-entered: a reply from inside a handler puts its request on the
 * ready list, and the running driver picks it up.
 *
 *   h2.c        the driver, its events
 *   h2_life.c   beginning and end, deadlines
 *   h2_read.c   requests and their content
 *   h2_reply.c  answers and their content
 */
#ifndef PX_SERVER_H2_H
#define PX_SERVER_H2_H

#include "http/h2/h2_session.h"
#include "server/session/conn.h"
#include "server/session/facts.h"

struct h2_conn;

/* What a request is. */
enum h2_kind {
    REQUEST_PLAIN,
    REQUEST_CONNECT, /* what comes is no content but a tunnel's bytes */
    REQUEST_EXTENDED /* ... of the extended CONNECT, which a handler sees as an upgrade */
};

/* How far the content of a request is, beside what is held of it. */
enum h2_content {
    CONTENT_COMES,
    CONTENT_EXPECTED, /* the peer waits for 100 (Continue) */
    CONTENT_END_HELD  /* its end waits behind what is held */
};

/* A request and its answer: what is there of a stream above the session. */
struct h2_request {
    struct pool_item item;
    struct h2_stream stream;
    struct list node;       /* on h2_conn.requests, in the order in which they began */
    struct list ready;      /* on h2_conn.ready: the driver has something to do for it */
    struct h2_conn *h2;     /* borrowed: outlives it */
    px_exchange *exchange;  /* in progress, or NULL */
    struct buf held;        /* content that the handler does not take now */
    uint64_t begun_ms;      /* the look-outs of h2_life.c start here */
    uint64_t moved_bytes;   /* in and out, since the last look */
    uint32_t head_bytes;    /* of its head: taken from the loop's budget */
    uint32_t dropped_bytes; /* of content that is not waited for */
    uint16_t refusal;       /* a status to be answered without a handler, or 0 */
    uint8_t kind;           /* enum h2_kind */
    uint8_t content;        /* enum h2_content */
    uint8_t refusal_at;     /* bytes of its text that were rendered */
    bool broken;            /* the exchange asked for a reset */
    bool rendered;          /* the answer is in the block: over when that is out */
    bool timed_out;         /* it had its time */
    bool lingering;         /* answered, and its content is still coming */
    bool asked;             /* its content was wanted when it was last looked at */
};

struct h2_conn {
    struct conn conn;
    struct h2_session *session; /* owned, or NULL when it could not be had */
    struct list requests;       /* of h2_request */
    struct list ready;          /* of h2_request.ready */
    uint32_t look_ms;           /* when its requests are looked at next, the lower half */
    uint32_t served_ms;         /* when a request was last in progress, its lower half */
    uint32_t head_bytes : 24;   /* of its requests */
    uint32_t request_count : 8; /* in `requests` */
    uint32_t block;             /* the header block or frame that was not whole at ... */
    uint32_t block_ms;          /* ... this time, its lower half */
    uint16_t rendered_count;    /* requests that are over when the block is out */
    uint8_t stalled_count;      /* requests that have stalled, less those of long ago */
    bool served : 1;            /* a request began since it was last idle */
    bool heard : 1;             /* bytes came since the last look */
    bool timed_out : 1;         /* why the session was ended */
    bool behind : 1;            /* its turn was over before all that came was fed */
};

static inline struct h2_conn *h2_of(struct session *session)
{
    return CONTAINER_OF(session, struct h2_conn, conn.session);
}

static inline struct h2_request *h2_request_of(struct h2_stream *stream)
{
    return CONTAINER_OF(stream, struct h2_request, stream);
}

void h2_advance(struct h2_conn *h2);

/* States what must hold between ticks; for tests. */
void h2_check(const struct session *session);

/* The driver has something to do for a request. */
void h2_note(struct h2_request *request);

/* Ends the exchange of a request. */
void h2_finish(struct h2_request *request, px_end end);

/* The request is over: its exchange ends, its memory goes back. */
void h2_request_free(struct h2_request *request, px_end end);

/* Answers a request without a handler, where its stream can still carry that.  `reason` is static;
 * `head` may be NULL where there is an exchange. */
void h2_refuse(struct h2_request *request, unsigned status, const char *reason,
               const struct h2_head *head);

/* What the driver does for a request on the ready list. */
void h2_read_step(struct h2_request *request);
void h2_reply_step(struct h2_request *request);

/* The session's events, and the exchange's transport. */
struct h2_stream *h2_begin(void *context);
void h2_take_request(struct h2_stream *stream, const struct h2_head *head, void *context);
void h2_take_refusal(struct h2_stream *stream, const struct h2_head *head, void *context);
void h2_take_content(struct h2_stream *stream, px_str bytes, void *context);
void h2_take_end(struct h2_stream *stream, const struct h2_head *trailers, void *context);
px_pull h2_pull(struct h2_stream *stream, char *out, size_t room, size_t *out_bytes, void *context);
const px_field *h2_trailers(struct h2_stream *stream, uint32_t *out_count, void *context);
void h2_rendered(struct h2_stream *stream, void *context);
void h2_closed(struct h2_stream *stream, uint32_t error, void *context);

extern const struct h2_events h2_session_events;
extern const struct session_transport h2_transport;
extern const struct session_protocol h2_protocol;
extern const px_stream_events h2_stream_events;

/* --- h2_share.c: what connections hold of what they share ------------------------------------- */

/* Makes room where exchanges are about to run out; for every protocol, before one is made. */
void h2_share_relieve(px_server *server);

/* Whether the connection may have one more exchange. */
bool h2_share_begin(struct h2_conn *h2);

/* Takes a head's bytes for a request, or says false: it is to be refused. */
bool h2_share_head(struct h2_request *request, size_t bytes);

void h2_share_give(struct h2_request *request);

/* The driver's part in h2_life.c: what the connection waits for now, or its end. */
void h2_rest(struct h2_conn *h2);

#endif
