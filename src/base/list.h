/*
 * An intrusive doubly linked list.  The head is a node; an empty list points at itself; a node that
 * is on no list points at itself too, so that taking it off is always safe.
 */
#ifndef PX_BASE_LIST_H
#define PX_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

struct list {
    struct list *next; /* borrowed: the neighbour, or the node itself */
    struct list *prev;
};

#define LIST_INIT(name)  \
    {                    \
        &(name), &(name) \
    }
#define LIST_ENTRY(node, type, member) CONTAINER_OF(node, type, member)

static inline void list_init(struct list *list)
{
    list->next = list;
    list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

/* Whether a node is on a list. */
static inline bool list_linked(const struct list *node)
{
    return node->next != node;
}

static inline void list_append(struct list *list, struct list *node)
{
    node->next = list;
    node->prev = list->prev;
    list->prev->next = node;
    list->prev = node;
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Moves every node of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev->next = from->next;
    to->prev = from->prev;
    list_init(from);
}

/* States what must hold of a list, and counts its nodes; for tests. */
static inline size_t list_check(const struct list *list)
{
    size_t count = 0;

    for (const struct list *node = list->next; node != list; node = node->next) {
        ASSERT(node && node->next != node);
        ASSERT(node->prev->next == node && node->next->prev == node);
        count++;
    }
    ASSERT(list->next->prev == list && list->prev->next == list);
    return count;
}

#endif
