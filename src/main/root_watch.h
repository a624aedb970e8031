/*
 * The folder that is served, as the master holds it: opened once a generation, and looked at by its
 * path now and then, so that a link that was switched, a folder made anew or a mount is noticed.
 */
#ifndef PX_MAIN_ROOT_WATCH_H
#define PX_MAIN_ROOT_WATCH_H

#include <stdbool.h>

#include "pollux/error.h"

struct root_watch {
    const char *path; /* borrowed; NULL: no folder is served */
    int fd;           /* owned: its number stays, whatever it is opened anew for; -1: none */
    bool is_warned;   /* of this generation, that its workers cannot read it */
};

/* Opens it for the first time.  PX_OK, or the category of the errno. */
PX_MUST_CHECK px_err root_watch_open(struct root_watch *watch, const char *path,
                                     px_error *out_error);
void root_watch_close(struct root_watch *watch);

/* Opens what the path names now, under the same number.  After an error the old one stays. */
PX_MUST_CHECK px_err root_watch_renew(struct root_watch *watch, px_error *out_error);

/* Whether the path names another folder than the one that is open; false while it names none. */
bool root_watch_has_changed(const struct root_watch *watch);

/* Workers cannot read it: says so, once a generation.  user: which they are; "": as we are. */
void root_watch_warn(struct root_watch *watch, const char *user);

/* Whether this process may look for names in it. */
bool root_watch_is_readable(int fd);

#endif
