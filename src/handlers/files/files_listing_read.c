/*
 * Reading a folder into a list, and sorting it.  On a helper thread.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "handlers/files/files_listing.h"

/* What the handler would not serve (files_path) is not shown.  A folder of /.well-known is asked
 * for by those who know it. */
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

static px_err item_add(struct listing *listing, const struct folder_item *found)
{
    px_str name = px_str_of(found->name);
    struct listing_item item = {
        .name_at = (uint32_t)listing->names.len,
        .name_len = (uint32_t)name.len,
        .size = found->info.kind == FILE_REGULAR ? found->info.size : 0,
        .modified = found->info.modified,
        .is_folder = found->info.kind == FILE_FOLDER,
    };
    px_err err = buf_append(&listing->names, px_str_make(name.ptr, name.len + 1));

    if (err == PX_OK)
        err = buf_append(&listing->items, px_str_make((const char *)&item, sizeof(item)));
    if (err != PX_OK)
        return err;
    listing->count++;
    listing->folder_count += item.is_folder;
    listing->bytes += item.size;
    return PX_OK;
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

/* Folders first, whatever the order; what is equal is sorted by name. */
static int item_compare(const void *left_item, const void *right_item, void *context)
{
    const struct listing *listing = context;
    const struct listing_item *left = left_item;
    const struct listing_item *right = right_item;
    int order = 0;

    if (left->is_folder != right->is_folder)
        return left->is_folder ? -1 : 1;
    switch ((enum listing_sort)listing->view.sort) {
    case LISTING_BY_SIZE:
        order = (left->size > right->size) - (left->size < right->size);
        break;
    case LISTING_BY_DATE:
        order = (left->modified > right->modified) - (left->modified < right->modified);
        break;
    case LISTING_BY_NAME:
    case LISTING_SORT_COUNT:
        order = listing_name_compare(listing->names.ptr + left->name_at,
                                     listing->names.ptr + right->name_at);
        break;
    }
    if (order != 0)
        return listing->view.descending ? -order : order;
    return listing_name_compare(listing->names.ptr + left->name_at,
                                listing->names.ptr + right->name_at);
}

/* --- Reading ---------------------------------------------------------------------------------- */

px_err listing_read(struct listing *listing, const struct files_entry *entry)
{
    struct folder folder;
    struct folder_item item;
    px_err err = folder_open(&folder, entry->fd);

    if (err != PX_OK)
        return err;
    while (err == PX_OK) {
        err = folder_next(&folder, name_is_shown, &item);
        if (err != PX_OK)
            break;
        if (listing->count == LISTING_ENTRIES_MAX) {
            listing->cut = true;
            break;
        }
        if (!item.is_link || link_resolve(listing, entry, &item))
            err = item_add(listing, &item);
    }
    folder_close(&folder);
    if (err != PX_OK && err != PX_ERR_NOT_FOUND)
        return err;
    if (listing->count > 1)
        qsort_r(listing->items.ptr, listing->count, sizeof(struct listing_item), item_compare,
                listing);
    return PX_OK;
}
