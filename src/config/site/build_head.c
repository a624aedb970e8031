/*
 * What is done to an answer on its way out: compress, header, hsts.
 *
 * Coding is nearest to the handler, so that header sees what is sent.
 */
#include <string.h>

#include "base/check.h"
#include "config/site/build.h"
#include "pollux/compress.h"
#include "pollux/headers.h"

enum { MS = 1000, YEAR_S = 365 * 24 * 3600 };

/* --- header, hsts ----------------------------------------------------------------------------- */

struct config_place build_field_place(const struct config_node *node, const px_error *error)
{
    static const char *const of_value[] = {"placeholder", "value", "brace"};
    bool is_of_value = false;

    for (size_t i = 0; i < ARRAY_COUNT(of_value); i++)
        is_of_value |= strstr(error->text, of_value[i]) != NULL;
    CHECK(node->value_count > 0);
    return build_place_in(node->values[is_of_value && node->value_count > 1 ? 1 : 0].value, error);
}

static bool is_hsts_off(const struct config_node *node)
{
    return node_is(node, "hsts") && node->value_count > 0 && node->values[0].is_off;
}

static bool header_add(struct build_route *route, px_headers *headers,
                       const struct config_step *step)
{
    const struct config_node *node = step->node;
    px_matcher *when;
    px_error error;
    px_err err;

    if (!build_match(route->build, step->match, &when))
        return false;
    if (is_hsts_off(node)) {
        err = px_headers_add(headers, PX_HEADER_REMOVE, px_str_of("Strict-Transport-Security"),
                             px_str_of(NULL), when, &error);
    } else if (node_is(node, "hsts")) {
        uint64_t seconds = node->value_count > 0 ? node->values[0].number / MS : YEAR_S;

        err = px_headers_add_hsts(headers, seconds, 0, when, &error);
    } else {
        char edit = node->values[0].edit;
        px_str value = node->value_count > 1 ? node->values[1].text : px_str_of(NULL);

        err = px_headers_add(headers,
                             edit == '+'   ? PX_HEADER_ADD
                             : edit == '-' ? PX_HEADER_REMOVE
                                           : PX_HEADER_SET,
                             node->values[0].text, value, when, &error);
    }
    if (err == PX_OK)
        return true;
    build_note(route->build,
               node->value_count > 0 ? build_field_place(node, &error) : node_place(node), &error);
    return false;
}

/* An `hsts off` that always holds has replaced what it was to put off. */
static bool is_edit(const struct config_step *step)
{
    const struct config_node *node = step->node;

    if (is_hsts_off(node))
        return step->match != NULL;
    return (node_is(node, "header") && node->value_count > 0) || node_is(node, "hsts");
}

static bool headers_use(struct build_route *route)
{
    const struct config_route *settings = route->route;
    px_headers *headers = NULL;
    bool is_good = true;
    px_error error;

    for (uint32_t i = 0; i < settings->step_count; i++) {
        if (!is_edit(&settings->steps[i]))
            continue;
        if (!headers)
            headers = px_headers_create(&route->build->config->allocator, &error);
        if (!headers) {
            build_note(route->build, node_place(settings->steps[i].node), &error);
            return false;
        }
        is_good &= header_add(route, headers, &settings->steps[i]);
    }
    if (headers)
        build_filter(route, px_headers_filter(), headers, px_headers_destroy);
    return is_good;
}

/* --- compress --------------------------------------------------------------------------------- */

/* One switch after the other, the last that matches decides. */
struct coding_rule {
    px_matcher *when; /* borrowed: the configuration's; NULL: always */
    bool is_on;
};

struct coding {
    px_compress *compress; /* borrowed: the configuration's */
    uint32_t count;
    struct coding_rule rules[];
};

static int coding_on_head(px_exchange *exchange, void *context, void **out_state)
{
    const struct coding *coding = context;
    bool is_on = true;

    for (uint32_t i = 0; i < coding->count; i++)
        if (!coding->rules[i].when || px_matcher_matches(coding->rules[i].when, exchange))
            is_on = coding->rules[i].is_on;
    *out_state = NULL;
    return is_on ? px_compress_filter()->on_head(exchange, coding->compress, out_state) : 0;
}

static px_compress *compress_of(struct build *build)
{
    px_compress_options options = PX_COMPRESS_OPTIONS_DEFAULT;
    px_error error;

    if (build->compress)
        return build->compress;
    options.allocator = &build->config->allocator;
    px_compress *compress = px_compress_create(&options, &error);

    if (!compress)
        build_note(build, config_whole(build->load), &error);
    else if (build_made_keep(build, NULL, NULL, compress, px_compress_destroy))
        build->compress = compress;
    return build->compress;
}

/* The library's, but for the question whether it is asked for. */
static const px_filter *coding_filter(struct build *build)
{
    px_filter *filter = load_take(build->load, sizeof(*filter));

    if (!filter)
        return NULL;
    *filter = *px_compress_filter();
    filter->on_head = coding_on_head;
    return filter;
}

/* What is said of it, one after the other; NULL: noted. */
static struct coding *coding_make(struct build_route *route, uint32_t count)
{
    const struct config_route *settings = route->route;
    struct coding *coding =
        load_take(route->build->load, sizeof(*coding) + count * sizeof(coding->rules[0]));

    for (uint32_t i = 0; i < settings->step_count && coding; i++) {
        const struct config_step *step = &settings->steps[i];

        if (!node_is(step->node, "compress"))
            continue;
        CHECK(coding->count < count); /* so many were counted */
        struct coding_rule *rule = &coding->rules[coding->count++];

        rule->is_on = step->node->value_count == 0 || !step->node->values[0].is_off;
        if (!build_match(route->build, step->match, &rule->when))
            return NULL;
    }
    return coding;
}

static bool coding_use(struct build_route *route)
{
    const struct config_route *settings = route->route;
    struct build *build = route->build;
    struct coding *coding;
    uint32_t count = 0;

    for (uint32_t i = 0; i < settings->step_count; i++)
        count += node_is(settings->steps[i].node, "compress");
    coding = count > 0 ? coding_make(route, count) : NULL;
    if (count > 0 && !coding)
        return false;
    if (count == 1 && !coding->rules[0].when && !coding->rules[0].is_on)
        return true;
    px_compress *compress = compress_of(build);

    if (!compress)
        return false;
    /* Where nothing is said all routes share what the library has. */
    if (count == 0) {
        build_filter(route, px_compress_filter(), compress, NULL);
        return true;
    }
    coding->compress = compress;
    if (!build->coding_filter)
        build->coding_filter = coding_filter(build);
    if (!build->coding_filter)
        return false;
    build_filter(route, build->coding_filter, coding, NULL);
    return true;
}

bool build_filters(struct build_route *route)
{
    bool is_good = coding_use(route);

    return headers_use(route) && is_good;
}
