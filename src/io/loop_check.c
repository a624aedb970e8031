/*
 * What must hold of a loop and its streams; compiled for tests alone to be looked at in each tick.
 */
#include "io/cache.h"
#include "io/engine.h"
#include "io/mailbox.h"

static bool has(const px_stream *stream, unsigned flag)
{
    return (stream->handle.flags & flag) != 0;
}

void stream_check(const px_stream *stream)
{
    ASSERT(stream->handle.kind == HANDLE_STREAM && stream->handle.loop);
    ASSERT(!has(stream, STREAM_CLOSING) || !has(stream, STREAM_RECV | STREAM_PRESENT));
    ASSERT(!has(stream, STREAM_RESET) || has(stream, STREAM_CLOSING));
    ASSERT(!has(stream, STREAM_FULL) || has(stream, STREAM_ENDED));
    ASSERT(!has(stream, STREAM_SENDING) || stream->parts || stream->send_errno);
    ASSERT(stream->part_count == 0 || stream->parts);
    ASSERT(has(stream, STREAM_DETACHED) || has(stream, STREAM_CLOSING) || stream->handle.fd >= 0);
    inbox_check(&stream->inbox);
}

static void streams_check(const px_loop *loop)
{
    for (const struct list *node = loop->closing.next; node != &loop->closing; node = node->next)
        ASSERT(LIST_ENTRY(node, const struct io_handle, work)->loop == loop);
    for (const struct list *node = loop->again.next; node != &loop->again; node = node->next)
        ASSERT(LIST_ENTRY(node, const struct io_handle, work)->loop == loop);
}

void loop_check(const px_loop *loop)
{
    ASSERT(loop->chunk && loop->engine && loop->mailbox);
    (void)list_check(&loop->again);
    (void)list_check(&loop->closing);
    (void)list_check(&loop->streams);
    (void)list_check(&loop->tasks);
    (void)list_check(&loop->tenants);
    (void)list_check(&loop->caches);
    loop_caches_check(loop);
    (void)list_check(mailbox_waiting(loop->mailbox));
    for (int phase = 0; phase < LOOP_PHASE_COUNT; phase++)
        (void)list_check(&loop->hooks[phase]);
    timer_heap_check(&loop->timers);
    budget_check(&loop->memory);
    streams_check(loop);
    engine_check(loop);
    ASSERT(loop->tick_bytes <= loop->bytes_received + loop->bytes_sent);
    ASSERT(loop->turn_bytes <= loop->bytes_received + loop->bytes_sent);
    ASSERT(loop->now_us / 1000 <= loop->now_ms + 1 && loop->now_ms <= loop->now_us / 1000 + 1);
}

void loop_thread_check(const px_loop *loop)
{
    CHECK_RULE(!loop->ticking || pthread_equal(loop->told.thread, pthread_self()),
               "called on another thread than the loop's, which runs: post to it (px_loop_post)");
}
