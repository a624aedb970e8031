/*
 * What is known of a file that was found, made once and used by every answer: its validators and
 * the fields that go with it.
 *
 * The tag of a small file is a hash of its content, so that replicas agree and a time that a build
 * tool has set to a constant does no harm.  That of a large one is made of its time and size.
 */
#include <string.h>

#include "handlers/files/files.h"
#include "http/fields/media_type.h"

/* Tags must mean the same on every machine: a fixed key. */
static const struct siphash_key tag_key = {UINT64_C(0x706f6c6c75782065),
                                           UINT64_C(0x6e74697479746167)};

enum { EPOCH_SECONDS = 2 }; /* times up to this are no times: Nix and its like set 0 or 1 */

struct files_entry *files_entry_create(struct px_files *files, px_str path,
                                       const struct files_page *page, uint64_t hash)
{
    struct files_entry *entry = alloc_take_zeroed(&files->allocator, sizeof(*entry) + path.len + 1);

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
    CHECK(entry->field_count < FILES_FIELDS_MAX);
    entry->fields[entry->field_count++] = (px_field){name, value};
}

void files_entry_settle(struct files_entry *entry, int64_t now)
{
    const struct file_info *info = &entry->info;
    int64_t times[4] = {info->modified, info->modified_ns, 0, 0};
    uint64_t hash;

    if (info->modified < EPOCH_SECONDS) {
        times[2] = info->changed;
        times[3] = info->changed_ns;
    }
    hash = entry->content ? siphash(&tag_key, entry->content, info->size)
                          : siphash(&tag_key, times, sizeof(times));
    entry->validators.etag = px_str_make(entry->etag, etag_write(info->size, hash, entry->etag));
    /* RFC 9110 section 8.8.2.1: never later than the Date of the answer. */
    entry->validators.modified = info->modified < now ? info->modified : now;
    date_format(entry->validators.modified, entry->modified);
    entry->young = now - info->modified < 2 || now - info->changed < 2;
    entry->type = media_type_of(files_entry_name(entry));
    entry->cache_control = cache_control_of(entry);

    entry->field_count = 0;
    field_put(entry, px_str_make("ETag", 4), entry->validators.etag);
    field_put(entry, px_str_make("Last-Modified", 13), px_str_make(entry->modified, DATE_BYTES));
    field_put(entry, px_str_make("Accept-Ranges", 13), px_str_make("bytes", 5));
    if (entry->cache_control.ptr)
        field_put(entry, px_str_make("Cache-Control", 13), entry->cache_control);
    /* Said of every file that could have an encoded form, now or later, and of its 304. */
    if (entry->files->sidecars && media_type_compressible(entry->type))
        field_put(entry, px_str_make("Vary", 4), px_str_make("Accept-Encoding", 15));
}
