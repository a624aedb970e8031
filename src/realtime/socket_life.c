/*
 * Deadlines of a WebSocket, its closing handshake, and its end.
 *
 * One timer says what is due first: a ping, silence, the lifetime, the wait for the peer's Close.
 * Bytes only note when they came; the timer looks and sets itself anew.  on_close is called once,
 * by whatever comes first; the memory goes with the exchange's on_end.
 */
#include "base/options.h"
#include "realtime/socket.h"

/* --- Deadlines -------------------------------------------------------------------------------- */

static uint64_t silent_due_ms(const px_websocket *socket)
{
    return socket->terms->idle_ms == PX_OFF ? UINT64_MAX
                                            : socket->heard_ms + socket->terms->idle_ms;
}

void socket_schedule(px_websocket *socket)
{
    uint64_t due_ms = socket->end_due_ms;

    if (silent_due_ms(socket) < due_ms)
        due_ms = silent_due_ms(socket);
    if (socket_is_open(socket) && socket->ping_due_ms < due_ms)
        due_ms = socket->ping_due_ms;
    if (half_due_ms(socket) < due_ms)
        due_ms = half_due_ms(socket);
    if (due_ms == UINT64_MAX || socket->state >= SOCKET_ENDING)
        timer_stop(&socket->loop->timers, &socket->timer);
    else
        timer_start(&socket->loop->timers, &socket->timer, due_ms);
}

void socket_due(struct io_timer *timer)
{
    px_websocket *socket = CONTAINER_OF(timer, px_websocket, timer);
    uint64_t now_ms = socket->loop->now_ms;

    socket_check(socket);
    /* While we do not read, the peer is not silent. */
    if (socket->paused || socket->held || socket->starved)
        socket->heard_ms = now_ms;
    if (now_ms >= silent_due_ms(socket) ||
        (socket->state == SOCKET_CLOSING && now_ms >= socket->end_due_ms)) {
        socket_give_up(socket);
        return;
    }
    if (!half_due(socket)) {
        socket_fail(socket, WS_CODE_POLICY);
        return;
    }
    if (now_ms >= socket->end_due_ms)
        (void)socket_close(socket, WS_CODE_GOING_AWAY, px_str_make(NULL, 0));
    else if (now_ms >= socket->ping_due_ms) {
        /* The last one unanswered is found by the silence; one more says no more. */
        if (socket_is_open(socket) && px_websocket_ping(socket) == PX_ERR_MEMORY) {
            socket_give_up(socket);
            return;
        }
        socket->ping_due_ms = now_ms + socket->terms->ping_ms;
    }
    socket_schedule(socket);
}

/* --- Checking --------------------------------------------------------------------------------- */

static void work_check(const px_websocket *socket)
{
    const struct socket_work *work = socket->work;

    ASSERT(work->socket == socket && work->message_len <= work->message_cap);
    ASSERT(!list_linked(&work->holder.node) || work->holder.bytes == work->message_cap);
    ASSERT(!work->rated || socket->terms->rate_min != PX_OFF);
    ASSERT(!work->pong || work->pong->len <= WS_CONTROL_BYTES_MAX);
    /* What was to follow a message in pieces is dropped with it. */
    ASSERT(!work->later || slices_are_made(socket) ||
           (socket->in_pieces && socket->state == SOCKET_OPEN));
    ASSERT(socket->state != SOCKET_DEAD || !work->outbox.head);
    outbox_check(&work->outbox);
    if (work->later)
        outbox_check(work->later);
}

void socket_check(const px_websocket *socket)
{
    if (!ASSERTS)
        return;
    ASSERT(socket->exchange && socket->loop && socket->state <= SOCKET_DEAD);
    /* A peer that does not answer our Close is not waited for without end. */
    ASSERT(socket->state != SOCKET_CLOSING || socket->end_due_ms != UINT64_MAX);
    ASSERT(!socket->reported || list_empty(&socket->subscriber.subscriptions));
    ASSERT(!socket->reported || socket->state >= SOCKET_ENDING);
    ASSERT(!socket->alone || (!socket->work && socket->state != SOCKET_DEAD));
    ASSERT(!socket->starved || socket->work);
    coders_check(socket);
    slices_check(socket);
    if (socket->work)
        work_check(socket);
}

/* --- Closing ---------------------------------------------------------------------------------- */

static enum loop_socket_end end_of(unsigned code)
{
    switch (code) {
    case 1000:
    case 1001:
        return SOCKETS_NORMAL;
    case 1002:
    case 1003:
    case 1007:
    case 1010:
        return SOCKETS_PROTOCOL;
    case 1008:
        return SOCKETS_POLICY;
    case 1009:
        return SOCKETS_TOO_BIG;
    case 1005:
    case 1006:
        return SOCKETS_ABNORMAL;
    }
    if (code >= 1011 && code <= 1015)
        return SOCKETS_ERROR;
    return code >= 3000 && code <= 4999 ? SOCKETS_APPLICATION : SOCKETS_ABNORMAL;
}

static void report(px_websocket *socket, uint16_t code, px_str reason, bool clean)
{
    if (socket->reported)
        return;
    socket->reported = true;
    socket->loop->told.sockets.ends[end_of(code)]++;
    loop_socket_closed(&socket->loop->told, SOCKETS_SERVED);
    subscriber_deinit(&socket->subscriber);
    if (TABLE_MEMBER(socket->terms->events, on_close))
        socket->terms->events->on_close(socket, code, reason, clean, socket->context);
}

/* What waits goes out, and then our side ends. */
static void end_when_out(px_websocket *socket)
{
    half_drop(socket);
    if (!slices_are_made(socket))
        socket_drop_later(socket);
    socket->state = SOCKET_ENDING;
    socket_schedule(socket);
    socket_flush(socket);
}

static bool say_close(px_websocket *socket, unsigned code, px_str reason)
{
    char content[WS_CONTROL_BYTES_MAX];

    return socket_control(socket, WS_CLOSE,
                          px_str_make(content, ws_close_write(content, code, reason)));
}

px_err socket_close(px_websocket *socket, unsigned code, px_str reason)
{
    if (!socket_is_open(socket))
        return PX_ERR_CLOSED;
    if (!slices_are_made(socket))
        socket_drop_later(socket);
    if (!say_close(socket, code, reason)) {
        socket_doom(socket, WS_CODE_ABNORMAL);
        return PX_ERR_MEMORY;
    }
    socket->state = SOCKET_CLOSING;
    socket->end_due_ms = loop_now_ms(socket->loop) + socket->terms->close_ms;
    /* The peer's Close is read, whatever held reading back. */
    socket->paused = false;
    socket->held = false;
    socket->starved = false;
    socket_read_on(socket);
    socket_schedule(socket);
    return PX_OK;
}

px_err px_websocket_close(px_websocket *socket, unsigned code, px_str reason)
{
    if (!socket || !ws_code_is_sendable(code) || code == WS_CODE_EXTENSION ||
        !ws_utf8_valid(reason))
        return PX_ERR_INVALID;
    return socket_close(socket, code, reason);
}

void socket_peer_close(px_websocket *socket, uint16_t code, px_str reason)
{
    /* Section 5.5.1: answered with the same code, unless ours was said before. */
    if (socket_is_open(socket) && !say_close(socket, code, px_str_make(NULL, 0))) {
        socket_give_up(socket);
        return;
    }
    end_when_out(socket);
    report(socket, code, reason, true);
}

void socket_fail(px_websocket *socket, uint16_t code)
{
    if (socket->state > SOCKET_CLOSING)
        return;
    if (socket_is_open(socket) && !say_close(socket, code, px_str_make(NULL, 0))) {
        socket_give_up(socket);
        return;
    }
    end_when_out(socket);
    report(socket, code, px_str_make("", 0), false);
}

void socket_doom(px_websocket *socket, uint16_t code)
{
    if (socket_is_open(socket))
        socket_doom_any(socket, code);
}

void socket_doom_any(px_websocket *socket, uint16_t code)
{
    if (socket->state > SOCKET_CLOSING)
        return;
    socket->doom = code;
    loop_task_add(socket->loop, &socket->again);
}

void socket_peer_end(px_websocket *socket)
{
    if (socket->state > SOCKET_CLOSING)
        return;
    if (!tunnel_has_parted(&socket->tunnel))
        exchange_tunnel_left(socket->exchange);
    end_when_out(socket);
    report(socket, WS_CODE_ABNORMAL, px_str_make("", 0), false);
}

void socket_give_up(px_websocket *socket)
{
    if (socket->state == SOCKET_DEAD)
        return;
    bool is_over = socket->state == SOCKET_ENDING;

    socket->state = SOCKET_DEAD;
    socket_schedule(socket);
    half_drop(socket);
    slices_drop(socket);
    if (socket->work)
        outbox_clear(&socket->work->outbox);
    socket_drop_alone(socket);
    socket_drop_later(socket);
    if (!is_over)
        report(socket, WS_CODE_ABNORMAL, px_str_make("", 0), false);
    socket_abort(socket);
}

/* --- Work ------------------------------------------------------------------------------------- */

/* What waits was not read for long: where it goes, a frame that was begun is not finished, and
 * nothing may follow.  What asks may be of this very socket: its memory stays. */
void socket_outbox_gives_way(struct budget_holder *holder)
{
    px_websocket *socket = CONTAINER_OF(holder, struct outbox, holder)->owner;

    outbox_give_way(&socket->work->outbox);
    if (socket->work->later)
        outbox_give_way(socket->work->later);
    slices_give_way(socket);
    if (socket->state == SOCKET_DEAD)
        return;
    socket->doom = WS_CODE_ABNORMAL;
    loop_task_add(socket->loop, &socket->again);
}

bool socket_work_take(px_websocket *socket)
{
    struct socket_work *work = socket->work;

    if (work)
        return true;
    work = socket_alloc(socket->loop, sizeof(*work));
    if (!work)
        return false;
    half_init(work, socket);
    ws_reader_init(&work->reader, WS_SERVER, ws_bytes_best(), &socket->terms->limits,
                   socket->coders != NULL);
    outbox_init(&work->outbox, socket->loop);
    outbox_own(&work->outbox, socket, socket_outbox_gives_way);
    work->later = NULL;
    work->pong = NULL;
    if (socket->alone && outbox_share(&work->outbox, socket->alone, false) != PX_OK) {
        socket_free(socket->loop, work, sizeof(*work));
        return false;
    }
    socket_drop_alone(socket);
    socket->work = work;
    return true;
}

void socket_drop_alone(px_websocket *socket)
{
    shared_put(socket->alone);
    socket->alone = NULL;
}

static void work_free(px_websocket *socket)
{
    struct socket_work *work = socket->work;

    if (!work)
        return;
    slices_drop(socket);
    outbox_clear(&work->outbox);
    socket_drop_later(socket);
    socket_free(socket->loop, work->pong, sizeof(*work->pong));
    half_end(work);
    socket_free(socket->loop, work, sizeof(*work));
    socket->work = NULL;
}

void socket_work_rest(px_websocket *socket)
{
    const struct socket_work *work = socket->work;

    if (!work || work->outbox.gave_way || work->outbox.head || work->later || work->pong ||
        work->message || socket->starved || slices_are_made(socket))
        return;
    /* After the last frame of its peer there is nothing more to read. */
    if (ws_reader_is_between(&work->reader) || socket->state >= SOCKET_ENDING)
        work_free(socket);
}

/* --- The end ---------------------------------------------------------------------------------- */

void socket_destroy(px_websocket *socket)
{
    px_loop *loop = socket->loop;

    socket->state = SOCKET_DEAD;
    report(socket, WS_CODE_ABNORMAL, px_str_make("", 0), false);
    timer_deinit(&loop->timers, &socket->timer);
    list_remove(&socket->again.node);
    work_free(socket);
    socket_drop_alone(socket);
    coders_destroy(socket);
    socket_terms_put(loop, socket->terms);
    socket_free(loop, socket, sizeof(*socket) + socket->protocol_len);
}

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    (void)exchange;
    (void)end;
    socket_destroy(context);
}

static void drain_note(px_websocket *socket, uint32_t in_ms)
{
    uint64_t end_ms = loop_now_ms(socket->loop) + in_ms;

    if (!socket_is_open(socket) || end_ms >= socket->end_due_ms)
        return;
    socket->end_due_ms = end_ms;
    socket_schedule(socket);
}

static void on_server_drain(px_exchange *exchange, uint32_t in_ms, void *context)
{
    (void)exchange;
    drain_note(context, in_ms);
}

const px_exchange_callbacks socket_callbacks = {
    .struct_size = sizeof(socket_callbacks),
    .on_end = on_end,
    .on_server_drain = on_server_drain,
};

/* --- The tunnel ------------------------------------------------------------------------------- */

void socket_stop_reading(px_websocket *socket)
{
    if (tunnel_has_parted(&socket->tunnel))
        tunnel_pause(&socket->tunnel);
    else
        px_request_pause(socket->exchange);
}

void socket_start_reading(px_websocket *socket)
{
    if (tunnel_has_parted(&socket->tunnel))
        tunnel_resume(&socket->tunnel);
    else
        px_request_resume(socket->exchange);
}

void socket_abort(px_websocket *socket)
{
    if (tunnel_has_parted(&socket->tunnel))
        tunnel_abort(&socket->tunnel);
    else
        px_exchange_abort(socket->exchange);
}

static px_websocket *socket_of(struct tunnel *tunnel)
{
    return CONTAINER_OF(tunnel, px_websocket, tunnel);
}

static size_t tunnel_received(struct tunnel *tunnel, px_str bytes)
{
    return socket_receive(socket_of(tunnel), bytes);
}

static void tunnel_received_end(struct tunnel *tunnel)
{
    socket_peer_end(socket_of(tunnel));
}

static void tunnel_server_drain(struct tunnel *tunnel, uint32_t in_ms)
{
    drain_note(socket_of(tunnel), in_ms);
}

static void tunnel_ended(struct tunnel *tunnel)
{
    socket_destroy(socket_of(tunnel));
}

const struct tunnel_events socket_tunnel_events = {
    .receive = tunnel_received,
    .receive_end = tunnel_received_end,
    .pull = socket_tunnel_pull,
    .server_drain = tunnel_server_drain,
    .end = tunnel_ended,
};
