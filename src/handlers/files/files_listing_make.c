/*
 * The work of helpers for listings, and the pages that are kept.
 *
 * Happy path: the first request for a folder in a view queues the work and waits; others wait for
 * the same.  One piece is made at a time, so that the other helper threads stay with files.  A page
 * is believed while the folder is as it was, but no longer than ten times what it took to make,
 * since files change without their folder: making it takes a tenth of a thread at most.  It fails
 * for want of memory, descriptors or helpers, or because the disk does; then nothing is kept.
 */
#include <string.h>

#include "handlers/files/files_listing.h"

#include "base/check.h"

/* Tags must mean the same in every worker: a fixed key. */
static const struct siphash_key rows_key = {UINT64_C(0x706f6c6c7578206c),
                                            UINT64_C(0x697374696e672e2e)};

/* A request that waits for a page. */
struct listing_waiter {
    struct listing_waiter *next;
    px_ref ref; /* of the exchange */
    listing_ready *ready;
};

/* --- Work ------------------------------------------------------------------------------------- */

/* On a helper thread. */
static void work_run(void *context)
{
    struct listing_work *work = context;
    struct listing *listing = &work->listing;

    work->err = root_look(work->entry->fd, &work->info);
    if (work->err == PX_OK)
        work->err = listing_read(listing, work->entry);
    if (work->err == PX_OK)
        work->err = listing->view.json ? listing_json_rows(listing, &work->out)
                                       : listing_page_rows(listing, &work->out);
    listing_deinit(listing);
}

/* The folder's entry is held until the end, since the files may end with it. */
static void work_end(struct listing_work *work)
{
    struct files_entry *entry = work->entry;

    CHECK(entry && entry->files->listing_count > 0);
    work->entry = NULL;
    entry->files->listing_count--;
    entry->files->listing_bytes += work->out.len;
    work->done(work);
    files_entry_put(entry);
}

static struct listing_work *work_pop(struct px_files *files)
{
    struct listing_work *work = LIST_ENTRY(files->listing_queue.next, struct listing_work, node);

    CHECK(!list_empty(&files->listing_queue));
    list_remove(&work->node);
    return work;
}

static void work_next(struct px_files *files);

static void work_done(px_err status, void *context)
{
    struct listing_work *work = context;
    struct px_files *files = work->entry->files;

    CHECK(files->listing_busy);
    files->listing_busy = false;
    files->refs++;
    if (status != PX_OK)
        work->err = PX_ERR_CANCELLED;
    work_end(work);
    /* The loop ends, and none of those that wait will have a turn. */
    while (status != PX_OK && !list_empty(&files->listing_queue)) {
        work = work_pop(files);
        work->err = PX_ERR_CANCELLED;
        work_end(work);
    }
    work_next(files);
    files_put(files);
}

/* Begins what has waited longest; what finds no helper ends at once. */
static void work_next(struct px_files *files)
{
    while (!files->listing_busy && !list_empty(&files->listing_queue)) {
        struct listing_work *work = work_pop(files);

        work->began_ms = px_loop_now_ms(work->loop);
        listing_init(&work->listing, &files->allocator);
        buf_init(&work->out, &files->allocator, LISTING_BYTES_MAX);
        files->listing_busy = true;
        if (px_loop_work(work->loop, work_run, work_done, work) == PX_OK)
            return;
        files->listing_busy = false;
        work->err = PX_ERR_LIMIT;
        work_end(work);
    }
}

void listing_work_begin(struct px_files *files, px_loop *loop, struct listing_work *work)
{
    CHECK(work->entry && work->done && work->entry->files == files);
    work->loop = loop;
    work->err = PX_OK;
    files->listing_count++;
    list_append(&files->listing_queue, &work->node);
    work_next(files);
}

/* --- Pages ------------------------------------------------------------------------------------ */

void listing_page_put(struct listing_page *page)
{
    struct px_files *files = page->files;

    CHECK(page->refs > 0);
    if (--page->refs > 0)
        return;
    CHECK(!page->in_list && !page->waiters);
    CHECK(files->listing_bytes >= page->work.out.len);
    files->listing_bytes -= page->work.out.len;
    buf_deinit(&page->work.out);
    files_entry_put(page->folder);
    alloc_put(&files->allocator, page);
    files_put(files);
}

static void page_remove(struct listing_page *page)
{
    if (!page->in_list)
        return;
    page->in_list = false;
    list_remove(&page->used);
    CHECK(page->files->listing_page_count > 0);
    page->files->listing_page_count--;
    if (page->ready)
        page->files->listing_kept -= page->work.out.len;
    listing_page_put(page);
}

void listing_pages_drop(struct px_files *files, uint64_t bytes_max)
{
    struct list *at = files->listing_pages.next;

    while (at != &files->listing_pages &&
           (files->listing_kept > bytes_max || files->listing_page_count > LISTING_PAGES_MAX ||
            bytes_max == 0)) {
        struct listing_page *page = LIST_ENTRY(at, struct listing_page, used);

        at = at->next;
        if (page->ready)
            page_remove(page);
    }
}

uint32_t listing_pages_age(struct px_files *files, uint64_t now_ms)
{
    uint32_t count = 0;

    for (struct list *at = files->listing_pages.next; at != &files->listing_pages;) {
        struct listing_page *page = LIST_ENTRY(at, struct listing_page, used);

        at = at->next;
        if (page->ready && now_ms >= page->fresh_until_ms) {
            page_remove(page);
            count++;
        }
    }
    return count;
}

static void page_done(struct listing_work *work)
{
    struct listing_page *page = CONTAINER_OF(work, struct listing_page, work);
    struct listing_waiter *waiter = page->waiters;
    struct px_files *files = page->files;
    uint64_t now_ms = px_loop_now_ms(work->loop), took_ms = now_ms - work->began_ms;

    CHECK(!page->ready && page->refs > 0);
    page->waiters = NULL;
    page->ready = true;
    took_ms *= LISTING_FRESH_TIMES;
    if (took_ms < FILE_FRESH_MS)
        took_ms = FILE_FRESH_MS;
    page->fresh_until_ms = now_ms + (took_ms < LISTING_FRESH_MS ? took_ms : LISTING_FRESH_MS);
    if (page->in_list)
        files->listing_kept += work->out.len;
    if (work->err == PX_OK)
        page->hash = siphash(&rows_key, work->out.ptr, work->out.len);
    while (waiter) {
        struct listing_waiter *next = waiter->next;
        px_exchange *exchange = work->err == PX_ERR_CANCELLED ? NULL : px_ref_get(&waiter->ref);

        CHECK(files->waiting > 0);
        files->waiting--;
        if (exchange && px_exchange_is_open(exchange))
            waiter->ready(exchange, page);
        px_ref_release(&waiter->ref);
        alloc_put(&files->allocator, waiter);
        waiter = next;
    }
    if (!work->listing.more) {
        files_entry_put(page->folder);
        page->folder = NULL;
    }
    if (work->err != PX_OK || files->ended)
        page_remove(page);
    else
        listing_pages_drop(files, LISTING_KEPT_BYTES_MAX);
    listing_page_put(page);
}

void listing_pages_check(const struct px_files *files)
{
    size_t waiters = 0;
    uint64_t kept = 0;

    ASSERT(list_check(&files->listing_pages) == files->listing_page_count);
    ASSERT(list_check(&files->listing_queue) + files->listing_busy == files->listing_count);
    ASSERT(files->listing_busy || list_empty(&files->listing_queue));
    for (const struct list *at = files->listing_pages.next; at != &files->listing_pages;
         at = at->next) {
        const struct listing_page *page = LIST_ENTRY(at, const struct listing_page, used);

        ASSERT(page->in_list && page->refs > 0 && page->files == files);
        ASSERT(!page->ready || !page->waiters);
        /* A page that is not ready is a helper's. */
        kept += page->ready ? page->work.out.len : 0;
        for (const struct listing_waiter *waiter = page->waiters; waiter; waiter = waiter->next)
            waiters++;
    }
    ASSERT(kept == files->listing_kept && kept <= files->listing_bytes);
    ASSERT(waiters <= files->waiting && files->waiting <= FILE_WAITERS_MAX);
}

static bool view_is(struct listing_view left, struct listing_view right)
{
    return left.sort == right.sort && left.descending == right.descending &&
           left.json == right.json;
}

/* A page of that folder as it is now, or one that will be made of it. */
static struct listing_page *page_find(struct px_files *files, const struct files_entry *entry,
                                      struct listing_view view, uint64_t now_ms)
{
    for (struct list *at = files->listing_pages.next; at != &files->listing_pages;) {
        struct listing_page *page = LIST_ENTRY(at, struct listing_page, used);

        at = at->next;
        if (!view_is(page->work.listing.view, view) ||
            !px_str_equal(px_str_of(page->path), px_str_make(entry->path, entry->path_len)))
            continue;
        if (!page->ready)
            return page; /* read after the request came, or a moment before */
        if (now_ms < page->fresh_until_ms && file_info_equal(&page->work.info, &entry->info))
            return page;
        page_remove(page);
    }
    return NULL;
}

static struct listing_page *page_make(struct px_files *files, struct files_entry *entry,
                                      struct listing_view view)
{
    bool slash = entry->path_len == 0 || entry->path[entry->path_len - 1] == '/';
    struct listing_page *page =
        files->listing_count < LISTING_COUNT_MAX
            ? alloc_take_zeroed(&files->allocator, sizeof(*page) + entry->path_len + 2)
            : NULL;

    if (!page)
        return NULL;
    CHECK(slash); /* a folder's path ends in one */
    page->files = files;
    files->refs++;
    page->refs = 2; /* the list's, the work's */
    page->in_list = true;
    page->waiters_last = &page->waiters;
    memcpy(page->path, entry->path, entry->path_len);
    page->work.entry = files_entry_take(entry);
    page->folder = files_entry_take(entry);
    page->work.done = page_done;
    page->work.listing.view = view;
    page->work.listing.path = px_str_make(page->path, entry->path_len);
    list_append(&files->listing_pages, &page->used);
    files->listing_page_count++;
    return page;
}

static bool page_wait(px_exchange *exchange, struct listing_page *page, listing_ready *ready)
{
    struct px_files *files = page->files;
    struct listing_waiter *waiter =
        files->waiting < FILE_WAITERS_MAX ? alloc_take(&files->allocator, sizeof(*waiter)) : NULL;

    if (!waiter)
        return false;
    *waiter = (struct listing_waiter){.ref = px_exchange_ref(exchange), .ready = ready};
    *page->waiters_last = waiter;
    page->waiters_last = &waiter->next;
    files->waiting++;
    return true;
}

bool listing_page_seek(px_exchange *exchange, struct files_entry *entry, struct listing_view view,
                       listing_ready *ready)
{
    struct px_files *files = entry->files;
    px_loop *loop = px_exchange_loop(exchange);
    struct listing_page *page = page_find(files, entry, view, px_loop_now_ms(loop));

    if (page && page->ready) {
        list_remove(&page->used);
        list_append(&files->listing_pages, &page->used);
        ready(exchange, page);
        return true;
    }
    if (page)
        return page_wait(exchange, page, ready);
    page = page_make(files, entry, view);
    if (!page)
        return false;
    bool waits = page_wait(exchange, page, ready);

    /* Also when no request waits: the next one comes. */
    listing_work_begin(files, loop, &page->work);
    return waits;
}
