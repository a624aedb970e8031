/*
 * The signals of the program, as its users know them.
 */
#ifndef PX_PROCESS_SIGNALS_H
#define PX_PROCESS_SIGNALS_H

#include <signal.h>

/* Blocks everything that is read from a descriptor later, so that nothing is lost and nothing kills
 * us on the way up; SIGPIPE is ignored.  For a process that is still alone. */
void signals_block(void);

/* The set that signals_block blocks. */
void signals_fill(sigset_t *out_set);

#endif
