/*
 * The graceful end of a server.
 *
 * The happy path: the delay passes, in its second half answers say that they are the last of their
 * connection, the listeners' queues are accepted to their end and the
 * listeners closed, every open connection is told that its next answer is its last, idle ones end
 * after their grace, and when the last connection has gone the server is drained.  What can go
 * wrong is time: after the deadline what is left is closed.
 */
#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "io/mailbox.h"
#include "server/session/listeners.h"
#include "server/session/session.h"

/* The spread by default: peers that come back are let in one by one. */
enum { DRAIN_SPREAD_MS_MAX = 15 * 1000 };

/* Turns in which a queue is emptied: a backlog is 4096 by default, so what is still there after
 * these came when the drain had begun. */
enum { DRAIN_ROUNDS_MAX = 4096 / ACCEPTS_PER_TICK + 1 };

static void drain_timer_set(px_server *server)
{
    const struct server_drain *drain = &server->drain;
    uint64_t due_ms = drain->deadline_ms;

    if (server->phase == SERVER_DRAIN_DELAY)
        due_ms =
            !drain->closes && drain->close_ms < drain->begin_ms ? drain->close_ms : drain->begin_ms;
    else if (!drain->ends_idle && drain->idle_ms < due_ms)
        due_ms = drain->idle_ms;
    if (due_ms == UINT64_MAX)
        timer_stop(&server->loop->timers, &server->drain.timer);
    else
        timer_start(&server->loop->timers, &server->drain.timer, due_ms);
}

/* Closes what is idle, now that no newcomer comes through a queue. */
static void drain_idle(px_server *server)
{
    if (server->drain.ends_idle || server->drain.idle_ms > server->loop->now_ms ||
        server->listening.count > 0)
        return;
    server->drain.ends_idle = true;
    session_close_all(server, true, PX_END_SERVER_CLOSED);
}

/* A turn of accepting what waits.  Newcomers are told at once that their answer is the last. */
static void drain_queue(struct loop_task *task)
{
    px_server *server = CONTAINER_OF(task, px_server, drain.queue);
    bool is_last = ++server->drain.rounds >= DRAIN_ROUNDS_MAX;

    for (uint32_t index = server->listening.count; index-- > 0;) {
        px_listener *listener = server->listening.listeners[index]->listener;

        if (listener_take(listener) || is_last)
            px_server_unserve(server, listener);
    }
    if (server->listening.count > 0)
        loop_task_add(server->loop, &server->drain.queue);
    drain_idle(server);
}

/* Peers are sent elsewhere: each next answer is its connection's last. */
static void drain_close(px_server *server)
{
    server->drain.closes = true;
    session_drain_all(server);
}

static void drain_begin(px_server *server)
{
    server->phase = SERVER_DRAINING;
    drain_close(server);
    if (server->drain.leaves_queue)
        server_listeners_close(server);
    else
        drain_queue(&server->drain.queue);
    drain_idle(server);
}

/* Time is up: what waits in a queue is not taken any more, and nothing is waited for. */
static void drain_end(px_server *server)
{
    server_listeners_close(server);
    session_close_all(server, false, PX_END_SERVER_CLOSED);
}

/* The timer may come late, and find that several of its times are over. */
static void drain_due(struct io_timer *timer)
{
    px_server *server = CONTAINER_OF(timer, px_server, drain.timer);
    uint64_t now_ms = server->loop->now_ms;

    if (server->phase == SERVER_DRAIN_DELAY && server->drain.begin_ms <= now_ms)
        drain_begin(server);
    else if (server->phase == SERVER_DRAIN_DELAY && server->drain.close_ms <= now_ms)
        drain_close(server);
    if (server->phase == SERVER_DRAINING && server->drain.deadline_ms <= now_ms) {
        drain_end(server);
        return;
    }
    if (server->phase == SERVER_DRAINING)
        drain_idle(server);
    drain_timer_set(server);
}

px_err drain_init(px_server *server)
{
    server->drain.begin_ms = server->drain.idle_ms = server->drain.deadline_ms = UINT64_MAX;
    server->drain.close_ms = UINT64_MAX;
    loop_task_init(&server->drain.queue, drain_queue);
    return timer_init(&server->loop->timers, &server->drain.timer, drain_due);
}

uint32_t drain_place(px_server *server)
{
    /* The golden ratio puts each moment into the widest gap that those before have left. */
    uint32_t place = ++server->drain.told * 2654435769U;

    return (uint32_t)((uint64_t)server->drain.spread_ms * place >> 32);
}

/* Until what is left is closed. */
static uint32_t drain_left_ms(const px_server *server)
{
    uint64_t due_ms = server->drain.deadline_ms, now_ms = server->loop->now_ms;

    if (due_ms == UINT64_MAX || due_ms >= now_ms + PX_UNLIMITED)
        return PX_UNLIMITED;
    return due_ms > now_ms ? (uint32_t)(due_ms - now_ms) : 0;
}

void drain_tell(px_server *server, px_exchange *exchange)
{
    if (server->phase == SERVER_DRAINING) /* in the delay's second half what lasts goes on yet */
        exchange_tell_drain(exchange, drain_place(server), drain_left_ms(server));
}

void drain_over(px_server *server)
{
    server->phase = SERVER_DRAINED;
    if (server->drain.timer.on_due)
        timer_stop(&server->loop->timers, &server->drain.timer);
    if (server->drain.queue.run)
        list_remove(&server->drain.queue.node);
}

void drain_deinit(px_server *server)
{
    drain_over(server);
    if (server->drain.timer.on_due)
        timer_deinit(&server->loop->timers, &server->drain.timer);
}

void drain_look(px_server *server)
{
    if (server->phase != SERVER_DRAINING || server->conn_count > 0 || server->listening.count > 0)
        return;
    drain_over(server);
    if (server->own_loop)
        px_loop_stop(server->loop);
    if (server->drain.on_drained)
        server->drain.on_drained(server, server->drain.context);
}

static void hasten(uint64_t *at_ms, uint64_t from_ms, uint32_t in_ms)
{
    bool is_never = in_ms == PX_UNLIMITED || from_ms == UINT64_MAX;
    uint64_t wanted_ms = is_never ? UINT64_MAX : from_ms + in_ms;

    if (wanted_ms < *at_ms)
        *at_ms = wanted_ms;
}

px_err px_server_drain_with(px_server *server, const px_drain_options *given)
{
    px_drain_options options;
    uint64_t now_ms = loop_now_ms(server->loop);
    struct server_drain *drain = &server->drain;

    if (options_read(&options, sizeof(options), given) != PX_OK)
        return PX_ERR_INVALID;
    if (server->phase == SERVER_DRAINED)
        return PX_OK;
    if (options.deadline_ms == 0)
        options.deadline_ms = DRAIN_TIMEOUT_MS_DEFAULT;
    if (options.close_ms == 0)
        options.close_ms = options.delay_ms == PX_UNLIMITED ? PX_UNLIMITED : options.delay_ms / 2;
    hasten(&drain->begin_ms, now_ms, options.delay_ms);
    hasten(&drain->close_ms, now_ms, options.close_ms);
    uint64_t from_ms = drain->begin_ms > now_ms ? drain->begin_ms : now_ms;

    hasten(&drain->idle_ms, from_ms, options.idle_ms);
    uint64_t before_ms = drain->deadline_ms;

    hasten(&drain->deadline_ms, from_ms, options.deadline_ms);
    if (server->phase == SERVER_SERVING) {
        server->phase = SERVER_DRAIN_DELAY;
        drain->leaves_queue = options.leave_queue != 0;
        drain->spread_ms = options.spread_ms;
        if (drain->spread_ms == PX_OFF)
            drain->spread_ms = 0;
        else if (drain->spread_ms == 0)
            drain->spread_ms = options.deadline_ms < 2 * DRAIN_SPREAD_MS_MAX
                                   ? options.deadline_ms / 2
                                   : DRAIN_SPREAD_MS_MAX;
    }
    /* What was told that there is time hears that there is less of it. */
    if (server->phase == SERVER_DRAINING && drain->deadline_ms < before_ms)
        session_drain_all(server);
    drain_timer_set(server);
    return PX_OK;
}

void px_server_drain(px_server *server, uint32_t delay_ms, uint32_t deadline_ms)
{
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    options.delay_ms = delay_ms;
    options.deadline_ms = deadline_ms;
    if (server->phase != SERVER_SERVING)
        return;
    px_err err = px_server_drain_with(server, &options);

    CHECK(err == PX_OK);
}

/* --- Checking --------------------------------------------------------------------------------- */

/* What is overdue fires in the next tick. */
static bool timer_fires_by(const px_server *server, uint64_t due_ms)
{
    const struct io_timer *timer = &server->drain.timer;
    uint64_t next_ms = server->loop->now_ms + 1;

    return due_ms == UINT64_MAX ||
           (timer_started(timer) && timer->due_ms <= (due_ms > next_ms ? due_ms : next_ms));
}

void drain_check(const px_server *server)
{
    const struct server_drain *drain = &server->drain;

    ASSERT(drain->rounds <= DRAIN_ROUNDS_MAX);
    ASSERT(!drain->ends_idle || (drain->closes && server->listening.count == 0));
    switch ((enum server_phase)server->phase) {
    case SERVER_SERVING:
        ASSERT(!drain->closes && drain->begin_ms == UINT64_MAX && drain->close_ms == UINT64_MAX);
        ASSERT(!timer_started(&drain->timer) && !list_linked(&drain->queue.node));
        break;
    case SERVER_DRAIN_DELAY:
        ASSERT(timer_fires_by(server, drain->begin_ms));
        ASSERT(drain->closes || timer_fires_by(server, drain->close_ms));
        break;
    case SERVER_DRAINING:
        ASSERT(drain->closes);
        ASSERT(server->listening.count == 0 || list_linked(&drain->queue.node));
        if (drain->deadline_ms <= server->loop->now_ms)
            break; /* all is closed by now */
        ASSERT(timer_fires_by(server, drain->deadline_ms));
        ASSERT(drain->ends_idle || timer_fires_by(server, drain->idle_ms));
        break;
    case SERVER_DRAINED:
        ASSERT(server->listening.count == 0); /* one that is destroyed has connections that close */
        ASSERT(!timer_started(&drain->timer) && !list_linked(&drain->queue.node));
        break;
    }
}

/* A drain that another thread asks for: it names the server, which may be gone when it comes. */
struct drain_post {
    px_mailbox *mailbox; /* a reference */
    uint64_t server;     /* as its px_ref has it */
    px_drain_options options;
};

static void drain_post_run(px_err status, void *context)
{
    struct drain_post *post = context;
    px_loop *loop = status == PX_OK ? mailbox_loop(post->mailbox) : NULL;
    struct loop_tenant *tenant = loop ? loop_tenant_find(loop, post->server) : NULL;
    px_mailbox *mailbox = post->mailbox;

    if (tenant) {
        px_err err =
            px_server_drain_with(CONTAINER_OF(tenant, px_server, service.tenant), &post->options);

        CHECK(err == PX_OK); /* the options were read when they were posted */
    }
    mailbox_free(mailbox, post);
    px_mailbox_release(mailbox);
}

px_err px_server_drain_post(px_server *server, const px_drain_options *given)
{
    px_drain_options options;

    if (options_read(&options, sizeof(options), given) != PX_OK)
        return PX_ERR_INVALID;
    px_mailbox *mailbox = px_loop_mailbox(server->loop);
    struct drain_post *post = mailbox_alloc(mailbox, sizeof(*post));
    px_err err = PX_ERR_MEMORY;

    options.struct_size = sizeof(options);
    if (post) {
        *post = (struct drain_post){mailbox, server->service.id, options};
        err = px_mailbox_post(mailbox, drain_post_run, post);
    }
    if (err != PX_OK) {
        mailbox_free(mailbox, post);
        px_mailbox_release(mailbox);
    }
    return err;
}

int px_server_is_draining(const px_server *server)
{
    return server->phase != SERVER_SERVING;
}

void px_server_on_drained(px_server *server, void (*on_drained)(px_server *server, void *context),
                          void *context)
{
    server->drain.on_drained = on_drained;
    server->drain.context = context;
}
