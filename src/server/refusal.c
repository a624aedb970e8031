/*
 * Turning a newcomer away.
 *
 * Happy path: the newcomer's request is read once, so that closing does not turn into a reset that
 * would overtake the answer; 503 goes out, and the connection is closed.  If a place has become
 * free by the time the request comes, the connection is served after all.  What can go wrong: a
 * newcomer who says nothing (gone after a second), one whose request goes on (read and dropped for
 * a moment, so that the answer can be seen), and one who speaks something else: HTTP/2 by prior
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
    struct out *out; /* owned, or NULL with nothing in flight */
    bool answered;
    bool finished; /* the request was read whole */
    bool sending;
    bool peer_ended;
};

_Static_assert(sizeof(struct refusal) <= sizeof(struct h1_conn), "it lives in the same slot");

static struct refusal *refusal_of(struct conn *conn)
{
    return CONTAINER_OF(conn, struct refusal, conn);
}

/* --- What is said ----------------------------------------------------------------------------- */

static bool begins_with(px_str bytes, const char *text, size_t len)
{
    return bytes.len >= len && memcmp(bytes.ptr, text, len) == 0;
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
    struct out *out = refusal->out;
    px_server *server = refusal->conn.server;

    if (begins_with(bytes, "PRI * HTTP/2.0\r\n", 16)) {
        memcpy(out->bytes, goaway, sizeof(goaway) - 1);
        out->len = sizeof(goaway) - 1;
    } else if (begins_with(bytes, "\x16\3", 2)) {
        memcpy(out->bytes, alert, sizeof(alert) - 1);
        out->len = sizeof(alert) - 1;
    } else {
        out->len = (uint32_t)(refusal_write(server, 503, NULL, out->bytes) - out->bytes);
        request_note_refusal(&refusal->conn, 11, 503, NULL);
        /* A head and nothing behind it: that was all. */
        refusal->finished =
            bytes.len >= 4 && begins_with(px_str_make(bytes.ptr + bytes.len - 4, 4), "\r\n\r\n", 4);
    }
}

/* --- How it goes ------------------------------------------------------------------------------ */

static void out_release(struct refusal *refusal)
{
    if (!refusal->out)
        return;
    pool_put(&refusal->conn.server->outs, refusal->out);
    refusal->out = NULL;
}

/* The answer is out: closes at once where that cannot become a reset, else reads on for a moment.
 */
static void refusal_sent(struct refusal *refusal)
{
    struct conn *conn = &refusal->conn;

    out_release(refusal);
    if (refusal->peer_ended || (refusal->finished && conduit_is_drained(&conn->conduit))) {
        conn_close(conn, PX_END_COMPLETE);
        return;
    }
    conn->received = 0;
    conduit_shutdown(&conn->conduit);
    conn_wait(conn, WAIT_REFUSED);
}

static void answer(struct refusal *refusal, px_str bytes)
{
    struct conn *conn = &refusal->conn;
    px_server *server = conn->server;

    server->counters.turned_away++;
    refusal->answered = true;
    refusal->out = pool_take(&server->outs);
    if (!refusal->out) {
        conn_close(conn, PX_END_NO_MEMORY);
        return;
    }
    answer_render(refusal, bytes);
    refusal->out->parts[0] =
        (px_part){.bytes = px_str_make(refusal->out->bytes, refusal->out->len)};
    refusal->sending = conduit_send(&conn->conduit, refusal->out->parts, 1) == PX_SENT_PENDING;
    if (!refusal->sending)
        refusal_sent(refusal);
}

/* A place is free after all: the same bytes come again, to HTTP. */
static void admit(struct conn *conn)
{
    conn->server->refusing_count--;
    conn_wait(conn, WAIT_NONE);
    conduit_recv_stop(&conn->conduit);
    conn_begin(conn);
    server_room_note(conn->server);
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct refusal *refusal = context;
    struct conn *conn = &refusal->conn;
    px_server *server = conn->server;

    (void)stream;
    if (!refusal->answered && overload_open_count(server) < server->options.connections_max) {
        admit(conn);
        return 0;
    }
    server->counters.bytes_received += bytes.len;
    conn->received += (uint32_t)bytes.len;
    if (!refusal->answered)
        answer(refusal, bytes);
    else if (conn->received > LINGER_BYTES_MAX)
        conn_close(conn, PX_END_COMPLETE);
    return bytes.len;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct refusal *refusal = context;

    (void)stream;
    refusal->peer_ended = true;
    if (reason != PX_OK || !refusal->sending)
        conn_close(&refusal->conn, PX_END_PEER_GONE);
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct refusal *refusal = context;

    (void)stream;
    refusal->sending = false;
    if (refusal->conn.state == CONN_CLOSING)
        out_release(refusal);
    else if (result != PX_OK)
        conn_close(&refusal->conn, PX_END_PEER_GONE);
    else
        refusal_sent(refusal);
}

static void on_closed(px_stream *stream, void *context)
{
    struct refusal *refusal = context;

    (void)stream;
    conn_freed(&refusal->conn);
}

static const px_stream_events refusal_events = {on_recv, on_recv_end, on_sent, on_closed};

/* Nothing is done on the loop's own account. */
static void refusal_wake(struct loop_task *task)
{
    (void)task;
}

/* --- The protocol ----------------------------------------------------------------------------- */

static void refusal_open(struct conn *conn)
{
    struct refusal *refusal = refusal_of(conn);

    memset(&refusal->out, 0, sizeof(*refusal) - offsetof(struct refusal, out));
    loop_task_init(&conn->wake, refusal_wake);
    conn->server->refusing_count++;
    conduit_attach(&conn->conduit, &refusal_events, refusal);
    conduit_recv_start(&conn->conduit);
    conn_wait(conn, WAIT_REFUSAL);
    overload_pause(conn->server);
}

static bool refusal_is_idle(const struct conn *conn)
{
    return !CONTAINER_OF(conn, const struct refusal, conn)->sending;
}

static void refusal_abandon(struct conn *conn, px_end end)
{
    struct refusal *refusal = refusal_of(conn);

    (void)end;
    if (!refusal->sending)
        out_release(refusal);
}

static void refusal_timeout(struct conn *conn)
{
    conn_close(conn, PX_END_TIMEOUT);
}

static enum conn_rate refusal_rate(const struct conn *conn)
{
    (void)conn;
    return RATE_NONE;
}

static bool refusal_cut_short(const struct conn *conn)
{
    return CONTAINER_OF(conn, const struct refusal, conn)->sending;
}

static void refusal_drain(struct conn *conn)
{
    (void)conn;
}

static uint64_t refusal_total_due(const struct conn *conn)
{
    (void)conn;
    return UINT64_MAX;
}

const struct conn_protocol refusal_protocol = {
    .open = refusal_open,
    .is_idle = refusal_is_idle,
    .abandon = refusal_abandon,
    .timeout = refusal_timeout,
    .rate = refusal_rate,
    .cut_short = refusal_cut_short,
    .drain = refusal_drain,
    .total_due = refusal_total_due,
};
