/*
 * Media types of files, by the extension of their names, and whether a type's content shrinks when
 * it is compressed.
 *
 * Happy path: one binary search in a table made from mime-db (media_type_table.c).  Text types
 * carry `charset=utf-8`, for that is what files are written in today.  Nothing allocates and
 * nothing can fail: what is unknown is application/octet-stream, which browsers save.
 */
#ifndef PX_HTTP_MEDIA_TYPE_H
#define PX_HTTP_MEDIA_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

struct media_type_entry {
    const char *extension; /* in lower case, without the dot */
    const char *type;      /* as in Content-Type */
};

/* Sorted by extension. */
extern const struct media_type_entry media_type_table[];
extern const uint32_t media_type_table_count;

/* Types whose content shrinks although their name does not say so; sorted. */
extern const char *const media_type_shrinking[];
extern const uint32_t media_type_shrinking_count;

/* The media type of a file of that name (its last dot counts, case does not), static.  Names that
 * are text by custom (README, Makefile) are text. */
px_str media_type_of(px_str file_name);

/* Whether content of that type (a Content-Type value, parameters included) is worth compressing. */
bool media_type_compressible(px_str type);

#endif
