/*
 * Heads and Close frames: what is written is what is read, at every length that matters.
 */
#include "http/ws/ws_frame.h"

#include <string.h>

#include "lib/test.h"

static void heads_are_read_as_they_are_written(void **state)
{
    static const uint64_t lengths[] = {
        0, 1, 125, 126, 127, 65535, 65536, UINT32_MAX, (uint64_t)1 << 62};
    static const uint8_t key[WS_MASK_BYTES] = {9, 8, 7, 6};
    char out[WS_HEAD_BYTES_MAX];

    (void)state;
    for (size_t index = 0; index < sizeof(lengths) / sizeof(lengths[0]); index++) {
        for (int turn = 0; turn < 4; turn++) {
            bool masked = turn & 1, fin = turn & 2;
            size_t bytes =
                ws_head_write(out, WS_BINARY, fin, WS_RSV1, lengths[index], masked ? key : NULL);
            struct ws_head head;

            assert_true(bytes <= WS_HEAD_BYTES_MAX);
            for (size_t len = 0; len < bytes; len++)
                assert_int_equal(ws_head_take(px_str_make(out, len), &head), PX_AGAIN);
            assert_int_equal(ws_head_take(px_str_make(out, bytes), &head), PX_OK);
            assert_int_equal(head.bytes, bytes);
            assert_int_equal(head.length, lengths[index]);
            assert_int_equal(head.opcode, WS_BINARY);
            assert_int_equal(head.rsv, WS_RSV1);
            assert_int_equal(head.fin, fin);
            assert_int_equal(head.masked, masked);
            if (masked)
                assert_memory_equal(head.key, key, WS_MASK_BYTES);
        }
    }
}

static void codes_are_those_of_the_registry(void **state)
{
    uint32_t count = 0;

    (void)state;
    for (unsigned code = 0; code <= 0xffff; code++)
        count += ws_code_is_sendable(code);
    /* 1000 to 1003, 1007 to 1014, 3000 to 4999. */
    assert_int_equal(count, 4 + 8 + 2000);
    assert_false(ws_code_is_sendable(1004));
    assert_false(ws_code_is_sendable(1015));
    assert_true(ws_code_is_sendable(1014));
    assert_true(ws_code_is_sendable(3000));
}

static void reasons_are_cut_between_characters(void **state)
{
    char reason[200], out[WS_CONTROL_BYTES_MAX];
    px_str said;
    uint16_t code;

    (void)state;
    for (size_t shift = 0; shift < 4; shift++) {
        memset(reason, 'a', shift);
        for (size_t at = shift; at + 4 <= sizeof(reason); at += 4)
            memcpy(reason + at, "\xf0\x9f\x90\xbf", 4);
        size_t len = ws_close_write(out, 4000, px_str_make(reason, sizeof(reason) - 4));

        assert_true(len <= WS_CONTROL_BYTES_MAX && len > WS_CONTROL_BYTES_MAX - 5);
        assert_int_equal(ws_close_take(px_str_make(out, len), ws_bytes_best(), &code, &said),
                         PX_OK);
        assert_int_equal(code, 4000);
        assert_memory_equal(said.ptr, reason, said.len);
    }
    assert_int_equal(ws_close_write(out, WS_CODE_NONE, LITERAL("no")), 0);
    assert_int_equal(ws_close_write(out, WS_CODE_NORMAL, px_str_make(NULL, 0)), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_read_as_they_are_written),
        cmocka_unit_test(codes_are_those_of_the_registry),
        cmocka_unit_test(reasons_are_cut_between_characters),
    };

    return cmocka_run_group_tests_name("ws_frame", tests, NULL, NULL);
}
