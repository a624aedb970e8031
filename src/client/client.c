/*
 * A client from its making to its end, and the place where fetches are told theirs.
 *
 * Happy path: px_client_create, fetches come and go, px_client_destroy.  It can fail for want of
 * memory, and by options that are none.  A client that is destroyed is freed at the end of the tick
 * in which its last fetch was told its end and its last connection has closed.
 */
#include "client/link.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "http/scan/scan.h"
#include "io/random.h"

enum { FETCH_SLAB = 8, LINK_SLAB = 8, WORK_SLAB = 2, OUT_SLAB = 2 };

/* --- The end of fetches ----------------------------------------------------------------------- */

void client_note_end(px_client *client, px_fetch *fetch)
{
    CHECK(fetch->stage == FETCH_FINISHED && !fetch->link);
    list_remove(&fetch->all);
    list_append(&client->ended, &fetch->all);
    /* Where it ends behind the hooks of this tick, the next one must not wait. */
    loop_task_add(client->loop, &client->serve);
}

static void ends_run(struct loop_hook *hook)
{
    px_client *client = CONTAINER_OF(hook, px_client, ends);
    struct list now;

    /* What its callbacks end waits for the next tick, so that none of them can go on for ever. */
    list_init(&now);
    list_splice(&now, &client->ended);
    while (!list_empty(&now)) {
        px_fetch *fetch = LIST_ENTRY(now.next, px_fetch, all);
        const px_fetch_callbacks *callbacks = fetch->callbacks;

        list_remove(&fetch->all);
        if (TABLE_MEMBER(callbacks, on_end))
            callbacks->on_end(fetch, &fetch->error, fetch->context);
        list_remove(&fetch->all); /* a cancel from in there */
        fetch_free(fetch);
    }
}

/* --- Its own end ------------------------------------------------------------------------------ */

static void client_free(px_client *client)
{
    px_loop *loop = client->loop;

    CHECK(client->closing && list_empty(&client->open) && list_empty(&client->all));
    list_remove(&client->ends.node);
    list_remove(&client->last.node);
    list_remove(&client->checks.node);
    list_remove(&client->serve.node);
    timer_deinit(&loop->timers, &client->again);
    map_deinit(&client->origins);
    names_deinit(&client->names);
    if (client->tls) {
        tls_shared_deinit(client->tls);
        alloc_put(&loop->allocator, client->tls);
    }
    pool_deinit(&client->outs);
    pool_deinit(&client->works);
    pool_deinit(&client->links);
    pool_deinit(&client->fetches);
    tls_trust_put(client->trust);
    loop->handle_count--;
    alloc_put(&loop->allocator, client);
}

static void last_run(struct loop_hook *hook)
{
    px_client *client = CONTAINER_OF(hook, px_client, last);

    if (!client->closing || client->fetches.taken > 0 || client->links.taken > 0)
        return;
    if (client->stepped)
        client->over = true;
    else
        client_free(client);
}

/* --- Making it -------------------------------------------------------------------------------- */

static void checks_run(struct loop_hook *hook)
{
    client_check(CONTAINER_OF(hook, px_client, checks));
}

static void default_u32(uint32_t *value, uint32_t fallback)
{
    if (*value == 0)
        *value = fallback;
}

static px_err options_settle(px_client_options *options, px_error *out_error)
{
    default_u32(&options->head_bytes_max, HEAD_BYTES_DEFAULT);
    default_u32(&options->field_count_max, FIELD_COUNT_DEFAULT);
    default_u32(&options->connections_max, CLIENT_LINKS_DEFAULT);
    default_u32(&options->origin_connections_max, CLIENT_ORIGIN_LINKS_DEFAULT);
    default_u32(&options->origin_idle_max, CLIENT_ORIGIN_IDLE_DEFAULT);
    default_u32(&options->fetches_max, CLIENT_FETCHES_DEFAULT);
    default_u32(&options->keep_timeout_ms, CLIENT_KEEP_MS_DEFAULT);
    default_u32(&options->connect_timeout_ms, CLIENT_CONNECT_MS_DEFAULT);
    default_u32(&options->wait_timeout_ms, CLIENT_WAIT_MS_DEFAULT);
    default_u32(&options->first_byte_timeout_ms, CLIENT_FIRST_BYTE_MS_DEFAULT);
    default_u32(&options->silence_timeout_ms, CLIENT_SILENCE_MS_DEFAULT);
    default_u32(&options->total_timeout_ms, PX_OFF);
    if (options->origin_idle_max == PX_OFF)
        options->origin_idle_max = 0;
    if (options->head_bytes_max > HEAD_BYTES_LIMIT)
        return error_set(out_error, PX_ERR_INVALID, 0, "a head has at most %d bytes",
                         HEAD_BYTES_LIMIT);
    if (options->field_count_max > FIELD_COUNT_LIMIT)
        return error_set(out_error, PX_ERR_INVALID, 0, "a head has at most %d fields",
                         FIELD_COUNT_LIMIT);
    return PX_OK;
}

static void pools_init(px_client *client)
{
    const px_allocator *allocator = &client->loop->allocator;
    const px_client_options *options = &client->options;
    size_t work_bytes =
        sizeof(struct link_work) + options->field_count_max * sizeof(struct http_field_span);

    pool_init(&client->fetches, allocator, sizeof(px_fetch), FETCH_SLAB, options->fetches_max);
    pool_init(&client->links, allocator, sizeof(struct link), LINK_SLAB, options->connections_max);
    pool_init(&client->works, allocator, work_bytes, WORK_SLAB, options->connections_max);
    pool_init(&client->outs, allocator, sizeof(struct link_out), OUT_SLAB,
              options->connections_max);
}

static px_err origins_init(px_client *client)
{
    struct map_options options = {
        .allocator = &client->loop->allocator,
        /* Each has a fetch or a connection: none is ever evicted. */
        .count_max = UINT32_MAX,
        .bytes_max = SIZE_MAX,
    };

    if (random_bytes(&options.key, sizeof(options.key)) != PX_OK)
        return PX_ERR_SYSTEM;
    map_init(&client->origins, &options);
    names_init(&client->names, client->loop);
    return PX_OK;
}

px_client *px_client_create(px_loop *loop, const px_client_options *given, px_error *out_error)
{
    px_client_options options;
    px_client *client;

    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "client options: unknown or missing struct_size");
        return NULL;
    }
    if (options_settle(&options, out_error) != PX_OK)
        return NULL;
    client = alloc_take_zeroed(&loop->allocator, sizeof(*client));
    if (!client) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    client->loop = loop;
    client->options = options;
    client->options.trust = NULL;
    client->limits = (struct http_limits){.head_bytes_max = options.head_bytes_max,
                                          .target_bytes_max = options.head_bytes_max,
                                          .field_count_max = options.field_count_max};
    client->scan = scan_table_best();
    if (origins_init(client) != PX_OK) {
        error_set(out_error, PX_ERR_SYSTEM, 0, "no random bytes");
        alloc_put(&loop->allocator, client);
        return NULL;
    }
    if (timer_init(&loop->timers, &client->again, origin_serve_again) != PX_OK) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        map_deinit(&client->origins);
        names_deinit(&client->names);
        alloc_put(&loop->allocator, client);
        return NULL;
    }
    client->trust = options.trust ? tls_trust_take(options.trust) : NULL;
    pools_init(client);
    list_init(&client->all);
    list_init(&client->ended);
    list_init(&client->open);
    list_init(&client->idle);
    list_init(&client->wanting);
    client->ends.run = ends_run;
    client->last.run = last_run;
    loop_hook_add(loop, LOOP_ENDS, &client->ends);
    loop_hook_add(loop, LOOP_LAST, &client->last);
    client->checks.run = checks_run;
    loop_hook_add(loop, LOOP_CHECKS, &client->checks);
    loop_task_init(&client->serve, origin_serve);
    loop->handle_count++;
    return client;
}

void px_client_destroy(px_client *client)
{
    px_loop *loop;
    px_error error;

    if (!client || client->closing)
        return;
    loop = client->loop;
    client->closing = true;
    while (!list_empty(&client->all))
        px_fetch_cancel(LIST_ENTRY(client->all.next, px_fetch, all));
    for (struct list *node = client->open.next, *next; node != &client->open; node = next) {
        next = node->next;
        link_close(LIST_ENTRY(node, struct link, node), false);
    }
    loop_task_add(loop, &client->serve); /* a tick comes, which frees it */
    if (loop->ticking)
        return;
    client->stepped = true;
    /* What else lives on the loop goes on meanwhile. */
    while (!client->over && px_loop_step(loop, &error) == PX_OK)
        continue;
    client->stepped = false;
    if (client->over)
        client_free(client);
}

struct tls_shared *client_tls(px_client *client)
{
    if (client->tls)
        return client->tls;
    client->tls = alloc_take(&client->loop->allocator, sizeof(*client->tls));
    if (client->tls)
        tls_shared_init(client->tls, client->loop, client->options.connections_max, UINT32_MAX);
    return client->tls;
}
