/*
 * The log, as a master keeps it for workers that may not open it.
 */
#ifndef PX_MAIN_LOG_KEEP_H
#define PX_MAIN_LOG_KEEP_H

#include "main/exit_code.h"
#include "main/options.h"

/* Opens it, and a lock for those that write it.  `is_successor`: to be replaced must not fail by
 * it. CODE_OK, also where there is no log; else what went wrong was said. */
enum exit_code log_keep_open(const struct options *options, bool is_successor, int *out_fd,
                             int *out_lock_fd);

/* The socket of a sink, as it was when it was opened: a receiver that was started anew may have
 * made another one of that name. */
struct log_watch {
    uint64_t device;
    uint64_t inode;
    int64_t changed_s; /* inodes are given anew */
    int64_t changed_ns;
};

/* Whether there is another one now, since this was asked last. */
bool log_watch_look(struct log_watch *watch, const struct options *options);

/* The descriptor, or -1; `is_anew`: opened anew under its name first. */
int log_keep_renew(const struct options *options, bool is_anew, int *fd_at);

#endif
