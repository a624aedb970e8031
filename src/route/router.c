/*
 * The router: building the trie, and walking it.  See router.h.
 *
 * Everything it keeps is in one arena and ends with it, so a registration that fails half way needs
 * no way back: nodes without a leaf match nothing.
 */
#include "route/router.h"

#include <string.h>

#include "base/error.h"
#include "route/leaf.h"
#include "route/pattern.h"

enum { SHOWN_BYTES_MAX = 80 };

struct route_node;

/* A literal segment and where it leads. */
struct route_child {
    px_str text; /* decoded; children are sorted by length, then bytes */
    struct route_node *node;
};

/* What matches up to here. */
struct route_node {
    struct route_child *children;
    struct route_node *wild;  /* behind {name} */
    struct route_leaf *exact; /* the path ends here */
    struct route_leaf *slash; /* it ends with a slash behind this: {$} */
    struct route_leaf *rest;  /* a slash and anything follow */
    uint32_t child_count;
    uint32_t child_room;
};

struct route_host {
    px_str name; /* absent: any host */
    struct route_node root;
    struct route *routes; /* the last registered first */
};

struct router {
    const px_allocator *allocator; /* borrowed: outlives the router */
    struct arena arena;
    struct route_host any;
    struct route_host **hosts; /* sorted by length, then bytes */
    uint32_t host_count;
    uint32_t host_room;
    uint32_t route_count;
    uint32_t token_count;
    px_str tokens[ROUTE_METHODS_MAX]; /* method tokens without a number */
};

px_err router_create(const px_allocator *allocator, struct router **out_router)
{
    struct router *router = alloc_take_zeroed(allocator, sizeof(*router));

    if (!router)
        return PX_ERR_MEMORY;
    router->allocator = allocator;
    arena_init(&router->arena, allocator, NULL, 0, ROUTER_BYTES_MAX);
    *out_router = router;
    return PX_OK;
}

void router_destroy(struct router *router)
{
    if (!router)
        return;
    arena_reset(&router->arena);
    alloc_put(router->allocator, router);
}

/* --- Building ------------------------------------------------------------------------------- */

static void *take_zeroed(struct arena *arena, size_t bytes)
{
    void *object = arena_take(arena, bytes);

    return object ? memset(object, 0, bytes) : NULL;
}

/* Makes room for one more entry in an array that lives in the arena; the old one stays there. */
static px_err reserve(struct arena *arena, void **array, uint32_t count, uint32_t *room,
                      size_t entry_bytes)
{
    if (count < *room)
        return PX_OK;
    uint32_t wanted = *room ? *room * 2 : 4;
    void *larger = arena_take(arena, wanted * entry_bytes);

    if (!larger)
        return PX_ERR_MEMORY;
    if (count > 0)
        memcpy(larger, *array, count * entry_bytes);
    *array = larger;
    *room = wanted;
    return PX_OK;
}

static int compare(px_str left, px_str right)
{
    if (left.len != right.len)
        return left.len < right.len ? -1 : 1;
    return memcmp(left.ptr, right.ptr, left.len);
}

/* The index of the first child that is not before `text`. */
static uint32_t child_index(const struct route_node *node, px_str text)
{
    uint32_t low = 0;
    uint32_t high = node->child_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (compare(node->children[middle].text, text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct route_node *child_find(const struct route_node *node, px_str text)
{
    uint32_t index = child_index(node, text);

    if (index < node->child_count && compare(node->children[index].text, text) == 0)
        return node->children[index].node;
    return NULL;
}

static struct route_node *child_make(struct arena *arena, struct route_node *node, px_str text)
{
    uint32_t index = child_index(node, text);
    void *children = node->children;

    if (index < node->child_count && compare(node->children[index].text, text) == 0)
        return node->children[index].node;
    struct route_node *made = take_zeroed(arena, sizeof(*made));

    if (!made || reserve(arena, &children, node->child_count, &node->child_room,
                         sizeof(*node->children)) != PX_OK)
        return NULL;
    node->children = children;
    memmove(node->children + index + 1, node->children + index,
            (node->child_count - index) * sizeof(*node->children));
    node->children[index] = (struct route_child){.text = text, .node = made};
    node->child_count++;
    return made;
}

/* As compare, where `left` is in lower case and `right` in any. */
static int compare_host(px_str left, px_str right)
{
    if (left.len != right.len)
        return left.len < right.len ? -1 : 1;
    for (size_t at = 0; at < left.len; at++) {
        char c = right.ptr[at];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        if (left.ptr[at] != c)
            return (uint8_t)left.ptr[at] < (uint8_t)c ? -1 : 1;
    }
    return 0;
}

/* The index of the first host that is not before `name`. */
static uint32_t host_index(const struct router *router, px_str name, bool *out_found)
{
    uint32_t low = 0;
    uint32_t high = router->host_count;

    *out_found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_host(router->hosts[middle]->name, name);

        *out_found = *out_found || order == 0;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct route_host *host_make(struct router *router, px_str name)
{
    bool found;
    uint32_t index = host_index(router, name, &found);
    void *hosts = router->hosts;

    if (!name.ptr)
        return &router->any;
    if (found)
        return router->hosts[index];
    struct route_host *made = take_zeroed(&router->arena, sizeof(*made));

    if (!made || reserve(&router->arena, &hosts, router->host_count, &router->host_room,
                         sizeof(*router->hosts)) != PX_OK)
        return NULL;
    router->hosts = hosts;
    memmove(router->hosts + index + 1, router->hosts + index,
            (router->host_count - index) * sizeof(*router->hosts));
    made->name = name;
    router->hosts[index] = made;
    router->host_count++;
    return made;
}

/* The place of the leaf for a path; NULL when there is no memory. */
static struct route_leaf **leaf_place(struct router *router, struct route_node *node,
                                      const struct pattern *pattern)
{
    for (uint8_t index = 0; index < pattern->segment_count; index++) {
        const struct pattern_segment *segment = &pattern->segments[index];

        switch (segment->kind) {
        case SEGMENT_SLASH:
            return &node->slash;
        case SEGMENT_REST:
            return &node->rest;
        case SEGMENT_WILD:
            if (!node->wild)
                node->wild = take_zeroed(&router->arena, sizeof(*node->wild));
            node = node->wild;
            break;
        case SEGMENT_LITERAL:
            node = child_make(&router->arena, node, segment->text);
            break;
        }
        if (!node)
            return NULL;
    }
    return &node->exact;
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
    struct route *route = take_zeroed(arena, sizeof(*route) + params * (sizeof(px_str) + 1));

    if (!route)
        return NULL;
    px_str *names = (px_str *)(route + 1);
    uint8_t *depths = (uint8_t *)(names + params);

    route->pattern = *pattern;
    route->value = value;
    route->names = names;
    route->depths = depths;
    for (uint8_t index = 0; index < pattern->segment_count; index++) {
        const struct pattern_segment *segment = &pattern->segments[index];

        if (segment->kind == SEGMENT_LITERAL || !segment->text.ptr)
            continue;
        names[route->param_count] = segment->text;
        depths[route->param_count++] = index;
    }
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

px_err router_add(struct router *router, const char *pattern_text, void *value, px_error *out_error)
{
    struct arena *arena = &router->arena;
    struct pattern pattern;
    uint8_t token = 0;
    px_err err = pattern_parse(px_str_of(pattern_text), arena, &pattern, out_error);

    if (err != PX_OK)
        return err;
    struct route_host *host = host_make(router, pattern.host);
    struct route *route = route_make(arena, &pattern, value);

    if (!host || !route)
        return error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a route");
    for (const struct route *other = host->routes; other; other = other->next) {
        enum pattern_relation relation = pattern_compare(&pattern, &other->pattern);

        if (relation == PATTERN_EQUAL || relation == PATTERN_OVERLAP)
            return refuse_conflict(&pattern, &other->pattern, relation == PATTERN_EQUAL, out_error);
    }
    if (router->route_count == ROUTES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more routes than ROUTES_MAX");
    if (token_make(router, &pattern, &token) != PX_OK)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more methods than ROUTE_METHODS_MAX");
    route->token = token;

    struct route_leaf **place = leaf_place(router, &host->root, &pattern);

    if (!place || (!*place && !(*place = take_zeroed(arena, sizeof(**place)))))
        return error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a route");
    route_leaf_put(*place, route);
    route->next = host->routes;
    host->routes = route;
    router->route_count++;
    return error_clear(out_error);
}

/* --- Looking up ----------------------------------------------------------------------------- */

/* One lookup on its way through the trie. */
struct walk {
    const char *end; /* of the path */
    int token;
    uint8_t method_id;
    route_methods methods_seen;       /* of the leaves that fit the path, but not the method */
    bool slash_fits;                  /* with a slash behind it the path would be there */
    bool rest_not_empty;              /* what was found is a rest, and there is one */
    const char *rest;                 /* where the rest begins, if the route has one */
    px_str wilds[ROUTE_SEGMENTS_MAX]; /* by depth, on the way to where the walk is */
};

static const struct route *leaf_find(struct walk *walk, const struct route_leaf *leaf)
{
    if (!leaf)
        return NULL;
    const struct route *route = route_leaf_find(leaf, walk->method_id, walk->token);

    if (!route)
        walk->methods_seen |= route_leaf_methods(leaf);
    return route;
}

/* The path ends at this node, with or without a slash. */
static const struct route *find_end(struct walk *walk, const struct route_node *node, bool slash)
{
    const struct route *route;

    if (!slash) {
        route = leaf_find(walk, node->exact);
        if (!route && (leaf_find(walk, node->slash) || leaf_find(walk, node->rest)))
            walk->slash_fits = true;
        return route;
    }
    route = leaf_find(walk, node->slash);
    if (!route && (route = leaf_find(walk, node->rest)))
        walk->rest = walk->end;
    return route;
}

/* The literal child for a segment as received, which is decoded once. */
static const struct route_node *find_literal(const struct route_node *node, px_str segment,
                                             bool encoded)
{
    char decoded[ROUTE_SEGMENT_BYTES_MAX];

    if (encoded) {
        ptrdiff_t len = pattern_decode(segment.ptr, segment.len, decoded, sizeof(decoded));

        if (len < 0)
            return NULL;
        segment = px_str_make(decoded, (size_t)len);
    }
    return child_find(node, segment);
}

/* Goes on from `node`, `depth` segments deep; `at` is the slash behind them, or the end.  A literal
 * is more specific than a wildcard, and that than a rest, so the first that fits is the right one:
 * of two patterns that match, one is the more specific in every segment.  It calls itself only
 * where it may have to turn back, at most ROUTE_SEGMENTS_MAX times. */
static const struct route *find_from(struct walk *walk, const struct route_node *node,
                                     const char *at, uint32_t depth)
{
    const struct route *route = NULL;

    for (;; depth++) {
        if (walk->end - at <= 1)
            return find_end(walk, node, at != walk->end);

        const char *from = at + 1;
        const struct route_node *child = NULL;

        if (node->child_count > 0 || node->wild) {
            bool encoded = false;

            for (at = from; at < walk->end && *at != '/'; at++)
                encoded |= *at == '%';
            px_str segment = px_str_make(from, (size_t)(at - from));

            if (node->child_count > 0)
                child = find_literal(node, segment, encoded);
            if (node->wild && segment.len > 0) {
                if (child && (route = find_from(walk, child, at, depth + 1)))
                    return route;
                walk->wilds[depth] = segment;
                child = node->wild;
            }
        }
        if (!node->rest) {
            if (!child)
                return NULL;
            node = child;
            continue;
        }
        if (child && (route = find_from(walk, child, at, depth + 1)))
            return route;
        if ((route = leaf_find(walk, node->rest))) {
            walk->rest = from;
            walk->rest_not_empty = true;
        }
        return route;
    }
}

static void fill_match(const struct walk *walk, const struct route *route,
                       struct router_match *out_match)
{
    const struct pattern *pattern = &route->pattern;

    out_match->value = route->value;
    out_match->pattern = pattern->text.ptr;
    out_match->names = route->names;
    out_match->param_count = route->param_count;
    for (uint32_t index = 0; index < route->param_count; index++) {
        uint8_t depth = route->depths[index];

        out_match->params[index] = pattern->segments[depth].kind == SEGMENT_WILD
                                       ? walk->wilds[depth]
                                       : px_str_make(walk->rest, (size_t)(walk->end - walk->rest));
    }
}

/* The routes of a host, or NULL: without its port (RFC 3986 section 3.2.3), brackets, and the dot
 * at the end, which makes a name absolute but no other one (RFC 1034 section 3.1). */
static const struct route_host *host_find(const struct router *router, px_str host)
{
    bool found;

    if (router->host_count == 0 || host.len == 0)
        return NULL;
    if (host.ptr[0] == '[') {
        const char *close = memchr(host.ptr, ']', host.len);

        host.len = close ? (size_t)(close - host.ptr) - 1 : host.len - 1;
        host.ptr++;
    } else {
        const char *colon = memchr(host.ptr, ':', host.len);

        /* Two colons are an IPv6 address whose brackets are off already. */
        if (colon && !memchr(colon + 1, ':', (size_t)(host.ptr + host.len - colon - 1)))
            host.len = (size_t)(colon - host.ptr);
        if (host.len > 1 && host.ptr[host.len - 1] == '.')
            host.len--;
    }
    uint32_t index = host_index(router, host, &found);

    return found ? router->hosts[index] : NULL;
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

static const struct route *find_route(struct walk *walk, const struct router *router,
                                      px_str host_name, px_str path)
{
    const struct route_host *host = host_find(router, host_name);
    const struct route *route = NULL;

    walk->end = path.ptr + path.len;
    walk->methods_seen = 0;
    walk->slash_fits = false;
    walk->rest_not_empty = false;
    if (host)
        route = find_from(walk, &host->root, path.ptr, 0);
    return route ? route : find_from(walk, &router->any.root, path.ptr, 0);
}

enum router_result router_find(const struct router *router, uint8_t method_id, px_str method,
                               px_str host, px_str raw_path, struct router_match *out_match)
{
    struct walk walk;
    px_str path;

    if (!path_take(raw_path, method_id == METHOD_CONNECT, &path))
        return ROUTER_NO_PATH;
    walk.method_id = method_id < ROUTE_METHOD_COUNT ? method_id : METHOD_OTHER;
    walk.token = walk.method_id == METHOD_OTHER ? token_find(router, method) : -1;

    const struct route *route = find_route(&walk, router, host, path);

    /* A path that matches with a slash behind it goes before one that is but part of a rest. */
    if (walk.slash_fits && method_id != METHOD_CONNECT && (!route || walk.rest_not_empty))
        return ROUTER_REDIRECT_SLASH;
    if (!route)
        return walk.methods_seen ? ROUTER_NO_METHOD : ROUTER_NO_PATH;
    fill_match(&walk, route, out_match);
    return ROUTER_FOUND;
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
    struct walk walk = {.method_id = ROUTE_METHOD_NONE, .token = -1};
    px_str path;

    /* Nothing answers to no method, so the walk sees every leaf that fits. */
    if (!path_take(raw_path, false, &path) || find_route(&walk, router, host, path) ||
        !walk.methods_seen)
        return PX_ERR_NOT_FOUND;
    size_t len = write_methods(router, walk.methods_seen, NULL);
    char *text = arena_take_text(arena, len + 2);

    if (!text)
        return PX_ERR_MEMORY;
    write_methods(router, walk.methods_seen, text);
    text[len] = '\0';
    *out_allow = px_str_make(text, len);
    return PX_OK;
}
