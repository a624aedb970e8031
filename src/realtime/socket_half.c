/*
 * Messages that have begun and are not whole.
 *
 * Memory grows with what came of one.  A peer that goes on with it at the rate that is asked of
 * content has what its limits allow, while there is enough for all; when there is not, the one that
 * has held most for longest without coming on gives way (1013), and one that finds nothing to take
 * waits a little.  A peer that stops in the middle, or goes on byte by byte, is given a window's
 * time (1008).
 */
#include "base/options.h"
#include "realtime/socket.h"

/* --- Memory ----------------------------------------------------------------------------------- */

static void message_release(struct socket_work *work)
{
    const struct budget_holder **favoured = &work->socket->loop->memory.favoured[BUDGET_SOCKETS];

    if (*favoured == &work->holder)
        *favoured = NULL;
    budget_release(&work->holder);
    socket_free(work->socket->loop, work->message, work->message_cap);
    work->message = NULL;
    work->message_len = 0;
    work->message_cap = 0;
    work->moved_len = 0;
}

void half_end(struct socket_work *work)
{
    message_release(work);
    work->rated = false;
}

void half_drop(px_websocket *socket)
{
    if (socket->coders)
        coders_inflated(socket);
    if (!socket->work)
        return;
    socket->work->reader.inflate = NULL;
    half_end(socket->work);
}

static void message_gives_way(struct budget_holder *holder)
{
    px_websocket *socket = CONTAINER_OF(holder, struct socket_work, holder)->socket;

    half_drop(socket);
    socket_doom_any(socket, WS_CODE_TRY_LATER);
}

void half_init(struct socket_work *work, px_websocket *socket)
{
    work->socket = socket;
    work->message = NULL;
    work->message_len = 0;
    work->message_cap = 0;
    work->holder = (struct budget_holder){.give_way = message_gives_way};
    list_init(&work->holder.node);
    work->moved_len = 0;
    work->rated_ms = 0;
    work->rated_bytes = 0;
    work->starved_ms = 0;
    work->retry_ms = 0;
    work->rated = false;
}

/* As much again, and no more than it may have. */
bool half_grow(px_websocket *socket, size_t there)
{
    struct socket_work *work = socket->work;
    px_loop *loop = socket->loop;
    uint64_t limit = socket->terms->limits.message_bytes_max;
    uint64_t most = limit < SIZE_MAX / 2 ? limit + SOCKET_MESSAGE_ROOM_MIN : SIZE_MAX / 2;
    size_t cap = work->message_cap * 2;

    if (!work->message)
        cap = there + SOCKET_MESSAGE_ROOM_MIN > SOCKET_MESSAGE_FIRST_BYTES
                  ? there + SOCKET_MESSAGE_ROOM_MIN
                  : SOCKET_MESSAGE_FIRST_BYTES;
    if (cap > most)
        cap = (size_t)most;
    uint64_t since_ms = list_linked(&work->holder.node) ? work->holder.since_ms : loop->now_ms;
    bool goes_on = loop->memory.favoured[BUDGET_SOCKETS] == &work->holder;
    char *message = socket_resize(loop, work->message, work->message_cap, cap, since_ms, goes_on);

    if (!message)
        return false;
    work->message = message;
    work->message_cap = cap;
    work->starved_ms = 0;
    budget_hold(&loop->memory, BUDGET_SOCKETS, &work->holder, cap, 0, loop->now_ms);
    return true;
}

/* One that comes in, or waits for us, is not one that stops. */
static void half_touch(px_websocket *socket)
{
    struct socket_work *work = socket->work;
    struct budget *memory = &socket->loop->memory;

    if (socket->starved)
        budget_touch(memory, BUDGET_SOCKETS, &work->holder, socket->loop->now_ms);
    else
        budget_move(memory, BUDGET_SOCKETS, &work->holder, work->message_len - work->moved_len,
                    work->message_cap, socket->loop->now_ms);
    work->moved_len = work->message_len;
    if (work->reader.inflate)
        coders_come(socket, work->reader.received_bytes, socket->starved);
}

bool half_starve(px_websocket *socket, bool for_message)
{
    struct socket_work *work = socket->work;
    uint64_t now_ms = loop_now_ms(socket->loop);
    const struct budget_holder **favoured = &socket->loop->memory.favoured[BUDGET_SOCKETS];

    /* One whose peer does not go on has had its turn. */
    if (for_message && (!*favoured || now_ms >= (*favoured)->since_ms + BUDGET_HOLD_MS))
        *favoured = &work->holder;
    if (work->starved_ms == 0)
        work->starved_ms = now_ms;
    if (now_ms - work->starved_ms >= SOCKET_STARVE_MS)
        return false;
    socket->starved = true;
    half_touch(socket);
    work->retry_ms = now_ms + SOCKET_RETRY_MS;
    socket_schedule(socket);
    return true;
}

/* --- The rate --------------------------------------------------------------------------------- */

static uint64_t came_bytes(const struct ws_reader *reader)
{
    return reader->deflated ? reader->received_bytes : reader->message_bytes;
}

/* Whether there is something that is not whole, for which memory is held: what is handed over in
 * pieces as it came holds none. */
static bool is_half(const px_websocket *socket)
{
    const struct ws_reader *reader = &socket->work->reader;

    if (socket->state > SOCKET_CLOSING || socket->doom != 0 || ws_reader_is_between(reader))
        return false;
    return !TABLE_MEMBER(socket->terms->events, on_piece) || reader->message == 0 ||
           reader->deflated;
}

static void window_begin(px_websocket *socket)
{
    struct socket_work *work = socket->work;
    const struct socket_terms *terms = socket->terms;

    if (terms->rate_min == PX_OFF || terms->rate_window_ms == PX_OFF)
        return;
    work->rated = true;
    work->rated_ms = loop_now_ms(socket->loop);
    work->rated_bytes = came_bytes(&work->reader);
    /* A timer that is due before looks for itself. */
    if (!timer_started(&socket->timer) ||
        socket->timer.due_ms > work->rated_ms + terms->rate_window_ms)
        socket_schedule(socket);
}

void half_look(px_websocket *socket)
{
    struct socket_work *work = socket->work;

    if (socket->state != SOCKET_OPEN && work->message)
        message_release(work); /* nothing is told of it any more */
    half_touch(socket);
    if (!is_half(socket))
        work->rated = false;
    else if (!work->rated)
        window_begin(socket);
}

void half_read_on(px_websocket *socket)
{
    if (socket->work && socket->work->rated)
        window_begin(socket);
}

uint64_t half_due_ms(const px_websocket *socket)
{
    const struct socket_work *work = socket->work;

    if (!work)
        return UINT64_MAX;
    if (socket->starved)
        return work->retry_ms;
    return work->rated && !socket->paused && !socket->held
               ? work->rated_ms + socket->terms->rate_window_ms
               : UINT64_MAX;
}

bool half_due(px_websocket *socket)
{
    uint64_t now_ms = socket->loop->now_ms;
    struct socket_work *work = socket->work;

    if (now_ms < half_due_ms(socket))
        return true;
    if (socket->starved) {
        socket->starved = false;
        socket_read_on(socket);
        return true;
    }
    /* What we did not read, for others of its connection or for want of a turn, is not missed. */
    if (!tunnel_has_parted(&socket->tunnel) &&
        exchange_open_since(socket->exchange) > work->rated_ms) {
        window_begin(socket);
        return true;
    }
    ASSERT(came_bytes(&work->reader) >= work->rated_bytes);
    if ((came_bytes(&work->reader) - work->rated_bytes) * 1000 <
        socket->terms->rate_min * (now_ms - work->rated_ms))
        return false;
    window_begin(socket);
    return true;
}
