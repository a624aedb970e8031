/*
 * What is in effect in a route: from the file, its host and itself.
 *
 *   a setting of an inner block replaces the outer one
 *   a list appends to the outer one; NAME none first empties it
 *   an answer replaces the outer one
 *   what stands under a `when` is kept beside the rest: the request decides
 */
#include <string.h>

#include "base/check.h"
#include "config/settings.h"

enum { SCOPES_MAX = 3, STEPS_FIRST = 16, NAMES_MAX = 256 };

struct settling {
    struct config_load *load;
    struct config_route *route;
    const struct config_scope *scope; /* the one at hand */
    uint32_t room;
};

static bool is_https_redirect(const struct config_node *node)
{
    return node_is(node, "redirect") && node->value_count > 0 && node->values[0].is_word;
}

static enum config_phase phase_of(const struct config_node *node)
{
    return is_https_redirect(node) ? PHASE_HTTPS : node->row->phase;
}

/* --- match ------------------------------------------------------------------------------------ */

/* The match of that name, from inside out. */
static const struct config_node *find_match(const struct config_scope *scope, px_str name)
{
    for (; scope; scope = scope->outer)
        for (const struct config_node *node = scope->nodes; node; node = node->next)
            if (node_is(node, "match") && node->value_count > 0 &&
                px_str_equal(node->values[0].text, name))
                return node;
    return NULL;
}

static void note_no_match(struct settling *settling, const struct config_typed *name)
{
    struct config_report *report = &settling->load->report;
    const char *names[NAMES_MAX + 1];
    uint32_t count = 0;

    if (settling->load->is_partial)
        return;
    for (const struct config_scope *scope = settling->scope; scope; scope = scope->outer)
        for (const struct config_node *node = scope->nodes; node; node = node->next)
            if (node_is(node, "match") && node->value_count > 0 && count < NAMES_MAX)
                names[count++] = node->values[0].text.ptr;
    names[count] = NULL;
    const char *nearest = report_nearest(name->text, names);

    if (!nearest) {
        report_add(report, REPORT_MEANING, name->value->place, "match \"%s\" is not defined",
                   name->text.ptr);
        return;
    }
    struct config_place place = node_place(find_match(settling->scope, px_str_of(nearest)));

    report_add(report, REPORT_MEANING, name->value->place,
               "match \"%s\" is not defined; \"%s\" is, at %s:%u", name->text.ptr, nearest,
               place.file->name, place.line);
}

/* --- Steps ------------------------------------------------------------------------------------ */

static bool append(struct settling *settling, struct config_step step)
{
    struct config_route *route = settling->route;

    CHECK(step.node && route->step_count <= settling->room);
    if (route->step_count == settling->room) {
        uint32_t room = settling->room == 0 ? STEPS_FIRST : settling->room * 2;
        struct config_step *steps = load_take(settling->load, room * sizeof(steps[0]));

        if (!steps)
            return false;
        if (route->step_count > 0)
            memcpy(steps, route->steps, route->step_count * sizeof(steps[0]));
        route->steps = steps;
        settling->room = room;
    }
    route->steps[route->step_count++] = step;
    return true;
}

/* Takes out what a directive replaces: all of its row that waits for no match, or for any. */
static void take_out(struct config_route *route, const struct config_node *node, bool with_matches)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_step *step = &route->steps[i];
        bool is_same = step->node->row == node->row && phase_of(step->node) == phase_of(node);

        if (!is_same || (step->match && !with_matches))
            route->steps[kept++] = *step;
    }
    CHECK(kept <= route->step_count);
    route->step_count = kept;
}

/* An inner answer replaces outer ones, whether they wait for a match or not. */
static void take_out_answers(struct config_route *route)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < route->step_count; i++)
        if (phase_of(route->steps[i].node) != PHASE_ANSWER)
            route->steps[kept++] = route->steps[i];
    route->step_count = kept;
    route->answer = NULL;
}

static bool put(struct settling *settling, const struct config_node *node,
                const struct config_node *match)
{
    struct config_route *route = settling->route;

    if (node->row->kind == KIND_BLOCK)
        return true;
    if (node->is_none) {
        take_out(route, node, true);
        return true;
    }
    if (phase_of(node) == PHASE_ANSWER && !match)
        route->answer = node;
    else if (node->row->kind != KIND_LIST && !match)
        take_out(route, node, false);
    return append(settling, (struct config_step){node, match});
}

static bool put_when(struct settling *settling, const struct config_node *when)
{
    const struct config_node *match;

    CHECK(node_is(when, "when"));
    if (when->value_count == 0)
        return true;
    match = find_match(settling->scope, when->values[0].text);
    if (!match) {
        note_no_match(settling, &when->values[0]);
        return false;
    }
    for (const struct config_node *node = when->children; node; node = node->next)
        if (!put(settling, node, match))
            return false;
    return true;
}

static bool has_answer(const struct config_node *nodes)
{
    for (const struct config_node *node = nodes; node; node = node->next) {
        if (node->row->kind == KIND_ANSWER && !is_https_redirect(node))
            return true;
        if (node_is(node, "when") && has_answer(node->children))
            return true;
    }
    return false;
}

static bool put_scope(struct settling *settling, const struct config_scope *scope)
{
    settling->scope = scope;
    if (scope->outer && has_answer(scope->nodes))
        take_out_answers(settling->route);
    for (const struct config_node *node = scope->nodes; node; node = node->next) {
        bool is_process = (node->row->where & (IN_HOST | IN_ROUTE | IN_WHEN)) == 0;

        if (node_is(node, "when")) {
            if (!put_when(settling, node))
                return false;
        } else if (!is_process && !node_is(node, "tls") && !put(settling, node, NULL)) {
            return false;
        }
    }
    return true;
}

/* By phase, and what is of one phase as it was: a sort that moves nothing past its equal. */
static void sort(struct config_route *route)
{
    for (uint32_t i = 1; i < route->step_count; i++) {
        struct config_step step = route->steps[i];
        uint32_t at = i;

        for (; at > 0 && phase_of(route->steps[at - 1].node) > phase_of(step.node); at--)
            route->steps[at] = route->steps[at - 1];
        route->steps[at] = step;
    }
}

static void note_no_answer(struct config_load *load, const struct config_route *route,
                           const struct config_scope *scope)
{
    const char *name = scope->owner ? scope->owner->row->name : "the file";
    struct config_place place = scope->owner ? node_place(scope->owner) : config_whole(load);

    if (route->step_count > 0 && phase_of(route->steps[0].node) == PHASE_HTTPS)
        report_add(&load->report, REPORT_MEANING, place,
                   "redirect https answers http alone, and %s has no answer for https: files, "
                   "proxy, respond or another redirect is missing",
                   name);
    else
        report_add(&load->report, REPORT_MEANING, place,
                   "%s has no answer: files, proxy, respond or redirect is missing", name);
}

bool route_settle(struct config_load *load, struct config_route *route,
                  const struct config_scope *scope)
{
    const struct config_scope *scopes[SCOPES_MAX];
    struct settling settling = {.load = load, .route = route};
    uint32_t count = 0;

    CHECK(scope && !route->steps && !route->answer);
    for (const struct config_scope *at = scope; at; at = at->outer) {
        CHECK(count < SCOPES_MAX); /* a route in a host in a file */
        scopes[count++] = at;
    }
    while (count > 0)
        if (!put_scope(&settling, scopes[--count]))
            return false;
    sort(route);
    for (uint32_t i = 1; i < route->step_count; i++)
        CHECK(phase_of(route->steps[i - 1].node) <= phase_of(route->steps[i].node));
    for (uint32_t i = 0; i < route->step_count; i++)
        if (phase_of(route->steps[i].node) == PHASE_ANSWER)
            return true;
    for (const struct config_scope *at = scope; at; at = at->outer)
        if (at->is_partial || load->is_partial)
            return false; /* what is missing may be what is wrong */
    note_no_answer(load, route, scope);
    return false;
}

const struct config_node *route_setting(const struct config_route *route, const char *name)
{
    const struct config_node *found = NULL;

    for (uint32_t i = 0; i < route->step_count; i++)
        if (!route->steps[i].match && node_is(route->steps[i].node, name))
            found = route->steps[i].node;
    return found;
}
