/*
 * What `pollux --help` and `pollux --version` print.
 */
#ifndef PX_MAIN_HELP_H
#define PX_MAIN_HELP_H

/* Both write to stdout; 0, or -1 when that failed. */
int help_print(void);
int help_print_version(void);

#endif
