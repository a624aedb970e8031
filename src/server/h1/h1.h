/*
 * HTTP/1 on a connection: two enums, one driver.
 *
 * Every event (bytes, room to write, a deadline, an answer from a handler) is recorded and ends up
 * in h1_advance, which is never re-entered: a reply from inside a handler only takes note, and the
 * running driver picks it up.
 *
 *   h1.c        the driver, its events, the end
 *   h1_read.c   head and content of a request
 *   h1_reply.c  head and content of an answer
 */
#ifndef PX_SERVER_H1_H
#define PX_SERVER_H1_H

#include "http/h1/h1_body.h"
#include "server/session/conn.h"
#include "server/session/facts.h"

enum h1_reading {
    READ_FIRST,   /* the connection's first bytes, which may be another protocol's */
    READ_PREFACE, /* ... and so far are: the beginning of HTTP/2's preface */
    READ_HEAD,    /* a request's head */
    READ_CONTENT, /* its content */
    READ_TUNNEL,  /* bytes of a tunnel */
    READ_CLOSED   /* nothing more is read: the peer has ended, or the answer is the last */
};

enum h1_writing {
    WRITE_NOTHING, /* no answer yet */
    WRITE_CONTENT, /* the head is rendered */
    WRITE_LAST,    /* the content is rendered, the exchange wants to hear when it is out */
    WRITE_CLOSED   /* our side ends when the block is out */
};

/* What comes after the answer at hand. */
enum h1_after {
    AFTER_NEXT,  /* another request: the connection persists */
    AFTER_CLOSE, /* the end */
    AFTER_LINGER /* the end, and bytes of the peer were left unread */
};

/* What reading a request takes; held from its first byte to the end of its content. */
struct h1_work {
    struct pool_item item;
    bool content;       /* the head is done: `body` is in use */
    uint32_t held;      /* content that was read and not used: it comes again, first of the bytes */
    bool over;          /* the last of the content was read */
    uint64_t bytes_max; /* of content, once its exchange has ended: as its route has settled */
    struct h1_parser parser;
    struct h1_body body;
    struct http_field_span spans[];
};

struct h1_conn {
    struct conn conn;
    struct h1_work *work;  /* owned, or NULL between requests */
    px_exchange *exchange; /* the one in progress, or NULL */
    px_str in;             /* borrowed: the bytes at hand, while the driver runs */
    size_t in_used;
    uint16_t refusal; /* a status to be answered without a handler, or 0 */
    uint8_t reading;  /* enum h1_reading */
    uint8_t after;    /* enum h1_after: of the answer at hand */
    uint8_t writing;  /* enum h1_writing */
    bool draining;    /* the answer at hand is the last */
    bool chunked;     /* the answer at hand is */
    bool expecting;   /* the peer waits for 100 (Continue) */
    bool broken;      /* the exchange asked for a reset */
};

static inline struct h1_conn *h1_of(struct session *session)
{
    return CONTAINER_OF(session, struct h1_conn, conn.session);
}

/* Whether a byte of a request is there.  Empty lines before it are none (RFC 9112 section 2.2): a
 * peer that sends one too many still waits idle. */
static inline bool h1_request_begun(const struct h1_conn *h1)
{
    if (h1->reading == READ_PREFACE)
        return true;
    return h1->work &&
           (h1->work->content || h1->work->parser.offset > 2U * h1->work->parser.empty_lines);
}

void h1_advance(struct h1_conn *h1);

/* Whether the first bytes of a connection are the HTTP/2 preface (RFC 9113 section 3.3), where that
 * may be spoken without TLS: PX_OK, PX_AGAIN as far as they are there, PX_ERR_MALFORMED. */
PX_MUST_CHECK px_err h1_is_preface(const struct h1_conn *h1, px_str first);

/* One step each: PX_OK when something was done, PX_AGAIN when there is nothing to do now, else the
 * connection cannot go on. */
PX_MUST_CHECK px_err h1_step_read(struct h1_conn *h1);
PX_MUST_CHECK px_err h1_step_write(struct h1_conn *h1);

/* Whether bytes of the peer are of use now. */
bool h1_wants_bytes(const struct h1_conn *h1);

/* Sends 100 (Continue) where the peer waits for it: PX_OK, or PX_AGAIN when there is nothing to do.
 */
PX_MUST_CHECK px_err h1_continue(struct h1_conn *h1);
size_t h1_offer(px_exchange *exchange, px_str bytes);
void h1_inform(px_exchange *exchange, unsigned status, const px_field *fields,
               uint32_t field_count);

PX_MUST_CHECK px_err h1_out_reserve_slow(struct h1_conn *h1, size_t room);

/* A block with at least `room` bytes free; PX_AGAIN while one must be sent first. */
PX_MUST_CHECK static inline px_err h1_out_reserve(struct h1_conn *h1, size_t room)
{
    if (PX_LIKELY(h1->conn.out && !h1->conn.sending && out_room(h1->conn.out) >= room))
        return PX_OK;
    return h1_out_reserve_slow(h1, room);
}

/* Answers a request that cannot be served, without a handler, and ends the connection.  `reason`
 * (static) is for the log.  What was received of the head must be at hand still, or kept. */
PX_MUST_CHECK px_err h1_conn_refuse(struct h1_conn *h1, unsigned status, const char *reason);

/* The block and the exchange are let go, once no send uses them. */
void h1_abandon(struct session *session, px_end end);

/* States what must hold between ticks; for tests. */
void h1_check(const struct session *session);

/* The exchange is over. */
void h1_finish(struct h1_conn *h1, px_end end);
void h1_work_release(struct h1_conn *h1);

extern const struct session_transport h1_transport;
extern const struct session_protocol h1_protocol;

#endif
