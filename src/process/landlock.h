/*
 * Landlock: what a process may do with files, sockets' addresses and other processes from now on,
 * whichever user it is of.  It cannot be undone, and children inherit it.
 *
 * What an older kernel does not know (its ABI is below 7) is left out: best effort.
 */
#ifndef PX_PROCESS_LANDLOCK_H
#define PX_PROCESS_LANDLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollux/error.h"

/* What may be done at a path, and below it where it is a folder. */
enum landlock_access {
    LANDLOCK_READ = 1,   /* read files, list folders */
    LANDLOCK_WRITE = 2,  /* make files and write to them */
    LANDLOCK_REMOVE = 4, /* remove files */
};

struct landlock_path {
    const char *path; /* borrowed; NULL: fd says it.  May be missing if it is not to be read */
    int fd;           /* borrowed, with path NULL: any descriptor of the file or folder */
    unsigned access;  /* of enum landlock_access */
};

struct landlock_rules {
    const struct landlock_path *paths; /* borrowed */
    size_t path_count;
    bool may_dial;         /* TCP connections to anywhere */
    const uint16_t *ports; /* borrowed: without that, to these ports */
    size_t port_count;
};

/* What a kernel is asked to forbid unless a rule allows it; bits of linux/landlock.h. */
struct landlock_handled {
    uint64_t files;
    uint64_t network; /* from ABI 4 on */
    uint64_t scoped;  /* from ABI 6 on */
};

/* All that a kernel of this ABI can forbid, less TCP connections where they are allowed. */
struct landlock_handled landlock_handled(int abi, bool may_dial);

/* The kernel's ABI version; 0 when it has no Landlock or hides it. */
int landlock_abi(void);

/* Makes a ruleset, while the paths can still be reached.  The descriptor is the caller's. */
PX_MUST_CHECK px_err landlock_open(const struct landlock_rules *rules, int *out_fd,
                                   px_error *out_error);

/* Confines this thread and all it starts.  no_new_privs comes first.  Does not close `fd`. */
PX_MUST_CHECK px_err landlock_restrict(int fd, px_error *out_error);

#endif
