/*
 * What the parts of listing a folder share.
 *
 *   files_listing.c        a request: what is asked for, a helper's job, the answer
 *   files_listing_read.c   reading the folder, sorting
 *   files_listing_page.c   the page
 *   files_listing_style.c  its style sheet and icons
 *   files_listing_json.c   the same for programs
 *
 * Happy path: a helper thread reads, sorts and renders all of it, bounded in entries and bytes; the
 * loop answers with the bytes.
 */
#ifndef PX_HANDLERS_FILES_LISTING_H
#define PX_HANDLERS_FILES_LISTING_H

#include "base/buf.h"
#include "handlers/files/files.h"
#include "io/folder.h"

enum listing_sort { LISTING_BY_NAME, LISTING_BY_SIZE, LISTING_BY_DATE, LISTING_SORT_COUNT };

/* What is asked for. */
struct listing_view {
    uint8_t sort; /* enum listing_sort */
    bool descending;
    bool json;
};

struct listing_item {
    uint32_t name_at; /* in listing->names, NUL-terminated */
    uint32_t name_len;
    uint64_t size; /* of a file */
    int64_t modified;
    bool is_folder;
};

/* A folder that was read. */
struct listing {
    struct listing_view view;
    px_str path;      /* beneath the root, no slash in front, one behind unless it is empty */
    px_str root_name; /* the request's path in front of `path`: "/" or "/static/" */
    px_str host;      /* whom the request is for; may be absent */
    struct buf names;
    struct buf items; /* of struct listing_item */
    uint32_t count;
    uint32_t folder_count;
    uint64_t bytes; /* of all files */
    bool cut;       /* there are more */
};

/* "name", "size" or "date". */
const char *listing_sort_name(enum listing_sort sort);

/* The order a column has when it is chosen: names and sizes as people look for them. */
bool listing_sort_descends(enum listing_sort sort);

static inline const struct listing_item *listing_items(const struct listing *listing)
{
    return (const struct listing_item *)(const void *)listing->items.ptr;
}

static inline px_str listing_name(const struct listing *listing, const struct listing_item *item)
{
    return px_str_make(listing->names.ptr + item->name_at, item->name_len);
}

/* Reads and sorts: PX_OK, PX_ERR_MEMORY, PX_ERR_LIMIT (descriptors) or PX_ERR_SYSTEM.  `listing`
 * has its view, path and empty buffers.  On a helper thread. */
PX_MUST_CHECK px_err listing_read(struct listing *listing, const struct files_entry *entry);

/* Names as people sort them: numbers by their value, letters without regard to case. */
int listing_name_compare(const char *left, const char *right);

/* Renders: PX_OK, PX_ERR_MEMORY, or PX_ERR_LIMIT when `out` was full (the caller sets `cut`, makes
 * `count` less, and tries again). */
PX_MUST_CHECK px_err listing_page(const struct listing *listing, struct buf *out);
PX_MUST_CHECK px_err listing_json(const struct listing *listing, struct buf *out);

/* The style sheet, the icons, and Content-Security-Policy, which names the style by its digest. */
extern const char listing_style[];
extern const char listing_icons[];
extern const char listing_policy[];

#endif
