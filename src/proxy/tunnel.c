/*
 * Switching protocols (RFC 9110 section 7.8), WebSocket above all: after 101 both sides send.
 *
 * Happy path: the client asks to upgrade, the server agrees with 101, bytes flow both ways until
 * each side has ended.  What can go wrong: a handshake of WebSocket that is none, and an answer to
 * it that does not fit.
 */
#include <string.h>

#include "base/check.h"
#include "exchange/tunnel.h"
#include "http/fields/field.h"
#include "io/random.h"
#include "pollux/request.h"
#include "proxy/answer_head.h"
#include "proxy/passage.h"

enum {
    LEAVE_MS = 1000, /* before a tunnel is closed both sides are told, to close it themselves */
    CLOSE_FRAME_BYTES = WS_HEAD_BYTES_MAX + 2
};

static bool connection_upgrades(px_exchange *exchange)
{
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    for (size_t index = 0; index < count; index++)
        if (field_name_is(fields[index].name, "connection") &&
            field_list_has(fields[index].value, "upgrade"))
            return true;
    return false;
}

/* RFC 6455 section 4.2.1. */
static bool websocket_valid(px_exchange *exchange)
{
    return px_request_method_is(exchange, "GET") &&
           ws_key_valid(px_request_field(exchange, "Sec-WebSocket-Key"));
}

/* An extended CONNECT comes as what HTTP/1.1 would bring (RFC 8441 section 4); over HTTP/2 nothing
 * else has Upgrade. */
static bool asks_to_switch(px_exchange *exchange)
{
    return px_request_version(exchange) == 20 ||
           (px_request_version(exchange) == 11 && connection_upgrades(exchange) &&
            px_request_content_length(exchange) == 0);
}

unsigned tunnel_asked(px_exchange *exchange, bool is_wanted, px_str *out_protocol)
{
    px_str list = px_request_field(exchange, "Upgrade"), element;
    bool extended = list.ptr && px_request_version(exchange) == 20;

    *out_protocol = px_str_make(NULL, 0);
    if (!list.ptr || !asks_to_switch(exchange))
        return 0;
    /* RFC 8441 section 5: what follows is the tunnel's, and has no length. */
    if (extended && px_request_field(exchange, "Content-Length").ptr)
        return 400;
    while (is_wanted && field_list_next(&list, &element)) {
        /* RFC 9113 section 3.1: that upgrade is gone, and it would be ours and not the server's. */
        if (field_name_is(element, "h2c") || !field_name_valid(element))
            continue;
        *out_protocol = element;
        return extended || !field_name_is(element, "websocket") || websocket_valid(exchange) ? 0
                                                                                             : 400;
    }
    return extended ? 405 : 0;
}

static px_err key_make(struct passage *passage, px_str *out_key)
{
    uint8_t random[16];
    char *text = arena_take_text(&passage->arena, WS_KEY_BYTES);

    if (!text)
        return PX_ERR_MEMORY;
    if (random_bytes(random, sizeof(random)) != PX_OK)
        return PX_ERR_SYSTEM;
    ws_key_make(random, text);
    *out_key = px_str_make(text, WS_KEY_BYTES);
    return PX_OK;
}

px_err tunnel_expect(struct passage *passage, px_str *out_key)
{
    px_str key = px_request_field(passage->exchange, "Sec-WebSocket-Key");

    CHECK(passage->exchange);
    *out_key = px_str_make(NULL, 0);
    passage->is_websocket = field_name_is(passage->ask.upgrade, "websocket");
    if (!passage->is_websocket)
        return PX_OK;
    if (px_request_version(passage->exchange) == 20) {
        px_err err = key_make(passage, &key);

        if (err != PX_OK)
            return err;
        *out_key = key;
    }
    ws_accept_make(key, passage->accept);
    return PX_OK;
}

bool tunnel_is_faked(const struct passage *passage, unsigned status)
{
    return passage->ask.upgrade.len > 0 && px_request_version(passage->exchange) == 20 &&
           status / 100 == 2;
}

/* --- Bytes both ways -------------------------------------------------------------------------- */

static size_t on_receive_some(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    return tunnel_receive(context, bytes);
}

static void on_receive_end(px_exchange *exchange, void *context)
{
    struct passage *passage = context;

    if (passage->is_websocket && !passage->frames[TO_SERVER].closed)
        exchange_tunnel_left(exchange);
    passage_receive_end(passage);
}

static void on_room(px_exchange *exchange, void *context)
{
    struct passage *passage = context;

    (void)exchange;
    if (passage->fetch)
        px_fetch_resume(passage->fetch);
}

static const px_tunnel_callbacks tunnel_callbacks = {.struct_size = sizeof(tunnel_callbacks),
                                                     .on_receive_some = on_receive_some,
                                                     .on_receive_end = on_receive_end,
                                                     .on_room = on_room};

px_err tunnel_open(struct passage *passage)
{
    px_str accept = px_fetch_field(passage->fetch, "Sec-WebSocket-Accept");
    size_t count;
    const px_field *fields = px_fetch_fields(passage->fetch, &count);

    CHECK(passage->stage == PASSAGE_TRYING && passage->ask.upgrade.len > 0);
    if (passage->is_websocket &&
        !px_str_equal(accept, px_str_make(passage->accept, WS_ACCEPT_BYTES)))
        return PX_ERR_MALFORMED;
    px_err err = answer_head_set(passage->exchange, fields, count);

    if (err != PX_OK)
        return err;
    /* RFC 8441 section 5.1: there is no such field over HTTP/2. */
    if (px_request_version(passage->exchange) == 20)
        px_response_set_field(passage->exchange, px_str_of("Sec-WebSocket-Accept"),
                              px_str_make(NULL, 0));
    passage->stage = PASSAGE_TUNNEL;
    if (passage->is_websocket)
        loop_socket_opened(&passage->proxy->loop->told, SOCKETS_PROXIED);
    /* The end of the request was not the end of what its client sends. */
    passage->request.ended = false;
    px_respond_tunnel(passage->exchange, passage->ask.upgrade, &tunnel_callbacks, passage);
    return PX_OK;
}

/* --- Leaving ---------------------------------------------------------------------------------- */

/* A Close frame with 1001 (RFC 6455 section 7.4.1), as it goes to one side: its bytes. */
static size_t close_write(enum tunnel_side side, char out[CLOSE_FRAME_BYTES])
{
    uint8_t key[WS_MASK_BYTES] = {0};
    char code[WS_CONTROL_BYTES_MAX];
    size_t bytes = ws_close_write(code, WS_CODE_GOING_AWAY, px_str_make(NULL, 0));

    CHECK(bytes == 2);
    /* RFC 6455 section 5.3 wants no key that can be guessed; without one the frame is plain. */
    if (side == TO_SERVER && random_bytes(key, sizeof(key)) != PX_OK)
        memset(key, 0, sizeof(key));
    size_t len = ws_head_write(out, WS_CLOSE, true, 0, bytes, side == TO_SERVER ? key : NULL);

    for (size_t index = 0; index < bytes; index++)
        out[len + index] = (char)(code[index] ^ key[index]);
    return len + bytes;
}

/* Nothing follows a Close frame, neither ours nor one that went on before. */
static void side_tell(struct passage *passage, enum tunnel_side side)
{
    char frame[CLOSE_FRAME_BYTES];
    px_str bytes = {frame, close_write(side, frame)};
    size_t used;

    if (passage->told[side] || !frames_are_between(&passage->frames[side]))
        return;
    passage->told[side] = true;
    if (passage->frames[side].closed)
        return;
    if (side == TO_CLIENT) {
        if (px_response_room(passage->exchange) >= bytes.len)
            px_response_write(passage->exchange, bytes);
    } else if (!passage->request.ended && flow_room(&passage->request) >= bytes.len &&
               kept_put(passage, &passage->request, bytes, &used) == PX_OK && passage->fetch) {
        px_fetch_resume(passage->fetch);
    }
}

static void on_leave(px_timer *timer, void *context)
{
    struct passage *passage = context;

    (void)timer;
    if (passage->stage != PASSAGE_TUNNEL || !passage->exchange)
        return;
    passage->leaving = true;
    side_tell(passage, TO_SERVER);
    side_tell(passage, TO_CLIENT);
}

void tunnel_drain(struct passage *passage)
{
    uint32_t left_ms = px_exchange_drain_left_ms(passage->exchange);

    if (!passage->is_websocket || left_ms == PX_UNLIMITED)
        return;
    if (!passage->leave)
        passage->leave = px_timer_create(passage->proxy->loop, on_leave, passage);
    if (passage->leave)
        px_timer_start(passage->leave, left_ms > 2 * LEAVE_MS ? left_ms - LEAVE_MS : left_ms / 2);
}

/* --- Both ways -------------------------------------------------------------------------------- */

/* Passes bytes on to a side, up to the end of a frame where it is to be told. */
static size_t side_pass(struct passage *passage, enum tunnel_side side, px_str bytes,
                        size_t (*pass)(struct passage *passage, px_str bytes))
{
    struct frames next = passage->frames[side];

    ASSERT(passage->stage == PASSAGE_TUNNEL);
    if (!passage->is_websocket)
        return pass(passage, bytes);
    if (passage->told[side])
        return bytes.len;
    size_t allowed = frames_follow(&next, bytes, passage->leaving);
    size_t used = allowed > 0 ? pass(passage, px_str_make(bytes.ptr, allowed)) : 0;

    if (used == allowed)
        passage->frames[side] = next;
    else
        (void)frames_follow(&passage->frames[side], px_str_make(bytes.ptr, used), false);
    if (!passage->leaving)
        return used;
    side_tell(passage, side);
    return passage->told[side] ? bytes.len : used;
}

size_t tunnel_receive(struct passage *passage, px_str bytes)
{
    return side_pass(passage, TO_SERVER, bytes, passage_receive);
}

static size_t client_send(struct passage *passage, px_str bytes)
{
    size_t room = px_response_room(passage->exchange);
    size_t used = bytes.len < room ? bytes.len : room;

    if (used > 0)
        px_response_write(passage->exchange, px_str_make(bytes.ptr, used));
    return used;
}

size_t tunnel_send(struct passage *passage, px_str bytes)
{
    return side_pass(passage, TO_CLIENT, bytes, client_send);
}
