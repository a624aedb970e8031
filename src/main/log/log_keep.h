/*
 * The log, as a master keeps it for workers that may not open it.
 */
#ifndef PX_MAIN_LOG_KEEP_H
#define PX_MAIN_LOG_KEEP_H

#include "main/exit_code.h"
#include "main/flags/options.h"
#include "main/log/log_set.h"

struct log_keep {
    int fd;                /* owned; -1: none */
    int lock_fd;           /* likewise */
    int error_fd;          /* likewise: what stderr is, where it is a file of ours */
    bool is_gone;          /* it has no receiver */
    struct log_set others; /* of hosts and routes */
};

/* Opens it, and a lock for those that write it, or with `is_alone` neither; and those of hosts and
 * routes of a configuration.  `is_successor`: to be replaced must not fail by it.  CODE_OK, also
 * where there is no log; else what went wrong was said. */
enum exit_code log_keep_open(struct log_keep *keep, const struct options *options, bool is_alone,
                             bool is_successor);
void log_keep_close(struct log_keep *keep);

/* The descriptor, or -1; `is_anew`: opened anew under its name first, and the others too. */
int log_keep_renew(struct log_keep *keep, const struct options *options, bool is_anew);

/* Has stderr go to the error log, if there is one: CODE_OK, or what went wrong was said. */
enum exit_code log_keep_errors(struct log_keep *keep, const struct options *options);

/* In the one process there is: opens all of them anew.  own: the process's; NULL: none. */
void log_keep_reopen(struct log_keep *keep, const struct options *options, struct log *own);

/* In a worker: goes on with what its master has opened anew; `fd` is owned. */
void log_keep_take(struct log_set *others, uint32_t number, int fd);

/* The next of the others, as on_other_log of a master_plan has it. */
int log_keep_other(const struct log_keep *keep, uint32_t after, uint32_t *out_number);

/* Connects those that have lost their receiver anew, and says which have, and which have it again.
 * own: the process's, where there is no master; NULL: the one that is kept. */
void log_keep_look(struct log_keep *keep, const struct options *options, struct log *own);

#endif
