/*
 * `pollux config`: nodes as text again.
 */
#include "config/print.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/format.h"

enum { INDENT = 4, ORIGIN_BYTES = 320 };

struct printer {
    struct buf *out;
    px_err err;
    uint32_t depth;
    bool has_proxy; /* some of the site is passed on */
};

static void put(struct printer *printer, const char *text)
{
    if (printer->err == PX_OK)
        printer->err = buf_append(printer->out, px_str_of(text));
}

static void put_indent(struct printer *printer)
{
    for (uint32_t blank = 0; blank < printer->depth * INDENT; blank++)
        put(printer, " ");
}

static void put_origin(struct printer *printer, struct config_place place)
{
    char text[ORIGIN_BYTES];

    snprintf(text, sizeof(text), " # %s:%u\n", place.file->name, place.line);
    put(printer, text);
}

/* The typed form of a value: of a path, what it is relative to nothing. */
static const struct config_typed *typed_of(const struct config_node *node,
                                           const struct config_value *value)
{
    for (uint32_t i = 0; i < node->value_count; i++)
        if (node->values[i].value == value)
            return &node->values[i];
    return NULL;
}

static bool is_path(const struct config_node *node, const struct config_typed *typed)
{
    CHECK(typed >= node->values && typed < node->values + node->value_count);
    uint32_t index = (uint32_t)(typed - node->values);
    const struct config_use *uses = node->row->uses;

    if (typed->is_word || node->row->last_differs)
        return false;
    while (index > 0 && (index >= DIRECTIVE_USES_MAX || !uses[index].name))
        index--;
    return uses[index].type == TYPE_PATH;
}

static void put_str(struct printer *printer, px_str text)
{
    if (printer->err == PX_OK)
        printer->err = buf_append(printer->out, text);
}

/* As it is spelled, but for paths, which are relative to the file that spells them. */
static void put_secret(struct printer *printer, const struct config_value *value)
{
    static const char begin[] = "${file:";
    const char *slash = strrchr(value->place.file->name, '/');
    px_str folder = px_str_make(value->place.file->name,
                                slash ? (size_t)(slash - value->place.file->name) + 1 : 0);
    px_str rest = value->spelling;
    const char *at;

    while ((at = memmem(rest.ptr, rest.len, begin, sizeof(begin) - 1)) != NULL) {
        size_t used = (size_t)(at - rest.ptr) + sizeof(begin) - 1;

        put_str(printer, px_str_make(rest.ptr, used));
        rest = px_str_make(rest.ptr + used, rest.len - used);
        if (rest.len > 0 && rest.ptr[0] != '/')
            put_str(printer, folder);
    }
    put_str(printer, rest);
}

static void put_value(struct printer *printer, const struct config_node *node,
                      const struct config_value *value)
{
    const struct config_typed *typed = typed_of(node, value);

    put(printer, " ");
    if (printer->err != PX_OK)
        return;
    if (value->from_file)
        put_secret(printer, value);
    else if (typed && is_path(node, typed))
        printer->err = config_write_value(printer->out, typed->text);
    else if (value->quote != QUOTE_NONE)
        printer->err = config_write_quoted(printer->out, value->text);
    else
        printer->err = config_write_value(printer->out, value->text);
}

static void put_default(struct printer *printer, const struct config_directive *row)
{
    put_indent(printer);
    put(printer, row->name);
    put(printer, " ");
    put(printer, row->defaults);
    put(printer, " # default\n");
}

/* Content of requests that are passed on has no limit unless the file says one, so there the
 * default is not one that can be written down. */
static bool is_other_for_proxies(const struct printer *printer, const struct config_directive *row)
{
    return printer->has_proxy && (row->where & IN_LIMITS) && strcmp(row->name, "content") == 0;
}

static bool has_proxy(const struct config_settings *settings)
{
    for (const struct config_host *host = settings->hosts; host; host = host->next)
        for (const struct config_route *route = host->routes; route; route = route->next)
            for (uint32_t i = 0; i < route->step_count; i++)
                if (node_is(route->steps[i].node, "proxy"))
                    return true;
    return false;
}

/* Settings of a place that the file does not say. */
static void put_defaults(struct printer *printer, const struct config_node *given, uint32_t where)
{
    for (size_t table = 0; schema_tables[table]; table++)
        for (const struct config_directive *row = schema_tables[table]; row->name; row++)
            if ((row->where & where) != 0 && row->defaults && row->kind == KIND_SETTING &&
                !node_find(given, row->name) && !is_other_for_proxies(printer, row))
                put_default(printer, row);
}

static void put_nodes(struct printer *printer, const struct config_node *nodes);

static void put_node(struct printer *printer, const struct config_node *node)
{
    const struct config_statement *statement = node->statement;
    uint32_t block = node->row->block;

    put_indent(printer);
    put(printer, node->row->name);
    for (uint32_t i = 0; i < statement->value_count; i++)
        put_value(printer, node, &statement->values[i]);
    if (!statement->has_block && block != IN_PROXY) {
        put_origin(printer, node_place(node));
        return;
    }
    put(printer, " {");
    put_origin(printer, node_place(node));
    printer->depth++;
    put_nodes(printer, node->children);
    /* What a host or a route does not say is what the top says. */
    if ((block & (IN_UPSTREAM | IN_PROXY | IN_TLS)) != 0 ||
        ((block & (IN_LIMITS | IN_TIMEOUTS | IN_RATES)) != 0 && printer->depth == 1))
        put_defaults(printer, node->children, block);
    printer->depth--;
    put_indent(printer);
    put(printer, "}\n");
}

static void put_nodes(struct printer *printer, const struct config_node *nodes)
{
    for (const struct config_node *node = nodes; node; node = node->next)
        put_node(printer, node);
}

/* A block of which the file says nothing. */
static void put_block(struct printer *printer, const struct config_node *given, const char *name,
                      uint32_t where)
{
    if (node_find(given, name))
        return;
    put(printer, name);
    put(printer, " { # default\n");
    printer->depth++;
    put_defaults(printer, NULL, where);
    printer->depth--;
    put(printer, "}\n");
}

px_err config_print(const struct config_settings *settings, struct buf *out)
{
    struct printer printer = {.out = out, .err = PX_OK, .has_proxy = has_proxy(settings)};
    const struct config_node *nodes = settings->nodes;

    put_nodes(&printer, nodes);
    put_defaults(&printer, nodes, IN_TOP);
    if (settings->listens && !settings->listens->node) {
        put(&printer, "listen ");
        put(&printer, settings->listens->address.ptr);
        put(&printer, " # default\n");
    }
    put_block(&printer, nodes, "limits", IN_LIMITS);
    put_block(&printer, nodes, "timeouts", IN_TIMEOUTS);
    put_block(&printer, nodes, "minimum_rate", IN_RATES);
    return printer.err;
}
