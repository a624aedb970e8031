/*
 * A PROXY header in front of a connection.
 *
 * Happy path: the header comes with the first segment, the connection's peer becomes the one that
 * it names, and the protocol of the listener opens on what follows.  What can go wrong: no header,
 * or one that is none: the connection is closed without a word, for the specification forbids to
 * guess; one that does not come: the deadline of a head.
 */
#include "server/proxied.h"

#include "net/proxy_header.h"

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct conn *conn = context;
    struct proxy_header header;
    px_err err = proxy_header_parse(bytes, &header);

    (void)stream;
    if (err == PX_AGAIN)
        return 0;
    if (err != PX_OK) {
        conn->server->counters.refused++;
        conn_close(conn, PX_END_REFUSED);
        return bytes.len;
    }
    conn->server->counters.bytes_received += header.bytes;
    if (header.has_peer)
        conn_peer_keep(conn, &header.source);
    conn->proxied_tls = header.tls;
    conn_wait(conn, WAIT_NONE);
    /* What follows the header comes again, to the protocol. */
    conduit_recv_stop(&conn->conduit);
    conn_speak(conn, (enum conn_protocol_id)conn->first_protocol);
    return header.bytes;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    (void)stream;
    (void)reason;
    conn_close(context, PX_END_PEER_GONE);
}

static void on_closed(px_stream *stream, void *context)
{
    (void)stream;
    conn_freed(context);
}

static const px_stream_events proxied_events = {on_recv, on_recv_end, NULL, on_closed};

static void proxied_wake(struct loop_task *task)
{
    (void)task; /* nothing is done on the loop's own account */
}

static void proxied_open(struct conn *conn)
{
    loop_task_init(&conn->wake, proxied_wake);
    conduit_attach(&conn->conduit, &proxied_events, conn);
    conduit_recv_start(&conn->conduit);
    conn_wait(conn, WAIT_HEAD);
}

static bool proxied_is_idle(const struct conn *conn)
{
    (void)conn;
    return true;
}

static void proxied_abandon(struct conn *conn, px_end end)
{
    (void)conn;
    (void)end;
}

static void proxied_timeout(struct conn *conn)
{
    conn_close(conn, PX_END_TIMEOUT);
}

static enum conn_rate proxied_rate(const struct conn *conn)
{
    (void)conn;
    return RATE_NONE;
}

static bool proxied_cut_short(const struct conn *conn)
{
    (void)conn;
    return false;
}

/* Its request is still to come, and is told then. */
static void proxied_drain(struct conn *conn)
{
    (void)conn;
}

static uint64_t proxied_total_due(const struct conn *conn)
{
    (void)conn;
    return UINT64_MAX;
}

const struct conn_protocol proxied_protocol = {
    .open = proxied_open,
    .is_idle = proxied_is_idle,
    .abandon = proxied_abandon,
    .timeout = proxied_timeout,
    .rate = proxied_rate,
    .cut_short = proxied_cut_short,
    .drain = proxied_drain,
    .total_due = proxied_total_due,
};
