/*
 * Accepting: from a socket to the first protocol that speaks on it.
 *
 * Happy path: a descriptor comes from a listener, gets a slot of the pool, and the protocol that
 * the listener asks for opens: HTTP/1, or TLS, or the PROXY header before either.  What can go
 * wrong: no slot (the descriptor is closed), no place (refusal.c answers 503), no descriptors (idle
 * connections are closed).
 */
#include "server/accept.h"

#include <unistd.h>

#include "server/proxied.h"
#include "server/refusal.h"
#include "server/session/overload.h"
#include "server/site/trust.h"
#include "server/tls_open.h"
#include "server/tunnelled.h"

const struct session_protocol *const session_protocols[PROTOCOL_COUNT] = {
    [PROTOCOL_H1] = &h1_protocol,           [PROTOCOL_H2] = &h2_protocol,
    [PROTOCOL_PROXIED] = &proxied_protocol, [PROTOCOL_REFUSAL] = &refusal_protocol,
    [PROTOCOL_TLS] = &tls_protocol,         [PROTOCOL_TUNNELLED] = &tunnelled_protocol,
};

bool accept_socket(const struct server_listener *from, int fd, const struct net_address *peer,
                   bool eager)
{
    px_server *server = from->server;
    bool admitted = overload_admits(server);
    struct conn *conn = pool_take(&server->conns);

    if (!conn) {
        server->count.cells->accept_errors++;
        return false;
    }
    conn_init(conn, server, peer, fd, eager);
    conn->secure = from->secure;
    conn->session.redirect = from->redirect;
    conn->session.listener = (uint16_t)from->options.tag;
    conn->first_protocol = (uint8_t)(conn->secure ? PROTOCOL_TLS : PROTOCOL_H1);
    conn->proxied = from->options.proxy_protocol && trust_has(server, peer);
    if (admitted)
        conn_begin(conn);
    else
        session_speak(&conn->session, PROTOCOL_REFUSAL);
    return true;
}

static void on_socket(px_listener *listener, int fd, const struct net_address *peer, bool eager,
                      void *context)
{
    (void)listener;
    if (!accept_socket(context, fd, peer, eager))
        close(fd);
}

static void on_accept_error(px_listener *listener, int sys_errno, void *context)
{
    struct server_listener *from = context;
    px_server *server = from->server;

    (void)listener;
    (void)sys_errno;
    server->count.cells->accept_errors++;
    /* Out of descriptors: others make room, the listener tries again by itself. */
    overload_relieve(server);
}

/* During a drain what waits was promised that it is served. */
static bool on_late(px_listener *listener, void *context)
{
    struct server_listener *from = context;

    (void)listener;
    if (from->server->phase != SERVER_SERVING)
        return false;
    from->server->count.cells->accepts++;
    from->server->count.cells->shed++;
    return true;
}

const struct listener_events accept_events = {on_socket, on_accept_error, on_late};
