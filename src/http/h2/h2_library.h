/*
 * A session as the files that speak to nghttp2 see it: h2_session.c (its life, bytes in),
 * h2_events.c (what nghttp2 reports), h2_send.c (answers, bytes out).
 */
#ifndef PX_HTTP_H2_LIBRARY_H
#define PX_HTTP_H2_LIBRARY_H

#include <nghttp2/nghttp2.h>

#include "base/work.h"
#include "http/h2/h2_memory.h"
#include "http/h2/h2_session.h"
#include "http/h2/h2_walk.h"

struct h2_shared {
    struct h2_options options;
    nghttp2_session_callbacks *callbacks; /* owned */
    nghttp2_option *library_options;      /* owned */
    nghttp2_nv *fields;                   /* owned: room for the fields of one answer */
    struct h2_spares spares;
    struct pool sessions;   /* of h2_session */
    struct pool heads;      /* of h2_head */
    struct list unfinished; /* of h2_head.node: the oldest first */
};

/* How far saying good-bye is. */
enum h2_goodbye { GOODBYE_NONE, GOODBYE_SAYING, GOODBYE_SAID, GOODBYE_HEARD };

struct h2_session {
    struct pool_item item;
    struct h2_shared *shared; /* borrowed: outlives it */
    nghttp2_session *library; /* owned */
    void *context;            /* borrowed: the owner's */
    struct h2_head *head;     /* owned, or NULL: the header block at hand */
    const uint8_t *pending;   /* borrowed from the library: rendered and not copied */
    size_t pending_bytes;     /* of it */
    char *out;                /* borrowed: while rendering */
    size_t out_len;           /* bytes in it */
    size_t out_room;          /* bytes it has */
    uint32_t stream_count;    /* begun and not closed */
    uint32_t work_bytes;      /* what feeding has taken, as bytes of heads decoded */
    uint8_t goodbye;          /* enum h2_goodbye */
    bool ping_open;           /* one of ours has no answer yet */
    bool settings_patched;    /* our SETTINGS have been rendered */
    bool window_changed;      /* SETTINGS have moved the windows of all streams */
    bool window_over;         /* ... and one of them above what it can be */
    bool bomb;                /* a head decoded to too much */
    bool failed;              /* the library gave up: nothing of it can be rendered */
    struct h2_memory memory;  /* the library's */
    struct h2_walk walk;
};

static inline const struct h2_events *h2_events_of(const struct h2_session *session)
{
    return session->shared->options.events;
}

/* Sets what nghttp2 calls when bytes come. */
void h2_events_register(nghttp2_session_callbacks *callbacks);

/* Sets what nghttp2 calls when it renders. */
void h2_send_register(nghttp2_session_callbacks *callbacks);

/* The library gave up; a rule that it could not tell the peer of. */
void h2_session_fail(struct h2_session *session, int library_error);

void h2_session_head_release(struct h2_session *session);

#endif
