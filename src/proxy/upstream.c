/*
 * An upstream from its making to its end.
 *
 * Happy path: each server's URL is read once, a client is made for all of them.  It can fail by
 * options that are none, and for want of memory.
 */
#include "proxy/upstream.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/options.h"
#include "http/fields/field.h"
#include "http/message/uri.h"
#include "io/random.h"

enum {
    FAILS_DEFAULT = 3,
    FAILS_MS_DEFAULT = 10 * 1000,
    BACKOFF_MS_DEFAULT = 1000,
    BACKOFF_MS_MAX_DEFAULT = 60 * 1000,
    REQUESTS_DEFAULT = 256,
    QUEUE_DEFAULT = 256,
    QUEUE_MS_DEFAULT = 10 * 1000,
    SLOW_START_MS_DEFAULT = 10 * 1000,
    CONNECTIONS_MAX = 65536,
    HEALTH_TEXT_BYTES = 4096,
    /* An answer's head has 16 KiB, and ours is added to it. */
    ANSWER_HEAD_BYTES_MAX = 15 * 1024,
};

static void default_u32(uint32_t *value, uint32_t fallback)
{
    if (*value == 0)
        *value = fallback;
}

static px_err options_settle(px_upstream_options *options, px_error *out_error)
{
    if (!options->loop || !options->servers || options->server_count == 0 ||
        options->server_count > SERVERS_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "an upstream has a loop, and 1 to %d servers", SERVERS_MAX);
    if (options->balance > PX_BALANCE_HASH)
        return error_set(out_error, PX_ERR_INVALID, 0, "no such balance: %u", options->balance);
    if (options->proxy_protocol > 2)
        return error_set(out_error, PX_ERR_INVALID, 0, "no such version of PROXY headers: %u",
                         options->proxy_protocol);
    if (options->sticky_cookie && !field_name_valid(px_str_of(options->sticky_cookie)))
        return error_set(out_error, PX_ERR_INVALID, 0, "a cookie's name is a token");
    default_u32(&options->fails_max, FAILS_DEFAULT);
    default_u32(&options->fails_ms, FAILS_MS_DEFAULT);
    default_u32(&options->backoff_ms, BACKOFF_MS_DEFAULT);
    default_u32(&options->backoff_ms_max, BACKOFF_MS_MAX_DEFAULT);
    default_u32(&options->requests_max, REQUESTS_DEFAULT);
    default_u32(&options->queue_max, QUEUE_DEFAULT);
    default_u32(&options->queue_timeout_ms, QUEUE_MS_DEFAULT);
    default_u32(&options->slow_start_ms, SLOW_START_MS_DEFAULT);
    default_u32(&options->first_byte_timeout_ms, CLIENT_FIRST_BYTE_MS_DEFAULT);
    if (options->queue_max == PX_OFF)
        options->queue_max = 0;
    return PX_OK;
}

/* A server's URL names it and nothing below it: which path is asked for is the request's. */
static px_err url_check(const char *url, px_error *out_error)
{
    char text[1024];
    struct uri_parts parts;
    const char *rest = strncmp(url, "h2c://", 6) == 0 ? url + 6 : NULL;

    if (strncmp(url, "unix:/", 6) == 0)
        return PX_OK;
    if (rest && strlen(rest) + sizeof("http://") <= sizeof(text)) {
        memcpy(text, "http://", 7);
        memcpy(text + 7, rest, strlen(rest) + 1);
        url = text;
    }
    if (uri_split(px_str_of(url), &parts) == PX_OK && parts.target.len == 1) {
        if (parts.host.len != 1 || parts.host.ptr[0] != '*')
            return PX_OK;
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "%.200s: '*' is every address to listen at, and none to connect to", url);
    }
    return error_set(out_error, PX_ERR_INVALID, 0,
                     "%.200s: a server is http://host[:port], https://host[:port], "
                     "h2c://host[:port] or unix:/path, and has no path of its own",
                     url);
}

/* On the board, where there is one, and room.  What is known of a server is known of it for the
 * upstream of that name, and by these checks. */
static struct health *health_find(const px_upstream *upstream, struct server *server,
                                  const px_upstream_options *options)
{
    const px_upstream_check *check = options->check;
    char text[HEALTH_TEXT_BYTES];
    struct health *health = NULL;
    int len =
        snprintf(text, sizeof(text), "%s\n%s\n%s\n%s\n%s", options->name ? options->name : "",
                 server->url, server->address ? server->address : "",
                 check && check->path ? check->path : "", check && check->host ? check->host : "");

    if (upstream->board && len > 0 && (size_t)len < sizeof(text))
        health = board_find(upstream->board, px_str_make(text, (size_t)len),
                            px_loop_now_ms(upstream->loop));
    return health ? health : &server->own;
}

static px_err server_init(px_upstream *upstream, const px_upstream_options *options, uint32_t index,
                          px_error *out_error)
{
    struct server *server = &upstream->servers[index];
    px_upstream_server given;

    if (options_read_at(&given, sizeof(given), options->servers, index) != PX_OK)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "server of an upstream: unknown or missing struct_size");
    if (!given.url || given.weight > SERVER_WEIGHT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "a server has a URL, and a weight of at most %d", SERVER_WEIGHT_MAX);
    px_err err = url_check(given.url, out_error);

    if (err != PX_OK)
        return err;
    server->weight = given.weight > 0 ? given.weight : 1;
    server->requests_max = given.requests_max > 0 ? given.requests_max : options->requests_max;
    server->is_backup = given.backup != 0;
    server->url = alloc_copy_text(&upstream->loop->allocator, given.url);
    server->address =
        given.address ? alloc_copy_text(&upstream->loop->allocator, given.address) : NULL;
    if (!server->url || (given.address && !server->address))
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    server->hash = siphash(&upstream->key, server->url, strlen(server->url));
    server->health = health_find(upstream, server, options);
    return PX_OK;
}

static px_err client_make(px_upstream *upstream, const px_upstream_options *options,
                          px_error *out_error)
{
    px_client_options client = PX_CLIENT_OPTIONS_DEFAULT;
    uint64_t connections = 0;
    uint32_t most = 0;

    /* A check has a connection beside those of requests. */
    for (uint32_t index = 0; index < upstream->server_count; index++) {
        uint32_t own = upstream->servers[index].requests_max;

        own = own < CONNECTIONS_MAX ? own + 1 : CONNECTIONS_MAX;
        connections += own;
        most = own > most ? own : most;
    }
    client.trust = options->trust;
    client.head_bytes_max = ANSWER_HEAD_BYTES_MAX;
    client.origin_connections_max = most;
    client.connections_max =
        connections < CONNECTIONS_MAX ? (uint32_t)connections : CONNECTIONS_MAX;
    client.fetches_max = client.connections_max;
    client.connect_timeout_ms = options->connect_timeout_ms;
    client.first_byte_timeout_ms = options->first_byte_timeout_ms;
    client.silence_timeout_ms = options->silence_timeout_ms;
    client.keep_timeout_ms = options->keep_timeout_ms;
    /* What was of use a moment ago is kept: to close it, and open it again, costs more than to hold
     * it. */
    client.origin_idle_max = options->keep_max > 0 ? options->keep_max : most;
    upstream->client = px_client_create(upstream->loop, &client, out_error);
    return upstream->client ? PX_OK : out_error->code;
}

/* Places on the board that no process has any more are given up (board.h). */
static void on_seeing(px_timer *timer, void *context)
{
    px_upstream *upstream = context;
    uint64_t now_ms = px_loop_now_ms(upstream->loop);

    for (uint32_t index = 0; index < upstream->server_count; index++)
        atomic_store(&upstream->servers[index].health->seen_ms, now_ms);
    px_timer_start(timer, BOARD_SEEN_MS);
}

static px_err upstream_init(px_upstream *upstream, const px_upstream_options *options,
                            px_error *out_error)
{
    px_loop *loop = upstream->loop;

    if (options->board) {
        upstream->board = board_hold(options->board);
        upstream->key = upstream->board->key;
    } else if (random_bytes(&upstream->key, sizeof(upstream->key)) != PX_OK) {
        return error_set(out_error, PX_ERR_SYSTEM, 0, "no random bytes");
    }
    upstream->rules = (struct health_rules){.fails_max = options->fails_max,
                                            .fails_ms = options->fails_ms,
                                            .backoff_ms = options->backoff_ms,
                                            .backoff_ms_max = options->backoff_ms_max,
                                            .slow_start_ms = options->slow_start_ms};
    if (random_bytes(&upstream->random, sizeof(upstream->random)) != PX_OK)
        return error_set(out_error, PX_ERR_SYSTEM, 0, "no random bytes");
    upstream->random |= 1; /* xorshift never leaves zero */
    upstream->retry_tokens = RETRY_SECONDS_MAX;
    upstream->retry_ms = px_loop_now_ms(loop);
    upstream->servers =
        alloc_take_zeroed(&loop->allocator, options->server_count * sizeof(*upstream->servers));
    if (!upstream->servers)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    upstream->server_count = options->server_count;
    for (uint32_t index = 0; index < options->server_count; index++) {
        px_err err = server_init(upstream, options, index, out_error);

        if (err != PX_OK)
            return err;
    }
    if (options->balance == PX_BALANCE_HASH) {
        px_str key = px_str_of(options->hash_key ? options->hash_key : "{client}");

        upstream->hash_key = px_template_create(key, &loop->allocator, NULL, out_error);
        if (!upstream->hash_key)
            return out_error->code;
    }
    if (options->sticky_cookie) {
        upstream->sticky = alloc_copy_text(&loop->allocator, options->sticky_cookie);
        sticky_init(upstream);
    }
    if (upstream->board)
        upstream->seeing = px_timer_create(loop, on_seeing, upstream);
    if ((options->sticky_cookie && !upstream->sticky) || (upstream->board && !upstream->seeing) ||
        queue_init(&upstream->queue, loop) != PX_OK || places_init(upstream) != PX_OK)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    if (upstream->seeing)
        px_timer_start(upstream->seeing, BOARD_SEEN_MS);
    px_err err = client_make(upstream, options, out_error);

    if (err == PX_OK && options->check)
        err = checker_open(upstream, options->check, out_error);
    if (err == PX_OK && upstream_counts_open(upstream, options->metrics) != PX_OK)
        err = error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    return err;
}

static void checks_run(struct loop_hook *hook)
{
    upstream_check(CONTAINER_OF(hook, px_upstream, checks));
}

px_upstream *px_upstream_create(const px_upstream_options *given, px_error *out_error)
{
    px_upstream_options options;
    px_error error;

    error_clear(out_error);
    if (!given || options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "upstream options: unknown or missing struct_size");
        return NULL;
    }
    if (options_settle(&options, out_error) != PX_OK)
        return NULL;
    px_upstream *upstream = alloc_take_zeroed(&options.loop->allocator, sizeof(*upstream));

    if (!upstream) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    upstream->loop = options.loop;
    upstream->options = options;
    upstream->uses = 1;
    upstream->retry_tokens = RETRY_GAIN_SECOND;
    upstream->retry_ms = px_loop_now_ms(options.loop);
    upstream->checks.run = checks_run;
    list_init(&upstream->checks.node);
    if (upstream_init(upstream, &options, &error) == PX_OK) {
        loop_hook_add(upstream->loop, LOOP_CHECKS, &upstream->checks);
        return upstream;
    }
    error_copy(out_error, &error);
    upstream_put(upstream);
    return NULL;
}

px_upstream *upstream_take(px_upstream *upstream)
{
    CHECK(upstream->uses > 0);
    upstream->uses++;
    return upstream;
}

void upstream_put(px_upstream *upstream)
{
    px_loop *loop = upstream->loop;

    if (--upstream->uses > 0)
        return;
    CHECK(upstream->busy == 0 && upstream->proxies == 0);
    list_remove(&upstream->checks.node);
    upstream_counts_close(upstream);
    checker_close(upstream);
    /* The client steps the loop while its connections close: what is due then has no upstream. */
    px_timer_destroy(upstream->seeing);
    places_deinit(upstream);
    px_client_destroy(upstream->client);
    if (upstream->queue.loop)
        queue_deinit(&upstream->queue);
    px_upstream_board_destroy(upstream->board);
    alloc_put(&loop->allocator, upstream->sticky);
    px_template_destroy(upstream->hash_key);
    for (uint32_t index = 0; upstream->servers && index < upstream->server_count; index++) {
        alloc_put(&loop->allocator, upstream->servers[index].url);
        alloc_put(&loop->allocator, upstream->servers[index].address);
    }
    alloc_put(&loop->allocator, upstream->servers);
    alloc_put(&loop->allocator, upstream);
}

void px_upstream_destroy(px_upstream *upstream)
{
    if (upstream)
        upstream_put(upstream);
}

void px_upstream_tell(const px_upstream *upstream, uint32_t index, px_upstream_facts *out_facts)
{
    CHECK_RULE(index < upstream->server_count, "an upstream has no server of that index");
    const struct server *server = &upstream->servers[index];
    px_upstream_facts facts = PX_UPSTREAM_FACTS_INIT;

    facts.requests = server->requests;
    facts.failures = server->failures;
    facts.retries = upstream->retries;
    facts.busy = server->busy;
    facts.up = server_is_up(upstream, server);
    facts.waiting = upstream->queue.count;
    options_give(out_facts, &facts, sizeof(facts));
}
