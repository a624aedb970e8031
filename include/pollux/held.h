/*
 * A request for other threads: what can be read of it, taken out of its exchange.
 *
 *     const px_held *held = px_request_hold(exchange);     in the handler, or on_collected
 *     ... a thread of the program's works with it, then
 *     if (px_ref_post(&held->ref, answer, result) != PX_OK)  on any thread: answers from the loop's
 *         free(result);                                    the loop is gone
 *     px_held_release(held);
 *
 * It stays as it is until it is released, whatever becomes of the exchange, the server and the
 * loop. The head is copied, once, into one piece of memory; collected content is not copied but
 * goes along.  What is held counts against what peers may make the loop keep
 * (px_server_options.memory_bytes_max), so a program holds no more requests than it can work at:
 * examples/pool.c has a queue that answers 503 when it is full.
 */
#ifndef PX_HELD_H
#define PX_HELD_H

#include "pollux/exchange.h"
#include "pollux/field.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A request that is held.  Read it on any thread; strings end in NUL, absent ones are NULL. */
typedef struct px_held {
    size_t struct_size; /**< Of the library's: what lies behind is not there. */
    px_ref ref;         /**< Names the exchange: px_ref_post answers it.  Not to be released. */
    px_str method;      /**< As px_request_method. */
    px_str target;      /**< As px_request_target. */
    px_str path;        /**< As px_request_path. */
    px_str raw_path;    /**< As px_request_raw_path. */
    px_str query;       /**< As px_request_query. */
    px_str authority;   /**< As px_request_authority. */
    px_str scheme;      /**< As px_request_scheme. */
    px_str peer;        /**< As px_exchange_peer. */
    px_str client;      /**< As px_request_client. */
    px_str pattern;     /**< As px_request_pattern. */
    px_str content;     /**< As px_request_content; absent where it was not collected by then. */
    const px_field *fields; /**< As px_request_fields. */
    size_t field_count;     /**< Of fields. */
    const px_field *params; /**< Parameters of the pattern, decoded. */
    size_t param_count;     /**< Of params. */
    unsigned version;       /**< As px_request_version. */
} px_held;

/** Holds a request as it is now.
 *  @return to be given back once with px_held_release; NULL without memory, or once the exchange
 * has ended.  The loop's thread. */
const px_held *px_request_hold(px_exchange *exchange);

/** The first field of that name, compared without regard to case.  Any thread. */
px_str px_held_field(const px_held *held, const char *name);

/** A parameter of the pattern.  Any thread. */
px_str px_held_param(const px_held *held, const char *name);

/** Gives it back; NULL is fine.  Any thread. */
void px_held_release(const px_held *held);

#ifdef __cplusplus
}
#endif

#endif
