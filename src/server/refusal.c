/*
 * Turning a newcomer away.
 *
 * Happy path: the newcomer's request is read once, so that closing does not turn into a reset that
 * would overtake the answer; 503 goes out, and the connection is closed.  If a place has become
 * free by the time the request comes, the connection is served after all.  What can go wrong: a
 * newcomer that says nothing (gone after a second), one whose request goes on (read and dropped for
 * a moment, so that the answer can be seen), and one that speaks something else: HTTP/2 by prior
 * knowledge is told GOAWAY, TLS gets an alert.
 */
#include "server/refusal.h"

#include <string.h>

#include "server/h1/h1.h"
#include "server/session/overload.h"
#include "server/site/refusal_text.h"
#include "server/site/request.h"

struct refusal {
    struct conn conn;
    bool answered;
    bool finished; /* the request was read whole */
};

_Static_assert(sizeof(struct refusal) <= sizeof(struct h1_conn), "it lives in the same slot");

static struct refusal *refusal_of(struct session *session)
{
    return CONTAINER_OF(session, struct refusal, conn.session);
}

/* --- What is said ----------------------------------------------------------------------------- */

static bool begins_with(px_str bytes, const char *text, size_t len)
{
    return bytes.len >= len && memcmp(bytes.ptr, text, len) == 0;
}

static void note(struct session *session, px_str bytes)
{
    struct http_glimpse glimpse;

    http_glimpse_read(bytes, &glimpse);
    request_note_refusal(session, &(struct request_refusal){.reason = "too many connections",
                                                            .glimpse = &glimpse,
                                                            .since_ms = session->active_ms,
                                                            .status = 503});
}

/* An answer in the language that the first bytes are of. */
static void answer_render(struct refusal *refusal, px_str bytes)
{
    /* RFC 9113 section 3.4: an empty SETTINGS, and GOAWAY (section 6.8) with no stream processed
     * and ENHANCE_YOUR_CALM: whatever was asked may be asked again elsewhere. */
    static const char goaway[] = "\0\0\0\4\0\0\0\0\0"
                                 "\0\0\x08\7\0\0\0\0\0\0\0\0\0\0\0\0\x0b";
    /* RFC 8446 section 6: a fatal alert, internal_error. */
    static const char alert[] = "\x15\3\3\0\2\2\x50";
    struct out *out = refusal->conn.out;
    px_server *server = refusal->conn.session.server;

    if (begins_with(bytes, "PRI * HTTP/2.0\r\n", 16)) {
        memcpy(out->bytes, goaway, sizeof(goaway) - 1);
        out->len = sizeof(goaway) - 1;
    } else if (begins_with(bytes, "\x16\3", 2)) {
        memcpy(out->bytes, alert, sizeof(alert) - 1);
        out->len = sizeof(alert) - 1;
    } else {
        out->len = (uint32_t)(refusal_write(server, 503, NULL, out->bytes) - out->bytes);
        note(&refusal->conn.session, bytes);
        /* A head and nothing behind it: that was all. */
        refusal->finished =
            bytes.len >= 4 && begins_with(px_str_make(bytes.ptr + bytes.len - 4, 4), "\r\n\r\n", 4);
    }
}

/* --- How it goes ------------------------------------------------------------------------------ */

/* The answer is out: closes at once where that cannot become a reset, else reads on for a moment.
 */
static void refusal_sent(struct refusal *refusal)
{
    struct conn *conn = &refusal->conn;

    conn_out_release(&refusal->conn);
    if (refusal->conn.peer_ended || (refusal->finished && conduit_is_drained(&conn->conduit))) {
        session_close(&conn->session, PX_END_COMPLETE);
        return;
    }
    conn->session.received = 0;
    conduit_shutdown(&conn->conduit);
    session_wait(&conn->session, WAIT_REFUSED);
}

static void answer(struct refusal *refusal, px_str bytes)
{
    struct conn *conn = &refusal->conn;
    px_server *server = conn->session.server;

    server->count.cells->refused[REFUSAL_CONNECTIONS]++;
    refusal->answered = true;
    if (conn_out_take(conn) != PX_OK) {
        session_close(&conn->session, PX_END_NO_MEMORY);
        return;
    }
    answer_render(refusal, bytes);
    if (conn_send(conn, NULL) == PX_OK)
        refusal_sent(refusal);
}

/* A place is free after all: the same bytes come again, to HTTP. */
static void admit(struct conn *conn)
{
    conn->session.server->refusing_count--;
    session_wait(&conn->session, WAIT_NONE);
    conduit_recv_stop(&conn->conduit);
    conn_begin(conn);
    server_room_note(conn->session.server);
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct refusal *refusal = context;
    struct conn *conn = &refusal->conn;
    px_server *server = conn->session.server;

    (void)stream;
    if (!refusal->answered && overload_open_count(server) < server->options.connections_max) {
        admit(conn);
        return 0;
    }
    server->count.cells->received += bytes.len;
    if (refusal->answered)
        conn_drop(conn, bytes.len);
    else
        answer(refusal, bytes);
    return bytes.len;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct refusal *refusal = context;

    (void)stream;
    refusal->conn.peer_ended = true;
    if (reason != PX_OK || !refusal->conn.sending)
        session_close(&refusal->conn.session, PX_END_PEER_GONE);
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct refusal *refusal = context;

    (void)stream;
    if (conn_sent(&refusal->conn, result))
        refusal_sent(refusal);
}

static const px_stream_events refusal_events = {on_recv, on_recv_end, on_sent, conn_on_closed};

/* --- The protocol ----------------------------------------------------------------------------- */

static void refusal_open(struct session *session)
{
    struct conn *conn = conn_of(session);
    struct refusal *refusal = refusal_of(session);

    refusal->answered = refusal->finished = false;
    session->server->refusing_count++;
    conduit_attach(&conn->conduit, &refusal_events, refusal);
    conduit_recv_start(&conn->conduit);
    session_wait(session, WAIT_REFUSAL);
    overload_pause(session->server);
}

static bool refusal_is_idle(const struct session *session)
{
    return !CONTAINER_OF(session, const struct conn, session)->sending;
}

static void refusal_abandon(struct session *session, px_end end)
{
    struct conn *conn = conn_of(session);

    (void)end;
    if (!conn->sending)
        conn_out_release(conn);
}

static bool refusal_cut_short(const struct session *session)
{
    return CONTAINER_OF(session, const struct conn, session)->sending;
}

const struct session_protocol refusal_protocol = {
    .carrier = &conn_carrier,
    .open = refusal_open,
    .is_idle = refusal_is_idle,
    .abandon = refusal_abandon,
    .cut_short = refusal_cut_short,
};
