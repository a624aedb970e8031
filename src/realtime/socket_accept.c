/*
 * The opening handshake at the server's end (RFC 6455 section 4.2, RFC 8441 section 5).
 *
 * Each look at the request either goes on or says the status that it is refused with; nothing is
 * allocated before all of them have passed.
 */
#include <string.h>

#include "base/options.h"
#include "exchange/exchange.h"
#include "http/ws/ws_handshake.h"
#include "realtime/socket.h"

enum {
    MESSAGE_BYTES_DEFAULT = 1024 * 1024,
    FRAGMENTS_DEFAULT = 4096,
    BACKLOG_BYTES_DEFAULT = 1024 * 1024,
    PING_MS_DEFAULT = 30 * 1000,
    IDLE_MS_DEFAULT = 75 * 1000,
    CLOSE_MS_DEFAULT = 5 * 1000,
    LEVEL_DEFAULT = 5,
    DEFLATE_BYTES_MIN_DEFAULT = 1024
};

_Static_assert(sizeof(px_websocket) <= 216 || sizeof(void *) > 8, "an idle WebSocket is small");

/* What the handshake settles. */
struct handshake {
    const px_field *fields; /* borrowed: the request's */
    uint32_t field_count;
    px_str key; /* absent over HTTP/2 */
    px_str protocol;
    bool deflate;
    struct ws_deflate_terms terms;
};

static uint32_t or_default(uint32_t given, uint32_t standard)
{
    return given ? given : standard;
}

/* Fills in the defaults: NULL, or what is wrong. */
static const char *options_settle(px_websocket_options *options, const px_websocket_options *given,
                                  uint32_t rate_min)
{
    if (options_read(options, sizeof(*options), given) != PX_OK)
        return STRUCT_WITHOUT_SIZE;
    if (options->message_bytes_max == 0)
        options->message_bytes_max = MESSAGE_BYTES_DEFAULT;
    options->fragments_max = or_default(options->fragments_max, FRAGMENTS_DEFAULT);
    options->backlog_bytes_max = or_default(options->backlog_bytes_max, BACKLOG_BYTES_DEFAULT);
    options->ping_ms = or_default(options->ping_ms, PING_MS_DEFAULT);
    options->idle_ms = or_default(options->idle_ms, IDLE_MS_DEFAULT);
    options->close_ms = or_default(options->close_ms, CLOSE_MS_DEFAULT);
    options->deflate_level = or_default(options->deflate_level, LEVEL_DEFAULT);
    options->deflate_server_bits = or_default(options->deflate_server_bits, WS_WINDOW_BITS_MAX);
    options->deflate_client_bits = or_default(options->deflate_client_bits, WS_WINDOW_BITS_MAX);
    options->deflate_bytes_min = or_default(options->deflate_bytes_min, DEFLATE_BYTES_MIN_DEFAULT);
    options->message_rate_min = or_default(options->message_rate_min, or_default(rate_min, PX_OFF));
    if (options->backlog > PX_BACKLOG_CLOSE || options->deflate_level > 9 ||
        options->deflate_server_bits < WS_WINDOW_BITS_MIN ||
        options->deflate_server_bits > WS_WINDOW_BITS_MAX ||
        options->deflate_client_bits < WS_WINDOW_BITS_MIN ||
        options->deflate_client_bits > WS_WINDOW_BITS_MAX)
        return "options of a WebSocket out of range";
    return NULL;
}

/* --- What the request says -------------------------------------------------------------------- */

/* The only field of that name: absent where there is none, or more than one. */
static px_str field_only(const struct handshake *handshake, const char *name, uint32_t *out_count)
{
    px_str value = px_str_make(NULL, 0);

    *out_count = 0;
    for (uint32_t index = 0; index < handshake->field_count; index++) {
        if (!field_name_is(handshake->fields[index].name, name))
            continue;
        value = handshake->fields[index].value;
        ++*out_count;
    }
    return *out_count == 1 ? value : px_str_make(NULL, 0);
}

/* Sections 4.2.1 and 4.4: 0, or the status that refuses it. */
static unsigned version_check(px_exchange *exchange, struct handshake *handshake)
{
    uint32_t count;
    px_str version = field_only(handshake, "sec-websocket-version", &count);

    /* RFC 9110 section 7.8: what HTTP/1.0 says of an upgrade is not looked at. */
    if (px_request_version(exchange) < 11)
        return 400;
    if (!field_lines_have(handshake->fields, handshake->field_count, "upgrade", "websocket"))
        return 426;
    if (!px_str_equal(px_request_method(exchange), px_str_of("GET")) &&
        px_request_version(exchange) < 20)
        return 400;
    if (count != 1 || !exchange_can_tunnel(exchange, px_str_of("websocket")))
        return 400;
    if (!px_str_equal(version, px_str_of("13")))
        return 426;
    /* RFC 8441 section 5: over HTTP/2 there is no key. */
    if (px_request_version(exchange) >= 20)
        return 0;
    handshake->key = field_only(handshake, "sec-websocket-key", &count);
    return ws_key_valid(handshake->key) ? 0 : 400;
}

/* Section 10.2: a page of another site is not let in, whatever its user's browser would send. */
static unsigned origin_check(px_exchange *exchange, const struct handshake *handshake,
                             const px_websocket_options *options)
{
    uint32_t count;
    px_str origin = field_only(handshake, "origin", &count);

    if (count == 0 || options->any_origin)
        return 0;
    if (count > 1)
        return 400;
    if (!options->origins)
        return ws_origin_same(origin, px_request_scheme(exchange), px_request_authority(exchange))
                   ? 0
                   : 403;
    for (uint32_t index = 0; index < options->origin_count; index++) {
        if (ws_origin_equal(origin, px_str_of(options->origins[index])))
            return 0;
    }
    return 403;
}

static unsigned extensions_check(struct handshake *handshake, const px_websocket_options *options)
{
    struct ws_deflate_terms wanted = {
        .server_no_takeover = options->deflate_takeover == PX_OFF,
        .client_no_takeover = options->deflate_takeover == PX_OFF,
        .server_bits = (uint8_t)options->deflate_server_bits,
        .client_bits = (uint8_t)options->deflate_client_bits,
    };
    px_err err =
        ws_deflate_choose(handshake->fields, handshake->field_count, &wanted, &handshake->terms);

    if (err == PX_ERR_MALFORMED)
        return 400;
    handshake->deflate = err == PX_OK && options->deflate == 1 && ws_deflate_is_there();
    return 0;
}

/* 0, or the status that refuses it. */
static unsigned handshake_check(px_exchange *exchange, struct handshake *handshake,
                                const px_websocket_options *options)
{
    unsigned status = version_check(exchange, handshake);

    if (status == 0)
        status = origin_check(exchange, handshake, options);
    if (status == 0)
        status = extensions_check(handshake, options);
    if (status == 0 &&
        ws_protocol_choose(handshake->fields, handshake->field_count, options->protocols,
                           options->protocol_count, &handshake->protocol) != PX_OK)
        status = 400;
    return status;
}

/* --- The answer ------------------------------------------------------------------------------- */

static void refuse(px_exchange *exchange, unsigned status)
{
    if (status == 426) {
        px_response_set_field(exchange, px_str_of("Sec-WebSocket-Version"), px_str_of("13"));
        /* RFC 9110 section 15.5.22; HTTP/2 has no such field. */
        if (px_request_version(exchange) < 20)
            exchange_offer_upgrade(exchange, px_str_of("websocket"));
    }
    px_respond_error(exchange, status);
}

static void answer(px_websocket *socket, const struct handshake *handshake)
{
    px_exchange *exchange = socket->exchange;
    char accept[WS_ACCEPT_BYTES], extension[WS_TERMS_BYTES_MAX];

    if (handshake->key.ptr) {
        ws_accept_make(handshake->key, accept);
        px_response_add_field(exchange, px_str_of("Sec-WebSocket-Accept"),
                              px_str_make(accept, WS_ACCEPT_BYTES));
    }
    if (handshake->protocol.ptr)
        px_response_add_field(exchange, px_str_of("Sec-WebSocket-Protocol"), handshake->protocol);
    if (socket->coders)
        px_response_add_field(
            exchange, px_str_of("Sec-WebSocket-Extensions"),
            px_str_make(extension, ws_deflate_write(&socket->coders->terms, extension)));
    px_exchange_set_callbacks(exchange, &socket_callbacks, socket);
    px_respond_tunnel(exchange, px_str_of("websocket"), &socket_tunnel, socket);
    if (socket->detaches)
        exchange_part(exchange, &socket->tunnel);
}

static bool terms_equal(const struct socket_terms *a, const struct socket_terms *b)
{
    return a->events == b->events && a->limits.message_bytes_max == b->limits.message_bytes_max &&
           a->limits.fragments_max == b->limits.fragments_max &&
           a->limits.ratio_max == b->limits.ratio_max &&
           a->backlog_bytes_max == b->backlog_bytes_max && a->ping_ms == b->ping_ms &&
           a->idle_ms == b->idle_ms && a->close_ms == b->close_ms &&
           a->deflate_bytes_min == b->deflate_bytes_min && a->rate_min == b->rate_min &&
           a->rate_window_ms == b->rate_window_ms && a->backlog == b->backlog &&
           a->deflate_level == b->deflate_level;
}

/* What was made for the last that was accepted is as good for one that is accepted alike; NULL
 * without memory. */
static struct socket_terms *terms_take(px_loop *loop, const struct socket_terms *wanted)
{
    struct socket_terms *last = loop->socket_terms, *terms;

    if (last && terms_equal(last, wanted)) {
        CHECK(last->holds > 0 && last->holds < UINT32_MAX);
        last->holds++;
        return last;
    }
    terms = socket_alloc(loop, sizeof(*terms));
    if (!terms)
        return NULL;
    *terms = *wanted;
    loop->socket_terms = terms;
    return terms;
}

void socket_terms_put(px_loop *loop, struct socket_terms *terms)
{
    CHECK(terms->holds > 0);
    if (--terms->holds > 0)
        return;
    if (loop->socket_terms == terms)
        loop->socket_terms = NULL;
    socket_free(loop, terms, sizeof(*terms));
}

static struct socket_terms *terms_of(px_exchange *exchange, const px_websocket_options *options,
                                     const px_websocket_events *events)
{
    struct socket_terms wanted = {
        .holds = 1,
        .events = events,
        .limits = {.message_bytes_max = options->message_bytes_max,
                   .fragments_max = options->fragments_max,
                   .ratio_max = options->deflate_ratio_max},
        .backlog_bytes_max = options->backlog_bytes_max,
        .ping_ms = options->ping_ms,
        .idle_ms = options->idle_ms,
        .close_ms = options->close_ms,
        .deflate_bytes_min = options->deflate_bytes_min,
        .rate_min = options->message_rate_min,
        .rate_window_ms = or_default(exchange_rate_window_ms(exchange), PX_OFF),
        .backlog = (uint8_t)options->backlog,
        .deflate_level = (uint8_t)options->deflate_level,
    };

    return terms_take(px_exchange_loop(exchange), &wanted);
}

/* Without a timer and coders. */
static px_websocket *socket_begin(px_exchange *exchange, const px_websocket_options *options,
                                  const px_websocket_events *events, px_str protocol)
{
    px_loop *loop = px_exchange_loop(exchange);
    px_websocket *socket =
        protocol.len <= UINT16_MAX ? socket_alloc(loop, sizeof(*socket) + protocol.len) : NULL;
    struct socket_terms *terms = socket ? terms_of(exchange, options, events) : NULL;

    if (!terms) {
        socket_free(loop, socket, sizeof(*socket) + protocol.len);
        return NULL;
    }
    memset(socket, 0, sizeof(*socket));
    socket->exchange = exchange;
    socket->loop = loop;
    socket->terms = terms;
    socket->tunnel.events = &socket_tunnel_events;
    socket->detaches = options->detach == 1;
    socket->protocol_len = (uint16_t)protocol.len;
    if (protocol.len > 0)
        memcpy(socket->protocol, protocol.ptr, protocol.len);
    return socket;
}

static px_websocket *socket_create(px_exchange *exchange, const px_websocket_options *options,
                                   const px_websocket_events *events,
                                   const struct handshake *handshake)
{
    px_websocket *socket = socket_begin(exchange, options, events, handshake->protocol);
    px_loop *loop = px_exchange_loop(exchange);

    if (!socket)
        return NULL;
    bool has_timer = timer_init(&loop->timers, &socket->timer, socket_due) == PX_OK;

    if (!has_timer || (handshake->deflate && coders_create(socket, &handshake->terms) != PX_OK)) {
        if (has_timer)
            timer_deinit(&loop->timers, &socket->timer);
        socket_terms_put(loop, socket->terms);
        socket_free(loop, socket, sizeof(*socket) + socket->protocol_len);
        return NULL;
    }
    subscriber_init(&socket->subscriber, &socket_subscriber);
    loop_task_init(&socket->again, socket_again);
    socket->heard_ms = loop_now_ms(loop);
    socket->end_due_ms =
        options->lifetime_ms ? socket->heard_ms + options->lifetime_ms : UINT64_MAX;
    socket->ping_due_ms =
        options->ping_ms == PX_OFF ? UINT64_MAX : socket->heard_ms + options->ping_ms;
    socket_schedule(socket);
    return socket;
}

px_websocket *px_websocket_accept(px_exchange *exchange, const px_websocket_options *given,
                                  const px_websocket_events *events, void *context)
{
    px_websocket_options options;
    struct handshake handshake = {.key = {NULL, 0}};
    size_t field_count;
    unsigned status;

    /* A second answer breaks the exchange before anything hangs on it. */
    if (exchange_is_settled(exchange)) {
        px_respond_error(exchange, 500);
        return NULL;
    }
    const char *fault = options_settle(&options, given, exchange_rules_of(exchange)->rate_min);

    if (!fault && (!events || events->struct_size < sizeof(events->struct_size)))
        fault = TABLE_WITHOUT_SIZE;
    if (fault) {
        exchange_break(exchange, PX_END_ABORTED, fault);
        return NULL;
    }
    handshake.fields = px_request_fields(exchange, &field_count);
    handshake.field_count = (uint32_t)field_count;
    status = handshake_check(exchange, &handshake, &options);

    if (status != 0) {
        refuse(exchange, status);
        return NULL;
    }
    px_websocket *socket = socket_create(exchange, &options, events, &handshake);

    if (!socket) {
        px_respond_error(exchange, 503);
        return NULL;
    }
    socket->context = context;
    answer(socket, &handshake);
    unsigned answered = px_response_status(exchange);

    if (answered != 101 && answered != 200) {
        /* It cannot be a tunnel, for a reason that is the transport's; on_end frees it. */
        socket->state = SOCKET_DEAD;
        socket->reported = true;
        return NULL;
    }
    loop_socket_opened(&socket->loop->told, SOCKETS_SERVED);
    if (TABLE_MEMBER(events, on_open))
        events->on_open(socket, context);
    return socket;
}
