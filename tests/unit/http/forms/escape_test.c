/*
 * Escaping: what is special is replaced, what is not UTF-8 or cannot be seen is U+FFFD, references
 * keep every byte.
 */
#include "lib/test.h"

#include "http/forms/escape.h"
#include "http/message/uri.h"

#define LOST "\xef\xbf\xbd"

typedef px_err (*escape_fn)(struct buf *out, px_str text);

static void assert_escapes(escape_fn escape, px_str text, const char *wanted)
{
    struct buf buf;

    buf_init(&buf, &alloc_libc, 4096);
    assert_int_equal(buf_append(&buf, LITERAL("[")), PX_OK);
    assert_int_equal(escape(&buf, text), PX_OK);
    assert_int_equal(buf.len - 1, strlen(wanted));
    assert_memory_equal(buf.ptr + 1, wanted, strlen(wanted));
    buf_deinit(&buf);
}

static void html_stays_text(void **state)
{
    (void)state;
    assert_escapes(escape_html, LITERAL(""), "");
    assert_escapes(escape_html, LITERAL("plain"), "plain");
    assert_escapes(escape_html, LITERAL("<b>\"&'"), "&lt;b&gt;&quot;&amp;&#39;");
    assert_escapes(escape_html, LITERAL("a&b"), "a&amp;b");
    assert_escapes(escape_html, LITERAL("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d"),
                   "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8c\x8d");
    assert_escapes(escape_html, LITERAL("a\nb\tc\x7f"), "a" LOST "b" LOST "c" LOST);
    assert_escapes(escape_html, LITERAL("a\0b"), "a" LOST "b");
}

static void what_is_no_utf8_is_shown_as_lost(void **state)
{
    (void)state;
    assert_escapes(escape_html, LITERAL("\xff"), LOST);
    assert_escapes(escape_html, LITERAL("caf\xe9"), "caf" LOST);
    assert_escapes(escape_html, LITERAL("\xc3"), LOST);
    assert_escapes(escape_html, LITERAL("\xc3<"), LOST "&lt;");
    assert_escapes(escape_html, LITERAL("\xe2\x82"), LOST LOST);
    assert_escapes(escape_html, LITERAL("\xc0\xbc"), LOST LOST);          /* overlong "<" */
    assert_escapes(escape_html, LITERAL("\xe0\x80\xbc"), LOST LOST LOST); /* and again */
    assert_escapes(escape_html, LITERAL("\xed\xa0\x80"), LOST LOST LOST); /* a surrogate */
    assert_escapes(escape_html, LITERAL("\xf4\x90\x80\x80"), LOST LOST LOST LOST);
    assert_escapes(escape_html, LITERAL("\xf8\x88\x80\x80\x80"), LOST LOST LOST LOST LOST);
    assert_escapes(escape_html, LITERAL("\xf8\x9f\x8c\x8d"), LOST LOST LOST LOST);
    assert_escapes(escape_html, LITERAL("\xc2\x85"), LOST); /* a C1 control */
}

static void what_turns_its_neighbours_is_shown_as_lost(void **state)
{
    (void)state;
    assert_escapes(escape_html, LITERAL("a\xe2\x80\xaegpj.exe"), "a" LOST "gpj.exe");
    assert_escapes(escape_html, LITERAL("\xe2\x81\xa6x\xe2\x81\xa9"), LOST "x" LOST);
    assert_escapes(escape_html, LITERAL("\xe2\x80\x8ex\xe2\x80\x8f"), LOST "x" LOST);
    assert_escapes(escape_html, LITERAL("\xe2\x80\xa8"), LOST);
    assert_escapes(escape_html, LITERAL("\xd8\x9c\xef\xbb\xbf"), LOST LOST);
    assert_escapes(escape_html, LITERAL("\xd7\xa9\xd7\x9c"), "\xd7\xa9\xd7\x9c"); /* Hebrew */
}

static void json_stays_a_string(void **state)
{
    (void)state;
    assert_escapes(escape_json, LITERAL("a\"b\\c/<d>'"), "a\\\"b\\\\c/\\u003cd>'");
    assert_escapes(escape_json, LITERAL("\n\xff"), LOST LOST);
}

static void segments_are_references_to_themselves(void **state)
{
    char all[256];
    char room[4096];
    struct arena arena;
    struct buf buf;
    px_str back;

    (void)state;
    assert_escapes(escape_segment, LITERAL("AZaz09-._~"), "AZaz09-._~");
    assert_escapes(escape_segment, LITERAL("javascript:alert(1)"), "javascript%3Aalert%281%29");
    assert_escapes(escape_segment, LITERAL("//host\\?#&\"'<"), "%2F%2Fhost%5C%3F%23%26%22%27%3C");
    assert_escapes(escape_segment, LITERAL("100% \xff\n"), "100%25%20%FF%0A");
    for (int byte = 1; byte < 256; byte++)
        all[byte - 1] = (char)byte;
    buf_init(&buf, &alloc_libc, 4096);
    assert_int_equal(escape_segment(&buf, px_str_make(all, 255)), PX_OK);
    arena_init(&arena, &alloc_libc, room, sizeof(room), 0);
    assert_int_equal(uri_decode(&arena, buf_str(&buf), URI_SLASH_DECODE, &back), PX_OK);
    assert_str_equal(back, px_str_make(all, 255));
    buf_deinit(&buf);
}

static void a_full_buffer_says_so(void **state)
{
    static const escape_fn escapes[] = {escape_html, escape_segment, escape_json};

    (void)state;
    for (size_t index = 0; index < 3; index++) {
        for (size_t max = 0; max < 20; max++) {
            struct buf buf;

            buf_init(&buf, &alloc_libc, max);
            px_err err = escapes[index](&buf, LITERAL("a<b\"\xff\\<c"));

            assert_true(err == PX_OK || err == PX_ERR_LIMIT);
            assert_true(buf.len <= max);
            if (max == 0)
                assert_int_equal(err, PX_ERR_LIMIT);
            buf_deinit(&buf);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_stays_text),
        cmocka_unit_test(what_is_no_utf8_is_shown_as_lost),
        cmocka_unit_test(what_turns_its_neighbours_is_shown_as_lost),
        cmocka_unit_test(json_stays_a_string),
        cmocka_unit_test(segments_are_references_to_themselves),
        cmocka_unit_test(a_full_buffer_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
