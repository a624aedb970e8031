/*
 * What a loop tells an operator of itself: how long its ticks took, and what WebSockets did on it.
 *
 * Only counted here; a server shows it at the end of a tick.  Nothing can fail.
 */
#ifndef PX_IO_LOOP_TOLD_H
#define PX_IO_LOOP_TOLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a tick cost. */
struct loop_load {
    uint64_t duration_us; /* from the end of its wait to the beginning of the next */
    uint64_t bytes;       /* received and sent */
    uint32_t callbacks;   /* handles run, connections accepted, tasks */
};

/* The last tick that was measured, and how many were. */
struct loop_last {
    uint64_t duration_us;
    uint64_t count;
};

/* WebSockets of a loop, whatever carries them.  Those of this process, and those that a proxy
 * passes on, of which nothing is looked at. */
enum loop_socket_kind { SOCKETS_SERVED, SOCKETS_PROXIED, SOCKET_KINDS };
enum loop_socket_way { SOCKETS_IN, SOCKETS_OUT, SOCKET_WAYS };
/* How they ended, by the code of a Close frame (RFC 6455 section 7.4). */
enum loop_socket_end {
    SOCKETS_NORMAL,      /* 1000, 1001 */
    SOCKETS_PROTOCOL,    /* 1002, 1003, 1007, 1010 */
    SOCKETS_POLICY,      /* 1008 */
    SOCKETS_TOO_BIG,     /* 1009 */
    SOCKETS_ERROR,       /* 1011 to 1015 */
    SOCKETS_APPLICATION, /* 3000 to 4999 */
    SOCKETS_ABNORMAL,    /* none came, and all other */
    SOCKET_ENDS
};

/* Only counted up, so that a gauge is what `opened` has beyond `closed`. */
struct loop_sockets {
    uint64_t changes; /* since the beginning: whether to look */
    uint64_t opened[SOCKET_KINDS];
    uint64_t closed[SOCKET_KINDS];
    uint64_t messages[SOCKET_WAYS];
    uint64_t bytes[SOCKET_WAYS]; /* of messages, not compressed */
    uint64_t ends[SOCKET_ENDS];
};

struct loop_told {
    struct loop_load longest; /* of all ticks */
    struct loop_last last;
    struct loop_sockets sockets;
    struct loop_sockets sockets_shown; /* what of them was counted elsewhere */
    pthread_t thread;                  /* that ticks, or has: looked at where rules are */
    bool checks_rules;                 /* of callers, in builds that are not for tests too */
};

static inline void loop_socket_opened(struct loop_told *told, enum loop_socket_kind kind)
{
    told->sockets.opened[kind]++;
    told->sockets.changes++;
}

static inline void loop_socket_closed(struct loop_told *told, enum loop_socket_kind kind)
{
    told->sockets.closed[kind]++;
    told->sockets.changes++;
}

/* Content of a message, or a piece of one. */
static inline void loop_socket_message(struct loop_told *told, enum loop_socket_way way,
                                       size_t bytes, bool is_last)
{
    told->sockets.bytes[way] += bytes;
    told->sockets.messages[way] += is_last;
    told->sockets.changes++;
}

#endif
