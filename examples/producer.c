/*
 * Content that is made while it is sent, as fast as the peer reads and no faster: the numbers from
 * 1 to n.  Not being asked is the brake.
 *
 *     producer [ADDR]        curl 'http://127.0.0.1:8080/?n=1000000'
 */
#include <stdio.h>
#include <stdlib.h>

#include "pollux/pollux.h"

struct count {
    unsigned long next, last;
};

static px_pull pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes, void *context)
{
    struct count *count = context;
    size_t len = 0;

    (void)exchange;
    while (count->next <= count->last && room - len > 24)
        len += (size_t)snprintf(out + len, room - len, "%lu\n", count->next++);
    *out_bytes = len;
    return count->next > count->last ? PX_PULL_END : PX_PULL_MORE;
}

static void numbers(px_exchange *exchange, void *context)
{
    px_str n = px_request_query_param(exchange, "n");
    px_producer producer = {sizeof(px_producer), pull, free, malloc(sizeof(struct count))};

    (void)context;
    if (!producer.context) {
        px_respond_error(exchange, 503);
        return;
    }
    *(struct count *)producer.context = (struct count){1, n.ptr ? strtoul(n.ptr, NULL, 10) : 10};
    px_respond_producer(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN, &producer);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &error);

    if (!server || px_server_route(server, "GET /", numbers, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "producer: %s\n", error.text);
    px_server_destroy(server);
    return error.code == PX_OK ? 0 : 1;
}
