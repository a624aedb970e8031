/*
 * One request and its answer, whatever carries them.
 *
 * A transport (HTTP/1, HTTP/2, a test double) makes an exchange, fills in the request, and is told
 * by the functions of its table what the handler did.  Those functions only take note: a reply from
 * inside a handler is picked up by the driver that called the handler, one from elsewhere by the
 * loop.  The handler's side is the public API (request.h, response.h).
 *
 * The way of a request: exchange_create -> the server's dispatch (middleware, route) -> handler ->
 * exchange_receive* -> exchange_receive_end.  The way of the answer: px_respond* records ->
 * exchange_take_head (filters) -> direct content or exchange_pull* -> exchange_finish -> on_end at
 * the end of the tick -> exchange freed.  It can fail anywhere; exchange_finish is called once in
 * any case, with the reason.
 */
#ifndef PX_EXCHANGE_EXCHANGE_H
#define PX_EXCHANGE_EXCHANGE_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/options.h"
#include "exchange/parts.h"
#include "exchange/service.h"
#include "exchange/transport.h"
#include "pollux/filter.h"
#include "pollux/request.h"
#include "pollux/response.h"

enum { EXCHANGE_FIRST_BYTES = 1536 }; /* of arena, in the object itself: most heads fit */

struct px_exchange {
    struct pool_item item;
    struct exchange_service *service;           /* borrowed: outlives it */
    struct exchange_site *site;                 /* borrowed: pinned */
    const struct exchange_rules *rules;         /* borrowed: the site's, and the narrowest known */
    const struct exchange_transport *transport; /* borrowed: static; NULL once it has let go */
    void *carrier;                              /* the transport's own, while it has not let go */
    struct list node;                           /* on service->ended or service->waiting */
    struct exchange_arrival arrival;
    struct exchange_handling handling;
    struct exchange_input input;
    struct exchange_answer answer;
    struct exchange_output output;
    uint8_t end; /* px_end, once known */
    bool broken; /* it is to end visibly broken; the transport was told */
    bool failed; /* an error of ours stands in place of the handler's answer */

    struct arena arena;
    char first[EXCHANGE_FIRST_BYTES];
};

/* The parts that are made on demand; NULL (and the exchange is broken) without memory. */
struct input_more *exchange_input_more(px_exchange *exchange);
struct output_more *exchange_output_more(px_exchange *exchange);

/* --- For transports --------------------------------------------------------------------------- */

/* A new exchange with an empty request, or NULL. */
px_exchange *exchange_create(struct exchange_service *service,
                             const struct exchange_transport *transport, void *carrier);

/* Request content: PX_OK, PX_ERR_LIMIT (413) or PX_ERR_MEMORY.  *out_used says how many bytes the
 * receiver used; after fewer than all it is paused, and the transport keeps the rest where it is
 * and shows it again.  Look at exchange_takes_content afterwards. */
PX_MUST_CHECK px_err exchange_receive(px_exchange *exchange, px_str bytes, size_t *out_used);
void exchange_receive_end(px_exchange *exchange);

/* For the server's dispatch: calls the handler that it has found now, or when the content is whole,
 * which is collected or dropped; or none is called, and content is dropped. */
void exchange_call_handler(px_exchange *exchange);
void exchange_call_when_whole(px_exchange *exchange, bool collect);
void exchange_call_none(px_exchange *exchange);

/* Content that px_request_multipart reads. */
size_t form_data_receive(px_exchange *exchange, px_str bytes);
void form_data_pause(px_exchange *exchange);
void form_data_finish(px_exchange *exchange);
void form_data_release(px_exchange *exchange);

/* Has the content collected, up to content_max. */
void exchange_collect(px_exchange *exchange);

/* Tells a handler that asked to collect after the content had ended. */
void exchange_tell_whole(px_exchange *exchange);

/* Whether request content can be handed over now. */
static inline bool exchange_takes_content(const px_exchange *exchange)
{
    return !exchange->input.paused && exchange->handling.progress != HANDLER_AHEAD;
}

/* Whether the content can be sent as it is (bytes or a file range), without pulling. */
static inline bool exchange_is_direct(const px_exchange *exchange)
{
    return exchange->output.kind <= CONTENT_FILE && !exchange->output.filtered;
}

/* The next piece of a file that is sent from where it lies (direct, CONTENT_FILE), once the page
 * cache has it.  PX_OK: `produced` has moved behind it; PX_AGAIN: a helper thread reads it, and
 * send_content follows. */
PX_MUST_CHECK px_err exchange_file_next(px_exchange *exchange, px_part *out_part);

/* --- For the handlers' side ---------------------------------------------------------------------
 */

/* A rule was broken, or memory ran out: remembers why, once.  What was not begun is answered 500,
 * or 503 without memory; what was ends visibly broken. */
void exchange_break(px_exchange *exchange, px_end end);

/* Puts a line of text in place of what the handler has answered so far. */
void answer_replace(px_exchange *exchange, unsigned status);

/* Gives the content of the answer back to its owner, once. */
void exchange_release_content(px_exchange *exchange);

/* Begins an answer: false (and the exchange is broken) when there is one already. */
bool answer_begin(px_exchange *exchange, unsigned status, px_str type, enum content_kind kind,
                  uint64_t length);

/* Sends fields that are kept ready for many answers, without a copy.
 * `fields` are valid and none is a framing field, Content-Type, Date or Server.  Borrowed: they
 * outlive the exchange. */
void exchange_lend_fields(px_exchange *exchange, const px_field *fields, uint32_t count);

/* For filters, in on_head: puts other content in place of the handler's, whose own is released. */
void exchange_replace_content(px_exchange *exchange, const px_body *body);

/* Tells the transport that the answer is ready. */
static inline void answer_ready(px_exchange *exchange)
{
    exchange->answer.state = ANSWER_READY;
    if (exchange->transport)
        exchange->transport->send_head(exchange);
}

/* The next bytes of the source, before the filters. */
px_pull source_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes);

px_pull filters_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes);
void filters_take_head(px_exchange *exchange);
void filters_end(px_exchange *exchange);

/* Whether a handler wants to hear of the end. */
static inline bool exchange_tells_end(const px_exchange *exchange)
{
    return exchange->handling.callbacks && TABLE_MEMBER(exchange->handling.callbacks, on_end);
}

/* Whether the exchange, however the handler holds it, can still be acted on. */
static inline bool exchange_alive(const px_exchange *exchange)
{
    return exchange->transport != NULL && !exchange->broken && !exchange->failed;
}

#endif
