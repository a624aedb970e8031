/*
 * The byte classes against the grammar, and every scan table against the plainest loop there is:
 * every byte at every place, random input, guard pages at both ends.
 */
#include "http/scan/scan.h"

#include <stdbool.h>
#include <string.h>

#include "lib/guard.h"
#include "lib/test.h"

enum { TABLES_MAX = 8, FUNCTIONS = 4, PLACES = 100, RANDOM_RUNS = 20000 };

static bool is_alnum(int byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z');
}

static bool is_of(int byte, const char *set)
{
    return byte != 0 && strchr(set, byte) != NULL;
}

/* RFC 9110 sections 5.5 and 5.6.2, RFC 3986 sections 2 and 3. */
static uint8_t class_of(int byte)
{
    bool name = is_alnum(byte) || is_of(byte, "-._~!$&'()*+;=");
    bool visible = byte > 0x20 && byte < 0x7f;
    uint8_t class = 0;

    class |= is_alnum(byte) || is_of(byte, "!#$%&'*+-.^_`|~") ? CHAR_TOKEN : 0;
    class |= name || is_of(byte, ",:@/") ? CHAR_PCHAR : 0;
    class |= byte == '\t' || (byte >= 0x20 && byte != 0x7f) ? CHAR_VALUE : 0;
    class |= byte >= '0' && byte <= '9' ? CHAR_DIGIT : 0;
    class |= is_alnum(byte) && (byte | 0x20) <= 'f' ? CHAR_HEX : 0;
    class |= visible && !is_of(byte, "#%?") ? CHAR_PATH : 0;
    class |= visible && byte != '#' ? CHAR_QUERY : 0;
    class |= name ? CHAR_HOST : 0;
    return class;
}

static void scan_classes_are_the_grammar(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++)
        assert_int_equal(char_class[byte], class_of(byte));
}

typedef size_t (*scan_function)(const char *ptr, size_t from, size_t len);

static const uint8_t classes[FUNCTIONS] = {CHAR_VALUE, CHAR_TOKEN, CHAR_PATH, CHAR_QUERY};

static scan_function function_of(const struct scan_table *table, int index)
{
    const scan_function functions[FUNCTIONS] = {table->value, table->token, table->path,
                                                table->query};

    return functions[index];
}

static size_t scan_expected(px_str text, size_t from, uint8_t class)
{
    while (from < text.len && (class_of((uint8_t)text.ptr[from]) & class))
        from++;
    return from;
}

static void scan_compare(const struct scan_table *table, px_str text, size_t from)
{
    for (int i = 0; i < FUNCTIONS; i++) {
        size_t found = function_of(table, i)(text.ptr, from, text.len);
        size_t expected = scan_expected(text, from, classes[i]);

        if (found != expected)
            fail_msg("%s, function %d, %zu bytes from %zu: %zu, expected %zu", table->name, i,
                     text.len, from, found, expected);
    }
}

static size_t all_tables(const struct scan_table **tables)
{
    size_t count = scan_tables(tables, TABLES_MAX);
    bool has_best = false;

    assert_true(count >= 1);
    assert_int_equal(scan_tables(tables, 0), 0);
    for (size_t i = 0; i < count; i++)
        has_best |= tables[i] == scan_table_best();
    assert_true(has_best);
    return count;
}

static void scan_finds_every_byte_at_every_place(void **state)
{
    const struct scan_table *tables[TABLES_MAX];
    size_t count = all_tables(tables);
    struct guard guard;
    char text[PLACES];

    (void)state;
    guard_init(&guard, sizeof(text));
    memset(text, 'a', sizeof(text));
    for (int byte = 0; byte < 256; byte++) {
        for (size_t place = 0; place < PLACES; place++) {
            px_str placed;

            text[place] = (char)byte;
            placed = guard_at_end(&guard, px_str_make(text, sizeof(text)));
            for (size_t i = 0; i < count; i++) {
                scan_compare(tables[i], placed, 0);
                scan_compare(tables[i], placed, place / 2);
            }
            text[place] = 'a';
        }
    }
    guard_deinit(&guard);
}

static void scan_stays_inside_at_every_length(void **state)
{
    const struct scan_table *tables[TABLES_MAX];
    size_t count = all_tables(tables);
    struct guard guard;
    char text[PLACES];

    (void)state;
    guard_init(&guard, sizeof(text));
    memset(text, 'a', sizeof(text));
    for (size_t len = 0; len <= PLACES; len++) {
        for (size_t from = 0; from <= len; from++) {
            for (size_t i = 0; i < count; i++) {
                scan_compare(tables[i], guard_at_end(&guard, px_str_make(text, len)), from);
                scan_compare(tables[i], guard_at_start(&guard, px_str_make(text, len)), from);
            }
        }
    }
    guard_deinit(&guard);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

/* Mostly harmless bytes, so that the scans get somewhere. */
static void scan_tables_agree_on_random_bytes(void **state)
{
    static const char harmless[] = "abcXYZ0189-_./!$&'*+;=~";
    const struct scan_table *tables[TABLES_MAX];
    size_t count = all_tables(tables);
    char text[PLACES * 2];
    uint32_t seed = 1;

    (void)state;
    for (int run = 0; run < RANDOM_RUNS; run++) {
        size_t len = next_random(&seed) % sizeof(text);
        size_t from = next_random(&seed) % (len + 1);

        for (size_t i = 0; i < len; i++)
            text[i] = next_random(&seed) % 64 == 0
                          ? (char)next_random(&seed)
                          : harmless[next_random(&seed) % (sizeof(harmless) - 1)];
        for (size_t i = 0; i < count; i++)
            scan_compare(tables[i], px_str_make(text, len), from);
    }
}

static void scan_short_and_mixed_agree_with_the_loop(void **state)
{
    char text[PLACES];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t place = 0; place < PLACES; place++) {
        text[place] = ' ';
        for (size_t from = 0; from <= place; from++) {
            px_str str = px_str_make(text, sizeof(text));
            size_t expected = scan_expected(str, from, CHAR_TOKEN);

            assert_int_equal(scan_short(text, from, sizeof(text), CHAR_TOKEN), expected);
            assert_int_equal(
                scan_mixed(text, from, sizeof(text), CHAR_TOKEN, scan_table_best()->token),
                expected);
            assert_int_equal(scan_mixed(text, from, place, CHAR_TOKEN, scan_plain.token), place);
        }
        text[place] = 'a';
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_classes_are_the_grammar),
        cmocka_unit_test(scan_finds_every_byte_at_every_place),
        cmocka_unit_test(scan_stays_inside_at_every_length),
        cmocka_unit_test(scan_tables_agree_on_random_bytes),
        cmocka_unit_test(scan_short_and_mixed_agree_with_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
