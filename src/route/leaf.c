/*
 * Filling the table of a leaf, and reading it as a set.  See leaf.h.
 */
#include "route/leaf.h"

#include <string.h>

void route_leaf_put(struct route_leaf *leaf, struct route *route)
{
    uint8_t method_id = route->pattern.method_id;

    CHECK(method_id < ROUTE_METHOD_COUNT && route->token < ROUTE_METHODS_MAX);
    route->leaf = leaf;
    if (!route->pattern.method.ptr) {
        /* Named methods go before it, whichever was registered first. */
        for (uint8_t id = 0; id < ROUTE_METHOD_COUNT; id++)
            if (!leaf->by_id[id] && id != METHOD_CONNECT)
                leaf->by_id[id] = route;
        return;
    }
    if (method_id == METHOD_OTHER) {
        route->others = leaf->others;
        leaf->others = route;
        return;
    }
    /* What is there serves any method, or is GET for HEAD. */
    CHECK(!leaf->by_id[method_id] || leaf->by_id[method_id]->pattern.method_id != method_id);
    leaf->by_id[method_id] = route;

    /* RFC 9110 section 9.3.2: HEAD is GET without the content. */
    const struct route *head = leaf->by_id[METHOD_HEAD];

    if (method_id == METHOD_GET && (!head || head->pattern.method_id != METHOD_HEAD))
        leaf->by_id[METHOD_HEAD] = route;
}

void route_leaf_renew(struct route_leaf *leaf, struct route *routes)
{
    memset(leaf, 0, sizeof(*leaf));
    for (struct route *route = routes; route; route = route->next)
        if (route->leaf == leaf)
            route_leaf_put(leaf, route);
}

route_methods route_leaf_methods(const struct route_leaf *leaf)
{
    route_methods methods = 0;

    for (uint8_t id = METHOD_GET; id < ROUTE_METHOD_COUNT; id++) {
        const struct route *route = leaf->by_id[id];

        if (route && (id != METHOD_TRACE || route->pattern.method_id == METHOD_TRACE))
            methods |= ROUTE_METHOD_BIT(id);
    }
    for (const struct route *route = leaf->others; route; route = route->others)
        methods |= ROUTE_METHOD_BIT(ROUTE_METHOD_COUNT + route->token);
    return methods;
}
