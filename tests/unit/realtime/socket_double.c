/*
 * The peers of socket_double.h: they write down what they were told, and answer nothing but what a
 * test has them answer.
 */
#include "unit/realtime/socket_double.h"

#include <stdlib.h>
#include <string.h>

static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                           "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                           "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

static const uint8_t key[WS_MASK_BYTES] = {1, 2, 3, 4};

static void on_message(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    struct peer *peer = context;

    (void)socket;
    (void)kind;
    peer->messages++;
    peer->message_len = message.len;
    if (peer->on_message)
        peer->on_message(peer);
}

static void on_close(px_websocket *socket, unsigned code, px_str reason, int clean, void *context)
{
    struct peer *peer = context;

    (void)socket;
    (void)reason;
    (void)clean;
    peer->closed++;
    peer->code = code;
    if (peer->on_close)
        peer->on_close(peer);
    peer->socket = NULL;
}

static const px_websocket_events events = {
    .struct_size = sizeof(events), .on_message = on_message, .on_close = on_close};

static void accept_it(px_exchange *exchange, void *context)
{
    struct peer *peer = context;

    peer->socket = px_websocket_accept(exchange, peer->options, &events, peer);
}

void peer_open(struct peer *peer, struct stage *stage, const px_websocket_options *options)
{
    memset(peer, 0, sizeof(*peer));
    peer->options = options;
    assert_true(call_begin(&peer->call, stage, head, accept_it, peer));
    assert_non_null(peer->socket);
    call_drive(&peer->call);
}

void peer_sends(struct peer *peer, enum ws_opcode opcode, bool fin, uint8_t rsv, px_str content,
                size_t count)
{
    char *frame = malloc(WS_HEAD_BYTES_MAX + content.len);

    assert_non_null(frame);
    size_t len = ws_head_write(frame, opcode, fin, rsv, content.len, key);

    ws_bytes_plain.mask(frame + len, content.ptr, content.len, key);
    len += content.len;
    (void)call_receive(&peer->call, px_str_make(frame, len < count ? len : count));
    call_drive(&peer->call);
    free(frame);
}

void peer_goes_on(struct peer *peer, px_str content, size_t at)
{
    uint8_t turned[WS_MASK_BYTES];
    char *bytes = malloc(content.len);

    assert_non_null(bytes);
    memcpy(turned, key, sizeof(key));
    ws_mask_rotate(turned, at);
    ws_bytes_plain.mask(bytes, content.ptr, content.len, turned);
    (void)call_receive(&peer->call, px_str_make(bytes, content.len));
    call_drive(&peer->call);
    free(bytes);
}

void peer_finish(struct peer *peer)
{
    peer->call.ended = 1; /* the WebSocket has callbacks of its own */
    call_finish(&peer->call);
}
