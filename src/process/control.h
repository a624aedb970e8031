/*
 * What a master and a worker say to each other, and a master to the program that succeeds it: small
 * messages of one size over a SOCK_SEQPACKET pair, each with at most one descriptor (SCM_RIGHTS).
 *
 * A worker answers over a pipe, which carries no descriptors, and the master's end of the pair is
 * shut for reading: the last close of a descriptor that a worker sent could sleep (a socket that
 * lingers), and with it the master.
 *
 * The version is in every message: after a replacement of the program the two ends may be of
 * different releases, and a message that is not understood must end the conversation, not be
 * guessed at.
 */
#ifndef PX_PROCESS_CONTROL_H
#define PX_PROCESS_CONTROL_H

#include <stdint.h>

#include "pollux/error.h"

enum {
    CONTROL_VERSION = 1,
    CONTROL_TEXT_BYTES = 256, /* an address as written; the longest is "unix:" and a path of 107 */
};

enum { CONTROL_READY_BUT = 1 }; /* in the slot of CONTROL_READY: what is served cannot be read */

enum control_kind {
    /* From master to worker. */
    CONTROL_SERVE = 1, /* slot, address, descriptor: accept on it */
    CONTROL_SERVED,    /* slot: that was its last descriptor; say CONTROL_SERVING */
    CONTROL_RELEASE,   /* slot: accept there no longer */
    CONTROL_DELAY,     /* readiness fails from now on; slot: ms until answers say close */
    CONTROL_DRAIN,
    CONTROL_RETIRE, /* descriptor: the log, opened anew, if there is one */
    CONTROL_STOP,
    CONTROL_REPORT, /* descriptor: the log, opened anew, if there is one; counters to the board */
    /* From worker to master, as answers: each is owed, one that is not ends the worker. */
    CONTROL_READY,    /* owed from the start */
    CONTROL_SERVING,  /* slot */
    CONTROL_REPORTED, /* the board is as new as it gets */
    /* From a master to its successor. */
    CONTROL_SOCKET,  /* slot, text (the address as written), descriptor */
    CONTROL_SOCKETS, /* slot: how many slots there are, address: its pid; that was the last socket
                      */
    CONTROL_GIVE,    /* the successor has all of it from now on */
    /* From a successor to its master. */
    CONTROL_SUCCESSOR_READY,
    CONTROL_TOOK,
    /* From master to worker, behind those that programs of before know. */
    CONTROL_LOG, /* slot: the number of a log of hosts and routes; descriptor: it, opened anew */
    CONTROL_KIND_LAST = CONTROL_LOG
};

struct control_message {
    uint32_t version;
    uint32_t kind; /* enum control_kind */
    uint32_t slot;
    uint32_t address;
    char text[CONTROL_TEXT_BYTES]; /* ends in NUL */
};

struct control_answer {
    uint32_t version;
    uint32_t kind; /* enum control_kind */
    uint32_t slot;
};

/* The ends of a worker, or those of its master. */
struct control_ends {
    int word_fd;   /* messages of the master; it is written and never read by it */
    int answer_fd; /* answers of the worker */
};

/* Both ends of both, non-blocking, closed on exec.  0, or an errno. */
int control_open(struct control_ends *out_master, struct control_ends *out_worker);

/* Says it to the master.  Never blocks: 0, or an errno. */
int control_answer(int answer_fd, enum control_kind kind, uint32_t slot);

/* What was heard of a worker. */
enum control_heard {
    HEARD_NOTHING, /* now */
    HEARD_ANSWER,
    HEARD_END,     /* it has closed its end, or cannot be read any more */
    HEARD_NONSENSE /* what is no answer, or not one of this version */
};

/* The next answer; `out_answer` is written with HEARD_ANSWER alone. */
enum control_heard control_hear(int answer_fd, struct control_answer *out_answer);

/* A pair of connected ends, non-blocking, closed on exec.  0, or an errno. */
int control_pair(int out_fds[2]);

/* A message without text. */
struct control_message control_make(enum control_kind kind, uint32_t slot, uint32_t address);

/* Sends one; `passed_fd` is -1 or is duplicated into the other process.  Never blocks: 0, or an
 * errno (EAGAIN when the other end has not read for long). */
int control_send(int fd, const struct control_message *message, int passed_fd);

/* As control_send, but waits for room: at most `patience_ms`, then EAGAIN. */
int control_send_patiently(int fd, const struct control_message *message, int passed_fd,
                           int patience_ms);

/* The next message and its descriptor (owned by the caller, closed on exec, or -1).  1; 0 when none
 * is there now; -1 when the other end is gone or says what this version does not understand. */
int control_receive(int fd, struct control_message *out_message, int *out_passed_fd);

#endif
