/*
 * An explanation as it grows: between the files that write it.
 */
#ifndef PX_CONFIG_EXPLAINING_H
#define PX_CONFIG_EXPLAINING_H

#include "base/buf.h"
#include "config/site/build.h"

struct explaining {
    struct build build;
    const px_match_request *request;
    const struct config_host *host;
    const struct config_route *route;
    const struct config_listen *listen; /* that the route was found at, or its lack */
    struct buf *out;
    px_err err;
};

void explaining_put(struct explaining *explaining, const char *format, ...) PX_PRINTF(2, 3);

/* "header X-A b" as the file has it, and where; secrets stay as they are spelled. */
void explaining_put_node(struct explaining *explaining, const char *label,
                         const struct config_node *node, const char *more);

/* Whether a step waits for nothing, or for what the request is. */
bool explaining_holds(struct explaining *explaining, const struct config_step *step);

/* --- explain_missing.c ------------------------------------------------------------------------ */

/* What answers where a host has no route for the request; `status` is px_site_find's. */
void explaining_put_no_route(struct explaining *explaining, unsigned status);

/* The file or folder that is looked for, and what answers where it is not there. */
void explaining_put_file(struct explaining *explaining, const struct config_node *answer,
                         px_str path);

#endif
