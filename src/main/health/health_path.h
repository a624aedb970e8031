/*
 * --health: a path that says whether new requests should be sent here.
 */
#ifndef PX_MAIN_HEALTH_PATH_H
#define PX_MAIN_HEALTH_PATH_H

#include "pollux/server.h"

enum { HEALTH_PATH_BYTES_MAX = 1024 };

struct health_path {
    px_server *server; /* borrowed */
    const char *path;  /* borrowed: of the command line */
};

/* Registers it, if there is a path: 200, and 503 from the announcement of a drain on.  It is
 * borrowed until the server ends. */
PX_MUST_CHECK px_err health_path_register(const struct health_path *health, px_error *out_error);

#endif
