/*
 * The TLS conduit: receiving, and the end in both directions.
 *
 * Happy path: the stream hands over what arrived, records are opened into the server's chunk, the
 * protocol uses the content, nothing is kept.  What it does not use goes to an inbox as a stream's
 * would; what it does not want is not even opened: it stays with the stream, and in the kernel.
 * What can go wrong: records that do not verify, an end without close_notify (RFC 8446 section
 * 6.1), which is told as a reset, since what came may be cut short.
 */
#include "server/tls_conduit.h"

#include <string.h>

/* --- Receiving -------------------------------------------------------------------------------- */

static void end_report(struct tls_conduit *tls)
{
    if (tls->ended || tls->closing)
        return;
    tls->ended = true;
    tls->receiving = false;
    if (tls->events->on_recv_end)
        tls->events->on_recv_end(&tls->conn->stream, (px_err)tls->end, tls->context);
}

static void end_note(struct tls_conduit *tls, px_err end)
{
    if (!tls->end_known) {
        tls->end_known = true;
        tls->end = (uint8_t)end;
    }
}

/* Shows the inbox to the protocol. */
static void inbox_show(struct tls_conduit *tls)
{
    px_str bytes = inbox_lend(&tls->inbox);
    size_t used = tls->events->on_recv(&tls->conn->stream, bytes, tls->context);

    CHECK(used <= bytes.len);
    inbox_put_back(&tls->inbox, tls->server->loop, bytes, used);
}

/* Hands content to the protocol: `ptr` lies in the server's chunk, or at the inbox's end. */
static void content_deliver(struct tls_conduit *tls, const char *ptr, size_t count)
{
    px_loop *loop = tls->server->loop;

    if (tls->inbox.len > 0) {
        tls->inbox.len += (uint32_t)count;
        inbox_show(tls);
        return;
    }
    size_t used = tls->events->on_recv(&tls->conn->stream, px_str_make(ptr, count), tls->context);

    CHECK(used <= count);
    if (used == count || tls->closing)
        return;
    px_err err = inbox_keep(&tls->inbox, loop, ptr + used, count - used);

    if (err != PX_OK)
        end_note(tls, err);
}

/* Opens what there is and hands it over, once: PX_OK when there may be more. */
static px_err content_step(struct tls_conduit *tls)
{
    struct tls_session *session = &tls->session;
    char *ptr = tls->server->tls->opened;
    size_t room = RECV_CHUNK_BYTES, count = 0, bytes;
    px_err err = PX_OK;

    if (tls->inbox.len > 0)
        room = inbox_room(&tls->inbox, tls->server->loop, &ptr);
    if (room == 0) {
        /* Content without end that nobody uses; the end may be what comes instead. */
        if (session->in.len > 0 || tls_session_has_content(session))
            end_note(tls, PX_ERR_LIMIT);
        return PX_AGAIN;
    }
    while (err == PX_OK && count < room) {
        err = tls_session_read(session, ptr + count, room - count, &bytes);
        if (err == PX_OK)
            count += bytes;
    }
    if (count > 0)
        content_deliver(tls, ptr, count);
    if (err == PX_ERR_CLOSED)
        end_note(tls, PX_OK);
    else if (err == PX_ERR_MALFORMED)
        end_note(tls, PX_ERR_CLOSED); /* an alert says why; for us it is a connection that broke */
    else if (err != PX_OK && err != PX_AGAIN)
        end_note(tls, err);
    return err;
}

/* Shows the protocol all it wants to see, within the budget of a stream. */
static void content_run(struct tls_conduit *tls)
{
    for (uint32_t budget = RECVS_PER_TICK; tls->receiving && !tls->closing; budget--) {
        if (budget == 0) {
            loop_task_add(tls->server->loop, &tls->wake);
            return;
        }
        if (tls->present && tls->inbox.len > 0) {
            tls->present = false;
            inbox_show(tls);
            continue;
        }
        tls->present = false;
        if (tls->end_known) {
            end_report(tls);
            return;
        }
        /* The protocol may have stopped and started meanwhile: then it sees the inbox again. */
        if (content_step(tls) != PX_OK && !tls->present && !tls->end_known)
            return;
    }
}

/* Bytes behind the end, or behind a handshake that failed: read so that the peer can read what it
 * was told, in bounds. */
static void bytes_drop(struct tls_conduit *tls, size_t count)
{
    struct conn *conn = tls->conn;

    conn->received += (uint32_t)count;
    if (conn->state == CONN_LINGERING && conn->received > LINGER_BYTES_MAX)
        conn_close(conn, PX_END_COMPLETE);
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct tls_conduit *tls = context;

    (void)stream;
    if (tls->ended || tls->parting || (!tls->events && tls->conn->state != CONN_OPEN)) {
        bytes_drop(tls, bytes.len);
        return bytes.len;
    }
    tls->session.in = bytes;
    if (!tls->events) {
        tls_handshake(tls, bytes);
        /* A plain request has taken the stream for HTTP: this conduit is gone. */
        if (tls->conn->conduit.below != tls)
            return bytes.len;
    }
    if (tls->events)
        content_run(tls);
    size_t used = bytes.len - tls->session.in.len;

    tls->starved = tls->receiving && used < bytes.len;
    tls->session.in = px_str_make(NULL, 0);
    tls_flush(tls);
    return tls->closing ? bytes.len : used;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct tls_conduit *tls = context;

    (void)stream;
    if (tls->parting) {
        if (reason != PX_OK)
            tls_part(tls);
        return;
    }
    if (!tls->events) {
        conn_close(tls->conn, PX_END_PEER_GONE);
        return;
    }
    /* An end of the stream without close_notify may have been made by anybody. */
    end_note(tls, reason == PX_OK ? PX_ERR_CLOSED : reason);
    /* A reset is heard of at once, an end when all before it was seen. */
    if (reason != PX_OK || !tls->present)
        end_report(tls);
}

void tls_recv_again(struct tls_conduit *tls)
{
    if (!tls->starved || !tls->receiving)
        return;
    tls->starved = false;
    px_stream_recv_stop(&tls->conn->stream);
    px_stream_recv_start(&tls->conn->stream);
}

static void tls_recv_start(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    if (tls->receiving || tls->closing || tls->parting)
        return;
    px_stream_recv_start(&tls->conn->stream);
    if (tls->ended)
        return;
    tls->receiving = true;
    tls->present = true;
    /* What was opened before brings no event of the stream. */
    if (tls->inbox.len > 0 || tls->end_known || tls_session_has_content(&tls->session))
        loop_task_add(tls->server->loop, &tls->wake);
}

static void tls_recv_stop(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    tls->receiving = false;
    tls->present = false;
    px_stream_recv_stop(&tls->conn->stream);
}

static bool tls_is_drained(const struct conduit *conduit)
{
    const struct tls_conduit *tls = tls_conduit_of(conduit);

    return tls->inbox.len == 0 && tls->session.in.len == 0 &&
           !tls_session_has_content(&tls->session) && stream_is_drained(&tls->conn->stream);
}

/* --- The end ---------------------------------------------------------------------------------- */

static void tls_shutdown(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    CHECK(!tls->sending);
    if (tls->shut || tls->closing)
        return;
    tls->shut = true;
    tls_session_close(&tls->session);
    if (tls_flush(tls))
        px_stream_shutdown(&tls->conn->stream);
}

/* A send of the protocol's that the stream knows nothing of is cancelled like one that it does. */
static void closing_begin(struct tls_conduit *tls)
{
    tls->closing = true;
    tls->receiving = false;
    list_remove(&tls->wake.node);
    if (tls->sending && tls->flushing == 0)
        px_stream_send(&tls->conn->stream, NULL, 0);
}

static void tls_close(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    if (tls->closing)
        return;
    /* What is whole ends with a close_notify, for which a peer that has yet to read is waited for:
     * not longer than for one to close. */
    if (!tls->parting && !tls->sending && !tls->shut) {
        tls_session_close(&tls->session);
        tls->parting = !tls_flush(tls) && tls->server->options.linger_timeout_ms != PX_OFF;
        if (tls->parting) {
            tls->receiving = false;
            conn_wait(tls->conn, WAIT_LINGER);
            return;
        }
    }
    tls_part(tls);
}

void tls_part(struct tls_conduit *tls)
{
    conn_wait(tls->conn, WAIT_NONE);
    px_stream_close(&tls->conn->stream);
    closing_begin(tls);
}

/* Without a close_notify: what was cut short never looks complete, whoever resets. */
static void tls_reset(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    px_stream_reset(&tls->conn->stream);
    if (!tls->closing)
        closing_begin(tls);
}

void tls_conduit_free(struct tls_conduit *tls)
{
    px_server *server = tls->server;

    tls_handshake_leave(tls);
    list_remove(&tls->wake.node);
    tls_read_forget(tls);
    tls_session_deinit(&tls->session);
    inbox_free(&tls->inbox, server->loop);
    pool_put(&server->tls->conduits, tls);
}

static void on_closed(px_stream *stream, void *context)
{
    struct tls_conduit *tls = context;

    if (tls->events)
        tls->events->on_closed(stream, tls->context);
    else
        conn_freed(tls->conn);
    tls_conduit_free(tls);
}

const px_stream_events tls_stream_events = {on_recv, on_recv_end, tls_on_sent, on_closed};

/* --- The table -------------------------------------------------------------------------------- */

void tls_wake(struct loop_task *task)
{
    struct tls_conduit *tls = CONTAINER_OF(task, struct tls_conduit, wake);

    tls_send_resume(tls);
    if (!tls->closing && tls->events)
        content_run(tls);
    if (!tls->closing && tls_flush(tls))
        tls_recv_again(tls);
}

static void tls_attach(struct conduit *conduit, const px_stream_events *events, void *context)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    tls->events = events;
    tls->context = context;
}

static uint64_t tls_sent_bytes(const struct conduit *conduit)
{
    return tls_conduit_of(conduit)->conn->stream.sent_bytes;
}

static uint64_t tls_acked_bytes(const struct conduit *conduit)
{
    return stream_acked_bytes(&tls_conduit_of(conduit)->conn->stream);
}

const struct conduit_ops tls_conduit_ops = {
    .attach = tls_attach,
    .recv_start = tls_recv_start,
    .recv_stop = tls_recv_stop,
    .send = tls_send,
    .shutdown = tls_shutdown,
    .close = tls_close,
    .reset = tls_reset,
    .is_drained = tls_is_drained,
    .sent_bytes = tls_sent_bytes,
    .acked_bytes = tls_acked_bytes,
};
