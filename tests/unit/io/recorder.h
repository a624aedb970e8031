/*
 * A receiver that writes down what a stream reports, and does what a test wants in its callbacks.
 */
#ifndef PX_TESTS_UNIT_IO_RECORDER_H
#define PX_TESTS_UNIT_IO_RECORDER_H

#include "io/io.h"

enum event { EVENT_RECV, EVENT_RECV_END, EVENT_SENT, EVENT_CLOSED };

enum { RECORDER_EVENTS_MAX = 256 };

struct recorder {
    px_stream *stream; /* NULL once it is closed */
    char *bytes;       /* owned: what was used, in order */
    size_t len;
    size_t room;
    size_t use;     /* bytes to use of each presentation; SIZE_MAX: all */
    size_t shown;   /* length of the last presentation */
    char first[16]; /* how it began */
    uint32_t recv_count;
    uint32_t end_count;
    px_err end_reason;
    uint32_t sent_count;
    px_err sent_result;
    uint32_t closed_count;
    bool inside; /* of a callback */
    uint32_t event_count;
    uint8_t events[RECORDER_EVENTS_MAX]; /* enum event, in order */
    /* Runs inside of each callback, when not NULL. */
    void (*act)(struct recorder *recorder, enum event event);
    void *context;
};

/* Wraps our end of a pair in a stream of the loop and attaches to it; not receiving yet. */
void recorder_open(struct recorder *recorder, px_loop *loop, int fd);

/* After `closed_count` is 1, or the stream was released. */
void recorder_deinit(struct recorder *recorder);

/* Closes, pumps until closed, deinit. */
void recorder_close(struct recorder *recorder);

void recorder_attach(struct recorder *recorder, px_stream *stream);

extern const px_stream_events recorder_events;

#endif
