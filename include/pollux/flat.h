/*
 * Calls without a struct by value, for languages whose foreign calls know numbers and pointers
 * alone. Written by tools/flat.py, of the other headers.
 *
 * px_flat_NAME is px_NAME, with the same thread, ownership, errors and result.  In place of a slice
 * it takes where the bytes are (NULL: absent) and how many there are.  Where px_NAME returns a
 * slice, it returns where the bytes are (NULL: absent), and writes to `out_count`, which may be
 * NULL, how many there are.  Where px_NAME returns a px_ref, it writes to `out_ref`.
 *
 * Callbacks need no such thing: on x86-64 and arm64 a slice is passed as those two words are, so a
 * callback that is given a px_str may be declared with a pointer and a size_t in its place.  None
 * has more words than fit in registers.
 */
#ifndef PX_FLAT_H
#define PX_FLAT_H

#include "pollux/access.h"
#include "pollux/client.h"
#include "pollux/events.h"
#include "pollux/exchange.h"
#include "pollux/files.h"
#include "pollux/headers.h"
#include "pollux/held.h"
#include "pollux/hub.h"
#include "pollux/request.h"
#include "pollux/reshape.h"
#include "pollux/response.h"
#include "pollux/site.h"
#include "pollux/template.h"
#include "pollux/test.h"
#include "pollux/text.h"
#include "pollux/topic.h"
#include "pollux/websocket.h"

#ifdef __cplusplus
extern "C" {
#endif

/** px_access_add: Adds a rule behind the others. */
PX_MUST_CHECK px_err px_flat_access_add(px_access *access, int is_allowed, const char *block,
                                        size_t block_count, px_matcher *when, px_error *out_error);

/** px_address_block_has: Whether an address is in a block: "192.0.2.0/24", "192.0.2.1",
 * "2001:db8::/32"; an IPv4 address in an IPv6 one is the IPv4 address. */
int px_flat_address_block_has(const char *block, const char *address, size_t address_count);

/** px_base64_decode: Reads base64; its padding may be left out. */
PX_MUST_CHECK px_err px_flat_base64_decode(char *out, size_t room, const char *text,
                                           size_t text_count, size_t *out_bytes);

/** px_base64_encode: Writes base64 with padding (RFC 4648 section 4). */
size_t px_flat_base64_encode(char *out, const char *bytes, size_t count);

/** px_error_pages_add: Names the page of a status: what the same host answers for that target
 * (px_respond_from), with the status kept. */
PX_MUST_CHECK px_err px_flat_error_pages_add(px_error_pages *pages, unsigned status,
                                             const char *target, size_t target_count,
                                             px_error *out_error);

/** px_events_last_id: The peer's Last-Event-ID: the last event that it has seen, when it comes
 * back; absent: none. */
const char *px_flat_events_last_id(const px_events *stream, size_t *out_count);

/** px_events_send: Sends an event. */
px_err px_flat_events_send(px_events *stream, const char *id, size_t id_count, const char *event,
                           size_t event_count, const char *data, size_t data_count);

/** px_exchange_local: Our address that the peer reached, as text. */
const char *px_flat_exchange_local(px_exchange *exchange, size_t *out_count);

/** px_exchange_peer: The peer's address as text ("192.0.2.1:80"). */
const char *px_flat_exchange_peer(px_exchange *exchange, size_t *out_count);

/** px_exchange_ref: Names an exchange. */
void px_flat_exchange_ref(px_exchange *exchange, px_ref *out_ref);

/** px_fetch_add_trailer: Adds a field to the trailer section of the request (RFC 9110 section 6.5),
 * copied: in `pull`, before it returns PX_PULL_END. */
PX_MUST_CHECK px_err px_flat_fetch_add_trailer(px_fetch *fetch, const char *name, size_t name_count,
                                               const char *value, size_t value_count);

/** px_fetch_field: The first field of that name, compared without regard to case; absent when there
 * is none. */
const char *px_flat_fetch_field(const px_fetch *fetch, const char *name, size_t *out_count);

/** px_files_beneath: What of a request's path is beneath the folder under a route: "/a.css" of
 * "/static/a.css" for the patterns "/static/" and "/static/{path...}"; all of it for patterns that
 * leave nothing open, such as "/a.css" and "/{name}". */
const char *px_flat_files_beneath(const char *pattern, const char *path, size_t path_count,
                                  size_t *out_count);

/** px_files_respond: Answers with the file of that name, whatever the request's path and method
 * are: under any route, behind any check of the program's own. */
void px_flat_files_respond(px_files *files, px_exchange *exchange, const char *name,
                           size_t name_count);

/** px_form_decode: Decodes a name or a value of a query or form: "+" is a blank, %XX a byte, and a
 * "%" without two digits stands for itself. */
size_t px_flat_form_decode(char *out, const char *text, size_t text_count);

/** px_headers_add: Adds a change behind the others. */
PX_MUST_CHECK px_err px_flat_headers_add(px_headers *headers, px_header_edit edit, const char *name,
                                         size_t name_count, const char *value, size_t value_count,
                                         px_matcher *when, px_error *out_error);

/** px_held_field: The first field of that name, compared without regard to case. */
const char *px_flat_held_field(const px_held *held, const char *name, size_t *out_count);

/** px_held_param: A parameter of the pattern. */
const char *px_flat_held_param(const px_held *held, const char *name, size_t *out_count);

/** px_http_date_read: Reads a date of HTTP, in any of its three forms. */
PX_MUST_CHECK px_err px_flat_http_date_read(const char *text, size_t text_count, int64_t now,
                                            int64_t *out_unix_seconds);

/** px_hub_publish: Publishes to the topic of that name, here and at every other member. */
px_err px_flat_hub_publish(px_hub *hub, const char *name, px_websocket_kind kind,
                           const char *message, size_t message_count);

/** px_log_template_create: Takes a template of log lines apart: as px_template_create, and also
 * with the names of the JSON log's fields as placeholders ({bytes}, {duration_ms}, {time}, {ended},
 * ...); {status} is the one that is logged. */
px_template *px_flat_log_template_create(const char *text, size_t text_count,
                                         const px_allocator *allocator, size_t *out_at,
                                         px_error *out_error);

/** px_media_type: The media type of a file of that name: by what follows its last dot, in any case.
 */
const char *px_flat_media_type(const char *file_name, size_t file_name_count, size_t *out_count);

/** px_percent_decode: Decodes %XX (RFC 3986 section 2.1), and nothing else, once. */
PX_MUST_CHECK px_err px_flat_percent_decode(char *out, const char *text, size_t text_count,
                                            px_str *out_text);

/** px_percent_encode: Encodes all but RFC 3986's unreserved characters as %XX: a segment of a path,
 * or a name or value of a query. */
size_t px_flat_percent_encode(char *out, const char *text, size_t text_count);

/** px_request_add_field: Adds a field behind all others; else as px_request_set_field. */
PX_MUST_CHECK px_err px_flat_request_add_field(px_exchange *exchange, const char *name,
                                               size_t name_count, const char *value,
                                               size_t value_count);

/** px_request_authority: Host and port that the request is for: from the target, else from Host
 * (RFC 9110 section 7.1). */
const char *px_flat_request_authority(const px_exchange *exchange, size_t *out_count);

/** px_request_client: The address of the client, without a port: the peer's, or, where that is a
 * trusted proxy, the one that Forwarded or X-Forwarded-For names
 * (px_server_options.trusted_proxies). */
const char *px_flat_request_client(px_exchange *exchange, size_t *out_count);

/** px_request_client_subject: The subject of the peer's certificate as RFC 2253 writes it
 * ("CN=me,O=Example"), once it was verified; absent where it showed none. */
const char *px_flat_request_client_subject(px_exchange *exchange, size_t *out_count);

/** px_request_content: The collected content; absent before it is whole. */
const char *px_flat_request_content(const px_exchange *exchange, size_t *out_count);

/** px_request_cookie: The first cookie of that name (RFC 6265 section 4.2). */
const char *px_flat_request_cookie(px_exchange *exchange, const char *name, size_t *out_count);

/** px_request_field: The first field of that name. */
const char *px_flat_request_field(const px_exchange *exchange, const char *name, size_t *out_count);

/** px_request_form_param: The first value of that name in a collected
 * `application/x-www-form-urlencoded` content, decoded. */
const char *px_flat_request_form_param(px_exchange *exchange, const char *name, size_t *out_count);

/** px_request_headers_add: As px_headers_add, for requests; Host is refused too. */
PX_MUST_CHECK px_err px_flat_request_headers_add(px_request_headers *headers, px_header_edit edit,
                                                 const char *name, size_t name_count,
                                                 const char *value, size_t value_count,
                                                 px_matcher *when, px_error *out_error);

/** px_request_id: What the request is called in logs and towards other servers: the X-Request-Id of
 * a trusted proxy, where it is at most 128 visible bytes of ASCII without quotes and backslashes,
 * else 128 random bits in hexadecimal. */
const char *px_flat_request_id(px_exchange *exchange, size_t *out_count);

/** px_request_method: The method, a token, with regard to case (RFC 9110 section 9). */
const char *px_flat_request_method(const px_exchange *exchange, size_t *out_count);

/** px_request_param: A parameter of the route's pattern ("id" for `/users/{id}`), percent-decoded.
 */
const char *px_flat_request_param(px_exchange *exchange, const char *name, size_t *out_count);

/** px_request_parent_span_id: The span that asked for it, of a valid `traceparent`: 16 digits;
 * absent where its trace begins here. */
const char *px_flat_request_parent_span_id(px_exchange *exchange, size_t *out_count);

/** px_request_path: The path, percent-decoded once; "*" for `OPTIONS *`, absent for CONNECT. */
const char *px_flat_request_path(px_exchange *exchange, size_t *out_count);

/** px_request_query: The query as received, without "?"; absent when there is none. */
const char *px_flat_request_query(const px_exchange *exchange, size_t *out_count);

/** px_request_query_param: The first value of that name in the query, decoded as a form (`+` is a
 * blank). */
const char *px_flat_request_query_param(px_exchange *exchange, const char *name, size_t *out_count);

/** px_request_raw_path: The path as received, not decoded. */
const char *px_flat_request_raw_path(const px_exchange *exchange, size_t *out_count);

/** px_request_rewrite: Exchanges path and query, as if another target had been asked for:
 * px_request_path, _raw_path, _query. */
PX_MUST_CHECK px_err px_flat_request_rewrite(px_exchange *exchange, const char *target,
                                             size_t target_count);

/** px_request_scheme: "http" or "https": how the client came, as far as trusted proxies say. */
const char *px_flat_request_scheme(const px_exchange *exchange, size_t *out_count);

/** px_request_server_name: The host name that the peer asked for in its TLS handshake, in lower
 * case; absent without TLS or without one (RFC 6066 section 3). */
const char *px_flat_request_server_name(px_exchange *exchange, size_t *out_count);

/** px_request_set_client: What px_request_client says from now on, and the log. */
PX_MUST_CHECK px_err px_flat_request_set_client(px_exchange *exchange, const char *address,
                                                size_t address_count);

/** px_request_set_field: Puts a field in place of all of that name; an absent value removes them.
 */
PX_MUST_CHECK px_err px_flat_request_set_field(px_exchange *exchange, const char *name,
                                               size_t name_count, const char *value,
                                               size_t value_count);

/** px_request_span_id: The span that it is in that trace, new for each request: 16 digits. */
const char *px_flat_request_span_id(px_exchange *exchange, size_t *out_count);

/** px_request_target: The request target as received (RFC 9112 section 3.2). */
const char *px_flat_request_target(const px_exchange *exchange, size_t *out_count);

/** px_request_tls_cipher: The cipher suite, as px_request_tls_version. */
const char *px_flat_request_tls_cipher(px_exchange *exchange, size_t *out_count);

/** px_request_tls_version: Version and cipher suite of TLS ("TLSv1.3", "TLS_AES_128_GCM_SHA256");
 * absent without TLS. */
const char *px_flat_request_tls_version(px_exchange *exchange, size_t *out_count);

/** px_request_trace_id: The trace that it belongs to (W3C Trace Context): that of a valid
 * `traceparent`, else a new one. */
const char *px_flat_request_trace_id(px_exchange *exchange, size_t *out_count);

/** px_request_traceparent: The `traceparent` for requests that are made on its behalf. */
const char *px_flat_request_traceparent(px_exchange *exchange, size_t *out_count);

/** px_request_tracestate: The `tracestate` for them, all of the request's fields in one; absent
 * when there is none, when its trace begins here, or when it is not valid. */
const char *px_flat_request_tracestate(px_exchange *exchange, size_t *out_count);

/** px_respond: Answers with content that is copied: at most px_server_options.respond_bytes_max,
 * more is PX_END_NO_MEMORY. */
void px_flat_respond(px_exchange *exchange, unsigned status, const char *type, size_t type_count,
                     const char *content, size_t content_count);

/** px_respond_body: Answers with content that is not copied. */
void px_flat_respond_body(px_exchange *exchange, unsigned status, const char *type,
                          size_t type_count, const px_body *body);

/** px_respond_file: Answers with a range of a file. */
void px_flat_respond_file(px_exchange *exchange, unsigned status, const char *type,
                          size_t type_count, const px_file_range *range);

/** px_respond_from: Answers with what another path of the same host answers with: an internal
 * redirect, for error pages above all. */
PX_MUST_CHECK px_err px_flat_respond_from(px_exchange *exchange, unsigned status,
                                          const char *target, size_t target_count);

/** px_respond_producer: Answers with what a producer gives. */
void px_flat_respond_producer(px_exchange *exchange, unsigned status, const char *type,
                              size_t type_count, uint64_t length, const px_producer *producer);

/** px_respond_redirect: Answers with a redirect (RFC 9110 section 15.4). */
void px_flat_respond_redirect(px_exchange *exchange, unsigned status, const char *location,
                              size_t location_count);

/** px_respond_take: Answers with content that is handed over: what malloc gave, a text that a
 * library has made. */
void px_flat_respond_take(px_exchange *exchange, unsigned status, const char *type,
                          size_t type_count, void *memory, size_t bytes);

/** px_respond_tunnel: Answers 101 with `Upgrade: protocol` (the request must ask for it, HTTP/1.1),
 * or 200 to CONNECT, and turns the exchange into a two-way tunnel: px_response_write sends,
 * px_response_end ends. */
void px_flat_respond_tunnel(px_exchange *exchange, const char *protocol, size_t protocol_count,
                            const px_tunnel_callbacks *callbacks, void *context);

/** px_respond_unless_modified: Says which state the answer is of, and spares its content where the
 * client has it: adds ETag and Last-Modified, and looks at the request's preconditions (RFC 9110
 * section 13). */
int px_flat_respond_unless_modified(px_exchange *exchange, const char *etag, size_t etag_count,
                                    int64_t modified);

/** px_response_add_field: Adds a field to the answer, before it begins; copied. */
void px_flat_response_add_field(px_exchange *exchange, const char *name, size_t name_count,
                                const char *value, size_t value_count);

/** px_response_add_trailer: Adds a trailer field, copied: sent over HTTP/2, and over HTTP/1.1 where
 * the length of the content is unknown; dropped otherwise. */
void px_flat_response_add_trailer(px_exchange *exchange, const char *name, size_t name_count,
                                  const char *value, size_t value_count);

/** px_response_field: The first field of the answer with that name, as set so far (for filters). */
const char *px_flat_response_field(const px_exchange *exchange, const char *name,
                                   size_t *out_count);

/** px_response_inform: Sends an informational response (100 to 199 but 101) with a field, at once;
 * nothing to an HTTP/1.0 peer. */
void px_flat_response_inform(px_exchange *exchange, unsigned status, const char *name,
                             size_t name_count, const char *value, size_t value_count);

/** px_response_offer: Sends content of an answer that was begun with px_respond_producer from where
 * it lies, as far as the peer's connection takes it at once; nothing is kept. */
size_t px_flat_response_offer(px_exchange *exchange, const char *bytes, size_t count);

/** px_response_pass_field: Adds a field of an answer that another program has made (a WSGI
 * application, a CGI program, a server behind): what px_response_add_field refuses is left out and
 * breaks nothing. */
int px_flat_response_pass_field(px_exchange *exchange, const char *name, size_t name_count,
                                const char *value, size_t value_count);

/** px_response_set_field: As px_response_add_field, in place of all of that name; an absent value
 * removes them. */
void px_flat_response_set_field(px_exchange *exchange, const char *name, size_t name_count,
                                const char *value, size_t value_count);

/** px_response_start: Begins an answer whose content the program writes in pieces. */
void px_flat_response_start(px_exchange *exchange, unsigned status, const char *type,
                            size_t type_count, uint64_t length);

/** px_response_write: Writes a piece, copied. */
void px_flat_response_write(px_exchange *exchange, const char *bytes, size_t count);

/** px_site_find: Which route would answer a request, without one: middleware is not asked. */
PX_MUST_CHECK px_err px_flat_site_find(const px_site *site, uint32_t listener, const char *method,
                                       size_t method_count, const char *host, size_t host_count,
                                       const char *path, size_t path_count, void **out_context,
                                       unsigned *out_status);

/** px_str_equal_case: Compares without regard to the case of ASCII letters: names of fields, hosts,
 * tokens. */
int px_flat_str_equal_case(const char *left, size_t left_count, const char *right,
                           size_t right_count);

/** px_template_create: Takes a text apart. */
px_template *px_flat_template_create(const char *text, size_t text_count,
                                     const px_allocator *allocator, size_t *out_at,
                                     px_error *out_error);

/** px_template_text: The text for a request. */
const char *px_flat_template_text(const px_template *template_, px_exchange *exchange,
                                  px_template_use use, size_t *out_count);

/** px_test_ask: Asks a server. */
px_test_answer *px_flat_test_ask(px_server *server, const char *request, const char *content,
                                 size_t content_count, px_error *out_error);

/** px_test_field: The first field of that name, compared without regard to case; absent when there
 * is none. */
const char *px_flat_test_field(const px_test_answer *answer, const char *name, size_t *out_count);

/** px_test_handle: Asks a handler alone, at any path, in a server of its own that ends with the
 * call. */
px_test_answer *px_flat_test_handle(px_handler handler, void *context, const char *request,
                                    const char *content, size_t content_count, px_error *out_error);

/** px_topic_publish: Publishes a message to all that are subscribed now. */
px_err px_flat_topic_publish(px_topic *topic, px_websocket_kind kind, const char *message,
                             size_t message_count);

/** px_websocket_close: Begins the closing handshake (section 7.1.2): what waits is sent, then
 * Close; no message is reported any more, and on_close comes when the peer has answered, or after
 * close_ms. */
px_err px_flat_websocket_close(px_websocket *socket, unsigned code, const char *reason,
                               size_t reason_count);

/** px_websocket_protocol: The subprotocol that was agreed; absent: none. */
const char *px_flat_websocket_protocol(const px_websocket *socket, size_t *out_count);

/** px_websocket_ref: A name that may be kept after its end and used on any thread: with
 * px_ref_post, in whose call px_websocket_of finds the WebSocket. */
void px_flat_websocket_ref(px_websocket *socket, px_ref *out_ref);

/** px_websocket_send: Sends a message, copied; messages keep their order. */
px_err px_flat_websocket_send(px_websocket *socket, px_websocket_kind kind, const char *message,
                              size_t message_count);

/** px_websocket_send_from: As px_websocket_send, on any thread: the message is copied and sent by
 * the loop, where the policy of the backlog holds; what is not taken there is lost. */
PX_MUST_CHECK px_err px_flat_websocket_send_from(const px_ref *ref, px_websocket_kind kind,
                                                 const char *message, size_t message_count);

/** px_websocket_send_piece: Sends a message in pieces, each a frame (section 5.4), copied, and
 * never deflated; stop at PX_FULL until on_drain. */
px_err px_flat_websocket_send_piece(px_websocket *socket, px_websocket_kind kind, const char *piece,
                                    size_t piece_count, int last);

#ifdef __cplusplus
}
#endif

#endif
