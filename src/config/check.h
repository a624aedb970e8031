/*
 * From statements to directives: each is found in the schema, its values are read, and what may not
 * stand where it stands is noted.
 *
 * The happy path: config_check fills a list of nodes that mirrors the tree.  What can go wrong is
 * noted in the load's report, all of it.
 */
#ifndef PX_CONFIG_CHECK_H
#define PX_CONFIG_CHECK_H

#include "config/types.h"

/* A directive that is understood.  In the load's arena. */
struct config_node {
    struct config_node *next;
    const struct config_directive *row;       /* borrowed: static */
    const struct config_statement *statement; /* borrowed: the tree's */
    struct config_typed *values;              /* value_count of them */
    uint32_t value_count;
    bool is_none;                 /* NAME none */
    bool is_partial;              /* noted: something in its block is not understood */
    struct config_typed *options; /* as many as the row has, in its order */
    struct config_node *children;
};

/* Reads the whole tree.  NULL with nothing to read; errors are in the report, and what is wrong is
 * not in the list, so that the rest can be looked at. */
struct config_node *config_check(struct config_load *load);

/* The place of a node's name. */
static inline struct config_place node_place(const struct config_node *node)
{
    return node->statement->name.place;
}

/* Whether a node is of that directive. */
bool node_is(const struct config_node *node, const char *name);

/* An option that was given, or NULL. */
const struct config_typed *node_option(const struct config_node *node, const char *name);

/* The last node of that name in a list, or NULL. */
const struct config_node *node_find(const struct config_node *list, const char *name);

/* Whether a node stands in a list, or in a `when` of it. */
bool node_is_in(const struct config_node *list, const struct config_node *node);

#endif
