/*
 * The master's messages, as calls.
 *
 * The happy path: sockets come and are served, some are released again, then a word to end.  What
 * can go wrong: the master dies, which is seen as the end of the channel and means a drain, since
 * no process would look after this worker; a socket that cannot be served ends the worker, so that
 * another one gets it.
 */
#include "main/worker/channel.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"

/* What holds between two messages. */
static void channel_check(const struct channel *channel)
{
    CHECK(channel->loop && channel->server && channel->events);
    CHECK(channel->ends.word_fd >= 0 && channel->ends.answer_fd >= 0);
    CHECK(channel->socket_count <= channel->socket_room);
    CHECK((channel->sockets != NULL) == (channel->socket_room > 0));
    for (uint32_t i = 0; ASSERTS && i < channel->socket_count; i++)
        ASSERT(channel->sockets[i].listener);
}

static void say(const struct channel *channel, enum control_kind kind, uint32_t slot)
{
    /* It fails when the master is gone, and that is heard of at the other end of this channel. */
    (void)control_answer(channel->ends.answer_fd, kind, slot);
}

static px_err remember(struct channel *channel, uint32_t slot, px_listener *listener)
{
    CHECK(channel->socket_count <= channel->socket_room);
    if (channel->socket_count == channel->socket_room) {
        uint32_t room = channel->socket_room == 0 ? 16 : 2 * channel->socket_room;
        struct channel_socket *sockets = realloc(channel->sockets, room * sizeof(sockets[0]));

        if (!sockets)
            return PX_ERR_MEMORY;
        channel->sockets = sockets;
        channel->socket_room = room;
    }
    channel->sockets[channel->socket_count++] = (struct channel_socket){slot, listener};
    return PX_OK;
}

static void serve(struct channel *channel, const struct control_message *message, int fd)
{
    px_error error;
    px_listener *listener = px_listener_adopt(fd, &error);

    if (!listener) {
        close(fd);
    } else if (remember(channel, message->slot, listener) != PX_OK) {
        px_listener_close(listener);
        error_set(&error, PX_ERR_MEMORY, 0, "cannot take a socket: out of memory");
    } else if (channel->events->on_serve(listener, message->address, channel->context, &error) !=
               PX_OK) {
        CHECK(channel->socket_count > 0 &&
              channel->sockets[channel->socket_count - 1].listener == listener);
        channel->socket_count--;
        px_listener_close(listener);
        if (error.code == PX_ERR_CLOSED)
            return; /* it came too late: we drain */
    } else {
        return;
    }
    diagnostics_say("%s", error.text);
    channel->events->on_broken(channel->context);
}

static void release(struct channel *channel, uint32_t slot)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < channel->socket_count; i++) {
        if (channel->sockets[i].slot == slot)
            px_server_unserve(channel->server, channel->sockets[i].listener);
        else
            channel->sockets[kept++] = channel->sockets[i];
    }
    CHECK(kept <= channel->socket_count);
    channel->socket_count = kept;
}

/* The end of this worker: a second signal to its master makes it a short one. */
static void last_message_take(const struct channel *channel, enum control_kind kind, int fd)
{
    if (fd >= 0)
        close(fd);
    if (kind == CONTROL_STOP)
        channel->events->on_stop(channel->context);
    else if (kind == CONTROL_REPORT)
        say(channel, CONTROL_REPORTED, 0);
}

static void message_take(struct channel *channel, const struct control_message *message, int fd)
{
    const struct channel_events *events = channel->events;
    bool is_serving = !px_server_is_draining(channel->server);

    channel_check(channel);
    CHECK(fd >= -1);
    switch (message->kind) {
    case CONTROL_SERVE:
        /* During a drain's delay, what a dead sibling leaves is taken as well. */
        if (fd >= 0)
            serve(channel, message, fd);
        return;
    case CONTROL_SERVED:
        say(channel, CONTROL_SERVING, message->slot);
        break;
    case CONTROL_RELEASE:
        if (is_serving)
            release(channel, message->slot);
        break;
    case CONTROL_DELAY:
        events->on_delay(message->slot, channel->context);
        break;
    case CONTROL_DRAIN:
        events->on_drain(channel->context);
        break;
    case CONTROL_RETIRE:
        if (fd >= 0)
            events->on_log(fd, channel->context);
        events->on_retire(channel->context);
        return;
    case CONTROL_LOG:
        if (fd >= 0)
            events->on_other_log(message->slot, fd, channel->context);
        return;
    case CONTROL_STOP:
        events->on_stop(channel->context);
        break;
    case CONTROL_REPORT:
        if (fd >= 0)
            events->on_log(fd, channel->context);
        /* Counts what open connections have sent so far. */
        px_server_counters(channel->server, &(px_counters){.struct_size = sizeof(px_counters)});
        say(channel, CONTROL_REPORTED, 0);
        return;
    }
    if (fd >= 0)
        close(fd);
}

static void on_readable(px_watch *watch, unsigned seen, void *context)
{
    struct channel *channel = context;
    struct control_message message;
    int fd;
    int result;

    (void)seen;
    CHECK(channel->watch == watch);
    while ((result = control_receive(channel->ends.word_fd, &message, &fd)) > 0) {
        if (channel->is_ending)
            last_message_take(channel, (enum control_kind)message.kind, fd);
        else
            message_take(channel, &message, fd);
    }
    if (result == 0)
        return;
    px_watch_destroy(watch);
    channel->watch = NULL;
    if (channel->is_ending)
        return;
    diagnostics_tell(LEVEL_WARNING, "the master is gone: worker %ld finishes what it has, and ends",
                     (long)getpid());
    channel->events->on_drain(channel->context);
}

static void on_beat(px_timer *timer, void *context)
{
    struct channel *channel = context;

    CHECK(channel->beat == timer);
    atomic_store(&channel->block->alive_ms, px_loop_now_ms(channel->loop));
    px_timer_start(timer, channel->beat_ms);
}

px_err channel_open(struct channel *channel, px_error *out_error)
{
    CHECK(!channel->watch && !channel->beat);
    CHECK(channel->block && channel->beat_ms > 0);
    channel_check(channel);
    channel->watch = px_watch_create(channel->loop, channel->ends.word_fd, PX_WATCH_READ,
                                     on_readable, channel, out_error);
    if (!channel->watch)
        return out_error->code;
    channel->beat = px_timer_create(channel->loop, on_beat, channel);
    if (!channel->beat)
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot start a worker: out of memory");
    px_timer_start(channel->beat, channel->beat_ms);
    return error_clear(out_error);
}

void channel_ready(const struct channel *channel, bool can_read)
{
    CHECK(channel->beat); /* it is listened to: what the master sends next is taken */
    say(channel, CONTROL_READY, can_read ? 0 : CONTROL_READY_BUT);
}

void channel_end(struct channel *channel)
{
    free(channel->sockets);
    channel->sockets = NULL;
    channel->socket_count = 0;
    channel->socket_room = 0;
    channel->is_ending = true;
}

void channel_close(struct channel *channel)
{
    CHECK(channel->is_ending);
    px_watch_destroy(channel->watch);
    px_timer_destroy(channel->beat);
}
