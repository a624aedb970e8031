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
        conn->session.server->count.cells->refused[REFUSAL_SYNTAX]++;
        session_close(&conn->session, PX_END_REFUSED);
        return bytes.len;
    }
    conn->session.server->count.cells->received += header.bytes;
    if (header.has_peer)
        session_peer_keep(&conn->session, &header.source);
    conn->session.proxied_tls = header.tls;
    session_wait(&conn->session, WAIT_NONE);
    /* What follows the header comes again, to the protocol. */
    conduit_recv_stop(&conn->conduit);
    session_speak(&conn->session, (enum session_protocol_id)conn->first_protocol);
    return header.bytes;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    (void)stream;
    (void)reason;
    session_close(&((struct conn *)context)->session, PX_END_PEER_GONE);
}

static const px_stream_events proxied_events = {on_recv, on_recv_end, NULL, conn_on_closed};

static void proxied_open(struct session *session)
{
    struct conn *conn = conn_of(session);
    conduit_attach(&conn->conduit, &proxied_events, conn);
    conduit_recv_start(&conn->conduit);
    session_wait(session, WAIT_HEAD);
}

static bool proxied_is_idle(const struct session *session)
{
    (void)session;
    return true;
}

const struct session_protocol proxied_protocol = {
    .carrier = &conn_carrier,
    .open = proxied_open,
    .is_idle = proxied_is_idle,
};
