/*
 * Another configuration in place of the one that is served.
 *
 * It is read, everything that it needs is opened, and workers are started with it; when they serve,
 * what only the old one needed is closed.  Until then the old one stays whole, and where something
 * is wrong it goes on.
 */
#ifndef PX_MAIN_RUN_SWAP_H
#define PX_MAIN_RUN_SWAP_H

#include "main/answers/gateway.h"
#include "main/listen/listen.h"
#include "main/run/run.h"
#include "main/run/run_outcome.h"
#include "main/secure.h"
#include "process/sandbox.h"

/* What of the program follows from the configuration; all borrowed. */
struct run_parts {
    const struct options **options;
    px_tls **tls;
    struct secure_dates *dates;
    struct listeners *listeners;
    struct sandbox *sandbox;
    int *log_fd;
    struct log_set *logs;
};

struct run_swap {
    struct run_file *file; /* owned: what is served; NULL: there is no configuration */
    struct run_file *next; /* owned: what is tried; NULL: nothing is */
    px_tls *old_tls;       /* owned: while something is tried */
    int old_log_fd;        /* likewise; -1: the log is the same */
    bool is_again;         /* told once more while something was tried */
    struct run_outcome outcome;
};

/* Begins with what is served, which it takes hold of; NULL is fine. */
void run_swap_init(struct run_swap *swap, struct run_file *file);

/* In the one process there is: another site is served, and all else stays, which is an error where
 * the file says otherwise.  False: it was said, and all is as it was. */
bool run_swap_alone(struct run_swap *swap, px_server *server, struct gateway *gateway, px_tls *tls,
                    struct secure_dates *dates);
/* In a new worker: closes what the master keeps open until the reload is settled. */
void run_swap_leave(struct run_swap *swap);

void run_swap_deinit(struct run_swap *swap, bool owns_pid_file);

/* Tries what the file says now.  True: the parts are new; else what is wrong was said, and all is
 * as it was.  Not while something is tried. */
bool run_swap_try(struct run_swap *swap, const struct run_parts *parts, uint32_t slot_count);

/* Whether to try anew: it was told so meanwhile, or a folder that is served is another one.  Once.
 */
bool run_swap_look(struct run_swap *swap);

/* Ends it; for nothing that is tried it does nothing.  What came of it, if it was good, is said by
 * run_swap_say. */
void run_swap_end(struct run_swap *swap, const struct run_parts *parts, bool is_good);

/* New workers have every socket: says so. */
void run_swap_say(const struct run_swap *swap, uint32_t worker_count);

#endif
