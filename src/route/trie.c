/*
 * Building the trie, and walking it.  See trie.h.
 */
#include "route/trie.h"

#include <string.h>

static void *take_zeroed(struct arena *arena, size_t bytes)
{
    void *object = arena_take(arena, bytes);

    return object ? memset(object, 0, bytes) : NULL;
}

static int compare(px_str left, px_str right)
{
    if (left.len != right.len)
        return left.len < right.len ? -1 : 1;
    return memcmp(left.ptr, right.ptr, left.len);
}

/* The index of the first child that is not before `text`. */
static uint32_t child_index(const struct trie_node *node, px_str text)
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

const struct trie_node *trie_child_find(const struct trie_node *node, px_str text)
{
    uint32_t low = 0;
    uint32_t high = node->child_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare(node->children[middle].text, text);

        if (order == 0)
            return node->children[middle].node;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Room for one more child.  The smaller array stays in the arena: together they are no longer than
 * the last. */
static bool children_reserve(struct trie_node *node, struct arena *arena)
{
    if (node->child_count < node->child_room)
        return true;
    uint32_t room = node->child_room ? node->child_room * 2 : 2;
    struct trie_child *children = arena_take(arena, room * sizeof(*children));

    if (!children)
        return false;
    if (node->child_count > 0)
        memcpy(children, node->children, node->child_count * sizeof(*children));
    node->children = children;
    node->child_room = room;
    return true;
}

struct trie_node *trie_child_make(struct trie_node *node, px_str text, struct arena *arena)
{
    uint32_t index = child_index(node, text);

    if (index < node->child_count && compare(node->children[index].text, text) == 0)
        return node->children[index].node;
    struct trie_node *made = take_zeroed(arena, sizeof(*made));

    if (!made || !children_reserve(node, arena))
        return NULL;
    memmove(node->children + index + 1, node->children + index,
            (node->child_count - index) * sizeof(*node->children));
    node->children[index] = (struct trie_child){.text = text, .node = made};
    node->child_count++;
    /* Look-ups search by halves. */
    CHECK(index == 0 || compare(node->children[index - 1].text, text) < 0);
    CHECK(index + 1 == node->child_count || compare(text, node->children[index + 1].text) < 0);
    return made;
}

struct route_leaf *trie_leaf_make(struct trie_node *root, const struct pattern *pattern,
                                  struct arena *arena)
{
    struct trie_node *node = root;
    struct route_leaf **place = NULL;

    CHECK(pattern->segment_count > 0 && pattern->segment_count <= ROUTE_SEGMENTS_MAX);

    for (uint8_t index = 0; index < pattern->segment_count && node; index++) {
        const struct pattern_segment *segment = &pattern->segments[index];

        CHECK(!place); /* nothing follows a rest */
        switch (segment->kind) {
        case SEGMENT_SLASH:
            place = &node->slash;
            break;
        case SEGMENT_REST:
            place = &node->rest;
            break;
        case SEGMENT_WILD:
            if (!node->wild)
                node->wild = take_zeroed(arena, sizeof(*node->wild));
            node = node->wild;
            break;
        case SEGMENT_LITERAL:
            node = trie_child_make(node, segment->text, arena);
            break;
        }
    }
    if (!node)
        return NULL;
    if (!place)
        place = &node->exact;
    if (!*place)
        *place = take_zeroed(arena, sizeof(**place));
    return *place;
}

static const struct route *leaf_find(struct trie_walk *walk, const struct route_leaf *leaf)
{
    if (!leaf)
        return NULL;
    const struct route *route = route_leaf_find(leaf, walk->method_id, walk->token);

    if (!route)
        walk->methods_seen |= route_leaf_methods(leaf);
    return route;
}

/* The path ends at this node, with or without a slash. */
static const struct route *find_end(struct trie_walk *walk, const struct trie_node *node,
                                    bool slash)
{
    const struct route *route;

    if (!slash) {
        route = leaf_find(walk, node->exact);
        if (!route && walk->method_id != METHOD_CONNECT &&
            (leaf_find(walk, node->slash) || leaf_find(walk, node->rest)))
            walk->slash_fits = true;
        return route;
    }
    route = leaf_find(walk, node->slash);
    if (!route && (route = leaf_find(walk, node->rest)))
        walk->rest = walk->end;
    return route;
}

/* The literal child for a segment with a "%" in it, which is decoded once.  Apart, since its buffer
 * would be in every frame of the walk. */
__attribute__((noinline)) static const struct trie_node *find_encoded(const struct trie_node *node,
                                                                      px_str segment)
{
    char decoded[ROUTE_SEGMENT_BYTES_MAX];
    ptrdiff_t len = pattern_decode(segment.ptr, segment.len, decoded, sizeof(decoded));

    return len < 0 ? NULL : trie_child_find(node, px_str_make(decoded, (size_t)len));
}

/* A literal is more specific than a wildcard, and that than a rest, so the first route that fits is
 * the right one: of two patterns that match, one is at least as specific in every segment.  It
 * calls itself only where it may have to turn back, at most ROUTE_SEGMENTS_MAX times. */
const struct route *trie_find(struct trie_walk *walk, const struct trie_node *node, const char *at,
                              uint32_t depth)
{
    const struct route *route = NULL;

    for (;; depth++) {
        ASSERT(at <= walk->end && (at == walk->end || *at == '/'));
        if (walk->end - at <= 1)
            return find_end(walk, node, at != walk->end);

        const char *from = at + 1;
        const struct trie_node *child = NULL;

        if (node->child_count > 0 || node->wild) {
            bool encoded = false;

            for (at = from; at < walk->end && *at != '/'; at++)
                encoded |= *at == '%';
            px_str segment = px_str_make(from, (size_t)(at - from));

            if (node->child_count > 0)
                child = encoded ? find_encoded(node, segment) : trie_child_find(node, segment);
            if (node->wild && segment.len > 0) {
                if (child && (route = trie_find(walk, child, at, depth + 1)))
                    return route;
                ASSERT(depth < ROUTE_SEGMENTS_MAX);
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
        if (child && (route = trie_find(walk, child, at, depth + 1)))
            return route;
        if ((route = leaf_find(walk, node->rest))) {
            walk->rest = from;
            walk->rest_not_empty = true;
        }
        return route;
    }
}
