/*
 * A folder's listing for programs: one JSON object (RFC 8259).
 *
 *   {"path": "/a/", "cut": false, "entries": [
 *    {"name": "b.txt", "href": "b.txt", "type": "file", "size": 1, "modified":
 * "2026-01-02T03:04:05Z"}]}
 *
 * `name` is for people: what is not UTF-8 in it is U+FFFD.  `href` is the reference, with every
 * byte.
 */
#include <stdio.h>

#include "handlers/files/files_listing.h"
#include "http/forms/escape.h"

static px_err put(struct buf *out, const char *text)
{
    return buf_append(out, px_str_of(text));
}

static px_err put_item(const struct listing *listing, const struct listing_item *item,
                       struct buf *out)
{
    px_str name = listing_name(listing, item);
    char time[DATE_INTERNET_BYTES];
    char rest[128];
    px_err err = put(out, "{\"name\":\"");

    if (err == PX_OK)
        err = escape_json(out, name);
    if (err == PX_OK)
        err = put(out, "\",\"href\":\"./");
    if (err == PX_OK)
        err = escape_segment(out, name);
    date_format_internet(item->modified, time);
    if (item->is_folder)
        snprintf(rest, sizeof(rest), "/\",\"type\":\"folder\",\"modified\":\"%.*s\"}",
                 DATE_INTERNET_BYTES, time);
    else
        snprintf(rest, sizeof(rest), "\",\"type\":\"file\",\"size\":%llu,\"modified\":\"%.*s\"}",
                 (unsigned long long)item->size, DATE_INTERNET_BYTES, time);
    return err == PX_OK ? put(out, rest) : err;
}

px_err listing_json(const struct listing *listing, struct buf *out)
{
    const struct listing_item *items = listing_items(listing);
    px_err err = put(out, "{\"path\":\"");

    if (err == PX_OK)
        err = escape_json(out, listing->root_name);
    if (err == PX_OK)
        err = escape_json(out, listing->path);
    if (err == PX_OK)
        err = put(out, listing->cut ? "\",\"cut\":true,\"entries\":["
                                    : "\",\"cut\":false,\"entries\":[");
    for (uint32_t index = 0; err == PX_OK && index < listing->count; index++) {
        err = put(out, index > 0 ? ",\n" : "\n");
        if (err == PX_OK)
            err = put_item(listing, &items[index], out);
    }
    return err == PX_OK ? put(out, "\n]}\n") : err;
}
