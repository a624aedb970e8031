/*
 * The server as an object: made, set up, run, drained, destroyed.
 *
 * Happy path: create, route, listen, run, destroy.  Setup calls fail with a line of text and leave
 * the server as it was.  Destroying closes every connection and steps the loop until the last one
 * has reported, so that each exchange hears of its end.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/options.h"
#include "http/fields/field.h"
#include "server/accept.h"
#include "server/h1/h1.h"
#include "server/h2/h2.h"
#include "server/serve.h"
#include "server/session/counters.h"
#include "server/session/listeners.h"
#include "server/session/overload.h"
#include "server/site/access_log.h"
#include "server/site/dispatch.h"
#include "server/site/redirect.h"
#include "server/site/served.h"
#include "server/site/trust.h"
#include "server/tls_open.h"

enum {
    CONN_SLAB_OBJECTS = 64,
    WORK_SLAB_OBJECTS = 8,
    OUT_SLAB_OBJECTS = 4,
    H2_REQUEST_SLAB_OBJECTS = 16,
    CONNECTIONS_UNKNOWN = 1024, /* where RLIMIT_NOFILE cannot be read */
    DESCRIPTORS_RESERVED = 64   /* for listeners, files, logs, the loop */
};

/* --- Options ---------------------------------------------------------------------------------- */

static void default_u32(uint32_t *option, uint32_t value)
{
    if (*option == 0)
        *option = value;
}

static void default_u64(uint64_t *option, uint64_t value)
{
    if (*option == 0)
        *option = value;
}

static uint32_t connections_allowed(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return CONNECTIONS_UNKNOWN;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > UINT32_MAX / 2)
        return UINT32_MAX / 2;
    /* Half of a very small limit, so that there is room for anything else at all. */
    if (limit.rlim_cur < 2 * (rlim_t)DESCRIPTORS_RESERVED)
        return (uint32_t)(limit.rlim_cur / 2 > 0 ? limit.rlim_cur / 2 : 1);
    return (uint32_t)limit.rlim_cur - DESCRIPTORS_RESERVED;
}

static px_err options_settle(px_server_options *options, px_error *out_error)
{
    uint32_t allowed = connections_allowed();

    if (options->connections_max == 0 || options->connections_max > allowed)
        options->connections_max = allowed;
    default_u32(&options->head_bytes_max, HEAD_BYTES_DEFAULT);
    default_u32(&options->field_count_max, FIELD_COUNT_DEFAULT);
    default_u32(&options->target_bytes_max, TARGET_BYTES_DEFAULT);
    default_u32(&options->pipeline_count_max, PIPELINE_COUNT_DEFAULT);
    default_u32(&options->exchange_bytes_max, EXCHANGE_ARENA_BYTES_DEFAULT);
    default_u32(&options->output_bytes_max, OUTPUT_BYTES_DEFAULT);
    default_u32(&options->respond_bytes_max, RESPOND_BYTES_DEFAULT);
    default_u64(&options->memory_bytes_max, MEMORY_BYTES_DEFAULT);
    if (options->memory_bytes_max < MEMORY_BYTES_MIN)
        return error_set(out_error, PX_ERR_INVALID, 0, "memory_bytes_max is at least %d MiB",
                         MEMORY_BYTES_MIN / (1024 * 1024));
    default_u64(&options->content_bytes_max, CONTENT_BYTES_DEFAULT);
    default_u32(&options->head_timeout_ms, HEAD_TIMEOUT_MS_DEFAULT);
    default_u32(&options->idle_timeout_ms, IDLE_TIMEOUT_MS_DEFAULT);
    default_u32(&options->rate_window_ms, RATE_WINDOW_MS_DEFAULT);
    default_u32(&options->content_rate_min, MINIMUM_RATE_DEFAULT);
    default_u32(&options->send_rate_min, MINIMUM_RATE_DEFAULT);
    default_u32(&options->total_timeout_ms, PX_OFF);
    default_u32(&options->linger_timeout_ms, LINGER_TIMEOUT_MS_DEFAULT);
    if (options->head_bytes_max > HEAD_BYTES_LIMIT || options->target_bytes_max > HEAD_BYTES_LIMIT)
        return error_set(out_error, PX_ERR_INVALID, 0, "a head has at most %d bytes",
                         HEAD_BYTES_LIMIT);
    if (options->field_count_max > FIELD_COUNT_LIMIT)
        return error_set(out_error, PX_ERR_INVALID, 0, "a head has at most %d fields",
                         FIELD_COUNT_LIMIT);
    if (options->pipeline_count_max > UINT32_MAX / H1_STEPS_PER_REQUEST)
        options->pipeline_count_max = UINT32_MAX / H1_STEPS_PER_REQUEST;
    if (options->log_format > PX_LOG_ECS)
        return error_set(out_error, PX_ERR_INVALID, 0, "no such log format: %u",
                         options->log_format);
    const char *name = options->server_name;

    if (name && strlen(name) > H1_SERVER_NAME_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "server_name has at most %d bytes",
                         H1_SERVER_NAME_MAX);
    if (name && !field_value_valid(px_str_of(name)))
        return error_set(out_error, PX_ERR_INVALID, 0, "server_name is not a valid field value");
    return PX_OK;
}

/* --- Making and ending ------------------------------------------------------------------------ */

static void server_last(struct loop_hook *hook)
{
    px_server *server = CONTAINER_OF(hook, px_server, last);

    access_log_flush(server); /* before a site goes that they may be of */
    served_reap(server);
    counters_publish(server);
    drain_look(server);
}

static void server_checks(struct loop_hook *hook)
{
    server_check(CONTAINER_OF(hook, px_server, checks));
}

/* How many objects of a pool fit into so many parts of the memory. */
static uint32_t memory_count(const px_server *server, uint32_t parts, size_t object_bytes,
                             uint32_t count_max)
{
    uint64_t count = server->options.memory_bytes_max / MEMORY_PARTS * parts / object_bytes;

    return count < count_max ? (uint32_t)count : count_max;
}

static px_err server_init(px_server *server, px_error *out_error)
{
    const px_server_options *options = &server->options;
    const px_allocator *allocator = &server->loop->allocator;
    uint32_t connections = options->connections_max;

    /* Connections that were closed give their slot back at the end of the tick; lingering ones hold
     * theirs beside the limit. */
    if (connections < UINT32_MAX / 2)
        connections += 2 * ACCEPTS_PER_TICK + connections / 64 + LINGER_COUNT_MAX;
    /* HTTP/2 has several requests on a connection; one that finds no exchange is refused, and may
     * try again. */
    exchange_service_init(
        &server->service, server->loop,
        memory_count(server, PART_EXCHANGES, exchange_object_bytes(),
                     connections < UINT32_MAX / 8
                         ? connections * H2_EXCHANGES_PER_CONN + H2_EXCHANGES_SPARE
                         : connections));
    budget_divide(&server->loop->memory, options->memory_bytes_max,
                  server->loop->memory.inbox_bytes_max);
    server->service.output_bytes_max = options->output_bytes_max;
    server->service.respond_bytes_max = options->respond_bytes_max;
    server->service.rate_window_ms = options->rate_window_ms;
    server->service.exchange_bytes_max = options->exchange_bytes_max;
    server->service.on_fault = options->on_fault;
    server->service.fault_context = options->fault_context;
    server->service.trace_sample = options->trace_sample;
    server->service.trace_restart = options->trace_restart != 0;
    server->service.dispatch = server_dispatch;
    server->protocols = session_protocols;
    pool_init(&server->conns, allocator, sizeof(union conn_slot), CONN_SLAB_OBJECTS, connections);
    pool_init(&server->works, allocator,
              sizeof(struct h1_work) +
                  (size_t)options->field_count_max * sizeof(struct http_field_span),
              WORK_SLAB_OBJECTS, connections);
    pool_init(&server->blocks.outs, allocator, sizeof(struct out), OUT_SLAB_OBJECTS,
              memory_count(server, PART_OUTPUT, sizeof(struct out), connections));
    server->parse_limits.head_bytes_max = options->head_bytes_max;
    server->parse_limits.target_bytes_max = options->target_bytes_max;
    server->parse_limits.field_count_max = options->field_count_max;
    server->scan = scan_table_best();
    pool_init(&server->h2_requests, allocator, sizeof(struct h2_request), H2_REQUEST_SLAB_OBJECTS,
              server->service.exchanges.count_max);
    h1_stamp_init(&server->stamp, px_str_of(server->server_name));
    buf_init(&server->log.lines, allocator, LOG_BYTES_MAX);
    loop_task_init(&server->limit, overload_task);
    server->last.run = server_last;
    loop_hook_add(server->loop, LOOP_LAST, &server->last);
    server->checks.run = server_checks;
    loop_hook_add(server->loop, LOOP_CHECKS, &server->checks);
    px_err err = deadline_wheel_init(&server->deadlines, server->loop, session_deadline_due);

    if (err == PX_OK)
        err = drain_init(server);
    if (err == PX_OK)
        err = served_init(server, out_error);
    if (err == PX_OK)
        err = h2_shared_create(
            &(struct h2_options){
                .allocator = allocator,
                .events = &h2_session_events,
                .limits = &server->parse_limits,
                .scan = server->scan,
                .budget = &server->loop->memory,
                .session_count_max = connections,
            },
            &server->h2);
    return err == PX_OK ? PX_OK : error_set(out_error, err, 0, "out of memory");
}

/* Closes everything and steps the loop until each connection and exchange has reported. */
static void server_empty(px_server *server)
{
    px_error error;

    server_listeners_close(server);
    drain_over(server); /* where it was in one, nothing of that comes any more */
    session_close_all(server, false, PX_END_SERVER_CLOSED);
    while (server->conn_count > 0 || server->service.exchanges.taken > 0) {
        if (px_loop_wait(server->loop, -1, &error) != PX_OK)
            break; /* an epoll set that fails cannot be waited for */
    }
}

static void server_free(px_server *server)
{
    if (!server)
        return;
    px_loop *loop = server->loop;
    bool own_loop = server->own_loop;

    server_empty(server);
    counters_end(server);
    access_log_flush(server);
    buf_deinit(&server->log.lines);
    served_end(server);
    drain_deinit(server);
    if (server->deadlines.timer.on_due)
        deadline_wheel_deinit(&server->deadlines);
    list_remove(&server->limit.node);
    list_remove(&server->last.node);
    list_remove(&server->checks.node);
    pool_deinit(&server->conns);
    pool_deinit(&server->works);
    pool_deinit(&server->blocks.outs);
    pool_deinit(&server->h2_requests);
    h2_shared_destroy(server->h2);
    tls_service_free(server);
    trust_deinit(server);
    exchange_service_deinit(&server->service);
    alloc_put(&loop->allocator, server);
    if (own_loop)
        px_loop_destroy(loop);
}

void px_server_destroy(px_server *server)
{
    CHECK_RULE(!server || !server->loop->ticking,
               "px_server_destroy was called from a callback of the loop");
    if (!server)
        return;
    server_empty(server);
    counters_publish(server); /* what was cut by that too */
    server_free(server);
}

static px_server *server_make(px_loop *loop, bool own_loop, const px_server_options *options,
                              px_error *out_error)
{
    px_server *server = alloc_take_zeroed(&loop->allocator, sizeof(*server));

    if (!server) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    server->loop = loop;
    server->options = *options;
    server->count.cells = &server->count.own;
    snprintf(server->server_name, sizeof(server->server_name), "%s",
             options->server_name ? options->server_name : "pollux");
    list_init(&server->unused);
    if (server_init(server, out_error) != PX_OK || counters_init(server, out_error) != PX_OK ||
        trust_init(server, out_error) != PX_OK) {
        server_free(server);
        return NULL;
    }
    server->own_loop = own_loop;
    return server;
}

px_server *px_server_create(const px_server_options *given, px_error *out_error)
{
    px_server_options options;
    px_loop *loop;

    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "server options: unknown or missing struct_size");
        return NULL;
    }
    if (options_settle(&options, out_error) != PX_OK)
        return NULL;
    loop = options.loop;
    if (!loop) {
        px_loop_options loop_options = PX_LOOP_OPTIONS_DEFAULT;

        loop_options.allocator = options.allocator;
        loop = px_loop_create(&loop_options, out_error);
    }
    if (!loop)
        return NULL;
    px_server *server = server_make(loop, options.loop == NULL, &options, out_error);

    if (!server && !options.loop)
        px_loop_destroy(loop);
    return server;
}

/* --- Setting up ------------------------------------------------------------------------------- */

px_loop *px_server_loop(px_server *server)
{
    return server->loop;
}

static px_err no_server(px_error *out_error)
{
    return error_set(out_error, PX_ERR_INVALID, 0, "there is no server (NULL)");
}

px_err px_server_route_with(px_server *server, const char *pattern, const px_route_options *given,
                            px_handler handler, void *context, px_error *out_error)
{
    px_err err =
        px_host_route(server ? server->own : NULL, pattern, given, handler, context, out_error);

    if (!server)
        return no_server(out_error);
    server->has_totals |= server->site->has_totals;
    server->has_logs |= server->site->has_logs;
    return err;
}

px_err px_server_route(px_server *server, const char *pattern, px_handler handler, void *context,
                       px_error *out_error)
{
    return px_server_route_with(server, pattern, NULL, handler, context, out_error);
}

px_err px_server_use(px_server *server, px_middleware_fn middleware, void *context,
                     void (*release)(void *context), px_error *out_error)
{
    px_err err = px_host_use(server ? server->own : NULL, middleware, context, release, out_error);

    return server ? err : no_server(out_error);
}

px_err px_server_filter(px_server *server, const px_filter *filter, void *context,
                        void (*release)(void *context), px_error *out_error)
{
    px_err err = px_host_filter(server ? server->own : NULL, filter, context, release, out_error);

    return server ? err : no_server(out_error);
}

px_err serve_options_settle(px_server *server, const px_serve_options *given,
                            struct server_listener *out_from, px_error *out_error)
{
    px_serve_options options;

    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "serve options: unknown or missing struct_size");
    if (server->phase > SERVER_DRAIN_DELAY)
        return error_set(out_error, PX_ERR_CLOSED, 0, "the server is draining");
    if (options.tag > UINT16_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "the tag of a listener is at most %u",
                         (unsigned)UINT16_MAX);
    if (options.proxy_protocol && server->trust.count == 0)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "the PROXY protocol needs trusted_proxies: the peers that may speak it");
    *out_from = (struct server_listener){.server = server, .options = options};
    px_err err = PX_OK;

    if (options.tls)
        err = tls_serve(server, options.tls, &out_from->secure, out_error);
    if (err == PX_OK && options.https_redirect_port != 0)
        err = redirect_serve(server, &options, &out_from->redirect, out_error);
    return err;
}

px_err px_server_serve_with(px_server *server, px_listener *listener, const px_serve_options *given,
                            px_error *out_error)
{
    struct server_listener from;
    px_err err = serve_options_settle(server, given, &from, out_error);

    if (err == PX_OK && server->listening.count == LISTENERS_MAX)
        err = error_set(out_error, PX_ERR_LIMIT, 0, "a server has at most %d listeners",
                        LISTENERS_MAX);
    if (err != PX_OK)
        return err;
    struct server_listener *serving = alloc_take(&server->loop->allocator, sizeof(*serving));

    if (!serving)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    *serving = from;
    serving->listener = listener;
    err = listener_start(listener, server->loop, &accept_events, serving, out_error);
    if (err != PX_OK) {
        alloc_put(&server->loop->allocator, serving);
        return err;
    }
    server->listening.listeners[server->listening.count++] = serving;
    size_t len = strlen(server->listening.address);

    snprintf(server->listening.address + len, sizeof(server->listening.address) - len, "%s%s",
             len > 0 ? ", " : "", px_listener_address(listener));
    return PX_OK;
}

px_err px_server_serve(px_server *server, px_listener *listener, px_error *out_error)
{
    return px_server_serve_with(server, listener, NULL, out_error);
}

px_err px_server_listen(px_server *server, const char *address, px_error *out_error)
{
    px_error error;

    if (!server)
        return no_server(out_error);
    px_listener *listener = px_listener_open(address, NULL, &error);

    if (!listener)
        return error_copy(out_error, &error);
    px_err err = px_server_serve(server, listener, out_error);

    if (err != PX_OK)
        px_listener_close(listener);
    return err;
}

const char *px_server_address(const px_server *server)
{
    return server->listening.address;
}

/* --- Running ---------------------------------------------------------------------------------- */

px_err px_server_run(px_server *server, px_error *out_error)
{
    return server ? px_loop_run(server->loop, out_error) : no_server(out_error);
}

void px_server_stop(px_server *server)
{
    px_loop_stop(server->loop);
}
