/*
 * The program that takes over (USR2): started as a child with the listening descriptors, owner of
 * everything once it has said so.
 *
 *   master                            successor
 *   SOCKET..., SOCKETS  ---------->
 *                       <----------   SUCCESSOR_READY   its workers have all opened what they need
 *   GIVE                ---------->                     the pid file is its to write
 *                       <----------   TOOK              it accepts; the master may finish
 */
#ifndef PX_PROCESS_SUCCESSOR_H
#define PX_PROCESS_SUCCESSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pollux/error.h"
#include "process/board.h"
#include "process/control.h"
#include "process/socket_mend.h"

/* Environment of a successor: numbers of descriptors that it is given. */
#define SUCCESSOR_VARIABLE "POLLUX_HANDOVER"
#define SUCCESSOR_LOG_VARIABLE "POLLUX_LOG"

enum { LEGACY_SOCKETS_MAX = 16 * 1024 /* slots by addresses; a message more is a broken sender */ };

/* A listening socket, as the master keeps it. */
struct master_socket {
    int fd;
    uint32_t slot;    /* SUPERVISOR_NOBODY: every worker accepts on it */
    uint32_t address; /* index of the address on the command line */
    struct socket_plan plan;
};

struct successor {
    pid_t pid;      /* 0: none */
    int fd;         /* owned: the conversation; -1: none */
    int failure_fd; /* owned: says the errno of an exec that failed; -1: none */
};

/* What to execute. */
struct successor_program {
    const char *path;  /* as at our own start; NULL: it is not known, so nothing can be started */
    char *const *argv; /* likewise */
    const char *const *addresses; /* as written on the command line, by master_socket.address */
    const struct master_socket *sockets;
    uint32_t socket_count;
    uint32_t slot_count;
};

/* Starts it and sends it the sockets.  `log_fd`: the log, should it not be able to open it; or -1.
 * `given`: what was counted (board_give).
 * 0, or an errno (nothing runs then). */
int successor_start(struct successor *successor, const struct successor_program *program,
                    int log_fd, const struct board_given *given);

/* Of one that has ended: the errno of its exec, or 0. */
int successor_failure(const struct successor *successor);

/* Its end is closed: it has ended, or is killed.  It is still to be reaped. */
void successor_hang_up(struct successor *successor);

/* Ends the conversation; with `is_kill` the process too. */
void successor_end(struct successor *successor, bool is_kill);

/* --- In the successor ------------------------------------------------------------------------- */

struct legacy_socket {
    int fd; /* owned; -1: taken */
    uint32_t slot;
    uint32_t address;              /* index on its master's command line, which is ours */
    char text[CONTROL_TEXT_BYTES]; /* the address as written on its master's command line */
};

/* What the master gave us.  All zeros with fd -1: we have no predecessor. */
struct legacy {
    int fd;                        /* owned: the conversation, or -1 */
    struct legacy_socket *sockets; /* owned */
    uint32_t count;
    uint32_t slot_count;
    pid_t pid; /* of the master that gave it */
};

/* The log of the predecessor, owned by the caller, or -1.  Once. */
int legacy_log_take(void);

/* What the predecessor counted (board_init), owned by the caller: how many there are.  Once. */
uint32_t legacy_counts_take(int *out_fds, uint32_t room);

/* Reads what was handed over, if the environment says so (which is then cleaned).  PX_OK also when
 * there is nothing. */
PX_MUST_CHECK px_err legacy_take(struct legacy *out_legacy, px_error *out_error);

/* Closes what was not taken, and the conversation. */
void legacy_deinit(struct legacy *legacy);

#endif
