/*
 * One HTTP/2 connection of a server, without I/O: bytes go in, events come out; answers go in,
 * bytes come out.
 *
 * It is the server's role of an engine (h2_engine.h): frames, windows and HPACK are that one's;
 * here header blocks become requests by the checks of h2_head.h, which give the same answers as
 * HTTP/1.
 *
 * Happy path: h2_session_feed, again and again, calls begin, request, content and content_end;
 * h2_session_respond takes the head of an answer; h2_session_render asks for its content by pull,
 * where both windows have room, and calls sent; closed ends a stream.  It can fail by a broken
 * rule, a budget or want of memory: then the session has a last word (GOAWAY) to be rendered, and
 * is over.
 *
 * Events may call everything but h2_session_feed, _render and _close.
 */
#ifndef PX_HTTP_H2_SESSION_H
#define PX_HTTP_H2_SESSION_H

#include "http/h2/h2_frame.h"
#include "http/h2/h2_head.h"
#include "http/h2/h2_stream.h"
#include "pollux/response.h"

/* What a session tells its owner. */
struct h2_events {
    /* A stream begins: where the session keeps what it knows of it, or NULL to refuse it. */
    struct h2_stream *(*begin)(void *context);
    /* Its request is there.  The head is borrowed for the call. */
    void (*request)(struct h2_stream *stream, const struct h2_head *head, void *context);
    /* Its request cannot be served: answer with head->status.  The head is borrowed for the call.
     */
    void (*refuse)(struct h2_stream *stream, const struct h2_head *head, void *context);
    /* Content came: to be given back with h2_session_give. */
    void (*content)(struct h2_stream *stream, px_str bytes, void *context);
    /* The peer has ended its side; trailers is NULL where there are none. */
    void (*content_end)(struct h2_stream *stream, const struct h2_head *trailers, void *context);
    /* The next content of the answer, as exchange_pull; never more than one call in a frame, and
     * one of a byte where content has filled a window, since its end needs none. */
    px_pull (*pull)(struct h2_stream *stream, char *out, size_t room, size_t *out_bytes,
                    void *context);
    /* After pull said END: the trailers of the answer. */
    const px_field *(*trailers)(struct h2_stream *stream, uint32_t *out_count, void *context);
    /* The end of the answer is rendered. */
    void (*sent)(struct h2_stream *stream, void *context);
    /* Its unfinished header block had to give way to others', from inside of another session: it is
     * over, and has a last word to be rendered. */
    void (*gave_way)(void *context);
    /* The stream is over, with this code; the session has forgotten it. */
    void (*closed)(struct h2_stream *stream, uint32_t error, void *context);
};

/* What all sessions of a server share. */
struct h2_shared;
struct h2_session;

struct h2_options {
    const px_allocator *allocator;    /* borrowed: outlives it, as everything here */
    const struct h2_events *events;   /* borrowed: static */
    const struct http_limits *limits; /* borrowed */
    const struct scan_table *scan;    /* borrowed: static */
    uint32_t session_count_max;
    struct budget *budget; /* borrowed, or NULL: what its memory is taken from */
};

/* PX_OK, PX_ERR_MEMORY, or PX_ERR_UNSUPPORTED in a build without. */
PX_MUST_CHECK px_err h2_shared_create(const struct h2_options *options,
                                      struct h2_shared **out_shared);

/* Every session must be closed.  NULL is fine. */
void h2_shared_destroy(struct h2_shared *shared);

/* Memory is short: lets go of what is kept for sessions to come. */
void h2_shared_relieve(struct h2_shared *shared);

/* A new session, with our SETTINGS to be rendered: PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err h2_session_open(struct h2_shared *shared, void *context,
                                     struct h2_session **out_session);

/* Forgets everything, without events.  The streams' owners are the caller's to end. */
void h2_session_close(struct h2_session *session);

/* States what must hold between two calls; for tests.  `stream_count`: the streams that its owner
 * has. */
void h2_session_check(const struct h2_session *session, uint32_t stream_count);

/* --- In --------------------------------------------------------------------------------------- */

/* Takes a slice of `bytes`, some frames or a part of one, and returns how much it was; all of them
 * once the session is over (h2_session_is_over). */
size_t h2_session_feed(struct h2_session *session, uint64_t now_ms, px_str bytes);

/* What feeding has taken, in units of base/work.h, since this was last asked. */
uint32_t h2_session_take_work(struct h2_session *session);

/* What has begun and is not whole, as h2_walk_unfinished names it, or 0. */
uint32_t h2_session_block(const struct h2_session *session);

/* Frames that wait to be rendered, DATA left out: a peer that does not read them may not send more.
 */
size_t h2_session_backlog(const struct h2_session *session);

/* Content was used: its sender may send as much again. */
void h2_session_give(struct h2_session *session, struct h2_stream *stream, uint32_t bytes);

/* --- Out -------------------------------------------------------------------------------------- */

/* Takes the head of an answer.  What it names stays where it is until the answer has ended or the
 * stream has closed.  PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err h2_session_respond(struct h2_session *session, struct h2_stream *stream,
                                        const struct h2_response *response);

/* An informational response; what names it has is copied.  It may be left out. */
void h2_session_inform(struct h2_session *session, struct h2_stream *stream, unsigned status,
                       const px_field *fields, uint32_t field_count);

/* Pull is worth another try after it said LATER: PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err h2_session_resume(struct h2_session *session, struct h2_stream *stream);

/* Ends a stream at once. */
void h2_session_reset(struct h2_session *session, struct h2_stream *stream, enum h2_error error);

/* Content of all streams that was handed out and not given back. */
uint32_t h2_session_unread(const struct h2_session *session);

/* Whether all that comes is read now, which is asked of each turn, and the peer has a window for a
 * frame, whatever the stream.  is_open: since when, by the lower half of a clock; a short while in
 * which others had their turn does not count. */
void h2_session_note_reading(struct h2_session *session, bool reads, uint32_t now_ms);
bool h2_session_is_open(const struct h2_session *session, uint32_t *out_since_ms);

/* The peer has opened no window for more of this stream's content. */
bool h2_session_is_stalled(const struct h2_session *session, const struct h2_stream *stream);

/* Renders frames into `out` and returns how many bytes.  Something may be left when less than
 * H2_RENDER_ROOM (h2_engine.h) is left of `room`. */
size_t h2_session_render(struct h2_session *session, char *out, size_t room);

/* --- The end ---------------------------------------------------------------------------------- */

/* Says that no new stream will be served: at first only that it is so (RFC 9113 section 6.8), and
 * when the peer has heard that, which was the last. */
void h2_session_drain(struct h2_session *session);

/* It was said, and the peer has not answered yet. */
bool h2_session_is_draining(const struct h2_session *session);

/* Ends the session with that code; streams are cut short. */
void h2_session_terminate(struct h2_session *session, enum h2_error error);

/* Asks whether the peer is there.  False while the last question is open. */
bool h2_session_ping(struct h2_session *session);

/* There was no memory: nothing can be said any more. */
bool h2_session_has_failed(const struct h2_session *session);

/* Nothing more will be read; when nothing is left to be rendered, the connection can end. */
bool h2_session_is_over(const struct h2_session *session);

/* There is something to be rendered. */
bool h2_session_has_output(const struct h2_session *session);

#endif
