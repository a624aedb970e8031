/*
 * What goes out: messages become frames in the outbox, and the transport pulls them.
 *
 * A message that begins below the limit is taken whole; above it the policy decides.  Control
 * frames stand between frames; while the backlog is full the latest ping alone is answered, when
 * there is room again.
 */
#include <string.h>

#include "base/buf.h"
#include "base/options.h"
#include "realtime/socket.h"
#include "realtime/topic_message.h"

bool socket_is_full(const px_websocket *socket)
{
    return socket_waiting(socket) >= socket->terms->backlog_bytes_max;
}

void socket_flush(px_websocket *socket)
{
    if (tunnel_has_parted(&socket->tunnel))
        tunnel_wake(&socket->tunnel);
    else
        px_resume(socket->exchange);
}

px_err socket_overflow(px_websocket *socket)
{
    switch ((px_backlog)socket->terms->backlog) {
    case PX_BACKLOG_PAUSE:
        socket->full_told = true;
        socket->held = true;
        break;
    case PX_BACKLOG_DROP:
        socket->full_told = true;
        break;
    case PX_BACKLOG_CLOSE:
        slices_drop(socket);
        if (socket->work)
            outbox_drop(&socket->work->outbox);
        socket_drop_alone(socket); /* nothing of it was sent */
        socket_drop_later(socket);
        (void)socket_close(socket, WS_CODE_TRY_LATER, px_str_make(NULL, 0));
        break;
    }
    return PX_FULL;
}

/* The backlog is full by what was just taken: nothing more is read that could ask for more. */
static void backlog_look(px_websocket *socket)
{
    if (socket->terms->backlog == PX_BACKLOG_PAUSE && socket_is_full(socket))
        socket->held = true;
}

/* Where what is not for between the fragments of a message goes, once that is finished.  NULL
 * without memory. */
static struct outbox *later_outbox(px_websocket *socket)
{
    if (socket->work->later)
        return socket->work->later;
    socket->work->later = socket_alloc(socket->loop, sizeof(*socket->work->later));
    if (socket->work->later) {
        outbox_init(socket->work->later, socket->loop);
        outbox_own(socket->work->later, socket, socket_outbox_gives_way);
    }
    return socket->work->later;
}

/* Where the frames of a message go; NULL without memory. */
static struct outbox *message_outbox(px_websocket *socket)
{
    if (!socket_work_take(socket))
        return NULL;
    return slices_are_made(socket) ? later_outbox(socket) : &socket->work->outbox;
}

/* --- Control frames --------------------------------------------------------------------------- */

bool socket_control(px_websocket *socket, enum ws_opcode opcode, px_str content)
{
    struct outbox *outbox = NULL;

    /* A Close is the last; others go between fragments as well. */
    if (opcode == WS_CLOSE)
        outbox = message_outbox(socket);
    else if (socket_work_take(socket))
        outbox = &socket->work->outbox;
    if (!outbox || outbox_frame(outbox, opcode, true, 0, content) != PX_OK)
        return false;
    socket_flush(socket);
    return true;
}

void socket_pong(px_websocket *socket, px_str content)
{
    if (!socket_is_open(socket))
        return;
    if (!socket_is_full(socket) && socket_control(socket, WS_PONG, content))
        return;
    struct socket_work *work = socket->work; /* which has read the ping */

    if (!work->pong)
        work->pong = socket_alloc(socket->loop, sizeof(*work->pong));
    if (!work->pong) {
        socket_doom(socket, WS_CODE_TRY_LATER); /* a peer that waits for it would give us up */
        return;
    }
    work->pong->len = (uint8_t)content.len;
    if (content.len > 0)
        memcpy(work->pong->bytes, content.ptr, content.len);
}

/* There is room again for the ping that waits for it. */
static void waiting_pong_send(px_websocket *socket)
{
    struct waiting_pong *pong = socket->work->pong;

    socket->work->pong = NULL;
    if (socket_is_open(socket))
        (void)socket_control(socket, WS_PONG, px_str_make(pong->bytes, pong->len));
    socket_free(socket->loop, pong, sizeof(*pong));
}

void socket_drop_later(px_websocket *socket)
{
    if (!socket->work || !socket->work->later)
        return;
    outbox_clear(socket->work->later);
    socket_free(socket->loop, socket->work->later, sizeof(*socket->work->later));
    socket->work->later = NULL;
}

px_err px_websocket_ping(px_websocket *socket)
{
    uint64_t now_ms = loop_now_ms(socket->loop);

    if (!socket_is_open(socket))
        return PX_ERR_CLOSED;
    if (socket_is_full(socket))
        return PX_FULL; /* a peer that does not read answers no ping */
    if (!socket_control(socket, WS_PING, px_str_make((const char *)&now_ms, sizeof(now_ms))))
        return PX_ERR_MEMORY;
    socket->pinged_ms = now_ms;
    return PX_OK;
}

/* --- Messages --------------------------------------------------------------------------------- */

/* Whether a message may begin: PX_OK, or what px_websocket_send returns. */
static px_err send_begin(px_websocket *socket)
{
    if (!socket_is_open(socket))
        return PX_ERR_CLOSED;
    if (socket->in_pieces)
        return PX_ERR_CONFLICT;
    return socket_is_full(socket) ? socket_overflow(socket) : PX_OK;
}

/* A message that is lost for memory would be missed by the peer alone: it is the last. */
static px_err send_end(px_websocket *socket, px_err err)
{
    if (err != PX_OK)
        socket_doom(socket, WS_CODE_TRY_LATER);
    return err;
}

static px_err frame_append(px_websocket *socket, enum ws_opcode opcode, bool fin, uint8_t rsv,
                           px_str content)
{
    struct outbox *outbox = message_outbox(socket);
    px_err err = outbox ? outbox_frame(outbox, opcode, fin, rsv, content) : PX_ERR_MEMORY;

    if (err != PX_OK)
        return err;
    backlog_look(socket);
    socket_flush(socket);
    return PX_OK;
}

/* Deflates a message and appends it.  PX_ERR_UNSUPPORTED: there is no coder. */
static px_err deflated_append(px_websocket *socket, px_websocket_kind kind, px_str message)
{
    struct ws_deflate *deflate;
    struct buf out;

    if (message.len > SOCKET_SLICE_BYTES) {
        px_err begun = slices_begin(socket, kind, message);

        if (begun == PX_OK)
            backlog_look(socket);
        return begun;
    }
    deflate = coders_deflate(socket);
    if (!deflate)
        return PX_ERR_UNSUPPORTED;
    work_count(&socket->loop->work, (uint32_t)(message.len / WORK_FILTER_BYTES));
    buf_init(&out, &socket->loop->allocator, SIZE_MAX / 2);
    px_err err = ws_deflate_message(deflate, message, &out);

    if (err == PX_OK)
        err = frame_append(socket, (enum ws_opcode)kind, true, WS_RSV1, buf_str(&out));
    buf_deinit(&out);
    coders_deflated(socket, err == PX_OK);
    return err;
}

static bool wants_deflate(const px_websocket *socket, size_t len)
{
    return socket->coders && len >= socket->terms->deflate_bytes_min && !slices_are_made(socket);
}

/* Whether the peer may read it as what it is said to be. */
static bool is_kind(px_websocket_kind kind, px_str message)
{
    return kind != PX_WEBSOCKET_TEXT || ws_utf8_valid(message);
}

/* Of a message that may begin and is what it is said to be. */
static px_err send_whole(px_websocket *socket, px_websocket_kind kind, px_str message)
{
    px_err err = PX_ERR_UNSUPPORTED;

    if (wants_deflate(socket, message.len))
        err = deflated_append(socket, kind, message);
    if (err == PX_ERR_UNSUPPORTED)
        err = frame_append(socket, (enum ws_opcode)kind, true, 0, message);
    if (err == PX_OK)
        loop_socket_message(&socket->loop->told, SOCKETS_OUT, message.len, true);
    return send_end(socket, err);
}

px_err px_websocket_send(px_websocket *socket, px_websocket_kind kind, px_str message)
{
    if (!socket || !is_kind(kind, message))
        return PX_ERR_INVALID;
    px_err err = send_begin(socket);

    return err == PX_OK ? send_whole(socket, kind, message) : err;
}

/* A head of its own, and behind it the bytes where they lie. */
static px_err body_append(px_websocket *socket, px_websocket_kind kind, const px_body *body)
{
    struct shared_bytes *shared = shared_of(socket->loop, body);
    struct outbox *outbox = shared ? message_outbox(socket) : NULL;
    char *out = outbox ? outbox_room(outbox, WS_HEAD_BYTES_MAX) : NULL;
    px_err err = PX_ERR_MEMORY;

    if (out) {
        size_t head = ws_head_write(out, (enum ws_opcode)kind, true, 0, body->bytes.len, NULL);

        err = PX_OK;
        outbox_add(outbox, head);
        if (outbox_share(outbox, shared, true) != PX_OK) {
            /* The head says what does not come: nothing can be sent behind it. */
            err = PX_ERR_MEMORY;
            socket_doom(socket, WS_CODE_ABNORMAL);
        }
    }
    shared_put(shared);
    if (err != PX_OK)
        return send_end(socket, err);
    loop_socket_message(&socket->loop->told, SOCKETS_OUT, body->bytes.len, true);
    backlog_look(socket);
    socket_flush(socket);
    return PX_OK;
}

px_err px_websocket_send_body(px_websocket *socket, px_websocket_kind kind, const px_body *given)
{
    px_body body;

    if (!socket || options_read(&body, sizeof(body), given) != PX_OK)
        return PX_ERR_INVALID;
    px_err err = is_kind(kind, body.bytes) ? send_begin(socket) : PX_ERR_INVALID;

    if (err == PX_OK && body.bytes.len > 0 && !wants_deflate(socket, body.bytes.len))
        return body_append(socket, kind, &body);
    if (err == PX_OK)
        err = send_whole(socket, kind, body.bytes);
    if (body.release)
        body.release(body.context);
    return err;
}

/* Goes on with the text of a message in pieces: false where it is none, and nothing has changed. */
static bool piece_take(px_websocket *socket, px_websocket_kind kind, px_str piece, bool last)
{
    bool is_text = socket->in_pieces ? socket->pieces_text : kind == PX_WEBSOCKET_TEXT;
    struct ws_utf8 utf8 = socket->in_pieces ? socket->utf8 : (struct ws_utf8){0, 0, 0};

    if (is_text &&
        (!ws_utf8_take(&utf8, ws_bytes_best(), piece) || (last && !ws_utf8_is_whole(&utf8))))
        return false;
    socket->pieces_text = is_text;
    socket->utf8 = utf8;
    return true;
}

px_err px_websocket_send_piece(px_websocket *socket, px_websocket_kind kind, px_str piece, int last)
{
    px_err err = PX_OK;

    if (!socket)
        return PX_ERR_INVALID;
    bool is_first = !socket->in_pieces;

    if (!socket_is_open(socket))
        return PX_ERR_CLOSED;
    if (socket_is_full(socket))
        return socket_overflow(socket);
    if (slices_are_made(socket)) {
        socket->full_told = true; /* it may begin when that one is out */
        return PX_FULL;
    }
    if (!piece_take(socket, kind, piece, last != 0))
        return PX_ERR_INVALID;
    err = frame_append(socket, is_first ? (enum ws_opcode)kind : WS_CONTINUATION, last != 0, 0,
                       piece);
    if (err != PX_OK)
        return send_end(socket, err);
    loop_socket_message(&socket->loop->told, SOCKETS_OUT, piece.len, last != 0);
    socket->in_pieces = !last;
    if (last && socket->work && socket->work->later) {
        outbox_join(&socket->work->outbox, socket->work->later);
        socket_drop_later(socket);
    }
    return PX_OK;
}

size_t px_websocket_room(px_websocket *socket)
{
    size_t waiting = socket_waiting(socket);
    size_t most = socket->terms->backlog_bytes_max;

    if (!socket_is_open(socket) || waiting >= most)
        waiting = most;
    if (most - waiting < most / 2)
        socket->full_told = true;
    return most - waiting;
}

/* --- Of a topic ------------------------------------------------------------------------------- */

/* Where what is shared goes: behind a message in pieces, once that is finished.  NULL without
 * memory. */
static struct outbox *shared_outbox(px_websocket *socket)
{
    if (!socket_work_take(socket))
        return NULL;
    return socket->in_pieces ? later_outbox(socket) : message_outbox(socket);
}

/* What is silent takes no memory for it, where the transport takes it away at once. */
static px_err shared_append(px_websocket *socket, struct shared_bytes *frame)
{
    if (!socket->work && !socket->alone && !socket->in_pieces && tunnel_is_idle(&socket->tunnel)) {
        socket->alone = shared_hold(frame);
        return PX_OK;
    }
    struct outbox *outbox = shared_outbox(socket);

    return outbox ? outbox_share(outbox, frame, false) : PX_ERR_MEMORY;
}

static px_err socket_give(struct subscriber *subscriber, struct topic_message *message)
{
    px_websocket *socket = CONTAINER_OF(subscriber, px_websocket, subscriber);

    if (!socket_is_open(socket))
        return PX_ERR_CLOSED;
    if (socket_is_full(socket))
        return socket_overflow(socket);
    bool may_deflate = socket->coders && !slices_are_made(socket) &&
                       socket->coders->terms.server_bits == WS_WINDOW_BITS_MAX;
    bool is_deflated = false;
    struct shared_bytes *frame = topic_message_frame(message, may_deflate, &is_deflated);
    px_err err = shared_append(socket, frame);

    if (err != PX_OK && socket->terms->backlog != PX_BACKLOG_DROP)
        socket_doom(socket, WS_CODE_TRY_LATER);
    if (err == PX_OK) {
        if (is_deflated)
            coders_moved(socket);
        backlog_look(socket);
        socket_flush(socket);
    }
    return err;
}

const struct subscriber_kind socket_subscriber = {.give = socket_give};

/* --- For the transport ------------------------------------------------------------------------ */

/* Half of the backlog has gone out: goes on with what waited for that. */
static void drained(px_websocket *socket)
{
    bool told = socket->full_told, held = socket->held;

    socket->full_told = false;
    socket->held = false;
    if (told && socket_is_open(socket) && TABLE_MEMBER(socket->terms->events, on_drain))
        socket->terms->events->on_drain(socket, socket->context);
    if (held)
        socket_read_on(socket);
}

static px_pull give_bytes(px_websocket *socket, char *out, size_t room, size_t *out_bytes)
{
    socket_check(socket);
    if (socket->state == SOCKET_DEAD || socket_gave_way(socket))
        return PX_PULL_ERROR;
    bool pong_waits = socket->work && socket->work->pong;

    if (socket->alone && socket->alone->bytes.len <= room) {
        *out_bytes = socket->alone->bytes.len;
        memcpy(out, socket->alone->bytes.ptr, *out_bytes);
        socket_drop_alone(socket);
    } else if (socket->alone && !socket_work_take(socket)) {
        return PX_PULL_ERROR;
    } else {
        *out_bytes = socket->work ? outbox_pull(&socket->work->outbox, out, room) : 0;
    }
    slices_go_on(socket);
    if ((socket->held || socket->full_told || pong_waits) &&
        socket_waiting(socket) <= socket->terms->backlog_bytes_max / 2) {
        if (pong_waits && socket->work)
            waiting_pong_send(socket);
        drained(socket);
    }
    socket_work_rest(socket);
    if (*out_bytes > 0)
        return PX_PULL_MORE;
    if (socket->work && socket->work->outbox.head)
        return PX_PULL_LATER; /* what on_drain has sent: px_resume was called */
    return socket->state == SOCKET_ENDING && !slices_are_made(socket) ? PX_PULL_END : PX_PULL_LATER;
}

px_pull socket_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes, void *context)
{
    (void)exchange;
    return give_bytes(context, out, room, out_bytes);
}

px_pull socket_tunnel_pull(struct tunnel *tunnel, char *out, size_t room, size_t *out_bytes)
{
    return give_bytes(CONTAINER_OF(tunnel, px_websocket, tunnel), out, room, out_bytes);
}
