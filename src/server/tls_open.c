/*
 * TLS connections from accept to the end of the handshake.
 *
 * Happy path: a hello arrives with the connection, two or three flights later the handshake is done
 * and the protocol that ALPN settled opens on the conduit.  What can go wrong: no memory (the
 * connection closes), a peer that dawdles (a deadline, and of too many the oldest goes), one that
 * speaks plain HTTP (it is told so in plain HTTP), one that breaks the protocol (an alert).
 */
#include <string.h>

#include "base/error.h"
#include "server/h1/h1.h"
#include "server/tls_conduit.h"
#include "tls/tls.h"

enum { CONDUIT_SLAB_OBJECTS = 16, BLOCK_SLAB_OBJECTS = 4 };

/* --- The service ------------------------------------------------------------------------------ */

static px_err service_make(px_server *server)
{
    const px_allocator *allocator = &server->loop->allocator;
    uint32_t count_max = server->conns.count_max;

    server->tls = alloc_take(allocator, sizeof(*server->tls));
    if (!server->tls)
        return PX_ERR_MEMORY;
    server->tls->settings_count = 0;
    server->tls->handshake_count = 0;
    list_init(&server->tls->handshaking);
    pool_init(&server->tls->conduits, allocator, sizeof(struct tls_conduit), CONDUIT_SLAB_OBJECTS,
              count_max);
    pool_init(&server->tls->blocks, allocator, sizeof(struct tls_block), BLOCK_SLAB_OBJECTS,
              count_max < UINT32_MAX / TLS_BLOCKS_MAX ? count_max * TLS_BLOCKS_MAX : UINT32_MAX);
    return PX_OK;
}

px_err tls_serve(px_server *server, px_tls *tls, uint8_t *out_index, px_error *out_error)
{
    struct tls_service *service;
    uint32_t index = 0;

    if (!tls->context)
        return error_set(out_error, PX_ERR_INVALID, 0, "TLS needs a certificate");
    if (!server->tls && service_make(server) != PX_OK)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    service = server->tls;
    while (index < service->settings_count && service->settings[index] != tls)
        index++;
    if (index == ARRAY_COUNT(service->settings))
        return error_set(out_error, PX_ERR_LIMIT, 0, "a server has at most %d of px_tls",
                         LISTENERS_MAX);
    service->settings[index] = tls;
    tls->http2 = server->h2 != NULL;
    if (index == service->settings_count)
        service->settings_count++;
    *out_index = (uint8_t)(index + 1);
    return PX_OK;
}

void tls_service_free(px_server *server)
{
    if (!server->tls)
        return;
    pool_deinit(&server->tls->conduits);
    pool_deinit(&server->tls->blocks);
    alloc_put(&server->loop->allocator, server->tls);
    server->tls = NULL;
}

/* --- Accepting -------------------------------------------------------------------------------- */

static void no_wake(struct loop_task *task)
{
    (void)task; /* nothing to be gone on with before a protocol has opened */
}

static void no_conduit_closed(px_stream *stream, void *context)
{
    (void)stream;
    conn_freed(context);
}

static const px_stream_events no_conduit_events = {NULL, NULL, NULL, no_conduit_closed};

/* A conduit with its session, or NULL. */
static struct tls_conduit *conduit_make(struct conn *conn, px_tls *settings)
{
    struct tls_service *service = conn->server->tls;
    struct tls_conduit *tls = pool_take(&service->conduits);

    if (!tls)
        return NULL;
    memset(&tls->node, 0, sizeof(*tls) - offsetof(struct tls_conduit, node));
    list_init(&tls->node);
    loop_task_init(&tls->wake, tls_wake);
    tls->server = conn->server;
    tls->conn = conn;
    tls->inbox.max = conn->stream.inbox.max;
    tls->handshake_timeout_ms = settings->options.handshake_timeout_ms;
    if (tls_session_init(&tls->session, settings, &service->blocks) == PX_OK)
        return tls;
    tls_conduit_free(tls);
    return NULL;
}

static void tls_protocol_open(struct conn *conn)
{
    struct tls_service *service = conn->server->tls;
    px_tls *settings = service->settings[conn->secure - 1];

    loop_task_init(&conn->wake, no_wake);
    /* Too many at once: who has had the longest time gives way, so that a crowd that dawdles does
     * not lock out who does not. */
    if (service->handshake_count >= settings->options.handshakes_max)
        conn_close(LIST_ENTRY(service->handshaking.next, struct tls_conduit, node)->conn,
                   PX_END_NO_MEMORY);
    struct tls_conduit *tls = conduit_make(conn, settings);

    if (!tls) {
        px_stream_attach(&conn->stream, &no_conduit_events, conn);
        conn_close(conn, PX_END_NO_MEMORY);
        return;
    }
    conn->conduit.ops = &tls_conduit_ops;
    conn->conduit.below = tls;
    list_append(&service->handshaking, &tls->node);
    service->handshake_count++;
    px_stream_attach(&conn->stream, &tls_stream_events, tls);
    px_stream_recv_start(&conn->stream);
    conn_wait(conn, WAIT_HANDSHAKE);
}

void tls_handshake_leave(struct tls_conduit *tls)
{
    if (!list_linked(&tls->node))
        return;
    list_remove(&tls->node);
    tls->server->tls->handshake_count--;
    if (!tls->session.established)
        tls->server->counters.handshakes_failed++;
}

uint32_t tls_handshake_timeout_ms(const struct conn *conn)
{
    return conn_is_tls(conn) ? tls_conduit_of(&conn->conduit)->handshake_timeout_ms : PX_OFF;
}

/* --- The handshake ---------------------------------------------------------------------------- */

/* The peer speaks plain HTTP: so does the answer. */
static void plain_refuse(struct tls_conduit *tls)
{
    struct conn *conn = tls->conn;

    conduit_plain_init(&conn->conduit, &conn->stream);
    tls_conduit_free(tls);
    conn_speak(conn, CONN_H1);
    h1_refuse_plain(h1_of(conn));
}

static void handshake_done(struct tls_conduit *tls)
{
    struct conn *conn = tls->conn;
    px_server *server = tls->server;
    bool draining = tls->draining;

    tls_handshake_leave(tls);
    server->counters.handshakes++;
    server->counters.handshakes_resumed += tls->session.resumed;
    conn_speak(conn, tls->session.http2 ? CONN_H2 : CONN_H1);
    if (draining && conn->state == CONN_OPEN)
        conn_protocol(conn)->drain(conn);
}

void tls_handshake(struct tls_conduit *tls, px_str bytes)
{
    struct conn *conn = tls->conn;

    if (!tls->greeted && bytes.ptr[0] >= 'A' && bytes.ptr[0] <= 'Z') {
        plain_refuse(tls);
        return;
    }
    tls->greeted = true;
    switch (tls_session_handshake(&tls->session)) {
    case PX_OK:
        handshake_done(tls);
        return;
    case PX_AGAIN:
        return;
    case PX_ERR_MALFORMED:
        tls_handshake_leave(tls);
        tls->session.in = px_str_make(NULL, 0);
        tls_flush(tls);
        conn_linger(conn); /* an alert that a reset overtakes is never read */
        return;
    default:
        conn_close(conn, PX_END_NO_MEMORY);
        return;
    }
}

/* --- A connection's protocol, until the handshake is done ------------------------------------- */

static bool tls_is_idle(const struct conn *conn)
{
    (void)conn;
    return false; /* the request that it leads to would be lost */
}

static void tls_abandon(struct conn *conn, px_end end)
{
    (void)end;
    if (conn_is_tls(conn))
        tls_handshake_leave(tls_conduit_of(&conn->conduit));
}

static void tls_timeout(struct conn *conn)
{
    conn_close(conn, PX_END_TIMEOUT);
}

static enum conn_rate tls_rate(const struct conn *conn)
{
    (void)conn;
    return RATE_NONE;
}

static bool tls_cut_short(const struct conn *conn)
{
    (void)conn;
    return false;
}

static void tls_drain(struct conn *conn)
{
    if (conn_is_tls(conn))
        tls_conduit_of(&conn->conduit)->draining = true;
}

static uint64_t tls_total_due(const struct conn *conn)
{
    (void)conn;
    return UINT64_MAX;
}

const struct conn_protocol tls_protocol = {
    .open = tls_protocol_open,
    .is_idle = tls_is_idle,
    .abandon = tls_abandon,
    .timeout = tls_timeout,
    .rate = tls_rate,
    .cut_short = tls_cut_short,
    .drain = tls_drain,
    .total_due = tls_total_due,
};

/* --- What is known of the peer ---------------------------------------------------------------- */

static size_t text_copy(const char *text, char *out_text, size_t room)
{
    size_t len = text ? strlen(text) : 0;

    if (len >= room)
        return 0;
    memcpy(out_text, text ? text : "", len + 1);
    return len;
}

size_t conn_secure(const struct conn *conn, enum exchange_fact fact, char *out_text, size_t room)
{
    if (!conn_is_tls(conn))
        return 0;
    const struct tls_session *session = &tls_conduit_of(&conn->conduit)->session;

    switch (fact) {
    case FACT_SERVER_NAME:
        return text_copy(session->name, out_text, room);
    case FACT_CLIENT_SUBJECT:
        return tls_session_subject(session, out_text, room);
    case FACT_TLS_VERSION:
        return text_copy(tls_session_version(session), out_text, room);
    case FACT_TLS_CIPHER:
        return text_copy(tls_session_cipher(session), out_text, room);
    }
    return 0;
}

bool conn_serves(const struct conn *conn, px_str host)
{
    return !conn_is_tls(conn) || tls_session_serves(&tls_conduit_of(&conn->conduit)->session, host);
}
