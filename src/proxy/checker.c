/*
 * Checks: each server is asked for a path now and then, by one process of all.
 *
 * Happy path: a timer goes off, a server's check is due, and this process is the one that takes it;
 * a request on a connection of its own, the status of whose answer decides.  What can go wrong, but
 * for our own cancelling, is a check that failed.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "net/proxy_header.h"
#include "proxy/upstream.h"

enum {
    CHECK_EVERY_MS = 2000,
    CHECK_EVERY_MS_MIN = 10,
    CHECK_FALL = 3,
    CHECK_RISE = 2,
    CHECK_STATUS_MIN = 200,
    CHECK_STATUS_MAX = 399,
    CHECK_WHY_BYTES = 320,
    /* Content is read, so that its server does not see a reset; more than a page of health is
     * cut. */
    CHECK_CONTENT_BYTES_MAX = 1024 * 1024,
};

struct checker {
    px_timer *timer;         /* owned */
    char *path;              /* owned */
    char *host;              /* owned, or NULL */
    px_upstream_check rules; /* settled; its texts are those above */
};

/* A server's, which may outlive the upstream until its fetch has ended. */
struct check {
    px_upstream *upstream; /* borrowed; NULL: it has ended */
    struct server *server; /* borrowed, likewise */
    const px_allocator *allocator;
    px_fetch *fetch; /* borrowed; NULL: none in flight */
    uint64_t content_bytes;
    bool is_well;
    bool has_status;
};

/* --- One check -------------------------------------------------------------------------------- */

static void tell(const struct check *check, unsigned status, const px_error *error)
{
    bool is_up = check->is_well;
    char why[CHECK_WHY_BYTES];

    if (is_up)
        snprintf(why, sizeof(why), "is up again by its checks");
    else if (check->has_status)
        snprintf(why, sizeof(why), "is down by its checks: the last was answered %u", status);
    else
        snprintf(why, sizeof(why), "is down by its checks: %s", error->text);
    upstream_tell_change(check->upstream, check->server, why);
}

/* What counts is the head, and is known then. */
static void judge(struct check *check, px_fetch *fetch, const px_error *error)
{
    px_upstream *upstream = check->upstream;

    if (health_checked(check->server->health, &upstream->rules, check->is_well,
                       px_loop_now_ms(upstream->loop)))
        tell(check, px_fetch_status(fetch), error);
}

static void on_head(px_fetch *fetch, void *context)
{
    struct check *check = context;
    unsigned status = px_fetch_status(fetch);

    if (!check->upstream)
        return;
    const px_upstream_check *rules = &check->upstream->checker->rules;

    check->has_status = true;
    check->is_well = status >= rules->status_min && status <= rules->status_max;
    judge(check, fetch, NULL);
}

static size_t on_content(px_fetch *fetch, px_str bytes, void *context)
{
    struct check *check = context;

    check->content_bytes += bytes.len;
    if (check->content_bytes > CHECK_CONTENT_BYTES_MAX)
        px_fetch_cancel(fetch);
    return bytes.len;
}

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct check *check = context;

    CHECK(check->fetch == fetch);
    check->fetch = NULL;
    if (!check->upstream) {
        alloc_put(check->allocator, check);
        return;
    }
    /* Cancelled, or for want of memory: that says nothing of the server. */
    if (!check->has_status && error->code != PX_ERR_CANCELLED && error->code != PX_ERR_MEMORY)
        judge(check, fetch, error);
}

static const px_fetch_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                             .on_head = on_head,
                                             .on_content = on_content,
                                             .on_end = on_end};

static void check_begin(struct check *check)
{
    px_upstream *upstream = check->upstream;
    const struct checker *checker = upstream->checker;
    px_fetch_options ask = PX_FETCH_OPTIONS_DEFAULT;
    char preamble[PROXY_HEADER_WRITTEN_MAX];
    px_error error;

    CHECK(upstream && !check->fetch && upstream->checker);
    ask.url = px_str_of(check->server->url);
    ask.address = px_str_of(check->server->address);
    ask.target = px_str_of(checker->path);
    ask.host = px_str_of(checker->host);
    ask.flags = PX_FETCH_FRESH | PX_FETCH_ONCE;
    ask.total_timeout_ms = checker->rules.timeout_ms;
    if (upstream->options.proxy_protocol != 0)
        ask.preamble = px_str_make(
            preamble, proxy_header_write(upstream->options.proxy_protocol, NULL, NULL, preamble));
    check->is_well = false;
    check->has_status = false;
    check->content_bytes = 0;
    check->fetch = px_fetch_start(upstream->client, &ask, &callbacks, check, &error);
}

/* --- All of them ------------------------------------------------------------------------------ */

/* Each server's checks are a tenth sooner or later than said, so that those of many do not come at
 * once. */
static uint32_t every_of(const px_upstream *upstream, const struct server *server, uint64_t now_ms)
{
    uint32_t every_ms = upstream->checker->rules.every_ms, tenth = every_ms / 10;
    uint64_t both[2] = {server->hash, now_ms};

    CHECK(every_ms >= CHECK_EVERY_MS_MIN);
    return every_ms - tenth +
           (tenth > 0 ? (uint32_t)(siphash(&upstream->key, both, sizeof(both)) % (2 * tenth)) : 0);
}

/* Processes that do not take a check look again a little later: it may be that the one which does
 * ends. */
static void on_timer(px_timer *timer, void *context)
{
    px_upstream *upstream = context;
    uint64_t now_ms = px_loop_now_ms(upstream->loop), due_ms = UINT64_MAX;

    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];

        if (!server->check->fetch &&
            health_take_check(server->health, now_ms, every_of(upstream, server, now_ms)))
            check_begin(server->check);
        uint64_t next_ms = atomic_load(&server->health->check_ms);

        if (next_ms < due_ms)
            due_ms = next_ms;
    }
    px_timer_start(timer, due_ms > now_ms ? (uint32_t)(due_ms - now_ms) : CHECK_EVERY_MS_MIN);
}

/* --- Opening and closing ---------------------------------------------------------------------- */

static px_err settle(px_upstream_check *rules, px_error *out_error)
{
    const uint32_t status_min = rules->status_min;

    rules->every_ms = rules->every_ms > 0 ? rules->every_ms : CHECK_EVERY_MS;
    rules->timeout_ms = rules->timeout_ms > 0 ? rules->timeout_ms : rules->every_ms;
    rules->fall = rules->fall > 0 ? rules->fall : CHECK_FALL;
    rules->rise = rules->rise > 0 ? rules->rise : CHECK_RISE;
    rules->status_min = status_min > 0 ? status_min : CHECK_STATUS_MIN;
    if (rules->status_max == 0)
        rules->status_max = status_min > 0 ? status_min : CHECK_STATUS_MAX;
    rules->path = rules->path ? rules->path : "/";
    if (rules->path[0] != '/' || rules->every_ms < CHECK_EVERY_MS_MIN ||
        rules->every_ms == PX_OFF || rules->status_min > rules->status_max ||
        rules->status_max > 599)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "a check has a path that begins with a slash, at least %d ms between two, "
                         "and statuses up to 599",
                         CHECK_EVERY_MS_MIN);
    return PX_OK;
}

static px_err checks_make(px_upstream *upstream)
{
    const px_allocator *allocator = &upstream->loop->allocator;

    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];

        server->check = alloc_take_zeroed(allocator, sizeof(*server->check));
        if (!server->check)
            return PX_ERR_MEMORY;
        *server->check =
            (struct check){.upstream = upstream, .server = server, .allocator = allocator};
    }
    return PX_OK;
}

px_err checker_open(px_upstream *upstream, const px_upstream_check *given, px_error *out_error)
{
    const px_allocator *allocator = &upstream->loop->allocator;
    px_upstream_check rules;

    px_err err = options_take(&rules, sizeof(rules), given, "check of an upstream", out_error);

    if (err == PX_OK)
        err = settle(&rules, out_error);
    if (err != PX_OK)
        return err;
    struct checker *checker = alloc_take_zeroed(allocator, sizeof(*checker));

    upstream->checker = checker;
    if (!checker)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    checker->rules = rules;
    checker->path = alloc_copy_text(allocator, rules.path);
    checker->host = rules.host ? alloc_copy_text(allocator, rules.host) : NULL;
    checker->timer = px_timer_create(upstream->loop, on_timer, upstream);
    if (!checker->path || (rules.host && !checker->host) || !checker->timer ||
        checks_make(upstream) != PX_OK)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    upstream->rules.fall = rules.fall;
    upstream->rules.rise = rules.rise;
    px_timer_start(checker->timer, 0);
    return PX_OK;
}

void checker_close(px_upstream *upstream)
{
    const px_allocator *allocator = &upstream->loop->allocator;
    struct checker *checker = upstream->checker;

    for (uint32_t index = 0; checker && index < upstream->server_count; index++) {
        struct check *check = upstream->servers[index].check;

        if (!check)
            continue;
        check->upstream = NULL;
        if (check->fetch)
            px_fetch_cancel(check->fetch); /* whose end frees it */
        else
            alloc_put(allocator, check);
    }
    if (!checker)
        return;
    px_timer_destroy(checker->timer);
    alloc_put(allocator, checker->path);
    alloc_put(allocator, checker->host);
    alloc_put(allocator, checker);
    upstream->checker = NULL;
}
