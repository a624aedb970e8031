/*
 * The program as it was started: what to execute to start it again.
 */
#ifndef PX_MAIN_PROGRAM_H
#define PX_MAIN_PROGRAM_H

#include <limits.h>

struct program_file {
    char path[PATH_MAX]; /* absolute; empty: not known */
    char *const *argv;   /* borrowed: as given, before getopt_long sorts it */
};

/* Fills in the path that execve was given, absolute, or "" where it is not known.  `argv` is
 * borrowed. */
void program_file_init(struct program_file *program, char *const *argv);

#endif
