/*
 * TLS connections of a server, from accept to the end of the handshake.
 *
 * Happy path: a hello arrives with the connection, two or three flights later the handshake is done
 * and the protocol that ALPN settled opens on the conduit.  What can go wrong: no memory (the
 * connection closes), a peer that dawdles (a deadline, and of too many the oldest goes), one that
 * speaks plain HTTP (it is told so in plain HTTP), one that breaks the protocol (an alert).
 */
#include "server/tls_open.h"

#include <string.h>

#include "base/error.h"
#include "conduit/tls_conduit.h"
#include "server/session/facts.h"
#include "tls/tls.h"

/* What the TLS connections of a server share; made with its first TLS listener. */
struct tls_service {
    px_tls *settings[LISTENERS_MAX]; /* borrowed: outlive the server */
    uint32_t settings_count;
    struct tls_shared shared;
};

/* --- The service ------------------------------------------------------------------------------ */

static px_err service_make(px_server *server)
{
    server->tls = alloc_take(&server->loop->allocator, sizeof(*server->tls));
    if (!server->tls)
        return PX_ERR_MEMORY;
    server->tls->settings_count = 0;
    /* What is sealed has a part of the memory: of peers that read slowly it is five times what
     * their blocks of output are. */
    uint64_t blocks =
        server->options.memory_bytes_max / MEMORY_PARTS * PART_SEALED / sizeof(struct tls_block);

    tls_shared_init(&server->tls->shared, server->loop, server->conns.count_max,
                    blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX);
    server->blocks.sealed = &server->tls->shared.blocks;
    return PX_OK;
}

px_err tls_serve(px_server *server, px_tls *tls, uint16_t *out_index, px_error *out_error)
{
    struct tls_service *service;
    uint32_t index = 0;

    _Static_assert(LISTENERS_MAX < UINT16_MAX, "an index, from 1, fits");
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
    tls->http2 = server->h2 != NULL && tls->options.http2 != PX_OFF;
    if (index == service->settings_count)
        service->settings_count++;
    *out_index = (uint16_t)(index + 1);
    return PX_OK;
}

void tls_service_free(px_server *server)
{
    if (!server->tls)
        return;
    tls_shared_deinit(&server->tls->shared);
    alloc_put(&server->loop->allocator, server->tls);
    server->tls = NULL;
    server->blocks.sealed = NULL;
}

static px_tls *conn_settings(const struct conn *conn)
{
    return conn->session.server->tls->settings[conn->secure - 1];
}

/* --- What the conduit says -------------------------------------------------------------------- */

static enum metric_handshake handshake_of(const struct tls_session *session)
{
    if (strcmp(tls_session_version(session), "TLSv1.2") == 0)
        return session->resumed ? HANDSHAKE_12_RESUMED : HANDSHAKE_12;
    return session->resumed ? HANDSHAKE_13_RESUMED : HANDSHAKE_13;
}

static void on_opened(struct tls_conduit *tls, void *context)
{
    struct conn *conn = context;

    conn->session.server->count.cells->handshakes[handshake_of(&tls->session)]++;
    session_speak(&conn->session, tls->session.http2 ? PROTOCOL_H2 : PROTOCOL_H1);
}

/* The peer speaks plain HTTP: so does the answer. */
static void on_plain(struct tls_conduit *tls, void *context)
{
    struct conn *conn = context;

    conn->session.server->count.cells->handshakes[HANDSHAKE_FAILED]++;
    conduit_plain_init(&conn->conduit, &conn->stream);
    tls_conduit_leave(tls);
    conduit_recv_stop(&conn->conduit); /* what came comes again, to the protocol */
    conn->plain_on_tls = true;
    session_speak(&conn->session, PROTOCOL_H1);
}

/* What has failed keeps its memory until the peer has read why: not where others need it. */
static bool memory_allows(const px_server *server)
{
    const struct budget *memory = &server->loop->memory;

    return budget_left(memory, BUDGET_SESSIONS) > memory->shares[BUDGET_SESSIONS].bytes_max / 2;
}

static void on_failed(struct tls_conduit *tls, px_err reason, void *context)
{
    struct conn *conn = context;

    (void)tls;
    if (reason != PX_ERR_CLOSED)
        conn->session.server->count.cells->handshakes[HANDSHAKE_FAILED]++;
    if (reason == PX_ERR_MALFORMED && memory_allows(conn->session.server)) {
        conn_linger(conn); /* an alert that a reset overtakes is never read */
        return;
    }
    session_close(&conn->session, reason == PX_ERR_CLOSED ? PX_END_PEER_GONE : PX_END_NO_MEMORY);
}

static void on_dropped(struct tls_conduit *tls, size_t bytes, void *context)
{
    struct conn *conn = context;

    (void)tls;
    conn->session.received += (uint32_t)bytes;
    if (conn->session.state == SESSION_LINGERING && conn->session.received > LINGER_BYTES_MAX)
        session_close(&conn->session, PX_END_COMPLETE);
}

static bool on_linger(struct tls_conduit *tls, void *context)
{
    struct conn *conn = context;

    (void)tls;
    if (conn->session.server->options.linger_timeout_ms == PX_OFF)
        return false;
    session_wait(&conn->session, WAIT_LINGER);
    return true;
}

static void on_parted(struct tls_conduit *tls, void *context)
{
    (void)tls;
    session_wait(&((struct conn *)context)->session, WAIT_NONE);
}

static void on_gone(struct tls_conduit *tls, void *context)
{
    (void)tls;
    session_freed(&((struct conn *)context)->session);
}

static const struct tls_owner tls_owner = {
    .opened = on_opened,
    .plain = on_plain,
    .failed = on_failed,
    .dropped = on_dropped,
    .linger = on_linger,
    .parted = on_parted,
    .gone = on_gone,
};

/* --- A connection's protocol, until the handshake is done ------------------------------------- */

static const px_stream_events no_conduit_events = {NULL, NULL, NULL, conn_on_closed};

/* Half of what sessions may keep is for those that are open. */
static uint32_t handshakes_room(const px_server *server)
{
    uint64_t count =
        server->loop->memory.shares[BUDGET_SESSIONS].bytes_max / 2 / TLS_HANDSHAKE_BYTES;

    return count < 1 ? 1 : count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
}

static void tls_protocol_open(struct session *session)
{
    struct conn *conn = conn_of(session);
    struct tls_shared *shared = &session->server->tls->shared;

    /* Too many at once: the peer that has had the longest time gives way, so that a crowd that
     * dawdles does not lock out one that does not. */
    if (shared->handshake_count >= conn_settings(conn)->options.handshakes_max ||
        shared->handshake_count >= handshakes_room(session->server))
        session_close(&((struct conn *)tls_shared_oldest(shared)->owner_context)->session,
                      PX_END_NO_MEMORY);
    if (!tls_conduit_accept(shared, &conn->conduit, &conn->stream, conn_settings(conn), &tls_owner,
                            conn)) {
        px_stream_attach(&conn->stream, &no_conduit_events, conn);
        session_close(session, PX_END_NO_MEMORY);
        return;
    }
    session_wait_for(session, WAIT_HANDSHAKE, conn_settings(conn)->options.handshake_timeout_ms);
}

/* The handshake has come to nothing. */
static void tls_abandon(struct session *session, px_end end)
{
    struct conn *conn = conn_of(session);
    (void)end;
    if (session_carrier(session)->is_secure(session) &&
        !tls_conduit_of(&conn->conduit)->session.failed)
        session->server->count.cells->handshakes[HANDSHAKE_FAILED]++;
}

const struct session_protocol tls_protocol = {
    .carrier = &conn_carrier,
    .open = tls_protocol_open,
    /* Never idle: the request that the handshake leads to would be lost. */
    .abandon = tls_abandon,
};
