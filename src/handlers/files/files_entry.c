/*
 * What is known of a file that was found, made once and used by every answer: its validators and
 * the fields that go with it.
 *
 * The tag of a small file is a hash of its content, so that replicas agree and a time that a build
 * tool has set to a constant does no harm.  That of a large one is made of its time and size where
 * the time is the system's own, else of its content too, or where that is too much to read, of what
 * changes with it: inode and change time.
 */
#include <string.h>

#include "handlers/files/files.h"
#include "http/fields/media_type.h"

/* Tags must mean the same on every machine: a fixed key. */
static const struct siphash_key tag_key = {UINT64_C(0x706f6c6c75782065),
                                           UINT64_C(0x6e74697479746167)};

enum {
    EPOCH_SECONDS = 2, /* times up to this are no times: Nix and its like set 0 or 1 */
    HASH_BYTES = 16 * 1024
};

struct files_entry *files_entry_create(struct px_files *files, px_str path,
                                       const struct files_page *page, uint64_t hash)
{
    struct files_entry *entry = alloc_take_zeroed(&files->allocator, sizeof(*entry) + path.len + 1);

    CHECK(path.len <= FILE_PATH_BYTES_MAX * 2);
    if (!entry)
        return NULL;
    list_init(&entry->used);
    entry->files = files;
    files->refs++;
    entry->page = page;
    entry->hash = hash;
    entry->refs = 1;
    entry->fd = -1;
    entry->path_len = (uint32_t)path.len;
    memcpy(entry->path, path.ptr, path.len);
    return entry;
}

void files_entry_put(struct files_entry *entry)
{
    struct px_files *files;

    ASSERT(!entry || entry->refs > 0);
    if (!entry || --entry->refs > 0)
        return;
    CHECK(!entry->in_table && !entry->load);
    files = entry->files;
    root_put(entry->fd);
    alloc_put(&files->allocator, entry->content);
    alloc_put(&files->allocator, entry);
    files_put(files);
}

px_str files_entry_name(const struct files_entry *entry)
{
    const char *name;

    if (entry->index)
        return px_str_of(entry->index);
    name = entry->path_len > 0 ? memrchr(entry->path, '/', entry->path_len) : NULL;
    name = name ? name + 1 : entry->path;
    return px_str_make(name, (size_t)(entry->path + entry->path_len - name));
}

/* The first rule for the file counts. */
static px_str cache_control_of(const struct files_entry *entry)
{
    const struct px_files *files = entry->files;
    char path[1 + FILE_PATH_BYTES_MAX + 1 + FILE_PATH_BYTES_MAX];
    px_str name = files_entry_name(entry);
    size_t len = 0;

    if (files->rule_count == 0)
        return px_str_make(NULL, 0);
    CHECK(1 + entry->path_len + (entry->index ? name.len : 0) <= sizeof(path));
    path[len++] = '/';
    memcpy(path + len, entry->path, entry->path_len);
    len += entry->path_len;
    if (entry->index) {
        memcpy(path + len, entry->index, name.len);
        len += name.len;
    }
    for (uint32_t index = 0; index < files->rule_count; index++) {
        const struct files_rule *rule = &files->rules[index];

        if (files_glob(rule->pattern, strchr(rule->pattern, '/') ? px_str_make(path, len) : name))
            return px_str_of(rule->value);
    }
    return px_str_make(NULL, 0);
}

static void field_put(struct files_entry *entry, px_str name, px_str value)
{
    CHECK(entry->kept.count < FILES_FIELDS_MAX);
    entry->fields[entry->kept.count++] = (px_field){name, value};
}

void files_entry_hash(struct files_entry *entry)
{
    uint64_t chain[2] = {0, 0}, at = 0;
    char bytes[HASH_BYTES];
    ssize_t count = 0;

    CHECK(entry->fd >= 0 && !entry->content);
    while (at < entry->info.size && (count = root_read(entry->fd, bytes, sizeof(bytes), at)) > 0) {
        chain[1] = siphash(&tag_key, bytes, (size_t)count);
        chain[0] = siphash(&tag_key, chain, sizeof(chain));
        at += (uint64_t)count;
    }
    /* One that changed meanwhile has no hash: its change time tells the versions apart. */
    entry->hashed = at == entry->info.size && root_unchanged(entry->fd, &entry->info);
    entry->content_hash = chain[0];
}

static uint64_t tag_hash(const struct files_entry *entry)
{
    const struct file_info *info = &entry->info;
    int64_t facts[6] = {info->modified, info->modified_ns, 0, 0, 0, 0};

    if (entry->content || info->size == 0)
        return siphash(&tag_key, entry->content ? entry->content : "", info->size);
    if (entry->hashed)
        return entry->content_hash;
    if (files_entry_time_is_set(entry)) {
        facts[2] = info->changed;
        facts[3] = info->changed_ns;
        facts[4] = (int64_t)info->inode;
        facts[5] = (int64_t)info->device;
    }
    return siphash(&tag_key, facts, sizeof(facts));
}

static void validators_make(struct files_entry *entry, int64_t now)
{
    const struct file_info *info = &entry->info;
    struct validators *validators = &entry->validators;

    validators->etag =
        px_str_make(entry->etag, etag_write(info->size, tag_hash(entry), entry->etag));
    validators->coded = media_type_compressible(entry->kept.type);
    validators->undated = info->modified < EPOCH_SECONDS;
    validators->date_weak = files_entry_time_is_set(entry);
    /* RFC 9110 section 8.8.2.1: never later than the Date of the answer. */
    validators->modified = info->modified < now ? info->modified : now;
    date_format(validators->modified, entry->modified);
}

void files_entry_settle(struct files_entry *entry, int64_t now)
{
    const struct file_info *info = &entry->info;

    CHECK(entry->outcome == FILES_FILE);
    entry->kept = (px_kept_fields){.fields = entry->fields};
    entry->kept.type = files_type_sent(entry->files, files_entry_name(entry));
    entry->cache_control = cache_control_of(entry);
    entry->young = now - info->modified < 2 || now - info->changed < 2;
    validators_make(entry, now);

    field_put(entry, px_str_make("ETag", 4), entry->validators.etag);
    field_put(entry, px_str_make("Accept-Ranges", 13), px_str_make("bytes", 5));
    if (!entry->validators.undated)
        field_put(entry, px_str_make("Last-Modified", 13),
                  px_str_make(entry->modified, DATE_BYTES));
    entry->own_count = entry->kept.count;
    if (entry->cache_control.ptr)
        field_put(entry, px_str_make("Cache-Control", 13), entry->cache_control);
    /* Said of every file that could have an encoded form, now or later, and of its 304. */
    if (entry->files->sidecars && media_type_compressible(entry->kept.type))
        field_put(entry, px_str_make("Vary", 4), px_str_make("Accept-Encoding", 15));
}
