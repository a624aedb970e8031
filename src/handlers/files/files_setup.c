/*
 * Making and ending a px_files: options are checked and copied, the folder and the files that the
 * options name are opened.
 *
 * It can fail for what the caller got wrong (no such folder, a pattern that can never be sent) and
 * for want of memory; then nothing stays open.
 */
#include <string.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "handlers/files/files.h"
#include "http/fields/field.h"
#include "io/random.h"

enum { NAME_BYTES_MAX = 255 };

static char *text_copy(const struct px_files *files, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = alloc_take(&files->allocator, bytes);

    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

static px_err no_memory(px_error *out_error)
{
    return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
}

px_err files_other_version(px_error *out_error, const char *what)
{
    return error_set(out_error, PX_ERR_INVALID, 0, "%s: unknown or missing struct_size", what);
}

static px_err indexes_copy(struct px_files *files, const px_files_options *options,
                           px_error *out_error)
{
    static const char *const standard[] = {"index.html"};
    const char *const *names = options->indexes ? options->indexes : standard;
    size_t count = options->indexes ? options->index_count : 1;

    if (count > FILE_INDEXES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more than %d index names", FILE_INDEXES_MAX);
    for (size_t index = 0; index < count; index++) {
        const char *name = names[index];
        size_t len = strlen(name);

        if (len == 0 || len > NAME_BYTES_MAX || strchr(name, '/') || name[0] == '.')
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s is not the name of an index: it has no slash and no dot in front",
                             name);
        files->indexes[index] = text_copy(files, name);
        if (!files->indexes[index])
            return no_memory(out_error);
        files->index_count++;
    }
    return PX_OK;
}

static px_err rules_copy(struct px_files *files, const px_files_options *options,
                         px_error *out_error)
{
    size_t count = options->rules ? options->rule_count : 0;

    if (count > FILE_RULES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more than %d rules", FILE_RULES_MAX);
    if (count == 0)
        return PX_OK;
    files->rules = alloc_take_zeroed(&files->allocator, count * sizeof(*files->rules));
    if (!files->rules)
        return no_memory(out_error);
    for (size_t index = 0; index < count; index++) {
        px_files_rule rule;

        if (options_read_at(&rule, sizeof(rule), options->rules, index) != PX_OK)
            return files_other_version(out_error, "px_files_rule");
        px_str value = px_str_of(rule.value);

        if (rule.pattern[0] == '\0' || value.len == 0 || !field_value_valid(value))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s=%s: a pattern, and a value that a field can have", rule.pattern,
                             rule.value);
        if (strchr(rule.pattern, '/') && !strchr("/*?", rule.pattern[0]))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s=%s: a pattern with a slash is of the whole path, which begins "
                             "with one: /%s",
                             rule.pattern, rule.value, rule.pattern);
        files->rule_count++;
        files->rules[index].pattern = text_copy(files, rule.pattern);
        files->rules[index].value = text_copy(files, rule.value);
        if (!files->rules[index].pattern || !files->rules[index].value)
            return no_memory(out_error);
    }
    return PX_OK;
}

/* Those that say what the content is are the answer's own. */
static bool field_is_own(px_str name)
{
    static const char *const own[] = {"content-type",  "content-range", "content-encoding", "etag",
                                      "last-modified", "accept-ranges", "location"};

    for (size_t index = 0; index < ARRAY_COUNT(own); index++)
        if (field_name_is(name, own[index]))
            return true;
    return field_is_framing(name);
}

static px_err fields_copy(struct px_files *files, const px_files_options *options,
                          px_error *out_error)
{
    size_t count = options->fields ? options->field_count : 0;

    if (count > FILE_FIELDS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more than %d fields", FILE_FIELDS_MAX);
    if (count == 0)
        return PX_OK;
    files->fields = alloc_take_zeroed(&files->allocator, count * sizeof(*files->fields));
    if (!files->fields)
        return no_memory(out_error);
    for (size_t index = 0; index < count; index++) {
        px_str name = options->fields[index].name, value = options->fields[index].value;

        if (!field_name_valid(name) || !field_value_valid(value) || field_is_own(name))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%.*s: a field that the handler sets, or none at all", (int)name.len,
                             name.ptr);
        char *text = alloc_take(&files->allocator, name.len + value.len + 2);

        if (!text)
            return no_memory(out_error);
        memcpy(text, name.ptr, name.len);
        text[name.len] = '\0';
        if (value.len > 0)
            memcpy(text + name.len + 1, value.ptr, value.len);
        text[name.len + 1 + value.len] = '\0';
        files->fields[index] =
            (px_field){px_str_make(text, name.len), px_str_make(text + name.len + 1, value.len)};
        files->field_count++;
    }
    return PX_OK;
}

/* Whether there is such a file. */
static px_err page_look(const struct root *root, const char *path)
{
    struct file_info info;
    int fd;
    px_err err = root_find(root, path, ROOT_WAIT, &fd, &info);

    if (err != PX_OK)
        return err;
    root_put(fd);
    return info.kind == FILE_REGULAR ? PX_OK : PX_ERR_NOT_FOUND;
}

/* A page outside of the folder: its own folder is opened, so that a new version is seen. */
static px_err page_outside(struct px_files *files, struct files_page *page, const char *file,
                           px_error *out_error)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    char folder[FILE_PATH_BYTES_MAX + 1] = ".";

    if (slash && (size_t)(slash - file) < sizeof(folder)) {
        memcpy(folder, file, (size_t)(slash - file));
        folder[slash - file] = '\0';
        if (slash == file)
            memcpy(folder, "/", 2);
    }
    px_err err = root_open(&page->root, folder, true, NULL);

    if (err == PX_OK) {
        page->own_root = true;
        err = page_look(&page->root, name);
    }
    if (err != PX_OK)
        return error_set(out_error, err, 0,
                         "%s: there is no such file, neither in the folder nor at that path", file);
    page->path = text_copy(files, name);
    return page->path ? PX_OK : no_memory(out_error);
}

static px_err page_add(struct px_files *files, unsigned status, const char *file,
                       px_error *out_error)
{
    struct files_page *page = &files->pages[files->page_count];
    const char *beneath = file;

    CHECK(files->page_count <= FILE_PAGES_MAX);
    if (files_page_of(files, status))
        return error_set(out_error, PX_ERR_INVALID, 0, "two pages for the status %u", status);
    if (strlen(file) > FILE_PATH_BYTES_MAX)
        return error_set(out_error, PX_ERR_NOT_FOUND, 0, "%s: the path is too long", file);
    page->status = status;
    page->root.fd = -1;
    files->page_count++;
    while (*beneath == '/')
        beneath++;
    if (page_look(&files->root, beneath) != PX_OK)
        return page_outside(files, page, file, out_error);
    page->path = text_copy(files, beneath);
    return page->path ? PX_OK : no_memory(out_error);
}

static px_err pages_open(struct px_files *files, const px_files_options *options,
                         px_error *out_error)
{
    size_t count = options->pages ? options->page_count : 0;
    px_err err = PX_OK;

    if (count > FILE_PAGES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more than %d error pages", FILE_PAGES_MAX);
    files->pages = alloc_take_zeroed(&files->allocator, (count + 1) * sizeof(*files->pages));
    if (!files->pages)
        return no_memory(out_error);
    if (options->spa)
        err = page_add(files, 0, options->spa, out_error);
    for (size_t index = 0; index < count && err == PX_OK; index++) {
        px_files_page page;

        if (options_read_at(&page, sizeof(page), options->pages, index) != PX_OK)
            return files_other_version(out_error, "px_files_page");
        if (page.status < 400 || page.status > 599)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%u is not a status of an error: 400 to 599", page.status);
        err = page_add(files, page.status, page.file, out_error);
    }
    return err;
}

/* Connections need most of what the process may open. */
static uint32_t files_allowed(uint32_t wanted)
{
    struct rlimit limit;
    uint32_t files = wanted ? wanted : FILE_CACHE_FILES_DEFAULT;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < files)
        files = (uint32_t)(limit.rlim_cur / 4);
    return files;
}

/* What is told of it, and of which folder. */
static px_err denied_copy(struct px_files *files, const char *root, const px_files_options *options,
                          px_error *out_error)
{
    size_t bytes = strlen(root) + 1;

    files->on_denied = options->on_denied;
    files->denied_context = options->denied_context;
    files->name = alloc_take(&files->allocator, bytes);
    if (!files->name)
        return no_memory(out_error);
    memcpy(files->name, root, bytes);
    return PX_OK;
}

/* `root_fd` -1: it is opened by its path. */
static px_err files_fill(struct px_files *files, int root_fd, const char *root,
                         const px_files_options *options, px_error *out_error)
{
    bool follow = options->follow_symlinks != 0;
    px_err err = root_fd < 0 ? root_open(&files->root, root, follow, out_error)
                             : root_open_at(&files->root, root_fd, root, follow, out_error);

    if (err != PX_OK)
        return err;
    files->listing = options->listing != 0;
    files->sidecars = options->no_sidecars == 0;
    files->is_whole = options->whole_path != 0;
    err = denied_copy(files, root, options, out_error);
    if (err == PX_OK)
        err = indexes_copy(files, options, out_error);
    if (err == PX_OK)
        err = rules_copy(files, options, out_error);
    if (err == PX_OK)
        err = files_types_copy(files, options, out_error);
    if (err == PX_OK)
        err = fields_copy(files, options, out_error);
    if (err == PX_OK)
        err = pages_open(files, options, out_error);
    if (err != PX_OK)
        return err;
    err = random_bytes(&files->boundary_key, sizeof(files->boundary_key));
    if (err == PX_OK)
        err = files_cache_init(
            &files->cache, &files->allocator, files_allowed(options->cache_files_max),
            options->cache_bytes_max ? options->cache_bytes_max : FILE_CACHE_BYTES_DEFAULT);
    if (err != PX_OK)
        return error_set(out_error, err, 0, "cannot make a cache of files: %s", px_err_name(err));
    return PX_OK;
}

static px_files *files_make(int root_fd, const char *root, const px_files_options *options,
                            px_error *out_error)
{
    px_files_options known;
    struct px_files *files;

    if (options_read(&known, sizeof(known), options) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "files options: unknown or missing struct_size");
        return NULL;
    }
    const px_allocator *allocator = known.allocator ? known.allocator : &alloc_libc;

    files = alloc_take_zeroed(allocator, sizeof(*files));
    if (!files) {
        no_memory(out_error);
        return NULL;
    }
    files->allocator = *allocator;
    files->refs = 1;
    files->root.fd = -1;
    list_init(&files->cache.used);
    list_init(&files->listing_queue);
    list_init(&files->listing_pages);
    files->old.age = files_cache_age;
    files->old.check = files_cache_tick;
    if (files_fill(files, root_fd, root, &known, out_error) != PX_OK) {
        px_files_destroy(files);
        return NULL;
    }
    error_clear(out_error);
    return files;
}

px_files *px_files_create(const char *root, const px_files_options *options, px_error *out_error)
{
    return files_make(-1, root, options, out_error);
}

px_files *px_files_create_at(int fd, const char *root, const px_files_options *options,
                             px_error *out_error)
{
    return files_make(fd, root, options, out_error);
}

int px_files_walks(const px_files *files)
{
    return files->root.walk;
}

void px_files_destroy(void *context)
{
    struct px_files *files = context;

    if (!files)
        return;
    loop_cache_leave(&files->old);
    files_cache_deinit(files);
    files->ended = true;
    listing_pages_drop(files, 0);
    files_put(files);
}
