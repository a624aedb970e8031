/*
 * The router: hosts, methods, registration and lookup.  See router.h; the paths are in trie.c.
 *
 * Everything it keeps is in one arena, which is lent, and ends with it, so a
 * registration that fails half way needs no way back.
 */
#include "route/router.h"

#include <string.h>

#include "base/error.h"
#include "http/message/host.h"
#include "route/leaf.h"
#include "route/pattern.h"
#include "route/trie.h"

enum {
    SHOWN_BYTES_MAX = 80,
    PATTERN_ARENA_BYTES_MAX =
        64 * 1024 /* of a pattern that is only compared: its text and segments */
};

_Static_assert(ROUTE_SEGMENTS_MAX <= UINT8_MAX, "the index of a segment is a byte");
_Static_assert(ROUTE_PARAMS_MAX <= ROUTE_SEGMENTS_MAX, "a parameter is a segment");
_Static_assert(ROUTE_SEGMENT_BYTES_MAX < ROUTE_PATTERN_BYTES_MAX,
               "a segment is a part of a pattern");
_Static_assert(ROUTE_METHODS_MAX <= UINT8_MAX, "the index of a token is a byte");
_Static_assert(METHOD_OTHER == 0, "a method that was not set is none with a number");

struct router {
    struct arena *arena;    /* borrowed: outlives the router, which lives there */
    struct trie_node any;   /* the paths of patterns without a host */
    struct trie_node hosts; /* its literal children are hosts, and the roots of their paths */
    struct route *routes;   /* the last registered first */
    const struct route *everything; /* the one that serves all but CONNECT, or NULL */
    uint32_t route_count;
    uint32_t token_count;
    px_str
        *tokens; /* in the arena, ROUTE_METHODS_MAX: method tokens without a number; NULL: none */
};

struct router *router_create(struct arena *arena)
{
    struct router *router = arena_take(arena, sizeof(*router));

    if (router) {
        memset(router, 0, sizeof(*router));
        router->arena = arena;
    }
    return router;
}

static int token_find(const struct router *router, px_str method)
{
    for (uint32_t index = 0; index < router->token_count; index++)
        if (px_str_equal(router->tokens[index], method))
            return (int)index;
    return -1;
}

/* The index of a method's token, made when it is new; 0 for those that need none. */
static px_err token_make(struct router *router, const struct pattern *pattern, uint8_t *out_token)
{
    int token = 0;

    if (pattern->method.ptr && pattern->method_id == METHOD_OTHER) {
        token = token_find(router, pattern->method);
        if (token < 0) {
            if (router->token_count == ROUTE_METHODS_MAX)
                return PX_ERR_LIMIT;
            if (!router->tokens)
                router->tokens =
                    arena_take(router->arena, ROUTE_METHODS_MAX * sizeof(*router->tokens));
            if (!router->tokens)
                return PX_ERR_MEMORY;
            CHECK(router->token_count < ROUTE_METHODS_MAX);
            token = (int)router->token_count++;
            router->tokens[token] = pattern->method;
        }
    }
    *out_token = (uint8_t)token;
    return PX_OK;
}

static struct route *route_make(struct arena *arena, const struct pattern *pattern, void *value)
{
    size_t params = pattern->param_count;
    struct route *route = arena_take(arena, sizeof(*route) + params * (sizeof(px_str) + 1));

    if (!route)
        return NULL;
    px_str *names = (px_str *)(route + 1);
    uint8_t *depths = (uint8_t *)(names + params);
    uint8_t count = 0;

    for (uint8_t index = 0; index < pattern->segment_count; index++) {
        const struct pattern_segment *segment = &pattern->segments[index];

        if (segment->kind == SEGMENT_LITERAL || !segment->text.ptr)
            continue;
        names[count] = segment->text;
        depths[count++] = index;
    }
    CHECK(count == params);
    *route = (struct route){.pattern = *pattern,
                            .value = value,
                            .names = names,
                            .depths = depths,
                            .has_rest =
                                pattern->segments[pattern->segment_count - 1].kind == SEGMENT_REST};
    return route;
}

static px_err refuse_conflict(const struct pattern *pattern, const struct pattern *other,
                              bool equal, px_error *out_error)
{
    char shown[SHOWN_BYTES_MAX];
    char shown_other[SHOWN_BYTES_MAX];
    char example[SHOWN_BYTES_MAX / 2];

    pattern_show(pattern->text, shown, sizeof(shown));
    pattern_show(other->text, shown_other, sizeof(shown_other));
    pattern_example(pattern, other, example, sizeof(example));
    if (equal)
        return error_set(out_error, PX_ERR_CONFLICT, 0,
                         "\"%s\" and \"%s\" match the same, such as %s", shown, shown_other,
                         example);
    return error_set(out_error, PX_ERR_CONFLICT, 0,
                     "\"%s\" and \"%s\" both match %s, neither is more specific", shown,
                     shown_other, example);
}

/* "/" for any method and host, when nothing beside it but CONNECT could be meant: then there is
 * nothing to look up.  A server of one handler, or of one folder, is like that. */
static const struct route *everything_find(const struct router *router)
{
    const struct route *found = NULL;

    for (const struct route *route = router->routes; route; route = route->next) {
        const struct pattern *pattern = &route->pattern;

        if (pattern->method_id == METHOD_CONNECT)
            continue;
        if (found || pattern->method.ptr || pattern->host.ptr || pattern->segment_count != 1 ||
            pattern->segments[0].kind != SEGMENT_REST || pattern->param_count > 0)
            return NULL;
        found = route;
    }
    return found;
}

px_err router_add(struct router *router, const char *pattern_text, void *value, px_error *out_error)
{
    struct arena *arena = router->arena;
    struct trie_node *root = &router->any;
    struct pattern pattern;
    uint8_t token;
    px_err err = pattern_parse(px_str_of(pattern_text), arena, &pattern, out_error);

    if (err != PX_OK)
        return err;
    for (const struct route *other = router->routes; other; other = other->next) {
        enum pattern_relation relation = pattern_compare(&pattern, &other->pattern);

        if (relation == PATTERN_EQUAL || relation == PATTERN_OVERLAP)
            return refuse_conflict(&pattern, &other->pattern, relation == PATTERN_EQUAL, out_error);
    }
    if (router->route_count == ROUTES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more routes than ROUTES_MAX");
    err = token_make(router, &pattern, &token);
    if (err != PX_OK)
        return error_set(out_error, err, 0,
                         err == PX_ERR_LIMIT ? "more methods than ROUTE_METHODS_MAX"
                                             : "no memory for a route");

    /* The leaf last: it must not be left empty. */
    struct route *route = route_make(arena, &pattern, value);

    if (route && pattern.host.ptr)
        root = trie_child_make(&router->hosts, pattern.host, arena);
    struct route_leaf *leaf = route && root ? trie_leaf_make(root, &pattern, arena) : NULL;

    if (!leaf)
        return error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a route");
    route->token = token;
    route_leaf_put(leaf, route);
    route->next = router->routes;
    router->routes = route;
    router->route_count++;
    router->everything = everything_find(router);
    return error_clear(out_error);
}

px_err router_remove(struct router *router, const char *pattern_text, px_error *out_error)
{
    struct route **place = &router->routes;
    struct pattern pattern;
    struct arena arena;

    arena_init(&arena, router->arena->allocator, NULL, 0, PATTERN_ARENA_BYTES_MAX);
    px_err err = pattern_parse(px_str_of(pattern_text), &arena, &pattern, out_error);

    while (err == PX_OK && *place && pattern_compare(&pattern, &(*place)->pattern) != PATTERN_EQUAL)
        place = &(*place)->next;
    arena_reset(&arena);
    if (err != PX_OK)
        return err;
    struct route *gone = *place;

    if (!gone) {
        char shown[SHOWN_BYTES_MAX];

        pattern_show(px_str_of(pattern_text), shown, sizeof(shown));
        return error_set(out_error, PX_ERR_NOT_FOUND, 0, "there is no route \"%s\"", shown);
    }
    *place = gone->next;
    CHECK(router->route_count > 0);
    router->route_count--;
    route_leaf_renew(gone->leaf, router->routes);
    router->everything = everything_find(router);
    return error_clear(out_error);
}

/* The root of a host's paths, or NULL. */
static const struct trie_node *host_find(const struct router *router, px_str host)
{
    char lower[ROUTE_SEGMENT_BYTES_MAX]; /* no pattern has a longer host */

    if (host.len == 0)
        return NULL;
    host = host_name(host);
    if (host.len > sizeof(lower))
        return NULL;
    for (size_t at = 0; at < host.len; at++) {
        char c = host.ptr[at];

        lower[at] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    return trie_child_find(&router->hosts, px_str_make(lower, host.len));
}

static void fill_match(const struct trie_walk *walk, const struct route *route,
                       struct router_match *out_match)
{
    const struct pattern *pattern = &route->pattern;

    ASSERT(pattern->param_count <= ROUTE_PARAMS_MAX);
    out_match->value = route->value;
    out_match->pattern = pattern->text.ptr;
    out_match->names = route->names;
    out_match->has_rest = route->has_rest;
    out_match->param_count = pattern->param_count;
    for (uint32_t index = 0; index < pattern->param_count; index++) {
        uint8_t depth = route->depths[index];

        ASSERT(depth < pattern->segment_count);
        ASSERT(pattern->segments[depth].kind == SEGMENT_WILD ||
               (walk->rest && walk->rest <= walk->end));
        out_match->params[index] = pattern->segments[depth].kind == SEGMENT_WILD
                                       ? walk->wilds[depth]
                                       : px_str_make(walk->rest, (size_t)(walk->end - walk->rest));
    }
}

/* The path to look for: empty is the root (RFC 9110 section 4.2.3), and CONNECT has none. */
static bool path_take(px_str raw_path, bool connect, px_str *out_path)
{
    *out_path = raw_path;
    if (raw_path.len > 0 && raw_path.ptr[0] == '/')
        return true;
    *out_path = px_str_make("/", 1);
    return raw_path.len == 0 || connect;
}

static const struct route *find_route(struct trie_walk *walk, const struct router *router,
                                      px_str host, px_str path)
{
    const struct trie_node *root = NULL;
    const struct route *route = NULL;

    walk->end = path.ptr + path.len;
    walk->methods_seen = 0;
    walk->slash_fits = false;
    walk->rest_not_empty = false;
    if (router->hosts.child_count > 0)
        root = host_find(router, host);
    if (root)
        route = trie_find(walk, root, path.ptr, 0);
    return route ? route : trie_find(walk, &router->any, path.ptr, 0);
}

enum router_result router_find(const struct router *router, uint8_t method_id, px_str method,
                               px_str host, px_str raw_path, struct router_match *out_match)
{
    struct trie_walk walk;
    px_str path;

    if (!path_take(raw_path, method_id == METHOD_CONNECT, &path))
        return ROUTER_NO_PATH;
    if (router->everything && method_id != METHOD_CONNECT) {
        out_match->value = router->everything->value;
        out_match->pattern = router->everything->pattern.text.ptr;
        out_match->names = NULL;
        out_match->has_rest = false; /* there is no other */
        out_match->param_count = 0;
        return ROUTER_FOUND;
    }
    walk.method_id = method_id < ROUTE_METHOD_COUNT ? method_id : METHOD_OTHER;
    walk.token = walk.method_id == METHOD_OTHER ? token_find(router, method) : -1;

    const struct route *route = find_route(&walk, router, host, path);

    /* A path that matches with a slash behind it goes before one that is but part of a rest. */
    bool is_slash = walk.slash_fits && (!route || walk.rest_not_empty);

    if (!route) {
        out_match->value = NULL;
        return is_slash            ? ROUTER_REDIRECT_SLASH
               : walk.methods_seen ? ROUTER_NO_METHOD
                                   : ROUTER_NO_PATH;
    }
    fill_match(&walk, route, out_match);
    return is_slash ? ROUTER_REDIRECT_SLASH : ROUTER_FOUND;
}

bool router_is_elsewhere(const struct router *router, uint8_t method_id, px_str method, px_str host,
                         px_str raw_path, struct arena *arena, const struct router_match *match)
{
    struct router_match other;
    px_str plain;

    if (PX_LIKELY(router->everything || router_path_is_plain(raw_path)))
        return false;
    return router_plain_path(raw_path, arena, &plain) != PX_OK ||
           (router_find(router, method_id, method, host, plain, &other) == ROUTER_FOUND &&
            other.value != match->value);
}

/* The names of a set, with ", " between them: as text if `out` is given.  Returns the bytes. */
static size_t write_methods(const struct router *router, route_methods methods, char *out)
{
    static const uint8_t order[] = {METHOD_GET,   METHOD_HEAD,   METHOD_POST,    METHOD_PUT,
                                    METHOD_PATCH, METHOD_DELETE, METHOD_CONNECT, METHOD_TRACE};
    size_t at = 0;

    for (uint32_t index = 0; index <= ARRAY_COUNT(order) + router->token_count; index++) {
        uint32_t token = index - ARRAY_COUNT(order);
        uint32_t bit = index < ARRAY_COUNT(order) ? order[index] : ROUTE_METHOD_COUNT + token;
        px_str name;

        /* The last one: OPTIONS, which the server answers by itself. */
        if (index == ARRAY_COUNT(order) + router->token_count)
            name = pattern_method_name(METHOD_OPTIONS);
        else if (!(methods & ROUTE_METHOD_BIT(bit)))
            continue;
        else
            name = bit < ROUTE_METHOD_COUNT ? pattern_method_name((uint8_t)bit)
                                            : router->tokens[token];
        if (out) {
            memcpy(out + at, name.ptr, name.len);
            memcpy(out + at + name.len, ", ", 2);
        }
        at += name.len + 2;
    }
    return at - 2;
}

px_err router_allow(const struct router *router, px_str host, px_str raw_path, struct arena *arena,
                    px_str *out_allow)
{
    struct trie_walk walk = {.method_id = ROUTE_METHOD_NONE, .token = -1};
    px_str path;

    /* Nothing answers to no method, so the walk sees every leaf that fits. */
    if (!path_take(raw_path, false, &path) || find_route(&walk, router, host, path) ||
        !walk.methods_seen)
        return PX_ERR_NOT_FOUND;
    size_t len = write_methods(router, walk.methods_seen, NULL);
    char *text = arena_take_text(arena, len + 2);

    if (!text)
        return PX_ERR_MEMORY;
    CHECK(write_methods(router, walk.methods_seen, text) == len);
    text[len] = '\0';
    *out_allow = px_str_make(text, len);
    return PX_OK;
}
