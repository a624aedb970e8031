/*
 * Small public calls of a WebSocket, and the way to it from other threads.
 */
#include <string.h>

#include "exchange/exchange.h"
#include "realtime/socket.h"

void px_websocket_pause(px_websocket *socket)
{
    /* Once it is closing the peer's Close is to be read. */
    if (!socket_is_open(socket))
        return;
    socket->paused = true;
    socket_stop_reading(socket);
}

void px_websocket_resume(px_websocket *socket)
{
    socket->paused = false;
    socket_read_on(socket);
}

px_exchange *px_websocket_exchange(px_websocket *socket)
{
    return tunnel_has_parted(&socket->tunnel) ? NULL : socket->exchange;
}

px_str px_websocket_protocol(const px_websocket *socket)
{
    return socket->protocol_len > 0 ? px_str_make(socket->protocol, socket->protocol_len)
                                    : px_str_make(NULL, 0);
}

int px_websocket_is_deflated(const px_websocket *socket)
{
    return socket->coders != NULL;
}

void px_websocket_set_user_data(px_websocket *socket, void *user_data)
{
    socket->user_data = user_data;
}

void *px_websocket_user_data(const px_websocket *socket)
{
    return socket->user_data;
}

/* --- Other threads ---------------------------------------------------------------------------- */

px_ref px_websocket_ref(px_websocket *socket)
{
    if (!tunnel_has_parted(&socket->tunnel))
        return px_exchange_ref(socket->exchange);
    /* Tenants of a loop are numbered from 1: of none, and so of no exchange. */
    return (px_ref){.mailbox = px_loop_mailbox(socket->loop)};
}

px_websocket *px_websocket_of(px_exchange *exchange)
{
    px_websocket *socket = exchange ? exchange_tunnel_context(exchange, &socket_tunnel) : NULL;

    return socket && !socket->reported ? socket : NULL;
}

/* A message on its way to the loop.  Of malloc: it may outlive the loop. */
struct posted_message {
    px_websocket_kind kind;
    size_t len;
    char bytes[];
};

static void posted_send(px_exchange *exchange, px_err status, void *context)
{
    struct posted_message *message = context;
    px_websocket *socket = px_websocket_of(exchange);

    (void)status;
    if (socket)
        (void)px_websocket_send(socket, message->kind, px_str_make(message->bytes, message->len));
    alloc_put(&alloc_libc, message);
}

px_err px_websocket_send_from(const px_ref *ref, px_websocket_kind kind, px_str text)
{
    if (kind == PX_WEBSOCKET_TEXT && !ws_utf8_valid(text))
        return PX_ERR_INVALID;
    struct posted_message *message =
        text.len < SIZE_MAX / 2 ? alloc_take(&alloc_libc, sizeof(*message) + text.len) : NULL;

    if (!message)
        return PX_ERR_MEMORY;
    message->kind = kind;
    message->len = text.len;
    if (text.len > 0)
        memcpy(message->bytes, text.ptr, text.len);
    px_err err = px_ref_post(ref, posted_send, message);

    if (err != PX_OK)
        alloc_put(&alloc_libc, message);
    return err;
}
