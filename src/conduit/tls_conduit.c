/*
 * The TLS conduit: receiving, and the end in both directions.
 *
 * Happy path: the stream hands over what arrived, records are opened into the shared chunk, the
 * protocol uses the content, nothing is kept.  What it does not use goes to an inbox as a stream's
 * would; what it does not want is not even opened: it stays with the stream, and in the kernel.
 * What can go wrong: records that do not verify, an end without close_notify (RFC 8446 section
 * 6.1), which is told as a reset, since what came may be cut short.
 */
#include "conduit/tls_conduit.h"

/* --- Receiving -------------------------------------------------------------------------------- */

static bool is_receiving(const struct tls_conduit *tls)
{
    return tls->receiving == TLS_RECV_STARTED || tls->receiving == TLS_RECV_WAITING;
}

static void end_report(struct tls_conduit *tls)
{
    if (tls->receiving == TLS_RECV_ENDED || tls->stage != TLS_OPEN)
        return;
    tls->receiving = TLS_RECV_ENDED;
    if (tls->events->on_recv_end)
        tls->events->on_recv_end(tls->stream, (px_err)tls->end, tls->context);
}

static bool end_is_known(const struct tls_conduit *tls)
{
    return tls->end != (uint8_t)PX_AGAIN;
}

static void end_note(struct tls_conduit *tls, px_err end)
{
    if (!end_is_known(tls))
        tls->end = (uint8_t)end;
}

/* Shows the inbox to the protocol. */
static void inbox_show(struct tls_conduit *tls)
{
    px_str bytes = inbox_lend(&tls->inbox);
    size_t used = tls->events->on_recv(tls->stream, bytes, tls->context);

    CHECK(used <= bytes.len);
    inbox_put_back(&tls->inbox, tls->shared->loop, bytes, used);
}

/* Hands content to the protocol: `ptr` lies in the shared chunk, or at the inbox's end. */
static void content_deliver(struct tls_conduit *tls, const char *ptr, size_t count)
{
    px_loop *loop = tls->shared->loop;

    if (tls->inbox.len > 0) {
        tls->inbox.len += (uint32_t)count;
        inbox_show(tls);
        return;
    }
    size_t used = tls->events->on_recv(tls->stream, px_str_make(ptr, count), tls->context);

    CHECK(used <= count);
    if (used == count || tls->stage == TLS_CLOSING)
        return;
    px_err err = inbox_keep(&tls->inbox, loop, ptr + used, count - used, is_receiving(tls));

    if (err != PX_OK)
        end_note(tls, err);
}

/* Opens a record.  Small ones, and those that ask for new keys, make much work of few bytes. */
static px_err record_read(struct tls_conduit *tls, char *out, size_t room, size_t *out_bytes)
{
    uint16_t updates = tls->session.updates;
    size_t before = tls->session.in.len;
    px_err err = tls_session_read(&tls->session, out, room, out_bytes);
    uint16_t asked =
        (uint16_t)(tls->session.updates > updates ? tls->session.updates - updates : 0);
    uint32_t units = WORK_RECORD + (uint32_t)((before - tls->session.in.len) / (16 * WORK_BYTES)) +
                     asked * WORK_UPDATE;

    work_count(&tls->shared->loop->work, units);
    tls->worked += units;
    return err;
}

/* Opens what there is and hands it over, once: PX_OK when there may be more. */
static px_err content_step(struct tls_conduit *tls)
{
    struct tls_session *session = &tls->session;
    char *ptr = tls->shared->opened;
    size_t room = RECV_CHUNK_BYTES, count = 0, bytes;
    px_err err = PX_OK;

    if (tls->inbox.len > 0)
        room = inbox_room(&tls->inbox, tls->shared->loop, &ptr);
    if (room == 0) {
        /* Content without end that the receiver does not use; the end may be what comes instead. */
        if (session->in.len > 0 || tls_session_has_content(session))
            end_note(tls, PX_ERR_LIMIT);
        return PX_AGAIN;
    }
    while (err == PX_OK && count < room && tls->worked < WORK_CONN_MAX) {
        err = record_read(tls, ptr + count, room - count, &bytes);
        if (err == PX_OK)
            count += bytes;
        /* Another call would find nothing. */
        if (err == PX_OK && session->in.len == 0 && !tls_session_has_content(session))
            err = PX_AGAIN;
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

void tls_content_run(struct tls_conduit *tls)
{
    if (tls->worked_tick != (uint32_t)tls->shared->loop->tick)
        tls->worked = 0;
    tls->worked_tick = (uint32_t)tls->shared->loop->tick;
    for (uint32_t budget = RECVS_PER_TICK; is_receiving(tls) && tls->stage == TLS_OPEN; budget--) {
        if (budget == 0 || tls->worked >= WORK_CONN_MAX) {
            loop_task_add(tls->shared->loop, &tls->wake);
            return;
        }
        bool started = tls->receiving == TLS_RECV_STARTED;

        tls->receiving = TLS_RECV_WAITING;
        if (started && tls->inbox.len > 0) {
            inbox_show(tls);
            continue;
        }
        if (end_is_known(tls)) {
            end_report(tls);
            return;
        }
        /* The protocol may have stopped and started meanwhile: then it sees the inbox again. */
        if (content_step(tls) != PX_OK && tls->receiving != TLS_RECV_STARTED && !end_is_known(tls))
            return;
    }
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct tls_conduit *tls = context;

    (void)stream;
    /* Behind the end, or a handshake that failed: read so that the peer can read what it was told,
     * in the bounds of the owner. */
    if (tls->receiving == TLS_RECV_ENDED || tls->stage == TLS_PARTING || tls->stage == TLS_FAILED) {
        tls->owner->dropped(tls, bytes.len, tls->owner_context);
        return bytes.len;
    }
    tls->session.in = bytes;
    tls->corked = true;
    if (tls->stage <= TLS_HANDSHAKE)
        tls_handshake(tls, bytes);
    if (tls->stage == TLS_OPEN)
        tls_content_run(tls);
    tls->corked = false;
    size_t used = bytes.len - tls->session.in.len;

    tls->starved = is_receiving(tls) && used < bytes.len;
    /* Records that wait for its next turn are behind nothing that could make room for more. */
    if (tls->starved && list_linked(&tls->wake.node))
        px_stream_recv_stop(tls->stream);
    tls->session.in = px_str_make(NULL, 0);
    if (tls->stage == TLS_OPEN && !tls_kept_look(tls)) {
        end_note(tls, PX_ERR_LIMIT);
        loop_task_add(tls->shared->loop, &tls->wake); /* nothing that comes would say it */
    }
    /* Where the stream was given back, what was not used is its next owner's. */
    if (tls->stage == TLS_CLOSING)
        return used;
    tls_flush(tls);
    return used;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct tls_conduit *tls = context;

    (void)stream;
    if (tls->stage == TLS_PARTING) {
        if (reason != PX_OK)
            tls_part(tls);
        return;
    }
    if (tls->stage < TLS_OPEN) {
        tls->owner->failed(tls, PX_ERR_CLOSED, tls->owner_context);
        return;
    }
    /* An end of the stream without close_notify may have been made by any host in between. */
    end_note(tls, reason == PX_OK ? PX_ERR_CLOSED : reason);
    /* A reset is heard of at once, an end when all before it was seen: no event of the stream will
     * say that. */
    if (reason != PX_OK || tls->receiving != TLS_RECV_STARTED)
        end_report(tls);
    else
        loop_task_add(tls->shared->loop, &tls->wake);
}

void tls_recv_again(struct tls_conduit *tls)
{
    if (!tls->starved || !is_receiving(tls))
        return;
    tls->starved = false;
    px_stream_recv_stop(tls->stream);
    px_stream_recv_start(tls->stream);
}

static void tls_recv_start(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    if (is_receiving(tls) || tls->stage > TLS_OPEN)
        return;
    px_stream_recv_start(tls->stream);
    if (tls->receiving == TLS_RECV_ENDED || tls->stage != TLS_OPEN)
        return;
    tls->receiving = TLS_RECV_STARTED;
    /* What was opened before brings no event of the stream. */
    if (tls->inbox.len > 0 || end_is_known(tls) || tls_session_has_content(&tls->session))
        loop_task_add(tls->shared->loop, &tls->wake);
}

static void tls_recv_stop(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    if (tls->receiving != TLS_RECV_ENDED)
        tls->receiving = TLS_RECV_STOPPED;
    px_stream_recv_stop(tls->stream);
}

static px_str tls_kept(const struct conduit *conduit)
{
    return inbox_look(&tls_conduit_of(conduit)->inbox);
}

static bool tls_is_drained(const struct conduit *conduit)
{
    const struct tls_conduit *tls = tls_conduit_of(conduit);

    return tls->inbox.len == 0 && tls->session.in.len == 0 &&
           !tls_session_has_content(&tls->session) && stream_is_drained(tls->stream);
}

/* --- The end ---------------------------------------------------------------------------------- */

/* Records are made of a copy in any case. */
static size_t tls_offer(struct conduit *conduit, px_str bytes)
{
    (void)conduit;
    (void)bytes;
    return 0;
}

static void tls_shutdown(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    CHECK(tls->sending != TLS_SEND_CONTENT);
    if (tls->sending == TLS_SEND_SHUT || tls->stage == TLS_CLOSING)
        return;
    tls->sending = TLS_SEND_SHUT;
    tls_session_close(&tls->session);
    if (tls_flush(tls))
        px_stream_shutdown(tls->stream);
}

/* A send of the protocol's that the stream knows nothing of is cancelled like one that it does. */
static void closing_begin(struct tls_conduit *tls)
{
    tls_handshake_leave(tls);
    tls->stage = TLS_CLOSING;
    tls->receiving = TLS_RECV_STOPPED;
    list_remove(&tls->wake.node);
    if (tls->sending == TLS_SEND_CONTENT && tls->flushing == 0)
        px_stream_send(tls->stream, NULL, 0);
}

static void tls_close(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    if (tls->stage == TLS_CLOSING)
        return;
    /* What is whole ends with a close_notify, for which a peer that has yet to read is waited for:
     * not longer than for one to close. */
    if (tls->stage != TLS_PARTING && tls->sending == TLS_SEND_NONE) {
        tls_session_close(&tls->session);
        if (!tls_flush(tls) && tls->owner->linger(tls, tls->owner_context)) {
            tls_handshake_leave(tls);
            tls->stage = TLS_PARTING;
            tls->receiving = TLS_RECV_STOPPED;
            return;
        }
    }
    tls_part(tls);
}

void tls_part(struct tls_conduit *tls)
{
    if (tls->stage == TLS_PARTING)
        tls->owner->parted(tls, tls->owner_context);
    px_stream_close(tls->stream);
    closing_begin(tls);
}

/* Without a close_notify: what was cut short never looks complete, whichever side resets. */
static void tls_reset(struct conduit *conduit)
{
    struct tls_conduit *tls = tls_conduit_of(conduit);

    px_stream_reset(tls->stream);
    if (tls->stage != TLS_CLOSING)
        closing_begin(tls);
}

static void on_closed(px_stream *stream, void *context)
{
    struct tls_conduit *tls = context;

    if (tls->events)
        tls->events->on_closed(stream, tls->context);
    else
        tls->owner->gone(tls, tls->owner_context);
    tls_conduit_leave(tls);
}

const px_stream_events tls_stream_events = {on_recv, on_recv_end, tls_on_sent, on_closed};

/* --- The table -------------------------------------------------------------------------------- */

void tls_wake(struct loop_task *task)
{
    struct tls_conduit *tls = CONTAINER_OF(task, struct tls_conduit, wake);

    tls_send_resume(tls);
    tls_content_run(tls);
    if (tls->stage != TLS_CLOSING && tls_flush(tls))
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
    return tls_conduit_of(conduit)->stream->sent_bytes;
}

static uint64_t tls_acked_bytes(const struct conduit *conduit)
{
    return stream_acked_bytes(tls_conduit_of(conduit)->stream);
}

const struct conduit_ops tls_conduit_ops = {
    .attach = tls_attach,
    .recv_start = tls_recv_start,
    .recv_stop = tls_recv_stop,
    .send = tls_send,
    .offer = tls_offer,
    .shutdown = tls_shutdown,
    .close = tls_close,
    .reset = tls_reset,
    .kept = tls_kept,
    .is_drained = tls_is_drained,
    .sent_bytes = tls_sent_bytes,
    .acked_bytes = tls_acked_bytes,
};
