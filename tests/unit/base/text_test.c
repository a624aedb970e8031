/*
 * Text into a fixed room: every room from none to enough, numbers, and UTF-8.
 */
#include "lib/test.h"

#include "base/check.h"
#include "base/text.h"
#include "lib/guard.h"

static void write_all(struct text *text)
{
    text_put(text, LITERAL("one"));
    text_put_byte(text, ' ');
    text_put_number(text, 22);
    text_put(text, px_str_of(NULL));
    text_put_words(text, " three");
}

/* What fits is written, piece by piece; nothing follows what did not. */
static void room_is_kept(void **state)
{
    static const char whole[] = "one 22 three";
    static const size_t pieces[] = {0, 3, 4, 6, 12};
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t room = 0; room <= sizeof(whole) + 1; room++) {
        struct text text;
        size_t len = 0;

        for (size_t index = 0; index < ARRAY_COUNT(pieces); index++)
            len = pieces[index] <= room ? pieces[index] : len;
        text_init(&text, guard.ptr + guard.bytes - room, room);
        write_all(&text);
        assert_str_equal(text_str(&text), px_str_make(whole, len));
        assert_int_equal(text.cut, room < 12);
    }
    guard_deinit(&guard);
}

static void nothing_follows_what_was_cut(void **state)
{
    char room[4];
    struct text text;

    (void)state;
    text_init(&text, room, sizeof(room));
    text_put(&text, LITERAL("abc"));
    text_put(&text, LITERAL("de"));
    text_put(&text, LITERAL("f"));
    assert_str_equal(text_str(&text), LITERAL("abc"));
    assert_true(text.cut);
}

static void numbers_are_decimal(void **state)
{
    static const struct {
        uint64_t number;
        const char *text;
    } cases[] = {{0, "0"},
                 {9, "9"},
                 {10, "10"},
                 {1234567890, "1234567890"},
                 {UINT64_MAX, "18446744073709551615"}};
    char out[TEXT_NUMBER_BYTES];

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        char *end = text_write_number(out, cases[index].number);

        assert_str_equal(px_str_make(out, (size_t)(end - out)), px_str_of(cases[index].text));
    }
}

/* The same a byte at a time: the length of the first character, or 0. */
static size_t steps_of(px_str bytes)
{
    struct text_utf8 utf8 = {0};

    for (size_t at = 0; at < bytes.len; at++) {
        if (!text_utf8_step(&utf8, (uint8_t)bytes.ptr[at]))
            return 0;
        if (utf8.left == 0)
            return at + 1;
    }
    return 0;
}

static void utf8_is_strict(void **state)
{
    static const struct {
        px_str bytes;
        size_t len;
        uint32_t code;
    } cases[] = {
        {{"a", 1}, 1, 'a'},
        {{"\x7f", 1}, 1, 0x7f},
        {{"\xc2\x80", 2}, 2, 0x80},
        {{"\xdf\xbf", 2}, 2, 0x7ff},
        {{"\xe0\xa0\x80", 3}, 3, 0x800},
        {{"\xef\xbf\xbf", 3}, 3, 0xffff},
        {{"\xf0\x90\x80\x80", 4}, 4, 0x10000},
        {{"\xf4\x8f\xbf\xbf", 4}, 4, 0x10ffff},
        {{"\x80", 1}, 0, 0},             /* a continuation alone */
        {{"\xc0\xaf", 2}, 0, 0},         /* overlong */
        {{"\xc1\xbf", 2}, 0, 0},         /* likewise */
        {{"\xe0\x9f\xbf", 3}, 0, 0},     /* likewise */
        {{"\xf0\x8f\xbf\xbf", 4}, 0, 0}, /* likewise */
        {{"\xed\xa0\x80", 3}, 0, 0},     /* a surrogate */
        {{"\xf4\x90\x80\x80", 4}, 0, 0}, /* above the last code */
        {{"\xf5\x80\x80\x80", 4}, 0, 0}, /* likewise */
        {{"\xff", 1}, 0, 0},
        {{"\xc3", 1}, 0, 0},     /* cut short */
        {{"\xe2\x82", 2}, 0, 0}, /* likewise */
        {{"\xc3(", 2}, 0, 0},
    };
    struct guard guard;

    (void)state;
    assert_int_equal(ARRAY_COUNT(cases), 20);
    guard_init(&guard, 4096);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        uint32_t code = 0;
        px_str bytes = guard_at_end(&guard, cases[index].bytes);

        assert_int_equal(text_utf8_len(bytes, &code), cases[index].len);
        assert_int_equal(code, cases[index].code);
        assert_int_equal(steps_of(bytes), cases[index].len);
    }
    guard_deinit(&guard);
}

static void escaped_is(const char *from, size_t len, enum text_escape escape, const char *to)
{
    char room[64 * TEXT_ESCAPE_FACTOR], small[64 * TEXT_ESCAPE_FACTOR];
    const char *end = text_write_escaped(room, px_str_make(from, len), escape);
    struct text text;

    assert_true(len <= 64);
    assert_str_equal(px_str_make(room, (size_t)(end - room)), px_str_of(to));
    /* With each room, what fits of it is there and no half of an escape. */
    for (size_t most = 0; most <= strlen(to); most++) {
        text_init(&text, small, most);
        text_put_escaped(&text, px_str_make(from, len), escape);
        assert_memory_equal(small, to, text.len);
        assert_int_equal(text.cut, most < strlen(to));
        assert_true(text.len + TEXT_ESCAPE_FACTOR > most);
        char next = text.len < strlen(to) ? to[text.len] : '\0';

        assert_true(text.len == 0 || small[text.len - 1] != '\\' || next == '\\' ||
                    escape == TEXT_HEAD || escape == TEXT_LINE);
    }
}

static void peers_bytes_are_escaped(void **state)
{
    static const char sent[] = "a\"\\\r\n\x1b[1m\x7f\xc2\x9b\xc3\xa4\xff\xe2\x82";

    (void)state;
    escaped_is(sent, sizeof(sent) - 1, TEXT_QUOTED,
               "a\\x22\\x5C\\x0D\\x0A\\x1B[1m\\x7F\\xC2\\x9B\\xC3\\xA4\\xFF\\xE2\\x82");
    escaped_is(sent, sizeof(sent) - 1, TEXT_HEAD,
               "a\"\\\r\n\\x1B[1m\\x7F\\xC2\\x9B\\xC3\\xA4\\xFF\\xE2\\x82");
    escaped_is(sent, sizeof(sent) - 1, TEXT_JSON,
               "a\\\"\\\\\\u000D\\u000A\\u001B[1m\\u007F\\u00C2\\u009B\\u00C3\\u00A4\\u00FF"
               "\\u00E2\\u0082");
    escaped_is(sent, sizeof(sent) - 1, TEXT_LINE,
               "a\"\\\\x0D\\x0A\\x1B[1m\\x7F\\xC2\\x9B\xc3\xa4\\xFF\\xE2\\x82");
}

/* Eight at a time says the same as one at a time, wherever the one is that is escaped. */
static void each_byte_is_escaped_at_each_place(void **state)
{
    (void)state;
    for (int escape = TEXT_QUOTED; escape <= TEXT_LINE; escape++) {
        for (int byte = 0; byte < 256; byte++) {
            char one[TEXT_ESCAPE_FACTOR], expected[32];
            char given = (char)byte;
            size_t len = (size_t)(text_write_escaped(one, px_str_make(&given, 1), escape) - one);

            for (size_t bytes = 1; bytes <= 20; bytes++) {
                for (size_t at = 0; at < bytes; at++) {
                    char text[20], out[20 * TEXT_ESCAPE_FACTOR];

                    memset(text, 'a' + (int)at, bytes);
                    text[at] = given;
                    memcpy(expected, text, at);
                    memcpy(expected + at, one, len);
                    memcpy(expected + at + len, text + at + 1, bytes - at - 1);
                    const char *end = text_write_escaped(out, px_str_make(text, bytes), escape);
                    if (memcmp(out, expected, bytes - 1 + len) != 0 ||
                        (size_t)(end - out) != bytes - 1 + len)
                        fail_msg("escape %d, byte %d, at %zu of %zu", escape, byte, at, bytes);
                }
            }
        }
    }
}

/* No byte is read behind the text, and none is written behind what it becomes. */
static void texts_end_where_they_end(void **state)
{
    static const char given[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct guard from, to;

    (void)state;
    guard_init(&from, sizeof(given));
    guard_init(&to, sizeof(given));
    for (size_t len = 0; len < sizeof(given); len++) {
        px_str text = guard_at_end(&from, px_str_make(given, len));
        px_str room = guard_at_end(&to, px_str_make(given, len));

        memset((char *)room.ptr, 0, len);
        assert_ptr_equal(text_write_short((char *)room.ptr, text.ptr, len), room.ptr + len);
        assert_memory_equal(room.ptr, given, len);
        memset((char *)room.ptr, 0, len);
        assert_ptr_equal(text_write_escaped((char *)room.ptr, text, TEXT_JSON), room.ptr + len);
        assert_memory_equal(room.ptr, given, len);
    }
    guard_deinit(&from);
    guard_deinit(&to);
}

/* Each count of digits, at its first number, its last and one with every digit. */
static void every_length_of_a_number_is_written(void **state)
{
    uint64_t first = 1, mixed = 0;

    (void)state;
    for (int digits = 1; digits <= TEXT_NUMBER_BYTES; digits++) {
        const uint64_t numbers[] = {first, first - 1, mixed = mixed * 10 + (uint64_t)(digits % 10)};

        for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
            char expected[TEXT_NUMBER_BYTES + 1], out[TEXT_NUMBER_BYTES];
            int len = snprintf(expected, sizeof(expected), "%llu", (unsigned long long)numbers[i]);

            assert_ptr_equal(text_write_number(out, numbers[i]), out + len);
            assert_memory_equal(out, expected, (size_t)len);
        }
        first = digits < TEXT_NUMBER_BYTES ? first * 10 : first;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_is_kept),
        cmocka_unit_test(nothing_follows_what_was_cut),
        cmocka_unit_test(numbers_are_decimal),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(peers_bytes_are_escaped),
        cmocka_unit_test(each_byte_is_escaped_at_each_place),
        cmocka_unit_test(texts_end_where_they_end),
        cmocka_unit_test(every_length_of_a_number_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
