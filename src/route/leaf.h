/*
 * A leaf of the trie: the routes of one path, by method.
 *
 * The table is filled when a route is put in, GET for HEAD and a route without a method for all
 * others included, so that a lookup is one load.  Method tokens without a number have an index in
 * the router's list of tokens and stand in a short list.  Nothing here can fail.
 */
#ifndef PX_ROUTE_LEAF_H
#define PX_ROUTE_LEAF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"
#include "route/pattern.h"

/* One registration.  It and all it points at but `value` live in the router's arena. */
struct route_leaf;

struct route {
    struct pattern pattern;
    void *value;             /* borrowed: the caller's */
    const px_str *names;     /* of the parameters */
    const uint8_t *depths;   /* for each, the index of its segment */
    struct route *next;      /* registered before it */
    struct route *others;    /* in its leaf: further routes with a token */
    struct route_leaf *leaf; /* borrowed: where it was put */
    bool has_rest;           /* its last segment is a rest */
    uint8_t token;           /* when its method has no number: the index of the token */
};

/* A method that no request has and no route answers. */
enum { ROUTE_METHOD_NONE = ROUTE_METHOD_COUNT };

struct route_leaf {
    /* What answers each method; METHOD_OTHER has the route without a method, ROUTE_METHOD_NONE
     * none. */
    const struct route *by_id[ROUTE_METHOD_COUNT + 1];
    struct route *others; /* routes with a method token that has no number */
};

/* Sets of methods: a bit for each number, then one for each token. */
typedef uint64_t route_methods;

#define ROUTE_METHOD_BIT(index) ((route_methods)1 << (index))
_Static_assert(ROUTE_METHOD_COUNT + ROUTE_METHODS_MAX <= 64, "a bit for each method");

/* The leaf holds no route of this method yet. */
void route_leaf_put(struct route_leaf *leaf, struct route *route);

/* Fills the table anew with those of `routes` that are its own; with none it answers nothing. */
void route_leaf_renew(struct route_leaf *leaf, struct route *routes);

/* The methods that are answered; for a route without a method those with a number but CONNECT and
 * TRACE. */
route_methods route_leaf_methods(const struct route_leaf *leaf);

/* The route for a method: its number, and for METHOD_OTHER the index of its token or -1.  NULL when
 * there is none. */
static inline const struct route *route_leaf_find(const struct route_leaf *leaf, uint8_t method_id,
                                                  int token)
{
    ASSERT(method_id <= ROUTE_METHOD_NONE && token < ROUTE_METHODS_MAX);
    if (method_id == METHOD_OTHER && token >= 0)
        for (const struct route *route = leaf->others; route; route = route->others)
            if (route->token == token)
                return route;
    return leaf->by_id[method_id];
}

#endif
