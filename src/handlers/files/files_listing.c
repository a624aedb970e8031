/*
 * Listing a folder: what is asked for, a helper's job, the answer.
 *
 * Happy path: a job is made with copies of what it needs, and holds the folder's entry; a helper
 * thread reads and renders; the loop answers with a validator made of the content.  It can fail
 * with 503 when too many are being made or sent, for want of memory, descriptors or helpers, and
 * with 500 when the disk does.  A client that has gone leaves the job to end for nobody.
 */
#include "handlers/files/files_listing.h"

#include "base/limits.h"
#include "http/fields/accept.h"

/* Tags must mean the same in every worker: a fixed key. */
static const struct siphash_key tag_key = {UINT64_C(0x706f6c6c7578206c),
                                           UINT64_C(0x697374696e672e2e)};

struct listing_job {
    px_ref ref;
    struct files_entry *entry; /* a reference; its `fd` is the folder */
    struct listing listing;
    struct buf out; /* what was rendered */
    px_err err;
    char text[]; /* what `listing` borrows */
};

/* Content that is being sent. */
struct listing_body {
    struct px_files *files; /* a reference */
    struct buf bytes;
};

const char *listing_sort_name(enum listing_sort sort)
{
    static const char *const names[LISTING_SORT_COUNT] = {"name", "size", "date"};

    return names[sort];
}

bool listing_sort_descends(enum listing_sort sort)
{
    return sort != LISTING_BY_NAME; /* the largest, the newest */
}

/* --- On a helper thread ----------------------------------------------------------------------- */

static void job_work(void *context)
{
    struct listing_job *job = context;
    struct listing *listing = &job->listing;

    job->err = listing_read(listing, job->entry);
    while (job->err == PX_OK) {
        job->out.len = 0;
        job->err = listing->view.json ? listing_json(listing, &job->out)
                                      : listing_page(listing, &job->out);
        if (job->err != PX_ERR_LIMIT || listing->count == 0)
            break;
        /* Names so long that not all of them fit. */
        listing->cut = true;
        listing->count -= (listing->count + 7) / 8;
        job->err = PX_OK;
    }
    buf_deinit(&listing->names);
    buf_deinit(&listing->items);
}

/* --- On the loop's thread --------------------------------------------------------------------- */

static void job_destroy(struct listing_job *job)
{
    struct px_files *files = job->entry->files;
    px_allocator allocator = files->allocator;

    files->listing_count--;
    px_ref_release(&job->ref);
    buf_deinit(&job->listing.names);
    buf_deinit(&job->listing.items);
    buf_deinit(&job->out);
    files_entry_put(job->entry); /* the files may end with it */
    alloc_put(&allocator, job);
}

static void body_release(void *context)
{
    struct listing_body *body = context;
    struct px_files *files = body->files;

    files->listing_bytes -= body->bytes.len;
    buf_deinit(&body->bytes);
    alloc_put(&files->allocator, body);
    files_put(files);
}

/* Takes the job's bytes over: a body that gives them back, or false without room for them. */
static bool body_make(struct listing_job *job, px_body *out_body)
{
    struct px_files *files = job->entry->files;
    struct listing_body *body = files->listing_bytes + job->out.len <= LISTING_BYTES_TOTAL_MAX
                                    ? alloc_take(&files->allocator, sizeof(*body))
                                    : NULL;

    if (!body)
        return false;
    *body = (struct listing_body){.files = files, .bytes = job->out};
    buf_init(&job->out, &files->allocator, 0);
    files->refs++;
    files->listing_bytes += body->bytes.len;
    *out_body = (px_body){buf_str(&body->bytes), body_release, body};
    return true;
}

static void listing_fields(px_exchange *exchange, px_str etag, bool json)
{
    px_response_set_field(exchange, px_str_of("ETag"), etag);
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-cache"));
    px_response_set_field(exchange, px_str_of("Vary"), px_str_of("Accept, Accept-Encoding"));
    px_response_set_field(exchange, px_str_of("X-Content-Type-Options"), px_str_of("nosniff"));
    if (!json)
        px_response_set_field(exchange, px_str_of("Content-Security-Policy"),
                              px_str_of(listing_policy));
}

static void listing_answer(px_exchange *exchange, struct listing_job *job)
{
    struct px_files *files = job->entry->files;
    struct conditional conditional;
    char etag[ETAG_BYTES_MAX];
    px_body body;
    size_t etag_len = etag_write(job->out.len, siphash(&tag_key, job->out.ptr, job->out.len), etag);
    struct validators validators = {.etag = px_str_make(etag, etag_len)};
    px_str type =
        px_str_of(job->listing.view.json ? "application/json" : "text/html; charset=utf-8");

    conditional_init(&conditional, exchange->request.fields, exchange->request.field_count);
    /* There is no Last-Modified: a file can change without its folder. */
    conditional.seen &= CONDITIONAL_IF_MATCH | CONDITIONAL_IF_NONE_MATCH;
    switch (conditional_evaluate(&conditional, &validators, 0)) {
    case CONDITIONAL_GO_ON:
        break;
    case CONDITIONAL_NOT_MODIFIED:
        listing_fields(exchange, validators.etag, true);
        px_respond(exchange, 304, px_str_make(NULL, 0), px_str_make("", 0));
        return;
    case CONDITIONAL_FAILED:
        files_fail(exchange, files, 412);
        return;
    }
    if (!body_make(job, &body)) {
        files_fail(exchange, files, 503);
        return;
    }
    listing_fields(exchange, validators.etag, job->listing.view.json);
    px_respond_body(exchange, 200, type, &body);
}

static void job_done(px_err status, void *context)
{
    struct listing_job *job = context;
    /* A cancelled job has no loop to answer on. */
    px_exchange *exchange = status == PX_OK ? px_ref_get(&job->ref) : NULL;

    if (exchange && exchange_alive(exchange)) {
        if (job->err == PX_OK)
            listing_answer(exchange, job);
        else
            files_fail(exchange, job->entry->files, job->err == PX_ERR_SYSTEM ? 500 : 503);
    }
    job_destroy(job);
}

/* --- A request -------------------------------------------------------------------------------- */

static struct listing_view view_of(px_exchange *exchange)
{
    struct listing_view view = {.sort = LISTING_BY_NAME};
    px_str sort = px_request_query_param(exchange, "sort");
    px_str order = px_request_query_param(exchange, "order");
    struct accept_type html;
    struct accept_type json;

    for (uint32_t index = 0; index < LISTING_SORT_COUNT; index++) {
        if (px_str_equal(sort, px_str_of(listing_sort_name((enum listing_sort)index))))
            view.sort = (uint8_t)index;
    }
    view.descending = px_str_equal(order, px_str_of("desc")) ||
                      (!px_str_equal(order, px_str_of("asc")) &&
                       listing_sort_descends((enum listing_sort)view.sort));
    accept_type_init(&html, "text", "html");
    accept_type_init(&json, "application", "json");
    accept_type_read(&html, exchange->request.fields, exchange->request.field_count);
    accept_type_read(&json, exchange->request.fields, exchange->request.field_count);
    view.json = accept_type_weight(&json) > accept_type_weight(&html);
    return view;
}

/* What stands in front of `path` in the request's path; "/" when the two do not fit. */
static px_str root_name_of(px_exchange *exchange, px_str path)
{
    px_str whole = px_request_path(exchange);

    if (!whole.ptr || whole.len <= path.len ||
        memcmp(whole.ptr + whole.len - path.len, path.ptr, path.len) != 0 ||
        whole.ptr[whole.len - path.len - 1] != '/')
        return px_str_make("/", 1);
    return px_str_make(whole.ptr, whole.len - path.len);
}

static px_str text_copy(char **at, px_str text)
{
    char *copy = *at;

    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    *at += text.len;
    return px_str_make(copy, text.len);
}

static struct listing_job *job_create(px_exchange *exchange, struct files_entry *entry)
{
    const px_allocator *allocator = &entry->files->allocator;
    px_str path = px_str_make(entry->path, entry->path_len);
    px_str root_name = root_name_of(exchange, path);
    px_str host = px_request_authority(exchange);
    struct listing_job *job =
        alloc_take(allocator, sizeof(*job) + path.len + 1 + root_name.len + host.len);
    char *at;

    if (!job)
        return NULL;
    *job = (struct listing_job){.ref = px_exchange_ref(exchange),
                                .entry = files_entry_take(entry),
                                .listing = {.view = view_of(exchange)}};
    at = job->text;
    job->listing.path = text_copy(&at, path);
    if (path.len > 0 && path.ptr[path.len - 1] != '/') {
        *at++ = '/';
        job->listing.path.len++;
    }
    job->listing.root_name = text_copy(&at, root_name);
    job->listing.host = text_copy(&at, host);
    buf_init(&job->listing.names, allocator, LISTING_ENTRIES_MAX * 256);
    buf_init(&job->listing.items, allocator, LISTING_ENTRIES_MAX * sizeof(struct listing_item));
    buf_init(&job->out, allocator, LISTING_BYTES_MAX);
    entry->files->listing_count++;
    return job;
}

void files_listing_respond(px_exchange *exchange, struct files_entry *entry)
{
    struct px_files *files = entry->files;
    struct listing_job *job =
        files->listing_count < LISTING_COUNT_MAX ? job_create(exchange, entry) : NULL;

    if (!job) {
        files_fail(exchange, files, 503);
        return;
    }
    if (px_loop_work(px_exchange_loop(exchange), job_work, job_done, job) != PX_OK) {
        job_destroy(job);
        files_fail(exchange, files, 503);
    }
}
