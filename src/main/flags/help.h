/*
 * What `pollux --help` and `pollux --version` print.
 */
#ifndef PX_MAIN_HELP_H
#define PX_MAIN_HELP_H

#include "main/flags/options.h"

/* All write to stdout; 0, or -1 when that failed. */
int help_print(void);

/* Every flag of one command. */
int help_print_command(enum command command);

int help_print_version(void);

#endif
