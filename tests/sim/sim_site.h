/*
 * The handlers of the HTTP scenario: one for each way to answer, and what they owe.
 *
 * Each exchange is counted by its tag: its handler runs at most once, and on_end once for each that
 * ran.  Whatever a handler hands over (memory, files, references) it must get back.
 */
#ifndef SIM_SITE_H
#define SIM_SITE_H

#include "pollux/files.h"
#include "pollux/request.h"
#include "pollux/response.h"
#include "pollux/server.h"
#include "sim_request.h"

enum { SIM_TAGS_MAX = 1024 };

struct sim_site {
    px_server *server; /* borrowed */
    px_files *files;   /* owned: ends with the routes */
    uint32_t handled[SIM_TAGS_MAX];
    uint32_t ended[SIM_TAGS_MAX];
    uint32_t tracked[SIM_TAGS_MAX]; /* handlers that asked for on_end */
    uint32_t handed_out;            /* bodies, files and producers that are not given back */
    uint32_t filters_open;
    uint32_t ends[PX_END_SERVER_CLOSED + 1];
    struct list threads; /* of struct site_thread: answers on their way from other threads */
    const px_allocator *allocator; /* borrowed: of sites */
    bool swaps;                    /* sites are put in place of each other */
    uint32_t sites_made;           /* the last one's number; the server's own is 1 */
    uint32_t sites_released;
};

void sim_site_init(struct sim_site *site);

/* Registers routes, a middleware and a filter; PX_OK or the first error. */
px_err sim_site_routes(struct sim_site *site, px_server *server, const px_allocator *allocator,
                       px_error *out_error);

/* Serves another site in place of the one there is, with the same routes and a number of its own.
 * Where memory fails, that one stays. */
void sim_site_swap(struct sim_site *site);

/* Has every thread that still means to answer do so now. */
void sim_site_join(struct sim_site *site);

/* The server is gone: fails the run when something is owed. */
void sim_site_check(const struct sim_site *site);

#endif
