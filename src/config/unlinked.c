/*
 * Directives that are understood, and whose engine this program does not have: a configuration that
 * uses one is refused at its place.  What gets its engine loses its line here.
 */
#include "base/check.h"
#include "config/build.h"

static const char *const unlinked[] = {
    "allow",        "deny",           "rate_limit", "connection_limit", "basic_auth", "rewrite",
    "strip_prefix", "request_header", "when",       "error_page",
};

void config_check_linked(struct config_load *load, const struct config_node *nodes)
{
    for (; nodes; nodes = nodes->next) {
        for (size_t i = 0; i < ARRAY_COUNT(unlinked); i++)
            if (node_is(nodes, unlinked[i]))
                report_add(&load->report, REPORT_MEANING, node_place(nodes),
                           "\"%s\" is not in this version of pollux", nodes->row->name);
        config_check_linked(load, nodes->children);
    }
}
