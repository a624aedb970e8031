/*
 * Reading WebSocket frames (RFC 6455 section 5), at either end of the wire.
 *
 * The caller shows bytes as they come and room for what they say; ws_read tells one thing at a
 * time: a message begins, a piece of it, a control frame.  Pieces are unmasked, inflated, checked
 * as UTF-8 and against the limits before they are told, so that the first byte that breaks a rule
 * is the last that is looked at.  It can fail with PX_ERR_MALFORMED, PX_ERR_LIMIT or PX_ERR_MEMORY,
 * and `code` is what the Close frame says then.
 *
 * The reader allocates nothing: a message that was deflated is given an inflate by the caller, when
 * it is told that one begins.
 */
#ifndef PX_HTTP_WS_READ_H
#define PX_HTTP_WS_READ_H

#include "http/ws/ws_deflate.h"
#include "http/ws/ws_frame.h"
#include "http/ws/ws_utf8.h"

enum ws_role { WS_SERVER, WS_CLIENT };

struct ws_limits {
    uint64_t message_bytes_max; /* inflated */
    uint32_t fragments_max;     /* frames of one message */
    uint32_t ratio_max;         /* inflated bytes for each received, above WS_RATIO_BYTES; 0: any */
};

/* A message inflated to less than this may have any ratio. */
enum { WS_RATIO_BYTES = 64 * 1024 };

enum ws_event_kind {
    WS_EVENT_BEGIN, /* a message: give it an inflate where it is deflated */
    WS_EVENT_DATA,  /* a piece of it, at `out`; `last` with its last */
    WS_EVENT_PING,
    WS_EVENT_PONG,
    WS_EVENT_CLOSE /* nothing is read after it */
};

struct ws_event {
    enum ws_event_kind kind;
    px_str bytes;    /* DATA: written to `out`; a control frame's content until the next ws_read */
    uint64_t length; /* BEGIN: of its first frame as it came */
    uint8_t opcode;  /* BEGIN, DATA: WS_TEXT or WS_BINARY */
    uint16_t code;   /* CLOSE: as ws_close_take says */
    bool deflated;   /* BEGIN */
    bool whole;      /* BEGIN: its first frame is its last */
    bool last;       /* DATA */
};

enum ws_reading { WS_READ_HEAD, WS_READ_DATA, WS_READ_TAIL, WS_READ_CONTROL, WS_READ_CLOSED };

struct ws_reader {
    const struct ws_bytes *bytes; /* borrowed: static */
    struct ws_inflate *inflate;   /* borrowed: the caller's, while a deflated message is read */
    struct ws_limits limits;
    uint64_t frame_left;     /* bytes of the frame at hand that did not come yet */
    uint64_t message_bytes;  /* told of the message */
    uint64_t received_bytes; /* ... and as they came */
    uint32_t fragments;      /* frames of the message */
    uint16_t code;           /* why reading failed */
    uint8_t role;            /* enum ws_role */
    uint8_t state;           /* enum ws_reading */
    uint8_t message;         /* its opcode, or 0 between messages */
    uint8_t held_len;        /* of a head or control frame that is not whole */
    uint8_t tail_at;         /* of the four bytes that end a deflated message */
    uint8_t control;         /* the opcode of the control frame at hand */
    bool deflate;            /* permessage-deflate was agreed */
    bool deflated;           /* the message is */
    bool fin;                /* the frame at hand is its last */
    uint8_t key[WS_MASK_BYTES];
    struct ws_utf8 utf8;
    char held[WS_CONTROL_BYTES_MAX];
};

void ws_reader_init(struct ws_reader *reader, enum ws_role role, const struct ws_bytes *bytes,
                    const struct ws_limits *limits, bool deflate);

/* Whether a new reader would go on as well: nothing of a frame or a message is at hand. */
static inline bool ws_reader_is_between(const struct ws_reader *reader)
{
    return reader->state == WS_READ_HEAD && reader->held_len == 0 && reader->message == 0;
}

/* States what must hold between two calls; for tests. */
void ws_reader_check(const struct ws_reader *reader);

/* Reads on: PX_OK with an event, or PX_AGAIN when all of `in` was used and nothing came of it.
 * `out` has room for at least one byte. */
PX_MUST_CHECK px_err ws_read(struct ws_reader *reader, px_str in, char *out, size_t room,
                             size_t *out_used, struct ws_event *out_event);

#endif
