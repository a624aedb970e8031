/*
 * What all exchanges of a server share: their pool, their limits, and what runs for them at the end
 * of a tick; and what an exchange knows of the site that it belongs to.
 */
#ifndef PX_EXCHANGE_SERVICE_H
#define PX_EXCHANGE_SERVICE_H

#include "base/list.h"
#include "base/pool.h"
#include "io/io.h"
#include "pollux/filter.h"

struct exchange_service;

struct exchange_filter {
    const px_filter *filter; /* borrowed: outlives the exchange */
    void *context;
};

/* What holds for an exchange on its way out: of a route, or a host, or a site. */
struct exchange_rules {
    const struct exchange_rules *outer; /* borrowed: whose filters come behind its own; or NULL */
    const struct exchange_filter *filters; /* borrowed */
    uint32_t filter_count;
    void (*on_error_page)(px_exchange *exchange, unsigned status, void *context);
    void *error_page_context;
    uint32_t rate_min; /* bytes a second that are asked of content; PX_OFF */
};

/* What an exchange pins while it lasts: where its rules live. */
struct exchange_site {
    uint64_t holds;   /* exchanges, and whatever else needs it */
    bool has_filters; /* one of its rules has */
    /* The last hold was given up, by an exchange of this service. */
    void (*on_unused)(struct exchange_site *site, struct exchange_service *service);
};

/* The chains of middleware that an exchange goes through, and where its route is looked for. */
enum dispatch_stage { DISPATCH_SITE, DISPATCH_HOST, DISPATCH_LOOK, DISPATCH_ROUTE };

/* How far dispatch is with an exchange; its own, and zero at first. */
struct exchange_dispatch {
    const void *route; /* borrowed: once it is found */
    uint32_t index;    /* of the next middleware in its chain */
    uint8_t stage;     /* enum dispatch_stage */
};

/* Makes ids; the kernel's random bytes at first. */
struct exchange_random {
    uint64_t state[4];
    bool is_begun;
};

/* What all exchanges of a server share. */
struct exchange_service {
    px_loop *loop;             /* borrowed: outlives it */
    struct loop_tenant tenant; /* names it in a px_ref */
    uint64_t id;
    struct pool exchanges; /* of px_exchange */
    struct list ended;     /* exchanges whose transport has let go; freed at the end of the tick */
    struct loop_hook ends; /* runs on_end */
    struct exchange_site *site;         /* borrowed: pinned by exchanges that begin */
    const struct exchange_rules *rules; /* borrowed: of the site, theirs at first */
    uint32_t output_bytes_max;
    uint32_t respond_bytes_max; /* copied by one px_respond */
    uint32_t rate_window_ms;    /* over which minimum rates are taken; PX_OFF */
    uint64_t copied_bytes;      /* by all of them, beside the arenas */
    uint32_t exchange_bytes_max;
    /* Goes on with middleware and route, from the loop. */
    void (*dispatch)(px_exchange *exchange);
    /* A helper thread has done with an exchange that had ended. */
    void (*on_read_ended)(px_exchange *exchange);
    /* A program broke a rule, which `what` names; NULL: it does not want to hear of it. */
    void (*on_fault)(px_exchange *exchange, const char *what, void *context);
    void *fault_context;
    struct loop_task resume; /* runs dispatch for `waiting` */
    struct list waiting;     /* exchanges after px_exchange_next */
    struct exchange_random random;
    uint32_t trace_sample; /* of traces that begin here one in so many is sampled; 0: none */
    bool trace_restart;    /* traces go on from trusted peers alone */
    uint64_t aborted;      /* exchanges that did not complete */
    uint64_t cut;          /* of those, the ones that the server's end cut */
};

void exchange_service_init(struct exchange_service *service, px_loop *loop,
                           uint32_t exchange_count_max);
/* States what must hold of all exchanges between ticks; for tests. */
void exchange_service_check(struct exchange_service *service);

/* What one takes, before its arena grows. */
size_t exchange_object_bytes(void);

void exchange_service_deinit(struct exchange_service *service);

/* A number by chance; 0 where the kernel has no random bytes. */
uint64_t exchange_service_draw(struct exchange_service *service);

/* Whether no exchange can be made just now, but will be when those that have ended are reaped. */
static inline bool exchange_service_is_full(const struct exchange_service *service)
{
    return service->exchanges.taken == service->exchanges.count_max && !list_empty(&service->ended);
}

#endif
