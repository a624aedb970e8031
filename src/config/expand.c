/*
 * include, define and use: afterwards the tree has none of them.
 *
 *   include conf.d/x.conf      the statements of those files, in its place
 *   define NAME { ... }        at the top, in any file, before or behind its uses
 *   use NAME                   the statements of that block, in its place
 *
 * It can fail by a file, a cycle, or a name: each is noted at its place.
 */
#include <string.h>

#include "base/check.h"
#include "config/load.h"

enum { NAMES_MAX = 1024, USE_DEPTH_MAX = 64 };

struct define {
    struct define *next;
    const struct config_statement *statement; /* define NAME { ... } */
    bool in_use;                              /* while its own statements are copied */
};

struct expansion {
    struct config_load *load;
    struct define *defines;
    uint32_t depth; /* uses in defines in uses */
};

static bool is_named(const struct config_statement *statement, const char *name)
{
    return strcmp(statement->name.text.ptr, name) == 0;
}

static bool has_wildcard(px_str text)
{
    return memchr(text.ptr, '*', text.len) || memchr(text.ptr, '?', text.len) ||
           memchr(text.ptr, '[', text.len);
}

/* What it would have put there is missing. */
static void note(struct config_load *load, struct config_place place, const char *what)
{
    load->is_partial = true;
    report_add(&load->report, REPORT_SYNTAX, place, "%s", what);
}

/* --- include ---------------------------------------------------------------------------------- */

static void include_all(struct config_load *load, struct config_statement **list, uint32_t depth);

/* Whether reading that file would come back to itself. */
static bool is_cycle(const struct config_file *file, const char *path)
{
    for (; file; file = file->from)
        if (strcmp(file->name, path) == 0)
            return true;
    return false;
}

static void include_file(struct config_load *load, const struct config_value *value,
                         const char *path, struct config_statement ***tail, uint32_t depth)
{
    struct config_statement *statements = NULL, **inner = &statements;

    CHECK(!**tail && value->place.file);
    if (is_cycle(value->place.file, path)) {
        load->is_partial = true;
        report_add(&load->report, REPORT_SYNTAX, value->place, "%s includes itself", path);
        return;
    }
    if (value->place.file->depth + 1 > CONFIG_INCLUDE_DEPTH_MAX) {
        load->is_partial = true;
        report_add(&load->report, REPORT_SYNTAX, value->place, "includes stand at most 8 deep: %s",
                   path);
        return;
    }
    struct config_file *file = load_file(load, path, value);

    if (!file)
        return;
    config_parse(load, file, &inner);
    include_all(load, &statements, depth);
    **tail = statements;
    while (**tail)
        *tail = &(**tail)->next;
}

/* Puts the statements of the files that `statement` names at the tail. */
static void include_one(struct config_load *load, const struct config_statement *statement,
                        struct config_statement ***tail, uint32_t depth)
{
    const struct config_reader *reader = load->reader;
    const struct config_value *value = statement->values;
    const char *const *names;
    px_error error = {0};
    uint32_t count;

    load->is_partial |= statement->is_wrong;
    if (statement->is_wrong)
        return;
    if (statement->value_count != 1 || statement->has_block || value->text.len == 0) {
        note(load, statement->value_count > 1 ? statement->values[1].place : statement->name.place,
             "include takes one value: a file or a pattern");
        return;
    }
    const char *path = config_path(load, value->place.file, value->text);

    if (!path)
        return;
    if (!has_wildcard(value->text)) {
        include_file(load, value, path, tail, depth);
        return;
    }
    if (reader->list(reader->context, path, &load->arena, &names, &count, &error) != PX_OK) {
        load->is_partial = true;
        if (error.code == PX_ERR_MEMORY)
            report_out_of_memory(&load->report);
        else
            report_add(&load->report, REPORT_SYNTAX, value->place, "cannot look for files: %s",
                       error.text);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        include_file(load, value, names[i], tail, depth);
}

/* Replaces every include of a list and of what is below it. */
static void include_all(struct config_load *load, struct config_statement **list, uint32_t depth)
{
    struct config_statement *statement = *list, **tail = list;

    *tail = NULL;
    while (statement && !load->report.out_of_memory) {
        struct config_statement *following = statement->next;

        statement->next = NULL;
        if (is_named(statement, "include")) {
            include_one(load, statement, &tail, depth);
        } else {
            statement_append(&tail, statement);
            if (statement->has_block && depth < CONFIG_DEPTH_MAX)
                include_all(load, &statement->children, depth + 1);
        }
        statement = following;
    }
}

/* --- define and use --------------------------------------------------------------------------- */

static struct define *find_define(const struct expansion *expansion, px_str name)
{
    for (struct define *define = expansion->defines; define; define = define->next)
        if (px_str_equal(define->statement->values[0].text, name))
            return define;
    return NULL;
}

static void define_one(struct expansion *expansion, const struct config_statement *statement)
{
    struct config_load *load = expansion->load;
    struct define *known;

    load->is_partial |= statement->is_wrong;
    if (statement->is_wrong)
        return;
    if (statement->value_count != 1 || !statement->has_block) {
        note(load, statement->value_count > 1 ? statement->values[1].place : statement->name.place,
             "write define NAME { ... }");
        return;
    }
    known = find_define(expansion, statement->values[0].text);
    if (known) {
        struct config_place place = known->statement->values[0].place;

        report_add(&load->report, REPORT_SYNTAX, statement->values[0].place,
                   "\"%s\" is already defined, at %s:%u", statement->values[0].text.ptr,
                   place.file->name, place.line);
        return;
    }
    struct define *define = load_take(load, sizeof(*define));

    if (!define)
        return;
    define->statement = statement;
    define->next = expansion->defines;
    expansion->defines = define;
}

/* Takes the defines off the top of the tree. */
static void take_defines(struct expansion *expansion)
{
    CHECK(!expansion->defines);
    struct config_statement *statement = expansion->load->statements;
    struct config_statement **tail = &expansion->load->statements;

    *tail = NULL;
    while (statement) {
        struct config_statement *following = statement->next;

        statement->next = NULL;
        if (is_named(statement, "define"))
            define_one(expansion, statement);
        else
            statement_append(&tail, statement);
        statement = following;
    }
}

static void note_unknown(struct expansion *expansion, const struct config_value *value)
{
    const char *names[NAMES_MAX + 1];
    uint32_t count = 0;

    for (const struct define *define = expansion->defines; define && count < NAMES_MAX;
         define = define->next)
        names[count++] = define->statement->values[0].text.ptr;
    names[count] = NULL;
    const char *nearest = report_nearest(value->text, names);
    struct config_report *report = &expansion->load->report;

    if (nearest)
        report_add(report, REPORT_SYNTAX, value->place, "\"%s\" is not defined; \"%s\" is",
                   value->text.ptr, nearest);
    else
        report_add(report, REPORT_SYNTAX, value->place, "\"%s\" is not defined", value->text.ptr);
}

static void use_all(struct expansion *expansion, struct config_statement **list, uint32_t depth);

/* A copy of statements, with what is below them. */
static struct config_statement *copy_all(struct config_load *load,
                                         const struct config_statement *from, uint32_t depth)
{
    struct config_statement *first = NULL, **tail = &first;

    for (; from && depth <= CONFIG_DEPTH_MAX; from = from->next) {
        if (load->report.out_of_memory)
            break;
        if (++load->statement_count > CONFIG_STATEMENT_COUNT_MAX) {
            note(load, from->name.place, "uses of defines make more than 4 million statements");
            report_out_of_memory(&load->report);
            break;
        }
        struct config_statement *copy = load_take(load, sizeof(*copy));

        if (!copy)
            break;
        *copy = *from;
        copy->next = NULL;
        copy->children = copy_all(load, from->children, depth + 1);
        statement_append(&tail, copy);
    }
    return first;
}

static void use_one(struct expansion *expansion, const struct config_statement *statement,
                    struct config_statement ***tail, uint32_t depth)
{
    struct config_load *load = expansion->load;

    load->is_partial |= statement->is_wrong;
    if (statement->is_wrong)
        return;
    if (statement->value_count != 1 || statement->has_block) {
        note(load, statement->value_count > 1 ? statement->values[1].place : statement->name.place,
             "use takes one value: the name of a define");
        return;
    }
    struct define *define = find_define(expansion, statement->values[0].text);

    if (!define) {
        load->is_partial = true;
        note_unknown(expansion, &statement->values[0]);
        return;
    }
    if (define->in_use) {
        load->is_partial = true;
        report_add(&load->report, REPORT_SYNTAX, statement->values[0].place, "\"%s\" uses itself",
                   statement->values[0].text.ptr);
        return;
    }
    if (expansion->depth == USE_DEPTH_MAX) {
        note(load, statement->values[0].place, "defines use each other at most 64 deep");
        return;
    }
    CHECK(expansion->depth < USE_DEPTH_MAX && define->statement->has_block);
    struct config_statement *copy = copy_all(load, define->statement->children, depth);

    define->in_use = true;
    expansion->depth++;
    use_all(expansion, &copy, depth);
    expansion->depth--;
    define->in_use = false;
    **tail = copy;
    while (**tail)
        *tail = &(**tail)->next;
}

static void use_all(struct expansion *expansion, struct config_statement **list, uint32_t depth)
{
    struct config_load *load = expansion->load;
    struct config_statement *statement = *list, **tail = list;

    *tail = NULL;
    while (statement && !load->report.out_of_memory) {
        struct config_statement *following = statement->next;

        statement->next = NULL;
        if (is_named(statement, "use")) {
            use_one(expansion, statement, &tail, depth);
        } else if (is_named(statement, "define")) {
            note(load, statement->name.place, "define stands at the top of a file");
        } else {
            statement_append(&tail, statement);
            if (statement->has_block && depth < CONFIG_DEPTH_MAX)
                use_all(expansion, &statement->children, depth + 1);
            else if (statement->has_block)
                note(load, statement->open, "blocks stand at most 16 deep");
        }
        statement = following;
    }
}

void config_expand(struct config_load *load)
{
    struct expansion expansion = {.load = load};

    include_all(load, &load->statements, 0);
    take_defines(&expansion);
    use_all(&expansion, &load->statements, 0);
    CHECK(expansion.depth == 0);
}
