/*
 * One request and its answer, whatever carries them, as the server sees it: what dispatch asks and
 * settles, what is counted and logged.
 *
 * A transport makes an exchange, fills in the request, and is told by the functions of its table
 * what the handler did (transport.h).  Those functions only take note: a reply from inside a
 * handler is picked up by the driver that called the handler, one from elsewhere by the loop.  The
 * handler's side is the public API (request.h, response.h).  What an exchange is made of is known
 * in this folder alone (exchange_private.h).
 *
 * The way of a request: exchange_create -> the server's dispatch (middleware, route) -> handler ->
 * exchange_receive* -> exchange_receive_end.  The way of the answer: px_respond* records ->
 * exchange_take_head (filters) -> direct content or exchange_pull* -> exchange_finish -> on_end at
 * the end of the tick -> exchange freed.  It can fail anywhere; exchange_finish is called once in
 * any case, with the reason.
 */
#ifndef PX_EXCHANGE_EXCHANGE_H
#define PX_EXCHANGE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "exchange/service.h"
#include "http/message/message.h"
#include "http/message/method.h"
#include "pollux/request.h"
#include "pollux/response.h"
#include "pollux/site.h"

struct exchange_transport;

/* How far the answer is. */
enum answer_state {
    ANSWER_NONE,  /* the handler has not answered */
    ANSWER_READY, /* it has; the transport may take the head */
    ANSWER_TAKEN, /* the head is being sent: fields cannot change */
    ANSWER_DONE   /* the transport has let go */
};

/* What a connection knows of its peer where it is secure. */
enum exchange_fact {
    FACT_SERVER_NAME,
    FACT_CLIENT_SUBJECT,
    FACT_TLS_VERSION,
    FACT_TLS_CIPHER,
    FACT_TLS_RESUMED
};

/* --- What it belongs to ----------------------------------------------------------------------- */

struct exchange_service *exchange_service_of(const px_exchange *exchange);
struct exchange_site *exchange_site_of(const px_exchange *exchange);

/* NULL once it has let go. */
const struct exchange_transport *exchange_transport_of(const px_exchange *exchange);

/* The narrowest that are known: the site's, a host's, a route's. */
const struct exchange_rules *exchange_rules_of(const px_exchange *exchange);
void exchange_set_rules(px_exchange *exchange, const struct exchange_rules *rules);

/* Over which the rate is taken that its rules ask for; PX_OFF. */
uint32_t exchange_rate_window_ms(const px_exchange *exchange);

/* Memory that lives as long as the exchange. */
struct arena *exchange_arena(px_exchange *exchange);

/* --- The request ------------------------------------------------------------------------------ */

const struct http_request *exchange_request(const px_exchange *exchange);
enum http_method exchange_method(const px_exchange *exchange);

/* The method as it came, for the log. */
px_str exchange_method_received(const px_exchange *exchange);
uint64_t exchange_started_ms(const px_exchange *exchange);

/* Whether the connection is secure, and whether the client came so (px_request_scheme). */
void exchange_set_https(px_exchange *exchange, bool https, bool scheme_https);
bool exchange_is_secure(const px_exchange *exchange);

/* The client's address as trusted proxies have named it; absent: the peer's. */
px_str exchange_client(const px_exchange *exchange);
void exchange_set_client(px_exchange *exchange, px_str client);

/* The peer is a proxy that is believed. */
void exchange_set_trusted(px_exchange *exchange);
/* ... and its fields name no client, or two. */
void exchange_set_client_unknown(px_exchange *exchange);
void exchange_set_scheme(px_exchange *exchange, bool https);

/* Whether its connection may be asked for this host. */
bool exchange_serves(px_exchange *exchange, px_str host);

/* --- Dispatch --------------------------------------------------------------------------------- */

/* How far it is; dispatch's own. */
struct exchange_dispatch *exchange_dispatch(px_exchange *exchange);

/* The route that was found.  `pattern` and `names` are borrowed: the router's; `values` are copied.
 * PX_OK or PX_ERR_MEMORY. */
void exchange_set_handler(px_exchange *exchange, const char *pattern, px_handler handler,
                          void *context);
PX_MUST_CHECK px_err exchange_set_params(px_exchange *exchange, const px_str *names,
                                         const px_str *values, uint32_t count);

/* The most content that is taken; whether more was declared. */
void exchange_set_content_max(px_exchange *exchange, uint64_t bytes_max);
bool exchange_content_is_over(const px_exchange *exchange);

/* Runs a middleware. */
px_verdict exchange_run_middleware(px_exchange *exchange, px_middleware_fn run, void *context);

/* Calls the handler that was found, now, or when the content is whole, which is collected or
 * dropped; or none is called, and content is dropped. */
void exchange_call_handler(px_exchange *exchange);
void exchange_call_when_whole(px_exchange *exchange, bool collect);
void exchange_call_none(px_exchange *exchange);

/* Whether none of the three was called. */
bool exchange_is_ahead(const px_exchange *exchange);

/* Whether dispatch has nothing more to do: there is an answer, or none can be given, or the route
 * of another path is to be looked up (px_respond_from), from the loop. */
bool exchange_is_settled(const px_exchange *exchange);

/* Whether that other path is being dispatched: it is asked for without content. */
bool exchange_is_detour(const px_exchange *exchange);

/* --- The answer ------------------------------------------------------------------------------- */

enum answer_state exchange_answer_state(const px_exchange *exchange);

/* It is to end visibly broken. */
bool exchange_is_broken(const px_exchange *exchange);

/* A rule was broken, or memory ran out: remembers why, once, and says so (px_exchange_fault);
 * `what` is static.  What was not begun is answered 500, or 503 without memory; what was ends
 * visibly broken. */
void exchange_break(px_exchange *exchange, px_end end, const char *what);

/* `what` where the arena can hold no more, and where a table of callbacks has no struct_size. */
#define EXCHANGE_IS_FULL "more memory than exchange_bytes_max, or than there is"
#define STRUCT_WITHOUT_SIZE "a struct without struct_size"
#define TABLE_WITHOUT_SIZE "a table of callbacks without struct_size"

/* The connection is to close behind the answer. */
void exchange_set_close_after(px_exchange *exchange);

/* Why it is refused without its handler, static, for the log; NULL: it is not. */
void exchange_set_refused(px_exchange *exchange, const char *reason);
const char *exchange_refused(const px_exchange *exchange);

/* Whether it was kept out of the access log (px_response_unlogged). */
bool exchange_is_unlogged(const px_exchange *exchange);

/* The transport refuses it by itself, with content of `bytes` bytes: notes that for the log.  False
 * when its answer has begun. */
bool exchange_refuse(px_exchange *exchange, unsigned status, uint64_t bytes);

/* The transport puts a refusal in place of an answer that was ready; `allow` is its Allow field, or
 * absent. */
void exchange_replace_answer(px_exchange *exchange, unsigned status, px_str allow);

/* What is counted of one that is over. */
struct exchange_outcome {
    uint64_t started_ms;
    uint64_t received; /* content */
    uint64_t sent;     /* content that was given to the transport */
    uint16_t status;   /* 0: none was sent */
    uint8_t method;    /* enum http_method */
    uint8_t version;   /* 10, 11, 20 */
    bool scheme_https;
    bool is_named;     /* exchange_trace_sampled knows of it */
    const void *route; /* as dispatch has found it */
    const char *pattern;
};

void exchange_outcome(const px_exchange *exchange, struct exchange_outcome *out_outcome);

/* The id of its trace, if it was asked for and others keep the trace too; else absent. */
px_str exchange_trace_sampled(const px_exchange *exchange);

/* --- The log ---------------------------------------------------------------------------------- */

/* How it ends, where its transport says `end`: an answer that stands in place of the program's is
 * complete for the transport, but not for it. */
px_end exchange_end_of(const px_exchange *exchange, px_end end);

/* The status that was sent; 500 where the program cut it short; 499 where the peer did before. */
unsigned exchange_log_status(const px_exchange *exchange);

/* The same as metrics and counters have it: 0 where there was no answer. */
unsigned exchange_counted_status(const px_exchange *exchange);

/* From the end of the request's head until it was answered, and until the head of the answer was
 * sent.  False: it was not. */
bool exchange_handler_ms(const px_exchange *exchange, uint32_t *out_ms);
bool exchange_first_byte_ms(const px_exchange *exchange, uint32_t *out_ms);

/* Bytes of content that were given to the transport, of what is sent at all. */
uint64_t exchange_content_bytes(const px_exchange *exchange);

/* What its connection will have sent when the head is out; 0: not known. */
uint64_t exchange_mark_sent(const px_exchange *exchange);

/* --- For what lasts (WebSockets, streams of events) ------------------------------------------- */

/* Whether px_respond_tunnel can make it one: it answers 400 else. */
bool exchange_can_tunnel(const px_exchange *exchange, px_str protocol);

/* Names a protocol in Upgrade of an answer that is no tunnel (RFC 9110 section 15.5.22: 426).
 * `protocol` lives as long as the exchange. */
void exchange_offer_upgrade(px_exchange *exchange, px_str protocol);

/* The context of a tunnel with these callbacks; NULL where it is none such, or has ended. */
void *exchange_tunnel_context(const px_exchange *exchange, const px_tunnel_callbacks *callbacks);

/* The server drains: tells the handler that wants to hear of it. */
void exchange_tell_drain(px_exchange *exchange, uint32_t in_ms, uint32_t left_ms);

#endif
