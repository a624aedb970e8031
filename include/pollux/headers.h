/*
 * Fields of answers, changed on their way out: a response filter, which also sees answers of pollux
 * itself (404 and its kin, but not refusals of requests that were never understood).
 *
 *     px_headers *headers = px_headers_create(NULL, &error);
 *     px_headers_add(headers, PX_HEADER_SET, px_str_of("X-Frame-Options"), px_str_of("DENY"), NULL,
 *                    &error);
 *     px_host_filter(host, px_headers_filter(), headers, px_headers_destroy, &error);
 */
#ifndef PX_HEADERS_H
#define PX_HEADERS_H

#include "pollux/matcher.h"
#include "pollux/site.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_headers px_headers; /**< A list of changes. */

/** What becomes of a field. */
typedef enum px_header_edit {
    PX_HEADER_SET,   /**< It stands in place of all of that name. */
    PX_HEADER_ADD,   /**< It is added behind them. */
    PX_HEADER_REMOVE /**< All of that name go; Date and Server too. */
} px_header_edit;

/** Makes an empty list.  @param allocator copied; NULL: malloc.
 *  @return owned by the caller (px_headers_destroy), or NULL: PX_ERR_MEMORY.  Any thread. */
px_headers *px_headers_create(const px_allocator *allocator, px_error *out_error);

/** Adds a change behind the others.
 *  @param name a field's name, but none that frames the message (px_response_add_field); copied.
 *  @param value a template (PX_TEMPLATE_FIELD), copied; PX_HEADER_REMOVE: not looked at.  An answer
 *  whose value takes more memory than its exchange has ends broken.
 *  @param when for requests that match alone; gets a further hold; NULL: for all.
 *  @return PX_OK, PX_ERR_INVALID (name, value), PX_ERR_LIMIT, PX_ERR_MEMORY.  Any thread, while
 *  nothing uses it. */
PX_MUST_CHECK px_err px_headers_add(px_headers *headers, px_header_edit edit, px_str name,
                                    px_str value, px_matcher *when, px_error *out_error);

/** Adds Strict-Transport-Security (RFC 6797) to answers whose request came by https.
 *  @param max_age_s for so many seconds; 0 tells clients to forget it.
 *  @param subdomains 1: for all hosts below this one too.  @param when, @return as px_headers_add.
 *  Any thread, while nothing uses it. */
PX_MUST_CHECK px_err px_headers_add_hsts(px_headers *headers, uint64_t max_age_s, int subdomains,
                                         px_matcher *when, px_error *out_error);

/** The filter, whose context is a px_headers.  Static.  Any thread. */
const px_filter *px_headers_filter(void);

/** Ends it; to be handed on as `release`.  NULL is fine.  Any thread, while nothing uses it. */
void px_headers_destroy(void *headers);

#ifdef __cplusplus
}
#endif

#endif
