/*
 * Answers that wait once they have begun, and how exchanges ended as the program and the log are
 * told.
 *
 *   /wait?how=H&name=N   `producer` and `pieces` have said "begun" and say no more; `never` does
 *                        not answer
 *   /ends                a line for each exchange that has a name, since this was last asked: its
 *                        name, px_end, status
 *
 * With GALLERY_LOG the log goes to stdout, as JSON lines, and /metrics has what was counted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gallery.h"

static const char begun[] = "begun\n";

/* How exchanges have ended; cut when nobody asks. */
static char ends[64 * 1024];

static px_pull wait_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                         void *context)
{
    (void)room;
    (void)context;
    if (px_exchange_user_data(exchange))
        return PX_PULL_LATER;
    px_exchange_set_user_data(exchange, ends);
    *out_bytes = sizeof(begun) - 1;
    memcpy(out, begun, *out_bytes);
    return PX_PULL_MORE;
}

static void no_end(px_exchange *exchange, px_end end, void *context)
{
    (void)exchange;
    (void)end;
    (void)context;
}

void gallery_wait(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_end = no_end};
    px_str how = px_request_query_param(exchange, "how");
    px_producer producer = {.struct_size = sizeof(px_producer), .pull = wait_pull};

    (void)context;
    px_exchange_set_callbacks(exchange, &callbacks, NULL);
    if (px_str_equal(how, px_str_of("producer"))) {
        px_respond_producer(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN, &producer);
    } else if (px_str_equal(how, px_str_of("pieces"))) {
        px_response_start(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN);
        px_response_write(exchange, px_str_of(begun));
    }
}

void gallery_ends(px_exchange *exchange, void *context)
{
    (void)context;
    gallery_say(exchange, ends);
    ends[0] = '\0';
}

static void on_done(px_exchange *exchange, const px_summary *summary, void *context)
{
    px_str name = px_request_query_param(exchange, "name");
    size_t at = strlen(ends);

    (void)context;
    if (name.ptr)
        snprintf(ends + at, sizeof(ends) - at, "%.*s %d %u\n", (int)name.len, name.ptr,
                 (int)summary->end, summary->status);
}

static void on_log(px_str lines, void *context)
{
    (void)context;
    fwrite(lines.ptr, 1, lines.len, stdout);
    fflush(stdout);
}

void gallery_watch(px_server_options *options)
{
    options->on_done = on_done;
    if (!getenv("GALLERY_LOG"))
        return;
    options->log_format = PX_LOG_JSON;
    options->on_log = on_log;
    options->metrics = px_metrics_create(NULL, NULL);
}
