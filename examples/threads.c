/* Two servers in two threads on one port.  They share nothing: each has its own loop and its own
 * SO_REUSEPORT socket, and the kernel spreads connections over the two.
 *
 *     threads [ADDR]        ends on SIGINT */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "pollux/pollux.h"

static void tell(px_exchange *exchange, void *name)
{
    px_respond_text(exchange, 200, name);
}

static px_server *make(const char *address, uint32_t reuse_port, char *name, px_error *error)
{
    px_listen_options options = PX_LISTEN_OPTIONS_DEFAULT;
    px_server *server = px_server_create(NULL, error);
    px_listener *listener = NULL;

    options.reuse_port = reuse_port; /* 1: is another process there already?  2: join it */
    if (server && px_server_route(server, "/", tell, name, error) == PX_OK)
        listener = px_listener_open(address, &options, error);
    if (listener && px_server_serve(server, listener, error) == PX_OK)
        return server;
    px_server_destroy(server);
    return NULL;
}

static void *run(void *server)
{
    return px_server_run(server, NULL) == PX_OK ? server : NULL;
}

int main(int argc, char **argv)
{
    static char first[] = "first\n", second[] = "second\n";
    px_error error = PX_ERROR_INIT;
    sigset_t set;
    int number;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* in every thread: sigwait takes it */
    px_server *one = make(argc > 1 ? argv[1] : "127.0.0.1:8080", 1, first, &error);
    px_server *two = one ? make(px_server_address(one), 2, second, &error) : NULL;
    pthread_t threads[2];
    if (!two || pthread_create(&threads[0], NULL, run, one) ||
        pthread_create(&threads[1], NULL, run, two))
        return fprintf(stderr, "threads: %s\n", error.text), 1;
    sigwait(&set, &number);
    for (int i = 0; i < 2; i++) {
        px_server_stop(i ? two : one); /* any thread may call this */
        pthread_join(threads[i], NULL);
        px_server_destroy(i ? two : one);
    }
    return 0;
}
