/*
 * What is told first, how much of it, and what was probably meant.
 */
#include "config/report.h"

#include <string.h>

#include "base/alloc.h"
#include "lib/test.h"

static void twenty_are_told_and_syntax_first(void **state)
{
    struct config_file file = {.name = "a.conf", .text = px_str_of("x\n")};
    struct config_report report;
    struct arena arena;
    struct buf out;

    (void)state;
    arena_init(&arena, &alloc_libc, NULL, 0, 1 << 20);
    report_init(&report, &arena);
    for (uint32_t line = 30; line > 0; line--) {
        struct config_place place = {.file = &file, .line = line, .column = 1, .length = 1};

        report_add(&report, REPORT_MEANING, place, "meaning %u", line);
        report_add(&report, REPORT_MEANING, place, "meaning %u", line);
    }
    struct config_place place = {.file = &file, .line = 99, .column = 1, .length = 1};

    report_add(&report, REPORT_SYNTAX, place, "syntax");
    assert_int_equal(report.entry_count, REPORT_ENTRIES_MAX);
    assert_string_equal(report.entries[0].text, "syntax");
    for (uint32_t index = 1; index < REPORT_ENTRIES_MAX; index++) {
        char text[32];

        snprintf(text, sizeof(text), "meaning %u", index);
        assert_string_equal(report.entries[index].text, text);
    }
    buf_init(&out, &alloc_libc, 65536);
    assert_int_equal(report_write(&report, &out), PX_OK);
    assert_int_equal(buf_append(&out, px_str_make("", 1)), PX_OK);
    assert_non_null(strstr(out.ptr, " more\n"));
    buf_deinit(&out);
    arena_reset(&arena);
}

static void the_nearest_name_is_found(void **state)
{
    static const char *const names[] = {"proxy", "respond", "redirect", "files",
                                        "allow", "deny",    "on",       NULL};
    static const char *const cases[][2] = {
        {"procy", "proxy"},
        {"prxoy", "proxy"},
        {"responds", "respond"},
        {"redirct", "redirect"},
        {"file", "files"},
        {"alow", "allow"},
        {"zzz", NULL},
        {"x", NULL},
        {"no", NULL},
        {"", NULL},
        {"of", "on"},
        {"deyn", "deny"},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        const char *found = report_nearest(px_str_of(cases[index][0]), names);

        if (cases[index][1])
            assert_string_equal(found ? found : "nothing", cases[index][1]);
        else
            assert_true(!found || strlen(cases[index][0]) == 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_are_told_and_syntax_first),
        cmocka_unit_test(the_nearest_name_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
