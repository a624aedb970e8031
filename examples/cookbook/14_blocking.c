/* Call what blocks, in a helper thread. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pollux/pollux.h"

struct job {
    px_ref ref;
    char result[16];
};

static void work(void *context)
{
    usleep(20000); /* a query, say; nothing of the loop may be touched here */
    snprintf(((struct job *)context)->result, 16, "42\n");
}

static void done(px_err status, void *context)
{
    struct job *job = context;
    px_exchange *exchange = status == PX_OK ? px_ref_get(&job->ref) : NULL;

    if (exchange) /* else its client has left */
        px_respond_text(exchange, 200, job->result);
    px_ref_release(&job->ref);
    free(job);
}

static void ask(px_exchange *exchange, void *context)
{
    struct job *job = malloc(sizeof(*job));

    (void)context;
    job->ref = px_exchange_ref(exchange);
    if (px_loop_work(px_exchange_loop(exchange), work, done, job) != PX_OK)
        done(PX_ERR_LIMIT, job), px_respond_error(exchange, 503);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /ask", ask, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "%s\n", error.text);
    px_server_destroy(server);
    return (int)error.code;
}
