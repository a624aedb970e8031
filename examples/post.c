/*
 * An answer that another thread works out: the handler keeps a reference to the exchange, and the
 * thread posts the answer back.  Where the peer has left meanwhile, the posted call gets NULL.
 *
 *     post [ADDR]        curl http://127.0.0.1:8080/
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pollux/pollux.h"

/* On the loop's thread again, exactly once. */
static void finish(px_exchange *exchange, px_err status, void *ref)
{
    if (exchange)
        px_respond_text(exchange, status == PX_OK ? 200 : 503, "worked out\n");
    px_ref_release(ref);
    free(ref);
}

static void *work(void *ref)
{
    usleep(100 * 1000); /* a slow database, a long computation */
    if (px_ref_post(ref, finish, ref) != PX_OK)
        finish(NULL, PX_ERR_CLOSED, ref); /* the server is gone */
    return NULL;
}

static void start(px_exchange *exchange, void *context)
{
    px_ref *ref = malloc(sizeof(*ref));
    pthread_t thread;

    (void)context;
    if (!ref) {
        px_respond_error(exchange, 503);
        return;
    }
    *ref = px_exchange_ref(exchange);
    if (pthread_create(&thread, NULL, work, ref) == 0)
        pthread_detach(thread);
    else
        finish(exchange, PX_ERR_LIMIT, ref);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /", start, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "post: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
