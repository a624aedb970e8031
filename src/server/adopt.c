/*
 * Connections that the program brings: a descriptor that inetd, another process or socketpair gave.
 *
 * Happy path: the descriptor is a connected stream, and is served as if a listener with these
 * options had accepted it.  What can go wrong is a descriptor that is no such thing, and that there
 * is no room.
 */
#include "base/error.h"
#include "net/inherit.h"
#include "server/accept.h"
#include "server/serve.h"

px_err px_server_adopt(px_server *server, int fd, const px_serve_options *given,
                       px_error *out_error)
{
    struct server_listener from = {.server = server};
    struct net_address peer;
    px_err err = serve_options_settle(server, given, &from, out_error);

    if (err == PX_OK)
        err = inherit_connection(fd, &peer, out_error);
    if (err == PX_OK && !accept_socket(&from, fd, &peer, false))
        err = error_set(out_error, PX_ERR_LIMIT, 0, "the server has no room for a connection");
    return err;
}
