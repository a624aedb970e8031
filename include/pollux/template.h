/*
 * Templates: text with {placeholders} that are replaced for each request, once.
 *
 *     px_template *hello = px_template_create(px_str_of("hello {client}"), NULL, NULL, &error);
 *     px_str text = px_template_text(hello, exchange, PX_TEMPLATE_PLAIN);
 *
 * `{{` and `}}` are braces.  The placeholders:
 *
 *     {method} {scheme} {host} {port} {path} {rawpath} {query} {uri} {version} {status}
 *     {request_id} {trace_id} {upstream} {client} {peer} {local}
 *     {tls.version} {tls.cipher} {tls.subject} {tls.server_name}
 *     {query.NAME} {param.NAME} {header.NAME} {cookie.NAME}
 *
 * {path} is decoded, {rawpath} and {uri}, the path with its query, are as received.  {version} is
 * "1.0", "1.1" or "2"; {status} that of the answer, empty before there is one; {upstream} the
 * server that a proxy asked.  {client} is an address alone; {peer} and {local} have their port
 * (but see PX_TEMPLATE_KEY).
 * Parameters, queries and cookies come decoded.  What a request does not have is empty.  What comes
 * out of a placeholder is never read as a template again.
 */
#ifndef PX_TEMPLATE_H
#define PX_TEMPLATE_H

#include "pollux/exchange.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_template px_template; /**< A text that was taken apart once. */

/** What a template is written for. */
typedef enum px_template_use {
    PX_TEMPLATE_PLAIN, /**< Content: what comes out of placeholders stays as it is. */
    /** A field's value: CR, LF, NUL and other control bytes become blanks, and blanks at its ends
     *  go. */
    PX_TEMPLATE_FIELD,
    /** A target or Location: what comes decoded is percent-encoded again where it must be (RFC 3986
     *  section 2.1); a slash in a decoded path or parameter stays a slash.  Two slashes in front
     *  become one, unless the template itself begins with them: they would name another host. */
    PX_TEMPLATE_TARGET,
    /** What clients are told apart by: {client} and {peer} come without a port, and of an IPv6
     *  address only the first 64 bits, which is what one client has at least (RFC 6177). */
    PX_TEMPLATE_KEY
} px_template_use;

/** Takes a text apart.
 *  @param text copied.  @param allocator copied; NULL: malloc.
 *  @param out_at where the text is wrong, in bytes from its start; written on failure; may be NULL.
 *  @return owned by the caller (px_template_destroy), or NULL: PX_ERR_INVALID (a placeholder that
 *  is not known, a brace that is not closed, more than 64 pieces), PX_ERR_MEMORY.  Any thread. */
px_template *px_template_create(px_str text, const px_allocator *allocator, size_t *out_at,
                                px_error *out_error);

/** Ends it.  NULL is fine.  Any thread, while nothing uses it. */
void px_template_destroy(px_template *template_);

/** The text for a request.
 *  @return memory of the exchange that ends in NUL; absent when its cap is reached, or the text
 *  would be longer than 64 KiB.  The thread of the server's loop. */
px_str px_template_text(const px_template *template_, px_exchange *exchange, px_template_use use);

/** Whether nothing in it depends on the request: 1 or 0.  Any thread. */
int px_template_is_constant(const px_template *template_);

#ifdef __cplusplus
}
#endif

#endif
