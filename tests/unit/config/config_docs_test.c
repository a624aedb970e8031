/*
 * docs/CONFIGURATION.md and pollux.conf(5) say of each directive what its row says, in its words.
 *
 * `config_docs_test markdown` and `config_docs_test man` print what belongs there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema/schema.h"
#include "lib/test.h"

enum { ENTRY_BYTES = 2048, PAGE_BYTES = 1024 * 1024, TOP_PLACES = 11 };

static const struct {
    uint32_t where;
    const char *title;
} places[TOP_PLACES] = {
    {IN_TOP, "the file"},      {IN_HOST, "host"},         {IN_ROUTE, "route"},
    {IN_WHEN, "when"},         {IN_MATCH, "match"},       {IN_TLS, "tls"},
    {IN_LIMITS, "limits"},     {IN_TIMEOUTS, "timeouts"}, {IN_RATES, "minimum_rate"},
    {IN_UPSTREAM, "upstream"}, {IN_PROXY, "proxy"},
};

#define PUT(...) len += (size_t)snprintf(out + len, ENTRY_BYTES - len, __VA_ARGS__)

static size_t put_places(const struct config_directive *row, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < TOP_PLACES; i++)
        if (row->where & places[i].where)
            PUT("%s%s", len > 0 ? ", " : "", places[i].title);
    return len;
}

static size_t put_usage(const struct config_directive *row, char *out, const char *begin,
                        const char *end)
{
    size_t len = 0;

    for (size_t i = 0; i < DIRECTIVE_USES_MAX && row->uses[i].name; i++)
        PUT(" %s%s%s", begin, row->uses[i].name, end);
    for (const struct config_option *option = row->options; option && option->name; option++) {
        if (option->is_flag)
            PUT(" [%s]", option->name);
        else
            PUT(" [%s=%s%s%s]", option->name, begin, option->use.name, end);
    }
    return len;
}

/* "; NAME: one, two or three", of what has a closed list. */
static size_t put_words(const struct config_use *use, char *out)
{
    static const char *const switch_words[] = {"on", "off", NULL};
    const char *const *words = use->type == TYPE_SWITCH ? switch_words : use->words;
    size_t len = 0;

    if (!words || (use->type != TYPE_WORD && use->type != TYPE_SWITCH && !use->may_be_word) ||
        strcmp(words[0], "none") == 0)
        return 0;
    PUT("; %s%s: ", use->name, use->may_be_word ? " may be" : "");
    for (size_t i = 0; words[i]; i++)
        PUT("%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
    return len;
}

static size_t put_values(const struct config_directive *row, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < DIRECTIVE_USES_MAX && row->uses[i].name; i++)
        len += put_words(&row->uses[i], out + len);
    for (const struct config_option *option = row->options; option && option->name; option++)
        if (!option->is_flag)
            len += put_words(&option->use, out + len);
    return len;
}

/* Stars and bars are signs of the page. */
static size_t put_text(const char *text, char *out, const char *escaped)
{
    size_t len = 0;

    for (; *text && len + 3 < ENTRY_BYTES; text++) {
        if (strchr(escaped, *text))
            out[len++] = '\\';
        out[len++] = *text;
    }
    out[len] = '\0';
    return len;
}

static const char *kind_of(const struct config_directive *row)
{
    switch (row->kind) {
    case KIND_SETTING:
        return "setting";
    case KIND_LIST:
        return "list";
    case KIND_ANSWER:
        return "answer";
    case KIND_BLOCK:
        return "block";
    }
    return "";
}

/* | `name VALUES` | places | kind | default | help | */
static void markdown(const struct config_directive *row, char *out)
{
    size_t len = 0;

    PUT("| `%s", row->name);
    len += put_usage(row, out + len, "", "");
    PUT("` | ");
    len += put_places(row, out + len);
    PUT(" | %s | %s%s%s | ", kind_of(row), row->defaults ? "`" : "",
        row->defaults ? row->defaults : "", row->defaults ? "`" : "");
    len += put_text(row->help, out + len, "|*<");
    len += put_values(row, out + len);
    PUT(row->needs_restart ? " (a change needs a restart) |\n" : " |\n");
}

static void man(const struct config_directive *row, char *out)
{
    char values[ENTRY_BYTES] = "";
    size_t len = 0;

    PUT("*%s*", row->name);
    len += put_usage(row, out + len, "_", "_");
    PUT("\n\tIn ");
    len += put_places(row, out + len);
    PUT("; %s.", kind_of(row));
    if (row->defaults)
        PUT(" Default: _%s_.", row->defaults);
    PUT("%s\n\t", row->needs_restart ? " A change needs a restart." : "");
    len += put_text(row->help, out + len, "*_\\");
    put_values(row, values);
    len += put_text(values, out + len, "*_\\");
    PUT("\n\n");
}

static char *page_read(const char *name)
{
    char path[512];
    char *text = malloc(PAGE_BYTES);

    snprintf(path, sizeof(path), "%s/%s", PX_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");

    assert_non_null(text);
    assert_non_null(file);
    text[fread(text, 1, PAGE_BYTES - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void look(const char *page, void (*write)(const struct config_directive *, char *))
{
    char *text = page_read(page), entry[ENTRY_BYTES];
    size_t count = 0;

    for (size_t table = 0; schema_tables[table]; table++) {
        for (const struct config_directive *row = schema_tables[table]; row->name; row++) {
            write(row, entry);
            if (!strstr(text, entry))
                print_message("missing in %s:\n%s", page, entry);
            assert_non_null(strstr(text, entry));
            count++;
        }
    }
    assert_in_range(count, 90, 200);
    free(text);
}

static void the_handbook_has_every_row(void **state)
{
    (void)state;
    look("docs/CONFIGURATION.md", markdown);
}

static void the_manual_page_has_every_row(void **state)
{
    (void)state;
    look("docs/man/pollux.conf.5.scd", man);
}

static int print_all(const char *which)
{
    char entry[ENTRY_BYTES];

    for (size_t table = 0; schema_tables[table]; table++)
        for (const struct config_directive *row = schema_tables[table]; row->name; row++) {
            if (strcmp(which, "man") == 0)
                man(row, entry);
            else
                markdown(row, entry);
            fputs(entry, stdout);
        }
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_handbook_has_every_row),
        cmocka_unit_test(the_manual_page_has_every_row),
    };

    if (argc > 1)
        return print_all(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
