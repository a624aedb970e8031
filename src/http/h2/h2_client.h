/*
 * One HTTP/2 connection of a client, without I/O: requests go in, bytes come out; bytes go in,
 * answers come out.
 *
 * As the server's session (h2_session.h) it is a role of the engine (h2_engine.h), with its
 * budgets. Pushes are refused.  Happy path: h2_client_ask, render, feed: head, content, ended,
 * closed.  It can fail by a broken rule, a budget or want of memory: then the session has a last
 * word (GOAWAY) to be rendered, and is over; its streams are the owner's to end.
 *
 * Events may call everything but h2_client_feed, _render and _close.
 */
#ifndef PX_HTTP_H2_CLIENT_H
#define PX_HTTP_H2_CLIENT_H

#include "base/budget.h"
#include "http/h1/h1_request.h"
#include "http/h2/h2_stream.h"
#include "http/message/message.h"
#include "pollux/response.h"

struct h2_client;

/* What a session knows of a request: embedded in its owner's object. */
struct h2_call {
    struct h2_stream stream;
    const px_field *trailers; /* borrowed, set when pull says END: they follow the content */
    uint32_t trailer_count;
    bool no_content; /* the answer has none, whatever it says: of HEAD */
};

/* What a session tells its owner. */
struct h2_client_events {
    /* A head, informational or final.  Fields are borrowed for the call; the status is there. */
    void (*head)(struct h2_call *call, const struct http_response *answer, void *context);
    /* Content came: to be given back with h2_client_give. */
    void (*content)(struct h2_call *call, px_str bytes, void *context);
    /* The answer is whole; trailers are borrowed for the call. */
    void (*ended)(struct h2_call *call, const px_field *trailers, uint32_t count, void *context);
    /* The next content of the request; never called after it said END or ERROR. */
    px_pull (*pull)(struct h2_call *call, char *out, size_t room, size_t *out_bytes, void *context);
    /* The stream is over, with this code; the session has forgotten it. */
    void (*closed)(struct h2_call *call, uint32_t error, void *context);
};

struct h2_client_options {
    const px_allocator *allocator;         /* borrowed: outlives it, as everything here */
    const struct h2_client_events *events; /* borrowed: static */
    const struct http_limits *limits;      /* borrowed */
    struct budget *budget;                 /* borrowed, or NULL: what its memory is taken from */
};

/* PX_OK, PX_ERR_MEMORY, or PX_ERR_UNSUPPORTED in a build without. */
PX_MUST_CHECK px_err h2_client_open(const struct h2_client_options *options, void *context,
                                    struct h2_client **out_client);

/* Forgets everything, without events.  NULL is fine. */
void h2_client_close(struct h2_client *client);

/* Whether this build speaks HTTP/2. */
bool h2_client_is_there(void);

/* Takes all of `bytes`, or says that the session is over. */
void h2_client_feed(struct h2_client *client, uint64_t now_ms, px_str bytes);

/* Asks.  The head is one that h1_check_request has found good; it and its fields are copied.
 * `pulls`: content follows.  PX_OK, PX_ERR_MEMORY, or PX_ERR_CLOSED: no stream can be opened any
 * more. */
PX_MUST_CHECK px_err h2_client_ask(struct h2_client *client, struct h2_call *call,
                                   const struct h1_request_head *head, const char *scheme,
                                   bool pulls);

/* How many more requests the server takes now. */
uint32_t h2_client_room(const struct h2_client *client);

/* Pull is worth another try after it said LATER. */
void h2_client_resume(struct h2_client *client, struct h2_call *call);

/* Content was used: the server may send as much again. */
void h2_client_give(struct h2_client *client, struct h2_call *call, uint32_t bytes);

/* Ends a stream at once; `closed` comes when that is rendered. */
void h2_client_reset(struct h2_client *client, struct h2_call *call, enum h2_error error);

/* Its owner goes: what is left of the stream is reset, and nothing of it is told any more. */
void h2_client_forget(struct h2_client *client, struct h2_call *call);

/* Renders frames into `out`: how many bytes. */
size_t h2_client_render(struct h2_client *client, char *out, size_t room);

bool h2_client_has_output(const struct h2_client *client);

/* Nothing more will be read; when nothing is left to be rendered, the connection can end. */
bool h2_client_is_over(const struct h2_client *client);

#endif
