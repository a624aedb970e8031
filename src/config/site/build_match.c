/*
 * match: conditions, made once each, whatever waits for them.
 */
#include <string.h>

#include "base/check.h"
#include "config/site/build.h"

enum { MATCH_VALUES_FIRST = 16 };

static const struct {
    const char *name;
    px_match_kind kind;
} kinds[] = {
    {"method", PX_MATCH_METHOD}, {"path", PX_MATCH_PATH},     {"host", PX_MATCH_HOST},
    {"scheme", PX_MATCH_SCHEME}, {"header", PX_MATCH_HEADER}, {"query", PX_MATCH_QUERY},
    {"cookie", PX_MATCH_COOKIE}, {"client", PX_MATCH_CLIENT},
};

static bool add_line(struct build *build, px_matcher *matcher, const struct config_node *node,
                     px_match_kind kind)
{
    CHECK(matcher && node->value_count > 0);
    px_str *values = load_take(build->load, node->value_count * sizeof(values[0]));
    px_error error;
    size_t at = 0;

    if (!values)
        return false;
    for (uint32_t i = 0; i < node->value_count; i++)
        values[i] = node->values[i].text;
    px_err err = px_matcher_add(matcher, kind, values, node->value_count, &at, &error);

    if (err == PX_OK)
        return true;
    build_note(build,
               err == PX_ERR_INVALID && at < node->value_count ? node->values[at].value->place
                                                               : node_place(node),
               &error);
    return false;
}

static bool add_lines(struct build *build, px_matcher *matcher, const struct config_node *nodes);

static bool add_not(struct build *build, px_matcher *matcher, const struct config_node *node)
{
    px_error error;

    CHECK(node_is(node, "not"));
    px_matcher *inner = px_matcher_create(&build->config->allocator, &error);
    bool is_good = inner && add_lines(build, inner, node->children);

    if (!inner) {
        build_note(build, node_place(node), &error);
    } else if (is_good && px_matcher_add_not(matcher, inner, &error) != PX_OK) {
        build_note(build, node_place(node), &error);
        is_good = false;
    }
    px_matcher_destroy(inner);
    return is_good;
}

static bool add_lines(struct build *build, px_matcher *matcher, const struct config_node *nodes)
{
    bool is_good = true;

    for (const struct config_node *node = nodes; node; node = node->next) {
        if (node_is(node, "not"))
            is_good &= add_not(build, matcher, node);
        for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
            if (node_is(node, kinds[i].name) && node->value_count > 0)
                is_good &= add_line(build, matcher, node, kinds[i].kind);
    }
    return is_good;
}

static void matcher_release(void *matcher)
{
    px_matcher_destroy(matcher);
}

bool build_match(struct build *build, const struct config_node *match, px_matcher **out_matcher)
{
    px_error error;

    *out_matcher = NULL;
    if (!match)
        return true;
    CHECK(node_is(match, "match"));
    *out_matcher = build_made_find(build->config, match, NULL);
    if (*out_matcher)
        return true;
    px_matcher *matcher = px_matcher_create(&build->config->allocator, &error);

    if (!matcher) {
        build_note(build, node_place(match), &error);
        return false;
    }
    bool is_good = add_lines(build, matcher, match->children);

    /* Also what is wrong is kept, so that it is told once. */
    if (!build_made_keep(build, match, NULL, matcher, matcher_release))
        return false;
    *out_matcher = matcher;
    return is_good;
}

bool build_clients(struct build *build, const struct config_node *node, px_matcher **out_matcher)
{
    px_error error;
    px_matcher *matcher = px_matcher_create(&build->config->allocator, &error);

    if (!matcher) {
        build_note(build, node_place(node), &error);
        return false;
    }
    bool is_good = add_line(build, matcher, node, PX_MATCH_CLIENT);

    *out_matcher = matcher;
    return build_made_keep(build, node, NULL, matcher, matcher_release) && is_good;
}
