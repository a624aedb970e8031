/*
 * Matchers: conditions on a request, compiled once and asked without taking memory.
 *
 *     px_matcher *matcher = px_matcher_create(NULL, &error);
 *     px_str paths[] = {px_str_of("/v1/x*"), px_str_of("/v2/x*")};
 *     px_matcher_add(matcher, PX_MATCH_PATH, paths, 2, NULL, &error);
 *
 * A request matches when each line does; a line does when one of its values does.  A matcher
 * without lines matches everything.  In a glob `*` is any text, slashes too, and every other byte
 * is itself.
 *
 * A matcher is counted: what is made with one has a hold of its own, so that its maker may destroy
 * it at once.  It does not change once it was handed to something.
 */
#ifndef PX_MATCHER_H
#define PX_MATCHER_H

#include "pollux/alloc.h"
#include "pollux/exchange.h"
#include "pollux/field.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_matcher px_matcher; /**< Conditions on a request. */

/** What a line looks at. */
typedef enum px_match_kind {
    PX_MATCH_METHOD, /**< Methods, with regard to case; GET is not HEAD. */
    /** Globs for the path: percent-decoded once, an encoded slash is a slash, `.` and `..` are
     *  resolved, several slashes are one.  So no other spelling of a path passes by. */
    PX_MATCH_PATH,
    PX_MATCH_HOST,   /**< `example.org`, `*.example.org` (any depth below), `*`; without port. */
    PX_MATCH_SCHEME, /**< `http`, `https`: as px_request_scheme. */
    /** A field's name, and behind it globs for its value, with regard to case; without globs it is
     *  enough that the field is there.  Each field of that name is looked at. */
    PX_MATCH_HEADER,
    PX_MATCH_QUERY,  /**< NAME (it is there) or NAME=GLOB, decoded; each of that name counts. */
    PX_MATCH_COOKIE, /**< Likewise. */
    PX_MATCH_CLIENT  /**< Blocks (192.0.2.0/24, 2001:db8::/32), an address, `unix:`, `all`. */
} px_match_kind;

/** Makes a matcher that matches everything.  @param allocator copied; NULL: malloc.
 *  @return the caller's hold (px_matcher_destroy), or NULL: PX_ERR_MEMORY.  Any thread. */
px_matcher *px_matcher_create(const px_allocator *allocator, px_error *out_error);

/** Adds a line.  @param values copied; one at least.
 *  @param out_at which value is wrong, from 0; written with PX_ERR_INVALID; may be NULL.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_LIMIT (64 lines, 4,096 values in one), PX_ERR_MEMORY: then
 *  it is as it was.  Any thread, while nothing else uses it. */
PX_MUST_CHECK px_err px_matcher_add(px_matcher *matcher, px_match_kind kind, const px_str *values,
                                    size_t count, size_t *out_at, px_error *out_error);

/** Adds a line that holds when `inner` does not match.
 *  @param inner it gets a further hold.
 *  @return PX_OK, PX_ERR_LIMIT (64 lines, or 16 deep), PX_ERR_MEMORY.  Any thread, while nothing
 * else uses it.
 */
PX_MUST_CHECK px_err px_matcher_add_not(px_matcher *matcher, px_matcher *inner,
                                        px_error *out_error);

/** Gives the caller's hold up.  NULL is fine.  Any thread. */
void px_matcher_destroy(px_matcher *matcher);

/** Whether an exchange's request matches: 1 or 0.  A path of more than 8 KiB takes memory of the
 *  exchange; where there is none the exchange is aborted.  The thread of the server's loop. */
int px_matcher_matches(const px_matcher *matcher, px_exchange *exchange);

/** A request that is not there, for tools that explain a configuration.  Absent: it has none. */
typedef struct px_match_request {
    size_t struct_size;     /**< sizeof(px_match_request). */
    px_str method;          /**< A token. */
    px_str scheme;          /**< "http" or "https". */
    px_str authority;       /**< Host and port. */
    px_str raw_path;        /**< As in the target, not decoded. */
    px_str query;           /**< As in the target, without "?". */
    px_str client;          /**< An address without a port, or "unix:". */
    const px_field *fields; /**< Borrowed for the call. */
    size_t field_count;     /**< Of fields. */
} px_match_request;

/** An empty px_match_request, as a value.  Any thread. */
static inline px_match_request px_match_request_default(void)
{
    px_match_request request;

    memset(&request, 0, sizeof(request));
    request.struct_size = sizeof(request);
    return request;
}

/** An empty px_match_request, as a value. */
#define PX_MATCH_REQUEST_DEFAULT px_match_request_default()
/** The same as an initialiser of a static. */
#define PX_MATCH_REQUEST_INIT PX_INIT_OF(px_match_request)

/** As px_matcher_matches, of a request that is written down; a path of more than 8 KiB does not
 *  match.  @param request borrowed for the call.  Any thread. */
int px_matcher_matches_request(const px_matcher *matcher, const px_match_request *request);

#ifdef __cplusplus
}
#endif

#endif
