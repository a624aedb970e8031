/*
 * Large messages that are deflated: a slice in each turn of the loop, so that no other peer waits
 * for all of it.
 *
 * The message is copied, and each slice of it becomes a fragment (RFC 7692 section 6.1).  Control
 * frames go between them; other messages, a Close as well, wait in `later` until the last is made,
 * and are sent as they are, since the coder is not free.  While much of what was made waits to be
 * sent no more is made.  It can fail for want of memory, which is the end of the WebSocket: its
 * peer has a part of the message.
 */
#include <string.h>

#include "realtime/socket.h"

struct socket_slices {
    px_websocket *socket; /* borrowed: whose it is */
    struct outbox left;   /* the message, as far as it is not deflated */
    struct loop_task task;
    uint8_t opcode; /* of the next fragment */
    uint8_t rsv;    /* likewise */
};

static void slices_free(px_websocket *socket)
{
    struct socket_slices *slices = socket->coders->slices;

    outbox_clear(&slices->left);
    list_remove(&slices->task.node);
    socket_free(socket->loop, slices, sizeof(*slices));
    socket->coders->slices = NULL;
}

void slices_drop(px_websocket *socket)
{
    if (!slices_are_made(socket))
        return;
    slices_free(socket);
    coders_deflated(socket, false);
}

/* The last fragment is made: what waited for it follows. */
static void slices_end(px_websocket *socket)
{
    slices_free(socket);
    coders_deflated(socket, true);
    if (!socket->work->later)
        return;
    outbox_join(&socket->work->outbox, socket->work->later);
    socket_drop_later(socket);
}

/* The peer has a part of a message, or waits for one: it is the last.  What is said now is said
 * between two frames. */
static void slices_fail(px_websocket *socket)
{
    slices_drop(socket);
    socket_drop_later(socket);
    socket_doom_any(socket, socket->state == SOCKET_OPEN ? WS_CODE_TRY_LATER : WS_CODE_ABNORMAL);
    if (socket->state == SOCKET_ENDING)
        socket_give_up(socket);
}

static px_err slice_make(struct socket_slices *slices, px_str piece, bool is_last)
{
    px_websocket *socket = slices->socket;
    struct buf out;

    buf_init(&out, &socket->loop->allocator, SIZE_MAX / 2);
    px_err err = ws_deflate_piece(socket->coders->deflate, piece, is_last, &out);

    work_count(&socket->loop->work, (uint32_t)(piece.len / WORK_FILTER_BYTES));
    if (err == PX_OK && out.len > 0) {
        err = outbox_frame(&socket->work->outbox, (enum ws_opcode)slices->opcode, is_last,
                           slices->rsv, buf_str(&out));
        slices->opcode = WS_CONTINUATION;
        slices->rsv = 0;
    }
    buf_deinit(&out);
    return err;
}

static void slice_run(struct loop_task *task)
{
    struct socket_slices *slices = CONTAINER_OF(task, struct socket_slices, task);
    px_websocket *socket = slices->socket;

    if (socket_gave_way(socket) || slices->left.gave_way)
        return; /* it ends */
    if (socket->work->outbox.bytes >= SOCKET_SLICES_WAITING_BYTES)
        return; /* slices_go_on */
    px_str rest = outbox_first(&slices->left);
    bool is_last = rest.len <= SOCKET_SLICE_BYTES;
    px_str piece = px_str_make(rest.ptr, is_last ? rest.len : SOCKET_SLICE_BYTES);

    if (slice_make(slices, piece, is_last) != PX_OK) {
        if (!socket_gave_way(socket))
            slices_fail(socket);
        return;
    }
    if (is_last) {
        slices_end(socket);
    } else {
        outbox_skip(&slices->left, piece.len);
        loop_task_add(socket->loop, &slices->task);
    }
    socket_flush(socket);
}

px_err slices_begin(px_websocket *socket, px_websocket_kind kind, px_str message)
{
    struct socket_coders *coders = socket->coders;
    struct socket_slices *slices;

    if (!socket_work_take(socket))
        return PX_ERR_MEMORY;
    if (!coders_deflate(socket))
        return PX_ERR_UNSUPPORTED;
    slices = socket_alloc(socket->loop, sizeof(*slices));
    if (!slices) {
        coders_deflated(socket, false);
        return PX_ERR_MEMORY;
    }
    slices->socket = socket;
    slices->opcode = (uint8_t)kind;
    slices->rsv = WS_RSV1;
    loop_task_init(&slices->task, slice_run);
    outbox_init(&slices->left, socket->loop);
    outbox_own(&slices->left, socket, socket_outbox_gives_way);
    coders->slices = slices;
    char *room = outbox_room(&slices->left, message.len);

    if (!room) {
        slices_drop(socket);
        return PX_ERR_MEMORY;
    }
    memcpy(room, message.ptr, message.len);
    outbox_add(&slices->left, message.len);
    loop_task_add(socket->loop, &slices->task);
    return PX_OK;
}

size_t slices_waiting(const px_websocket *socket)
{
    return slices_are_made(socket) ? socket->coders->slices->left.bytes : 0;
}

void slices_go_on(px_websocket *socket)
{
    if (slices_are_made(socket) && socket->work->outbox.bytes < SOCKET_SLICES_WAITING_BYTES)
        loop_task_add(socket->loop, &socket->coders->slices->task);
}

void slices_give_way(px_websocket *socket)
{
    if (slices_are_made(socket))
        outbox_give_way(&socket->coders->slices->left);
}

void slices_check(const px_websocket *socket)
{
    if (!slices_are_made(socket))
        return;
    const struct socket_slices *slices = socket->coders->slices;

    ASSERT(slices->socket == socket && socket->work && socket->coders->deflate);
    ASSERT(!socket->in_pieces);
    ASSERT(slices->left.bytes > 0 || slices->left.gave_way);
    /* Else nothing would go on with it. */
    ASSERT(list_linked(&slices->task.node) || slices->left.gave_way || socket_gave_way(socket) ||
           socket->work->outbox.bytes > 0);
    outbox_check(&slices->left);
}
