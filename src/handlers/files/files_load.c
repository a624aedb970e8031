/*
 * Finding a file: resolving its path, opening it, reading it if it is small.
 *
 * Happy path: the kernel has all of it in its caches, and it is done at once.  What may block is
 * handed to a helper thread, and requests for the same path meanwhile wait for the same job.
 * It can fail for want of descriptors, memory or helpers; those requests are told to come again.
 */
#include <string.h>

#include "base/check.h"
#include "handlers/files/files.h"
#include "io/file.h"

/* A request that waits for an entry. */
struct files_waiter {
    struct files_waiter *next;
    px_ref ref; /* of the exchange */
    struct files_want want;
};

/* What a path led to. */
struct found {
    uint8_t outcome;
    uint8_t sidecars;
    int fd;
    const char *index;
    struct file_info info;
};

/* Work on an entry.  Helper threads see `root`, `path`, `files` (what of it never changes) and
 * `found`. */
struct files_load {
    struct px_files *files;
    px_loop *loop;              /* borrowed: outlives its jobs */
    struct files_entry *entry;  /* a reference */
    struct files_entry *before; /* a reference: what was known of the path, or NULL */
    struct files_waiter *waiters;
    struct files_waiter **last; /* where the next one goes: they are answered in order */
    struct file_read read;
    struct found found;
    px_err err;
    bool shrunk;         /* the cache has given way to it */
    uint64_t read_bytes; /* of the content */
};

/* --- Resolving; on any thread ----------------------------------------------------------------- */

static const struct root *root_of(const struct files_entry *entry)
{
    return entry->page && entry->page->own_root ? &entry->page->root : &entry->files->root;
}

static px_err resolve_file(const struct files_entry *entry, const char *path,
                           enum root_patience patience, struct found *found)
{
    found->outcome = FILES_FILE;
    if (!entry->files->sidecars || entry->page)
        return PX_OK;
    px_err err = files_sidecars(entry->files, path, &found->info, patience, &found->sidecars);

    if (err == PX_AGAIN) {
        root_put(found->fd);
        found->fd = -1;
    }
    return err;
}

/* A folder: its index, or itself. */
static px_err resolve_folder(const struct files_entry *entry, enum root_patience patience,
                             struct found *found)
{
    const struct px_files *files = entry->files;
    char path[2 * FILE_PATH_BYTES_MAX + 1];
    px_err err;

    CHECK(entry->path_len <= FILE_PATH_BYTES_MAX);
    memcpy(path, entry->path, entry->path_len);
    for (uint32_t index = 0; index < files->index_count; index++) {
        memcpy(path + entry->path_len, files->indexes[index], strlen(files->indexes[index]) + 1);
        err = root_find(root_of(entry), path, patience, &found->fd, &found->info);
        if (err == PX_ERR_NOT_FOUND)
            continue;
        if (err != PX_OK)
            return err;
        if (found->info.kind == FILE_REGULAR) {
            found->index = files->indexes[index];
            return resolve_file(entry, path, patience, found);
        }
        root_put(found->fd);
        found->fd = -1;
    }
    err = root_find(root_of(entry), entry->path, patience, &found->fd, &found->info);
    if (err != PX_OK)
        return err;
    found->outcome = files->listing ? FILES_LISTED : FILES_FORBIDDEN;
    return PX_OK;
}

static px_err resolve(const struct files_entry *entry, enum root_patience patience,
                      struct found *found)
{
    *found = (struct found){.outcome = FILES_MISSING, .fd = -1};
    if (entry->path_len == 0 || entry->path[entry->path_len - 1] == '/')
        return resolve_folder(entry, patience, found);
    px_err err = root_find(root_of(entry), entry->path, patience, &found->fd, &found->info);

    if (err != PX_OK)
        return err;
    if (found->info.kind == FILE_REGULAR)
        return resolve_file(entry, entry->path, patience, found);
    found->outcome = FILES_NO_SLASH;
    return PX_OK;
}

static enum files_outcome outcome_of(px_err err, const struct found *found)
{
    switch (err) {
    case PX_OK:
        return (enum files_outcome)found->outcome;
    case PX_ERR_NOT_FOUND:
        return FILES_MISSING;
    case PX_ERR_PERMISSION:
        return FILES_FORBIDDEN;
    case PX_ERR_LIMIT:
    case PX_ERR_MEMORY:
    case PX_ERR_CANCELLED:
        return FILES_BUSY;
    default:
        return FILES_BROKEN;
    }
}

/* --- The end of a load; on the loop's thread -------------------------------------------------- */

/* Goes on with a request, if it is still there; gives the reference of `want` up. */
static void want_done(px_exchange *exchange, struct px_files *files, struct files_entry *entry,
                      const struct files_want *want)
{
    if (PX_LIKELY(exchange && px_exchange_is_open(exchange)))
        want->done(exchange, files, entry, want);
    files_entry_put(want->base);
}

static void waiters_tell(struct files_load *load, struct files_entry *entry)
{
    while (load->waiters) {
        struct files_waiter *waiter = load->waiters;
        px_exchange *exchange = px_ref_get(&waiter->ref);

        load->waiters = waiter->next;
        CHECK(load->files->waiting > 0);
        load->files->waiting--;
        work_count(&load->loop->work, WORK_ANSWER);
        want_done(exchange, load->files, entry, &waiter->want);
        px_ref_release(&waiter->ref);
        alloc_put(&load->files->allocator, waiter);
    }
}

/* The entry is settled, or failed; or what was known before still holds. */
static void load_end(struct files_load *load, struct files_entry *entry)
{
    struct files_entry *own = load->entry;
    struct px_files *files = load->files;
    bool keep = entry == own && entry->outcome == FILES_FILE;

    CHECK(own->load == load && entry->outcome != FILES_LOADING);
    own->load = NULL;
    if (keep) {
        entry->checked_ms = px_loop_now_ms(load->loop);
        files_cache_account(files, entry);
    } else {
        files_cache_remove(files, own);
        if (entry != own) {
            entry->checked_ms = px_loop_now_ms(load->loop);
            files_cache_add(files, entry);
        }
    }
    waiters_tell(load, entry);
    files_entry_put(load->before);
    files_entry_put(own);
    alloc_put(&files->allocator, load);
    files_put(files);
}

static void load_fail(struct files_load *load, enum files_outcome outcome)
{
    load->entry->outcome = (uint8_t)outcome;
    load_end(load, load->entry);
}

static void load_settle(struct files_load *load)
{
    struct files_entry *entry = load->entry;

    CHECK(entry->outcome == FILES_LOADING && load->read_bytes <= entry->info.size);
    if (entry->content) {
        entry->info.size = load->read_bytes;
        root_put(entry->fd);
        entry->fd = -1;
    }
    entry->outcome = FILES_FILE;
    files_entry_settle(entry, px_loop_unix_time(load->loop));
    load_end(load, entry);
}

/* --- Reading small content -------------------------------------------------------------------- */

static void load_read(struct files_load *load);

static void read_done(struct file_read *read, px_err status)
{
    struct files_load *load = CONTAINER_OF(read, struct files_load, read);

    if (status != PX_OK || read->count < 0) {
        load_fail(load, status != PX_OK ? FILES_BUSY : FILES_BROKEN);
        return;
    }
    load->read_bytes += (uint64_t)read->count;
    if (read->count == 0)
        load_settle(load); /* shorter than it was: what was read is what there is */
    else
        load_read(load);
}

static void load_read(struct files_load *load)
{
    struct files_entry *entry = load->entry;
    px_err err = PX_OK;

    CHECK(entry->content && load->read_bytes <= entry->info.size);
    while (load->read_bytes < entry->info.size) {
        size_t room = (size_t)(entry->info.size - load->read_bytes), count = 0;

        err = file_read_now(entry->fd, entry->content + load->read_bytes, room, load->read_bytes,
                            &count);
        if (err != PX_OK || count == 0)
            break;
        load->read_bytes += count;
    }
    if (err == PX_OK) {
        load_settle(load);
        return;
    }
    load->read.fd = entry->fd;
    load->read.offset = load->read_bytes;
    load->read.room = (size_t)(entry->info.size - load->read_bytes);
    load->read.out = entry->content + load->read_bytes;
    load->read.done = read_done;
    if (err != PX_AGAIN)
        load_fail(load, FILES_BROKEN);
    else if (file_read_later(load->loop, &load->read) != PX_OK)
        load_fail(load, FILES_BUSY);
}

/* --- Hashing large content -------------------------------------------------------------------- */

static void hash_work(void *context)
{
    struct files_load *load = context;

    CHECK(load->entry->fd >= 0);
    files_entry_hash(load->entry);
}

static void hash_done(px_err status, void *context)
{
    struct files_load *load = context;

    if (status == PX_OK)
        load_settle(load);
    else
        load_fail(load, FILES_BUSY);
}

/* Large content is sent from its descriptor, and only hashed where its time says too little. */
static void load_large(struct files_load *load)
{
    struct files_entry *entry = load->entry;

    /* Without a helper the tag is made of less (files_entry.c). */
    if (entry->info.size == 0 || entry->info.size > FILE_HASHED_BYTES_MAX ||
        !files_entry_time_is_set(entry) ||
        px_loop_work(load->loop, hash_work, hash_done, load) != PX_OK)
        load_settle(load);
}

/* The path is resolved, as far as it goes. */
static void load_resolved(struct files_load *load)
{
    struct files_entry *entry = load->entry, *before = load->before;
    struct found *found = &load->found;
    enum files_outcome outcome = outcome_of(load->err, found);

    CHECK(entry->load == load && entry->fd < 0 && !entry->content);
    if (outcome != FILES_FILE && outcome != FILES_LISTED) {
        root_put(found->fd);
        if (load->err == PX_ERR_PERMISSION && load->files->on_denied)
            load->files->on_denied(load->files->name, entry->path, load->files->denied_context);
        load_fail(load, outcome);
        return;
    }
    if (outcome == FILES_FILE && before && before->outcome == FILES_FILE && !before->young &&
        before->index == found->index && before->sidecars == found->sidecars &&
        file_info_equal(&before->info, &found->info)) {
        root_put(found->fd);
        load_end(load, before);
        return;
    }
    entry->fd = found->fd;
    entry->index = found->index;
    entry->info = found->info;
    entry->sidecars = found->sidecars;
    if (outcome == FILES_LISTED) {
        load_fail(load, FILES_LISTED);
        return;
    }
    if (entry->info.size > 0 && entry->info.size <= FILE_SMALL_BYTES_MAX) {
        entry->content = alloc_take(&load->files->allocator, (size_t)entry->info.size);
        if (!entry->content) {
            load_fail(load, FILES_BUSY);
            return;
        }
        load_read(load);
        return;
    }
    load_large(load);
}

/* --- The beginning ---------------------------------------------------------------------------- */

/* On a helper thread. */
static void resolve_work(void *context)
{
    struct files_load *load = context;

    load->err = resolve(load->entry, ROOT_WAIT, &load->found);
    if (load->err == PX_OK && load->found.outcome == FILES_FILE)
        root_warm(load->found.fd, load->found.info.size < FILE_SMALL_BYTES_MAX
                                      ? load->found.info.size
                                      : FILE_SMALL_BYTES_MAX);
}

static void resolve_done(px_err status, void *context)
{
    struct files_load *load = context;

    if (status != PX_OK) {
        load->found = (struct found){.fd = -1};
        load->err = PX_ERR_CANCELLED;
    }
    /* Short of descriptors: those that no request uses make room, once. */
    if (load->err == PX_ERR_LIMIT && !load->shrunk && files_cache_shrink(load->files)) {
        load->shrunk = true;
        if (px_loop_work(load->loop, resolve_work, resolve_done, load) == PX_OK)
            return;
    }
    load_resolved(load);
}

static bool waiter_add(px_exchange *exchange, struct files_load *load, struct files_want want)
{
    struct files_waiter *waiter;

    if (load->files->waiting >= FILE_WAITERS_MAX)
        return false;
    waiter = alloc_take(&load->files->allocator, sizeof(*waiter));
    if (!waiter)
        return false;
    *waiter = (struct files_waiter){.ref = px_exchange_ref(exchange), .want = want};
    *load->last = waiter;
    load->last = &waiter->next;
    load->files->waiting++;
    return true;
}

static struct files_load *load_create(struct px_files *files, px_loop *loop,
                                      struct files_entry *entry, struct files_entry *before)
{
    struct files_load *load = alloc_take_zeroed(&files->allocator, sizeof(*load));

    CHECK(!entry->load && entry->outcome == FILES_LOADING && !entry->in_table);
    if (!load)
        return NULL;
    load->files = files;
    files->refs++;
    load->loop = loop;
    load->entry = files_entry_take(entry);
    load->before = before ? files_entry_take(before) : NULL;
    load->last = &load->waiters;
    entry->load = load;
    return load;
}

/* Looks the path up anew, for `exchange` and all that come before it is found. */
static void load_begin(px_exchange *exchange, struct px_files *files, struct files_entry *entry,
                       struct files_entry *before, struct files_want want)
{
    px_loop *loop = px_exchange_loop(exchange);
    struct files_load *load = load_create(files, loop, entry, before);

    if (!load || !waiter_add(exchange, load, want)) {
        want_done(exchange, files, NULL, &want);
        if (load)
            load_fail(load, FILES_BUSY);
        return;
    }
    files_cache_add(files, entry);
    loop_cache_note(loop, &files->old);
    if (before)
        files_cache_remove(files, before);
    work_count(&loop->work, WORK_RESOLVE);
    load->err = resolve(entry, ROOT_NOW, &load->found);
    if (load->err == PX_ERR_LIMIT && files_cache_shrink(files))
        load->err = resolve(entry, ROOT_NOW, &load->found);
    if (load->err != PX_AGAIN) {
        load_resolved(load);
        return;
    }
    if (px_loop_work(loop, resolve_work, resolve_done, load) != PX_OK) {
        load->found = (struct found){.fd = -1};
        load->err = PX_ERR_LIMIT;
        load_resolved(load);
    }
}

/* What is sent from its descriptor must be what its tag and length say: that is asked each time. */
static bool entry_is_fresh(const struct files_entry *entry, uint64_t now_ms)
{
    return entry->outcome == FILES_FILE && now_ms - entry->checked_ms < FILE_FRESH_MS &&
           (entry->fd < 0 || root_unchanged(entry->fd, &entry->info));
}

void files_seek(px_exchange *exchange, struct px_files *files, px_str path,
                const struct files_page *page, struct files_want want)
{
    struct files_cache *cache = &files->cache;
    uint64_t hash = files_cache_hash(cache, path);
    struct files_entry *entry = files_cache_find(cache, path, page, hash);

    if (PX_LIKELY(entry && entry_is_fresh(entry, px_loop_now_ms(px_exchange_loop(exchange))))) {
        files_cache_touch(cache, entry);
        want_done(exchange, files, entry, &want);
        return;
    }
    if (entry && entry->outcome == FILES_LOADING) {
        if (!waiter_add(exchange, entry->load, want))
            want_done(exchange, files, NULL, &want);
        return;
    }
    struct files_entry *fresh = files_entry_create(files, path, page, hash);

    if (!fresh) {
        want_done(exchange, files, NULL, &want);
        return;
    }
    load_begin(exchange, files, fresh, entry, want);
    files_entry_put(fresh);
}
