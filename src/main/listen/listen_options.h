/*
 * What stands behind an address to listen on: "unix:/path,mode=0666,owner=NAME,proxy".
 */
#ifndef PX_MAIN_LISTEN_OPTIONS_H
#define PX_MAIN_LISTEN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/error.h"

enum {
    /* An address with options behind it; the longest is "https://", a name of 255 and a port. */
    LISTEN_ADDRESS_BYTES = 288,
    LISTEN_ID_KEPT = UINT32_MAX, /* as chown(2) has it */
};

struct listen_options {
    char address[LISTEN_ADDRESS_BYTES]; /* without the options; "" where there were none */
    uint32_t backlog;                   /* 0: that of --backlog */
    uint32_t mode;                      /* of a unix socket's file; 0: the default */
    uint32_t owner;                     /* likewise; LISTEN_ID_KEPT: the one it has */
    uint32_t group;
    bool proxy; /* trusted proxies send a PROXY header there */
};

/* Reads what stands behind the first comma of `text`, and looks names up.  `flag` is the one that
 * gave it.  PX_OK, or PX_ERR_INVALID with the line to print. */
PX_MUST_CHECK px_err listen_options_read(const char *flag, const char *text,
                                         struct listen_options *out_options, px_error *out_error);

#endif
