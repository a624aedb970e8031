/*
 * An exchange as a transport sees it (HTTP/1, HTTP/2, a test double): how it is made, filled and
 * fed, and how its answer is taken.
 *
 * Happy path: exchange_create, the request is filled in, exchange_describe, dispatch;
 * exchange_receive with the content, exchange_receive_end.  send_head says that an answer is there:
 * exchange_take_head, the head is read and rendered, content is taken as it is (exchange_is_direct)
 * or pulled, exchange_finish.  exchange_finish is called once in any case, with the reason.
 */
#ifndef PX_EXCHANGE_TRANSPORT_H
#define PX_EXCHANGE_TRANSPORT_H

#include "exchange/exchange.h"
#include "exchange/upstream.h"
#include "io/io.h"
#include "pollux/response.h"

/* What a transport does for its exchanges.  None of these calls back. */
struct exchange_transport {
    void (*send_head)(px_exchange *exchange);    /* an answer is there to be taken */
    void (*send_content)(px_exchange *exchange); /* more content may be pulled */
    void (*give_credit)(px_exchange *exchange);  /* request content is wanted again */
    void (*reset)(px_exchange *exchange);        /* give it up: end it visibly broken */
    /* Sends an informational response. */
    void (*inform)(px_exchange *exchange, unsigned status, const px_field *fields,
                   uint32_t field_count);
    void (*peer)(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);
    void (*local)(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);
    /* A fact as text with a NUL: its length, 0 when there is none.  NULL: there are none. */
    size_t (*secure)(px_exchange *exchange, enum exchange_fact fact, char *out_text, size_t room);
    /* Whether the connection may be asked for this host (421 when not).  NULL: any. */
    bool (*serves)(px_exchange *exchange, px_str host);
    /* Sends content that is not kept, where nothing is in front of it: how many bytes.  NULL: it
     * never can. */
    size_t (*offer)(px_exchange *exchange, px_str bytes);
    /* As exchange_places and exchange_acked_bytes say.  NULL: neither is known. */
    struct exchange_places *(*places)(px_exchange *exchange);
    uint64_t (*acked)(px_exchange *exchange);
    /* As exchange_open_since.  NULL: all that comes is read. */
    uint64_t (*open_since)(const px_exchange *exchange);
};

/* --- The request ------------------------------------------------------------------------------ */

/* A new exchange with an empty request, or NULL. */
px_exchange *exchange_create(struct exchange_service *service,
                             const struct exchange_transport *transport, void *carrier);

/* Where the request is to be written, its strings in the exchange's arena. */
struct http_request *exchange_request_room(px_exchange *exchange);

/* What else the head says.
 *   method          enum http_method
 *   version         10, 11, 20
 *   asks_upgrade    it can become a tunnel by px_respond_tunnel, beside CONNECT
 *   content_length  0 without content, PX_LENGTH_UNKNOWN when not declared */
void exchange_describe(px_exchange *exchange, unsigned method, unsigned version, bool asks_upgrade,
                       uint64_t content_length);

/* What exchange_create was given; the transport may read it until exchange_finish. */
void *exchange_carrier(const px_exchange *exchange);

/* Whether its request is whole, and the program alone can bring it on: no answer has begun, or
 * there is nothing more of one until the producer is resumed or the next piece is written. */
bool exchange_waits(const px_exchange *exchange);

/* Its peer has ended its side: the handler is told, where the exchange waits. */
void exchange_tell_peer_end(px_exchange *exchange);

/* Whether request content can be handed over now; and bytes of a tunnel. */
bool exchange_takes_content(const px_exchange *exchange);
bool exchange_takes_tunnel(const px_exchange *exchange);

/* Request content: PX_OK, PX_ERR_LIMIT (413) or PX_ERR_MEMORY.  *out_used says how many bytes the
 * receiver used; after fewer than all it is paused, and the transport keeps the rest where it is
 * and shows it again.  Look at exchange_takes_content afterwards. */
PX_MUST_CHECK px_err exchange_receive(px_exchange *exchange, px_str bytes, size_t *out_used);

/* The trailer section, before exchange_receive_end.  `fields` are in the arena. */
void exchange_set_trailers(px_exchange *exchange, const px_field *fields, uint32_t count);
void exchange_receive_end(px_exchange *exchange);

/* Tells a handler that asked to collect after the content had ended. */
void exchange_tell_whole(px_exchange *exchange);

/* Bytes of content that are taken at most. */
uint64_t exchange_content_max(const px_exchange *exchange);

/* --- The head of the answer ------------------------------------------------------------------- */

/* ANSWER_READY -> ANSWER_TAKEN: runs the filters over the head and settles length and kind.  What
 * is read of the head before is not settled. */
void exchange_take_head(px_exchange *exchange);

/* Content-Type, and the other fields; the status is px_response_status. */
px_str exchange_type(const px_exchange *exchange);
const px_field *exchange_fields(const px_exchange *exchange, uint32_t *out_count);
bool exchange_no_server(const px_exchange *exchange);
bool exchange_no_date(const px_exchange *exchange);

/* HEAD, 204, 304: the head says it all. */
bool exchange_head_only(const px_exchange *exchange);

/* Of the content, or PX_LENGTH_UNKNOWN, as that of a tunnel is. */
uint64_t exchange_length(const px_exchange *exchange);

/* Whether Content-Length is sent.  RFC 9110 section 8.6: not with 204; a 304 may leave it out. */
bool exchange_has_length(const px_exchange *exchange);

/* The connection does not persist after this answer. */
bool exchange_close_after(const px_exchange *exchange);

/* Whether it answers with a tunnel, and the protocol for Upgrade (absent for CONNECT): that of the
 * tunnel, or one that is offered with another status. */
bool exchange_is_tunnel(const px_exchange *exchange);
px_str exchange_upgrade(const px_exchange *exchange);

/* Trailer fields as they are known so far. */
const px_field *exchange_trailers(const px_exchange *exchange, uint32_t *out_count);

/* Notes what the connection will have sent when the head is out (exchange_mark_sent). */
void exchange_set_mark_sent(px_exchange *exchange, uint64_t bytes);

/* --- The content of the answer ---------------------------------------------------------------- */

/* Whether the content can be sent as it is (bytes or a file range), without pulling. */
bool exchange_is_direct(const px_exchange *exchange);

/* Of direct content: whether it is a file; else its bytes, all of them at once. */
bool exchange_is_file(const px_exchange *exchange);
px_str exchange_take_bytes(px_exchange *exchange);

/* The next piece of a file that is sent from where it lies, once the page cache has it.  PX_OK, and
 * whether it is the last; PX_AGAIN: a helper thread reads it, and send_content follows. */
PX_MUST_CHECK px_err exchange_file_next(px_exchange *exchange, px_part *out_part, bool *out_last);

/* The next content, through the filters: as px_pull says; checks the declared length. */
px_pull exchange_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes);

/* Whether content goes through filters, and how many bytes they have taken since the last call:
 * work that a transport counts against a connection's turn, for it is not seen in what is sent. */
bool exchange_is_filtered(const px_exchange *exchange);
uint32_t exchange_take_work(px_exchange *exchange);

/* --- The end ---------------------------------------------------------------------------------- */

/* Whether a handler wants to hear of the end. */
bool exchange_tells_end(const px_exchange *exchange);

/* The transport lets go: queues on_end, and the exchange for reaping. */
void exchange_finish(px_exchange *exchange, px_end end);

#endif
