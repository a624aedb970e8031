/* Work at a request on a thread of your own. */
#include <pthread.h>
#include <stdio.h>

#include "pollux/pollux.h"

static void answer(px_exchange *exchange, px_err status, void *context)
{
    const px_held *job = context;

    (void)status;
    if (exchange)
        px_respond(exchange, 200, px_str_of("text/plain"), job->path);
    px_held_release(job);
}

static void *worker(void *context)
{
    const px_held *job = context; /* all of it can be read here */

    if (px_ref_post(&job->ref, answer, context) != PX_OK)
        px_held_release(job);
    return NULL;
}

static void start(px_exchange *exchange, void *context)
{
    pthread_t thread;
    const px_held *job = px_request_hold(exchange);

    (void)context;
    if (!job || pthread_create(&thread, NULL, worker, (void *)job) != 0 ||
        pthread_detach(thread) != 0)
        px_held_release(job), px_respond_error(exchange, 503);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /jobs/", start, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
