/*
 * HTTP/2 frames (RFC 9113), both ways and for both roles, without I/O: streams and their windows,
 * settings, header blocks through HPACK, and what is rendered next (RFC 9218).
 *
 * h2_session.h and h2_client.h are what the rest of pollux sees: each gives the engine a role,
 * which says what its header blocks mean.  Happy path: h2_engine_feed calls the role for heads,
 * content and ends; h2_engine_render writes control frames, heads and content into its caller's
 * bytes.  It can fail by a broken rule, a budget, or want of memory: then there is a last word
 * (GOAWAY) to be rendered, where memory allows, and nothing is read any more.
 *
 * What a role does when it is called may be anything but h2_engine_feed and _render.
 */
#ifndef PX_HTTP_H2_ENGINE_H
#define PX_HTTP_H2_ENGINE_H

#include "http/h2/h2_stream.h"
#include "http/h2/h2_walk.h"
#include "http/h2/hpack.h"
#include "pollux/response.h"

struct h2_engine;

enum {
    H2_BUCKETS = 32,
    H2_SMALL_BYTES = 64,  /* of a payload that is looked at whole */
    H2_RENDER_ROOM = 1024 /* with less nothing is begun */
};

/* What is done with the payload of the frame at hand. */
enum h2_payload { PAYLOAD_SKIP, PAYLOAD_SMALL, PAYLOAD_SETTINGS, PAYLOAD_CONTENT, PAYLOAD_BLOCK };

/* What a role is asked and told. */
struct h2_role {
    /* A header block begins, of walk->frame: the stream that it is for, or NULL where it is only
     * decoded; or the code that ends the connection. */
    uint32_t (*begin)(struct h2_engine *engine, struct h2_stream **out_stream);
    hpack_sink *field; /* its context is the engine */
    /* The block is whole; `stream` may be NULL by now. */
    void (*end)(struct h2_engine *engine, struct h2_stream *stream, bool ends);
    void (*content)(struct h2_engine *engine, struct h2_stream *stream, px_str bytes);
    void (*content_end)(struct h2_engine *engine, struct h2_stream *stream);
    px_pull (*pull)(struct h2_engine *engine, struct h2_stream *stream, char *out, size_t room,
                    size_t *out_bytes);
    const px_field *(*trailers)(struct h2_engine *engine, struct h2_stream *stream,
                                uint32_t *out_count);
    /* Our side has ended. */
    void (*sent)(struct h2_engine *engine, struct h2_stream *stream);
    /* The stream is over and forgotten. */
    void (*closed)(struct h2_engine *engine, struct h2_stream *stream, uint32_t error);
    /* PING with ACK, GOAWAY or PRIORITY_UPDATE, with its payload. */
    void (*heard)(struct h2_engine *engine, uint8_t type, const uint8_t *payload, size_t len);
    /* What it carries had to give way to others', from inside of another engine: it is over, and
     * has a last word to be rendered.  NULL where no other engine shares its memory. */
    void (*gave_way)(struct h2_engine *engine);
};

/* The frame at hand. */
struct h2_intake {
    uint8_t payload;      /* enum h2_payload */
    uint8_t prefix_bytes; /* pad length and priority */
    uint8_t small_len;
    uint8_t small[H2_SMALL_BYTES];
    uint32_t pad_left;        /* at the end of the payload */
    uint32_t content_bytes;   /* of DATA, without padding */
    struct h2_stream *stream; /* borrowed: of the frame or block, or NULL */
    char *carry;              /* owned, or NULL: the part of a field that is there */
    uint32_t carry_len;
    uint32_t carry_room;
    uint32_t window; /* with window_said: SETTINGS_INITIAL_WINDOW_SIZE of the frame at hand */
    bool window_said;
    bool block_open;
    bool block_ends; /* ... and its stream with it */
};

/* Frames that are rendered first. */
struct h2_control {
    char *bytes; /* owned, or NULL */
    uint32_t at; /* what was rendered of them */
    uint32_t len;
    uint32_t room;
    uint32_t count; /* of frames */
};

struct h2_engine {
    const struct h2_role *role; /* borrowed: static */
    struct h2_memory memory;
    struct hpack_decoder decoder;
    struct hpack_encoder encoder;
    struct h2_walk walk;

    struct h2_stream *buckets[H2_BUCKETS]; /* borrowed: its owners' */
    struct list heads;
    struct list resets;
    struct list ready[H2_URGENCY_MAX + 1]; /* by urgency; the first is next */
    uint32_t stream_count;
    uint8_t ready_mask; /* which of them hold one */

    struct h2_intake in;
    struct h2_control control;
    char *out; /* borrowed: while rendering */
    size_t out_len;
    size_t out_room;

    int64_t send_window;       /* of the connection */
    uint32_t stream_window;    /* that the peer gives a new stream */
    uint32_t recv_window;      /* what the peer may send */
    uint32_t given;            /* was given back, and is not told */
    uint32_t peer_streams_max; /* what it allows us to open */
    uint32_t settings_open;    /* of ours, that were not acknowledged */
    uint32_t last_asked;       /* the highest stream that we opened */
    uint32_t last_begun;       /* of the peer's streams, as GOAWAY names it */
    uint32_t work;             /* that feeding has taken, in bytes (base/work.h) */
    uint32_t last_word_code;   /* enum h2_error */
    int8_t peer_priorities;    /* SETTINGS_NO_RFC7540_PRIORITIES that it said, or -1 */
    bool peer_connect;         /* it said ENABLE_CONNECT_PROTOCOL */
    bool last_word;            /* the connection ends with that code */
    bool last_word_said;
    bool goaway_said;  /* no more streams of the peer's begin */
    bool goaway_heard; /* ... of ours */
    bool failed;       /* want of memory: nothing can be rendered any more */
};

struct h2_engine_options {
    const struct h2_role *role;
    struct h2_spares *spares;
    struct hpack_scratch *scratch;
    uint32_t head_bytes_max;
    bool client;
};

/* The identifiers of settings (RFC 9113 section 6.5.2, RFC 8441, RFC 9218). */
enum h2_setting {
    H2_SETTING_TABLE_BYTES = 1,
    H2_SETTING_PUSH = 2,
    H2_SETTING_STREAMS_MAX = 3,
    H2_SETTING_STREAM_WINDOW = 4,
    H2_SETTING_FRAME_BYTES_MAX = 5,
    H2_SETTING_HEAD_BYTES_MAX = 6,
    H2_SETTING_CONNECT_PROTOCOL = 8,
    H2_SETTING_NO_RFC7540_PRIORITIES = 9
};

struct h2_setting_pair {
    uint16_t id;
    uint32_t value;
};

/* Begins with these SETTINGS to be rendered: PX_OK, or PX_ERR_MEMORY; deinit in both cases. */
PX_MUST_CHECK px_err h2_engine_init(struct h2_engine *engine,
                                    const struct h2_engine_options *options,
                                    const struct h2_setting_pair *settings, uint32_t count);
void h2_engine_deinit(struct h2_engine *engine);

/* States what must hold between two calls; for tests. */
void h2_engine_check(const struct h2_engine *engine);

/* --- Bytes ------------------------------------------------------------------------------------ */

/* Takes a slice of `bytes` and returns how much it was; all of them once the connection is over. */
size_t h2_engine_feed(struct h2_engine *engine, uint64_t now_ms, px_str bytes);

/* Renders into `out` and returns how many bytes. */
size_t h2_engine_render(struct h2_engine *engine, char *out, size_t room);
bool h2_engine_has_output(const struct h2_engine *engine);

/* --- Streams ---------------------------------------------------------------------------------- */

/* A stream begins: it is known by its number from now on. */
void h2_engine_open(struct h2_engine *engine, struct h2_stream *stream, uint32_t id);

struct h2_stream *h2_engine_find(const struct h2_engine *engine, uint32_t id);

/* The head in stream->response is to be rendered. */
void h2_engine_respond(struct h2_engine *engine, struct h2_stream *stream);

/* An informational response, whose fields are copied. */
void h2_engine_inform(struct h2_engine *engine, const struct h2_stream *stream,
                      const struct h2_response *response);

/* Pull is worth a try. */
void h2_engine_ready(struct h2_engine *engine, struct h2_stream *stream);

/* Takes it off whichever list it is on. */
void h2_engine_unqueue(struct h2_engine *engine, struct h2_stream *stream);

void h2_engine_prioritize(struct h2_engine *engine, struct h2_stream *stream,
                          struct h2_priority priority);

/* The peer has ended its side: the stream may be over. */
void h2_engine_remote_end(struct h2_engine *engine, struct h2_stream *stream);

/* Content was used. */
void h2_engine_give(struct h2_engine *engine, struct h2_stream *stream, uint32_t bytes);

/* Ends a stream at once; `closed` comes when that is rendered. */
void h2_engine_reset(struct h2_engine *engine, struct h2_stream *stream, uint32_t error);

/* The same, of a stream whose object goes now: nothing of it is told any more. */
void h2_engine_drop(struct h2_engine *engine, struct h2_stream *stream, uint32_t error);

/* The stream is over: the role hears of it, and then it is forgotten. */
void h2_engine_close(struct h2_engine *engine, struct h2_stream *stream, uint32_t error);

/* A stream with a higher number than that, or NULL. */
struct h2_stream *h2_engine_find_above(const struct h2_engine *engine, uint32_t id);

/* The peer gives each stream this window from the beginning: those that are open are moved by as
 * much (RFC 9113 section 6.9.2). */
void h2_engine_move_windows(struct h2_engine *engine, uint32_t window);

/* --- Control frames, in h2_control.c ---------------------------------------------------------- */

/* Room for a frame, which is one of them from now on; or NULL, and the engine has failed. */
char *h2_control_take(struct h2_engine *engine, size_t bytes);

/* What of it was not used. */
void h2_control_give(struct h2_engine *engine, size_t bytes);

void h2_control_reset(struct h2_engine *engine, uint32_t id, uint32_t error);
void h2_control_goaway(struct h2_engine *engine, uint32_t last_stream, uint32_t error);
void h2_control_ping(struct h2_engine *engine, const uint8_t text[8], bool ack);
void h2_control_window(struct h2_engine *engine, uint32_t id, uint32_t bytes);

/* Writes the head of a frame, and returns where its payload begins. */
char *h2_frame_put(char *out, size_t bytes, uint8_t type, uint8_t flags, uint32_t id);

/* A header block was written nine bytes behind `out`: puts the heads of its frames in front of and
 * between its pieces, and returns the end.  The room for them is there. */
char *h2_block_put(char *out, size_t bytes, uint32_t id, bool ends);

/* What that takes beside the block. */
static inline size_t h2_block_heads(size_t bytes)
{
    return (bytes / H2_FRAME_BYTES_MAX + 1) * H2_HEAD_BYTES;
}

/* --- Fields that are not whole, in h2_carry.c ------------------------------------------------- */

/* Keeps what is there of one: or says false, and the engine has failed. */
bool h2_carry_add(struct h2_engine *engine, px_str bytes);

/* So much of it was decoded. */
void h2_carry_use(struct h2_engine *engine, size_t used);
void h2_carry_drop(struct h2_engine *engine);

/* As h2_memory asks for it. */
void h2_carry_give_way(struct h2_memory *memory);

/* --- Payloads, in h2_settings.c --------------------------------------------------------------- */

static inline uint32_t h2_number_at(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Gathers up to `want` bytes in in->small: how many of these it took. */
size_t h2_gather(struct h2_engine *engine, px_str bytes, size_t want);

/* A frame of SETTINGS: its head, some of its payload, its end.  H2_NO_ERROR, or how the connection
 * ends. */
uint32_t h2_settings_begin(struct h2_engine *engine, const struct h2_frame *frame);
uint32_t h2_settings_take(struct h2_engine *engine, px_str bytes);
uint32_t h2_settings_over(struct h2_engine *engine);

/* --- The end ---------------------------------------------------------------------------------- */

/* Ends the connection with that code. */
void h2_engine_terminate(struct h2_engine *engine, uint32_t error);

static inline bool h2_engine_is_over(const struct h2_engine *engine)
{
    return engine->failed || engine->last_word ||
           (engine->stream_count == 0 && (engine->goaway_said || engine->goaway_heard));
}

#endif
