/*
 * A request on its way through: the side of the exchange.
 */
#include "proxy/passage.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "exchange/upstream.h"
#include "http/message/method.h"
#include "net/proxy_header.h"
#include "pollux/request.h"
#include "proxy/proxy_status.h"
#include "proxy/request_head.h"

enum { TOLD_BYTES = 640 };

void passage_settle(struct passage *passage)
{
    px_proxy *proxy = passage->proxy;

    if (passage->exchange || passage->fetch)
        return;
    if (passage->stage == PASSAGE_TUNNEL && passage->is_websocket)
        loop_socket_closed(&proxy->loop->told, SOCKETS_PROXIED);
    CHECK(!passage->server && !list_linked(&passage->waiter.node));
    px_timer_destroy(passage->leave);
    kept_end(passage);
    flow_deinit(&passage->request);
    flow_deinit(&passage->answer);
    arena_reset(&passage->arena);
    pool_put(&proxy->passages, passage);
    proxy_settle(proxy);
}

void passage_tell(struct passage *passage, unsigned status, const char *why)
{
    const px_proxy_options *options = &passage->proxy->options;
    char said[TOLD_BYTES];

    if (!options->on_failure || !passage->exchange)
        return;
    upstream_say(passage->proxy->upstream, why, said, sizeof(said));
    options->on_failure(passage->exchange, status, said, options->failure_context);
}

void passage_refuse(struct passage *passage, unsigned status, const char *why, const char *kind)
{
    px_exchange *exchange = passage->exchange;

    CHECK(exchange && !list_linked(&passage->waiter.node));
    passage->stage = PASSAGE_REFUSED;
    /* What it has kept goes to no server, and others must not take its answer from it. */
    kept_end(passage);
    flow_drop(&passage->request);
    passage_tell(passage, status, why);
    if (status == 503)
        px_response_set_field(exchange, px_str_of("Retry-After"), px_str_of("1"));
    proxy_status_add(passage->proxy, exchange, kind);
    px_respond_error(exchange, status);
    /* What is left of the request is dropped, where the server does not end the connection. */
    px_request_resume(exchange);
}

void passage_give_up(struct passage *passage, unsigned status, const char *why)
{
    px_fetch *fetch = passage->fetch;

    ASSERT(passage->exchange && passage->stage != PASSAGE_REFUSED);
    place_wait_end(passage);
    if (passage->stage == PASSAGE_TRYING) {
        passage_refuse(passage, status, why,
                       status == 503 ? "proxy_internal_error" : "http_request_error");
    } else {
        if (passage->stage == PASSAGE_TUNNEL && passage->is_websocket)
            loop_socket_closed(&passage->proxy->loop->told, SOCKETS_PROXIED);
        passage_tell(passage, 0, why);
        passage->stage = PASSAGE_REFUSED;
        passage->answer.broken = true;
        px_exchange_abort(passage->exchange);
    }
    if (fetch)
        px_fetch_cancel(fetch);
}

/* --- Content of the request ------------------------------------------------------------------- */

size_t passage_receive(struct passage *passage, px_str bytes)
{
    size_t used;

    /* RFC 9112 section 9.3: once there is an answer, what is left of the request is read away. */
    if (passage->stage == PASSAGE_REFUSED || (!passage->fetch && passage->stage != PASSAGE_TRYING))
        return bytes.len;
    if (kept_put(passage, &passage->request, bytes, &used) != PX_OK) {
        px_exchange_abort(passage->exchange);
        return bytes.len;
    }
    passage->starved = passage->starved && used == 0;
    place_note(passage, used);
    if (used > 0 && passage->fetch)
        px_fetch_resume(passage->fetch);
    return used;
}

void passage_receive_end(struct passage *passage)
{
    passage->request.ended = true;
    place_note(passage, 0);
    if (passage->fetch)
        px_fetch_resume(passage->fetch);
}

static size_t on_content_some(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    return passage_receive(context, bytes);
}

static void on_content_end(px_exchange *exchange, void *context)
{
    (void)exchange;
    passage_receive_end(context);
}

/* --- The end of the exchange ------------------------------------------------------------------ */

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    struct passage *passage = context;

    (void)exchange;
    (void)end;
    kept_end(passage);
    passage->exchange = NULL;
    place_leave(passage);
    if (passage->fetch)
        px_fetch_cancel(passage->fetch);
    passage_settle(passage);
}

static void on_server_drain(px_exchange *exchange, uint32_t in_ms, void *context)
{
    (void)exchange;
    (void)in_ms; /* a tunnel is left alone as long as may be: what lies behind it knows nothing */
    tunnel_drain(context);
}

static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                .on_server_drain = on_server_drain,
                                                .on_content_some = on_content_some,
                                                .on_content_end = on_content_end,
                                                .on_end = on_end};

/* --- Beginning -------------------------------------------------------------------------------- */

static struct passage *passage_make(px_proxy *proxy, px_exchange *exchange)
{
    struct passage *passage = pool_take(&proxy->passages);
    px_loop *loop = proxy->loop;

    if (!passage)
        return NULL;
    memset(&passage->proxy, 0, offsetof(struct passage, arena) - offsetof(struct passage, proxy));
    passage->proxy = proxy;
    passage->exchange = exchange;
    arena_init(&passage->arena, &loop->allocator, passage->first, sizeof(passage->first),
               PASSAGE_HEAD_BYTES_MAX);
    flow_init(&passage->request, &loop->allocator, &loop->memory, proxy->options.replay_bytes_max);
    flow_init(&passage->answer, &loop->allocator, &loop->memory, proxy->options.answer_bytes_max);
    passage->holder.weigh = kept_weigh;
    passage->holder.give_way = kept_give_way;
    list_init(&passage->holder.node);
    list_init(&passage->waiter.node);
    list_init(&passage->place.node);
    passage->place.client = exchange_places(exchange);
    return passage;
}

/* RFC 9112 section 3.2.1: whatever form came, origin-form goes on. */
static px_str target_of(struct passage *passage)
{
    px_str path = px_request_raw_path(passage->exchange);
    px_str query = px_request_query(passage->exchange);

    if (!query.ptr)
        return path;
    char *text = arena_take_text(&passage->arena, path.len + 1 + query.len), *at = text;

    if (!text)
        return px_str_make(NULL, 0);
    at = text_write_str(at, path);
    *at++ = '?';
    at = text_write_str(at, query);
    return px_str_make(text, (size_t)(at - text));
}

/* The peer's address without its port; absent, as where it has none. */
static px_str peer_of(px_exchange *exchange)
{
    px_str peer = px_exchange_peer(exchange);
    size_t end = peer.len;

    while (end > 0 && peer.ptr[end - 1] != ':')
        end--;
    if (end == 0 || (peer.len >= 5 && memcmp(peer.ptr, "unix:", 5) == 0))
        return px_str_make(NULL, 0);
    size_t brackets = peer.ptr[0] == '[';

    return px_str_make(peer.ptr + brackets, end - 1 - 2 * brackets);
}

static bool peer_is_trusted(const px_proxy *proxy, px_exchange *exchange, px_str peer)
{
    px_str whole = px_exchange_peer(exchange);
    struct net_address address = {0};

    if (proxy->options.trusted_proxy_count == 0)
        return false;
    if (whole.len >= 5 && memcmp(whole.ptr, "unix:", 5) == 0)
        address.socket.any.sa_family = AF_UNIX;
    else if (!peer.ptr || !address_numeric(peer, 0, &address))
        return false;
    return cidr_any_has(proxy->trusted, proxy->options.trusted_proxy_count, &address);
}

static px_err fields_make(struct passage *passage, px_str websocket_key)
{
    px_proxy *proxy = passage->proxy;
    px_exchange *exchange = passage->exchange;
    struct request_head head = {.version = px_request_version(exchange),
                                .peer = peer_of(exchange),
                                .authority = px_request_authority(exchange),
                                .via_name = px_str_of(proxy->name),
                                .websocket_key = websocket_key,
                                .forwarded = proxy->options.forwarded != 0,
                                .underscores = proxy->options.underscores == 1};
    px_field *fields;

    request_head_names(&head, exchange);
    head.fields = px_request_fields(exchange, &head.field_count);
    head.scheme = px_str_of(px_request_is_https(exchange) ? "https" : "http");
    head.trusted = peer_is_trusted(proxy, exchange, head.peer);
    head.counts_hops =
        px_request_method_is(exchange, "OPTIONS") || px_request_method_is(exchange, "TRACE");
    px_err err = request_head_write(&head, &passage->arena, &fields, &passage->ask.field_count);

    if (err != PX_OK)
        return err;
    passage->ask.fields = fields;
    passage->wants_trailers = fields_want_trailers(head.fields, head.field_count);
    if (passage->wants_trailers)
        passage->ask.flags |= PX_FETCH_TRAILERS;
    passage->wants_trailers = passage->wants_trailers || head.version == 20;
    if (!proxy->host)
        passage->ask.host = head.authority;
    else if (proxy->host[0] != '\0')
        passage->ask.host = px_str_of(proxy->host);
    return PX_OK;
}

static px_err ask_make(struct passage *passage, px_str upgrade)
{
    px_exchange *exchange = passage->exchange;
    px_fetch_options *ask = &passage->ask;

    *ask = PX_FETCH_OPTIONS_DEFAULT;
    ask->method = px_request_method(exchange);
    ask->connect_timeout_ms = passage->proxy->options.connect_timeout_ms;
    ask->first_byte_timeout_ms = passage->proxy->options.first_byte_timeout_ms;
    ask->silence_timeout_ms = passage->proxy->options.silence_timeout_ms;
    ask->target = target_of(passage);
    ask->upgrade = upgrade;
    ask->flags = PX_FETCH_ONCE; /* what is tried again is for us to say */
    if (passage->proxy->options.expect_forward && px_request_field(exchange, "Expect").ptr)
        ask->flags |= PX_FETCH_EXPECT;
    ask->pull_length = upgrade.len > 0 ? PX_LENGTH_UNKNOWN : px_request_content_length(exchange);
    passage->idempotent =
        http_method_is_idempotent(http_method_of(ask->method.ptr, ask->method.len));
    if (!ask->target.ptr)
        return PX_ERR_MEMORY;
    px_str key;
    px_err err = tunnel_expect(passage, &key);

    return err == PX_OK ? fields_make(passage, key) : err;
}

void passage_begin(px_proxy *proxy, px_exchange *exchange, const px_str *upgrade)
{
    struct passage *passage = passage_make(proxy, exchange);

    CHECK(!proxy->closing);
    if (!passage) {
        px_response_set_field(exchange, px_str_of("Retry-After"), px_str_of("1"));
        proxy_status_add(proxy, exchange, "proxy_internal_error");
        px_respond_error(exchange, 503);
        return;
    }
    px_exchange_set_callbacks(exchange, &callbacks, passage);
    px_err err = ask_make(passage, *upgrade);

    if (err != PX_OK) {
        passage_refuse(passage, err == PX_ERR_LIMIT ? 400 : 503,
                       err == PX_ERR_LIMIT ? "its Connection field names too much"
                                           : "out of memory",
                       err == PX_ERR_LIMIT ? "http_request_error" : "proxy_internal_error");
        return;
    }
    if (proxy->options.total_timeout_ms > 0)
        passage->due_ms = px_loop_now_ms(proxy->loop) + proxy->options.total_timeout_ms;
    /* RFC 9110 section 10.1.1: a client that waits for 100 (Continue) sends when there is a
     * connection to send it on. */
    passage->held = passage->ask.pull_length > 0 && upgrade->len == 0 &&
                    px_request_field(exchange, "Expect").ptr;
    if (passage->held)
        px_request_pause(exchange);
    passage_try(passage);
}

static uint32_t sooner(uint32_t left, uint32_t right)
{
    return left < right ? left : right;
}

/* RFC 9110 section 7.6 leaves to us what a server is told of the connection: here its addresses. */
static px_str preamble_make(struct passage *passage, char *out)
{
    px_str texts[] = {px_exchange_peer(passage->exchange), px_exchange_local(passage->exchange)};
    struct net_address addresses[2];
    struct address_text split;
    bool known = true;

    for (size_t side = 0; side < 2; side++)
        known =
            known && texts[side].len > 0 && address_split(texts[side].ptr, &split, NULL) == PX_OK &&
            split.kind == ADDRESS_TCP && address_numeric(split.host, split.port, &addresses[side]);
    return px_str_make(out, proxy_header_write(passage->proxy->upstream->options.proxy_protocol,
                                               known ? &addresses[0] : NULL,
                                               known ? &addresses[1] : NULL, out));
}

static void ask_server(struct passage *passage)
{
    px_proxy *proxy = passage->proxy;
    px_upstream *upstream = proxy->upstream;
    const px_upstream_options *options = &upstream->options;
    px_fetch_options ask = passage->ask;
    char preamble[PROXY_HEADER_WRITTEN_MAX];
    uint64_t now_ms = px_loop_now_ms(proxy->loop);
    px_error error;

    CHECK(passage->server && !passage->fetch);
    passage->tries++;
    passage->started_ms = now_ms;
    tried_add(&passage->tried, upstream, passage->server);
    exchange_upstream_ask(passage->exchange, px_str_of(passage->server->url));
    ask.url = px_str_of(passage->server->url);
    ask.address = px_str_of(passage->server->address);
    if (options->proxy_protocol != 0)
        ask.preamble = preamble_make(passage, preamble);
    if (passage->due_ms > 0) {
        uint32_t left_ms = passage->due_ms > now_ms ? (uint32_t)(passage->due_ms - now_ms) : 1;

        /* One that is off is longer than any. */
        ask.wait_timeout_ms = left_ms;
        ask.first_byte_timeout_ms =
            sooner(ask.first_byte_timeout_ms > 0 ? ask.first_byte_timeout_ms
                                                 : options->first_byte_timeout_ms,
                   left_ms);
    }
    passage->fetch =
        px_fetch_start(upstream->client, &ask, &passage_fetch_callbacks, passage, &error);
    if (passage->fetch) {
        place_take(passage);
        return;
    }
    server_done(upstream, passage->server, SERVER_LEFT);
    passage->server = NULL;
    passage_refuse(passage, error.code == PX_ERR_INVALID ? 502 : 503, error.text,
                   "proxy_internal_error");
    upstream_serve(upstream);
}

static void on_turn(struct waiter *waiter, bool is_late)
{
    struct passage *passage = CONTAINER_OF(waiter, struct passage, waiter);

    place_wait_end(passage);
    if (is_late)
        passage_refuse(passage, 503, "no server had room in time", "connection_limit_reached");
    else
        passage_try(passage);
}

void passage_try(struct passage *passage)
{
    px_upstream *upstream = passage->proxy->upstream;
    struct queue *queue = &upstream->queue;

    CHECK(passage->exchange && passage->stage == PASSAGE_TRYING && !passage->fetch);
    /* What waits is older, unless this one comes again. */
    if (queue->count == 0 || queue->is_serving || passage->comes_again)
        passage->server = upstream_choose(upstream, passage->exchange, &passage->tried);
    if (passage->server) {
        ask_server(passage);
        return;
    }
    if (queue->count >= upstream->options.queue_max && !places_make_room(passage)) {
        passage_refuse(passage, 503, "no server takes one more request",
                       "connection_limit_reached");
        return;
    }
    uint64_t due_ms = px_loop_now_ms(upstream->loop) + upstream->options.queue_timeout_ms;

    passage->waiter.call = on_turn;
    place_wait(passage, passage->due_ms > 0 && passage->due_ms < due_ms ? passage->due_ms : due_ms);
}
