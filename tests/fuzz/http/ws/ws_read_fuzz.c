/*
 * Frames of a WebSocket: whatever the bytes, the reader says the same in one piece and byte by
 * byte, with little room and with much, keeps to its limits, and never tells text that is not
 * UTF-8.
 *
 * The first byte of the input says at which end it is read, and whether permessage-deflate was
 * agreed.
 */
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "http/ws/ws_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { MESSAGE_BYTES_MAX = 4096, ROOM_MAX = 1024 };

/* What was told, as a number, and how it ended. */
struct told {
    uint64_t hash;
    uint64_t messages;
    uint16_t code;
    px_err err;
};

static void hash_bytes(struct told *told, px_str bytes)
{
    for (size_t index = 0; index < bytes.len; index++)
        told->hash = (told->hash ^ (uint8_t)bytes.ptr[index]) * 0x100000001b3U;
}

static void event_take(struct told *told, const struct ws_event *event, uint64_t *message_bytes,
                       struct ws_utf8 *utf8)
{
    switch (event->kind) {
    case WS_EVENT_BEGIN:
        *message_bytes = 0;
        *utf8 = (struct ws_utf8){0, 0, 0};
        break;
    case WS_EVENT_DATA:
        *message_bytes += event->bytes.len;
        CHECK(*message_bytes <= MESSAGE_BYTES_MAX);
        if (event->opcode == WS_TEXT) {
            CHECK(ws_utf8_take(utf8, &ws_bytes_plain, event->bytes));
            CHECK(!event->last || ws_utf8_is_whole(utf8));
        }
        hash_bytes(told, event->bytes);
        told->messages += event->last;
        break;
    case WS_EVENT_PING:
    case WS_EVENT_PONG:
        CHECK(event->bytes.len <= WS_CONTROL_BYTES_MAX);
        hash_bytes(told, event->bytes);
        break;
    case WS_EVENT_CLOSE:
        CHECK(event->code == WS_CODE_NONE || ws_code_is_sendable(event->code));
        told->code = event->code;
        hash_bytes(told, event->bytes);
        break;
    }
}

static struct told read_all(px_str in, uint8_t flags, size_t step, size_t room)
{
    static const struct ws_limits limits = {MESSAGE_BYTES_MAX, 16, 200};
    struct ws_inflate *inflate = ws_inflate_create(&alloc_libc, 9);
    struct told told = {.err = PX_AGAIN};
    struct ws_utf8 utf8 = {0, 0, 0};
    struct ws_reader reader;
    uint64_t message_bytes = 0;
    char out[ROOM_MAX];

    CHECK(inflate);
    ws_reader_init(&reader, flags & 1 ? WS_CLIENT : WS_SERVER, ws_bytes_best(), &limits,
                   (flags & 2) != 0);
    while (in.len > 0 && told.err == PX_AGAIN) {
        px_str piece = px_str_make(in.ptr, in.len < step ? in.len : step);

        in = px_str_make(in.ptr + piece.len, in.len - piece.len);
        do {
            struct ws_event event;
            size_t used = 0;

            told.err = ws_read(&reader, piece, out, room, &used, &event);
            CHECK(used <= piece.len);
            piece = px_str_make(piece.ptr + used, piece.len - used);
            if (told.err == PX_OK) {
                event_take(&told, &event, &message_bytes, &utf8);
                if (event.kind == WS_EVENT_BEGIN && event.deflated)
                    reader.inflate = inflate;
            }
        } while (told.err == PX_OK);
        CHECK(told.err != PX_AGAIN || piece.len == 0);
    }
    if (told.err != PX_AGAIN)
        told.code = reader.code;
    ws_inflate_destroy(inflate);
    return told;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 1)
        return 0;
    px_str in = px_str_make((const char *)data + 1, len - 1);
    struct told whole = read_all(in, data[0], in.len ? in.len : 1, ROOM_MAX);
    struct told bytes = read_all(in, data[0], 1, ROOM_MAX);
    struct told narrow = read_all(in, data[0], 7, 1);

    CHECK(whole.err == bytes.err && whole.code == bytes.code && whole.messages == bytes.messages);
    CHECK(whole.err == narrow.err && whole.code == narrow.code &&
          whole.messages == narrow.messages);
    /* What fails inside of a message has told less of it, or more. */
    if (whole.err == PX_AGAIN)
        CHECK(whole.hash == bytes.hash && whole.hash == narrow.hash);
    return 0;
}
