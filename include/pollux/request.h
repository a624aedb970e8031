/*
 * Reading a request.  Strings live until the exchange ends, end in NUL (not counted), and are
 * absent (ptr NULL) where the request has no such thing.  The thread of the server's loop.
 */
#ifndef PX_REQUEST_H
#define PX_REQUEST_H

#include "pollux/exchange.h"
#include "pollux/field.h"
#include "pollux/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The method, a token, with regard to case (RFC 9110 section 9). */
px_str px_request_method(const px_exchange *exchange);

/** Whether the method is `name`: 1 or 0. */
int px_request_method_is(const px_exchange *exchange, const char *name);

/** The request target as received (RFC 9112 section 3.2). */
px_str px_request_target(const px_exchange *exchange);

/** The path, percent-decoded once; "*" for `OPTIONS *`, absent for CONNECT.  May hold any byte but
 *  NUL.  Absent too when memory ran out or an escape stands for NUL or "/". */
px_str px_request_path(px_exchange *exchange);

/** The path as received, not decoded. */
px_str px_request_raw_path(const px_exchange *exchange);

/** The query as received, without "?"; absent when there is none. */
px_str px_request_query(const px_exchange *exchange);

/** Host and port that the request is for: from the target, else from Host (RFC 9110 section 7.1).
 */
px_str px_request_authority(const px_exchange *exchange);

/** The address of the client, without a port: the peer's, or, where that is a trusted proxy, the
 * one that Forwarded or X-Forwarded-For names (px_server_options.trusted_proxies).  Lives as long
 * as the exchange, ends in NUL. */
px_str px_request_client(px_exchange *exchange);

/** Whether px_request_client is the client's address: 1, or 0 where the peer is a trusted proxy
 * whose fields name no client, or where Forwarded and X-Forwarded-For name two.  Then it is the
 * proxy's, and nothing that is let in by its address may be. */
int px_request_client_is_known(const px_exchange *exchange);

/** "http" or "https": how the client came, as far as trusted proxies say. */
px_str px_request_scheme(const px_exchange *exchange);

/** Whether the connection is secure: 1 or 0. */
int px_request_is_https(const px_exchange *exchange);

/** The host name that the peer asked for in its TLS handshake, in lower case; absent without TLS
 *  or without one (RFC 6066 section 3). */
px_str px_request_server_name(px_exchange *exchange);

/** The subject of the peer's certificate as RFC 2253 writes it ("CN=me,O=Example"), once it was
 *  verified; absent where it showed none. */
px_str px_request_client_subject(px_exchange *exchange);

/** Version and cipher suite of TLS ("TLSv1.3", "TLS_AES_128_GCM_SHA256"); absent without TLS. */
px_str px_request_tls_version(px_exchange *exchange);

/** The cipher suite, as px_request_tls_version. */
px_str px_request_tls_cipher(px_exchange *exchange);

/** What the request is called in logs and towards other servers: the X-Request-Id of a trusted
 * proxy, where it is at most 128 visible bytes of ASCII without quotes and backslashes, else 128
 * random bits in hexadecimal.  Absent when memory is missing, as are those below. */
px_str px_request_id(px_exchange *exchange);

/** The trace that it belongs to (W3C Trace Context): that of a valid `traceparent`, else a new one.
 *  32 digits; it is never all zeros. */
px_str px_request_trace_id(px_exchange *exchange);

/** The span that it is in that trace, new for each request: 16 digits. */
px_str px_request_span_id(px_exchange *exchange);

/** The span that asked for it, of a valid `traceparent`: 16 digits; absent where its trace begins
 *  here. */
px_str px_request_parent_span_id(px_exchange *exchange);

/** Whether its trace is sampled: 1 where a valid `traceparent` says so, or chance did for a trace
 *  that begins here (px_server_options.trace_sample). */
int px_request_is_sampled(px_exchange *exchange);

/** The `traceparent` for requests that are made on its behalf. */
px_str px_request_traceparent(px_exchange *exchange);

/** The `tracestate` for them, all of the request's fields in one; absent when there is none, when
 *  its trace begins here, or when it is not valid. */
px_str px_request_tracestate(px_exchange *exchange);

/** The protocol version: 10 for HTTP/1.0, 11 for HTTP/1.1, 20 for HTTP/2. */
unsigned px_request_version(const px_exchange *exchange);

/** The first field of that name.  @param name compared without regard to case. */
px_str px_request_field(const px_exchange *exchange, const char *name);

/** All fields, in order; *out_count says how many.  Owned by the exchange. */
const px_field *px_request_fields(const px_exchange *exchange, size_t *out_count);

/** The trailer section's fields, in order, after on_content_end; never merged with the fields (RFC
 *  9110 section 6.5).  Owned by the exchange. */
const px_field *px_request_trailers(px_exchange *exchange, size_t *out_count);

/** A parameter of the route's pattern ("id" for `/users/{id}`), percent-decoded. */
px_str px_request_param(px_exchange *exchange, const char *name);

/** The first value of that name in the query, decoded as a form (`+` is a blank). */
px_str px_request_query_param(px_exchange *exchange, const char *name);

/** All pairs of the query, decoded, in order; NULL when there is none, when there are more than
 *  1,000, or without memory.  Owned by the exchange. */
const px_field *px_request_query_pairs(px_exchange *exchange, size_t *out_count);

/** The name and password of the Authorization field, where its scheme is Basic (RFC 7617); they are
 *  not checked (basic_auth.h does).  Without TLS anything between has read them.
 *  @param out_user, @param out_password live as long as the exchange.
 *  @return 1; 0: there are none, nothing is written. */
int px_request_basic_auth(px_exchange *exchange, px_str *out_user, px_str *out_password);

/** The pattern of the route that matched, as registered; NULL when none did. */
const char *px_request_pattern(const px_exchange *exchange);

/** 1: the path was exchanged after the route was found (px_request_rewrite), so that its pattern
 * says nothing of the path; else 0. */
int px_request_is_aside(const px_exchange *exchange);

/** The first cookie of that name (RFC 6265 section 4.2). */
px_str px_request_cookie(px_exchange *exchange, const char *name);

/* --- Changing it ------------------------------------------------------------------------------ */
/* For middleware: what comes behind, the handler too, sees the request as it was changed.  The log
 * and px_request_target keep what was received.  Strings are copied.  PX_ERR_CLOSED: the exchange
 * has ended. */

/** Exchanges path and query, as if another target had been asked for: px_request_path, _raw_path,
 *  _query.  Before the route is looked for (px_site_use, px_host_use) it decides which route that
 * is; in a route's middleware the route stays, and its parameters.
 *  @param target origin-form, as a client sends it: "/path?query", percent-encoded.
 *  @return PX_OK, PX_ERR_INVALID (no slash in front, or a byte that a target cannot have),
 *  PX_ERR_MEMORY, PX_ERR_CLOSED. */
PX_MUST_CHECK px_err px_request_rewrite(px_exchange *exchange, px_str target);

/** Puts a field in place of all of that name; an absent value removes them.  What px_request_fields
 *  gave before is not to be used any more.
 *  @return PX_OK; PX_ERR_INVALID: not a field, or one that frames the message, or Host, by which
 * the rules were chosen; PX_ERR_LIMIT, PX_ERR_MEMORY, PX_ERR_CLOSED. */
PX_MUST_CHECK px_err px_request_set_field(px_exchange *exchange, px_str name, px_str value);

/** Adds a field behind all others; else as px_request_set_field. */
PX_MUST_CHECK px_err px_request_add_field(px_exchange *exchange, px_str name, px_str value);

/** What px_request_client says from now on, and the log.
 *  @param address an address without a port, 1 to 64 visible bytes: it is not read.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_MEMORY, PX_ERR_CLOSED. */
PX_MUST_CHECK px_err px_request_set_client(px_exchange *exchange, px_str address);

/* --- Content -------------------------------------------------------------------------------- */

/** Declared length of the content in bytes, 0 without content, PX_UNLIMITED_BYTES when not
 * declared. */
uint64_t px_request_content_length(const px_exchange *exchange);

/** How much of the content has come so far: bytes that were collected, saved, parsed as a form,
 *  dropped, or used by a callback that has returned.  What waits behind a pause is not in it.  All
 *  of it when on_end is called. */
uint64_t px_request_received(const px_exchange *exchange);

/** Collects the content; on_content is not called any more.  Call it from the handler; to call it
 *  later, px_request_pause before the handler returns: once some of the content was dropped, or
 *  given to on_content, this aborts the exchange instead of giving a part for the whole.
 *  @param bytes_max more than that is answered 413 by pollux; so is more than content_bytes_max of
 *  the route (1 MiB unless set), which this cannot raise.
 *  @param on_collected called once with the whole content (it lives as long as the exchange; empty
 *  when there is none), from the loop; not called when the exchange ends before. */
void px_request_collect(px_exchange *exchange, uint64_t bytes_max,
                        void (*on_collected)(px_exchange *exchange, px_str content, void *context),
                        void *context);

/** The collected content; absent before it is whole. */
px_str px_request_content(const px_exchange *exchange);

/** Stops content: on_content, on_content_end, the callbacks of px_request_multipart and a tunnel's
 *  on_receive are not called until px_request_resume, and the peer is slowed down. */
void px_request_pause(px_exchange *exchange);

/** Goes on with content; never calls back itself. */
void px_request_resume(px_exchange *exchange);

/** The first value of that name in a collected `application/x-www-form-urlencoded` content,
 * decoded. Absent when the content is of another type. */
px_str px_request_form_param(px_exchange *exchange, const char *name);

/** All pairs of a collected form, decoded, in order; NULL when it is none.  Owned by the exchange.
 */
const px_field *px_request_form(px_exchange *exchange, size_t *out_count);

/** A part of `multipart/form-data` (RFC 7578).  Slices live until on_part_end has returned. */
typedef struct px_part_head {
    size_t struct_size;  /**< Of the library's: what lies behind is not there. */
    px_str name;         /**< The form's field. */
    px_str filename;     /**< As the peer says: never use it as a path.  Absent when not a file. */
    px_str content_type; /**< Absent when not given. */
} px_part_head;

/** What px_request_multipart reports, in order, as the content arrives. */
typedef struct px_multipart_callbacks {
    size_t struct_size; /**< sizeof(px_multipart_callbacks): members behind it are NULL. */
    /** A part begins. */
    void (*on_part)(px_exchange *exchange, const px_part_head *head, void *context);
    /** A piece of the part's content, borrowed until this returns. */
    void (*on_part_content)(px_exchange *exchange, px_str bytes, void *context);
    /** The part has ended. */
    void (*on_part_end)(px_exchange *exchange, void *context);
    /** The last part has ended: PX_OK; or PX_ERR_MALFORMED, PX_ERR_LIMIT, PX_ERR_MEMORY: no more
     *  comes, and it is for the handler to answer. */
    void (*on_multipart_end)(px_exchange *exchange, px_err result, void *context);
} px_multipart_callbacks;

/** A table without callbacks, as a value.  Any thread. */
static inline px_multipart_callbacks px_multipart_callbacks_default(void)
{
    px_multipart_callbacks callbacks;

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.struct_size = sizeof(callbacks);
    return callbacks;
}

/** The same. */
#define PX_MULTIPART_CALLBACKS_DEFAULT px_multipart_callbacks_default()
/** The same as an initialiser of a static. */
#define PX_MULTIPART_CALLBACKS_INIT PX_INIT_OF(px_multipart_callbacks)

/** Reads the content as `multipart/form-data`, streaming; on_content is not called any more.
 *  Call it from the handler.  The callbacks go on after an answer, until the content ends.
 *  @param callbacks borrowed: outlives the exchange.
 *  @return PX_OK, PX_ERR_INVALID when the content is of another type or some of it has gone by, or
 *  PX_ERR_MEMORY.  A table without struct_size is a rule that is broken: PX_ERR_INVALID, and the
 *  exchange aborts (px_exchange_fault). */
PX_MUST_CHECK px_err px_request_multipart(px_exchange *exchange,
                                          const px_multipart_callbacks *callbacks, void *context);

#ifdef __cplusplus
}
#endif

#endif
