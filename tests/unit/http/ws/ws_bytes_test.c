/*
 * Masking and ASCII: every table against the plainest loop, at every length, offset and key phase,
 * with guard pages at both ends; and UTF-8 against a decoder that is written by the definition.
 */
#include "http/ws/ws_bytes.h"

#include <stdbool.h>
#include <string.h>

#include "http/ws/ws_utf8.h"
#include "lib/guard.h"
#include "lib/test.h"

enum { TABLES_MAX = 4, LENGTHS = 130 };

static size_t all_tables(const struct ws_bytes **tables)
{
    size_t count = ws_bytes_tables(tables, TABLES_MAX);
    bool has_best = false;

    assert_true(count >= 1);
    assert_int_equal(ws_bytes_tables(tables, 0), 0);
    for (size_t index = 0; index < count; index++)
        has_best |= tables[index] == ws_bytes_best();
    assert_true(has_best);
    return count;
}

static void every_table_masks_alike(void **state)
{
    static const uint8_t key[WS_MASK_BYTES] = {0x12, 0xff, 0x00, 0x9c};
    const struct ws_bytes *tables[TABLES_MAX];
    size_t count = all_tables(tables);
    struct guard guard;
    char plain[LENGTHS], out[LENGTHS];

    (void)state;
    guard_init(&guard, LENGTHS);
    for (size_t index = 0; index < LENGTHS; index++)
        plain[index] = (char)(index * 7);
    for (size_t table = 0; table < count; table++) {
        for (size_t len = 0; len < LENGTHS; len++) {
            for (int at_end = 0; at_end < 2; at_end++) {
                px_str text = px_str_make(plain, len);
                px_str in = at_end ? guard_at_end(&guard, text) : guard_at_start(&guard, text);

                memset(out, 0, sizeof(out));
                tables[table]->mask(out, in.ptr, len, key);
                for (size_t index = 0; index < LENGTHS; index++)
                    assert_int_equal((uint8_t)out[index],
                                     index < len ? (uint8_t)plain[index] ^ key[index % 4] : 0);
                /* In place, and back. */
                tables[table]->mask(out, out, len, key);
                assert_memory_equal(out, plain, len);
            }
        }
    }
    guard_deinit(&guard);
}

static void the_key_goes_on_behind_a_piece(void **state)
{
    (void)state;
    for (size_t cut = 0; cut <= 40; cut++) {
        uint8_t key[WS_MASK_BYTES] = {1, 2, 3, 4};
        uint8_t turned[WS_MASK_BYTES] = {1, 2, 3, 4};
        char whole[40], pieces[40], text[40];

        memset(text, 'x', sizeof(text));
        ws_bytes_best()->mask(whole, text, sizeof(text), key);
        ws_bytes_best()->mask(pieces, text, cut, turned);
        ws_mask_rotate(turned, cut);
        ws_bytes_best()->mask(pieces + cut, text + cut, sizeof(text) - cut, turned);
        assert_memory_equal(whole, pieces, sizeof(whole));
    }
}

static void every_table_finds_what_is_not_ascii(void **state)
{
    const struct ws_bytes *tables[TABLES_MAX];
    size_t count = all_tables(tables);
    struct guard guard;
    char text[LENGTHS];

    (void)state;
    guard_init(&guard, LENGTHS);
    for (size_t table = 0; table < count; table++) {
        for (size_t len = 0; len < LENGTHS; len++) {
            for (size_t place = 0; place <= len; place++) {
                memset(text, 'a', sizeof(text));
                if (place < len)
                    text[place] = (char)(place % 2 ? 0x80 : 0xff);
                px_str in = guard_at_end(&guard, px_str_make(text, len));

                assert_int_equal(tables[table]->ascii(in.ptr, 0, len), place);
                assert_int_equal(tables[table]->ascii(in.ptr, place / 2, len), place);
            }
        }
    }
    guard_deinit(&guard);
}

/* --- UTF-8 ------------------------------------------------------------------------------------ */

/* Decodes one character by the definition (RFC 3629 section 3); 0 bytes: it is none. */
static size_t character_bytes(px_str text)
{
    uint8_t first = (uint8_t)text.ptr[0];
    size_t len = first < 0x80   ? 1
                 : first < 0xc0 ? 0
                 : first < 0xe0 ? 2
                 : first < 0xf0 ? 3
                 : first < 0xf8 ? 4
                                : 0;
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t value = len == 1 ? first : first & (0x7fU >> len);

    if (len == 0 || len > text.len)
        return 0;
    for (size_t index = 1; index < len; index++) {
        if (((uint8_t)text.ptr[index] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | ((uint8_t)text.ptr[index] & 0x3f);
    }
    if (len > 1 && (value < least[len] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)))
        return 0;
    return len;
}

static bool text_valid(px_str text)
{
    while (text.len > 0) {
        size_t len = character_bytes(text);

        if (len == 0)
            return false;
        text = px_str_make(text.ptr + len, text.len - len);
    }
    return true;
}

static bool take_valid(px_str text, size_t cut)
{
    struct ws_utf8 utf8 = {0, 0, 0};

    return ws_utf8_take(&utf8, ws_bytes_best(), px_str_make(text.ptr, cut)) &&
           ws_utf8_take(&utf8, ws_bytes_best(), px_str_make(text.ptr + cut, text.len - cut)) &&
           ws_utf8_is_whole(&utf8);
}

/* All texts of one, two and three bytes, and of four by their ends. */
static void utf8_is_what_the_definition_says(void **state)
{
    static const uint8_t ends[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    char text[4];

    (void)state;
    for (uint32_t value = 0; value < 1U << 24; value += value < 1U << 16 ? 1 : 3) {
        text[0] = (char)(value >> 16);
        text[1] = (char)(value >> 8);
        text[2] = (char)value;
        for (size_t from = 0; from < 3; from++) {
            px_str piece = px_str_make(text + from, 3 - from);

            if (take_valid(piece, value % (piece.len + 1)) != text_valid(piece))
                fail_msg("%06x from %zu", value, from);
        }
    }
    for (uint32_t first = 0xf0; first < 0x100; first++) {
        for (uint32_t rest = 0; rest < 1000; rest++) {
            text[0] = (char)first;
            text[1] = (char)ends[rest % 10];
            text[2] = (char)ends[rest / 10 % 10];
            text[3] = (char)ends[rest / 100];
            for (size_t cut = 0; cut <= 4; cut++)
                assert_int_equal(take_valid(px_str_make(text, 4), cut),
                                 text_valid(px_str_make(text, 4)));
        }
    }
}

static void utf8_is_refused_with_the_byte_that_shows_it(void **state)
{
    struct ws_utf8 utf8 = {0, 0, 0};

    (void)state;
    assert_true(ws_utf8_take(&utf8, ws_bytes_best(), LITERAL("\xce\xba\xe1\xbd\xb9\xf4")));
    assert_false(ws_utf8_is_whole(&utf8));
    assert_false(ws_utf8_take(&utf8, ws_bytes_best(), LITERAL("\x90")));
    assert_true(ws_utf8_take(&utf8, ws_bytes_best(), LITERAL("\x8f\xbf\xbf")));
    assert_true(ws_utf8_is_whole(&utf8));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_masks_alike),
        cmocka_unit_test(the_key_goes_on_behind_a_piece),
        cmocka_unit_test(every_table_finds_what_is_not_ascii),
        cmocka_unit_test(utf8_is_what_the_definition_says),
        cmocka_unit_test(utf8_is_refused_with_the_byte_that_shows_it),
    };

    return cmocka_run_group_tests_name("ws_bytes", tests, NULL, NULL);
}
