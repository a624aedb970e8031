/*
 * A session as h2_session.c has it.
 */
#ifndef PX_HTTP_H2_SERVER_H
#define PX_HTTP_H2_SERVER_H

#include "http/h2/h2_engine.h"
#include "http/h2/h2_session.h"

enum { H2_EARLY_COUNT = 4 };

struct h2_shared {
    struct h2_options options;
    struct h2_spares spares;
    struct hpack_scratch scratch; /* owned */
    struct pool sessions;         /* of h2_session */
    struct pool heads;            /* of h2_head */
    struct list unfinished;       /* of h2_head.node: the oldest first */
};

/* How far saying good-bye is. */
enum h2_goodbye { GOODBYE_NONE, GOODBYE_SAID, GOODBYE_HEARD };

/* PRIORITY_UPDATE that came before its request (RFC 9218 section 7.1). */
struct h2_early {
    uint32_t id;
    struct h2_priority priority;
};

struct h2_session {
    struct pool_item item;
    struct h2_shared *shared; /* borrowed: outlives it */
    void *context;            /* borrowed: the owner's */
    struct h2_head *head;     /* owned, or NULL: the header block at hand */
    struct h2_early early[H2_EARLY_COUNT];
    uint8_t early_next; /* which of them is the oldest */
    uint8_t goodbye;    /* enum h2_goodbye */
    bool ping_open;     /* one of ours has no answer yet */
    bool shut;          /* what its peer sends is not read, or it has no window ... */
    uint32_t shut_ms;   /* ... since then, the lower half of a clock */
    uint32_t open_ms;   /* when that was over after long, likewise */
    struct h2_engine engine;
};

extern const struct h2_role h2_server_role;

void h2_session_head_release(struct h2_session *session);

#endif
