/*
 * The user of a worker: without any privilege that root would have.
 *
 * The name is looked up once, at start, while files of /etc can be read; the change itself is made
 * by each worker, after all that needs root was opened.
 */
#ifndef PX_PROCESS_PRIVILEGES_H
#define PX_PROCESS_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pollux/error.h"

enum {
    PRIVILEGES_GROUPS_MAX = 128, /* groups of one user; more is an error that says so */
    PRIVILEGES_NAME_BYTES = 64,
    NOBODY_ID = 65534, /* where no user nobody is known: a container without /etc/passwd */
};

struct privileges {
    bool is_change;  /* false: stay the user we are */
    bool is_default; /* root, and no other user was named */
    uid_t uid;
    gid_t gid;
    gid_t groups[PRIVILEGES_GROUPS_MAX];
    size_t group_count;
    char name[PRIVILEGES_NAME_BYTES]; /* for a person */
};

/* Finds out the user that workers become: `user` is a name or a number, with `:` and a group,
 * likewise, or without; NULL: nobody if we are root, else our own.  PX_ERR_INVALID: there is no
 * such user; PX_ERR_PERMISSION: only root can become another one. */
PX_MUST_CHECK px_err privileges_find(const char *user, struct privileges *out_privileges,
                                     px_error *out_error);

/* Becomes that user, keeps no capability, can never gain any (no_new_privs).  Whatever signal was
 * to come at the parent's death still comes; PX_ERR_CLOSED: it died meanwhile.  One thread alone.
 */
PX_MUST_CHECK px_err privileges_drop(const struct privileges *privileges, px_error *out_error);

#endif
