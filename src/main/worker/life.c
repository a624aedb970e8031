/*
 * How a life is told to end.
 *
 * The happy path: a drain.  It cannot fail: its options are of our own making.
 */
#include "main/worker/life.h"

#include "base/check.h"

enum {
    /* How long idle connections live on at the end: a request that is on its way arrives yet. */
    IDLE_GRACE_MS = 500,
};

void life_check(const struct life *life)
{
    const struct worker *worker = life->worker;

    CHECK(life->loop && life->server && life->counting && !life->is_ending);
    CHECK(!life->has_failed || patience_is_hurried(&life->patience));
    CHECK(!life->tracer || worker->options->trace.url);
    CHECK(!life->log || worker->options->server.log_format != PX_LOG_OFF);
    if (worker_is_alone(worker))
        CHECK(!life->channel.watch && !life->channel.sockets);
    else
        CHECK(!life->watchdog && !life->look && life->channel.server == life->server);
}

void life_stop(struct life *life)
{
    patience_hurry(&life->patience);
    if (!life->is_ending)
        px_server_stop(life->server);
}

void life_drain_with(struct life *life, const px_drain_options *options)
{
    px_err err = px_server_drain_with(life->server, options);

    CHECK(err == PX_OK); /* the options are of our own making */
}

void life_drain(struct life *life, uint32_t delay_ms)
{
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    life_check(life);
    options.delay_ms = delay_ms;
    options.deadline_ms = life->worker->options->process.drain_timeout_ms;
    options.spread_ms = life->worker->options->process.drain_spread_ms;
    options.idle_ms = IDLE_GRACE_MS;
    life->is_draining = true;
    life_drain_with(life, &options);
}
