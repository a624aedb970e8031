/*
 * What an exchange is made of, and what its parts ask of each other.  For this folder alone: the
 * server reads exchange.h, transports transport.h, handlers the public headers (tools/tidy.py holds
 * them to it).
 */
#ifndef PX_EXCHANGE_EXCHANGE_PRIVATE_H
#define PX_EXCHANGE_EXCHANGE_PRIVATE_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/options.h"
#include "exchange/exchange.h"
#include "exchange/exchange_parts.h"
#include "exchange/transport.h"
#include "exchange/upstream.h"
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
    const char *fault; /* static: which rule the program broke; or NULL */
    uint8_t end;       /* px_end, once known */
    bool broken;       /* it is to end visibly broken; the transport was told */
    bool failed;       /* an error of ours stands in place of the handler's answer */
    bool left;         /* the peer has ended its side: the handler was told, or its tunnel's end */

    struct arena arena;
    char first[EXCHANGE_FIRST_BYTES];
};

/* The parts that are made on demand; NULL (and the exchange is broken) without memory. */
struct input_more *exchange_input_more(px_exchange *exchange);
struct output_more *exchange_output_more(px_exchange *exchange);

/* Remembers which rule was broken, once, and tells the program. */
void exchange_note_fault(px_exchange *exchange, const char *what);

/* Calls on_end, and what else is to be called at the end. */
void exchange_tell_end(px_exchange *exchange);

/* --- Content of the request ------------------------------------------------------------------- */

/* Content that px_request_multipart reads. */
size_t form_data_receive(px_exchange *exchange, px_str bytes);
void form_data_pause(px_exchange *exchange);
void form_data_finish(px_exchange *exchange);
void form_data_release(px_exchange *exchange);

/* A limit of the handler's beside the route's: the lower one holds.  Were it to take the place of
 * the route's, content in chunks could pass what a declared length is refused for. */
void exchange_content_limit(px_exchange *exchange, uint64_t bytes_max);

/* Has the content collected, up to bytes_max. */
void exchange_collect(px_exchange *exchange);

/* Gives up a hold of a request that is held (held.c). */
void held_drop(struct held *held);

/* --- The answer ------------------------------------------------------------------------------- */

/* Answers an exchange that was forgotten: behind each call of the program that could have kept it.
 * `ends_before`: what was to be called at its end before that call. */
void exchange_look_forgotten(px_exchange *exchange, const struct end_hook *ends_before);

/* Puts a line of text in place of what the handler has answered so far. */
void answer_replace(px_exchange *exchange, unsigned status);

/* Gives the content of the answer back to its owner, once. */
void exchange_release_content(px_exchange *exchange);

/* What the program gives, by the size that it says; false (and the exchange is broken) without. */
static inline bool struct_read(px_exchange *exchange, void *out_known, size_t known_bytes,
                               const void *given)
{
    if (PX_LIKELY(options_read(out_known, known_bytes, given) == PX_OK))
        return true;
    exchange_break(exchange, PX_END_ABORTED, STRUCT_WITHOUT_SIZE);
    return false;
}

/* Begins an answer: false (and the exchange is broken) when there is one already. */
bool answer_begin(px_exchange *exchange, unsigned status, px_str type, enum content_kind kind,
                  uint64_t length);

/* Since its head was whole. */
static inline uint32_t exchange_age_ms(const px_exchange *exchange)
{
    return (uint32_t)(exchange->service->loop->now_ms - exchange->arrival.started_ms);
}

/* Tells the transport that the answer is ready. */
static inline void answer_ready(px_exchange *exchange)
{
    exchange->answer.state = ANSWER_READY;
    exchange->answer.ready_ms = exchange_age_ms(exchange);
    if (exchange->transport)
        exchange->transport->send_head(exchange);
}

/* The next bytes of the source, before the filters. */
px_pull source_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes);

px_pull filters_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes);
void filters_take_head(px_exchange *exchange);
void filters_end(px_exchange *exchange);

/* The program acts on an exchange, or reads it: what is out of place there is named in builds for
 * tests (exchange_check.c). */
void exchange_use_check(const px_exchange *exchange);

static inline void exchange_used(const px_exchange *exchange)
{
    if (ASSERTS || PX_UNLIKELY(exchange->service->loop->told.checks_rules))
        exchange_use_check(exchange);
}

/* Whether the exchange, however the handler holds it, can still be acted on. */
static inline bool exchange_alive(const px_exchange *exchange)
{
    exchange_used(exchange);
    return exchange->transport != NULL && !exchange->broken && !exchange->failed;
}

#endif
