/*
 * Whether files have changed since they were read: a look at what stat says, now and then.
 *
 * A change counts once two looks in a row have seen the same, so that a certificate and its key
 * that are written one after the other are read together.  Symbolic links are followed: what they
 * point to counts, as certbot does it.
 */
#ifndef PX_MAIN_FILE_WATCH_H
#define PX_MAIN_FILE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "main/flags/options.h"

enum {
    FILE_WATCH_MAX = 3 * CERTIFICATE_COUNT_MAX + 2,
    FILE_WATCH_LOOK_MS = 2000, /* a certificate is renewed days before it must be */
};

struct file_watch {
    const char *paths[FILE_WATCH_MAX]; /* borrowed: of the command line */
    uint32_t count;
    uint64_t read; /* what all of them looked like when they were read */
    uint64_t seen; /* ... at the last look */
};

/* Watches every file that TLS is made of. */
void file_watch_init(struct file_watch *watch, const struct secure_options *secure);

/* They are read now. */
void file_watch_take(struct file_watch *watch);

/* A look: true when they have changed, and have been quiet since the last one.  Once: what is seen
 * counts as read. */
bool file_watch_look(struct file_watch *watch);

#endif
