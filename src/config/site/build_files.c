/*
 * files, and what serves them: index, fallback, listing, cache_control, symlinks, charset, type.
 */
#include <string.h>

#include "base/check.h"
#include "config/site/build.h"
#include "pollux/files.h"

enum {
    /* All folders of a configuration share what one of them alone may keep. */
    CACHE_FILES = 512,
    CACHE_FILES_LEAST = 4,
    CACHE_BYTES = 64 * 1024 * 1024,
    CACHE_BYTES_LEAST = 256 * 1024,
    RULES_MAX = 256, /* as pollux/files.h has it */
};

static const struct config_typed *setting(const struct config_route *route, const char *name)
{
    const struct config_node *node = route_setting(route, name);

    return node && node->value_count > 0 ? &node->values[0] : NULL;
}

/* A switch without a value is on. */
static int is_on(const struct config_route *route, const char *name)
{
    const struct config_node *node = route_setting(route, name);

    return node && (node->value_count == 0 || !node->values[0].is_off);
}

/* How many directives of that name a route has; they are lists of two values. */
static uint32_t pair_count(const struct config_route *route, const char *name)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < route->step_count; i++)
        count += node_is(route->steps[i].node, name) && route->steps[i].node->value_count == 2;
    return count < RULES_MAX ? count : RULES_MAX;
}

static bool rules_take(struct build_route *route, px_files_options *options)
{
    const struct config_route *settings = route->route;
    px_files_rule *rules =
        load_take(route->build->load, (pair_count(settings, "cache_control") + 1) * sizeof(*rules));
    px_files_type *types =
        load_take(route->build->load, (pair_count(settings, "type") + 1) * sizeof(*types));

    if (!rules || !types)
        return false;
    for (uint32_t i = 0; i < settings->step_count; i++) {
        const struct config_node *node = settings->steps[i].node;

        if (node->value_count != 2)
            continue;
        if (node_is(node, "cache_control") && options->rule_count < RULES_MAX)
            rules[options->rule_count++] = (px_files_rule){
                sizeof(px_files_rule), node->values[0].text.ptr, node->values[1].text.ptr};
        else if (node_is(node, "type") && options->type_count < RULES_MAX)
            types[options->type_count++] = (px_files_type){
                sizeof(px_files_type), node->values[0].text.ptr, node->values[1].text.ptr};
    }
    CHECK(options->rule_count == pair_count(settings, "cache_control"));
    CHECK(options->type_count == pair_count(settings, "type"));
    options->rules = rules;
    options->types = types;
    return true;
}

static bool indexes_take(struct build_route *route, px_files_options *options)
{
    const struct config_node *node = route_setting(route->route, "index");
    const char **names;

    if (!node)
        return true;
    names = load_take(route->build->load, node->value_count * sizeof(names[0]));
    if (!names)
        return false;
    for (uint32_t i = 0; i < node->value_count; i++)
        names[i] = node->values[i].text.ptr;
    options->indexes = names;
    options->index_count = node->value_count;
    return true;
}

/* Whether nothing codes here; then forms that lie beside a file are not sent either. */
static bool is_never_coded(const struct config_route *route)
{
    const struct config_node *node = route_setting(route, "compress");

    for (uint32_t i = 0; i < route->step_count; i++)
        if (route->steps[i].match && node_is(route->steps[i].node, "compress"))
            return false;
    return node && node->value_count > 0 && node->values[0].is_off;
}

/* The value of a setting that an error names, or the folder. */
static struct config_place place_named(const struct config_route *route,
                                       const struct config_node *files, const px_error *error)
{
    static const char *const names[] = {"fallback", "index", "type", "charset", "cache_control"};

    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_node *node = route->steps[i].node;

        for (size_t name = 0; name < ARRAY_COUNT(names); name++) {
            px_str value = node->value_count > 0 ? node->values[0].text : px_str_of(NULL);

            /* The library knows of a fallback without its slash. */
            if (node_is(node, "fallback") && value.len > 0)
                value = px_str_make(value.ptr + 1, value.len - 1);
            if (node_is(node, names[name]) && value.len > 0 &&
                strncmp(error->text, value.ptr, value.len) == 0)
                return node->values[0].value->place;
        }
    }
    return files->values[0].value->place;
}

bool build_files_are_whole(const struct config_route *route, const struct config_node *node)
{
    return !route->node || !node_is_in(route->node->children, node);
}

/* A site is built before there is a process that serves it. */
static void denied(const char *root, const char *path, void *context)
{
    const struct config *config = context;

    if (config->on_denied)
        config->on_denied(root, path, config->denied_context);
}

bool build_files(struct build_route *route, const struct config_node *node,
                 struct build_answer *out_answer)
{
    const struct config_route *settings = route->route;
    const struct config_typed *fallback = setting(settings, "fallback");
    const struct config_typed *charset = setting(settings, "charset");
    uint32_t share = route->build->files_count > 0 ? route->build->files_count : 1;
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    px_error error;

    if (!rules_take(route, &options) || !indexes_take(route, &options))
        return false;
    options.allocator = &route->build->config->allocator;
    CHECK(!fallback || (fallback->text.len > 0 && fallback->text.ptr[0] == '/'));
    options.spa = fallback ? fallback->text.ptr + 1 : NULL;
    options.listing = is_on(settings, "listing");
    options.follow_symlinks = is_on(settings, "symlinks");
    options.whole_path = build_files_are_whole(settings, node);
    options.no_sidecars = is_never_coded(settings);
    if (charset)
        options.charset = charset->is_off ? "" : charset->text.ptr;
    options.on_denied = denied;
    options.denied_context = route->build->config;
    options.cache_files_max =
        CACHE_FILES / share > CACHE_FILES_LEAST ? CACHE_FILES / share : CACHE_FILES_LEAST;
    options.cache_bytes_max =
        CACHE_BYTES / share > CACHE_BYTES_LEAST ? CACHE_BYTES / share : CACHE_BYTES_LEAST;
    px_files *files = px_files_create(node->values[0].text.ptr, &options, &error);

    if (!files) {
        build_note(route->build, place_named(settings, node, &error), &error);
        return false;
    }
    *out_answer = (struct build_answer){
        .handler = px_files_handle, .context = files, .release = px_files_destroy};
    return true;
}
