/*
 * A gateway: passes requests on to servers that take turns.
 *
 *     gateway ADDRESS URL...       gateway 127.0.0.1:8080 http://127.0.0.1:3000
 */
#include <stdio.h>

#include "pollux/pollux.h"

enum { SERVERS_MAX = 16 };

static px_upstream *upstream_make(px_loop *loop, int count, char **urls, px_error *error)
{
    px_upstream_options options = PX_UPSTREAM_OPTIONS_DEFAULT;
    px_upstream_server servers[SERVERS_MAX] = {{0}};

    for (int i = 0; i < count && i < SERVERS_MAX; i++) {
        servers[i].struct_size = sizeof(servers[i]);
        servers[i].url = urls[i];
        options.server_count++;
    }
    options.loop = loop;
    options.servers = servers;
    options.balance = PX_BALANCE_ROUND_ROBIN;
    return px_upstream_create(&options, error);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_proxy_options options = PX_PROXY_OPTIONS_DEFAULT;
    px_server *server = px_server_create(NULL, &error);
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_proxy *proxy = NULL;

    if (argc < 3)
        px_error_set(&error, PX_ERR_INVALID, 0, "it wants an address and a URL at least");
    else if (server)
        options.upstream = upstream_make(px_server_loop(server), argc - 2, argv + 2, &error);
    if (options.upstream)
        proxy = px_proxy_create(&options, &error);
    px_upstream_destroy(options.upstream); /* the proxy has a hold of its own */
    route.content_bytes_max = PX_UNLIMITED_BYTES;
    route.release = px_proxy_destroy;
    if (!proxy ||
        px_server_route_with(server, "/", &route, px_proxy_handle, proxy, &error) != PX_OK ||
        px_server_listen(server, argv[1], &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "gateway: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
