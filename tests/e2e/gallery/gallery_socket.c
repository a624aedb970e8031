/*
 * WebSockets, streams of events and topics of the gallery.
 *
 *   /socket?mode=M&...   what comes goes back, by the calls that M names: echo, body, pieces (each
 *                        piece as it comes), topic (to all that are subscribed), from (by another
 *                        way into the loop), flood (N messages of 1000 bytes at once), hub (to all
 *                        that are subscribed, here and where else Redis at GALLERY_REDIS reaches)
 *   /socket/hub          whether that is connected, and what was lost
 *   /socket/closed       how WebSockets ended, a line each, since this was last asked
 *   /events              a stream of events, subscribed to the topic
 *   POST /publish        to the topic
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gallery.h"

enum { MODE_ECHO, MODE_BODY, MODE_PIECES, MODE_TOPIC, MODE_FROM, MODE_FLOOD, MODE_HUB, MODE_COUNT };

static const char *const modes[MODE_COUNT] = {"echo", "body",  "pieces", "topic",
                                              "from", "flood", "hub"};

/* How what ended has ended; cut when nobody asks. */
static char closed[64 * 1024];

static px_topic *topic_of(px_loop *loop)
{
    static px_topic *topic;

    if (!topic) {
        px_topic_options options = PX_TOPIC_OPTIONS_DEFAULT;

        options.kept_count = 8;
        options.event = "news";
        topic = px_topic_create(loop, &options, NULL);
    }
    return topic;
}

/* What the request has said: its exchange may have ended when that matters. */
struct visit {
    int mode;
    px_loop *loop;
    char *counted; /* owned: what a flood has to say when there is room */
    char name[64];
};

static px_hub *hub_of(px_loop *loop)
{
    static px_hub *hub;

    if (!hub && getenv("GALLERY_REDIS")) {
        px_hub_redis_options options = PX_HUB_REDIS_OPTIONS_DEFAULT;
        px_error error;

        options.address = getenv("GALLERY_REDIS");
        options.password = getenv("GALLERY_REDIS_PASSWORD");
        options.retry_ms = 50;
        hub = px_hub_create_redis(loop, &options, &error);
        if (hub && px_hub_name(hub, "news", topic_of(loop)) != PX_OK)
            abort();
    }
    return hub;
}

void gallery_hub(px_exchange *exchange, void *context)
{
    px_hub *hub = hub_of(px_exchange_loop(exchange));
    char text[64];

    (void)context;
    snprintf(text, sizeof(text), "%d %llu", hub ? px_hub_is_connected(hub) : -1,
             hub ? (unsigned long long)px_hub_lost(hub) : 0ULL);
    gallery_say(exchange, text);
}

static int mode_of(px_exchange *exchange)
{
    px_str wanted = px_request_query_param(exchange, "mode");

    for (int mode = 0; mode < MODE_COUNT; mode++)
        if (px_str_equal(wanted, px_str_of(modes[mode])))
            return mode;
    return MODE_ECHO;
}

static void flood(px_websocket *socket, px_str message, struct visit *visit)
{
    char text[64];
    unsigned full = 0;
    snprintf(text, sizeof(text), "%.*s", (int)message.len, message.ptr ? message.ptr : "");
    long count = strtol(text, NULL, 10);

    for (long i = 0; i < count; i++)
        full += px_websocket_send(socket, PX_WEBSOCKET_BINARY, gallery_pattern(1000)) == PX_FULL;
    snprintf(text, sizeof(text), "full %u", full);
    visit->counted = strdup(text);
}

static void echo_body(px_websocket *socket, px_websocket_kind kind, px_str message)
{
    px_body body = {
        .struct_size = sizeof(px_body), .release = free, .context = malloc(message.len + 1)};

    if (message.len > 0)
        memcpy(body.context, message.ptr, message.len);
    body.bytes = px_str_make(body.context, message.len);
    px_websocket_send_body(socket, kind, &body);
}

static void on_message(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    struct visit *visit = context;
    px_ref ref;

    switch (visit->mode) {
    case MODE_BODY:
        echo_body(socket, kind, message);
        break;
    case MODE_TOPIC:
        px_topic_publish(topic_of(visit->loop), kind, message);
        break;
    case MODE_HUB:
        px_hub_publish(hub_of(visit->loop), "news", kind, message);
        break;
    case MODE_FROM:
        ref = px_websocket_ref(socket);
        if (px_websocket_send_from(&ref, kind, message) != PX_OK)
            abort();
        px_ref_release(&ref);
        break;
    case MODE_FLOOD:
        flood(socket, message, visit);
        break;
    default:
        px_websocket_send(socket, kind, message);
    }
}

static void on_piece(px_websocket *socket, px_websocket_kind kind, px_str piece, int last,
                     void *context)
{
    (void)context;
    px_websocket_send_piece(socket, kind, piece, last);
}

/* What was counted in a flood is said when there is room for it. */
static void on_drain(px_websocket *socket, void *context)
{
    struct visit *visit = context;
    char *text = visit->counted;

    if (!text)
        return;
    visit->counted = NULL;
    px_websocket_send(socket, PX_WEBSOCKET_TEXT, px_str_of(text));
    free(text);
}

static void on_open(px_websocket *socket, void *context)
{
    struct visit *visit = context;
    px_exchange *exchange = px_websocket_exchange(socket);
    px_topic *topic = topic_of(visit->loop);
    unsigned long code = gallery_number(exchange, "bye", 0);

    if (gallery_number(exchange, "greet", 0))
        px_websocket_send(socket, PX_WEBSOCKET_TEXT, px_str_of("welcome"));
    if (visit->mode == MODE_TOPIC || visit->mode == MODE_HUB) {
        px_topic_last(topic, socket, (unsigned)gallery_number(exchange, "last", 0));
        if (px_topic_subscribe(topic, socket) != PX_OK)
            abort();
    }
    if (code)
        px_websocket_close(socket, (unsigned)code, px_str_of("the gallery closes"));
}

static void on_close(px_websocket *socket, unsigned code, px_str reason, int clean, void *context)
{
    struct visit *visit = context;
    size_t at = strlen(closed);

    (void)socket;
    snprintf(closed + at, sizeof(closed) - at, "%s %u %s %.*s\n", visit->name, code,
             clean ? "clean" : "cut", (int)reason.len, reason.ptr);
    free(visit->counted);
    free(visit);
}

static void on_pong(px_websocket *socket, uint64_t round_trip_ms, void *context)
{
    (void)context;
    px_websocket_send(socket, PX_WEBSOCKET_TEXT,
                      px_str_of(round_trip_ms < 10000 ? "a pong" : "a late pong"));
}

static const px_websocket_events whole = {.struct_size = sizeof(whole),
                                          .on_message = on_message,
                                          .on_open = on_open,
                                          .on_drain = on_drain,
                                          .on_pong = on_pong,
                                          .on_close = on_close};
static const px_websocket_events pieces = {
    .struct_size = sizeof(pieces), .on_piece = on_piece, .on_open = on_open, .on_close = on_close};

void gallery_socket(px_exchange *exchange, void *context)
{
    static const char *const protocols[] = {"chat", "superchat"};
    static const char *const origins[] = {"https://friend.example", "null"};
    px_websocket_options options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    struct visit *visit = calloc(1, sizeof(*visit));
    px_str name = px_request_query_param(exchange, "name");

    (void)context;
    if (!visit)
        abort();
    visit->mode = mode_of(exchange);
    visit->loop = px_exchange_loop(exchange);
    snprintf(visit->name, sizeof(visit->name), "%.*s", (int)name.len, name.ptr ? name.ptr : "");
    options.protocols = protocols;
    options.protocol_count = 2;
    if (gallery_number(exchange, "origins", 0)) {
        options.origins = origins;
        options.origin_count = 2;
    }
    options.any_origin = (unsigned)gallery_number(exchange, "any", 0);
    options.message_bytes_max = gallery_number(exchange, "max", 0);
    options.fragments_max = (unsigned)gallery_number(exchange, "fragments", 0);
    options.backlog_bytes_max = (unsigned)gallery_number(exchange, "backlog", 0);
    options.backlog = (unsigned)gallery_number(exchange, "policy", 0);
    options.ping_ms = (unsigned)gallery_number(exchange, "ping", 0);
    options.idle_ms = (unsigned)gallery_number(exchange, "idle", 0);
    options.close_ms = (unsigned)gallery_number(exchange, "close", 0);
    options.lifetime_ms = (unsigned)gallery_number(exchange, "life", 0);
    options.deflate = (unsigned)gallery_number(exchange, "deflate", 0);
    options.deflate_bytes_min = (unsigned)gallery_number(exchange, "min", 0);
    options.deflate_server_bits = (unsigned)gallery_number(exchange, "bits", 0);
    options.deflate_client_bits = (unsigned)gallery_number(exchange, "bits", 0);
    options.deflate_takeover = gallery_number(exchange, "takeover", 1) ? 0 : PX_OFF;
    options.deflate_ratio_max = (unsigned)gallery_number(exchange, "ratio", 0);
    options.detach = (unsigned)gallery_number(exchange, "detach", 0);
    if (!px_websocket_accept(exchange, &options, visit->mode == MODE_PIECES ? &pieces : &whole,
                             visit))
        free(visit);
}

void gallery_closed(px_exchange *exchange, void *context)
{
    (void)context;
    gallery_say(exchange, closed);
    closed[0] = '\0';
}

static void on_events_close(px_events *stream, px_end end, void *context)
{
    px_str name = px_request_query_param(px_events_exchange(stream), "name");
    size_t at = strlen(closed);

    (void)context;
    snprintf(closed + at, sizeof(closed) - at, "%.*s %s\n", (int)name.len, name.ptr ? name.ptr : "",
             end == PX_END_COMPLETE ? "complete" : "gone");
}

void gallery_events(px_exchange *exchange, void *context)
{
    px_events_options options = PX_EVENTS_OPTIONS_DEFAULT;
    px_events *stream;

    (void)context;
    options.on_close = on_events_close;
    options.retry_ms = (unsigned)gallery_number(exchange, "retry", 0);
    options.heartbeat_ms = (unsigned)gallery_number(exchange, "beat", 0);
    options.lifetime_ms = (unsigned)gallery_number(exchange, "life", 0);
    stream = px_events_accept(exchange, &options);
    if (!stream)
        return;
    px_events_send(stream, px_events_last_id(stream), px_str_of("hello"),
                   px_str_of("one\ntwo\r\nthree\r"));
    if (px_topic_subscribe_events(topic_of(px_exchange_loop(exchange)), stream) != PX_OK)
        abort();
}

void gallery_publish(px_exchange *exchange, void *context)
{
    (void)context;
    px_topic_publish(topic_of(px_exchange_loop(exchange)), PX_WEBSOCKET_TEXT,
                     px_request_content(exchange));
    gallery_say(exchange, "published\n");
}

void gallery_socket_end(px_loop *loop)
{
    px_hub_destroy(hub_of(loop));
    px_topic_destroy(topic_of(loop));
}
