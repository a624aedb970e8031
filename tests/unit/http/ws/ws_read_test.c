/*
 * The reader: what each sequence of frames says, however it is cut, with small room and with much,
 * at both ends of the wire; and everything that no frame may say, with the code of its Close.
 *
 * A case is written as hexadecimal of unmasked frames; for the server's side each frame is masked
 * before it is shown.
 */
#include "http/ws/ws_read.h"

#include <string.h>

#include "base/alloc.h"
#include "lib/splits.h"
#include "lib/test.h"

enum { TEXT_MAX = 4096, WIRE_MAX = 16 * 1024, CASE_COUNT = 71 };

struct read_case {
    const char *name;
    const char *frames; /* hexadecimal, blanks are skipped; "*N xx": N times that byte */
    const char *says;   /* what is told */
};

/* Limits of every case: 1,000 bytes a message, 4 frames. */
static const struct read_case cases[] = {
    {"5.7 a single text frame", "81 05 48656c6c6f", "text Hello."},
    {"5.7 a fragmented text", "01 03 48656c 80 02 6c6f", "text Hello."},
    {"5.7 a ping", "89 05 48656c6c6f", "ping Hello."},
    {"5.7 a pong", "8a 05 48656c6c6f", "pong Hello."},
    {"5.2 256 bytes", "82 7e 0100 *256 61", "binary 256 of a."},
    {"5.2 126 bytes", "82 7e 007e *126 61", "binary 126 of a."},
    {"5.2 125 bytes", "82 7d *125 61", "binary 125 of a."},
    {"an empty text", "81 00", "text ."},
    {"an empty binary in two", "02 00 80 00", "binary ."},
    {"empty fragments around", "01 00 00 02 6869 80 00", "text hi."},
    {"5.4 a ping inside of a message", "01 02 4865 89 01 78 80 03 6c6c6f", "ping x.text Hello."},
    {"5.4 a pong inside of a message", "01 02 4865 8a 00 80 03 6c6c6f", "pong .text Hello."},
    {"5.4 a close inside of a message", "01 02 4865 88 02 03e8", "close 1000 ."},
    {"two messages", "81 01 61 82 01 62", "text a.binary b."},
    {"a control frame of 125", "89 7d *125 61", "ping 125 of a."},
    {"an empty ping", "89 00", "ping ."},
    {"5.5.1 a close without a code", "88 00", "close 1005 ."},
    {"5.5.1 a close with a code", "88 02 03e8", "close 1000 ."},
    {"5.5.1 a close with a reason", "88 05 03e9 627965", "close 1001 bye."},
    {"7.4.1 1003", "88 02 03eb", "close 1003 ."},
    {"7.4.1 1007", "88 02 03ef", "close 1007 ."},
    {"7.4.1 1011", "88 02 03f3", "close 1011 ."},
    {"registry 1012", "88 02 03f4", "close 1012 ."},
    {"registry 1013", "88 02 03f5", "close 1013 ."},
    {"registry 1014", "88 02 03f6", "close 1014 ."},
    {"7.4.2 3000", "88 02 0bb8", "close 3000 ."},
    {"7.4.2 4999", "88 02 1387", "close 4999 ."},
    {"what follows a close is not read", "88 02 03e8 ffff", "close 1000 ."},
    {"a reason of 123", "88 7d 03e8 *123 61", "close 1000 123 of a."},
    {"7.4.2 999", "88 02 03e7", "1002"},
    {"7.4.2 0", "88 02 0000", "1002"},
    {"7.4.1 1004", "88 02 03ec", "1002"},
    {"7.4.1 1005", "88 02 03ed", "1002"},
    {"7.4.1 1006", "88 02 03ee", "1002"},
    {"7.4.1 1015", "88 02 03f7", "1002"},
    {"7.4.2 1016", "88 02 03f8", "1002"},
    {"7.4.2 2999", "88 02 0bb7", "1002"},
    {"7.4.2 5000", "88 02 1388", "1002"},
    {"7.4.2 65535", "88 02 ffff", "1002"},
    {"5.5.1 a close with one byte", "88 01 03", "1002"},
    {"5.5.1 a reason that is not UTF-8", "88 04 03e8 c328", "1007"},
    {"5.5.1 a reason cut in a character", "88 03 03e8 c3", "1007"},
    {"5.5 a ping of 126", "89 7e 007e", "1002"},
    {"5.5 a ping with a length of 64 bits", "89 7f 0000000000000001", "1002"},
    {"5.5 a fragmented ping", "09 01 61", "1002"},
    {"5.5 a fragmented close", "08 02 03e8", "1002"},
    {"5.2 opcode 3", "83 00", "1002"},
    {"5.2 opcode 7", "87 00", "1002"},
    {"5.2 opcode 11", "8b 00", "1002"},
    {"5.2 opcode 15", "8f 00", "1002"},
    {"5.2 RSV1 without an extension", "c1 01 61", "1002"},
    {"5.2 RSV2", "a1 01 61", "1002"},
    {"5.2 RSV3", "91 01 61", "1002"},
    {"5.2 RSV1 on a ping", "c9 00", "1002"},
    {"5.2 RSV2 on a close", "a8 00", "1002"},
    {"5.2 a length of 16 bits that is not needed", "82 7e 007d", "1002"},
    {"5.2 a length of 64 bits that is not needed", "82 7f 000000000000ffff", "1002"},
    {"5.2 a length of 64 bits for nothing", "82 7f 0000000000000000", "1002"},
    {"5.2 the highest bit of a length", "82 7f 8000000000000000", "1002"},
    {"5.4 a continuation of nothing", "80 01 61", "1002"},
    {"5.4 a continuation behind a whole message", "81 01 61 80 01 61", "text a.1002"},
    {"5.4 a message inside of a message", "01 01 61 81 01 61", "1002"},
    {"8.1 text that is not UTF-8", "81 02 c328", "1007"},
    {"8.1 text that ends in a character", "81 02 61c3", "1007"},
    {"8.1 a character cut by fragments", "01 01 c3 80 01 a9", "text \xc3\xa9."},
    {"8.1 a character that goes on wrongly", "01 01 c3 80 01 28", "1007"},
    {"8.1 a surrogate", "81 03 eda080", "1007"},
    {"a message at the limit", "82 7e 03e8 *1000 61", "binary 1000 of a."},
    {"a message above the limit", "82 7e 03e9", "1009"},
    {"fragments above the limit", "02 7e 01f4 *500 61 80 7e 01f5", "1009"},
    {"too many fragments", "02 00 00 00 00 00 00 00 00 00", "1009"},
};

_Static_assert(sizeof(cases) / sizeof(cases[0]) == CASE_COUNT, "cases are counted");

static const struct ws_limits limits = {.message_bytes_max = 1000, .fragments_max = 4};

/* --- The wire --------------------------------------------------------------------------------- */

static unsigned digit(char hex)
{
    return (unsigned)(hex <= '9' ? hex - '0' : hex - 'a' + 10);
}

static size_t hex_read(const char *hex, char *out)
{
    size_t len = 0, times = 1;

    while (*hex) {
        if (*hex == ' ') {
            hex++;
        } else if (*hex == '*') {
            for (times = 0, hex++; *hex != ' '; hex++)
                times = times * 10 + digit(*hex);
        } else {
            for (; times > 0; times--)
                out[len++] = (char)(digit(hex[0]) << 4 | digit(hex[1]));
            times = 1;
            hex += 2;
        }
    }
    return len;
}

/* Masks each frame of `plain`, with a key of its own; what is no frame stays as it is. */
static size_t frames_mask(const char *plain, size_t len, char *out)
{
    size_t at = 0, to = 0;

    for (uint8_t turn = 1; len - at >= 2; turn++) {
        const uint8_t key[WS_MASK_BYTES] = {turn, (uint8_t)(turn * 37), 0xa5, (uint8_t)~turn};
        uint64_t length = (uint8_t)plain[at + 1] & 0x7f;
        size_t head = length == 126 ? 4 : length == 127 ? 10 : 2;

        if (head > len - at)
            break;
        if (head > 2) {
            length = 0;
            for (size_t index = 2; index < head; index++)
                length = length << 8 | (uint8_t)plain[at + index];
        }
        memcpy(out + to, plain + at, head);
        out[to + 1] = (char)(out[to + 1] | 0x80);
        memcpy(out + to + head, key, WS_MASK_BYTES);
        to += head + WS_MASK_BYTES;
        at += head;
        size_t there = length < len - at ? (size_t)length : len - at;

        ws_bytes_plain.mask(out + to, plain + at, there, key);
        to += there;
        at += there;
    }
    memcpy(out + to, plain + at, len - at);
    return to + len - at;
}

/* --- What is told ----------------------------------------------------------------------------- */

struct listener {
    struct ws_reader reader;
    enum ws_role role;
    size_t room;
    const char *says;
    char message[TEXT_MAX];
    size_t message_len;
    char told[TEXT_MAX];
    size_t told_len;
    bool failed;
};

static void tell(struct listener *listener, const char *what, px_str bytes)
{
    bool same = bytes.len > 20;

    for (size_t index = 0; index < bytes.len; index++)
        same &= bytes.ptr[index] == bytes.ptr[0];
    char *at = listener->told + listener->told_len;
    size_t room = sizeof(listener->told) - listener->told_len;
    int len = same ? snprintf(at, room, "%s %zu of %c.", what, bytes.len, bytes.ptr[0])
                   : snprintf(at, room, "%s %.*s.", what, (int)bytes.len, bytes.ptr);

    assert_true(len > 0 && (size_t)len < room);
    listener->told_len += (size_t)len;
}

static void event_take(struct listener *listener, const struct ws_event *event)
{
    char close[16];

    switch (event->kind) {
    case WS_EVENT_BEGIN:
        listener->message_len = 0;
        break;
    case WS_EVENT_DATA:
        memcpy(listener->message + listener->message_len, event->bytes.ptr, event->bytes.len);
        listener->message_len += event->bytes.len;
        if (event->last)
            tell(listener, event->opcode == WS_TEXT ? "text" : "binary",
                 px_str_make(listener->message, listener->message_len));
        break;
    case WS_EVENT_PING:
        tell(listener, "ping", event->bytes);
        break;
    case WS_EVENT_PONG:
        tell(listener, "pong", event->bytes);
        break;
    case WS_EVENT_CLOSE:
        snprintf(close, sizeof(close), "close %u", event->code);
        tell(listener, close, event->bytes);
        break;
    }
}

static void listener_begin(void *context)
{
    struct listener *listener = context;

    ws_reader_init(&listener->reader, listener->role, ws_bytes_best(), &limits, false);
    listener->message_len = 0;
    listener->told_len = 0;
    listener->told[0] = '\0';
    listener->failed = false;
}

static size_t listener_feed(px_str bytes, void *context)
{
    struct listener *listener = context;
    char out[TEXT_MAX];
    size_t all = 0;

    while (!listener->failed) {
        struct ws_event event;
        size_t used = 0;
        px_err err = ws_read(&listener->reader, px_str_make(bytes.ptr + all, bytes.len - all), out,
                             listener->room, &used, &event);

        all += used;
        if (err == PX_AGAIN)
            break;
        if (err == PX_OK) {
            event_take(listener, &event);
            continue;
        }
        listener->failed = true;
        listener->told_len +=
            (size_t)snprintf(listener->told + listener->told_len, 8, "%u", listener->reader.code);
    }
    return listener->failed ? bytes.len : all;
}

static void listener_end(size_t left, const char *split, void *context)
{
    struct listener *listener = context;

    assert_int_equal(left, 0);
    if (strcmp(listener->told, listener->says) != 0)
        fail_msg("%s: told \"%s\", expected \"%s\"", split, listener->told, listener->says);
}

static void every_case_holds_at_every_split(void **state)
{
    static const size_t rooms[] = {1, 7, TEXT_MAX};
    static struct listener listener;
    char plain[WIRE_MAX], masked[WIRE_MAX];

    (void)state;
    for (size_t index = 0; index < CASE_COUNT; index++) {
        size_t len = hex_read(cases[index].frames, plain);
        size_t masked_len = frames_mask(plain, len, masked);

        for (size_t room = 0; room < 3; room++) {
            struct split_reader reader = {listener_begin, listener_feed, listener_end, &listener};

            listener.room = rooms[room];
            listener.says = cases[index].says;
            listener.role = WS_CLIENT;
            splits_each(px_str_make(plain, len), &reader);
            listener.role = WS_SERVER;
            splits_each(px_str_make(masked, masked_len), &reader);
        }
    }
}

/* RFC 6455 section 5.1. */
static void masks_belong_to_clients_alone(void **state)
{
    static const char *const wires[2] = {"81 01 61", "81 81 00000000 61"};
    static struct listener listener;
    char wire[WIRE_MAX];

    (void)state;
    for (size_t index = 0; index < 2; index++) {
        listener.room = TEXT_MAX;
        listener.role = index == 0 ? WS_SERVER : WS_CLIENT;
        listener.says = "1002";
        listener_begin(&listener);
        listener_feed(px_str_make(wire, hex_read(wires[index], wire)), &listener);
        listener_end(0, wires[index], &listener);
    }
}

/* What is wrong is said with the byte that shows it: nothing more has to come. */
static void faults_are_told_early(void **state)
{
    struct {
        const char *wire;
        uint16_t code;
    } early[] = {
        {"83 00", 1002},                /* before the key */
        {"81 fe 000a", 1002},           /* a length that is not minimal */
        {"81 84 00000000 61c328", 1007} /* the third byte of four */
    };
    char wire[WIRE_MAX], out[64];

    (void)state;
    for (size_t index = 0; index < sizeof(early) / sizeof(early[0]); index++) {
        px_str in = px_str_make(wire, hex_read(early[index].wire, wire));
        struct ws_reader reader;
        struct ws_event event;
        px_err err;

        ws_reader_init(&reader, WS_SERVER, ws_bytes_best(), &limits, false);
        do {
            size_t used;

            err = ws_read(&reader, in, out, sizeof(out), &used, &event);
            in = px_str_make(in.ptr + used, in.len - used);
        } while (err == PX_OK);
        assert_int_equal(err, PX_ERR_MALFORMED);
        assert_int_equal(reader.code, early[index].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_holds_at_every_split),
        cmocka_unit_test(masks_belong_to_clients_alone),
        cmocka_unit_test(faults_are_told_early),
    };

    return cmocka_run_group_tests_name("ws_read", tests, NULL, NULL);
}
