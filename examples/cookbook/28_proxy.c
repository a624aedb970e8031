/* Pass requests on to another server. */
#include <stdio.h>

#include "pollux/pollux.h"

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);
    px_upstream_server backend = {.struct_size = sizeof(backend),
                                  .url = argc > 2 ? argv[2] : "http://127.0.0.1:8081"};
    px_upstream_options upstream = PX_UPSTREAM_OPTIONS_DEFAULT;
    px_proxy_options options = PX_PROXY_OPTIONS_DEFAULT;
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;

    upstream.loop = px_server_loop(server), upstream.servers = &backend, upstream.server_count = 1;
    options.upstream = px_upstream_create(&upstream, &error);
    px_proxy *proxy = px_proxy_create(&options, &error);
    px_upstream_destroy(options.upstream); /* the proxy has a hold of its own */
    route.release = px_proxy_destroy;
    if (!server || !proxy ||
        px_server_route_with(server, "/", &route, px_proxy_handle, proxy, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
