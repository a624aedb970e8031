/*
 * What the program ends with: the codes of sysexits(3) that a script may rely on.
 */
#ifndef PX_MAIN_EXIT_CODE_H
#define PX_MAIN_EXIT_CODE_H

#include "pollux/error.h"

enum exit_code {
    CODE_OK = 0,             /* also after a drain */
    CODE_UNHEALTHY = 1,      /* healthcheck says no */
    CODE_USAGE = 64,         /* the command line is wrong */
    CODE_NO_INPUT = 66,      /* no such file or folder */
    CODE_UNAVAILABLE = 69,   /* the address is in use */
    CODE_SOFTWARE = 70,      /* a fault of pollux */
    CODE_SYSTEM = 71,        /* the system refused a resource */
    CODE_CANNOT_CREATE = 73, /* a file cannot be written */
    CODE_PERMISSION = 77,    /* not allowed */
    CODE_CONFIG = 78         /* bad configuration */
};

enum exit_code exit_code_of(px_err err);

#endif
