/*
 * What comes: frames are read, messages put together and handed over, control frames answered.
 *
 * Happy path: a small message in one frame is unmasked on the stack and handed over.  What is
 * longer, in several frames or inflated is collected in memory of the socket's own, which grows
 * with what has come and not with what a head says.  The program is the brake: it pauses, or its
 * answers fill the backlog, and the rest stays where it was received.
 */
#include <string.h>

#include "base/options.h"
#include "realtime/socket.h"

/* How long a turn of one socket is. */
struct turn {
    size_t bytes;
    uint32_t events;
};

static bool turn_is_over(const struct turn *turn)
{
    return turn->bytes >= SOCKET_TURN_BYTES || turn->events >= SOCKET_TURN_EVENTS;
}

static bool reads(const px_websocket *socket)
{
    return socket->state <= SOCKET_CLOSING && socket->doom == 0 && !socket->paused &&
           !socket->held && !socket->starved;
}

/* --- Messages --------------------------------------------------------------------------------- */

static void message_tell(px_websocket *socket, uint8_t opcode, px_str message)
{
    loop_socket_message(&socket->loop->told, SOCKETS_IN, message.len, true);
    if (socket_is_open(socket) && TABLE_MEMBER(socket->terms->events, on_message))
        socket->terms->events->on_message(socket, (px_websocket_kind)opcode, message,
                                          socket->context);
}

static void piece_tell(px_websocket *socket, const struct ws_event *event)
{
    loop_socket_message(&socket->loop->told, SOCKETS_IN, event->bytes.len, event->last);
    if (socket_is_open(socket))
        socket->terms->events->on_piece(socket, (px_websocket_kind)event->opcode, event->bytes,
                                        event->last, socket->context);
}

/* What came is handed over, or stays behind the message.  While it is told nothing gives way. */
static void data_hand_over(px_websocket *socket, const struct ws_event *event, const char *scratch)
{
    struct socket_work *work = socket->work;

    if (TABLE_MEMBER(socket->terms->events, on_piece)) {
        piece_tell(socket, event);
    } else if (event->bytes.ptr == scratch) {
        if (event->last && work->message_len == 0)
            message_tell(socket, event->opcode, event->bytes);
    } else {
        work->message_len += event->bytes.len;
        if (event->last)
            message_tell(socket, event->opcode, px_str_make(work->message, work->message_len));
    }
}

/* A piece was written where it was to be: at `scratch`, or behind the message. */
static void data_take(px_websocket *socket, const struct ws_event *event, const char *scratch)
{
    if (event->last) {
        budget_release(&socket->work->holder);
        coders_inflated(socket);
    }
    data_hand_over(socket, event, scratch);
    if (event->last)
        half_end(socket->work);
}

/* Whether what comes next is written on the stack: for a program that takes pieces, a whole message
 * that is there, what is not told any more, and where nothing is written before a message begins.
 */
static bool fits_scratch(const px_websocket *socket, size_t there)
{
    const struct ws_reader *reader = &socket->work->reader;

    if (TABLE_MEMBER(socket->terms->events, on_piece) || reader->message == 0 ||
        socket->state != SOCKET_OPEN)
        return true;
    return reader->state == WS_READ_DATA && reader->fin && !reader->deflated &&
           socket->work->message_len == 0 && reader->frame_left <= SOCKET_SCRATCH_BYTES &&
           reader->frame_left <= there;
}

/* --- Events ----------------------------------------------------------------------------------- */

/* Our pings say when they were sent. */
static void pong_take(px_websocket *socket, px_str content)
{
    uint64_t sent_ms;

    if (content.len != sizeof(sent_ms) || socket->pinged_ms == 0)
        return; /* section 5.5.3: a pong that was not asked for */
    memcpy(&sent_ms, content.ptr, sizeof(sent_ms));
    if (sent_ms != socket->pinged_ms)
        return;
    socket->pinged_ms = 0;
    if (socket_is_open(socket) && TABLE_MEMBER(socket->terms->events, on_pong))
        socket->terms->events->on_pong(socket, socket->loop->now_ms - sent_ms, socket->context);
}

static void event_take(px_websocket *socket, const struct ws_event *event, const char *scratch)
{
    switch (event->kind) {
    case WS_EVENT_BEGIN:
        socket->work->rated = false;
        break;
    case WS_EVENT_DATA:
        data_take(socket, event, scratch);
        break;
    case WS_EVENT_PING:
        socket_pong(socket, event->bytes);
        break;
    case WS_EVENT_PONG:
        pong_take(socket, event->bytes);
        break;
    case WS_EVENT_CLOSE:
        socket_peer_close(socket, event->code, event->bytes);
        break;
    }
}

/* What the message at hand is inflated with; false: there is no memory for it now. */
static bool inflater_find(px_websocket *socket)
{
    struct ws_reader *reader = &socket->work->reader;

    if (reader->message == 0 || !reader->deflated || reader->inflate)
        return true;
    reader->inflate = coders_inflate(socket);
    if (!reader->inflate)
        return false;
    socket->work->starved_ms = 0;
    return true;
}

/* Whether there is room for what comes next; while there is none it waits, and not for ever. */
static bool step_begin(px_websocket *socket, bool on_stack, size_t there)
{
    const struct socket_work *work = socket->work;

    if (!inflater_find(socket)) {
        if (!half_starve(socket, false))
            socket_fail(socket, WS_CODE_TRY_LATER);
        return false;
    }
    if (on_stack || work->message_cap - work->message_len >= SOCKET_MESSAGE_ROOM_MIN ||
        half_grow(socket, there))
        return true;
    if (!half_starve(socket, true))
        socket_fail(socket, WS_CODE_TRY_LATER);
    return false;
}

/* Reads once.  What was used of `in`; *out_more says whether to go on. */
static size_t step(px_websocket *socket, px_str in, char *scratch, struct turn *turn,
                   bool *out_more)
{
    bool on_stack = fits_scratch(socket, in.len);
    struct ws_event event;
    size_t used = 0;

    *out_more = false;
    if (!step_begin(socket, on_stack, in.len))
        return socket->state > SOCKET_CLOSING ? in.len : 0;
    char *out = on_stack ? scratch : socket->work->message + socket->work->message_len;
    size_t room =
        on_stack ? SOCKET_SCRATCH_BYTES : socket->work->message_cap - socket->work->message_len;

    if (room > SOCKET_STEP_BYTES && socket->work->reader.deflated)
        room = SOCKET_STEP_BYTES;
    px_err err = ws_read(&socket->work->reader, in, out, room, &used, &event);

    if (err == PX_AGAIN)
        return used;
    turn->events++;
    turn->bytes += used;
    if (err != PX_OK) {
        socket_fail(socket, socket->work->reader.code);
        return in.len;
    }
    if (event.kind == WS_EVENT_DATA) {
        turn->bytes += event.bytes.len;
        if (socket->work->reader.deflated)
            work_count(&socket->loop->work, (uint32_t)(event.bytes.len / WORK_INFLATE_BYTES));
    }
    event_take(socket, &event, scratch);
    *out_more = true;
    return used;
}

/* No message is told while the backlog is full, where that is to hold the peer back: what answers
 * it is taken.  Control frames in front of it are read. */
static void message_hold(px_websocket *socket)
{
    if (socket->work->reader.message != 0 && socket->terms->backlog == PX_BACKLOG_PAUSE &&
        socket_is_full(socket))
        socket->held = true;
}

size_t socket_receive(px_websocket *socket, px_str bytes)
{
    char scratch[SOCKET_SCRATCH_BYTES];
    struct turn turn = {0, 0};
    bool more = true;
    size_t used = 0;

    if (bytes.len > 0)
        socket->heard_ms = socket->loop->now_ms;
    if (bytes.len == 0 && !socket->work)
        return 0; /* nothing is held of what came before */
    if (!socket_work_take(socket)) {
        socket_fail(socket, WS_CODE_TRY_LATER);
        return bytes.len;
    }
    message_hold(socket);
    while (more && reads(socket) && !turn_is_over(&turn)) {
        used +=
            step(socket, px_str_make(bytes.ptr + used, bytes.len - used), scratch, &turn, &more);
        message_hold(socket);
    }
    half_look(socket);
    socket_work_rest(socket);
    if (socket->state > SOCKET_CLOSING)
        return bytes.len; /* nothing more is looked at */
    if (!reads(socket))
        socket_stop_reading(socket); /* socket_read_on goes on */
    else if (more)
        loop_task_add(socket->loop, &socket->again); /* others have their turn */
    return used;
}

void socket_read_on(px_websocket *socket)
{
    half_read_on(socket);
    if (reads(socket))
        loop_task_add(socket->loop, &socket->again);
}

/* What the reader holds, an inflater above all, is told without bytes; then more bytes come. */
void socket_again(struct loop_task *task)
{
    px_websocket *socket = CONTAINER_OF(task, px_websocket, again);

    uint16_t doom = socket->doom;

    socket->doom = 0;
    if (doom == WS_CODE_ABNORMAL)
        socket_give_up(socket);
    else if (doom != 0)
        socket_fail(socket, doom);
    if (!reads(socket))
        return;
    socket_start_reading(socket);
    (void)socket_receive(socket, px_str_make("", 0));
}

static size_t on_receive(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    return socket_receive(context, bytes);
}

static void on_receive_end(px_exchange *exchange, void *context)
{
    (void)exchange;
    socket_peer_end(context);
}

const px_tunnel_callbacks socket_tunnel = {
    .struct_size = sizeof(socket_tunnel),
    .on_receive_some = on_receive,
    .on_receive_end = on_receive_end,
    .on_pull = socket_pull,
};
