/*
 * What the program says to a person: one line on stderr, `pollux: ...`, without colour.
 */
#ifndef PX_MAIN_DIAGNOSTICS_H
#define PX_MAIN_DIAGNOSTICS_H

#include "pollux/error.h"

/* Writes one line.  Never blocks: when nobody reads stderr, the line is lost. */
void diagnostics_say(const char *format, ...) PX_PRINTF(1, 2);

#endif
