/*
 * docs/OBSERVABILITY.md says of each field of the JSON log what the table of fields says.
 *
 * `log_fields_test markdown` prints what belongs there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/test.h"
#include "server/site/log_fields.h"

enum { PAGE_BYTES = 256 * 1024, ROWS_BYTES = 32 * 1024 };

static const char begin_mark[] = "<!-- fields: begin -->\n";
static const char end_mark[] = "<!-- fields: end -->";

/* The name alone. */
static const char *spelt(const struct log_name *name, char out[32])
{
    assert_memory_equal(name->text, ",\"", 2);
    assert_memory_equal(name->text + 2 + name->len, "\":", 2);
    memcpy(out, name->text + 2, name->len);
    out[name->len] = '\0';
    return out;
}

static void rows_put(char *out)
{
    char names[2][32];
    size_t len = 0;

    for (int i = 0; i < LOG_FIELD_COUNT; i++)
        len += (size_t)snprintf(out + len, ROWS_BYTES - len, "| `%s` | `%s` | %s |\n",
                                spelt(&log_fields[i].json, names[0]),
                                spelt(&log_fields[i].ecs, names[1]), log_fields[i].help);
}

static void the_manual_says_what_the_table_says(void **state)
{
    static char page[PAGE_BYTES], rows[ROWS_BYTES];
    FILE *file = fopen(PX_SOURCE_DIR "/docs/OBSERVABILITY.md", "r");

    (void)state;
    assert_non_null(file);
    size_t len = fread(page, 1, sizeof(page) - 1, file);

    fclose(file);
    page[len] = '\0';
    char *from = strstr(page, begin_mark), *to = strstr(page, end_mark);

    assert_true(from && to && from < to);
    from = strstr(from, "\n|---|---|---|\n");
    assert_non_null(from);
    *to = '\0';
    rows_put(rows);
    assert_string_equal(from + 15, rows);
}

static void names_are_whole_and_differ(void **state)
{
    (void)state;
    assert_int_equal(LOG_FIELD_COUNT, 30);
    for (int i = 0; i < LOG_FIELD_COUNT; i++) {
        assert_true(log_fields[i].json.len > 0 && log_fields[i].ecs.len > 0);
        assert_true(log_fields[i].help[0] != '\0');
        for (int other = 0; other < i; other++) {
            assert_memory_not_equal(&log_fields[i].json, &log_fields[other].json,
                                    sizeof(struct log_name));
            assert_memory_not_equal(&log_fields[i].ecs, &log_fields[other].ecs,
                                    sizeof(struct log_name));
        }
    }
}

/* Names of either spelling, numbers and texts that are ours fit in what a line reserves. */
static void names_fit_in_a_line(void **state)
{
    size_t names = 0, spelled = 0;

    (void)state;
    for (int i = 0; i < LOG_FIELD_COUNT; i++) {
        names += log_fields[i].json.len + sizeof(",\"\":\"\"");
        spelled += log_fields[i].ecs.len + sizeof(",\"\":\"\"");
    }
    assert_in_range(names, 1, 1024);
    assert_in_range(spelled, 1, 1024);
}

int main(int argc, char **argv)
{
    static char rows[ROWS_BYTES];

    if (argc > 1 && strcmp(argv[1], "markdown") == 0) {
        rows_put(rows);
        fputs(rows, stdout);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_manual_says_what_the_table_says),
        cmocka_unit_test(names_are_whole_and_differ),
        cmocka_unit_test(names_fit_in_a_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
