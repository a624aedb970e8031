/*
 * seccomp: which system calls a process may make from now on.  It cannot be undone.
 *
 * Allowed is what the library lists (pollux/syscalls.h) and what this program adds (calls.h), some
 * of it with certain arguments alone.  Another call ends the process by SIGSYS, but for some that
 * libc may try and can do without: those fail with ENOSYS, and so do calls newer than libseccomp.
 */
#ifndef PX_PROCESS_SECCOMP_H
#define PX_PROCESS_SECCOMP_H

#include <stdbool.h>

#include "pollux/error.h"

enum { SECCOMP_NAME_BYTES = 40 };

struct seccomp_rules {
    bool may_read;  /* files are served (Landlock says which) */
    bool may_write; /* files may be opened for writing and removed (Landlock says which) */
    bool may_dial;  /* sockets of the inet families and unix ones, streams and datagrams */
};

/* NULL when this build and this kernel have it; else what is missing, for a person. */
const char *seccomp_lacks(void);

/* Confines all of this process.  no_new_privs and traps_catch come first.  One thread alone. */
PX_MUST_CHECK px_err seccomp_enter(const struct seccomp_rules *rules, px_error *out_error);

/* The name of a call of this architecture, or its number where it has none. */
void seccomp_name(int call, char out_name[SECCOMP_NAME_BYTES]);

#endif
