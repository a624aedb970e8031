/*
 * What a master decides, without doing it: a pure state machine.  Events go in, actions come out,
 * and time is an argument; the master (master.c) executes actions with real system calls, and the
 * simulation with invented ones.
 *
 * A *slot* is a set of listening sockets, one for each address; slots are made once.  A worker is a
 * process.  The supervisor sees to it that each slot has a holder: after every event it compares
 * what is with what should be (supervisor_settle.c), and acts on the difference, so that a worker
 * that dies during a reload during a hand-over needs no case of its own.
 *
 * Workers come in generations: one that serves, at most one that is being started to take over
 * (a reload; also the very first start), and older ones that finish what they have.
 */
#ifndef PX_PROCESS_SUPERVISOR_H
#define PX_PROCESS_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/error.h"

enum {
    SUPERVISOR_NOBODY = UINT32_MAX,

    WORKERS_MAX = 1024, /* more than any machine has processors to run them on */
    /* Old generations that may finish in peace: each costs memory, and a reload every minute
     * must not pile them up. */
    GENERATIONS_MAX = 4,
    /* Places for workers, in units of their count: the old generations, the one that serves, the
     * next, and one told to close at last. */
    PLACES_PER_WORKER = GENERATIONS_MAX + 3,
    BACKOFF_FIRST_MS = 100, /* after the first worker that died before it was ready, or young */
    BACKOFF_MOST_MS = 10 * 1000, /* it doubles up to this */
    /* ... but for those that served, not beyond this: one request that ends a worker must not buy a
     * long silence. */
    CRASH_MOST_MS = 500,
    TAKE_TIMEOUT_MS = 10 * 1000, /* from "it is yours" to a successor's "I have it" */
    STOP_TIMEOUT_MS = 10 * 1000, /* from "at once" to SIGKILL */
    STOP_HURRIED_MS = 1500,      /* ... at a second signal to end: longer than a log's last words */
    YOUNG_MS = 1000, /* one that crashes before that, ready or not, has a pause after it */
    CRASHES_FORGET_MS = 30 * 1000, /* without another one, and the pauses begin anew */
    DRAIN_MARGIN_MS = 15 * 1000,   /* from the end of a drain's deadline to SIGKILL */
    UNSERVED_MS = 3000,            /* no worker holds a slot: from then on peers are refused */
    LOAD_DIFFERENCE_MAX = 1,       /* slots that one worker may hold more than another */
};

/* What happens.  The master makes these, and the simulation invents them. */
enum supervisor_event_kind {
    EVENT_START,  /* once, first */
    EVENT_FORKED, /* worker: ACTION_FORK has succeeded */
    EVENT_FORK_FAILED /* worker: it has not */,
    EVENT_READY,           /* worker: it has opened what it needs */
    EVENT_SERVING,         /* worker, slot: it accepts there */
    EVENT_ALIVE,           /* worker, at_ms: when its loop last turned */
    EVENT_DIED,            /* worker, code: its exit code; SUPERVISOR_CRASHED for a signal */
    EVENT_END,             /* a signal to end: the first drains, the second is at once */
    EVENT_RELOAD,          /* code: how many workers the next generation has */
    EVENT_REPLACE,         /* another program shall take over */
    EVENT_EXECUTED,        /* ACTION_EXECUTE has succeeded */
    EVENT_SUCCESSOR_READY, /* all its workers are ready */
    EVENT_SUCCESSOR_TOOK,  /* it owns the sockets and the pid file */
    EVENT_SUCCESSOR_LOST,  /* it ended, or could not be started */
    EVENT_REFUSED,         /* code: ACTION_ANNOUNCE failed; all ends with it */
    EVENT_TIME,            /* supervisor_due_ms has come */
};

enum {
    SUPERVISOR_CRASHED = 70,    /* EX_SOFTWARE */
    SUPERVISOR_NO_PROCESS = 71, /* EX_OSERR */
};

struct supervisor_event {
    enum supervisor_event_kind kind;
    uint32_t worker;
    uint32_t slot;
    int code;
    uint64_t at_ms;
    bool is_killed; /* EVENT_DIED: by SIGKILL, which says nothing about the worker */
};

/* What is to be done.  `worker` is a place in the table, reused when its worker has died. */
enum supervisor_action_kind {
    ACTION_FORK,      /* worker, generation: answered by EVENT_FORKED or EVENT_FORK_FAILED */
    ACTION_ASSIGN,    /* worker, slot: accept there */
    ACTION_RELEASE,   /* worker, slot: do so no longer, another worker does */
    ACTION_DELAY,     /* worker: a drain is coming; go on accepting, readiness fails */
    ACTION_DRAIN,     /* worker: accept what waits, then end; idle connections get a short grace */
    ACTION_RETIRE,    /* worker: end when the last connection has; idle ones may stay */
    ACTION_STOP,      /* worker: end at once */
    ACTION_KILL,      /* worker: SIGKILL */
    ACTION_ANNOUNCE,  /* all workers serve for the first time */
    ACTION_RELOADING, /* a reload begins */
    ACTION_RELOADED,  /* it has taken over */
    ACTION_UNCHANGED, /* it, or a replacement, has failed: code says how (enum supervisor_reason) */
    ACTION_STOPPING,  /* once: the end begins */
    ACTION_CLOSE,     /* close the slots' sockets: workers have theirs */
    ACTION_EXECUTE,   /* start the successor */
    ACTION_GIVE,      /* tell it that all is its own now */
    ACTION_ABANDON,   /* end it */
    ACTION_RECLAIM,   /* it did not take what was given: pid file and so on are ours again */
    ACTION_GIVEN,     /* it has all; we only finish */
    ACTION_REFUSE,    /* no worker served for UNSERVED_MS: peers are refused, not left to hang */
    ACTION_ADMIT,     /* ... and let in again: a worker takes a slot */
    ACTION_SAY_DIED,  /* worker, code: unexpectedly */
    ACTION_SAY_HUNG,  /* worker: its loop does not turn, it will be killed */
    ACTION_SAY_LATE,  /* worker: it is not ready in time, it will be killed */
    ACTION_EXIT,      /* code: no worker is left */
};

enum supervisor_reason {
    REASON_FORK,      /* the system refused a process */
    REASON_WORKER,    /* a new worker ended before it was ready */
    REASON_SUCCESSOR, /* the new program ended before it was ready, or could not be started */
    REASON_LATE,      /* it was not ready in time */
    REASON_BUSY,      /* something of the kind is under way */
};

struct supervisor_action {
    enum supervisor_action_kind kind;
    uint32_t worker;
    uint32_t slot;
    int code;
};

struct supervisor_plan {
    uint32_t worker_count;     /* 1 to slot_count */
    uint32_t slot_count;       /* 1 to WORKERS_MAX */
    uint32_t start_timeout_ms; /* from fork to ready */
    uint32_t hung_timeout_ms;  /* how old a sign of life may be; 0: any age */
    uint32_t drain_delay_ms;
    uint32_t drain_timeout_ms; /* what workers are told; a worker that ignores it is killed */
};

enum worker_state {
    WORKER_NONE,     /* the place is free */
    WORKER_FORKING,  /* the action is out */
    WORKER_STARTING, /* it opens what it needs */
    WORKER_READY,    /* it holds slots, or may */
    WORKER_RETIRING, /* it finishes what it has */
    WORKER_DRAINING, /* so, within a deadline */
    WORKER_STOPPING, /* told to end at once, or killed */
};

struct supervised {
    enum worker_state state;
    bool is_late; /* killed because it was not ready in time */
    bool was_ready;
    uint32_t generation;
    uint32_t load;     /* slots it holds */
    uint64_t since_ms; /* when the state began */
    uint64_t alive_ms; /* the last sign of life */
};

struct supervised_slot {
    uint32_t holder;   /* told to accept there, or SUPERVISOR_NOBODY */
    uint32_t previous; /* accepts there until the holder says that it does */
    bool is_served;    /* the holder has said so */
};

enum supervisor_phase {
    PHASE_SERVING,  /* or on the way to */
    PHASE_DELAYING, /* told to end, still accepting */
    PHASE_DRAINING, /* workers were told */
    PHASE_GIVEN,    /* a successor serves, our workers finish */
    PHASE_ENDED,
};

enum successor_state {
    SUCCESSOR_NONE,
    SUCCESSOR_STARTING,
    SUCCESSOR_TAKING, /* it was told that all is its own */
};

struct supervisor {
    struct supervisor_plan plan;
    struct supervised *workers; /* owned: place_count */
    uint32_t place_count;
    struct supervised_slot *slots;     /* owned: plan.slot_count */
    struct supervisor_action *actions; /* owned: a ring */
    uint32_t action_room;
    uint32_t action_first;
    uint32_t action_count;

    enum supervisor_phase phase;
    uint32_t worker_count;    /* of the generation that serves */
    uint32_t generation;      /* that serves; 0: none has yet */
    uint32_t next_generation; /* that is being started; 0: none */
    uint32_t next_count;
    uint32_t next_forked;     /* the first goes ahead, so that what is wrong is said once */
    uint32_t last_generation; /* the highest number given */
    uint32_t reload_wanted;   /* workers of a reload that has to wait; 0: none */
    bool replace_wanted;
    enum successor_state successor;
    uint64_t successor_due_ms;
    uint32_t failures; /* workers in a row that died before they were ready */
    uint32_t crashes;  /* that died soon after */
    uint64_t crashed_at_ms;
    uint64_t backoff_due_ms; /* no fork before that */
    uint64_t delay_due_ms;
    uint64_t unserved_due_ms; /* UINT64_MAX: a worker serves, or peers are refused already */
    bool is_refusing;
    uint32_t end_requests;
    int exit_code;
};

/* PX_OK, PX_ERR_INVALID or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err supervisor_init(struct supervisor *supervisor,
                                     const struct supervisor_plan *plan);
void supervisor_deinit(struct supervisor *supervisor);

/* Something has happened.  Events that make no sense in the present state (a worker that lies, a
 * message that was overtaken) are ignored.  Actions must be taken before the next event. */
void supervisor_event(struct supervisor *supervisor, const struct supervisor_event *event,
                      uint64_t now_ms);

/* States what must hold after an event; for tests. */
void supervisor_check(const struct supervisor *supervisor);

/* The next action, in order; false when there is none. */
bool supervisor_take(struct supervisor *supervisor, struct supervisor_action *out_action);

/* Whether workers of the generation that serves hold every slot, and have said so. */
bool supervisor_is_settled(const struct supervisor *supervisor);

/* When EVENT_TIME is due, or UINT64_MAX. */
uint64_t supervisor_due_ms(const struct supervisor *supervisor);

/* --- Between supervisor.c and supervisor_settle.c --------------------------------------------- */

void supervisor_act(struct supervisor *supervisor, enum supervisor_action_kind kind,
                    uint32_t worker, uint32_t slot, int code);
void supervisor_tell(struct supervisor *supervisor, uint32_t worker,
                     enum supervisor_action_kind kind, uint64_t now_ms);

/* Brings what is to what should be, as far as it can be now. */
void supervisor_settle(struct supervisor *supervisor, uint64_t now_ms);

/* A worker serves no longer: its slots go back to the workers that had them before, or to none. */
void supervisor_orphan(struct supervisor *supervisor, uint32_t worker);

/* The generation that was being started does not take over. */
void supervisor_reload_fail(struct supervisor *supervisor, enum supervisor_reason reason, int code,
                            uint64_t now_ms);

/* Tells every worker to drain, and the master to close its sockets. */
void supervisor_drain(struct supervisor *supervisor, uint64_t now_ms);

/* On the way to serve, or serving. */
static inline bool supervised_counts(const struct supervised *worker)
{
    return worker->state == WORKER_FORKING || worker->state == WORKER_STARTING ||
           worker->state == WORKER_READY;
}

#endif
