/*
 * Descriptors of the process: the three that every program has, and how many there may be.
 */
#ifndef PX_PROCESS_DESCRIPTORS_H
#define PX_PROCESS_DESCRIPTORS_H

#include <stdbool.h>

/* Opens /dev/null for each of 0, 1 and 2 that is closed: otherwise the first connection would get
 * that number and read what is meant for the log.  0, or an errno. */
int descriptors_fill_standard(void);

/* Raises the soft limit of open descriptors to the hard one.  What fails leaves the limit as it
 * was. */
void descriptors_raise_limit(void);

/* Closes what the process that started this one left open, but 0, 1, 2 and those for which
 * `is_kept` says so. */
void descriptors_close_foreign(bool (*is_kept)(int fd, void *context), void *context);

#endif
