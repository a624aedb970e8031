/*
 * What all exchanges of a server share: their pool, their filters, their limits, and what runs for
 * them at the end of a tick.
 */
#ifndef PX_EXCHANGE_SERVICE_H
#define PX_EXCHANGE_SERVICE_H

#include "base/list.h"
#include "base/pool.h"
#include "io/io.h"
#include "pollux/filter.h"

struct exchange_filter {
    const px_filter *filter; /* borrowed: outlives the server */
    void *context;
    void (*release)(void *context);
};

/* What all exchanges of a server share. */
struct exchange_service {
    px_loop *loop;             /* borrowed: outlives it */
    struct loop_tenant tenant; /* names it in a px_ref */
    uint64_t id;
    struct pool exchanges; /* of px_exchange */
    struct list ended;     /* exchanges whose transport has let go; freed at the end of the tick */
    struct loop_hook ends; /* runs on_end */
    const struct exchange_filter *filters; /* borrowed: the server's */
    uint32_t filter_count;
    uint32_t output_bytes_max;
    uint32_t respond_bytes_max; /* copied by one px_respond */
    uint64_t copied_bytes;      /* by all of them, beside the arenas */
    uint32_t exchange_bytes_max;
    void (*on_error_page)(px_exchange *exchange, unsigned status, void *context);
    void *error_page_context;
    /* Goes on with middleware and route, from the loop. */
    void (*dispatch)(px_exchange *exchange);
    /* A helper thread has done with an exchange that had ended. */
    void (*on_read_ended)(px_exchange *exchange);
    struct loop_task resume; /* runs dispatch for `waiting` */
    struct list waiting;     /* exchanges after px_exchange_next */
    uint64_t aborted;        /* exchanges that did not complete */
};

void exchange_service_init(struct exchange_service *service, px_loop *loop,
                           uint32_t exchange_count_max);
void exchange_service_deinit(struct exchange_service *service);

/* Whether no exchange can be made just now, but will be when those that have ended are reaped. */
static inline bool exchange_service_is_full(const struct exchange_service *service)
{
    return service->exchanges.taken == service->exchanges.count_max && !list_empty(&service->ended);
}

#endif
