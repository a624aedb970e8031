/*
 * The reader: heads are collected and checked, data is unmasked into the caller's room, control
 * frames are collected whole.
 */
#include "http/ws/ws_read.h"

#include <string.h>

#include "base/check.h"

enum { INFLATE_STEP_BYTES = 1024, TAIL_BYTES = 4 };

_Static_assert(WS_CONTROL_BYTES_MAX >= WS_HEAD_BYTES_MAX, "`held` has room for a head");
_Static_assert(WS_CONTROL_BYTES_MAX <= UINT8_MAX, "held_len holds it");
_Static_assert(WS_REASON_BYTES_MAX + 2 == WS_CONTROL_BYTES_MAX, "a code stands before a reason");
_Static_assert(WS_READ_CLOSED <= UINT8_MAX, "state holds it");

static void message_check(const struct ws_reader *reader)
{
    ASSERT(reader->message == WS_TEXT || reader->message == WS_BINARY);
    ASSERT(reader->fragments > 0 && reader->fragments <= reader->limits.fragments_max);
    ASSERT(reader->message_bytes <= reader->limits.message_bytes_max);
    ASSERT(reader->deflated || reader->received_bytes == 0);
    ASSERT(reader->deflated || reader->state != WS_READ_TAIL);
    ASSERT(reader->message == WS_TEXT || ws_utf8_is_whole(&reader->utf8));
}

void ws_reader_check(const struct ws_reader *reader)
{
    ASSERT(reader->state <= WS_READ_CLOSED && reader->role <= WS_CLIENT && reader->bytes);
    ASSERT(reader->code == 0 || reader->state == WS_READ_CLOSED);
    ASSERT(reader->deflate || !reader->deflated);
    ASSERT(reader->tail_at <= TAIL_BYTES);
    ASSERT(reader->utf8.need <= 3 && reader->held_len <= sizeof(reader->held));
    if (reader->state == WS_READ_CLOSED)
        return;
    ASSERT(reader->state != WS_READ_HEAD || reader->held_len < WS_HEAD_BYTES_MAX);
    ASSERT(reader->state == WS_READ_HEAD || reader->state == WS_READ_CONTROL ||
           reader->held_len == 0);
    ASSERT(reader->state != WS_READ_CONTROL ||
           reader->frame_left + reader->held_len <= WS_CONTROL_BYTES_MAX);
    ASSERT(reader->state != WS_READ_CONTROL || ws_opcode_is_control(reader->control));
    ASSERT(reader->state != WS_READ_TAIL || (reader->fin && reader->frame_left == 0));
    if (reader->message != 0)
        message_check(reader);
    else
        ASSERT(reader->state == WS_READ_HEAD || reader->state == WS_READ_CONTROL);
}

void ws_reader_init(struct ws_reader *reader, enum ws_role role, const struct ws_bytes *bytes,
                    const struct ws_limits *limits, bool deflate)
{
    memset(reader, 0, sizeof(*reader));
    reader->role = (uint8_t)role;
    reader->bytes = bytes;
    reader->limits = *limits;
    reader->deflate = deflate;
}

static px_err fail(struct ws_reader *reader, uint16_t code, px_err err)
{
    reader->code = code;
    reader->state = WS_READ_CLOSED;
    return err;
}

static px_err fail_protocol(struct ws_reader *reader)
{
    return fail(reader, WS_CODE_PROTOCOL, PX_ERR_MALFORMED);
}

/* --- Heads ------------------------------------------------------------------------------------ */

/* What the first two bytes can say wrong, before the rest of the head is there. */
static bool start_valid(const struct ws_reader *reader, uint8_t first, uint8_t second)
{
    uint8_t opcode = first & 0x0f, rsv = first & WS_RSV_MASK;
    bool is_data = opcode == WS_TEXT || opcode == WS_BINARY;

    /* RFC 6455 section 5.1: a client masks, a server does not. */
    if (((second & 0x80) != 0) != (reader->role == WS_SERVER))
        return false;
    /* RFC 7692 section 6: RSV1 is of a message's first frame. */
    if (rsv != 0 && !(rsv == WS_RSV1 && reader->deflate && is_data))
        return false;
    if (ws_opcode_is_control(opcode))
        return opcode == WS_CLOSE || opcode == WS_PING || opcode == WS_PONG;
    if (reader->message == 0)
        return is_data;
    return opcode == WS_CONTINUATION;
}

static px_err data_begin(struct ws_reader *reader, const struct ws_head *head,
                         struct ws_event *out_event)
{
    bool is_first = reader->message == 0;

    if (is_first) {
        reader->message = head->opcode;
        reader->deflated = head->rsv != 0;
        reader->message_bytes = 0;
        reader->received_bytes = 0;
        reader->fragments = 0;
        reader->tail_at = 0;
        reader->utf8 = (struct ws_utf8){0, 0, 0};
    }
    if (++reader->fragments > reader->limits.fragments_max)
        return fail(reader, WS_CODE_TOO_BIG, PX_ERR_LIMIT);
    if (!reader->deflated &&
        head->length > reader->limits.message_bytes_max - reader->message_bytes)
        return fail(reader, WS_CODE_TOO_BIG, PX_ERR_LIMIT);
    reader->frame_left = head->length;
    reader->fin = head->fin;
    reader->state = WS_READ_DATA;
    if (!is_first)
        return PX_AGAIN;
    *out_event = (struct ws_event){.kind = WS_EVENT_BEGIN,
                                   .opcode = reader->message,
                                   .length = head->length,
                                   .deflated = reader->deflated,
                                   .whole = head->fin};
    return PX_OK;
}

/* PX_OK with the beginning of a message, PX_AGAIN to go on. */
static px_err read_head(struct ws_reader *reader, px_str in, size_t *used,
                        struct ws_event *out_event)
{
    size_t before = reader->held_len;
    size_t left = in.len - *used;
    size_t count = left < WS_HEAD_BYTES_MAX - before ? left : WS_HEAD_BYTES_MAX - before;
    struct ws_head head;

    memcpy(reader->held + before, in.ptr + *used, count);
    px_str held = px_str_make(reader->held, before + count);

    if (held.len >= 2 && !start_valid(reader, (uint8_t)held.ptr[0], (uint8_t)held.ptr[1]))
        return fail_protocol(reader);
    px_err err = ws_head_take(held, &head);

    if (err == PX_AGAIN) {
        reader->held_len = (uint8_t)held.len;
        *used += count;
        return PX_AGAIN;
    }
    if (err != PX_OK)
        return fail_protocol(reader);
    reader->held_len = 0;
    *used += head.bytes - before;
    memcpy(reader->key, head.key, WS_MASK_BYTES);
    if (!ws_opcode_is_control(head.opcode))
        return data_begin(reader, &head, out_event);
    reader->control = head.opcode;
    reader->frame_left = head.length;
    reader->state = WS_READ_CONTROL;
    return PX_AGAIN;
}

/* --- Control frames --------------------------------------------------------------------------- */

static void unmask(struct ws_reader *reader, char *out, const char *in, size_t len)
{
    if (reader->role == WS_CLIENT) {
        memcpy(out, in, len);
        return;
    }
    reader->bytes->mask(out, in, len, reader->key);
    ws_mask_rotate(reader->key, len);
}

static px_err read_control(struct ws_reader *reader, px_str in, size_t *used,
                           struct ws_event *out_event)
{
    size_t left = in.len - *used;
    size_t count = left < reader->frame_left ? left : (size_t)reader->frame_left;

    if (count > 0)
        unmask(reader, reader->held + reader->held_len, in.ptr + *used, count);
    *used += count;
    reader->held_len = (uint8_t)(reader->held_len + count);
    reader->frame_left -= count;
    ASSERT(reader->held_len <= WS_CONTROL_BYTES_MAX);
    if (reader->frame_left > 0)
        return PX_AGAIN;
    *out_event = (struct ws_event){.bytes = px_str_make(reader->held, reader->held_len)};
    reader->held_len = 0;
    /* A control frame may stand between the frames of a message (RFC 6455 section 5.4). */
    reader->state = WS_READ_HEAD;
    if (reader->control == WS_PING || reader->control == WS_PONG) {
        out_event->kind = reader->control == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
        return PX_OK;
    }
    out_event->kind = WS_EVENT_CLOSE;
    px_err err =
        ws_close_take(out_event->bytes, reader->bytes, &out_event->code, &out_event->bytes);

    if (err != PX_OK)
        return fail(reader, out_event->code, err);
    reader->state = WS_READ_CLOSED;
    return PX_OK;
}

/* --- Data ------------------------------------------------------------------------------------- */

/* Counts and checks a piece, and tells it where there is something to tell. */
static px_err data_tell(struct ws_reader *reader, px_str piece, bool last,
                        struct ws_event *out_event)
{
    reader->message_bytes += piece.len;
    if (reader->message_bytes > reader->limits.message_bytes_max)
        return fail(reader, WS_CODE_TOO_BIG, PX_ERR_LIMIT);
    if (reader->deflated && reader->limits.ratio_max > 0 &&
        reader->message_bytes > WS_RATIO_BYTES &&
        reader->message_bytes / reader->limits.ratio_max > reader->received_bytes)
        return fail(reader, WS_CODE_TOO_BIG, PX_ERR_LIMIT);
    if (reader->message == WS_TEXT && (!ws_utf8_take(&reader->utf8, reader->bytes, piece) ||
                                       (last && !ws_utf8_is_whole(&reader->utf8))))
        return fail(reader, WS_CODE_DATA, PX_ERR_MALFORMED);
    *out_event = (struct ws_event){
        .kind = WS_EVENT_DATA, .opcode = reader->message, .bytes = piece, .last = last};
    if (last) {
        reader->message = 0;
        reader->inflate = NULL;
    }
    return piece.len > 0 || last ? PX_OK : PX_AGAIN;
}

/* The frame at hand is over: what comes behind it. */
static void frame_end(struct ws_reader *reader)
{
    reader->state = reader->fin && reader->deflated ? WS_READ_TAIL : WS_READ_HEAD;
}

static px_err read_plain(struct ws_reader *reader, px_str in, char *out, size_t room, size_t *used,
                         struct ws_event *out_event)
{
    size_t left = in.len - *used;
    size_t count = left < reader->frame_left ? left : (size_t)reader->frame_left;

    if (count > room)
        count = room;
    if (count > 0)
        unmask(reader, out, in.ptr + *used, count);
    *used += count;
    reader->frame_left -= count;
    bool is_over = reader->frame_left == 0;

    if (is_over)
        frame_end(reader);
    return data_tell(reader, px_str_make(out, count), is_over && reader->fin, out_event);
}

static px_err inflate_fail(struct ws_reader *reader, px_err err)
{
    if (err == PX_ERR_MEMORY)
        return fail(reader, WS_CODE_INTERNAL, err);
    return fail(reader, WS_CODE_DATA, PX_ERR_MALFORMED);
}

/* A piece of a deflated frame: what the coder does not take now is unmasked again later. */
static px_err read_deflated(struct ws_reader *reader, px_str in, char *out, size_t room,
                            size_t *used, struct ws_event *out_event)
{
    char clear[INFLATE_STEP_BYTES];
    uint8_t key[WS_MASK_BYTES];
    size_t left = in.len - *used, wrote = 0;
    size_t count = left < reader->frame_left ? left : (size_t)reader->frame_left;
    size_t taken = 0;

    CHECK(reader->inflate);
    count = count < sizeof(clear) ? count : sizeof(clear);
    memcpy(key, reader->key, sizeof(key));
    if (count > 0)
        unmask(reader, clear, in.ptr + *used, count);
    px_err err =
        ws_inflate_step(reader->inflate, px_str_make(clear, count), out, room, &taken, &wrote);

    if (err != PX_OK)
        return inflate_fail(reader, err);
    ASSERT(taken <= count && wrote <= room);
    memcpy(reader->key, key, sizeof(key));
    ws_mask_rotate(reader->key, taken);
    *used += taken;
    reader->frame_left -= taken;
    reader->received_bytes += taken;
    /* Where the room was filled the coder may hold more of what it took. */
    if (reader->frame_left == 0 && wrote < room)
        frame_end(reader);
    return data_tell(reader, px_str_make(out, wrote), false, out_event);
}

/* RFC 7692 section 7.2.2: the four bytes that were not sent end a block that the message has begun.
 * A message that ends between two blocks is whole without them: one of no bytes, or whose last
 * block says that it is the last.  One that is inside of a block behind them was cut. */
static px_err read_tail(struct ws_reader *reader, char *out, size_t room,
                        struct ws_event *out_event)
{
    static const char tail[TAIL_BYTES] = {'\x00', '\x00', '\xff', '\xff'};
    size_t taken = 0, wrote = 0;

    CHECK(reader->inflate);
    if (reader->tail_at == 0 && ws_inflate_is_between(reader->inflate)) {
        reader->state = WS_READ_HEAD;
        return data_tell(reader, px_str_make(out, 0), true, out_event);
    }
    px_err err = ws_inflate_step(
        reader->inflate, px_str_make(tail + reader->tail_at, (size_t)TAIL_BYTES - reader->tail_at),
        out, room, &taken, &wrote);

    if (err != PX_OK)
        return inflate_fail(reader, err);
    ASSERT(taken <= (size_t)TAIL_BYTES - reader->tail_at && wrote <= room);
    reader->tail_at = (uint8_t)(reader->tail_at + taken);
    bool is_over = reader->tail_at == TAIL_BYTES && wrote < room;

    if (is_over && !ws_inflate_is_between(reader->inflate))
        return fail(reader, WS_CODE_DATA, PX_ERR_MALFORMED);
    if (is_over)
        reader->state = WS_READ_HEAD;
    return data_tell(reader, px_str_make(out, wrote), is_over, out_event);
}

/* Whether a step can do something without more bytes. */
static bool goes_on(const struct ws_reader *reader)
{
    switch ((enum ws_reading)reader->state) {
    case WS_READ_DATA:
        return reader->frame_left == 0;
    case WS_READ_TAIL:
        return true;
    case WS_READ_CONTROL:
        return reader->frame_left == 0;
    case WS_READ_HEAD:
    case WS_READ_CLOSED:
        break;
    }
    return false;
}

px_err ws_read(struct ws_reader *reader, px_str in, char *out, size_t room, size_t *out_used,
               struct ws_event *out_event)
{
    size_t used = 0;
    px_err err = PX_AGAIN;

    CHECK(room > 0);
    while (err == PX_AGAIN && (used < in.len || goes_on(reader))) {
        switch ((enum ws_reading)reader->state) {
        case WS_READ_HEAD:
            err = read_head(reader, in, &used, out_event);
            break;
        case WS_READ_DATA:
            err = reader->deflated ? read_deflated(reader, in, out, room, &used, out_event)
                                   : read_plain(reader, in, out, room, &used, out_event);
            break;
        case WS_READ_TAIL:
            err = read_tail(reader, out, room, out_event);
            break;
        case WS_READ_CONTROL:
            err = read_control(reader, in, &used, out_event);
            break;
        case WS_READ_CLOSED:
            used = in.len; /* what follows a Close frame is not looked at */
            break;
        }
    }
    ASSERT(used <= in.len);
    if (ASSERTS)
        ws_reader_check(reader);
    *out_used = used;
    return err;
}
