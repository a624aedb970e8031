/*
 * Response filters: they see the head of each answer, and its content where they ask for it.
 * A filter is registered with a server (px_server_filter) and runs on the thread of its loop.
 */
#ifndef PX_FILTER_H
#define PX_FILTER_H

#include "pollux/exchange.h"
#include "pollux/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One step of a content filter: takes from `in`, writes to `out`. */
typedef struct px_filter_step {
    px_str in;       /**< What is there to take. */
    int last;        /**< 1: nothing follows `in`. */
    char *out;       /**< Where to write. */
    size_t room;     /**< How much fits. */
    size_t in_used;  /**< Set by the filter: bytes taken from `in`. */
    size_t out_used; /**< Set by the filter: bytes written to `out`. */
    int done;        /**< Set by the filter: it has written its last byte. */
} px_filter_step;

/** A response filter. */
typedef struct px_filter {
    size_t struct_size; /**< sizeof(px_filter): members behind it are NULL. */
    /** Sees the head before it is sent and may change status and fields.  Sets *out_state (kept for
     *  the exchange) and returns 1 to filter the content too (its length becomes unknown), or 0. */
    int (*on_head)(px_exchange *exchange, void *context, void **out_state);
    /** Filters content.  @return 0, or -1 to abort.  Must take or write something, or set done. */
    int (*on_content)(px_exchange *exchange, px_filter_step *step, void *state);
    /** Ends its state when on_head returned 1; may be NULL. */
    void (*on_end)(px_exchange *exchange, void *state);
    /** The source has nothing more for now (a producer said LATER, a writer has written less than
     *  all): writes to `out` what it holds back; `in` is empty.  Called again while it writes, and
     *  when the source pauses again.  NULL: it holds nothing back.  @return 0, or -1 to abort. */
    int (*on_flush)(px_exchange *exchange, px_filter_step *step, void *state);
} px_filter;

/** A table without callbacks, as a value.  Any thread. */
static inline px_filter px_filter_default(void)
{
    px_filter filter;

    memset(&filter, 0, sizeof(filter));
    filter.struct_size = sizeof(filter);
    return filter;
}

/** The same. */
#define PX_FILTER_DEFAULT px_filter_default()
/** The same as an initialiser of a static. */
#define PX_FILTER_INIT PX_INIT_OF(px_filter)

#ifdef __cplusplus
}
#endif

#endif
