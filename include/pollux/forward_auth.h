/*
 * Asking another server whether a request is let in.
 *
 *     px_forward_auth_options options = PX_FORWARD_AUTH_OPTIONS_DEFAULT;
 *     options.loop = loop;
 *     options.url = "http://127.0.0.1:9091/verify";
 *     px_forward_auth *auth = px_forward_auth_create(&options, &error);
 *     px_host_use(host, px_forward_auth_check, auth, px_forward_auth_destroy, &error);
 *
 * The server is asked with GET and without content, with the request's own fields and, beside
 * X-Forwarded-For, -Proto and -Host, with X-Forwarded-Method and X-Forwarded-Uri.  An answer of 2xx
 * lets the request in, any other is the client's; without an answer it is 502 or 504.
 */
#ifndef PX_FORWARD_AUTH_H
#define PX_FORWARD_AUTH_H

#include "pollux/matcher.h"
#include "pollux/site.h"
#include "pollux/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_forward_auth px_forward_auth; /**< A server that is asked. */

/** Options of one.  Zero is the default everywhere. */
typedef struct px_forward_auth_options {
    size_t struct_size;  /**< sizeof(px_forward_auth_options). */
    px_loop *loop;       /**< Borrowed: outlives it. */
    const char *url;     /**< "http://host[:port]/path", "https://...", "unix:/path"; copied. */
    px_tls_trust *trust; /**< For https, counted; NULL: the system's roots. */
    /** Fields of a 2xx that take the place of those of the request, such as the user's name: what a
     *  client sends of these names never gets through.  Borrowed for the call, names copied. */
    const char *const *names;
    uint32_t name_count; /**< Of names, at most 32. */
    uint32_t timeout_ms; /**< For the whole answer; 0: 10 s. */
    px_matcher *when;    /**< For requests that match alone; gets a further hold; NULL: for all. */
} px_forward_auth_options;

/** The defaults, as a value.  Any thread. */
static inline px_forward_auth_options px_forward_auth_options_default(void)
{
    px_forward_auth_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_forward_auth_options, as a value. */
#define PX_FORWARD_AUTH_OPTIONS_DEFAULT px_forward_auth_options_default()
/** The same as an initialiser of a static. */
#define PX_FORWARD_AUTH_OPTIONS_INIT PX_INIT_OF(px_forward_auth_options)

/** Makes one; connects to nothing yet.  @param options borrowed for the call.
 *  @return owned by the caller (px_forward_auth_destroy), or NULL: PX_ERR_INVALID (the text says
 *  what), PX_ERR_MEMORY.  The loop's thread. */
px_forward_auth *px_forward_auth_create(const px_forward_auth_options *options,
                                        px_error *out_error);

/** The middleware.  @param auth the px_forward_auth.  The thread of the server's loop, which is
 *  that of the options. */
px_verdict px_forward_auth_check(px_exchange *exchange, void *auth);

/** Lets it go; to be handed on as `release`.  It ends with the last request that it asks about.
 *  NULL is fine.  The loop's thread. */
void px_forward_auth_destroy(void *auth);

#ifdef __cplusplus
}
#endif

#endif
