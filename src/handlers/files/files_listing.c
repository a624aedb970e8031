/*
 * Listing a folder: what is asked for, the answer and its pieces.
 *
 * Happy path: the page of the folder is there, or is made (files_listing_make.c); its head is
 * rendered for this request, and a producer sends the two.  A folder of more than one piece has no
 * length and no tag; its next piece is made when the client has taken the one before.  It can fail
 * with 503 when too many are being made or sent, for want of memory, descriptors or helpers, and
 * with 500 when the disk does; behind the head, visibly broken.
 */
#include "handlers/files/files_listing.h"

#include <string.h>

#include "base/check.h"
#include "http/fields/accept.h"

/* Tags must mean the same in every worker: a fixed key. */
static const struct siphash_key tag_key = {UINT64_C(0x706f6c6c7578206c),
                                           UINT64_C(0x697374696e672e2e)};

/* An answer. */
struct stream {
    struct listing_page *page; /* a reference; NULL once another piece is at hand */
    struct files_entry *entry; /* a reference, to make more pieces; NULL: there is one */
    struct px_files *files;    /* a reference */
    px_exchange *exchange;     /* borrowed: until `released` */
    struct buf head;
    size_t head_at;
    size_t rows_at; /* of the piece at hand */
    bool more;      /* than it */
    bool making;
    bool failed;
    bool released;            /* free it when the work is done */
    struct listing_work work; /* a piece behind the first */
};

const char *listing_sort_name(enum listing_sort sort)
{
    static const char *const names[LISTING_SORT_COUNT] = {"name", "size", "date"};

    CHECK(sort < LISTING_SORT_COUNT);
    return names[sort];
}

bool listing_sort_descends(enum listing_sort sort)
{
    return sort != LISTING_BY_NAME; /* the largest, the newest */
}

/* --- Sending ---------------------------------------------------------------------------------- */

static void stream_free(struct stream *stream)
{
    struct px_files *files = stream->files;

    CHECK(!stream->making && files->listing_streams >= (stream->entry != NULL));
    if (stream->page) {
        listing_page_put(stream->page);
    } else {
        files->listing_bytes -= stream->work.out.len;
        buf_deinit(&stream->work.out);
    }
    files->listing_streams -= stream->entry != NULL;
    files_entry_put(stream->entry);
    buf_deinit(&stream->head);
    alloc_put(&files->allocator, stream);
    files_put(files);
}

static void stream_release(void *context)
{
    struct stream *stream = context;

    stream->released = true;
    if (!stream->making)
        stream_free(stream);
}

static void piece_done(struct listing_work *work)
{
    struct stream *stream = CONTAINER_OF(work, struct stream, work);

    CHECK(stream->making && !work->entry);
    stream->making = false;
    stream->failed = work->err != PX_OK;
    stream->more = work->listing.more;
    stream->rows_at = 0;
    if (stream->released)
        stream_free(stream);
    else
        px_resume(stream->exchange);
}

/* Has the next piece made; what was sent is let go before. */
static void piece_begin(struct stream *stream)
{
    struct listing_work *work = &stream->work;
    struct listing_page *page = stream->page;

    CHECK(!stream->making && stream->entry);
    if (page) {
        work->listing = page->work.listing;
        stream->page = NULL;
        listing_page_put(page);
        work->listing.path = px_str_make(stream->entry->path, stream->entry->path_len);
    } else {
        stream->files->listing_bytes -= work->out.len;
        buf_deinit(&work->out);
    }
    buf_init(&work->out, &stream->files->allocator, 0);
    work->listing.after = work->listing.last;
    work->listing.last = (struct listing_mark){0};
    work->listing.more = false;
    work->listing.count = 0;
    work->entry = files_entry_take(stream->entry);
    work->done = piece_done;
    stream->making = true;
    listing_work_begin(stream->files, px_exchange_loop(stream->exchange), work);
}

static size_t take(px_str from, size_t *at, char *out, size_t room)
{
    size_t count = from.len - *at < room ? from.len - *at : room;

    if (count > 0)
        memcpy(out, from.ptr + *at, count);
    *at += count;
    return count;
}

static px_pull stream_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                           void *context)
{
    struct stream *stream = context;
    size_t done;

    (void)exchange;
    *out_bytes = 0;
    if (stream->failed)
        return PX_PULL_ERROR;
    if (stream->making)
        return PX_PULL_LATER;
    px_str rows = buf_str(stream->page ? &stream->page->work.out : &stream->work.out);

    done = take(buf_str(&stream->head), &stream->head_at, out, room);
    done += take(rows, &stream->rows_at, out + done, room - done);
    *out_bytes = done;
    if (stream->rows_at < rows.len)
        return PX_PULL_MORE;
    if (!stream->more)
        return PX_PULL_END;
    if (done > 0)
        return PX_PULL_MORE; /* the next piece when this is taken */
    piece_begin(stream);
    return stream->failed ? PX_PULL_ERROR : stream->making ? PX_PULL_LATER : PX_PULL_MORE;
}

/* --- Answering -------------------------------------------------------------------------------- */

static void listing_fields(px_exchange *exchange, px_str etag, bool json)
{
    if (etag.ptr)
        px_response_set_field(exchange, px_str_of("ETag"), etag);
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-cache"));
    px_response_set_field(exchange, px_str_of("Vary"), px_str_of("Accept, Accept-Encoding"));
    px_response_set_field(exchange, px_str_of("X-Content-Type-Options"), px_str_of("nosniff"));
    if (!json)
        px_response_set_field(exchange, px_str_of("Content-Security-Policy"),
                              px_str_of(listing_policy));
}

/* --- A request -------------------------------------------------------------------------------- */

static struct listing_view view_of(px_exchange *exchange)
{
    struct listing_view view = {.sort = LISTING_BY_NAME};
    px_str sort = px_request_query_param(exchange, "sort");
    px_str order = px_request_query_param(exchange, "order");
    struct accept_type html;
    struct accept_type json;
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    for (uint32_t index = 0; index < LISTING_SORT_COUNT; index++) {
        if (px_str_equal(sort, px_str_of(listing_sort_name((enum listing_sort)index))))
            view.sort = (uint8_t)index;
    }
    view.descending = px_str_equal(order, px_str_of("desc")) ||
                      (!px_str_equal(order, px_str_of("asc")) &&
                       listing_sort_descends((enum listing_sort)view.sort));
    accept_type_init(&html, "text", "html");
    accept_type_init(&json, "application", "json");
    accept_type_read(&html, fields, count);
    accept_type_read(&json, fields, count);
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

/* What is not the same for all. */
static struct stream *stream_make(px_exchange *exchange, struct listing_page *page)
{
    struct px_files *files = page->files;
    px_str path = page->work.listing.path;
    struct listing_head head = {.view = page->work.listing.view,
                                .path = path,
                                .root_name = root_name_of(exchange, path),
                                .host = px_request_authority(exchange)};
    struct stream *stream = alloc_take_zeroed(&files->allocator, sizeof(*stream));
    px_err err;

    CHECK(page->ready && page->work.err == PX_OK);
    if (!stream)
        return NULL;
    stream->page = page;
    page->refs++;
    stream->files = files;
    files->refs++;
    stream->exchange = exchange;
    stream->more = page->work.listing.more;
    buf_init(&stream->head, &files->allocator, LISTING_HEAD_BYTES_MAX);
    err = head.view.json ? listing_json_head(&head, &stream->head)
                         : listing_page_head(&head, &stream->head);
    if (err == PX_OK)
        return stream;
    stream_free(stream);
    return NULL;
}

/* Preconditions hold against the tag of what is sent.  There is no Last-Modified: a file can change
 * without its folder. */
static enum conditional_result precondition(px_exchange *exchange, px_str etag)
{
    struct conditional conditional;
    struct validators validators = {.etag = etag, .undated = true, .coded = true};
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    conditional_init(&conditional, fields, (uint32_t)count);
    conditional.seen &= CONDITIONAL_IF_MATCH | CONDITIONAL_IF_NONE_MATCH;
    return etag.ptr ? conditional_evaluate(&conditional, &validators, 0) : CONDITIONAL_GO_ON;
}

static void stream_answer(px_exchange *exchange, struct stream *stream)
{
    const struct listing_page *page = stream->page;
    uint64_t facts[2] = {page->hash, siphash(&tag_key, stream->head.ptr, stream->head.len)};
    uint64_t length = stream->head.len + page->work.out.len;
    bool json = page->work.listing.view.json;
    char text[ETAG_BYTES_MAX];
    px_str etag = px_str_make(NULL, 0);

    if (!stream->more)
        etag = px_str_make(text, etag_write(length, siphash(&tag_key, facts, sizeof(facts)), text));
    switch (precondition(exchange, etag)) {
    case CONDITIONAL_GO_ON:
        break;
    case CONDITIONAL_NOT_MODIFIED:
        listing_fields(exchange, etag, true);
        px_respond(exchange, 304, px_str_make(NULL, 0), px_str_make("", 0));
        stream_free(stream);
        return;
    case CONDITIONAL_FAILED:
        files_fail(exchange, stream->files, 412);
        stream_free(stream);
        return;
    }
    listing_fields(exchange, etag, json);
    px_producer producer = {sizeof(px_producer), stream_pull, stream_release, stream};

    px_respond_producer(exchange, 200,
                        px_str_of(json ? "application/json" : "text/html; charset=utf-8"),
                        stream->more ? PX_LENGTH_UNKNOWN : length, &producer);
}

static void page_ready(px_exchange *exchange, struct listing_page *page)
{
    struct px_files *files = page->files;
    px_err err = page->work.err;
    bool follows = page->work.listing.more && !px_request_method_is(exchange, "HEAD");
    bool full = files->listing_bytes > LISTING_BYTES_TOTAL_MAX ||
                (follows && files->listing_streams == LISTING_STREAMS_MAX);
    struct stream *stream = err == PX_OK && !full ? stream_make(exchange, page) : NULL;

    CHECK(page->ready);
    if (!stream) {
        files_fail(exchange, files, err == PX_ERR_SYSTEM ? 500 : 503);
        return;
    }
    if (follows) {
        stream->entry = files_entry_take(page->folder);
        files->listing_streams++;
    }
    stream_answer(exchange, stream);
}

void files_listing_respond(px_exchange *exchange, struct files_entry *entry)
{
    if (!listing_page_seek(exchange, entry, view_of(exchange), page_ready))
        files_fail(exchange, entry->files, 503);
}
