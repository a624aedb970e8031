/*
 * Reading a folder, a piece at a time, in order.  On a helper thread.
 *
 * Twice as many entries as a piece has are collected; when there is no more room they are sorted,
 * the better half stays, and what comes behind its last one is passed over.  So one pass over the
 * folder gives the next piece in order, whatever the folder holds.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "handlers/files/files_listing.h"

/* What the handler would not serve (files_path) is not shown.  A folder of /.well-known is asked
 * for by those that know it. */
static bool name_is_shown(const char *name)
{
    return name[0] != '.';
}

/* Where a link leads, if the handler would follow it there. */
static bool link_resolve(const struct listing *listing, const struct files_entry *entry,
                         struct folder_item *item)
{
    char path[FILE_PATH_BYTES_MAX + 1];
    size_t len = strlen(item->name);
    int fd;

    if (listing->path.len + len >= sizeof(path))
        return false;
    if (listing->path.len > 0)
        memcpy(path, listing->path.ptr, listing->path.len);
    memcpy(path + listing->path.len, item->name, len + 1);
    if (root_find(&entry->files->root, path, ROOT_WAIT, &fd, &item->info) != PX_OK)
        return false;
    root_put(fd);
    return true;
}

/* --- Sorting ---------------------------------------------------------------------------------- */

static bool is_digit(unsigned char byte)
{
    return byte >= '0' && byte <= '9';
}

static unsigned char lower(unsigned char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (unsigned char)(byte + 32) : byte;
}

/* Compares two runs of digits by value and moves behind them; equal ones with fewer zeros first are
 * left to the caller. */
static int digits_compare(const unsigned char **left, const unsigned char **right)
{
    const unsigned char *a = *left;
    const unsigned char *b = *right;
    size_t a_len = 0;
    size_t b_len = 0;

    while (*a == '0')
        a++;
    while (*b == '0')
        b++;
    while (is_digit(a[a_len]))
        a_len++;
    while (is_digit(b[b_len]))
        b_len++;
    *left = a + a_len;
    *right = b + b_len;
    return a_len != b_len ? (a_len < b_len ? -1 : 1) : memcmp(a, b, a_len);
}

int listing_name_compare(const char *left, const char *right)
{
    const unsigned char *a = (const unsigned char *)left;
    const unsigned char *b = (const unsigned char *)right;

    while (*a && *b) {
        int order;

        if (is_digit(*a) && is_digit(*b)) {
            order = digits_compare(&a, &b);
        } else {
            order = (int)lower(*a) - (int)lower(*b);
            a++;
            b++;
        }
        if (order != 0)
            return order;
    }
    if (*a || *b)
        return *a ? 1 : -1;
    return strcmp(left, right);
}

/* An item, wherever its name lies. */
struct rank {
    bool is_folder;
    uint64_t size;
    int64_t modified;
    const char *name;
};

static struct rank rank_of_mark(const struct listing_mark *mark)
{
    return (struct rank){mark->is_folder, mark->size, mark->modified, mark->name};
}

static struct rank rank_of_item(const struct listing *listing, const struct listing_item *item)
{
    return (struct rank){item->is_folder, item->size, item->modified,
                         listing->names.ptr + item->name_at};
}

/* Folders first, whatever the order; what is equal is sorted by name. */
static int rank_compare(const struct listing_view *view, struct rank left, struct rank right)
{
    int order = 0;

    if (left.is_folder != right.is_folder)
        return left.is_folder ? -1 : 1;
    switch ((enum listing_sort)view->sort) {
    case LISTING_BY_SIZE:
        order = (left.size > right.size) - (left.size < right.size);
        break;
    case LISTING_BY_DATE:
        order = (left.modified > right.modified) - (left.modified < right.modified);
        break;
    case LISTING_BY_NAME:
    case LISTING_SORT_COUNT:
        order = listing_name_compare(left.name, right.name);
        break;
    }
    if (order != 0)
        return view->descending ? -order : order;
    return listing_name_compare(left.name, right.name);
}

static int item_compare(const void *left, const void *right, void *context)
{
    const struct listing *listing = context;

    return rank_compare(&listing->view, rank_of_item(listing, left), rank_of_item(listing, right));
}

static void mark_set(struct listing_mark *mark, const struct listing *listing, uint32_t index)
{
    const struct listing_item *item = &listing_items(listing)[index];

    CHECK(item->name_len <= LISTING_NAME_BYTES_MAX);
    *mark = (struct listing_mark){.is_set = true,
                                  .is_folder = item->is_folder,
                                  .size = item->size,
                                  .modified = item->modified};
    memcpy(mark->name, listing->names.ptr + item->name_at, item->name_len + 1);
}

/* --- Pieces ----------------------------------------------------------------------------------- */

void listing_init(struct listing *listing, const px_allocator *allocator)
{
    buf_init(&listing->names, allocator, LISTING_NAMES_BYTES_MAX);
    buf_init(&listing->items, allocator, 2 * LISTING_PIECE_MAX * sizeof(struct listing_item));
}

void listing_deinit(struct listing *listing)
{
    buf_deinit(&listing->names);
    buf_deinit(&listing->items);
}

static void listing_sort(struct listing *listing)
{
    if (listing->count > 1)
        qsort_r(listing->items.ptr, listing->count, sizeof(struct listing_item), item_compare,
                listing);
}

void listing_cut(struct listing *listing, uint32_t count)
{
    CHECK(count > 0 && count <= listing->count);
    listing->more = listing->more || count < listing->count;
    listing->count = count;
    listing->items.len = count * sizeof(struct listing_item);
    mark_set(&listing->last, listing, count - 1);
}

/* Makes room: the better half stays, with its names alone. */
static px_err listing_halve(struct listing *listing)
{
    struct buf names;
    px_err err = PX_OK;

    CHECK(listing->count > 0);
    listing_sort(listing);
    listing_cut(listing, (listing->count + 1) / 2);
    buf_init(&names, listing->names.allocator, LISTING_NAMES_BYTES_MAX);
    for (uint32_t index = 0; index < listing->count && err == PX_OK; index++) {
        struct listing_item *item = &listing_items(listing)[index];
        px_str name = listing_name(listing, item);

        item->name_at = (uint32_t)names.len;
        err = buf_append(&names, px_str_make(name.ptr, name.len + 1));
    }
    buf_deinit(&listing->names);
    listing->names = names;
    return err;
}

static px_err item_add(struct listing *listing, const struct folder_item *found)
{
    px_str name = px_str_of(found->name);
    struct listing_item item = {
        .name_len = (uint32_t)name.len,
        .size = found->info.kind == FILE_REGULAR ? found->info.size : 0,
        .modified = found->info.modified,
        .is_folder = found->info.kind == FILE_FOLDER,
    };
    px_err err = PX_OK;

    if (listing->count == 2 * LISTING_PIECE_MAX ||
        listing->names.len + name.len + 1 > LISTING_NAMES_BYTES_MAX)
        err = listing_halve(listing);
    item.name_at = (uint32_t)listing->names.len;
    if (err == PX_OK)
        err = buf_append(&listing->names, px_str_make(name.ptr, name.len + 1));
    if (err == PX_OK)
        err = buf_append(&listing->items, px_str_make((const char *)&item, sizeof(item)));
    listing->count += err == PX_OK;
    ASSERT(listing->items.len == listing->count * sizeof(struct listing_item));
    return err;
}

/* Takes what belongs to the piece, as far as is known by now; counts what came before it. */
static px_err item_look(struct listing *listing, const struct folder_item *found,
                        uint64_t *before_count)
{
    struct rank rank = {found->info.kind == FILE_FOLDER,
                        found->info.kind == FILE_REGULAR ? found->info.size : 0,
                        found->info.modified, found->name};

    if (listing->after.is_set &&
        rank_compare(&listing->view, rank, rank_of_mark(&listing->after)) <= 0) {
        ++*before_count;
        return PX_OK;
    }
    if (listing->last.is_set &&
        rank_compare(&listing->view, rank, rank_of_mark(&listing->last)) > 0)
        return PX_OK;
    return item_add(listing, found);
}

px_err listing_read(struct listing *listing, const struct files_entry *entry)
{
    uint64_t given = listing->totals.folders + listing->totals.files, before_count = 0;
    struct folder folder;
    struct folder_item item;
    px_err err = folder_open(&folder, entry->fd);

    if (err != PX_OK)
        return err;
    while (err == PX_OK) {
        err = folder_next(&folder, name_is_shown, &item);
        if (err == PX_OK && strlen(item.name) <= LISTING_NAME_BYTES_MAX &&
            (!item.is_link || link_resolve(listing, entry, &item)))
            err = item_look(listing, &item, &before_count);
    }
    folder_close(&folder);
    if (err != PX_ERR_NOT_FOUND)
        return err;
    /* By name each entry has its place.  By size or date one that changed may have moved over the
     * border: then it is missing, or there twice, and that must not look complete. */
    if (listing->view.sort != LISTING_BY_NAME && before_count != given)
        return PX_ERR_SYSTEM;
    listing_sort(listing);
    if (listing->count > 0)
        listing_cut(listing,
                    listing->count < LISTING_PIECE_MAX ? listing->count : LISTING_PIECE_MAX);
    return PX_OK;
}

void listing_count(struct listing *listing)
{
    ASSERT(listing->items.len >= listing->count * sizeof(struct listing_item));
    for (uint32_t index = 0; index < listing->count; index++) {
        const struct listing_item *item = &listing_items(listing)[index];

        listing->totals.folders += item->is_folder;
        listing->totals.files += !item->is_folder;
        listing->totals.bytes += item->size;
    }
}
