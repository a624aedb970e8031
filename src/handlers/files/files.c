/*
 * The file handler: made from options, called for a request, ended.
 *
 * Happy path of a request: its path is found in the cache, and the answer takes its fields and
 * content from there.  What can go wrong is an answer: 400 for a path that is none, 404, 403, 405,
 * 412, 416, 503 where descriptors, memory or helpers run short, 500 for a disk that fails; each
 * with its own page if there is one.
 */
#include "handlers/files/files.h"

#include "http/fields/field.h"

/* --- A request -------------------------------------------------------------------------------- */

void files_fail(px_exchange *exchange, struct px_files *files, unsigned status)
{
    const struct files_page *page = files_page_of(files, status);
    struct files_want want = {.step = FILES_STEP_PAGE, .status = (uint16_t)status};

    if (page)
        files_seek(exchange, files, px_str_of(page->path), page, want);
    else
        px_respond_error(exchange, status);
}

/* A fallback page is for who looks at pages: a script or a picture that is not there is not there.
 */
static bool wants_page(px_exchange *exchange)
{
    static const char *const others[] = {
        "audio",  "audioworklet", "font",  "image", "manifest", "paintworklet", "report",
        "script", "style",        "track", "video", "worker",   "sharedworker", "serviceworker"};
    px_str dest = px_request_field(exchange, "Sec-Fetch-Dest");

    for (size_t index = 0; dest.ptr && index < ARRAY_COUNT(others); index++)
        if (field_name_is(dest, others[index]))
            return false;
    return true;
}

static void found_missing(px_exchange *exchange, struct px_files *files, struct files_want want)
{
    const struct files_page *page = files_page_of(files, 0);

    if (want.step == FILES_STEP_PATH && page && wants_page(exchange))
        files_seek(exchange, files, px_str_of(page->path), page,
                   (struct files_want){.step = FILES_STEP_SPA});
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

/* Another file is to be sent in place of `entry`: its encoded form. */
static bool found_sidecar(px_exchange *exchange, struct files_entry *entry)
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
    char *path = arena_take_text(&exchange->arena, len + 1);

    if (!path)
        return false;
    memcpy(path, entry->path, entry->path_len);
    if (entry->index)
        memcpy(path + entry->path_len, entry->index, index_len);
    memcpy(path + entry->path_len + index_len, suffix, suffix_len + 1);
    files_seek(exchange, files, px_str_make(path, len), NULL,
               (struct files_want){
                   .step = FILES_STEP_SIDECAR, .coding = coding, .base = files_entry_take(entry)});
    return true;
}

/* An encoded form that has gone leaves the file itself. */
static void found_coded(px_exchange *exchange, struct files_entry *entry, struct files_want want)
{
    struct files_entry *base = want.base;

    want.base = NULL;
    if (entry->outcome == FILES_FILE)
        files_answer(exchange, entry, base, &want);
    else
        files_answer(exchange, base, base, &want);
    files_entry_put(base);
}

void files_found(px_exchange *exchange, struct files_entry *entry, struct files_want want)
{
    struct px_files *files = entry->files;

    if (PX_UNLIKELY(!exchange_alive(exchange))) {
        files_entry_put(want.base);
        return;
    }
    if (want.step == FILES_STEP_SIDECAR) {
        found_coded(exchange, entry, want);
        return;
    }
    if (want.step == FILES_STEP_PAGE && entry->outcome != FILES_FILE) {
        px_respond_error(exchange, want.status);
        return;
    }
    switch ((enum files_outcome)entry->outcome) {
    case FILES_LOADING:
        CHECK(false);
        return;
    case FILES_FILE:
        if (want.step != FILES_STEP_PATH || !found_sidecar(exchange, entry))
            files_answer(exchange, entry, entry, &want);
        return;
    case FILES_NO_SLASH:
        found_no_slash(exchange, files);
        return;
    case FILES_LISTED:
        files_listing_respond(exchange, entry);
        return;
    case FILES_FORBIDDEN:
        files_fail(exchange, files, 403);
        return;
    case FILES_MISSING:
        found_missing(exchange, files, want);
        return;
    case FILES_BUSY:
        files_fail(exchange, files, 503);
        return;
    case FILES_BROKEN:
        files_fail(exchange, files, 500);
        return;
    }
}

void px_files_handle(px_exchange *exchange, void *context)
{
    static const px_str allow_name = {"Allow", 5}, allow = {"GET, HEAD, OPTIONS", 18};
    struct px_files *files = context;
    px_str path;

    if (PX_UNLIKELY(exchange->method != METHOD_GET && exchange->method != METHOD_HEAD)) {
        px_response_set_field(exchange, allow_name, allow);
        if (exchange->method == METHOD_OPTIONS)
            px_respond(exchange, 204, px_str_of(NULL), px_str_make("", 0));
        else
            files_fail(exchange, files, 405);
        return;
    }
    unsigned status = files_path(exchange, &path);

    if (PX_LIKELY(status == 0))
        files_seek(exchange, files, path, NULL, (struct files_want){.step = FILES_STEP_PATH});
    else
        files_fail(exchange, files, status);
}
