/*
 * Handlers on four threads, with a queue that is full at 512 requests: then the answer is 503.  The
 * queue is a pipe of pointers, which the kernel bounds and hands out.
 *     pool [ADDR]        curl -d 'some text' http://127.0.0.1:8080/
 */
#define _GNU_SOURCE 1 /* F_SETPIPE_SZ */
#include "pollux/pollux.h"
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static void finish(px_exchange *exchange, px_err status, void *job)
{
    if (exchange && status == PX_OK) /* it is NULL where the client has left */
        px_respond(exchange, 200, px_str_of("text/plain"), ((const px_held *)job)->content);
    px_held_release(job);
}

static void *work(void *queue)
{
    const px_held *job;

    while (read(*(int *)queue, &job, sizeof(job)) == sizeof(job)) {
        usleep(20 * 1000); /* what takes long */
        if (px_ref_post(&job->ref, finish, (void *)job) != PX_OK)
            px_held_release(job); /* the server is gone */
    }
    return NULL;
}

static void start(px_exchange *exchange, void *queue)
{
    const px_held *job = px_request_hold(exchange);

    if (job && write(((int *)queue)[1], &job, sizeof(job)) == sizeof(job))
        return;
    px_held_release(job);
    px_respond_error(exchange, 503);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_route_options route = {.struct_size = sizeof(route), .content_mode = PX_CONTENT_COLLECT};
    px_server *server = px_server_create(NULL, &error);
    pthread_t threads[4];
    int queue[2], started = 0;

    if (pipe(queue) == 0 && fcntl(queue[1], F_SETPIPE_SZ, 512 * (int)sizeof(px_held *)) > 0 &&
        fcntl(queue[1], F_SETFL, O_NONBLOCK) == 0)
        while (started < 4 && !pthread_create(&threads[started], NULL, work, queue))
            started++;
    if (!server || px_server_route_with(server, "POST /", &route, start, queue, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        started == 0 || px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "pool: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
