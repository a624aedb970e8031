/*
 * Checking statements against the schema.
 */
#include "config/check.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/foreign.h"
#include "config/load.h"
#include "config/slips.h"

enum { NAMES_MAX = 192, SHOWN_MAX = 60, PLACES_TEXT_MAX = 160 };

bool node_is(const struct config_node *node, const char *name)
{
    return strcmp(node->row->name, name) == 0;
}

const struct config_typed *node_option(const struct config_node *node, const char *name)
{
    const struct config_option *option = node->row->options;

    for (uint32_t i = 0; option && option[i].name; i++)
        if (strcmp(option[i].name, name) == 0)
            return node->options[i].value ? &node->options[i] : NULL;
    return NULL;
}

const struct config_node *node_find(const struct config_node *list, const char *name)
{
    const struct config_node *found = NULL;

    for (; list; list = list->next)
        if (node_is(list, name))
            found = list;
    return found;
}

bool node_is_in(const struct config_node *list, const struct config_node *node)
{
    for (; list; list = list->next)
        if (list == node || (node_is(list, "when") && node_is_in(list->children, node)))
            return true;
    return false;
}

/* --- Names ------------------------------------------------------------------------------------ */

/* "host, route or when": where a name may stand, of all rows that have it. */
static void places_text(px_str name, char *out, size_t room)
{
    uint32_t where = schema_places(name), count = 0, total = 0;
    size_t len = 0;

    for (uint32_t bit = 1; bit <= where; bit <<= 1)
        total += (where & bit) != 0;
    out[0] = '\0';
    for (uint32_t bit = 1; bit <= where && len < room; bit <<= 1) {
        if ((where & bit) == 0)
            continue;
        const char *between = count == 0 ? "" : count + 1 == total ? " or " : ", ";

        len += (size_t)snprintf(out + len, room - len, "%s%s", between,
                                bit == IN_TOP ? "the file itself" : schema_place_name(bit));
        count++;
    }
}

/* What may stand at a place, with what is not of the schema (expand.c). */
static void names_here(uint32_t where, const char **out_names)
{
    uint32_t count = schema_names(where, out_names, NAMES_MAX - 3);

    out_names[count++] = "include";
    out_names[count++] = "use";
    if (where == IN_TOP)
        out_names[count++] = "define";
    CHECK(count < NAMES_MAX);
    out_names[count] = NULL;
}

/* The name of another place that was most likely meant, or NULL. */
static const char *nearest_anywhere(px_str name)
{
    const char *names[NAMES_MAX];

    schema_names(UINT32_MAX, names, NAMES_MAX);
    return report_nearest(name, names);
}

/* A name that stands elsewhere is told where; another one what was meant. */
static void note_unknown(struct config_load *load, const struct config_statement *statement,
                         uint32_t where)
{
    px_str name = statement->name.text;
    const char *place = schema_place_name(where), *names[NAMES_MAX];
    int shown = name.len > SHOWN_MAX ? SHOWN_MAX : (int)name.len;
    char places[PLACES_TEXT_MAX], meant[PLACES_TEXT_MAX + SHOWN_MAX] = "";

    if (!report_wants(&load->report, REPORT_MEANING, statement->name.place)) {
        report_add(&load->report, REPORT_MEANING, statement->name.place, "unknown directive");
        return;
    }
    /* In a block what is of another one is more likely meant. */
    const char *foreign = where == IN_TOP || schema_places(name) == 0 ? foreign_find(name) : NULL;

    const char *advice = where == IN_TOP || schema_places(name) == 0
                             ? foreign_advice(name, statement->has_block)
                             : NULL;

    if (advice) {
        report_add(&load->report, REPORT_MEANING, statement->name.place,
                   "unknown directive \"%.*s\" in %s; %s", shown, name.ptr, place, advice);
        return;
    }
    if (foreign) {
        report_add(&load->report, REPORT_MEANING, statement->name.place,
                   "unknown directive \"%.*s\" in %s; here it is \"%s\"", shown, name.ptr, place,
                   foreign);
        return;
    }
    places_text(name, places, sizeof(places));
    if (places[0] != '\0') {
        report_add(&load->report, REPORT_MEANING, statement->name.place,
                   "\"%.*s\" stands in %s, not in %s", shown, name.ptr, places, place);
        return;
    }
    names_here(where, names);
    const char *nearest = report_nearest(name, names);
    const char *elsewhere = nearest ? NULL : nearest_anywhere(name);

    if (nearest) {
        snprintf(meant, sizeof(meant), "; did you mean \"%s\"?", nearest);
    } else if (elsewhere) {
        places_text(px_str_of(elsewhere), places, sizeof(places));
        snprintf(meant, sizeof(meant), "; did you mean \"%s\", which stands in %s?", elsewhere,
                 places);
    }
    report_add(&load->report, REPORT_MEANING, statement->name.place,
               "unknown directive \"%.*s\" in %s%s", shown, name.ptr, place, meant);
}

/* --- Values and options ----------------------------------------------------------------------- */

/* Whether a value is an option: NAME=..., or a flag. */
static bool find_option(const struct config_directive *row, px_str text, uint32_t *out_index,
                        px_str *out_value)
{
    for (uint32_t i = 0; row->options && row->options[i].name; i++) {
        const struct config_option *option = &row->options[i];
        size_t len = strlen(option->name);
        bool begins = text.len >= len && memcmp(text.ptr, option->name, len) == 0;

        if (begins && option->is_flag && text.len == len) {
            *out_index = i;
            *out_value = px_str_make(text.ptr + len, 0);
            return true;
        }
        if (begins && !option->is_flag && text.len > len && text.ptr[len] == '=') {
            *out_index = i;
            *out_value = px_str_make(text.ptr + len + 1, text.len - len - 1);
            return true;
        }
    }
    return false;
}

/* What an option's value is called. */
static const char *option_value_name(const struct config_directive *row, const char *name)
{
    for (uint32_t i = 0; row->options && row->options[i].name; i++)
        if (strcmp(row->options[i].name, name) == 0 && row->options[i].use.name)
            return row->options[i].use.name;
    return "VALUE";
}

/* Whether its last value may be of several words. */
static bool takes_text(const struct config_directive *row)
{
    const struct config_use *last = &row->uses[row->uses[1].name ? 1 : 0];

    return last->name && !last->words && (last->type == TYPE_TEXT || last->type == TYPE_TEMPLATE) &&
           row->values_max != 1;
}

/* A value like NAME=... that is no option, behind all values that there may be. */
static void note_too_many(struct config_load *load, const struct config_directive *row,
                          const struct config_value *value)
{
    const char *names[NAMES_MAX];
    const char *equals = memchr(value->text.ptr, '=', value->text.len);
    uint32_t count = 0;

    for (; row->options && row->options[count].name && count < NAMES_MAX - 1; count++)
        names[count] = row->options[count].name;
    names[count] = NULL;
    px_str name = value->text;

    if (equals)
        name.len = (size_t)(equals - name.ptr);
    const char *nearest = report_nearest(name, names);
    const char *advice = foreign_value(px_str_of(row->name), value->text);
    const char *quote = takes_text(row) ? "; quote what has blanks" : "";

    if (advice)
        report_add(&load->report, REPORT_MEANING, value->place, "\"%s\" has no \"%s\"; %s",
                   row->name, value->text.ptr, advice);
    else if (nearest && px_str_equal(name, px_str_of(nearest)))
        report_add(&load->report, REPORT_MEANING, value->place, "write %s=%s", nearest,
                   option_value_name(row, nearest));
    else if (nearest)
        report_add(&load->report, REPORT_MEANING, value->place,
                   "\"%.*s\" is no option of \"%s\"; did you mean \"%s\"?", (int)name.len, name.ptr,
                   row->name, nearest);
    else if (row->values_max == 0)
        report_add(&load->report, REPORT_MEANING, value->place, "\"%s\" takes no value", row->name);
    else
        report_add(&load->report, REPORT_MEANING, value->place, "\"%s\" takes at most %u value%s%s",
                   row->name, row->values_max, row->values_max == 1 ? "" : "s", quote);
}

static void note_too_few(struct config_load *load, const struct config_node *node)
{
    const struct config_directive *row = node->row;
    const char *names[DIRECTIVE_USES_MAX] = {"", "", ""};

    CHECK(node->value_count < row->values_min);
    for (uint32_t i = 0; i < DIRECTIVE_USES_MAX; i++)
        if (row->uses[i].name)
            names[i] = row->uses[i].name;
    if (node->value_count == 1 && names[1][0]) {
        report_add(&load->report, REPORT_MEANING, node_place(node),
                   "\"%s\" needs %s behind \"%s\": %s %s %s", row->name, names[1],
                   node->values[0].value->text.ptr, row->name, names[0], names[1]);
        return;
    }
    report_add(&load->report, REPORT_MEANING, node_place(node), "\"%s\" needs a value: %s%s%s%s%s",
               row->name, row->name, names[0][0] ? " " : "", names[0], names[1][0] ? " " : "",
               names[1]);
}

/* What the value at `index` is, of `count` that stand there. */
static const struct config_use *use_of(const struct config_directive *row, uint32_t index,
                                       uint32_t count)
{
    uint32_t last = index < DIRECTIVE_USES_MAX ? index : DIRECTIVE_USES_MAX - 1;

    if (row->last_differs)
        last = index > 0 && index + 1 == count ? DIRECTIVE_USES_MAX - 1 : 0;

    while (last > 0 && !row->uses[last].name)
        last--;
    CHECK(last < DIRECTIVE_USES_MAX);
    return &row->uses[last];
}

static bool read_option(struct config_load *load, struct config_node *node, uint32_t index,
                        const struct config_value *value, px_str text)
{
    const struct config_option *option = &node->row->options[index];
    struct config_typed *slot = &node->options[index];

    CHECK(node->row->options && option->name);
    if (!slot->value && !option->is_flag)
        return config_type_read(load, &option->use, value, text, slot);
    if (slot->value)
        report_add(&load->report, REPORT_MEANING, value->place, "\"%s\" is there twice",
                   option->name);
    bool is_first = !slot->value;

    slot->value = value;
    return is_first;
}

/* Whether a value is missing; `NAME none`, `NAME off` and the removal of a field need no second
 * one. */
static bool is_short(const struct config_node *node)
{
    const struct config_typed *first = node->values;

    if (node->value_count >= node->row->values_min)
        return false;
    return !(node->value_count == 1 && (first->is_word || first->is_off || first->edit == '-'));
}

/* Words that say all: "none" of a list, "https" of a redirect, "off". */
static bool is_word_alone(const struct config_node *node)
{
    static const char *const words[] = {"none", "https", "off"};
    const struct config_typed *first = &node->values[0];
    bool is_alone = false;

    if (node->row->uses[0].type == TYPE_WORD)
        return px_str_equal(first->value->text, px_str_of("off"));
    if (!first->is_word && !first->is_off)
        return false;
    for (size_t i = 0; i < ARRAY_COUNT(words); i++)
        is_alone |= px_str_equal(first->value->text, px_str_of(words[i]));
    return is_alone && !node->row->last_differs;
}

/* False: noted. */
static bool read_values(struct config_load *load, struct config_node *node)
{
    const struct config_statement *statement = node->statement;
    const struct config_directive *row = node->row;
    bool is_good = true, told = false;

    for (uint32_t i = 0; i < statement->value_count; i++) {
        const struct config_value *value = &statement->values[i];
        uint32_t option;
        px_str text;

        if (find_option(row, value->text, &option, &text)) {
            is_good &= read_option(load, node, option, value, text);
            continue;
        }
        if (node->value_count >= row->values_max) {
            if (!told)
                note_too_many(load, row, value);
            told = true;
            continue;
        }
        const struct config_use *use = use_of(row, node->value_count, statement->value_count);

        is_good &=
            config_type_read(load, use, value, value->text, &node->values[node->value_count]);
        slips_judge(load, row, use, value);
        node->value_count++;
    }
    node->is_none = row->kind == KIND_LIST && node->value_count == 1 && node->values[0].is_word &&
                    px_str_equal(node->values[0].text, px_str_of("none"));
    /* `-Name` and `NAME none` are whole. */
    if (node->value_count > 1 && (node->values[0].edit == '-' || is_word_alone(node)) && !told) {
        report_add(&load->report, REPORT_MEANING, node->values[1].value->place,
                   "\"%s %s\" takes no other value", row->name, node->values[0].value->text.ptr);
        told = true;
    }
    bool is_too_short = is_short(node);

    if (is_too_short)
        note_too_few(load, node);
    return is_good && !told && !is_too_short;
}

/* --- Blocks ----------------------------------------------------------------------------------- */

static struct config_node *check_list(struct config_load *load,
                                      const struct config_statement *statement, uint32_t where,
                                      bool *out_is_partial);

/* False: noted. */
static bool check_block(struct config_load *load, struct config_node *node)
{
    const struct config_directive *row = node->row;

    if (node->statement->has_block && row->block == 0) {
        report_add(&load->report, REPORT_MEANING, node->statement->open, "\"%s\" has no block",
                   row->name);
        return false;
    }
    if (!node->statement->has_block && row->needs_block) {
        report_add(&load->report, REPORT_MEANING, node_place(node), "\"%s\" needs a block: { ... }",
                   row->name);
        return false;
    }
    if (node->statement->has_block)
        node->children = check_list(load, node->statement->children, row->block, &node->is_partial);
    return true;
}

/* The redirect to https comes before every answer, and is none of them. */
static bool is_answer(const struct config_node *node)
{
    bool is_https = node_is(node, "redirect") && node->value_count > 0 && node->values[0].is_word;

    return node->row->kind == KIND_ANSWER && !is_https;
}

/* A setting is said once in a block; answers are all alternatives to each other. */
static void check_repeat(struct config_load *load, const struct config_node *list,
                         const struct config_node *node)
{
    if (node->row->kind != KIND_SETTING && node->row->kind != KIND_ANSWER)
        return;
    for (const struct config_node *other = list; other != node; other = other->next) {
        bool both_answer = is_answer(other) && is_answer(node);
        bool is_repeat = other->row == node->row && is_answer(other) == is_answer(node);
        struct config_place place = node_place(other);

        if (both_answer)
            report_add(&load->report, REPORT_MEANING, node_place(node),
                       "a second answer; \"%s\" is at %s:%u", other->row->name, place.file->name,
                       place.line);
        else if (is_repeat)
            report_add(&load->report, REPORT_MEANING, node_place(node),
                       "\"%s\" is already at %s:%u", node->row->name, place.file->name, place.line);
        if (both_answer || is_repeat)
            return;
    }
}

static struct config_node *check_one(struct config_load *load,
                                     const struct config_statement *statement, uint32_t where)
{
    const struct config_directive *row = schema_find(statement->name.text, where);
    struct config_node *node;
    uint32_t options = 0;

    if (!row) {
        /* A name in quotes, or with what is no variable: noted. */
        if (!statement->is_wrong || statement->name.text.len > 0)
            note_unknown(load, statement, where);
        return NULL;
    }
    node = load_take(load, sizeof(*node));
    if (!node)
        return NULL;
    while (row->options && row->options[options].name)
        options++;
    node->row = row;
    node->statement = statement;
    node->values = load_take(load, (statement->value_count + 1) * sizeof(node->values[0]));
    node->options = load_take(load, (options + 1) * sizeof(node->options[0]));
    if (!node->values || !node->options)
        return NULL;
    bool is_good = !statement->is_wrong && read_values(load, node);

    return check_block(load, node) && is_good ? node : NULL;
}

static struct config_node *check_list(struct config_load *load,
                                      const struct config_statement *statement, uint32_t where,
                                      bool *out_is_partial)
{
    struct config_node *first = NULL, **tail = &first;

    *out_is_partial = false;
    for (; statement && !load->report.out_of_memory; statement = statement->next) {
        struct config_node *node = check_one(load, statement, where);

        *out_is_partial |= !node;
        if (!node)
            continue;
        *tail = node;
        tail = &node->next;
        check_repeat(load, first, node);
    }
    return first;
}

struct config_node *config_check(struct config_load *load)
{
    return check_list(load, load->statements, IN_TOP, &load->is_top_partial);
}
