/*
 * Events as text: every kind of line end, and nothing that could end a field early.
 */
#include "realtime/event_text.h"

#include "lib/guard.h"
#include "lib/test.h"

static const px_str absent = {NULL, 0};

static void events_are_written(void **state)
{
    static const struct {
        px_str id;
        px_str name;
        px_str data;
        const char *text;
    } cases[] = {
        {{NULL, 0}, {NULL, 0}, {"a", 1}, "data: a\n\n"},
        {{"7", 1}, {"news", 4}, {"a", 1}, "id: 7\nevent: news\ndata: a\n\n"},
        {{"", 0}, {NULL, 0}, {"", 0}, "id: \ndata: \n\n"},
        {{NULL, 0}, {NULL, 0}, {"a\nb\r\nc\rd", 8}, "data: a\ndata: b\ndata: c\ndata: d\n\n"},
        {{NULL, 0}, {NULL, 0}, {"\n\r", 2}, "data: \ndata: \ndata: \n\n"},
        {{NULL, 0}, {NULL, 0}, {"a\r\n", 3}, "data: a\ndata: \n\n"},
    };
    struct guard guard;
    char out[256];

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_str data = guard_at_end(&guard, cases[index].data);
        size_t len = event_bytes(cases[index].id, cases[index].name, data);

        assert_int_equal(len, strlen(cases[index].text));
        event_write(out, cases[index].id, cases[index].name, data);
        assert_memory_equal(out, cases[index].text, len);
    }
    guard_deinit(&guard);
}

static void words_have_no_line_ends(void **state)
{
    (void)state;
    assert_true(event_word_valid(absent));
    assert_true(event_word_valid(LITERAL("a b\xc3\xa9")));
    assert_false(event_word_valid(LITERAL("a\nb")));
    assert_false(event_word_valid(LITERAL("a\r")));
    assert_false(event_word_valid(LITERAL("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_written),
        cmocka_unit_test(words_have_no_line_ends),
    };

    return cmocka_run_group_tests_name("event_text", tests, NULL, NULL);
}
