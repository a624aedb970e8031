/*
 * Where an answer's content comes from: bytes, a file, a producer, or pieces; pulled into room that
 * the transport (or the first filter) provides.
 *
 * Whatever the source, what it gives is held against the declared length here: more or less is a
 * broken rule, so that what is cut short never looks complete.
 */
#include <string.h>

#include "exchange/exchange_private.h"

#include "base/check.h"

enum { SOURCE_READ_BYTES = 16 * 1024 };

static px_pull pull_bytes(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    size_t left = exchange->output.body.bytes.len - (size_t)exchange->output.produced;
    size_t count = left < room ? left : room;

    if (count > 0)
        memcpy(out, exchange->output.body.bytes.ptr + exchange->output.produced, count);
    *out_bytes = count;
    return count == left ? PX_PULL_END : PX_PULL_MORE;
}

static void file_read_done(struct file_read *read, px_err status)
{
    px_exchange *exchange = read->context;
    struct output_more *output = exchange->output.more;

    output->reading = false;
    if (status != PX_OK || read->count <= 0)
        output->read_error = true;
    else
        output->read_len = (uint32_t)read->count;
    if (output->ended)
        exchange->service->on_read_ended(exchange);
    else if (exchange->transport)
        exchange->transport->send_content(exchange);
}

/* Has a helper thread read what is not in the page cache. */
static px_pull file_pull_later(px_exchange *exchange, uint64_t offset, uint64_t left)
{
    struct output_more *output = exchange->output.more;

    if (!output->read_buf)
        output->read_buf = arena_take(&exchange->arena, SOURCE_READ_BYTES);
    if (!output->read_buf)
        return PX_PULL_ERROR;
    output->read_at = 0;
    output->read_len = 0;
    output->read.fd = output->file.fd;
    output->read.offset = offset;
    output->read.room = left < SOURCE_READ_BYTES ? (size_t)left : SOURCE_READ_BYTES;
    output->read.out = output->read_buf;
    output->read.done = file_read_done;
    output->read.context = exchange;
    if (file_read_later(exchange->service->loop, &output->read) != PX_OK)
        return PX_PULL_ERROR;
    output->reading = true;
    return PX_PULL_LATER;
}

static void file_warm_done(struct file_read *read, px_err status)
{
    px_exchange *exchange = read->context;
    struct output_more *output = exchange->output.more;

    (void)status; /* what cannot be read fails when it is sent */
    output->reading = false;
    output->warmed = true;
    if (output->ended)
        exchange->service->on_read_ended(exchange);
    else if (exchange->transport)
        exchange->transport->send_content(exchange);
}

/* A file that went out a moment ago without a wait is not looked up piece by piece. */
static bool file_was_warm(const px_exchange *exchange)
{
    const uint64_t *warm_ms = exchange->output.more->file.warm_ms;

    return warm_ms && *warm_ms != 0 && exchange->service->loop->now_ms - *warm_ms < FILE_WARM_MS;
}

/* Has a helper read a piece of the file; false when none can. */
static bool file_warm(px_exchange *exchange, uint64_t offset, uint64_t length)
{
    struct output_more *output = exchange->output.more;

    output->unsure = true;
    output->read.fd = output->file.fd;
    output->read.offset = offset;
    output->read.room = (size_t)length;
    output->read.done = file_warm_done;
    output->read.context = exchange;
    output->reading = file_warm_later(exchange->service->loop, &output->read) == PX_OK;
    return output->reading;
}

/* Has a helper read a piece that is not in the page cache; false: it can be sent now. */
static bool file_wait(px_exchange *exchange, uint64_t offset, uint64_t length)
{
    struct output_more *output = exchange->output.more;

    if (output->warmed) {
        output->warmed = false;
        return false;
    }
    if (file_was_warm(exchange)) {
        output->unsure = true;
        return false;
    }
    if (file_is_warm(output->file.fd, offset, length))
        return false;
    output->cold = true;
    /* Without a helper it is read here, on the loop's thread. */
    return file_warm(exchange, offset, length);
}

px_err exchange_file_next(px_exchange *exchange, px_part *out_part, bool *out_last)
{
    struct output_more *output = exchange->output.more;
    uint64_t left = exchange->output.length - exchange->output.produced;
    uint64_t offset = output->file.offset + exchange->output.produced;
    uint64_t length = left < FILE_WINDOW_BYTES ? left : FILE_WINDOW_BYTES;
    uint64_t ahead = left - length < FILE_WINDOW_BYTES ? left - length : FILE_WINDOW_BYTES;

    CHECK(output && exchange->output.produced <= exchange->output.length);
    if (output->reading || file_wait(exchange, offset, length))
        return PX_AGAIN;
    *out_part = (px_part){.fd = output->file.fd, .offset = offset, .length = length};
    exchange->output.passed += length;
    exchange->output.produced += length;
    /* What follows a cold piece is cold as well: it is read while this one is sent. */
    if (output->cold && ahead > 0)
        file_warm(exchange, offset + length, ahead);
    *out_last = exchange->output.produced == exchange->output.length;
    if (*out_last && output->file.warm_ms && !output->unsure)
        *output->file.warm_ms = exchange->service->loop->now_ms;
    return PX_OK;
}

static px_pull pull_file(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    struct output_more *output = exchange->output.more;
    uint64_t left = output->file.length - exchange->output.produced;
    uint64_t offset = output->file.offset + exchange->output.produced;
    size_t count = left < room ? (size_t)left : room;

    *out_bytes = 0;
    if (output->read_error)
        return PX_PULL_ERROR;
    if (output->reading)
        return PX_PULL_LATER;
    if (left == 0)
        return PX_PULL_END;
    if (output->read_at < output->read_len) {
        size_t ready = output->read_len - output->read_at;

        count = ready < count ? ready : count;
        memcpy(out, output->read_buf + output->read_at, count);
        output->read_at += (uint32_t)count;
    } else {
        size_t got = 0;
        px_err err = file_read_now(output->file.fd, out, count, offset, &got);

        if (err == PX_AGAIN)
            return file_pull_later(exchange, offset, left);
        if (err != PX_OK || got == 0)
            return PX_PULL_ERROR; /* cut since its length was declared, or unreadable */
        count = got;
    }
    *out_bytes = count;
    return count == left ? PX_PULL_END : PX_PULL_MORE;
}

static px_pull pull_pieces(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    struct output_more *output = exchange->output.more;
    size_t left = output->pieces.len - output->pieces_at;
    size_t count = left < room ? left : room;

    if (count > 0)
        memcpy(out, output->pieces.ptr + output->pieces_at, count);
    output->pieces_at += count;
    *out_bytes = count;
    if (count == left) {
        output->pieces.len = 0;
        output->pieces_at = 0;
        if (exchange->output.pieces_done)
            return PX_PULL_END;
    }
    return count > 0 ? PX_PULL_MORE : PX_PULL_LATER;
}

/* Half of the room is free: a handler that waited has something to do. */
static bool room_is_back(const px_exchange *exchange)
{
    const struct buf *pieces = &exchange->output.more->pieces;

    return pieces->bytes_max - (pieces->len - exchange->output.more->pieces_at) >=
           pieces->bytes_max / 2;
}

/* The handler that ran short of room is told once there is some. */
static void room_tell(px_exchange *exchange)
{
    if (exchange->output.kind == CONTENT_TUNNEL) {
        const px_tunnel_callbacks *tunnel = exchange->output.more->tunnel;

        if (TABLE_MEMBER(tunnel, on_room))
            tunnel->on_room(exchange, exchange->output.more->tunnel_context);
    } else if (exchange->handling.callbacks &&
               TABLE_MEMBER(exchange->handling.callbacks, on_room)) {
        exchange->handling.callbacks->on_room(exchange, exchange->handling.callbacks_context);
    }
}

/* A producer, or a tunnel that is asked likewise. */
static px_pull pull_asked(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    const px_producer *producer = &exchange->output.more->producer;

    if (exchange->output.later)
        return PX_PULL_LATER;
    exchange->output.later = true;
    px_pull pull = producer->pull(exchange, out, room, out_bytes, producer->context);

    /* What it waits for may have come before it returned: px_resume was called inside. */
    exchange->output.later = pull == PX_PULL_LATER && exchange->output.later;
    return pull;
}

/* Of content that is not what it was said to be. */
static px_pull pull_fault(px_exchange *exchange, const char *what)
{
    exchange_note_fault(exchange, what);
    return PX_PULL_ERROR;
}

px_pull source_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    px_pull pull = PX_PULL_END;
    uint64_t length =
        exchange->output.filtered ? exchange->output.more->source_length : exchange->output.length;

    ASSERT(room > 0);
    *out_bytes = 0;
    switch ((enum content_kind)exchange->output.kind) {
    case CONTENT_NONE:
        break;
    case CONTENT_BYTES:
        pull = pull_bytes(exchange, out, room, out_bytes);
        break;
    case CONTENT_FILE:
        pull = pull_file(exchange, out, room, out_bytes);
        break;
    case CONTENT_PRODUCER:
        pull = pull_asked(exchange, out, room, out_bytes);
        if (pull == PX_PULL_LATER && !exchange->output.later)
            return PX_PULL_MORE;
        break;
    case CONTENT_PIECES:
        pull = pull_pieces(exchange, out, room, out_bytes);
        break;
    case CONTENT_TUNNEL:
        if (!exchange->output.more->producer.pull) {
            pull = pull_pieces(exchange, out, room, out_bytes);
            break;
        }
        pull = pull_asked(exchange, out, room, out_bytes);
        if (pull == PX_PULL_LATER && !exchange->output.later)
            return PX_PULL_MORE;
        break;
    }
    if (*out_bytes > room)
        return pull_fault(exchange, "a producer that wrote more than it had room for");
    exchange->output.produced += *out_bytes;
    if (pull == PX_PULL_MORE && *out_bytes == 0) /* would be asked for ever */
        return pull_fault(exchange, "a producer that said PX_PULL_MORE with nothing");
    if (length != PX_LENGTH_UNKNOWN && exchange->output.produced > length)
        return pull_fault(exchange, "more content than its length says");
    if (length != PX_LENGTH_UNKNOWN && pull == PX_PULL_END && exchange->output.produced < length)
        return pull_fault(exchange, "less content than its length says");
    if (exchange->output.room_wanted && *out_bytes > 0 && room_is_back(exchange)) {
        exchange->output.room_wanted = false;
        room_tell(exchange);
    }
    return pull;
}
