/*
 * A folder's listing for programs: one JSON object (RFC 8259).
 *
 *   {"path": "/a/", "entries": [
 *    {"name": "b.txt", "href": "./b.txt", "type": "file", "size": 1, "modified":
 * "2026-01-02T03:04:05Z"}], "count": 1}
 *
 * The count comes last, since it is known last; without it the listing is not whole.
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

px_err listing_json_head(const struct listing_head *head, struct buf *out)
{
    px_err err = put(out, "{\"path\":\"");

    if (err == PX_OK)
        err = escape_json(out, head->root_name);
    if (err == PX_OK)
        err = escape_json(out, head->path);
    return err == PX_OK ? put(out, "\",\"entries\":[") : err;
}

px_err listing_json_rows(struct listing *listing, struct buf *out)
{
    px_err err = PX_OK;
    char foot[64];

    for (uint32_t index = 0; err == PX_OK && index < listing->count; index++) {
        size_t len = out->len;

        err = put(out, index > 0 || listing->after.is_set ? ",\n" : "\n");
        if (err == PX_OK)
            err = put_item(listing, &listing_items(listing)[index], out);
        if (listing_is_full(out, err)) {
            out->len = len;
            err = index > 0 ? PX_OK : PX_ERR_LIMIT;
            if (index > 0)
                listing_cut(listing, index);
        }
    }
    listing_count(listing);
    if (err != PX_OK || listing->more)
        return err;
    snprintf(foot, sizeof(foot), "\n],\"count\":%llu}\n",
             (unsigned long long)listing->totals.folders + listing->totals.files);
    return put(out, foot);
}
