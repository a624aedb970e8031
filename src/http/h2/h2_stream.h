/*
 * What an engine knows of a stream: embedded in its owner's object.
 */
#ifndef PX_HTTP_H2_STREAM_H
#define PX_HTTP_H2_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "http/h2/h2_frame.h"
#include "http/h2/h2_priority.h"
#include "pollux/field.h"

/* The head of an answer. */
struct h2_response {
    uint16_t status;
    bool ends;       /* no content follows */
    bool has_length; /* content-length: length */
    uint64_t length;
    px_str type;   /* content-type, or absent */
    px_str server; /* likewise */
    px_str date;
    const px_field *fields;
    uint32_t field_count;
};

/* Which list of its engine a stream is on. */
enum h2_queue {
    H2_QUEUE_NONE,
    H2_QUEUE_HEADS, /* its head is to be rendered */
    H2_QUEUE_READY, /* there is content to be pulled, and the stream's window is open, or the
                       content may be over */
    H2_QUEUE_RESETS /* its reset is to be rendered */
};

/* What of its content was pulled where no window was open, to see whether there is more. */
enum h2_ahead {
    H2_AHEAD_NEVER, /* nothing of it was rendered: it is not asked for either */
    H2_AHEAD_NONE,
    H2_AHEAD_BYTE, /* the next byte ... */
    H2_AHEAD_LAST  /* ... which is the last */
};

struct h2_stream {
    struct list node;            /* on that list */
    struct h2_stream *next;      /* borrowed: of the same bucket */
    uint64_t content_left;       /* that is to come by content-length, or UINT64_MAX */
    uint64_t answer_left;        /* of our content, by its length, or UINT64_MAX */
    int64_t send_window;         /* what the peer takes; it may be below zero */
    uint32_t id;                 /* 0: it never began, or has ended */
    uint32_t unread;             /* content that was handed out and not given back */
    uint32_t given;              /* given back, and not told to the peer */
    uint32_t recv_window;        /* what the peer may send */
    uint32_t reset_code;         /* enum h2_error, once dead */
    struct h2_response response; /* borrowed slices: until its head is rendered */
    struct h2_priority priority;
    uint8_t queue;      /* enum h2_queue */
    uint8_t ahead;      /* enum h2_ahead */
    char held;          /* the byte that is ahead */
    uint8_t updates;    /* PRIORITY_UPDATE came: the Priority field gives way to it */
    bool head_done : 1; /* the peer's head was whole */
    bool head_only : 1; /* refused, and of HEAD: the answer has no content */
    bool responded : 1; /* the head of an answer was given */
    bool pulls : 1;     /* there is content to be pulled */
    bool dead;          /* reset by us: nothing of it is handed out any more */
    bool waiting;       /* pull said LATER */
    bool local_ended;   /* we have ended our side */
    bool remote_ended;  /* the peer has ended its side */
};

/* Content that fills a window may be over, which is said without one (RFC 9113 section 6.9): it is
 * asked for one byte more, once. */
static inline bool h2_stream_may_be_over(const struct h2_stream *stream)
{
    return stream->ahead == H2_AHEAD_NONE &&
           (stream->answer_left == 0 || stream->answer_left == UINT64_MAX);
}

#endif
