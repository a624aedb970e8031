/*
 * What the program says to a person: one line on stderr, `pollux: ...`, without colour.
 */
#ifndef PX_MAIN_DIAGNOSTICS_H
#define PX_MAIN_DIAGNOSTICS_H

#include "pollux/error.h"

/* As in syslog(3).  The journal gets them as a prefix, `<N>`; a person does not see them. */
enum diagnostics_level {
    LEVEL_CRITICAL = 2, /* no peer is served */
    LEVEL_ERROR = 3,    /* something does not work */
    LEVEL_WARNING = 4,  /* something went wrong, and pollux goes on */
    LEVEL_NOTICE = 5,   /* worth knowing */
    LEVEL_INFO = 6,     /* all is well */
    LEVEL_DEBUG = 7,    /* what becomes of the requests of clients that were named: always said */
};

/* Writes one line.  Never blocks: when stderr is not read, the line is lost. */
void diagnostics_tell(enum diagnostics_level level, const char *format, ...) PX_PRINTF(2, 3);

/* The same at LEVEL_WARNING, with "warning: " before it where the line has no level otherwise. */
void diagnostics_warn(const char *format, ...) PX_PRINTF(1, 2);

/* The same at LEVEL_ERROR. */
void diagnostics_say(const char *format, ...) PX_PRINTF(1, 2);

#endif
