/*
 * Calls without a struct by value.  Written by tools/flat.py, of the public headers.
 */
#include "pollux/flat.h"

#include "base/check.h"

px_err px_flat_access_add(px_access *access, int is_allowed, const char *block, size_t block_count,
                          px_matcher *when, px_error *out_error)
{
    return px_access_add(access, is_allowed, px_str_make(block, block_count), when, out_error);
}

int px_flat_address_block_has(const char *block, const char *address, size_t address_count)
{
    return px_address_block_has(block, px_str_make(address, address_count));
}

px_err px_flat_base64_decode(char *out, size_t room, const char *text, size_t text_count,
                             size_t *out_bytes)
{
    return px_base64_decode(out, room, px_str_make(text, text_count), out_bytes);
}

size_t px_flat_base64_encode(char *out, const char *bytes, size_t count)
{
    return px_base64_encode(out, px_str_make(bytes, count));
}

px_err px_flat_error_pages_add(px_error_pages *pages, unsigned status, const char *target,
                               size_t target_count, px_error *out_error)
{
    return px_error_pages_add(pages, status, px_str_make(target, target_count), out_error);
}

const char *px_flat_events_last_id(const px_events *stream, size_t *out_count)
{
    px_str found = px_events_last_id(stream);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

px_err px_flat_events_send(px_events *stream, const char *id, size_t id_count, const char *event,
                           size_t event_count, const char *data, size_t data_count)
{
    return px_events_send(stream, px_str_make(id, id_count), px_str_make(event, event_count),
                          px_str_make(data, data_count));
}

const char *px_flat_exchange_local(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_exchange_local(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_exchange_peer(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_exchange_peer(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

void px_flat_exchange_ref(px_exchange *exchange, px_ref *out_ref)
{
    ASSERT(out_ref);
    *out_ref = px_exchange_ref(exchange);
}

px_err px_flat_fetch_add_trailer(px_fetch *fetch, const char *name, size_t name_count,
                                 const char *value, size_t value_count)
{
    return px_fetch_add_trailer(fetch, px_str_make(name, name_count),
                                px_str_make(value, value_count));
}

const char *px_flat_fetch_field(const px_fetch *fetch, const char *name, size_t *out_count)
{
    px_str found = px_fetch_field(fetch, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_files_beneath(const char *pattern, const char *path, size_t path_count,
                                  size_t *out_count)
{
    px_str found = px_files_beneath(pattern, px_str_make(path, path_count));

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

void px_flat_files_respond(px_files *files, px_exchange *exchange, const char *name,
                           size_t name_count)
{
    px_files_respond(files, exchange, px_str_make(name, name_count));
}

size_t px_flat_form_decode(char *out, const char *text, size_t text_count)
{
    return px_form_decode(out, px_str_make(text, text_count));
}

px_err px_flat_headers_add(px_headers *headers, px_header_edit edit, const char *name,
                           size_t name_count, const char *value, size_t value_count,
                           px_matcher *when, px_error *out_error)
{
    return px_headers_add(headers, edit, px_str_make(name, name_count),
                          px_str_make(value, value_count), when, out_error);
}

const char *px_flat_held_field(const px_held *held, const char *name, size_t *out_count)
{
    px_str found = px_held_field(held, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_held_param(const px_held *held, const char *name, size_t *out_count)
{
    px_str found = px_held_param(held, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

px_err px_flat_http_date_read(const char *text, size_t text_count, int64_t now,
                              int64_t *out_unix_seconds)
{
    return px_http_date_read(px_str_make(text, text_count), now, out_unix_seconds);
}

px_err px_flat_hub_publish(px_hub *hub, const char *name, px_websocket_kind kind,
                           const char *message, size_t message_count)
{
    return px_hub_publish(hub, name, kind, px_str_make(message, message_count));
}

px_template *px_flat_log_template_create(const char *text, size_t text_count,
                                         const px_allocator *allocator, size_t *out_at,
                                         px_error *out_error)
{
    return px_log_template_create(px_str_make(text, text_count), allocator, out_at, out_error);
}

const char *px_flat_media_type(const char *file_name, size_t file_name_count, size_t *out_count)
{
    px_str found = px_media_type(px_str_make(file_name, file_name_count));

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

px_err px_flat_percent_decode(char *out, const char *text, size_t text_count, px_str *out_text)
{
    return px_percent_decode(out, px_str_make(text, text_count), out_text);
}

size_t px_flat_percent_encode(char *out, const char *text, size_t text_count)
{
    return px_percent_encode(out, px_str_make(text, text_count));
}

px_err px_flat_request_add_field(px_exchange *exchange, const char *name, size_t name_count,
                                 const char *value, size_t value_count)
{
    return px_request_add_field(exchange, px_str_make(name, name_count),
                                px_str_make(value, value_count));
}

const char *px_flat_request_authority(const px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_authority(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_client(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_client(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_client_subject(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_client_subject(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_content(const px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_content(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_cookie(px_exchange *exchange, const char *name, size_t *out_count)
{
    px_str found = px_request_cookie(exchange, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_field(const px_exchange *exchange, const char *name, size_t *out_count)
{
    px_str found = px_request_field(exchange, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_form_param(px_exchange *exchange, const char *name, size_t *out_count)
{
    px_str found = px_request_form_param(exchange, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

px_err px_flat_request_headers_add(px_request_headers *headers, px_header_edit edit,
                                   const char *name, size_t name_count, const char *value,
                                   size_t value_count, px_matcher *when, px_error *out_error)
{
    return px_request_headers_add(headers, edit, px_str_make(name, name_count),
                                  px_str_make(value, value_count), when, out_error);
}

const char *px_flat_request_id(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_id(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_method(const px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_method(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_param(px_exchange *exchange, const char *name, size_t *out_count)
{
    px_str found = px_request_param(exchange, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_parent_span_id(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_parent_span_id(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_path(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_path(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_query(const px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_query(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_query_param(px_exchange *exchange, const char *name, size_t *out_count)
{
    px_str found = px_request_query_param(exchange, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_raw_path(const px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_raw_path(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

px_err px_flat_request_rewrite(px_exchange *exchange, const char *target, size_t target_count)
{
    return px_request_rewrite(exchange, px_str_make(target, target_count));
}

const char *px_flat_request_scheme(const px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_scheme(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_server_name(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_server_name(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

px_err px_flat_request_set_client(px_exchange *exchange, const char *address, size_t address_count)
{
    return px_request_set_client(exchange, px_str_make(address, address_count));
}

px_err px_flat_request_set_field(px_exchange *exchange, const char *name, size_t name_count,
                                 const char *value, size_t value_count)
{
    return px_request_set_field(exchange, px_str_make(name, name_count),
                                px_str_make(value, value_count));
}

const char *px_flat_request_span_id(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_span_id(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_target(const px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_target(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_tls_cipher(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_tls_cipher(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_tls_version(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_tls_version(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_trace_id(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_trace_id(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_traceparent(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_traceparent(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

const char *px_flat_request_tracestate(px_exchange *exchange, size_t *out_count)
{
    px_str found = px_request_tracestate(exchange);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

void px_flat_respond(px_exchange *exchange, unsigned status, const char *type, size_t type_count,
                     const char *content, size_t content_count)
{
    px_respond(exchange, status, px_str_make(type, type_count),
               px_str_make(content, content_count));
}

void px_flat_respond_body(px_exchange *exchange, unsigned status, const char *type,
                          size_t type_count, const px_body *body)
{
    px_respond_body(exchange, status, px_str_make(type, type_count), body);
}

void px_flat_respond_file(px_exchange *exchange, unsigned status, const char *type,
                          size_t type_count, const px_file_range *range)
{
    px_respond_file(exchange, status, px_str_make(type, type_count), range);
}

px_err px_flat_respond_from(px_exchange *exchange, unsigned status, const char *target,
                            size_t target_count)
{
    return px_respond_from(exchange, status, px_str_make(target, target_count));
}

void px_flat_respond_producer(px_exchange *exchange, unsigned status, const char *type,
                              size_t type_count, uint64_t length, const px_producer *producer)
{
    px_respond_producer(exchange, status, px_str_make(type, type_count), length, producer);
}

void px_flat_respond_redirect(px_exchange *exchange, unsigned status, const char *location,
                              size_t location_count)
{
    px_respond_redirect(exchange, status, px_str_make(location, location_count));
}

void px_flat_respond_take(px_exchange *exchange, unsigned status, const char *type,
                          size_t type_count, void *memory, size_t bytes)
{
    px_respond_take(exchange, status, px_str_make(type, type_count), memory, bytes);
}

void px_flat_respond_tunnel(px_exchange *exchange, const char *protocol, size_t protocol_count,
                            const px_tunnel_callbacks *callbacks, void *context)
{
    px_respond_tunnel(exchange, px_str_make(protocol, protocol_count), callbacks, context);
}

int px_flat_respond_unless_modified(px_exchange *exchange, const char *etag, size_t etag_count,
                                    int64_t modified)
{
    return px_respond_unless_modified(exchange, px_str_make(etag, etag_count), modified);
}

void px_flat_response_add_field(px_exchange *exchange, const char *name, size_t name_count,
                                const char *value, size_t value_count)
{
    px_response_add_field(exchange, px_str_make(name, name_count), px_str_make(value, value_count));
}

void px_flat_response_add_trailer(px_exchange *exchange, const char *name, size_t name_count,
                                  const char *value, size_t value_count)
{
    px_response_add_trailer(exchange, px_str_make(name, name_count),
                            px_str_make(value, value_count));
}

const char *px_flat_response_field(const px_exchange *exchange, const char *name, size_t *out_count)
{
    px_str found = px_response_field(exchange, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

void px_flat_response_inform(px_exchange *exchange, unsigned status, const char *name,
                             size_t name_count, const char *value, size_t value_count)
{
    px_response_inform(exchange, status, px_str_make(name, name_count),
                       px_str_make(value, value_count));
}

size_t px_flat_response_offer(px_exchange *exchange, const char *bytes, size_t count)
{
    return px_response_offer(exchange, px_str_make(bytes, count));
}

int px_flat_response_pass_field(px_exchange *exchange, const char *name, size_t name_count,
                                const char *value, size_t value_count)
{
    return px_response_pass_field(exchange, px_str_make(name, name_count),
                                  px_str_make(value, value_count));
}

void px_flat_response_set_field(px_exchange *exchange, const char *name, size_t name_count,
                                const char *value, size_t value_count)
{
    px_response_set_field(exchange, px_str_make(name, name_count), px_str_make(value, value_count));
}

void px_flat_response_start(px_exchange *exchange, unsigned status, const char *type,
                            size_t type_count, uint64_t length)
{
    px_response_start(exchange, status, px_str_make(type, type_count), length);
}

void px_flat_response_write(px_exchange *exchange, const char *bytes, size_t count)
{
    px_response_write(exchange, px_str_make(bytes, count));
}

px_err px_flat_site_find(const px_site *site, uint32_t listener, const char *method,
                         size_t method_count, const char *host, size_t host_count, const char *path,
                         size_t path_count, void **out_context, unsigned *out_status)
{
    return px_site_find(site, listener, px_str_make(method, method_count),
                        px_str_make(host, host_count), px_str_make(path, path_count), out_context,
                        out_status);
}

int px_flat_str_equal_case(const char *left, size_t left_count, const char *right,
                           size_t right_count)
{
    return px_str_equal_case(px_str_make(left, left_count), px_str_make(right, right_count));
}

px_template *px_flat_template_create(const char *text, size_t text_count,
                                     const px_allocator *allocator, size_t *out_at,
                                     px_error *out_error)
{
    return px_template_create(px_str_make(text, text_count), allocator, out_at, out_error);
}

const char *px_flat_template_text(const px_template *template_, px_exchange *exchange,
                                  px_template_use use, size_t *out_count)
{
    px_str found = px_template_text(template_, exchange, use);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

px_test_answer *px_flat_test_ask(px_server *server, const char *request, const char *content,
                                 size_t content_count, px_error *out_error)
{
    return px_test_ask(server, request, px_str_make(content, content_count), out_error);
}

const char *px_flat_test_field(const px_test_answer *answer, const char *name, size_t *out_count)
{
    px_str found = px_test_field(answer, name);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

px_test_answer *px_flat_test_handle(px_handler handler, void *context, const char *request,
                                    const char *content, size_t content_count, px_error *out_error)
{
    return px_test_handle(handler, context, request, px_str_make(content, content_count),
                          out_error);
}

px_err px_flat_topic_publish(px_topic *topic, px_websocket_kind kind, const char *message,
                             size_t message_count)
{
    return px_topic_publish(topic, kind, px_str_make(message, message_count));
}

px_err px_flat_websocket_close(px_websocket *socket, unsigned code, const char *reason,
                               size_t reason_count)
{
    return px_websocket_close(socket, code, px_str_make(reason, reason_count));
}

const char *px_flat_websocket_protocol(const px_websocket *socket, size_t *out_count)
{
    px_str found = px_websocket_protocol(socket);

    ASSERT(found.ptr || found.len == 0);
    if (out_count)
        *out_count = found.len;
    return found.ptr;
}

void px_flat_websocket_ref(px_websocket *socket, px_ref *out_ref)
{
    ASSERT(out_ref);
    *out_ref = px_websocket_ref(socket);
}

px_err px_flat_websocket_send(px_websocket *socket, px_websocket_kind kind, const char *message,
                              size_t message_count)
{
    return px_websocket_send(socket, kind, px_str_make(message, message_count));
}

px_err px_flat_websocket_send_from(const px_ref *ref, px_websocket_kind kind, const char *message,
                                   size_t message_count)
{
    return px_websocket_send_from(ref, kind, px_str_make(message, message_count));
}

px_err px_flat_websocket_send_piece(px_websocket *socket, px_websocket_kind kind, const char *piece,
                                    size_t piece_count, int last)
{
    return px_websocket_send_piece(socket, kind, px_str_make(piece, piece_count), last);
}
