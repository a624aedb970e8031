/*
 * From files to a tree: what is read, and what every wrong text is told.
 */
#include "config/load.h"

#include <string.h>

#include "base/alloc.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "memory_reader.h"

enum { PRINT_BYTES = 4096 };

static const struct memory_file environment[] = {
    {"PORT", "8080"}, {"EMPTY", ""}, {"WORDS", "two words {x}"}, {NULL, NULL}};

/* name(value|value){children} for each statement. */
static size_t print(const struct config_statement *statement, char *out, size_t len)
{
    for (; statement; statement = statement->next) {
        len += (size_t)snprintf(out + len, PRINT_BYTES - len, "%s", statement->name.text.ptr);
        for (uint32_t index = 0; index < statement->value_count; index++)
            len += (size_t)snprintf(out + len, PRINT_BYTES - len, "%s%s", index ? "|" : "(",
                                    statement->values[index].text.ptr);
        len +=
            (size_t)snprintf(out + len, PRINT_BYTES - len, "%s", statement->value_count ? ")" : "");
        if (statement->has_block) {
            len += (size_t)snprintf(out + len, PRINT_BYTES - len, "{");
            len = print(statement->children, out, len);
            len += (size_t)snprintf(out + len, PRINT_BYTES - len, "}");
        }
        len += (size_t)snprintf(out + len, PRINT_BYTES - len, "%s", statement->next ? " " : "");
        assert_true(len < PRINT_BYTES);
    }
    return len;
}

static void check(const struct memory_file *files, const char *expected, const char *report)
{
    struct memory_reader memory = {files, environment};
    struct config_reader reader = memory_reader(&memory);
    struct config_load load;
    char text[PRINT_BYTES] = "";
    struct buf out;

    config_load_init(&load, &reader, &alloc_libc);
    buf_init(&out, &alloc_libc, 65536);
    px_err err = config_load_read(&load, "a.conf");

    assert_int_equal(report_write(&load.report, &out), PX_OK);
    assert_str_equal(buf_str(&out), report ? px_str_of(report) : px_str_make(out.ptr, 0));
    assert_int_equal(err, report ? PX_ERR_MALFORMED : PX_OK);
    if (expected) {
        print(load.statements, text, 0);
        assert_string_equal(text, expected);
    }
    buf_deinit(&out);
    config_load_deinit(&load);
}

static const char *const good[][2] = {
    {"", ""},
    {"# only a comment", ""},
    {"a", "a"},
    {"a;b\nc", "a b c"},
    {"a b  c\t d", "a(b|c|d)"},
    {"a { b; c { } }", "a{b c{}}"},
    {"a { b }", "a{b}"},
    {"a{b c}d", "a{b(c)} d"},
    {"a b\\\nc \\\n d\n", "a(bc|d)"},
    {"a b\\\r\nc\r\nd\r\n", "a(bc) d"},
    {"a b#c # d", "a(b#c)"},
    {"a \"b c\" \"\" \"\\n\\t\\\"\\\\\\x41\"", "a(b c||\n\t\"\\A)"},
    {"a \"x\\\ny\"", "a(xy)"},
    {"a\\\nb \\\n { \\\n c }", "ab{c}"},
    {"a \"\\x7b\\xc3\\xa4\\xff\"", "a({\xc3\xa4\xff)"},
    {"a \"{{x}} }{\" b", "a({{x}} }{|b)"},
    {"a ${NONE:-${ALSO:-${EMPTY:-z}}}", "a(z)"},
    {"include deep/e.conf", "d(2) e(deep)"},
    {"a `b\n\\n ${PORT} c`", "a(b\n\\n ${PORT} c)"},
    {"a {client} x{y}z {$} /{rest...}", "a({client}|x{y}z|{$}|/{rest...})"},
    {"route /{rest...} { respond {host} }", "route(/{rest...}){respond({host})}"},
    {"a ${PORT} x${PORT}y \"${PORT}\"", "a(8080|x8080y|8080)"},
    {"a ${WORDS}", "a(two words {x})"},
    {"a ${NONE:-d} ${NONE:-} ${EMPTY:-e} ${NONE:-${PORT}} ${EMPTY}", "a(d||e|8080|)"},
    {"a ${NONE:-b c}", "a(b c)"},
    {"a ${file:secret}", "a(s3cret)"},
    {"a b\\c", "a(b\\c)"},
    {"a $x $", "a($x|$)"},
    {"\xef\xbb\xbf"
     "a \xc3\xa4",
     "a(\xc3\xa4)"},
    {"include b.conf", "b(1)"},
    {"x { include b.conf }", "x{b(1)}"},
    {"include none/*.conf", ""},
    {"include conf.d/*.conf; z", "first second z"},
    {"include deep/c.conf", "d(2)"},
    {"use n\ndefine n { a; b }\nc", "a b c"},
    {"define n { a; use m } define m { b 1 } x { use n; use m }", "x{a b(1) b(1)}"},
};

static void texts_are_read(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(good) / sizeof(good[0]); index++) {
        struct memory_file files[] = {{"a.conf", good[index][0]},
                                      {"b.conf", "b 1"},
                                      {"conf.d/2.conf", "second"},
                                      {"conf.d/1.conf", "first"},
                                      {"deep/c.conf", "include d.conf"},
                                      {"deep/d.conf", "d 2"},
                                      {"deep/e.conf", "include c.conf; e ${file:secret}"},
                                      {"deep/secret", "deep\r\n"},
                                      {"secret", "s3cret\n"},
                                      {NULL, NULL}};

        check(files, good[index][1], NULL);
    }
    assert_int_equal(sizeof(good) / sizeof(good[0]), 36);
}

#define AT(place, text, line, marks) \
    "a.conf:" place ": " text "\n    1 | " line "\n      | " marks "\n"

static const char *const bad[][2] = {
    {"a {", AT("1:3", "\"{\" is not closed", "a {", "  ^")},
    {"a {\n  b {\n  c\n}\n",
     "a.conf:2:5: \"{\" is not closed where its line begins\n    2 |   b {\n      |     ^\n"},
    {"a {\n  b {\n  }\n", AT("1:3", "\"{\" is not closed", "a {", "  ^")},
    {"a }", AT("1:3", "\"}\" closes nothing", "a }", "  ^")},
    {"{ a }", AT("1:1", "\"{\" stands behind a directive, on the same line", "{ a }", "^")},
    {"a \"b", AT("1:3", "the quote is not closed on its line", "a \"b", "  ^")},
    {"a `b", AT("1:3", "the backtick is not closed", "a `b", "  ^")},
    {"a \"b\"c", AT("1:6", "a blank is missing behind the closing quote", "a \"b\"c", "     ^")},
    {"a \"\\q\"",
     AT("1:4", "\"\\q\": the escapes are \\n \\t \\\" \\\\ and \\xHH", "a \"\\q\"", "   ^^")},
    {"a \"\\x0\"",
     AT("1:4", "\"\\x\": two hexadecimal digits follow, and not 00", "a \"\\x0\"", "   ^^")},
    {"a \"\\x00\"",
     AT("1:4", "\"\\x\": two hexadecimal digits follow, and not 00", "a \"\\x00\"", "   ^^")},
    {"a ${", AT("1:3", "\"${\" is not closed", "a ${", "  ^^")},
    {"a \xc3\xa4${NONE}",
     AT("1:4",
        "\"${NONE}\": that variable is not set; write ${NAME:-default} where it may be "
        "missing",
        "a \xc3\xa4${NONE}", "   ^^^^^^^")},
    {"a ${1}",
     AT("1:3", "\"${1}\": write ${NAME}, ${NAME:-default} or ${file:/path}", "a ${1}", "  ^^^^")},
    {"a ${file:none}",
     AT("1:3", "cannot read none: no such file", "a ${file:none}", "  ^^^^^^^^^^^^")},
    {"\"a\" b", AT("1:1", "a directive's name stands without quotes", "\"a\" b", "^^^")},
    {"a \x01", AT("1:3", "control byte 0x01; write it as \"\\x01\" in quotes", "a ?", "  ^")},
    {"a \xff", AT("1:3", "byte 0xff is not UTF-8", "a \xff", "  ^")},
    {"a \xed\xa0\x80", AT("1:3", "byte 0xed is not UTF-8", "a \xed\xa0\x80", "  ^")},
    {"include", AT("1:1", "include takes one value: a file or a pattern", "include", "^^^^^^^")},
    {"include b c",
     AT("1:11", "include takes one value: a file or a pattern", "include b c", "          ^")},
    {"include none", AT("1:9", "cannot read none: no such file", "include none", "        ^^^^")},
    {"include a.conf", AT("1:9", "a.conf includes itself", "include a.conf", "        ^^^^^^")},
    {"use x", AT("1:5", "\"x\" is not defined", "use x", "    ^")},
    {"define names {}; use name", AT("1:22", "\"name\" is not defined; \"names\" is",
                                     "define names {}; use name", "                     ^^^^")},
    {"define x { use x } use x",
     AT("1:16", "\"x\" uses itself", "define x { use x } use x", "               ^")},
    {"define x", AT("1:1", "write define NAME { ... }", "define x", "^^^^^^")},
    {"a { define x {} }",
     AT("1:5", "define stands at the top of a file", "a { define x {} }", "    ^^^^^^")},
    {"\xef\xbb\xbf"
     "a \x01",
     AT("1:3", "control byte 0x01; write it as \"\\x01\" in quotes", "a ?", "  ^")},
    {"\xef\xbb\xbf"
     "a }",
     AT("1:3", "\"}\" closes nothing", "a }", "  ^")},
    {"a \x7f", AT("1:3", "control byte 0x7f; write it as \"\\x7f\" in quotes", "a ?", "  ^")},
    {"a \rb", AT("1:3", "control byte 0x0d; write it as \"\\x0d\" in quotes", "a ?b", "  ^")},
    {"a \"b ${PORT c\"",
     AT("1:6", "\"${\": the brace of this variable is not closed", "a \"b ${PORT c\"", "     ^^")},
    {"define x {} define x {}", AT("1:20", "\"x\" is already defined, at a.conf:1",
                                   "define x {} define x {}", "                   ^")},
};

static void wrong_texts_are_told_at_their_place(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++) {
        struct memory_file files[] = {{"a.conf", bad[index][0]}, {NULL, NULL}};

        check(files, NULL, bad[index][1]);
    }
    assert_int_equal(sizeof(bad) / sizeof(bad[0]), 34);
}

static void an_included_file_is_named_with_its_includer(void **state)
{
    static const struct memory_file files[] = {
        {"a.conf", "\ninclude conf.d/b.conf\n"}, {"conf.d/b.conf", "x\ny }\n"}, {NULL, NULL}};

    (void)state;
    check(files, NULL,
          "conf.d/b.conf:2:3 (from a.conf:2): \"}\" closes nothing\n"
          "    2 | y }\n"
          "      |   ^\n");
}

static void the_first_file_is_missing(void **state)
{
    static const struct memory_file files[] = {{NULL, NULL}};

    (void)state;
    check(files, NULL, "pollux: cannot read a.conf: no such file\n");
}

static void blocks_are_sixteen_deep_at_most(void **state)
{
    char text[256] = "";
    struct memory_file files[] = {{"a.conf", text}, {NULL, NULL}};

    (void)state;
    for (int depth = 0; depth < 16; depth++)
        strncat(text, "a{", sizeof(text) - strlen(text) - 1);
    for (int depth = 0; depth < 16; depth++)
        strncat(text, "}", sizeof(text) - strlen(text) - 1);
    check(files, "a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{}}}}}}}}}}}}}}}}", NULL);

    struct memory_reader memory = {files, NULL};
    struct config_reader reader = memory_reader(&memory);
    struct config_load load;

    memset(text, '{', sizeof(text) - 1);
    for (size_t at = 0; at < sizeof(text) - 1; at += 2)
        text[at] = 'a';
    config_load_init(&load, &reader, &alloc_libc);
    assert_int_equal(config_load_read(&load, "a.conf"), PX_ERR_MALFORMED);
    assert_string_equal(load.report.entries[0].text, "blocks stand at most 16 deep");
    config_load_deinit(&load);
}

/* Each define uses the one before twice: 2^40 statements, were there no bound. */
static void uses_cannot_multiply_without_end(void **state)
{
    static char text[4096];
    struct memory_file files[] = {{"a.conf", text}, {NULL, NULL}};
    struct memory_reader memory = {files, NULL};
    struct config_reader reader = memory_reader(&memory);
    struct config_load load;
    size_t len = (size_t)snprintf(text, sizeof(text), "define d0 { a; a; a; a }\n");

    (void)state;
    for (int index = 1; index < 40; index++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "define d%d { use d%d; use d%d }\n",
                                index, index - 1, index - 1);
    snprintf(text + len, sizeof(text) - len, "use d39\n");
    config_load_init(&load, &reader, &alloc_libc);
    assert_int_equal(config_load_read(&load, "a.conf"), PX_ERR_MALFORMED);
    assert_true(load.statement_count <= CONFIG_STATEMENT_COUNT_MAX + 1);
    config_load_deinit(&load);
}

static void load_once(const px_allocator *allocator, void *context)
{
    static const struct memory_file files[] = {
        {"a.conf", "define n { a \"x\\n${PORT:-1}\" }\ninclude b*.conf\nuse n\nc 1 2 3 4 5 6"},
        {"b.conf", "b ${file:secret} { c }"},
        {"secret", "s\n"},
        {NULL, NULL}};
    struct memory_reader memory = {files, environment};
    struct config_reader reader = memory_reader(&memory);
    struct config_load load;
    char text[PRINT_BYTES] = "";

    (void)context;
    config_load_init(&load, &reader, allocator);
    if (config_load_read(&load, "a.conf") == PX_OK) {
        print(load.statements, text, 0);
        assert_string_equal(text, "b(s){c} a(x\n8080) c(1|2|3|4|5|6)");
    } else {
        assert_true(load.report.out_of_memory);
    }
    config_load_deinit(&load);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("config_load", load_once, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(wrong_texts_are_told_at_their_place),
        cmocka_unit_test(an_included_file_is_named_with_its_includer),
        cmocka_unit_test(the_first_file_is_missing),
        cmocka_unit_test(blocks_are_sixteen_deep_at_most),
        cmocka_unit_test(uses_cannot_multiply_without_end),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
