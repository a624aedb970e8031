/*
 * Access by address: rules that let clients in or keep them out.
 *
 *     px_access *access = px_access_create(NULL, &error);
 *     px_access_add(access, 1, px_str_of("10.0.0.0/8"), NULL, &error);
 *     px_access_add(access, 0, px_str_of("all"), NULL, &error);
 *     px_site_use(site, px_access_check, access, px_access_destroy, &error);
 *
 * The first rule that names the client decides; where none does it is let in.  The client is the
 * one of px_request_client.
 */
#ifndef PX_ACCESS_H
#define PX_ACCESS_H

#include "pollux/matcher.h"
#include "pollux/site.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_access px_access; /**< A list of rules. */

/** Options of a list of rules. */
typedef struct px_access_options {
    size_t struct_size;            /**< sizeof(px_access_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc. */
    uint32_t status; /**< What clients that are kept out are answered, 400 to 599; 0: 403. */
} px_access_options;

/** The defaults, as a value.  Any thread. */
static inline px_access_options px_access_options_default(void)
{
    px_access_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_access_options, as a value. */
#define PX_ACCESS_OPTIONS_DEFAULT px_access_options_default()
/** The same as an initialiser of a static. */
#define PX_ACCESS_OPTIONS_INIT PX_INIT_OF(px_access_options)

/** Makes an empty list, which lets everything in.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return owned by the caller (px_access_destroy), or NULL: PX_ERR_INVALID, PX_ERR_MEMORY.  Any
 *  thread. */
px_access *px_access_create(const px_access_options *options, px_error *out_error);

/** Adds a rule behind the others.
 *  @param is_allowed 1: it lets clients in, 0: it keeps them out.
 *  @param block `192.0.2.0/24`, `2001:db8::1`, `unix:` (peers of unix sockets), `all`.
 *  @param when it holds for requests that match alone; gets a further hold; NULL: for all.
 *  @return PX_OK, PX_ERR_INVALID (the block), PX_ERR_LIMIT (4,096 rules are there),
 *  PX_ERR_MEMORY; then the list is as it was.  Any thread, while nothing uses it. */
PX_MUST_CHECK px_err px_access_add(px_access *access, int is_allowed, px_str block,
                                   px_matcher *when, px_error *out_error);

/** The middleware.  @param access the px_access.  The thread of the server's loop. */
px_verdict px_access_check(px_exchange *exchange, void *access);

/** Ends it; to be handed on as `release`.  NULL is fine.  Any thread, while nothing uses it. */
void px_access_destroy(void *access);

#ifdef __cplusplus
}
#endif

#endif
