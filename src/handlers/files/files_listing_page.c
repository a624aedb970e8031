/*
 * The page of a folder: HTML that needs no script, with breadcrumbs, columns whose heads are links
 * that sort, and times in UTC.
 *
 * Every reference is relative ("./name", "../"), so that the page is right under any route and
 * behind any proxy, and no name becomes a scheme or a host.
 */
#include <stdio.h>

#include "handlers/files/files_listing.h"
#include "http/fields/media_type.h"
#include "http/forms/escape.h"

/* A buffer and whether writing to it has failed: what comes after that is dropped. */
struct page {
    const struct listing_view *view;
    struct buf *out;
    px_err err;
    char query[48]; /* of links to other folders, to see them in the same order; may be empty */
};

static void put(struct page *page, const char *text)
{
    if (page->err == PX_OK)
        page->err = buf_append(page->out, px_str_of(text));
}

static void put_text(struct page *page, px_str text)
{
    if (page->err == PX_OK)
        page->err = escape_html(page->out, text);
}

static void put_segment(struct page *page, px_str segment)
{
    if (page->err == PX_OK)
        page->err = escape_segment(page->out, segment);
}

/* --- Head and breadcrumbs --------------------------------------------------------------------- */

/* The part of a path in front of its first slash; moves behind it. */
static px_str segment_next(px_str *path)
{
    size_t len = 0;

    while (len < path->len && path->ptr[len] != '/')
        len++;
    px_str segment = px_str_make(path->ptr, len);
    size_t used = len < path->len ? len + 1 : len;

    *path = px_str_make(path->ptr + used, path->len - used);
    return segment;
}

/* Tabs and bookmarks tell sites apart by the host. */
static void put_title(struct page *page, const struct listing_head *head)
{
    put(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n"
              "<link rel=\"icon\" href=\"data:,\">\n<title>");
    put_text(page, head->host);
    put_text(page, head->root_name);
    put_text(page, head->path);
    put(page, "</title>\n<style>");
    put(page, listing_style);
    put(page, "</style>\n</head>\n<body>\n");
    put(page, listing_icons);
    put(page, "<main>\n");
}

/* What the root is called: the host, and the path that leads to it. */
static void put_root_name(struct page *page, const struct listing_head *head)
{
    px_str path = head->root_name;

    if (head->host.len > 0 && path.len > 0)
        path.len--; /* the slash is between the two */
    put(page, "<bdi>");
    put_text(page, head->host);
    put_text(page, path);
    put(page, "</bdi>");
}

static void put_up(struct page *page, uint32_t depth)
{
    put(page, "<a href=\"");
    for (uint32_t up = 0; up < depth; up++)
        put(page, "../");
    put(page, page->query);
    put(page, "\">");
}

/* Above a folder this far up there is no link: each is as long as the way. */
static bool depth_is_linked(uint32_t depth)
{
    return depth > 0 && depth <= LISTING_CRUMBS_MAX;
}

static void put_breadcrumbs(struct page *page, const struct listing_head *head)
{
    px_str rest = head->path;
    uint32_t depth = 0;

    for (size_t index = 0; index < rest.len; index++)
        depth += rest.ptr[index] == '/';
    put(page, "<nav aria-label=\"Breadcrumb\">\n<ol>\n<li>");
    if (depth_is_linked(depth))
        put_up(page, depth);
    put(page, depth > 0 ? "" : "<h1>");
    put_root_name(page, head);
    put(page, depth == 0 ? "</h1></li>\n" : depth_is_linked(depth) ? "</a></li>\n" : "</li>\n");
    while (depth-- > 0) {
        px_str name = segment_next(&rest);

        put(page, depth > 0 ? "<li>" : "<li aria-current=\"page\"><h1>");
        if (depth_is_linked(depth))
            put_up(page, depth);
        put(page, "<bdi>");
        put_text(page, name);
        put(page, depth == 0               ? "</bdi></h1></li>\n"
                  : depth_is_linked(depth) ? "</bdi></a></li>\n"
                                           : "</bdi></li>\n");
    }
    put(page, "</ol>\n</nav>\n");
}

/* --- The table -------------------------------------------------------------------------------- */

static void put_column(struct page *page, enum listing_sort sort, const char *title)
{
    const struct listing_view *view = page->view;
    bool chosen = view->sort == sort;
    /* A chosen column turns around, another begins with what is looked for in it. */
    bool descending = chosen ? !view->descending : listing_sort_descends(sort);
    char text[160];

    snprintf(text, sizeof(text),
             "<th scope=\"col\"%s><a href=\"?sort=%s&amp;order=%s\">%s</a></th>\n",
             !chosen            ? ""
             : view->descending ? " aria-sort=\"descending\""
                                : " aria-sort=\"ascending\"",
             listing_sort_name(sort), descending ? "desc" : "asc", title);
    put(page, text);
}

static const char *icon_of(px_str name)
{
    static const struct {
        const char *type; /* the beginning of a media type */
        const char *icon;
    } icons[] = {
        {"image/", "i"},
        {"audio/", "a"},
        {"video/", "v"},
        {"text/html", "c"},
        {"text/css", "c"},
        {"text/javascript", "c"},
        {"text/", "t"},
        {"application/json", "c"},
        {"application/xml", "c"},
        {"application/wasm", "c"},
        {"application/pdf", "t"},
        {"application/epub", "t"},
        {"application/msword", "t"},
        {"application/vnd.openxmlformats-officedocument.word", "t"},
        {"application/vnd.oasis.opendocument.text", "t"},
        {"application/zip", "z"},
        {"application/gzip", "z"},
        {"application/zstd", "z"},
        {"application/x-7z", "z"},
        {"application/x-bzip", "z"},
        {"application/x-tar", "z"},
        {"application/x-xz", "z"},
        {"application/vnd.rar", "z"},
        {"application/java-archive", "z"},
        {"application/vnd.debian", "z"},
        {"application/x-redhat", "z"},
    };
    px_str type = media_type_of(name);

    for (size_t index = 0; index < sizeof(icons) / sizeof(icons[0]); index++) {
        size_t len = strlen(icons[index].type);

        if (type.len >= len && memcmp(type.ptr, icons[index].type, len) == 0)
            return icons[index].icon;
    }
    return "f";
}

/* "1.4 MiB": three digits at most, rounded down, which no size is smaller than. */
static void size_write(uint64_t bytes, char *out, size_t room)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    uint32_t unit = 0;
    uint64_t tenths = bytes * 10;

    if (bytes < 1024) {
        snprintf(out, room, "%u B", (unsigned)bytes);
        return;
    }
    for (; bytes >= 1024; bytes /= 1024, unit++)
        tenths = bytes / 1024 * 10 + bytes % 1024 * 10 / 1024;
    if (tenths < 100)
        snprintf(out, room, "%u.%u %s", (unsigned)(tenths / 10), (unsigned)(tenths % 10),
                 units[unit]);
    else
        snprintf(out, room, "%u %s", (unsigned)(tenths / 10), units[unit]);
}

static void put_row(struct page *page, px_str name, const struct listing_item *item)
{
    char time[DATE_INTERNET_BYTES];
    char size[16] = "&mdash;";
    char rest[256];

    put(page, "<tr><td><a href=\"./");
    put_segment(page, name);
    if (item->is_folder) {
        put(page, "/");
        put(page, page->query);
    } else {
        size_write(item->size, size, sizeof(size));
    }
    put(page, "\"><svg aria-hidden=\"true\"><use href=\"#");
    put(page, item->is_folder ? "d" : icon_of(name));
    put(page, "\"/></svg><bdi>");
    put_text(page, name);
    date_format_internet(item->modified, time);
    snprintf(rest, sizeof(rest),
             "%s</bdi></a></td><td>%s</td><td><time datetime=\"%.*s\">%.10s <span>%.5s</span>"
             "</time></td></tr>\n",
             item->is_folder ? "/" : "", size, DATE_INTERNET_BYTES, time, time, time + 11);
    put(page, rest);
}

static void put_table(struct page *page, const struct listing_head *head)
{
    put(page, "<table>\n<thead>\n<tr>\n");
    put_column(page, LISTING_BY_NAME, "Name");
    put_column(page, LISTING_BY_SIZE, "Size");
    put_column(page, LISTING_BY_DATE, "Modified");
    put(page, "</tr>\n</thead>\n<tbody>\n");
    if (head->path.len > 0) {
        put(page, "<tr><td><a href=\"../");
        put(page, page->query);
        put(page, "\"><svg aria-hidden=\"true\"><use href=\"#u\"/></svg><bdi>Up</bdi></a></td>"
                  "<td></td><td></td></tr>\n");
    }
}

static void put_foot(struct page *page, const struct listing_totals *totals)
{
    char size[16];
    char text[256];

    put(page, "</tbody>\n</table>\n");
    size_write(totals->bytes, size, sizeof(size));
    snprintf(text, sizeof(text),
             "<footer>%llu folder%s, %llu file%s, %s. Times are UTC.</footer>\n",
             (unsigned long long)totals->folders, totals->folders == 1 ? "" : "s",
             (unsigned long long)totals->files, totals->files == 1 ? "" : "s", size);
    put(page, text);
    put(page, "</main>\n</body>\n</html>\n");
}

static struct page page_of(const struct listing_view *view, struct buf *out)
{
    struct page page = {.view = view, .out = out, .err = PX_OK};

    if (view->sort != LISTING_BY_NAME || view->descending)
        snprintf(page.query, sizeof(page.query), "?sort=%s&amp;order=%s",
                 listing_sort_name((enum listing_sort)view->sort),
                 view->descending ? "desc" : "asc");
    return page;
}

px_err listing_page_head(const struct listing_head *head, struct buf *out)
{
    struct page page = page_of(&head->view, out);

    put_title(&page, head);
    put_breadcrumbs(&page, head);
    put_table(&page, head);
    return page.err;
}

px_err listing_page_rows(struct listing *listing, struct buf *out)
{
    struct page page = page_of(&listing->view, out);

    for (uint32_t index = 0; index < listing->count && page.err == PX_OK; index++) {
        const struct listing_item *item = &listing_items(listing)[index];
        size_t len = out->len;

        put_row(&page, listing_name(listing, item), item);
        if (listing_is_full(out, page.err)) {
            out->len = len;
            page.err = index > 0 ? PX_OK : PX_ERR_LIMIT;
            if (index > 0)
                listing_cut(listing, index);
        }
    }
    if (listing->count == 0 && !listing->after.is_set)
        put(&page, "<tr><td colspan=\"3\">Nothing is in this folder.</td></tr>\n");
    listing_count(listing);
    if (!listing->more)
        put_foot(&page, &listing->totals);
    return page.err;
}
