/*
 * Logs of hosts and routes, beside the one of the process: each by its path.
 *
 * The master opens them, with the permissions that it has kept, and workers are given them when
 * they are forked; what is opened anew is sent to them by a log's number, which no other log of the
 * program ever has.
 */
#ifndef PX_MAIN_LOG_SET_H
#define PX_MAIN_LOG_SET_H

#include "config/config.h"
#include "main/log/log.h"

enum {
    LOG_SET_MAX = 1024,
    LOG_NUMBER_ERRORS = 1, /* of the error log, which is sent to workers like these */
};

struct log_entry {
    char *path;      /* owned */
    uint32_t id;     /* above LOG_NUMBER_ERRORS; each above that of the one before it */
    int fd;          /* owned: of the master; -1: the process opens it itself */
    struct log *log; /* owned: of a process that serves */
    bool is_gone;    /* it has no receiver */
};

struct log_set {
    struct log_entry *entries; /* owned */
    uint32_t count;
    uint32_t last_id;
    bool is_alone;   /* it is the process that serves which opens them */
    struct log *own; /* borrowed: that of the process; NULL: none */
};

/* Adds those that a configuration names and that are not there: false where one cannot be opened,
 * which is noted at its place, and all is as it was. */
bool log_set_add(struct log_set *set, struct config *config);

/* Ends those that it does not name. */
void log_set_keep(struct log_set *set, const struct config *config);

/* The first whose number is above `after`, or NULL. */
const struct log_entry *log_set_behind(const struct log_set *set, uint32_t after);

/* Opens each anew under its path; one that cannot be stays as it was, which is said. */
void log_set_renew(struct log_set *set);

/* Connects those that go to sinks anew, as log_join_look does. */
void log_set_join(struct log_set *set, struct log_join *join);

/* In a process that serves: each becomes a log on that loop.  lock_fd: as log_open has it. */
PX_MUST_CHECK px_err log_set_start(struct log_set *set, px_loop *loop, int lock_fd,
                                   px_metrics *metrics, px_metric dropped, px_error *out_error);

/* The log of a path, or that of the process: a struct log, or NULL.  As config_serving has it. */
void *log_set_of(const char *path, void *set);

/* Opens them anew: in the one process there is, and by what its master has sent (`fd` is owned). */
void log_set_reopen(struct log_set *set);
void log_set_take(struct log_set *set, uint32_t id, int fd);

/* Writes what is left of each, and of the process's `own` (NULL: none), as log_finish does: in all
 * `patience` and no more. */
void log_set_finish(struct log_set *set, struct log *own, const struct patience *patience);

void log_set_close(struct log_set *set);

#endif
