/*
 * What directives make that is one for all routes: kept until the configuration ends.
 *
 * What was found comes to the front, so that what ten thousand routes share is not looked for
 * behind what each of them has of its own.
 */
#include "config/build.h"

void *build_made_find(struct build *build, const struct config_node *node,
                      const struct config_node *match)
{
    struct config_made **at = &build->config->made;

    for (struct config_made *one = *at; one; at = &one->next, one = *at) {
        if (one->node != node || one->match != match)
            continue;
        *at = one->next;
        one->next = build->config->made;
        build->config->made = one;
        return one->thing;
    }
    return NULL;
}

bool build_made_keep(struct build *build, const struct config_node *node,
                     const struct config_node *match, void *thing, void (*release)(void *thing))
{
    struct config_made *one = load_take(build->load, sizeof(*one));

    if (!one) {
        release(thing);
        return false;
    }
    *one = (struct config_made){build->config->made, node, match, thing, release};
    build->config->made = one;
    return true;
}
