/*
 * The recording receiver.  It also checks what holds for every stream: callbacks never nest, and
 * nothing is reported after close but the send in flight and the end.
 */
#include "unit/io/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "lib/test.h"
#include "unit/io/pump.h"

static struct recorder *enter(px_stream *stream, void *context, enum event event)
{
    struct recorder *recorder = context;

    assert_ptr_equal(stream, recorder->stream);
    assert_false(recorder->inside);
    assert_int_equal(recorder->closed_count, 0);
    recorder->inside = true;
    if (recorder->event_count < RECORDER_EVENTS_MAX)
        recorder->events[recorder->event_count++] = (uint8_t)event;
    return recorder;
}

static void leave(struct recorder *recorder, enum event event)
{
    if (recorder->act)
        recorder->act(recorder, event);
    recorder->inside = false;
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    assert_false(stream->handle.flags & STREAM_CLOSING);
    struct recorder *recorder = enter(stream, context, EVENT_RECV);
    size_t used = bytes.len < recorder->use ? bytes.len : recorder->use;

    assert_true(bytes.len > 0);
    recorder->recv_count++;
    recorder->shown = bytes.len;
    memset(recorder->first, 0, sizeof(recorder->first));
    memcpy(recorder->first, bytes.ptr,
           bytes.len < sizeof(recorder->first) ? bytes.len : sizeof(recorder->first) - 1);
    if (recorder->len + used > recorder->room) {
        recorder->room = (recorder->len + used) * 2;
        recorder->bytes = realloc(recorder->bytes, recorder->room);
        assert_non_null(recorder->bytes);
    }
    if (used > 0)
        memcpy(recorder->bytes + recorder->len, bytes.ptr, used);
    recorder->len += used;
    leave(recorder, EVENT_RECV);
    return used;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    assert_false(stream->handle.flags & STREAM_CLOSING);
    struct recorder *recorder = enter(stream, context, EVENT_RECV_END);

    recorder->end_count++;
    assert_int_equal(recorder->end_count, 1);
    recorder->end_reason = reason;
    leave(recorder, EVENT_RECV_END);
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct recorder *recorder = enter(stream, context, EVENT_SENT);

    recorder->sent_count++;
    recorder->sent_result = result;
    leave(recorder, EVENT_SENT);
}

static void on_closed(px_stream *stream, void *context)
{
    struct recorder *recorder = enter(stream, context, EVENT_CLOSED);

    leave(recorder, EVENT_CLOSED);
    recorder->closed_count++;
    recorder->stream = NULL;
}

const px_stream_events recorder_events = {on_recv, on_recv_end, on_sent, on_closed};

void recorder_attach(struct recorder *recorder, px_stream *stream)
{
    memset(recorder, 0, sizeof(*recorder));
    recorder->use = SIZE_MAX;
    recorder->stream = stream;
    px_stream_attach(stream, &recorder_events, recorder);
}

void recorder_open(struct recorder *recorder, px_loop *loop, int fd)
{
    px_stream *stream = stream_create(loop, fd, false);

    assert_non_null(stream);
    recorder_attach(recorder, stream);
}

void recorder_deinit(struct recorder *recorder)
{
    free(recorder->bytes);
    recorder->bytes = NULL;
}

void recorder_close(struct recorder *recorder)
{
    if (recorder->stream) {
        px_loop *loop = px_stream_loop(recorder->stream);

        px_stream_close(recorder->stream);
        pump_until(loop, recorder->closed_count == 1);
    }
    recorder_deinit(recorder);
}
