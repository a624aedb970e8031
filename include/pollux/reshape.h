/*
 * Requests that are changed before their handler sees them, and pages in place of plain errors.
 *
 *     px_rewrite_options options = PX_REWRITE_OPTIONS_DEFAULT;
 *     options.prefix = "/static";
 *     px_rewrite *rewrite = px_rewrite_create(&options, &error);
 *     px_middleware_use use = {px_rewrite_run, rewrite, px_rewrite_destroy};
 *
 * As middleware of a route they change what its handler is asked for; as that of a host or site
 * also which route that is.
 */
#ifndef PX_RESHAPE_H
#define PX_RESHAPE_H

#include "pollux/headers.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_rewrite px_rewrite;                 /**< Another target. */
typedef struct px_request_headers px_request_headers; /**< A list of changes to requests. */
typedef struct px_error_pages px_error_pages;         /**< Where pages of errors are. */

/** Options of another target; one of `target` and `prefix`. */
typedef struct px_rewrite_options {
    size_t struct_size;            /**< sizeof(px_rewrite_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc. */
    /** A template (PX_TEMPLATE_TARGET) that gives "/path", and the query stays as it was, or
     *  "/path?query"; copied. */
    const char *target;
    /** "/a/b": is taken off paths that begin with these segments, decoded; others stay.  Copied. */
    const char *prefix;
    px_matcher *when; /**< For requests that match alone; gets a further hold; NULL: for all. */
} px_rewrite_options;

/** The defaults, as a value.  Any thread. */
static inline px_rewrite_options px_rewrite_options_default(void)
{
    px_rewrite_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_rewrite_options, as a value. */
#define PX_REWRITE_OPTIONS_DEFAULT px_rewrite_options_default()
/** The same as an initialiser of a static. */
#define PX_REWRITE_OPTIONS_INIT PX_INIT_OF(px_rewrite_options)

/** Makes one.  @param options borrowed for the call.
 *  @return owned by the caller (px_rewrite_destroy), or NULL: PX_ERR_INVALID, PX_ERR_MEMORY.  Any
 *  thread. */
px_rewrite *px_rewrite_create(const px_rewrite_options *options, px_error *out_error);

/** The middleware: what is written that is no target is answered 500.  @param rewrite the
 *  px_rewrite.  The thread of the server's loop. */
px_verdict px_rewrite_run(px_exchange *exchange, void *rewrite);

/** Ends it; to be handed on as `release`.  NULL is fine.  Any thread, while nothing uses it. */
void px_rewrite_destroy(void *rewrite);

/** Makes an empty list.  @param allocator copied; NULL: malloc.
 *  @return owned by the caller (px_request_headers_destroy), or NULL: PX_ERR_MEMORY.  Any thread.
 */
px_request_headers *px_request_headers_create(const px_allocator *allocator, px_error *out_error);

/** As px_headers_add, for requests; Host is refused too.  Any thread, while nothing uses it. */
PX_MUST_CHECK px_err px_request_headers_add(px_request_headers *headers, px_header_edit edit,
                                            px_str name, px_str value, px_matcher *when,
                                            px_error *out_error);

/** The middleware.  An exchange whose memory does not suffice is aborted.  @param headers the
 *  px_request_headers.  The thread of the server's loop. */
px_verdict px_request_headers_run(px_exchange *exchange, void *headers);

/** Ends it; to be handed on as `release`.  NULL is fine.  Any thread, while nothing uses it. */
void px_request_headers_destroy(void *headers);

/** Makes an empty list.  @param allocator copied; NULL: malloc.
 *  @return owned by the caller (px_error_pages_destroy), or NULL: PX_ERR_MEMORY.  Any thread. */
px_error_pages *px_error_pages_create(const px_allocator *allocator, px_error *out_error);

/** Names the page of a status: what the same host answers for that target (px_respond_from), with
 *  the status kept.  A later one of the same status takes its place.
 *  @param status 400 to 599.  @param target origin-form, copied.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_MEMORY.  Any thread, while nothing uses it. */
PX_MUST_CHECK px_err px_error_pages_add(px_error_pages *pages, unsigned status, px_str target,
                                        px_error *out_error);

/** A px_error_page_fn (px_site_options.on_error_page), whose context is a px_error_pages.  The
 *  thread of the server's loop. */
void px_error_pages_answer(px_exchange *exchange, unsigned status, void *pages);

/** Ends it.  NULL is fine.  Any thread, while nothing uses it: behind the site. */
void px_error_pages_destroy(void *pages);

#ifdef __cplusplus
}
#endif

#endif
