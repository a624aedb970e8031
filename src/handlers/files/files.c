/*
 * The file handler: a request, what its path proved to be, and what that is answered with.
 *
 * Happy path: the path is found in the cache, and the answer takes its fields and content from
 * there.  What can go wrong is an answer: 400 for a path that is none, 404, 403, 405, 412, 416, 503
 * where descriptors, memory or helpers run short, 500 for a disk that fails; each with its own page
 * if there is one.
 */
#include "handlers/files/files.h"

#include <string.h>

#include "http/fields/accept.h"
#include "http/fields/field.h"

/* The status of what is no file. */
static unsigned status_of(const struct files_entry *entry)
{
    switch (entry ? (enum files_outcome)entry->outcome : FILES_BUSY) {
    case FILES_FORBIDDEN:
        return 403;
    case FILES_BUSY:
        return 503;
    case FILES_BROKEN:
        return 500;
    case FILES_LOADING:
    case FILES_FILE:
    case FILES_NO_SLASH:
    case FILES_LISTED:
    case FILES_MISSING:
        break;
    }
    return 404;
}

/* --- What is not there ------------------------------------------------------------------------ */

/* Whether a request that does not say what it is for (Sec-Fetch-Dest) may be for a page: the name
 * that was looked for has no extension, however it was spelt, or Accept names pages. */
static bool may_want_page(px_exchange *exchange, px_str path)
{
    const char *slash = memrchr(path.ptr, '/', path.len);
    size_t before = slash ? (size_t)(slash - path.ptr) : 0;
    struct accept_type html;
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    if (!memchr(path.ptr + before, '.', path.len - before))
        return true;
    accept_type_init(&html, "text", "html");
    accept_type_read(&html, fields, count);
    return accept_type_is_named(&html) && accept_type_weight(&html) > 0;
}

/* A fallback page is for user agents that look at pages: a script or a picture that is not there is
 * not there. */
static bool wants_page(px_exchange *exchange, px_str path)
{
    static const char *const others[] = {
        "audio",  "audioworklet", "font",  "image", "manifest", "paintworklet", "report",
        "script", "style",        "track", "video", "worker",   "sharedworker", "serviceworker"};
    px_str dest = px_request_field(exchange, "Sec-Fetch-Dest");

    for (size_t index = 0; dest.ptr && index < ARRAY_COUNT(others); index++)
        if (field_name_is(dest, others[index]))
            return false;
    return dest.ptr || may_want_page(exchange, path);
}

static void spa_found(px_exchange *exchange, struct px_files *files, struct files_entry *entry,
                      const struct files_want *want)
{
    (void)want;
    if (entry && entry->outcome == FILES_FILE)
        files_answer(exchange, entry, entry, NULL);
    else
        files_fail(exchange, files, status_of(entry));
}

static void found_missing(px_exchange *exchange, struct px_files *files,
                          const struct files_entry *entry)
{
    const struct files_page *page = files_page_of(files, 0);

    if (page && wants_page(exchange, px_str_make(entry->path, entry->path_len)))
        files_seek(exchange, files, px_str_of(page->path), page,
                   (struct files_want){.done = spa_found});
    else
        files_fail(exchange, files, 404);
}

static void found_no_slash(px_exchange *exchange, struct px_files *files)
{
    px_str path = files_path_with_slash(exchange);

    if (path.ptr)
        px_respond_redirect(exchange, 301, path);
    else
        files_fail(exchange, files, 503);
}

/* --- Encoded forms ---------------------------------------------------------------------------- */

/* An encoded form that has gone leaves the file itself. */
static void sidecar_found(px_exchange *exchange, struct px_files *files, struct files_entry *entry,
                          const struct files_want *want)
{
    (void)files;
    if (entry && entry->outcome == FILES_FILE)
        files_answer(exchange, entry, want->base, want->coding);
    else
        files_answer(exchange, want->base, want->base, NULL);
}

/* Another file is to be sent in place of `entry`: its encoded form. */
static bool sidecar_seek(px_exchange *exchange, struct files_entry *entry)
{
    struct px_files *files = entry->files;
    const char *suffix = NULL, *coding;

    if (!entry->sidecars)
        return false;
    coding = files_sidecar_choose(exchange, entry->sidecars, &suffix);
    if (!coding)
        return false;
    size_t index_len = entry->index ? strlen(entry->index) : 0, suffix_len = strlen(suffix);
    size_t len = entry->path_len + index_len + suffix_len;
    char *path = px_exchange_alloc(exchange, len + 1);

    if (!path)
        return false;
    memcpy(path, entry->path, entry->path_len);
    if (entry->index)
        memcpy(path + entry->path_len, entry->index, index_len);
    memcpy(path + entry->path_len + index_len, suffix, suffix_len + 1);
    files_seek(exchange, files, px_str_make(path, len), NULL,
               (struct files_want){
                   .done = sidecar_found, .coding = coding, .base = files_entry_take(entry)});
    return true;
}

/* --- A request -------------------------------------------------------------------------------- */

static void path_found(px_exchange *exchange, struct px_files *files, struct files_entry *entry,
                       const struct files_want *want)
{
    (void)want;
    switch (entry ? (enum files_outcome)entry->outcome : FILES_BUSY) {
    case FILES_LOADING:
        CHECK(false);
        return;
    case FILES_FILE:
        if (!sidecar_seek(exchange, entry))
            files_answer(exchange, entry, entry, NULL);
        return;
    case FILES_NO_SLASH:
        found_no_slash(exchange, files);
        return;
    case FILES_LISTED:
        files_listing_respond(exchange, entry);
        return;
    case FILES_MISSING:
        found_missing(exchange, files, entry);
        return;
    case FILES_FORBIDDEN:
    case FILES_BUSY:
    case FILES_BROKEN:
        files_fail(exchange, files, status_of(entry));
        return;
    }
}

/* The fields of the options; Date and Server have a default, which is replaced. */
static void fields_add(px_exchange *exchange, const struct px_files *files)
{
    for (uint32_t index = 0; index < files->field_count; index++) {
        const px_field *field = &files->fields[index];

        if (field_name_is(field->name, "date") || field_name_is(field->name, "server"))
            px_response_set_field(exchange, field->name, field->value);
        else
            px_response_add_field(exchange, field->name, field->value);
    }
}

/* Of a name that the program gave: what is a folder is no file, wherever the request came from. */
static void name_found(px_exchange *exchange, struct px_files *files, struct files_entry *entry,
                       const struct files_want *want)
{
    if (entry && entry->outcome == FILES_NO_SLASH)
        files_fail(exchange, files, 404);
    else
        path_found(exchange, files, entry, want);
}

void px_files_respond(px_files *files, px_exchange *exchange, px_str name)
{
    px_str path;
    unsigned status = files_name(exchange, name, &path);

    if (files->field_count > 0)
        fields_add(exchange, files);
    if (status == 0)
        files_seek(exchange, files, path, NULL, (struct files_want){.done = name_found});
    else
        files_fail(exchange, files, status);
}

void px_files_handle(px_exchange *exchange, void *context)
{
    static const px_str allow_name = {"Allow", 5}, allow = {"GET, HEAD, OPTIONS", 18};
    struct px_files *files = context;
    px_str path;

    if (PX_UNLIKELY(files->field_count > 0))
        fields_add(exchange, files);
    if (PX_UNLIKELY(!px_request_method_is(exchange, "GET") &&
                    !px_request_method_is(exchange, "HEAD"))) {
        px_response_set_field(exchange, allow_name, allow);
        if (px_request_method_is(exchange, "OPTIONS"))
            px_respond(exchange, 204, px_str_of(NULL), px_str_make("", 0));
        else
            files_fail(exchange, files, 405);
        return;
    }
    unsigned status = files_path(exchange, files->is_whole, &path);

    if (PX_LIKELY(status == 0))
        files_seek(exchange, files, path, NULL, (struct files_want){.done = path_found});
    else
        files_fail(exchange, files, status);
}
