/*
 * What an exchange is made of: what came (arrival), its handler (handling), the request's content
 * (input), the head of the answer (answer) and its content (output).
 *
 * Each part has one subject and is read by itself.  What few exchanges need is behind `more`, which
 * is made on demand in the arena.
 */
#ifndef PX_EXCHANGE_EXCHANGE_PARTS_H
#define PX_EXCHANGE_EXCHANGE_PARTS_H

#include "base/buf.h"
#include "exchange/exchange.h"
#include "io/file.h"
#include "pollux/filter.h"
#include "pollux/request.h"
#include "pollux/response.h"

struct save;
struct tunnel;

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

/* What gets the request's content. */
enum content_sink {
    SINK_CALLBACK,
    SINK_COLLECT,
    SINK_MULTIPART,
    SINK_SAVE,
    SINK_DROP,
    SINK_TUNNEL
};

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

/* What is kept of the request's content, when there is some to keep.  In the arena, zeroed. */
struct input_more {
    struct buf collected;
    struct held *held;    /* owns what was collected, with a hold of the exchange's; or NULL */
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
    bool in_on_part;          /* that callback is running: the part may be saved */
    struct save *save;        /* counted: with its own memory; or NULL */
    const px_field *trailers; /* in the arena */
    uint32_t trailer_count;
};

/* What an answer needs that is not plain bytes.  In the arena, zeroed. */
struct output_more {
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
    struct tunnel *parts; /* borrowed: it goes on without the exchange (tunnel.h) */
    px_str upgrade;
};

/* Whether what is asked for was exchanged for another path of the same host (px_respond_from). */
enum detour {
    DETOUR_NONE,
    DETOUR_AHEAD, /* dispatch is going to look its route up */
    DETOUR_TAKEN  /* it has; there is no second one */
};

/* What is called at the end, the last one first.  In the arena. */
struct end_hook {
    struct end_hook *next;
    px_exchange_end_fn call;                /* or */
    const px_exchange_callbacks *callbacks; /* those of the handler before a detour */
    void *context;
    void *user_data; /* as that handler has left it */
};

/* What came, and what it came by. */
struct exchange_arrival {
    struct http_request request;
    /* From here on everything is zero at first. */
    px_str path;                        /* decoded on demand */
    px_str peer;                        /* in the arena, once it was asked for */
    px_str client;                      /* as trusted proxies have named it; absent: the peer */
    struct exchange_identity *identity; /* in the arena, once it was asked for */
    uint64_t started_ms;
    uint8_t method;         /* enum http_method */
    uint8_t version;        /* 10, 11, 20 */
    bool https;             /* the connection is TLS */
    bool scheme_https;      /* so it was where the client came, as far as we know */
    bool trusted;           /* the peer is a proxy that is believed */
    bool client_unknown;    /* ... and what it says names no client */
    bool asks_upgrade;      /* HTTP/1.1 with Connection: upgrade and Upgrade */
    uint32_t field_room;    /* of request.fields, once one was added */
    px_str method_received; /* where a detour has changed it; else absent */
};

/* Its route and its handler. */
struct exchange_handling {
    const px_exchange_callbacks *callbacks; /* borrowed: the handler's */
    void *callbacks_context;
    void *user_data;
    px_handler handler;
    void *handler_context;
    const char *pattern;       /* borrowed: the route's */
    const px_str *param_names; /* borrowed: the router's */
    px_str *param_values;      /* in the arena, not decoded */
    uint32_t param_count;
    uint32_t drain_left_ms; /* when its server was found to drain: until it is closed */
    bool is_referred;       /* a px_ref of it was taken */
    bool is_aside;          /* the path was exchanged after the route was found */
    uint8_t progress;       /* enum handler_progress */
    uint8_t detour;         /* enum detour */
    uint16_t detour_status; /* of the answer, whatever the handler says; 0: as it says */
    struct end_hook *ends;
    struct exchange_upstream *upstream; /* in the arena; NULL: no server was asked */
    struct exchange_dispatch dispatch;
};

/* The request's content on its way to the handler. */
struct exchange_input {
    struct input_more *more; /* in the arena, or NULL */
    uint64_t length;         /* declared; UINT64_MAX when not */
    uint64_t bytes_max;
    uint64_t received;
    uint8_t sink; /* enum content_sink */
    bool paused;
    bool ended;
};

/* The head of the answer. */
struct exchange_answer {
    px_str type;
    px_field *fields;    /* in the arena, or lent */
    const char *refused; /* why it was refused without its handler, static, for the log; NULL */
    uint16_t field_count, field_room;
    uint32_t ready_ms, taken_ms; /* since the request's head was whole; by `state` */
    uint16_t status;
    uint8_t state;      /* enum answer_state */
    bool head_only;     /* HEAD, 204, 304: the head says it all */
    bool no_server;     /* the handler has set that field, or taken it out */
    bool no_date;       /* likewise */
    bool error_page;    /* inside of the error-page hook */
    bool unlogged;      /* it has no line in the access log */
    bool close_after;   /* the connection does not persist after this answer */
    bool fields_lent;   /* `fields` are borrowed: they are copied before they change */
    uint64_t mark_sent; /* what its connection will have sent when the head is out; 0: not known */
};

/* The content of the answer on its way out. */
struct exchange_output {
    struct output_more *more; /* in the arena, or NULL */
    px_body body;             /* CONTENT_BYTES; `release` is NULL once called */
    uint64_t length;          /* declared, or PX_LENGTH_UNKNOWN */
    uint64_t produced;        /* bytes the source has given */
    uint64_t passed;  /* bytes of content given to the transport, which has filters behind it */
    uint8_t kind;     /* enum content_kind */
    bool filtered;    /* a filter sees the content */
    bool later;       /* the producer said LATER */
    bool pieces_done; /* px_response_end */
    bool room_wanted; /* px_response_room was less than half */
};

#endif
