/*
 * permessage-deflate: messages through both coders at every window, with and without takeover;
 * read from frames with little room at every split; limits, bombs, broken streams; and memory that
 * runs out at each N.
 */
#include "http/ws/ws_deflate.h"

#include <string.h>

#include "http/ws/ws_read.h"
#include "lib/fault_alloc.h"
#include "lib/splits.h"
#include "lib/test.h"

enum { MESSAGE_BYTES = 20000, MESSAGES = 6, OUT_BYTES = 64 * 1024 };

/* Text that repeats itself at a distance, with a little that does not. */
static void message_fill(char *message, uint32_t seed)
{
    for (uint32_t at = 0; at < MESSAGE_BYTES; at++) {
        seed = seed * 1664525 + 1013904223;
        message[at] = at > 600 && seed >> 28 != 0 ? message[at - 600] : (char)('a' + seed % 26);
    }
}

/* Inflates a whole message, its tail included; PX_OK or what failed. */
static px_err message_inflate(struct ws_inflate *inflate, px_str in, char *out, size_t step,
                              size_t *out_len)
{
    static const char tail[4] = {'\x00', '\x00', '\xff', '\xff'};
    size_t len = 0;

    for (int part = 0; part < 2; part++) {
        px_str left = part == 0 ? in : px_str_make(tail, sizeof(tail));
        size_t used, wrote;

        do {
            size_t room = OUT_BYTES - len < step ? OUT_BYTES - len : step;
            px_err err = ws_inflate_step(inflate, left, out + len, room, &used, &wrote);

            if (err != PX_OK)
                return err;
            left = px_str_make(left.ptr + used, left.len - used);
            len += wrote;
            if (wrote < room && left.len == 0)
                break;
        } while (true);
    }
    *out_len = len;
    return PX_OK;
}

static void every_window_carries_messages(void **state)
{
    static char message[MESSAGE_BYTES], back[OUT_BYTES];

    (void)state;
    for (unsigned bits = WS_WINDOW_BITS_MIN; bits <= WS_WINDOW_BITS_MAX; bits++) {
        for (int takeover = 0; takeover < 2; takeover++) {
            struct ws_deflate *deflate = ws_deflate_create(&alloc_libc, 5, bits);
            struct ws_inflate *inflate = ws_inflate_create(&alloc_libc, bits);
            struct buf out;

            buf_init(&out, &alloc_libc, OUT_BYTES);
            for (uint32_t turn = 0; turn < MESSAGES; turn++) {
                size_t bytes = turn == 0 ? 0 : turn == 1 ? 1 : MESSAGE_BYTES, len = 0;

                message_fill(message, turn / 3);
                out.len = 0;
                assert_int_equal(ws_deflate_message(deflate, px_str_make(message, bytes), &out),
                                 PX_OK);
                assert_int_equal(
                    message_inflate(inflate, buf_str(&out), back, 1 + turn * 999, &len), PX_OK);
                assert_int_equal(len, bytes);
                assert_memory_equal(back, message, bytes);
                if (!takeover) {
                    ws_deflate_reset(deflate);
                    ws_inflate_reset(inflate);
                }
            }
            buf_deinit(&out);
            ws_inflate_destroy(inflate);
            ws_deflate_destroy(deflate);
        }
    }
}

/* RFC 7692 section 7.2.3: the examples, in one frame each, and what they say. */
static const struct {
    const char *name;
    px_str frames;
    const char *says;
} examples[] = {
    {"7.2.3.1 one block", {"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00", 9}, "Hello"},
    {"7.2.3.1 in two frames", {"\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00", 11}, "Hello"},
    {"7.2.3.2 sharing a window",
     {"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00", 16},
     "HelloHello"},
    {"7.2.3.3 without compression",
     {"\xc1\x0b\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", 13},
     "Hello"},
    {"7.2.3.4 a last block", {"\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 10}, "Hello"},
    {"7.2.3.5 two blocks",
     {"\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", 15},
     "Hello"},
    {"7.2.3.6 an empty message", {"\xc1\x01\x00", 3}, ""},
    {"no bytes, and on",
     {"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x00\xc1\x05\xf2\x00\x11\x00\x00", 18},
     "HelloHello"},
    {"a last block with nothing behind, and on",
     {"\xc1\x07\xf3\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00", 16},
     "HelloHello"},
    {"a ping in between", {"\x41\x03\xf2\x48\xcd\x89\x00\x80\x04\xc9\xc9\x07\x00", 13}, "Hello"},
    {"not deflated after all", {"\x81\x05Hello", 7}, "Hello"},
};

struct wire {
    struct ws_reader reader;
    struct ws_inflate *inflate;
    size_t room;
    const char *says;
    char told[OUT_BYTES];
    size_t told_len;
    uint32_t ratio_max;
    px_err err;
};

static void wire_begin(void *context)
{
    struct wire *wire = context;
    struct ws_limits limits = {
        .message_bytes_max = 50000, .fragments_max = 4, .ratio_max = wire->ratio_max};

    ws_reader_init(&wire->reader, WS_CLIENT, ws_bytes_best(), &limits, true);
    ws_inflate_reset(wire->inflate);
    wire->told_len = 0;
    wire->err = PX_AGAIN;
}

static size_t wire_feed(px_str bytes, void *context)
{
    struct wire *wire = context;
    struct ws_event event;
    char out[512];
    size_t all = 0, used;

    if (wire->err != PX_AGAIN)
        return bytes.len;
    do {
        wire->err = ws_read(&wire->reader, px_str_make(bytes.ptr + all, bytes.len - all), out,
                            wire->room, &used, &event);
        all += used;
        if (wire->err == PX_OK && event.kind == WS_EVENT_BEGIN)
            wire->reader.inflate = wire->inflate;
        if (wire->err == PX_OK && event.kind == WS_EVENT_DATA) {
            memcpy(wire->told + wire->told_len, event.bytes.ptr, event.bytes.len);
            wire->told_len += event.bytes.len;
        }
    } while (wire->err == PX_OK);
    return wire->err == PX_AGAIN ? all : bytes.len;
}

static void wire_end(size_t left, const char *split, void *context)
{
    struct wire *wire = context;

    (void)split;
    assert_int_equal(left, 0);
    assert_int_equal(wire->err, PX_AGAIN);
    assert_str_equal(px_str_make(wire->told, wire->told_len), px_str_of(wire->says));
}

static void the_examples_are_read_at_every_split(void **state)
{
    static struct wire wire;
    struct split_reader reader = {wire_begin, wire_feed, wire_end, &wire};

    (void)state;
    wire.inflate = ws_inflate_create(&alloc_libc, WS_WINDOW_BITS_MAX);
    for (size_t index = 0; index < sizeof(examples) / sizeof(examples[0]); index++) {
        for (wire.room = 1; wire.room <= 8; wire.room++) {
            wire.says = examples[index].says;
            splits_each(examples[index].frames, &reader);
        }
    }
    ws_inflate_destroy(wire.inflate);
}

/* A message of `bytes` zeros, in one frame. */
static void zeros_send(struct wire *wire, size_t bytes)
{
    static char zeros[1 << 20];
    struct ws_deflate *deflate = ws_deflate_create(&alloc_libc, 9, WS_WINDOW_BITS_MAX);
    char head[WS_HEAD_BYTES_MAX];
    struct buf out;

    buf_init(&out, &alloc_libc, OUT_BYTES);
    assert_int_equal(ws_deflate_message(deflate, px_str_make(zeros, bytes), &out), PX_OK);
    wire_begin(wire);
    wire_feed(px_str_make(head, ws_head_write(head, WS_BINARY, true, WS_RSV1, out.len, NULL)),
              wire);
    wire_feed(buf_str(&out), wire);
    buf_deinit(&out);
    ws_deflate_destroy(deflate);
}

static void what_is_inflated_has_the_messages_limit(void **state)
{
    static struct wire wire;

    (void)state;
    wire.inflate = ws_inflate_create(&alloc_libc, WS_WINDOW_BITS_MAX);
    wire.room = 512;
    zeros_send(&wire, 50000);
    assert_int_equal(wire.err, PX_AGAIN);
    assert_int_equal(wire.told_len, 50000);
    zeros_send(&wire, 1 << 20); /* a kilobyte that says a megabyte */
    assert_int_equal(wire.err, PX_ERR_LIMIT);
    assert_int_equal(wire.reader.code, WS_CODE_TOO_BIG);
    assert_true(wire.told_len <= 50000);
    ws_inflate_destroy(wire.inflate);
}

static void a_ratio_can_be_asked_for(void **state)
{
    static struct wire wire;
    static char message[MESSAGE_BYTES];

    (void)state;
    wire.inflate = ws_inflate_create(&alloc_libc, WS_WINDOW_BITS_MAX);
    wire.room = 512;
    wire.ratio_max = 100;
    zeros_send(&wire, 50000); /* below WS_RATIO_BYTES */
    assert_int_equal(wire.err, PX_AGAIN);
    wire_begin(&wire);
    wire.reader.limits.message_bytes_max = 1 << 20;
    message_fill(message, 1);
    struct ws_limits wide = {.message_bytes_max = 1 << 20, .fragments_max = 1, .ratio_max = 100};

    ws_reader_init(&wire.reader, WS_CLIENT, ws_bytes_best(), &wide, true);
    struct ws_deflate *deflate = ws_deflate_create(&alloc_libc, 9, WS_WINDOW_BITS_MAX);
    static char zeros[200000];
    char head[WS_HEAD_BYTES_MAX], out[512];
    struct buf buf;
    struct ws_event event;
    size_t used;
    px_err err;

    buf_init(&buf, &alloc_libc, OUT_BYTES);
    assert_int_equal(ws_deflate_message(deflate, px_str_make(zeros, sizeof(zeros)), &buf), PX_OK);
    ws_inflate_reset(wire.inflate);
    px_str in = px_str_make(head, ws_head_write(head, WS_BINARY, true, WS_RSV1, buf.len, NULL));

    assert_int_equal(ws_read(&wire.reader, in, out, sizeof(out), &used, &event), PX_OK);
    wire.reader.inflate = wire.inflate;
    in = buf_str(&buf);
    do {
        err = ws_read(&wire.reader, in, out, sizeof(out), &used, &event);
        in = px_str_make(in.ptr + used, in.len - used);
    } while (err == PX_OK);
    assert_int_equal(err, PX_ERR_LIMIT);
    assert_int_equal(wire.reader.code, WS_CODE_TOO_BIG);
    buf_deinit(&buf);
    ws_deflate_destroy(deflate);
    ws_inflate_destroy(wire.inflate);
}

static void what_is_no_deflate_is_refused(void **state)
{
    static struct wire wire;
    static const px_str broken[] = {
        {"\xc1\x02\xff\xff", 4},         /* a block of a kind that there is not */
        {"\xc2\x04\x00\x05\x00\x00", 6}, /* a length and its complement */
        {"\xc1\x03\xf2\x48\xff", 5},     /* a distance beyond what there is, or less */
        {"\xc1\x08\x00\x02\x00\xfd\xff\xc3\x28\x00", 10}, /* inflated, but not UTF-8 */
        {"\xc1\x07\x00\x05\x00\xfa\xff\x48\x65", 9},      /* a block that was cut */
        {"\xc1\x05\xf2\x48\xcd\xc9\xc9", 7},              /* likewise */
    };

    (void)state;
    wire.inflate = ws_inflate_create(&alloc_libc, WS_WINDOW_BITS_MAX);
    wire.room = 512;
    for (size_t index = 0; index < sizeof(broken) / sizeof(broken[0]); index++) {
        wire_begin(&wire);
        wire_feed(broken[index], &wire);
        assert_int_equal(wire.err, PX_ERR_MALFORMED);
        assert_int_equal(wire.reader.code, WS_CODE_DATA);
    }
    /* RFC 7692 section 6: RSV1 behind the first frame, or on a control frame. */
    wire_begin(&wire);
    wire_feed(LITERAL("\x41\x03\xf2\x48\xcd\xc0\x04\xc9\xc9\x07\x00"), &wire);
    assert_int_equal(wire.reader.code, WS_CODE_PROTOCOL);
    wire_begin(&wire);
    wire_feed(LITERAL("\xc9\x00"), &wire);
    assert_int_equal(wire.reader.code, WS_CODE_PROTOCOL);
    ws_inflate_destroy(wire.inflate);
}

static void build(const px_allocator *allocator, void *context)
{
    struct ws_deflate *deflate = ws_deflate_create(allocator, 5, 12);
    struct ws_inflate *inflate = ws_inflate_create(allocator, 12);
    static char message[MESSAGE_BYTES], back[OUT_BYTES];
    struct buf out;
    size_t len;

    (void)context;
    buf_init(&out, allocator, OUT_BYTES);
    message_fill(message, 1);
    if (deflate && inflate &&
        ws_deflate_message(deflate, px_str_make(message, MESSAGE_BYTES), &out) == PX_OK) {
        px_err err = message_inflate(inflate, buf_str(&out), back, OUT_BYTES, &len);

        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
    }
    buf_deinit(&out);
    ws_inflate_destroy(inflate);
    ws_deflate_destroy(deflate);
}

static void memory_may_run_out_anywhere(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("ws_deflate", build, NULL) >= 6);
}

/* What is taken from the budget beforehand is what is allocated, at most. */
struct counted {
    size_t bytes;
};

static void *counted_allocate(size_t bytes, void *context)
{
    ((struct counted *)context)->bytes += bytes;
    return alloc_libc.allocate(bytes, NULL);
}

static void *counted_resize(void *ptr, size_t bytes, void *context)
{
    (void)context;
    return alloc_libc.resize(ptr, bytes, NULL);
}

static void counted_release(void *ptr, void *context)
{
    (void)context;
    alloc_libc.release(ptr, NULL);
}

static void coders_take_what_they_say(void **state)
{
    static char back[OUT_BYTES];

    (void)state;
    for (unsigned bits = WS_WINDOW_BITS_MIN; bits <= WS_WINDOW_BITS_MAX; bits++) {
        struct counted counted = {0};
        px_allocator allocator = {counted_allocate, counted_resize, counted_release, &counted};
        struct ws_deflate *deflate = ws_deflate_create(&allocator, 5, bits);
        size_t len, deflate_bytes = counted.bytes;

        assert_in_range(deflate_bytes, ws_deflate_bytes(bits) / 2, ws_deflate_bytes(bits));
        counted.bytes = 0;
        struct ws_inflate *inflate = ws_inflate_create(&allocator, bits);

        assert_int_equal(message_inflate(inflate, LITERAL("\xf2\x48\xcd\xc9\xc9\x07\x00"), back,
                                         OUT_BYTES, &len),
                         PX_OK);
        assert_in_range(counted.bytes, ws_inflate_bytes(bits) / 2, ws_inflate_bytes(bits));
        ws_inflate_destroy(inflate);
        ws_deflate_destroy(deflate);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_window_carries_messages),
        cmocka_unit_test(the_examples_are_read_at_every_split),
        cmocka_unit_test(what_is_inflated_has_the_messages_limit),
        cmocka_unit_test(a_ratio_can_be_asked_for),
        cmocka_unit_test(what_is_no_deflate_is_refused),
        cmocka_unit_test(memory_may_run_out_anywhere),
        cmocka_unit_test(coders_take_what_they_say),
    };

    return cmocka_run_group_tests_name("ws_deflate", tests, NULL, NULL);
}
