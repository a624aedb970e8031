/*
 * The master: carries out with real processes what the supervisor decides.
 *
 * It holds the listening sockets and hands each to a worker over a control channel, so that one
 * that takes the place of a dead one finds the connections that wait.  It reads signals, the
 * channels and the memory it shares with its workers, and nothing that a peer sent.
 */
#ifndef PX_PROCESS_MASTER_H
#define PX_PROCESS_MASTER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "process/board.h"
#include "process/notify.h"
#include "process/successor.h"
#include "process/supervisor.h"

enum {
    MASTER_TEXT_BYTES = 256,
    REPORT_PATIENCE_MS = 500, /* how long a report waits for a worker's numbers */
    SEND_PATIENCE_MS = 100,   /* how long a worker may leave its channel full */
    LOGS_MS = 5,              /* until logs that found no room are tried again */
    RENEW_MS = 50,            /* how old the sum may be that a successor sees */
    LATE_MS = 500,            /* a wait that took so much longer: we were stopped */
    BEAT_MS = 1000,           /* how often a worker shows that its loop turns */
    STILL_MS = 3 * BEAT_MS,   /* all that serve stand still: the service manager is told nothing */
    MASTER_RELOAD_LATER = 1 << 30, /* more than there can be workers */
};

/* As in syslog(3). */
enum master_level { MASTER_CRITICAL = 2, MASTER_WARNING = 4, MASTER_NOTICE = 5 };

struct master_plan {
    struct supervisor_plan supervisor;
    struct successor_program program; /* with the sockets */
    struct board *board;              /* borrowed: a block for each place (master_place_count) */
    struct legacy *legacy;            /* borrowed: of our own predecessor */
    const struct notify *notify;      /* borrowed */
    /* In a child: serves what the channel says, until it says so or ends.  Exit code. */
    int (*on_work)(uint32_t place, const struct control_ends *ends, void *context);
    /* All workers serve, for the first time, and all is ours.  0, or an exit code: all ends. */
    int (*on_ready)(void *context);
    /* How many workers the next generation has; 0: no reload, and why was said;
     * MASTER_RELOAD_LATER: one is under way, on_look asks for another. */
    uint32_t (*on_reload)(void *context);
    /* A reload has ended: its workers serve, or it failed and those before go on. */
    void (*on_reloaded)(bool is_good, void *context);
    /* After a reload that was good: every socket is in the hands of its workers. */
    void (*on_settled)(void *context);
    /* Called every `look_ms` (0: never): whether to reload, since something has changed. */
    bool (*on_look)(void *context);
    uint32_t look_ms;
    /* A worker has ended, or a reload begins: the sockets may not be what they were.  Whether some
     * were made anew, which takes new workers. */
    bool (*on_mend)(void *context);
    /* The sockets are not needed here any more. */
    void (*on_close)(void *context);
    /* Whether the pid file, and what else there is one of, is ours. */
    void (*on_own)(bool is_ours, void *context);
    /* The log, for workers that may not open it: a descriptor, borrowed until the next call, or -1.
     * `is_anew`: it may have been moved away, so it is opened anew first. */
    int (*on_log)(bool is_anew, void *context);
    /* The same of other logs, for which no name is opened: the one with the least number above
     * `after` (0: none yet), which workers know it by; -1 behind the last.  NULL: there are none.
     */
    int (*on_other_log)(uint32_t after, uint32_t *out_number, void *context);
    /* Print the board. */
    void (*on_report)(void *context);
    /* A line for a person. */
    void (*on_say)(enum master_level level, const char *text, void *context);
    /* A worker has become ready, and has found that it may not read what it serves. */
    void (*on_warned)(void *context);
    /* Peers are refused from now on, since no worker serves; or let in again. */
    void (*on_refuse)(bool is_refused, void *context);
    /* A worker ended that should not have; `status` is of waitpid. */
    void (*on_death)(uint32_t place, pid_t pid, int status, void *context);
    void *context; /* borrowed */
};

struct master_child {
    pid_t pid;                /* 0: none */
    struct control_ends ends; /* owned; -1: none */
    int status;               /* of waitpid, when it has ended */
    bool has_shared;          /* it was given the sockets of all workers */
    bool owes_report;         /* it was asked for its numbers */
    uint32_t owed;            /* answers that it has not given; one more than that ends it */
    bool is_given_logs;       /* those with a number above `given_log` are still to be sent */
    uint32_t given_log;
};

struct master {
    const struct master_plan *plan; /* borrowed */
    struct supervisor supervisor;
    struct master_child *children; /* owned: by place */
    struct pollfd *waits;          /* owned */
    int signal_fd;                 /* owned */
    struct successor successor;
    int successor_status; /* of waitpid, of one that has ended */
    int successor_errno;  /* of the exec that failed; 0: it did not */
    bool has_status;
    uint64_t watchdog_due_ms; /* UINT64_MAX: never */
    uint64_t look_due_ms;     /* likewise */
    uint64_t report_due_ms;   /* likewise */
    uint64_t logs_due_ms;     /* likewise: when logs are sent on that found no room */
    uint64_t renew_due_ms;    /* the sum that a successor sees, where one was started */
    bool is_awaiting;         /* a successor that has not been given all yet */
    bool is_settling;         /* reloaded, and on_settled is owed */
    bool has_ended;
    int exit_code;
};

/* Blocks of the board. */
static inline uint32_t master_place_count(uint32_t slot_count)
{
    return slot_count * PLACES_PER_WORKER;
}

/* Runs until the last worker has ended.  signals_block comes first.  PX_OK and the exit code, or
 * what could not be made (nothing is left running). */
PX_MUST_CHECK px_err master_run(const struct master_plan *plan, int *out_exit_code,
                                px_error *out_error);

/* --- Between master.c and master_act.c -------------------------------------------------------- */

uint64_t master_now_ms(void);
void master_tell(const struct master *master, enum master_level level, const char *format, ...)
    PX_PRINTF(3, 4);
/* The same at MASTER_WARNING. */
void master_say(const struct master *master, const char *format, ...) PX_PRINTF(2, 3);
/* Has a worker go on with the logs of hosts and routes that are open now: as many as its channel
 * has room for beside what else it may be told, and the others as it reads. */
void master_give_logs(struct master *master, uint32_t place);
/* Sends on what found no room. */
void master_give_more_logs(struct master *master);

/* Closes the conversation with a worker. */
void master_hang_up(struct master_child *child);
void master_event(struct master *master, enum supervisor_event_kind kind, uint32_t worker,
                  int code);

/* Carries out all actions there are. */
void master_act(struct master *master);

/* As a successor: everything is ours. */
void master_take_over(struct master *master);

#endif
