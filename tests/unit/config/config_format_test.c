/*
 * fmt: one layout, whatever the text was, and the same again the second time.
 */
#include "config/format.h"

#include <string.h>

#include "base/alloc.h"
#include "config/lexer.h"
#include "lib/test.h"

static const char *const cases[][2] = {
    {"", ""},
    {"a", "a\n"},
    {"\n\n\na\n\n\n\nb\n\n", "a\n\nb\n"},
    {"a;b;c", "a\nb\nc\n"},
    {"a   b\t c", "a b c\n"},
    {"a{b;c}", "a {\n    b\n    c\n}\n"},
    {"a {}\nb", "a {\n}\nb\n"},
    {"a { b { c } } d", "a {\n    b {\n        c\n    }\n}\nd\n"},
    {"# one\na # two \n# three\n", "# one\na # two\n# three\n"},
    {"a { # why\n b\n} # end\n", "a { # why\n    b\n} # end\n"},
    {"a {\n\n\n b\n\n\n c\n\n}\n", "a {\n    b\n\n    c\n}\n"},
    {"a {\n# x\n\n# y\n}", "a {\n    # x\n\n    # y\n}\n"},
    {"a b\\\n c \\\n d\\\ne\n", "a b c de\n"},
    {"a \"b\\\nc\" \"\\\\\" \"q\\\"r\"", "a \"bc\" \"\\\\\" \"q\\\"r\"\n"},
    {"a `x\n   y\\\nz` b", "a `x\n   y\\\nz` b\n"},
    {"a b\\c", "a b\\c\n"},
    {"a\r\nb # c\r\n", "a\nb # c\n"},
    {"route /{rest...} { respond {host} }", "route /{rest...} {\n    respond {host}\n}\n"},
    {"a ${X:-b c} d", "a ${X:-b c} d\n"},
    {"a; # b", "a # b\n"},
    {"a;; b ;# c\n; d;", "a\nb # c\nd\n"},
    {"a { b; # c\n}; # d\n", "a {\n    b # c\n} # d\n"},
    {"a b#c \"#\" # d", "a b#c \"#\" # d\n"},
};

static void format(const char *text, struct buf *out)
{
    struct arena arena;
    struct config_report report;
    struct config_file file = {.name = "a.conf", .text = px_str_of(text)};

    arena_init(&arena, &alloc_libc, NULL, 0, 65536);
    report_init(&report, &arena);
    buf_init(out, &alloc_libc, 65536);
    assert_int_equal(config_format(&file, &report, out), PX_OK);
    assert_int_equal(buf_append(out, px_str_make("", 1)), PX_OK);
    arena_reset(&arena);
}

static void there_is_one_layout(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct buf once, twice;

        format(cases[index][0], &once);
        assert_string_equal(once.ptr, cases[index][1]);
        format(once.ptr, &twice);
        assert_string_equal(twice.ptr, once.ptr);
        buf_deinit(&once);
        buf_deinit(&twice);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 23);
}

static void wrong_texts_are_not_written(void **state)
{
    static const char *const texts[] = {"a {",
                                        "}",
                                        "{ a }",
                                        "a \"b",
                                        "a `b",
                                        "a ${",
                                        "a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{}}}}}}}}}}}}}}}}}"};

    (void)state;
    for (size_t index = 0; index < sizeof(texts) / sizeof(texts[0]); index++) {
        struct arena arena;
        struct config_report report;
        struct config_file file = {.name = "a.conf", .text = px_str_of(texts[index])};
        struct buf out;

        arena_init(&arena, &alloc_libc, NULL, 0, 65536);
        report_init(&report, &arena);
        buf_init(&out, &alloc_libc, 65536);
        assert_int_equal(config_format(&file, &report, &out), PX_ERR_MALFORMED);
        assert_true(report.error_count > 0);
        buf_deinit(&out);
        arena_reset(&arena);
    }
}

static void values_are_read_as_they_were(void **state)
{
    static const char *const values[][2] = {
        {"a", "a"},
        {"", "\"\""},
        {"a b", "\"a b\""},
        {"#a", "\"#a\""},
        {"a#", "a#"},
        {"a{b}c", "a{b}c"},
        {"{", "\"{\""},
        {"a;b", "\"a;b\""},
        {"\"", "\"\\\"\""},
        {"\\", "\"\\\\\""},
        {"a\nb", "\"a\\nb\""},
        {"$", "\"\\x24\""},
        {"\x7f", "\"\\x7f\""},
        {"\xc3\xa4", "\"\xc3\xa4\""},
        {"\xc3", "\"\\xc3\""},
        {"a\xffz", "\"a\\xffz\""},
        {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(values) / sizeof(values[0]); index++) {
        struct buf out;

        buf_init(&out, &alloc_libc, 65536);
        assert_int_equal(config_write_value(&out, px_str_of(values[index][0])), PX_OK);
        assert_str_equal(buf_str(&out), px_str_of(values[index][1]));
        buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_one_layout),
        cmocka_unit_test(wrong_texts_are_not_written),
        cmocka_unit_test(values_are_read_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
