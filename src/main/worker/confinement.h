/*
 * From the command line to a sandbox: which paths workers keep, and what is said about it.
 */
#ifndef PX_MAIN_CONFINEMENT_H
#define PX_MAIN_CONFINEMENT_H

#include "main/flags/options.h"
#include "process/sandbox.h"

/* Makes the sandbox that the options ask for.  `root_fd`: the folder that is served, borrowed for
 * as long as workers are made; -1: it is found by its path.  `is_alone`: the one process serves
 * itself, so that it removes its pid file and sockets from inside.  sandbox_deinit follows, after
 * an error too. */
PX_MUST_CHECK px_err confinement_init(struct sandbox *sandbox, const struct options *options,
                                      int root_fd, bool is_alone, px_error *out_error);

/* Allows workers to come what these options need, in place of what was allowed before. */
PX_MUST_CHECK px_err confinement_renew(struct sandbox *sandbox, const struct options *options,
                                       px_error *out_error);

/* Says on stderr what a person should know of it: what this kernel lacks, and the user that workers
 * became when none was named (unless quiet). */
void confinement_announce(const struct sandbox *sandbox, const struct options *options);

/* Says of a worker that ended by itself why it did; `status` is of waitpid. */
void confinement_tell_death(const struct sandbox *sandbox, pid_t pid, int status);

#endif
