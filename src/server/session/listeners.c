/*
 * The listeners that a server accepts on: paused, resumed, closed.
 *
 * Happy path: px_server_serve_with (server.c) adds one, a drain or the end of the server closes it.
 * What can go wrong is overload, which pauses all of them for a while.
 */
#include "server/session/listeners.h"

void server_listeners_accept(px_server *server, bool on)
{
    for (uint32_t index = 0; index < server->listener_count; index++) {
        if (on)
            listener_resume(server->listeners[index]->listener);
        else
            listener_pause(server->listeners[index]->listener);
    }
}

void server_listeners_close(px_server *server)
{
    for (uint32_t index = 0; index < server->listener_count; index++) {
        px_listener_close(server->listeners[index]->listener);
        alloc_put(&server->loop->allocator, server->listeners[index]);
    }
    server->listener_count = 0;
}

void px_server_unserve(px_server *server, px_listener *listener)
{
    for (uint32_t index = 0; index < server->listener_count; index++) {
        struct server_listener *serving = server->listeners[index];

        if (serving->listener != listener)
            continue;
        server->listeners[index] = server->listeners[--server->listener_count];
        px_listener_close(listener);
        alloc_put(&server->loop->allocator, serving);
        return;
    }
}
