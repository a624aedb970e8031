/*
 * A hub over Redis, by hiredis on watches of the loop.
 *
 * Two connections, since one that has subscribed can say nothing else: `say` publishes, `hear` is
 * subscribed.  A message is the mark of its hub (16 random bytes, by which it knows its own), the
 * kind (1 byte) and the content.  What can go wrong: either connection ends; hiredis frees its
 * context, and the timer tries again.  What is published meanwhile is lost to the others.
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/options.h"
#include "io/io.h"
#include "io/push.h"
#include "io/random.h"
#include "pollux/hub_redis.h"
#include "realtime/hub_engine.h"
#include "realtime/limits.h"
#include "realtime/outbox.h"

enum {
    MARK_BYTES = 16,
    HEAD_BYTES = MARK_BYTES + 1,
    TEXT_MAX = 128, /* of an address, a user, a password */
    PREFIX_MAX = 64,
    CHANNEL_MAX = PREFIX_MAX + 256,
    RETRY_MS_DEFAULT = 250,
    RETRY_MS_MAX = 30 * 1000,
    PORT_DEFAULT = 6379
};

struct redis_link {
    struct redis_hub *redis;    /* borrowed: outlives it */
    redisAsyncContext *context; /* hiredis frees it, and says so by `cleanup`; NULL: it is down */
    px_watch *watch;            /* owned */
    unsigned events;            /* what hiredis wants */
    bool is_up;
};

struct redis_hub {
    struct hub_engine engine;
    px_loop *loop;   /* borrowed: outlives it */
    px_timer *retry; /* owned */
    struct redis_link say;
    struct redis_link hear;
    uint32_t first_pause_ms;
    uint32_t pause_ms;
    int port; /* 0: a unix socket */
    bool ending;
    char mark[MARK_BYTES];
    char address[TEXT_MAX];
    char user[TEXT_MAX];
    char password[TEXT_MAX];
    char prefix[PREFIX_MAX + 1];
};

static struct redis_hub *redis_of(struct hub_engine *engine)
{
    return CONTAINER_OF(engine, struct redis_hub, engine);
}

/* --- Watches for hiredis ---------------------------------------------------------------------- */

static void on_ready(px_watch *watch, unsigned events, void *context)
{
    struct redis_link *link = context;
    bool broken = (events & PX_WATCH_ERROR) != 0;

    (void)watch;
    /* Each of the two may free the context. */
    if ((events & PX_WATCH_READ) || (broken && (link->events & PX_WATCH_READ)))
        redisAsyncHandleRead(link->context);
    if (link->context && (link->events & PX_WATCH_WRITE) && ((events & PX_WATCH_WRITE) || broken)) {
        redisAsyncHandleWrite(link->context);
        sigpipe_drain(); /* hiredis writes without MSG_NOSIGNAL */
    }
}

/* Looks for what hiredis wants.  A connection that cannot be looked at is given up by the timer:
 * not from here, where hiredis is at work. */
static void events_want(struct redis_link *link, unsigned events)
{
    px_error error;

    link->events = events;
    if (!link->watch)
        link->watch =
            px_watch_create(link->redis->loop, link->context->c.fd, events, on_ready, link, &error);
    else if (px_watch_change(link->watch, events) != PX_OK) {
        px_watch_destroy(link->watch);
        link->watch = NULL;
    }
    if (!link->watch) {
        link->is_up = false;
        px_timer_start(link->redis->retry, link->redis->pause_ms);
    }
}

static void add_read(void *data)
{
    struct redis_link *link = data;

    events_want(link, link->events | PX_WATCH_READ);
}

static void del_read(void *data)
{
    struct redis_link *link = data;

    events_want(link, link->events & ~(unsigned)PX_WATCH_READ);
}

static void add_write(void *data)
{
    struct redis_link *link = data;

    events_want(link, link->events | PX_WATCH_WRITE);
}

static void del_write(void *data)
{
    struct redis_link *link = data;

    events_want(link, link->events & ~(unsigned)PX_WATCH_WRITE);
}

static void link_down(struct redis_link *link)
{
    struct redis_hub *redis = link->redis;

    px_watch_destroy(link->watch);
    link->watch = NULL;
    link->context = NULL;
    link->events = 0;
    link->is_up = false;
    if (!redis->ending)
        px_timer_start(redis->retry, redis->pause_ms);
}

static void cleanup(void *data)
{
    link_down(data);
}

/* --- Receiving -------------------------------------------------------------------------------- */

static px_str text_of(const redisReply *reply)
{
    return px_str_make(reply->str, reply->len);
}

static void message_take(struct redis_hub *redis, px_str channel, px_str payload)
{
    size_t prefix = strlen(redis->prefix);

    if (channel.len <= prefix || payload.len < HEAD_BYTES ||
        payload.len > PX_HUB_MESSAGE_BYTES_MAX + HEAD_BYTES ||
        memcmp(payload.ptr, redis->mark, MARK_BYTES) == 0)
        return;
    uint8_t kind = (uint8_t)payload.ptr[MARK_BYTES];

    if (kind == PX_WEBSOCKET_TEXT || kind == PX_WEBSOCKET_BINARY)
        hub_take(redis->engine.hub, px_str_make(channel.ptr + prefix, channel.len - prefix),
                 (px_websocket_kind)kind,
                 px_str_make(payload.ptr + HEAD_BYTES, payload.len - HEAD_BYTES));
}

static void on_heard(redisAsyncContext *context, void *data, void *link_of)
{
    struct redis_link *link = link_of;
    const redisReply *reply = data;

    (void)context;
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements != 3 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return;
    if (px_str_equal(text_of(reply->element[0]), px_str_of("subscribe"))) {
        link->is_up = true;
        link->redis->pause_ms = link->redis->first_pause_ms;
        return;
    }
    if (px_str_equal(text_of(reply->element[0]), px_str_of("message")) &&
        reply->element[1]->type == REDIS_REPLY_STRING &&
        reply->element[2]->type == REDIS_REPLY_STRING)
        message_take(link->redis, text_of(reply->element[1]), text_of(reply->element[2]));
}

/* --- Connecting ------------------------------------------------------------------------------- */

/* The answer to PING, which Redis gives to those that may publish. */
static void on_asked(redisAsyncContext *context, void *data, void *link_of)
{
    struct redis_link *link = link_of;
    const redisReply *reply = data;

    if (reply && reply->type == REDIS_REPLY_STATUS)
        link->is_up = true;
    else if (reply)
        redisAsyncDisconnect(context);
}

static size_t channel_write(const struct redis_hub *redis, px_str name, char out[CHANNEL_MAX])
{
    size_t prefix = strlen(redis->prefix);

    CHECK(prefix + name.len <= CHANNEL_MAX);
    memcpy(out, redis->prefix, prefix);
    memcpy(out + prefix, name.ptr, name.len);
    return prefix + name.len;
}

static void name_subscribe(px_str name, void *context)
{
    struct redis_hub *redis = context;
    char channel[CHANNEL_MAX];
    size_t len = channel_write(redis, name, channel);

    if (redis->hear.context)
        (void)redisAsyncCommand(redis->hear.context, on_heard, &redis->hear, "SUBSCRIBE %b",
                                channel, len);
}

static void authenticate(struct redis_link *link)
{
    const struct redis_hub *redis = link->redis;

    if (redis->password[0] && redis->user[0])
        (void)redisAsyncCommand(link->context, NULL, NULL, "AUTH %s %s", redis->user,
                                redis->password);
    else if (redis->password[0])
        (void)redisAsyncCommand(link->context, NULL, NULL, "AUTH %s", redis->password);
}

static void link_connect(struct redis_link *link)
{
    struct redis_hub *redis = link->redis;
    redisAsyncContext *context = redis->port ? redisAsyncConnect(redis->address, redis->port)
                                             : redisAsyncConnectUnix(redis->address);

    if (!context || context->err) {
        if (context)
            redisAsyncFree(context);
        px_timer_start(redis->retry, redis->pause_ms);
        return;
    }
    link->context = context;
    context->ev.data = link;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
    authenticate(link);
    if (link == &redis->hear)
        hub_names_each(redis->engine.hub, name_subscribe, redis);
    else
        (void)redisAsyncCommand(context, on_asked, link, "PING");
}

static void link_retry(struct redis_link *link)
{
    if (link->context && !link->watch)
        redisAsyncFree(link->context); /* link_down sets the timer again */
    else if (!link->context)
        link_connect(link);
}

static void on_retry(px_timer *timer, void *context)
{
    struct redis_hub *redis = context;

    (void)timer;
    redis->pause_ms = redis->pause_ms < RETRY_MS_MAX / 2 ? redis->pause_ms * 2 : RETRY_MS_MAX;
    link_retry(&redis->say);
    link_retry(&redis->hear);
}

/* --- As an engine ----------------------------------------------------------------------------- */

static px_err redis_publish(struct hub_engine *engine, px_str name, px_websocket_kind kind,
                            px_str message)
{
    struct redis_hub *redis = redis_of(engine);
    char channel[CHANNEL_MAX];
    size_t len = channel_write(redis, name, channel);

    /* What Redis does not take in time is not kept without end. */
    if (!redis->say.is_up || sdslen(redis->say.context->c.obuf) >= HUB_BACKLOG_BYTES)
        return PX_FULL;
    struct shared_bytes *payload = shared_create(redis->loop, HEAD_BYTES + message.len);

    if (!payload)
        return PX_ERR_MEMORY;
    memcpy(payload->room, redis->mark, MARK_BYTES);
    payload->room[MARK_BYTES] = (char)kind;
    if (message.len > 0)
        memcpy(payload->room + HEAD_BYTES, message.ptr, message.len);
    int status = redisAsyncCommand(redis->say.context, NULL, NULL, "PUBLISH %b %b", channel, len,
                                   payload->room, HEAD_BYTES + message.len);

    shared_put(payload);
    return status == REDIS_OK ? PX_OK : PX_FULL;
}

static void redis_named(struct hub_engine *engine, px_str name)
{
    name_subscribe(name, redis_of(engine));
}

static bool redis_is_connected(const struct hub_engine *engine)
{
    const struct redis_hub *redis = CONTAINER_OF(engine, const struct redis_hub, engine);

    return redis->say.is_up && redis->hear.is_up;
}

static void redis_end(struct hub_engine *engine)
{
    struct redis_hub *redis = redis_of(engine);

    redis->ending = true;
    if (redis->say.context)
        redisAsyncFree(redis->say.context);
    if (redis->hear.context)
        redisAsyncFree(redis->hear.context);
    px_timer_destroy(redis->retry);
    socket_free(redis->loop, redis, sizeof(*redis));
}

static const struct hub_engine_calls redis_calls = {redis_publish, redis_named, redis_is_connected,
                                                    redis_end};

/* --- Making one ------------------------------------------------------------------------------- */

static bool text_keep(char *out, size_t room, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    if (len >= room)
        return false;
    memcpy(out, text ? text : "", len + 1);
    return true;
}

/* "192.0.2.1:6379" or "unix:/path". */
static bool address_keep(struct redis_hub *redis, const char *text)
{
    if (!text)
        text = "127.0.0.1:6379";
    if (strncmp(text, "unix:", 5) == 0)
        return text[5] == '/' && text_keep(redis->address, sizeof(redis->address), text + 5);
    const char *colon = strrchr(text, ':');
    char *end;

    if (!colon || !text_keep(redis->address, sizeof(redis->address), text) ||
        strspn(text, "0123456789.") != (size_t)(colon - text))
        return false;
    redis->address[colon - text] = '\0';
    redis->port = (int)strtol(colon + 1, &end, 10);
    return end != colon + 1 && *end == '\0' && redis->port > 0 && redis->port <= UINT16_MAX;
}

static bool options_keep(struct redis_hub *redis, const px_hub_redis_options *options)
{
    redis->first_pause_ms = options->retry_ms ? options->retry_ms : RETRY_MS_DEFAULT;
    redis->pause_ms = redis->first_pause_ms;
    return address_keep(redis, options->address) &&
           text_keep(redis->user, sizeof(redis->user), options->user) &&
           text_keep(redis->password, sizeof(redis->password), options->password) &&
           text_keep(redis->prefix, sizeof(redis->prefix),
                     options->prefix ? options->prefix : "pollux:");
}

static struct redis_hub *redis_create(px_loop *loop, const px_hub_redis_options *options,
                                      px_error *out_error)
{
    struct redis_hub *redis = socket_alloc(loop, sizeof(*redis));

    if (!redis) {
        error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a hub");
        return NULL;
    }
    memset(redis, 0, sizeof(*redis));
    redis->engine.calls = &redis_calls;
    redis->loop = loop;
    redis->say.redis = redis->hear.redis = redis;
    if (!options_keep(redis, options))
        error_set(out_error, PX_ERR_INVALID, 0,
                  "an address of Redis is ADDRESS:PORT or unix:/path, and a prefix has at most %d "
                  "bytes",
                  PREFIX_MAX);
    else if (random_bytes(redis->mark, MARK_BYTES) != PX_OK)
        error_set(out_error, PX_ERR_SYSTEM, 0, "no random bytes");
    else if (!(redis->retry = px_timer_create(loop, on_retry, redis)))
        error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a hub");
    else
        return redis;
    socket_free(loop, redis, sizeof(*redis));
    return NULL;
}

px_hub *px_hub_create_redis(px_loop *loop, const px_hub_redis_options *given, px_error *out_error)
{
    px_hub_redis_options options;

    if (options_take(&options, sizeof(options), given, "hub options", out_error) != PX_OK)
        return NULL;
    struct redis_hub *redis = redis_create(loop, &options, out_error);
    px_hub *hub = redis ? px_hub_create(loop, NULL, 0, out_error) : NULL;

    if (hub) {
        hub_engine_set(hub, &redis->engine);
        link_connect(&redis->say);
        link_connect(&redis->hear);
    } else if (redis) {
        redis_end(&redis->engine);
    }
    return hub;
}
