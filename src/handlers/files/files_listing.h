/*
 * What the parts of listing a folder share.
 *
 *   files_listing.c        a request: what is asked for, the answer and its pieces
 *   files_listing_make.c   the pages that are kept, and the work of helpers, one at a time
 *   files_listing_read.c   reading the folder, sorting, a piece at a time
 *   files_listing_page.c   the page
 *   files_listing_style.c  its style sheet and icons
 *   files_listing_json.c   the same for programs
 *
 * Happy path: a helper thread reads, sorts and renders the rows; requests for the same folder and
 * view wait for the same work, and those that come while the folder stays as it is get the same
 * rows.  What is not the same for all of them (host, route) is in the head, which is rendered for
 * each.  A folder of more entries than a piece has is read again for each piece: the next ones in
 * order, as the client takes them, so that any number fits into the same memory.
 */
#ifndef PX_HANDLERS_FILES_LISTING_H
#define PX_HANDLERS_FILES_LISTING_H

#include "base/buf.h"
#include "base/limits.h"
#include "handlers/files/files.h"
#include "io/folder.h"

enum listing_sort { LISTING_BY_NAME, LISTING_BY_SIZE, LISTING_BY_DATE, LISTING_SORT_COUNT };
enum {
    LISTING_NAME_BYTES_MAX = 255,
    LISTING_FOOT_BYTES = 512 /* what ends the rows, at most */
};

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

/* A place in the order: an item with a name of its own. */
struct listing_mark {
    bool is_set;
    bool is_folder;
    uint64_t size;
    int64_t modified;
    char name[LISTING_NAME_BYTES_MAX + 1];
};

struct listing_totals {
    uint64_t folders;
    uint64_t files;
    uint64_t bytes; /* of all files */
};

/* A piece of a folder. */
struct listing {
    struct listing_view view;
    px_str path; /* beneath the root, no slash in front, one behind unless it is empty */
    struct buf names;
    struct buf items; /* of struct listing_item */
    uint32_t count;
    struct listing_mark after;    /* the last one of the piece before; not set: this is the first */
    struct listing_mark last;     /* of this piece */
    struct listing_totals totals; /* of this piece and those before */
    bool more;                    /* another piece follows */
};

/* What stands above the rows. */
struct listing_head {
    struct listing_view view;
    px_str path;      /* as above */
    px_str root_name; /* the request's path in front of `path`: "/" or "/static/" */
    px_str host;      /* that the request is for; may be absent */
};

/* "name", "size" or "date". */
const char *listing_sort_name(enum listing_sort sort);

/* The order a column has when it is chosen: names and sizes as people look for them. */
bool listing_sort_descends(enum listing_sort sort);

static inline struct listing_item *listing_items(const struct listing *listing)
{
    return (struct listing_item *)(void *)listing->items.ptr;
}

static inline px_str listing_name(const struct listing *listing, const struct listing_item *item)
{
    return px_str_make(listing->names.ptr + item->name_at, item->name_len);
}

/* --- files_listing_read.c --------------------------------------------------------------------- */

void listing_init(struct listing *listing, const px_allocator *allocator);
void listing_deinit(struct listing *listing);

/* Reads and sorts the piece behind `after`, and counts it: PX_OK, PX_ERR_MEMORY, PX_ERR_LIMIT
 * (descriptors) or PX_ERR_SYSTEM (the disk; or files changed so that the order of the pieces before
 * does not hold any more).  `listing` has its view and path.  On a helper thread. */
PX_MUST_CHECK px_err listing_read(struct listing *listing, const struct files_entry *entry);

/* Leaves out what does not fit: keeps the first `count` for this piece. */
void listing_cut(struct listing *listing, uint32_t count);

/* Adds what is in this piece to the totals, once it is known what fits. */
void listing_count(struct listing *listing);

/* Names as people sort them: numbers by their value, letters without regard to case. */
int listing_name_compare(const char *left, const char *right);

/* --- files_listing_page.c, files_listing_json.c ----------------------------------------------- */

/* Render what stands above the rows, and the rows of a piece with what ends them behind the last:
 * PX_OK or PX_ERR_MEMORY, PX_ERR_LIMIT when not one row fits.  Rows that do not fit are cut. */
PX_MUST_CHECK px_err listing_page_head(const struct listing_head *head, struct buf *out);
PX_MUST_CHECK px_err listing_page_rows(struct listing *listing, struct buf *out);
PX_MUST_CHECK px_err listing_json_head(const struct listing_head *head, struct buf *out);
PX_MUST_CHECK px_err listing_json_rows(struct listing *listing, struct buf *out);

/* Whether a row was too much for `out`, or left no room for what ends the rows. */
static inline bool listing_is_full(const struct buf *out, px_err err)
{
    return err == PX_ERR_LIMIT || out->len + LISTING_FOOT_BYTES > out->bytes_max;
}

/* --- files_listing_make.c --------------------------------------------------------------------- */

/* A piece that is made, on a helper thread, one after the other. */
struct listing_work {
    struct list node;          /* on files->listing_queue */
    struct files_entry *entry; /* a reference, until it is done; its `fd` is the folder */
    px_loop *loop;             /* borrowed: outlives it */
    struct listing listing;
    struct buf out;        /* the rows */
    struct file_info info; /* of the folder, before it was read */
    uint64_t began_ms;
    px_err err;
    /* On the loop's thread; PX_ERR_CANCELLED in `err`: the loop ends. */
    void (*done)(struct listing_work *work);
};

/* Begins it, now or when those before it are done; `entry`, `listing` and `done` are set. */
void listing_work_begin(struct px_files *files, px_loop *loop, struct listing_work *work);

/* The first piece of a folder in a view, kept while the folder stays as it is. */
struct listing_page {
    struct list used;       /* on files->listing_pages, the longest unused first */
    struct px_files *files; /* a reference */
    uint32_t refs;          /* the list's, its work's, and one for each answer */
    bool in_list;
    bool ready;
    uint64_t fresh_until_ms;
    uint64_t hash; /* of the rows */
    struct listing_work work;
    struct files_entry *folder; /* a reference: where the next pieces are read */
    struct listing_waiter *waiters;
    struct listing_waiter **waiters_last;
    char path[];
};

typedef void listing_ready(px_exchange *exchange, struct listing_page *page);

/* Goes on with the page, now or later: `page->work.err` says how it went.  False when too many wait
 * or memory is short. */
bool listing_page_seek(px_exchange *exchange, struct files_entry *entry, struct listing_view view,
                       listing_ready *ready);
void listing_page_put(struct listing_page *page);

/* The style sheet, the icons, and Content-Security-Policy, which names the style by its digest. */
extern const char listing_style[];
extern const char listing_icons[];
extern const char listing_policy[];

#endif
