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
#include "base/buf.h"
#include "base/limits.h"
#include "base/options.h"
#include "exchange/service.h"
#include "exchange/transport.h"
#include "http/h1/h1_parse.h"
#include "io/file.h"
#include "pollux/filter.h"
#include "pollux/request.h"
#include "pollux/response.h"

/* Content of an answer, tagged. */
enum content_kind {
    CONTENT_NONE,
    CONTENT_BYTES,
    CONTENT_FILE,
    CONTENT_PRODUCER,
    CONTENT_PIECES,
    CONTENT_TUNNEL
};

/* How far the handler is. */
enum handler_progress {
    HANDLER_AHEAD, /* middleware runs, or has stopped it until px_exchange_next */
    HANDLER_WAITS, /* its route was found: it is called when the content is whole */
    HANDLER_CALLED /* it was called, or the exchange is answered without one */
};

/* How far the answer is. */
enum answer_state {
    ANSWER_NONE,  /* the handler has not answered */
    ANSWER_READY, /* it has; the transport may take the head */
    ANSWER_TAKEN, /* the head is being sent: fields cannot change */
    ANSWER_DONE   /* the transport has let go */
};

/* Who gets the request's content. */
enum content_sink { SINK_CALLBACK, SINK_COLLECT, SINK_MULTIPART, SINK_DROP, SINK_TUNNEL };

enum { EXCHANGE_FIRST_BYTES = 1536 }; /* of arena, in the object itself: most heads fit */

/* A filter that was asked and has content to see. */
struct filter_stage {
    const px_filter *filter;
    void *state;
    char *input; /* in the arena: what the stage below gave and this one has not taken */
    uint32_t input_at;
    uint32_t input_len;
    bool input_last;
    bool done;
};

/* The request's content, made when there is some to keep.  In the arena, zeroed. */
struct exchange_input {
    struct buf collected;
    px_field *form_pairs; /* in the arena */
    uint32_t form_count;
    bool form_parsed;
    bool collecting;
    bool told; /* on_collected was called */
    void (*on_collected)(px_exchange *exchange, px_str content, void *context);
    void *collect_context;
    struct multipart *multipart;                       /* in the arena */
    const px_multipart_callbacks *multipart_callbacks; /* borrowed: outlives the exchange */
    void *multipart_context;
    const px_field *trailers; /* in the arena */
    uint32_t trailer_count;
};

/* What an answer needs that is not plain bytes.  In the arena, zeroed. */
struct exchange_output {
    px_file_range file;
    px_producer producer;
    uint64_t source_length; /* as declared, when filters make the length unknown */
    struct file_read read;  /* file content for filters */
    char *read_buf;         /* in the arena: SOURCE_READ_BYTES */
    uint32_t read_at;       /* what of it was pulled */
    uint32_t read_len;
    bool reading;                /* a helper thread is at it */
    bool read_error;             /* it failed, or the file was too short */
    bool warmed;                 /* ... and has read what comes next */
    bool unsure;                 /* a piece of it was read first, or not looked at */
    bool cold;                   /* a piece of it was not in the page cache */
    uint64_t *warm_ms;           /* borrowed with the file: when all of it was; NULL: not kept */
    bool ended;                  /* on_end was called: free it when the read has ended */
    struct buf pieces;           /* written in pieces and not pulled */
    size_t pieces_at;            /* what of it was pulled */
    struct filter_stage *stages; /* in the arena */
    uint32_t stage_count;
    uint32_t filtered_bytes; /* taken by filters since the transport asked (exchange_take_work) */
    px_field *trailers;      /* in the arena */
    uint32_t trailer_count;
    uint32_t trailer_room;
    const px_tunnel_callbacks *tunnel; /* borrowed: outlives the exchange */
    void *tunnel_context;
    px_str upgrade;
};

struct px_exchange {
    struct pool_item item;
    struct exchange_service *service;           /* borrowed: outlives it */
    struct exchange_site *site;                 /* borrowed: pinned */
    const struct exchange_rules *rules;         /* borrowed: the site's, and the narrowest known */
    const struct exchange_transport *transport; /* borrowed: static; NULL once it has let go */
    void *carrier;                              /* the transport's own, while it has not let go */
    struct list node;                           /* on service->ended or service->waiting */
    struct http_request request;

    /* From here to `arena` everything is zero at first. */
    const px_exchange_callbacks *callbacks; /* borrowed: the handler's */
    void *callbacks_context;
    void *user_data;
    struct exchange_input *input;   /* in the arena, or NULL */
    struct exchange_output *output; /* in the arena, or NULL */
    px_handler handler;
    void *handler_context;
    const char *pattern;       /* borrowed: the route's */
    const px_str *param_names; /* borrowed: the router's */
    px_str *param_values;      /* in the arena, not decoded */
    px_str path;               /* decoded on demand */
    px_str peer;               /* in the arena, once it was asked for */
    px_str client;             /* whom trusted proxies have named; absent: the peer */
    uint64_t content_length;   /* of the request, declared; UINT64_MAX when not */
    uint64_t content_max;
    uint64_t content_received;
    uint64_t started_ms;
    uint32_t param_count;
    struct exchange_dispatch dispatch;
    uint8_t method;    /* enum http_method */
    uint8_t version;   /* 10, 11, 20 */
    uint8_t sink;      /* enum content_sink */
    uint8_t answer;    /* enum answer_state */
    uint8_t kind;      /* enum content_kind */
    uint8_t end;       /* px_end, once known */
    bool https;        /* the connection is TLS */
    bool scheme_https; /* so it was where the client came, as far as we know */
    bool asks_upgrade; /* HTTP/1.1 with Connection: upgrade and Upgrade */
    bool content_paused;
    bool content_ended;
    uint8_t progress; /* enum handler_progress */
    bool head_only;   /* HEAD, 204, 304: the head says it all */
    bool no_server;
    bool no_date;
    bool filtered;          /* a filter sees the content */
    bool later;             /* the producer said LATER */
    bool pieces_done;       /* px_response_end */
    bool room_wanted;       /* px_response_room was less than half */
    bool broken;            /* it is to end visibly broken; the transport was told */
    bool failed;            /* an error of ours stands in place of the handler's answer */
    bool error_page;        /* inside of the error-page hook */
    bool close_after;       /* the connection does not persist after this answer */
    bool fields_lent;       /* `fields` is somebody's who lent it: it is copied before it changes */
    uint16_t redirect_port; /* of https, where it is to be sent there; else 0 */
    uint16_t status;
    uint16_t field_count, field_room;
    px_str type;
    px_field *fields;   /* in the arena, or lent */
    uint64_t length;    /* declared, or PX_LENGTH_UNKNOWN */
    uint64_t produced;  /* bytes the source has given */
    uint64_t passed;    /* bytes of content given to the transport, which has filters behind it */
    uint64_t mark_sent; /* what its connection will have sent when the head is out; 0: not known */
    px_body body;       /* CONTENT_BYTES; `release` is NULL once called */

    struct arena arena;
    char first[EXCHANGE_FIRST_BYTES];
};

/* The parts that are made on demand; NULL (and the exchange is broken) without memory. */
struct exchange_input *exchange_input(px_exchange *exchange);
struct exchange_output *exchange_output(px_exchange *exchange);

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
    return !exchange->content_paused && exchange->progress != HANDLER_AHEAD;
}

/* Whether the content can be sent as it is (bytes or a file range), without pulling. */
static inline bool exchange_is_direct(const px_exchange *exchange)
{
    return exchange->kind <= CONTENT_FILE && !exchange->filtered;
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
    exchange->answer = ANSWER_READY;
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
    return exchange->callbacks && TABLE_MEMBER(exchange->callbacks, on_end);
}

/* Whether the exchange, however the handler holds it, can still be acted on. */
static inline bool exchange_alive(const px_exchange *exchange)
{
    return exchange->transport != NULL && !exchange->broken && !exchange->failed;
}

#endif
