/*
 * Comparing what two configurations say of the process.
 *
 * Which directives need a restart is said by their rows.
 */
#include "main/run/run_change.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/serving.h"

enum { NOTE_BYTES = 256 };

static bool has_same_options(const struct config_node *one, const struct config_node *other)
{
    const struct config_option *rows = one->row->options;

    for (uint32_t i = 0; rows && rows[i].name; i++) {
        const struct config_typed *left = node_option(one, rows[i].name);
        const struct config_typed *right = node_option(other, rows[i].name);

        if (!left != !right || (left && !px_str_equal(left->text, right->text)))
            return false;
    }
    return true;
}

static bool is_same(const struct config_node *one, const struct config_node *other)
{
    if (!one || !other)
        return one == other;
    if (one->value_count != other->value_count || one->row != other->row)
        return false;
    for (uint32_t i = 0; i < one->value_count; i++)
        if (!px_str_equal(one->values[i].text, other->values[i].text))
            return false;
    return has_same_options(one, other);
}

static struct config_place place_of(const struct config_node *node, const struct config *config)
{
    if (node)
        return node_place(node);
    /* The file as a whole: what is missing has no place. */
    const struct config_file *file = config->load.files;

    while (file && file->next)
        file = file->next;
    return (struct config_place){.file = file};
}

/* Rows of one block, or of the top. */
static bool compare(const struct config_node *old, const struct config_node *new,
                    struct config *config, uint32_t where)
{
    bool is_possible = true;

    for (size_t table = 0; schema_tables[table]; table++) {
        for (const struct config_directive *row = schema_tables[table]; row->name; row++) {
            const struct config_node *was = node_find(old, row->name);
            const struct config_node *is = node_find(new, row->name);

            if (!row->needs_restart || (row->where & where) == 0 || is_same(was, is))
                continue;
            report_add(&config->load.report, REPORT_MEANING, place_of(is, config),
                       "\"%s\" cannot change by a reload: restart pollux for it", row->name);
            is_possible = false;
        }
    }
    return is_possible;
}

static const struct config_node *block(const struct config *config, const char *name)
{
    const struct config_node *node = node_find(config->settings->nodes, name);

    return node ? node->children : NULL;
}

/* One process, without a master: a process that asks has one. */
static bool is_alone(const struct config *config)
{
    const struct config_node *node = node_find(config->settings->nodes, "workers");

    return node && node->value_count > 0 && !node->values[0].is_word && node->values[0].number == 0;
}

bool run_change_is_possible(const struct config *old, struct config *new)
{
    bool is_possible = compare(old->settings->nodes, new->settings->nodes, new, IN_TOP);

    if (is_alone(new)) {
        run_change_note(new, "workers", 1,
                        "workers cannot become 0 by a reload: restart pollux for it");
        is_possible = false;
    }
    return compare(block(old, "timeouts"), block(new, "timeouts"), new, IN_TIMEOUTS) && is_possible;
}

bool run_change_has_sockets(struct config *new, uint32_t socket_count)
{
    const struct config_node *node = node_find(new->settings->nodes, "workers");

    if (!node || node->value_count == 0 || node->values[0].is_word ||
        node->values[0].number <= socket_count)
        return true;
    run_change_note(new, "workers", 1,
                    "there are sockets for %u workers, and more need a restart; \"max_workers\" "
                    "makes more of them at start",
                    socket_count);
    return false;
}

/* Whether it is about the process: what stands at the top alone, but for hosts and what is made of
 * texts. */
static bool is_of_process(const struct config_node *node)
{
    return node->row->where == IN_TOP && !node_is(node, "host") && !node_is(node, "health");
}

static bool is_same_deep(const struct config_node *one, const struct config_node *other)
{
    const struct config_node *inner = one->children, *beside = other->children;

    if (one->row != other->row || !is_same(one, other))
        return false;
    for (; inner && beside; inner = inner->next, beside = beside->next)
        if (!is_same_deep(inner, beside))
            return false;
    return inner == beside;
}

static bool is_same_deep_or_none(const struct config_node *one, const struct config_node *other)
{
    return one && other ? is_same_deep(one, other) : one == other;
}

static bool is_kept(const struct config_node *node)
{
    return is_of_process(node) || node_is(node, "listen") || node_is(node, "tls") ||
           node_is(node, "limits") || node_is(node, "timeouts") || node_is(node, "minimum_rate");
}

static const struct config_node *kept_from(const struct config_node *node)
{
    while (node && !is_kept(node))
        node = node->next;
    return node;
}

/* Listeners of hosts count too, and their order: a site knows them by their numbers. */
static bool has_same_listeners(const struct config *old, struct config *new)
{
    const struct config_listen *was = old->settings->listens, *is = new->settings->listens;

    while (was && is && px_str_equal(was->address, is->address) &&
           is_same_deep_or_none(was->node, is->node)) {
        was = was->next;
        is = is->next;
    }
    if (!was && !is)
        return true;
    report_add(&new->load.report, REPORT_MEANING, place_of(is ? is->node : NULL, new),
               "listeners and their order cannot change by a reload with workers 0: restart pollux "
               "for it");
    return false;
}

/* The next `tls` of a host, after `*node` of `*host`; NULL behind the last one. */
static const struct config_node *next_tls(const struct config_host **host,
                                          const struct config_node *node)
{
    node = node ? node->next : NULL;
    for (;;) {
        for (; node; node = node->next)
            if (node_is(node, "tls"))
                return node;
        do {
            *host = (*host)->next;
        } while (*host && !(*host)->node);
        if (!*host)
            return NULL;
        node = (*host)->node->children;
    }
}

/* Certificates are those that the process has begun with. */
static bool has_same_tls(const struct config *old, struct config *new)
{
    struct config_host first = {.next = old->settings->hosts};
    struct config_host second = {.next = new->settings->hosts};
    const struct config_host *old_host = &first, *new_host = &second;
    const struct config_node *was = next_tls(&old_host, NULL), *is = next_tls(&new_host, NULL);

    while (was && is && is_same_deep(was, is)) {
        was = next_tls(&old_host, was);
        is = next_tls(&new_host, is);
    }
    if (!was && !is)
        return true;
    report_add(&new->load.report, REPORT_MEANING, place_of(is, new),
               "certificates of hosts cannot change by a reload with workers 0: restart pollux for "
               "it");
    return false;
}

static bool asks(const struct config *config, const char *url)
{
    struct config_place place;
    const char *other;

    for (uint32_t i = 0; (other = config_server_at(config, i, &place)) != NULL; i++)
        if (strcmp(other, url) == 0)
            return true;
    return false;
}

/* The sandbox of a process that is alone was entered with the servers of its first file. */
static bool has_same_servers(const struct config *old, struct config *new)
{
    struct config_place place;
    bool is_same = true;
    const char *url;

    for (uint32_t i = 0; (url = config_server_at(new, i, &place)) != NULL; i++) {
        if (asks(old, url))
            continue;
        report_add(&new->load.report, REPORT_MEANING, place,
                   "servers cannot change by a reload with workers 0: restart pollux for it");
        is_same = false;
    }
    return is_same;
}

bool run_change_is_of_site(const struct config *old, struct config *new)
{
    const struct config_node *was = kept_from(old->settings->nodes);
    const struct config_node *is = kept_from(new->settings->nodes);

    while (was && is && is_same_deep(was, is)) {
        was = kept_from(was->next);
        is = kept_from(is->next);
    }
    if (!was && !is)
        return has_same_listeners(old, new) && has_same_tls(old, new) && has_same_servers(old, new);
    report_add(&new->load.report, REPORT_MEANING, place_of(is, new),
               "\"%s\" cannot change by a reload with workers 0: restart pollux for it",
               is ? is->row->name : was->row->name);
    return false;
}

void run_change_note(struct config *config, const char *name, uint32_t value, const char *format,
                     ...)
{
    const struct config_node *node = node_find(config->settings->nodes, name);
    struct config_place place = place_of(node, config);
    char text[NOTE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (node && value > 0 && value <= node->value_count)
        place = node->values[value - 1].value->place;
    report_add(&config->load.report, REPORT_MEANING, place, "%s", text);
}

void run_change_note_listen(struct config *config, uint32_t index, const px_error *error)
{
    struct config_place place = place_of(NULL, config);

    for (const struct config_listen *listen = config->settings->listens; listen;
         listen = listen->next)
        if (listen->index == index && listen->node)
            place = listen->node->values[0].value->place;
    report_add(&config->load.report, REPORT_MEANING, place, "%s", error->text);
}
