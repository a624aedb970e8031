/*
 * The listeners that a server accepts on: paused, resumed, closed.
 *
 * Happy path: px_server_serve_with (server.c) adds one, a drain or the end of the server closes it.
 * What can go wrong is overload, which pauses all of them for a while.
 */
#include "server/session/listeners.h"

void server_listeners_accept(px_server *server, bool on)
{
    for (uint32_t index = 0; index < server->listening.count; index++) {
        if (on)
            listener_resume(server->listening.listeners[index]->listener);
        else
            listener_pause(server->listening.listeners[index]->listener);
    }
}

void server_listeners_close(px_server *server)
{
    for (uint32_t index = 0; index < server->listening.count; index++) {
        px_listener_close(server->listening.listeners[index]->listener);
        alloc_put(&server->loop->allocator, server->listening.listeners[index]);
    }
    server->listening.count = 0;
}

void px_server_unserve(px_server *server, px_listener *listener)
{
    for (uint32_t index = 0; index < server->listening.count; index++) {
        struct server_listener *serving = server->listening.listeners[index];

        if (serving->listener != listener)
            continue;
        server->listening.listeners[index] = server->listening.listeners[--server->listening.count];
        px_listener_close(listener);
        alloc_put(&server->loop->allocator, serving);
        return;
    }
}
