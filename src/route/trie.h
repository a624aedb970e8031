/*
 * The trie of path segments: putting a pattern's path in, and walking a request's path down.
 *
 * Happy path: a literal child by binary search at each segment.  Where a literal and a wildcard or
 * a rest stand beside each other the walk may have to turn back, so it calls itself there; it
 * visits each node that fits at most once.  Putting in can fail for want of memory; what was made
 * until then has no leaf, and matches nothing.
 */
#ifndef PX_ROUTE_TRIE_H
#define PX_ROUTE_TRIE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/limits.h"
#include "route/leaf.h"
#include "route/pattern.h"

struct trie_node;

/* A literal segment and where it leads. */
struct trie_child {
    px_str text; /* decoded */
    struct trie_node *node;
};

/* What matches up to here.  All of it lives in the arena. */
struct trie_node {
    struct trie_child *children; /* sorted by length, then bytes */
    struct trie_node *wild;      /* behind {name} */
    struct route_leaf *exact;    /* the path ends here */
    struct route_leaf *slash;    /* it ends with a slash behind this: {$} */
    struct route_leaf *rest;     /* a slash and anything follow */
    uint32_t child_count;
    uint32_t child_room;
};

/* One lookup on its way.  The caller sets `end`, `token` and `method_id`, and clears the results.
 */
struct trie_walk {
    const char *end; /* of the path */
    int token;       /* of the method, as for route_leaf_find */
    uint8_t method_id;
    bool slash_fits;                  /* with a slash behind it the path would be there */
    bool rest_not_empty;              /* what was found is a rest, and there is one */
    route_methods methods_seen;       /* of the leaves that fit the path but not the method */
    const char *rest;                 /* where the rest of the route begins, if it has one */
    px_str wilds[ROUTE_SEGMENTS_MAX]; /* by depth, on the way to the leaf */
};

/* The child for a literal; NULL when there is none. */
const struct trie_node *trie_child_find(const struct trie_node *node, px_str text);

/* The child for a literal, made when it is new; `text` is borrowed: it lives in the arena.  NULL
 * when there is no memory. */
struct trie_node *trie_child_make(struct trie_node *node, px_str text, struct arena *arena);

/* The leaf for a pattern's path, made when it is new; NULL when there is no memory.  A new leaf is
 * empty, and must be filled. */
struct route_leaf *trie_leaf_make(struct trie_node *root, const struct pattern *pattern,
                                  struct arena *arena);

/* The most specific route for the path from `at`, which is the slash behind the first `depth`
 * segments, or the end.  NULL when there is none. */
const struct route *trie_find(struct trie_walk *walk, const struct trie_node *node, const char *at,
                              uint32_t depth);

#endif
