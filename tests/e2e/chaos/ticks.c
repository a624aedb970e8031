/*
 * An embedder that measures its loop: a server in a poll() loop, with the CPU time of each step.
 *
 *     ticks ADDR [CONNECTIONS]
 *
 * Says where it listens; on SIGTERM, a JSON object with the longest tick by CPU and by the clock,
 * and what it did.  "/" answers a line, "/big" a megabyte.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "pollux/pollux.h"

enum { BIG_BYTES = 1024 * 1024 };

struct longest {
    uint64_t cpu_us;
    uint64_t requests; /* in that step */
    uint64_t bytes;
    uint64_t steps;
    uint64_t over_10_ms; /* steps that took longer */
    uint64_t most_bytes; /* of any step */
};

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

static void big(px_exchange *exchange, void *context)
{
    px_body body = {.struct_size = sizeof(px_body), .bytes = px_str_make(context, BIG_BYTES)};

    px_respond_body(exchange, 200, px_str_of("text/plain"), &body);
}

static uint64_t cpu_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void on_stop(int signal_number, void *context)
{
    (void)signal_number;
    *(int *)context = 1;
}

/* The CPU time of a step is the tick's: it does not wait, and who preempts it does not count. */
static void step(px_loop *loop, const px_counters *counters, struct longest *longest)
{
    px_counters before = *counters;
    px_error error;
    uint64_t begun_us = cpu_us();

    if (px_loop_step(loop, &error) != PX_OK)
        exit(70);
    uint64_t took_us = cpu_us() - begun_us;

    longest->steps++;
    longest->over_10_ms += took_us > 10 * 1000;
    uint64_t bytes =
        counters->bytes_received + counters->bytes_sent - before.bytes_received - before.bytes_sent;

    if (bytes > longest->most_bytes)
        longest->most_bytes = bytes;
    if (took_us <= longest->cpu_us)
        return;
    longest->cpu_us = took_us;
    longest->requests = counters->requests - before.requests;
    longest->bytes = bytes;
}

static void report(px_server *server, const struct longest *longest)
{
    px_counters is = {.struct_size = sizeof(is)};

    px_server_counters(server, &is);
    printf("{\"ticks\": %" PRIu64 ", \"cpu_us\": %" PRIu64 ", \"cpu_requests\": %" PRIu64
           ", \"cpu_bytes\": %" PRIu64 ", \"over_10_ms\": %" PRIu64 ", \"most_bytes\": %" PRIu64
           ", \"accepted\": %" PRIu64 ", \"requests\": %" PRIu64 ", \"clock_us\": %" PRIu64
           ", \"callbacks\": %" PRIu64 ", \"bytes\": %" PRIu64 "}\n",
           longest->steps, longest->cpu_us, longest->requests, longest->bytes, longest->over_10_ms,
           longest->most_bytes, is.accepted, is.requests, is.longest_tick_us,
           is.longest_tick_callbacks, is.longest_tick_bytes);
}

static px_server *serve(const char *address, const char *connections, char *content, int *stop,
                        px_counters *counters, px_error *out_error)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;

    options.connections_max = connections ? (uint32_t)strtoul(connections, NULL, 10) : 0;
    options.counters_memory = counters; /* looked at in each step, for nothing */
    px_server *server = px_server_create(&options, out_error);

    if (server && px_server_route(server, "GET /{$}", hello, NULL, out_error) == PX_OK &&
        px_server_route(server, "GET /big", big, content, out_error) == PX_OK &&
        px_server_route(server, "POST /", hello, NULL, out_error) == PX_OK &&
        px_loop_signal(px_server_loop(server), SIGTERM, on_stop, stop, out_error) == PX_OK &&
        px_server_listen(server, address, out_error) == PX_OK)
        return server;
    px_server_destroy(server);
    return NULL;
}

int main(int argc, char **argv)
{
    static char content[BIG_BYTES];
    struct longest longest = {0};
    struct rlimit limit;
    px_counters counters = {.struct_size = sizeof(counters)};
    int stop = 0;
    px_error error = PX_ERROR_INIT;

    memset(content, 'b', sizeof(content));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    px_server *server = serve(argc > 1 ? argv[1] : "127.0.0.1:0", argc > 2 ? argv[2] : NULL,
                              content, &stop, &counters, &error);

    if (!server) {
        fprintf(stderr, "ticks: %s\n", error.text);
        return 69;
    }
    px_loop *loop = px_server_loop(server);

    printf("%s\n", px_server_address(server));
    fflush(stdout);
    while (!stop) {
        struct pollfd ready = {.fd = px_loop_fd(loop), .events = POLLIN};

        poll(&ready, 1, px_loop_timeout_ms(loop));
        step(loop, &counters, &longest);
    }
    report(server, &longest);
    px_server_destroy(server);
    return 0;
}
