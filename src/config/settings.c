/*
 * Listeners, hosts and routes of a file.
 *
 * It can fail by what contradicts itself: two hosts of one name, answers beside hosts, a listener
 * for TLS without a certificate.  Each is noted at its place, all of them in one go.
 */
#include "config/settings.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"

struct making {
    struct config_load *load;
    struct config_settings *settings;
    struct config_listen **listen_tail;
    struct config_host **host_tail;
    bool is_partial; /* something of the file, or of a host, is not understood */
};

static void note(struct making *making, struct config_place place, const char *what)
{
    report_add(&making->load->report, REPORT_MEANING, place, "%s", what);
}

/* What holds of settings that are made: hosts and listeners as they are counted, each route with an
 * answer of its own or one under a `when`. */
static void settings_check(const struct config_settings *settings)
{
    uint32_t listen_count = 0, host_count = 0;

    for (const struct config_listen *listen = settings->listens; listen; listen = listen->next) {
        CHECK(listen->index == listen_count && listen->address.ptr);
        CHECK(!listen->is_tls || listen->node);
        listen_count++;
    }
    for (const struct config_host *host = settings->hosts; host; host = host->next) {
        host_count++;
        CHECK(host->node || settings->host_count == 1);
        for (const struct config_bind *bind = host->binds; bind; bind = bind->next)
            CHECK(bind->listen && bind->listen->index < settings->listen_count);
        for (const struct config_route *route = host->routes; route; route = route->next) {
            CHECK(route->pattern && route->step_count > 0);
            CHECK(route->node || !route->next); /* the host's own answer is the last */
        }
    }
    CHECK(listen_count == settings->listen_count && listen_count > 0);
    CHECK(host_count == settings->host_count && host_count > 0);
}

/* --- Listeners -------------------------------------------------------------------------------- */

static struct config_listen *find_listen(const struct making *making, px_str address)
{
    for (struct config_listen *listen = making->settings->listens; listen; listen = listen->next)
        if (px_str_equal(listen->address, address))
            return listen;
    return NULL;
}

static struct config_listen *add_listen(struct making *making, const struct config_node *node,
                                        px_str address, bool is_shared)
{
    struct config_listen *listen = load_take(making->load, sizeof(*listen));

    if (!listen)
        return NULL;
    listen->node = node;
    listen->address = address;
    listen->is_shared = is_shared;
    listen->is_tls = node && node_option(node, "tls") != NULL;
    listen->index = making->settings->listen_count++;
    CHECK(!*making->listen_tail);
    *making->listen_tail = listen;
    making->listen_tail = &listen->next;
    return listen;
}

/* A listen at the top: the same address twice is a slip. */
static void top_listen(struct making *making, const struct config_node *node)
{
    const struct config_listen *known;

    if (node->value_count == 0)
        return;
    known = find_listen(making, node->values[0].text);
    if (!known) {
        add_listen(making, node, node->values[0].text, true);
        return;
    }
    struct config_place place = node_place(known->node);

    report_add(&making->load->report, REPORT_MEANING, node->values[0].value->place,
               "\"%s\" is listened on already, at %s:%u", node->values[0].text.ptr,
               place.file->name, place.line);
}

static bool has_options(const struct config_node *node)
{
    for (uint32_t i = 0; node->row->options[i].name; i++)
        if (node->options[i].value)
            return true;
    return false;
}

/* A listen in a host binds the host to that listener, whether it is named already or new. */
static void host_listen(struct making *making, struct config_host *host,
                        const struct config_node *node)
{
    struct config_listen *listen;
    struct config_bind *bind;

    if (node->value_count == 0)
        return;
    listen = find_listen(making, node->values[0].text);
    for (bind = host->binds; bind && listen; bind = bind->next)
        if (bind->listen == listen) {
            note(making, node->values[0].value->place, "the host is bound to that address already");
            return;
        }
    if (!listen)
        listen = add_listen(making, node, node->values[0].text, false);
    else if (listen->node && listen->node != node && has_options(node) &&
             (node_option(node, "tls") != NULL) != listen->is_tls)
        note(making, node->values[0].value->place,
             "that address is listened on with and without tls");
    bind = load_take(making->load, sizeof(*bind));
    if (!bind || !listen)
        return;
    bind->listen = listen;
    bind->next = host->binds;
    host->binds = bind;
}

/* --- Routes ----------------------------------------------------------------------------------- */

/* A pattern may be written as two values: a method and a path. */
static const char *pattern_of(struct making *making, const struct config_node *node)
{
    size_t len = 1;
    char *text, *at;

    for (uint32_t i = 0; i < node->value_count; i++)
        len += node->values[i].text.len + 1;
    text = load_take(making->load, len);
    if (!text)
        return NULL;
    at = text;
    for (uint32_t i = 0; i < node->value_count; i++) {
        if (i > 0)
            *at++ = ' ';
        memcpy(at, node->values[i].text.ptr, node->values[i].text.len);
        at += node->values[i].text.len;
    }
    return text;
}

static void add_route(struct making *making, struct config_route ***tail,
                      const struct config_node *node, const struct config_scope *outer)
{
    struct config_route *route = load_take(making->load, sizeof(*route));
    struct config_scope inner = {outer, node ? node->children : NULL, node,
                                 node && node->is_partial};

    if (!route || (node && node->value_count == 0))
        return;
    route->node = node;
    route->pattern = node ? pattern_of(making, node) : "/";
    if (!route->pattern)
        return;
    if (!route_settle(making->load, route, node ? &inner : outer))
        return;
    **tail = route;
    *tail = &route->next;
}

static bool answers(const struct config_node *nodes)
{
    for (; nodes; nodes = nodes->next) {
        bool is_https =
            node_is(nodes, "redirect") && nodes->value_count > 0 && nodes->values[0].is_word;

        if (nodes->row->kind == KIND_ANSWER && !is_https)
            return true;
        if (node_is(nodes, "when") && answers(nodes->children))
            return true;
    }
    return false;
}

/* Matches of one block have names of their own. */
static void check_matches(struct making *making, const struct config_node *nodes)
{
    for (const struct config_node *node = nodes; node; node = node->next) {
        if (!node_is(node, "match") || node->value_count == 0)
            continue;
        for (const struct config_node *other = nodes; other != node; other = other->next) {
            struct config_place place = node_place(other);

            if (node_is(other, "match") && other->value_count > 0 &&
                px_str_equal(other->values[0].text, node->values[0].text))
                report_add(&making->load->report, REPORT_MEANING, node->values[0].value->place,
                           "match \"%s\" is already at %s:%u", node->values[0].text.ptr,
                           place.file->name, place.line);
        }
    }
}

/* Copies what inner blocks inherit or name, so that ten thousand of them do not each look at ten
 * thousand blocks beside them. */
static const struct config_node *inherited(struct making *making, const struct config_node *nodes)
{
    struct config_node *first = NULL, **tail = &first;

    for (const struct config_node *node = nodes; node; node = node->next) {
        bool is_process = (node->row->where & (IN_HOST | IN_ROUTE | IN_WHEN)) == 0;
        bool is_block =
            node->row->kind == KIND_BLOCK && !node_is(node, "match") && !node_is(node, "when");

        if (is_process || is_block)
            continue;
        struct config_node *copy = load_take(making->load, sizeof(*copy));

        if (!copy)
            break;
        *copy = *node;
        copy->next = NULL;
        *tail = copy;
        tail = &copy->next;
    }
    return first;
}

static void add_routes(struct making *making, struct config_host *host,
                       const struct config_scope *file, const struct config_node *nodes,
                       const struct config_node *owner)
{
    bool is_partial = owner ? owner->is_partial : making->load->is_top_partial;
    const struct config_scope own = {file, inherited(making, nodes), owner, is_partial};
    const struct config_scope *scope = &own;
    struct config_route **tail = &host->routes;
    bool is_own = answers(nodes), has_routes = node_find(nodes, "route") != NULL;

    check_matches(making, scope->nodes);
    for (const struct config_node *node = nodes; node; node = node->next)
        if (node_is(node, "route"))
            add_route(making, &tail, node, scope);
    if (is_own || !has_routes)
        add_route(making, &tail, NULL, scope);
}

/* --- Hosts ------------------------------------------------------------------------------------ */

static struct config_host *add_host(struct making *making, const struct config_node *node)
{
    struct config_host *host = load_take(making->load, sizeof(*host));

    if (!host)
        return NULL;
    host->node = node;
    CHECK(!*making->host_tail);
    *making->host_tail = host;
    making->host_tail = &host->next;
    making->settings->host_count++;
    return host;
}

static void add_hosts(struct making *making, const struct config_node *nodes)
{
    const struct config_scope file = {NULL, inherited(making, nodes), NULL,
                                      making->load->is_top_partial};
    const struct config_node *first = NULL;

    making->settings->shared = file.nodes;
    check_matches(making, file.nodes);
    for (const struct config_node *node = nodes; node; node = node->next) {
        if (!node_is(node, "host"))
            continue;
        struct config_host *host = add_host(making, node);

        first = first ? first : node;
        making->is_partial |= node->is_partial;
        if (!host)
            return;
        for (const struct config_node *inner = node->children; inner; inner = inner->next)
            if (node_is(inner, "listen"))
                host_listen(making, host, inner);
        add_routes(making, host, &file, node->children, node);
    }
    if (!first) {
        struct config_host *host = add_host(making, NULL);

        if (host)
            add_routes(making, host, NULL, nodes, NULL);
        return;
    }
    for (const struct config_node *node = nodes; node; node = node->next) {
        struct config_place place = node_place(first);
        bool is_https =
            node_is(node, "redirect") && node->value_count > 0 && node->values[0].is_word;

        if (node_is(node, "route") || (node->row->kind == KIND_ANSWER && !is_https))
            report_add(&making->load->report, REPORT_MEANING, node_place(node),
                       "\"%s\" stands at the top only where there is no host; there is one at "
                       "%s:%u",
                       node->row->name, place.file->name, place.line);
    }
}

/* --- What contradicts itself ------------------------------------------------------------------ */

struct host_name {
    const struct config_typed *name;
    struct config_host *host;
    uint32_t order; /* in the file */
};

static int compare_names(const void *left, const void *right)
{
    const struct host_name *one = left, *other = right;
    int order = strcasecmp(one->name->text.ptr, other->name->text.ptr);

    if (order != 0)
        return order;
    return one->order < other->order ? -1 : 1;
}

/* Whether two hosts are served at one listener. */
static bool share_listener(const struct config_settings *settings, const struct config_host *one,
                           const struct config_host *other)
{
    for (const struct config_listen *listen = settings->listens; listen; listen = listen->next) {
        bool is_one = !one->binds && listen->is_shared,
             is_other = !other->binds && listen->is_shared;

        for (const struct config_bind *bind = one->binds; bind; bind = bind->next)
            is_one |= bind->listen == listen;
        for (const struct config_bind *bind = other->binds; bind; bind = bind->next)
            is_other |= bind->listen == listen;
        if (is_one && is_other)
            return true;
    }
    return false;
}

static void add_name(struct host_name *names, uint32_t *count, const struct config_typed *name,
                     struct config_host *host)
{
    names[*count] = (struct host_name){name, host, *count};
    (*count)++;
}

static void check_names(struct making *making)
{
    struct config_settings *settings = making->settings;
    struct host_name *names;
    uint32_t count = 0, index = 0;

    for (const struct config_host *host = settings->hosts; host; host = host->next)
        count += host->node ? host->node->value_count : 0;
    names = load_take(making->load, (count + 1) * sizeof(names[0]));
    if (!names)
        return;
    for (struct config_host *host = settings->hosts; host; host = host->next)
        for (uint32_t value = 0; host->node && value < host->node->value_count; value++)
            add_name(names, &index, &host->node->values[value], host);
    CHECK(index == count);
    qsort(names, count, sizeof(names[0]), compare_names);
    for (index = 1; index < count; index++) {
        const struct host_name *one = &names[index - 1], *other = &names[index];
        struct config_place place = one->name->value->place;

        if (strcasecmp(one->name->text.ptr, other->name->text.ptr) != 0 ||
            !share_listener(settings, one->host, other->host))
            continue;
        other->host->is_repeated = true;
        report_add(&making->load->report, REPORT_MEANING, other->name->value->place,
                   "host \"%s\" is already at %s:%u", other->name->text.ptr, place.file->name,
                   place.line);
    }
}

static const struct config_node *first_tls(const struct config_settings *settings,
                                           const struct config_listen *listen)
{
    const struct config_node *found = node_find(settings->nodes, "tls");

    for (const struct config_host *host = settings->hosts; host && !found; host = host->next) {
        bool is_there = !host->binds && listen->is_shared;

        for (const struct config_bind *bind = host->binds; bind; bind = bind->next)
            is_there |= bind->listen == listen;
        if (is_there && host->node)
            found = node_find(host->node->children, "tls");
    }
    return found;
}

static void check_tls(struct making *making)
{
    const struct config_settings *settings = making->settings;
    const struct config_node *stray = node_find(settings->nodes, "tls");
    bool has_listener = false;

    /* What is missing may be what is wrong. */
    if (making->is_partial)
        return;
    for (const struct config_listen *listen = settings->listens; listen; listen = listen->next) {
        has_listener |= listen->is_tls;
        if (listen->is_tls && !first_tls(settings, listen))
            report_add(&making->load->report, REPORT_MEANING, node_place(listen->node),
                       "no host at \"%s\" has a certificate: tls is missing", listen->address.ptr);
    }
    for (const struct config_host *host = settings->hosts; host && !stray; host = host->next)
        if (host->node)
            stray = node_find(host->node->children, "tls");
    if (stray && !has_listener)
        note(making, node_place(stray), "there is no address for TLS: add \"listen :443 tls\"");
}

struct config_settings *config_settings(struct config_load *load, const struct config_node *nodes)
{
    struct config_settings *settings = load_take(load, sizeof(*settings));
    struct making making = {.load = load, .settings = settings};

    making.is_partial = load->is_partial || load->is_top_partial;

    if (!settings)
        return NULL;
    settings->nodes = nodes;
    making.listen_tail = &settings->listens;
    making.host_tail = &settings->hosts;
    for (const struct config_node *node = nodes; node; node = node->next)
        if (node_is(node, "listen"))
            top_listen(&making, node);
    add_hosts(&making, nodes);
    if (!settings->listens)
        add_listen(&making, NULL, px_str_of("0.0.0.0:8080"), true);
    check_names(&making);
    check_tls(&making);
    if (load->report.out_of_memory)
        return NULL;
    settings_check(settings);
    return settings;
}
