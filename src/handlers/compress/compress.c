/*
 * Compressing answers: a response filter.
 *
 * Happy path: on_head finds that the answer is fit and the client wants a coding, takes a coder and
 * sets the head; on_content runs content through it; on_end puts it back.  Without memory, for a
 * coder or by the cap of all coders, the next coding is tried, and in the end the answer goes out
 * as it is.
 */
#include "handlers/compress/compress.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/options.h"

static void *shelf_take(struct px_compress *compress, struct coder_shelf *shelf, uint64_t length)
{
    const struct coder_kind *kind = shelf->kind;
    void *coder;

    CHECK(kind && shelf->idle_count <= COMPRESS_IDLE_MAX);
    if (compress->memory_bytes + kind->memory_bytes > compress->memory_bytes_max)
        return NULL;
    coder = shelf->idle_count > 0 ? shelf->idle[--shelf->idle_count]
                                  : kind->create(&compress->allocator);
    if (shelf->idle_count < shelf->spare)
        shelf->spare = shelf->idle_count;
    if (!coder)
        return NULL;
    if (kind->begin(coder, length) != PX_OK) {
        kind->destroy(coder);
        return NULL;
    }
    compress->memory_bytes += kind->memory_bytes;
    shelf->at_work++;
    return coder;
}

static void shelf_put(struct px_compress *compress, struct coder_shelf *shelf, void *coder)
{
    CHECK(compress->memory_bytes >= shelf->kind->memory_bytes);
    compress->memory_bytes -= shelf->kind->memory_bytes;
    shelf->at_work--;
    if (shelf->idle_count < COMPRESS_IDLE_MAX)
        shelf->idle[shelf->idle_count++] = coder;
    else
        shelf->kind->destroy(coder);
}

/* Coders that stayed idle, and results that were not sent, since the last time. */
static uint32_t compress_age(struct loop_cache *old)
{
    struct px_compress *compress = CONTAINER_OF(old, struct px_compress, old);
    uint32_t count = 0;

    old->holds = false;
    if (compress->cache)
        count = compress_cache_age(compress->cache, &old->holds);
    for (uint32_t coding = 0; coding < CODING_COUNT; coding++) {
        struct coder_shelf *shelf = &compress->shelves[coding];

        for (; shelf->spare > 0 && count < CACHE_AGE_COUNT; shelf->spare--, count++)
            shelf->kind->destroy(shelf->idle[--shelf->idle_count]);
        shelf->spare = shelf->idle_count;
        old->holds = old->holds || shelf->idle_count > 0;
    }
    return count;
}

/* --- The filter ------------------------------------------------------------------------------- */

/* Has the answer coded: false when there is no memory for that. */
static void compress_check(const struct loop_cache *old)
{
    const struct px_compress *compress = CONTAINER_OF(old, const struct px_compress, old);
    uint64_t memory_bytes = 0;

    ASSERT(compress->holds > 0);
    for (uint32_t coding = 0; coding < CODING_COUNT; coding++) {
        const struct coder_shelf *shelf = &compress->shelves[coding];

        ASSERT(shelf->idle_count <= COMPRESS_IDLE_MAX && shelf->spare <= shelf->idle_count);
        ASSERT(shelf->kind || shelf->at_work + shelf->idle_count == 0);
        memory_bytes += shelf->kind ? (uint64_t)shelf->at_work * shelf->kind->memory_bytes : 0;
    }
    /* Else answers would go out as they are, for want of memory that nothing has. */
    ASSERT(memory_bytes == compress->memory_bytes);
}

static bool stream_begin(struct px_compress *compress, px_exchange *exchange, enum coding coding,
                         struct compress_stream *stream)
{
    *stream = (struct compress_stream){.compress = compress, .shelf = &compress->shelves[coding]};
    if (px_request_method_is(exchange, "HEAD"))
        return true; /* the head of a GET, whose content is not asked for */
    stream->coder = shelf_take(compress, stream->shelf, px_response_length(exchange));
    return stream->coder != NULL;
}

static int compress_on_head(px_exchange *exchange, void *context, void **out_state)
{
    struct px_compress *compress = context;
    struct accept_coding accept;
    enum coding codings[CODING_COUNT];
    px_str etags[CODING_COUNT];
    size_t field_count;
    const px_field *fields = px_request_fields(exchange, &field_count);

    if (!compress_is_fit(compress, exchange))
        return 0;
    compress_vary(exchange);
    /* A client of HTTP/1.0 would lose the length, and with it the connection. */
    if (px_request_version(exchange) < 11)
        return 0;
    accept_coding_read(&accept, fields, field_count);
    uint32_t count = accept_coding_order(&accept, compress->offered, codings);

    for (uint32_t index = 0; index < count; index++) {
        etags[index] = compress_etag(exchange, codings[index]);
        if (compress_is_known(exchange, etags[index])) {
            compress_set_known(exchange, etags[index]);
            return 0;
        }
    }
    struct compress_stream *stream =
        count > 0 ? px_exchange_alloc(exchange, sizeof(*stream)) : NULL;
    px_str key = stream && compress->cache ? compress_cache_key(exchange) : px_str_make(NULL, 0);

    for (uint32_t index = 0; stream && index < count; index++) {
        if (key.ptr) {
            compress_cache_key_coding(key, codings[index]);
            if (compress_cache_answer(compress->cache, exchange, key)) {
                compress_set_head(exchange, codings[index], etags[index]);
                return 0;
            }
        }
        if (!stream_begin(compress, exchange, codings[index], stream))
            continue;
        if (key.ptr && stream->coder)
            compress_record_begin(compress->cache, exchange, key, &stream->record);
        compress_set_head(exchange, codings[index], etags[index]);
        *out_state = stream;
        return 1;
    }
    return 0;
}

static int compress_on_content(px_exchange *exchange, px_filter_step *step, void *state)
{
    struct compress_stream *stream = state;
    bool done = false;
    px_err err = stream->shelf->kind->step(stream->coder, step,
                                           step->last ? CODER_FINISH : CODER_GO_ON, &done);

    ASSERT(stream->coder);
    (void)exchange;
    if (err != PX_OK)
        return -1;
    stream->dirty = stream->dirty || step->in_used > 0;
    step->done = step->last && done;
    ASSERT(step->in_used <= step->in.len && step->out_used <= step->room);
    compress_record_add(&stream->record, px_str_make(step->out, step->out_used));
    if (step->done)
        compress_record_keep(&stream->record);
    return 0;
}

static int compress_on_flush(px_exchange *exchange, px_filter_step *step, void *state)
{
    struct compress_stream *stream = state;
    bool done = false;

    (void)exchange;
    if (!stream->dirty)
        return 0;
    if (stream->shelf->kind->step(stream->coder, step, CODER_FLUSH, &done) != PX_OK)
        return -1;
    stream->dirty = !done;
    return 0;
}

static void compress_on_end(px_exchange *exchange, void *state)
{
    struct compress_stream *stream = state;

    compress_record_end(&stream->record);
    if (!stream->coder)
        return;
    shelf_put(stream->compress, stream->shelf, stream->coder);
    loop_cache_note(px_exchange_loop(exchange), &stream->compress->old);
}

const px_filter compress_filter = {
    .struct_size = sizeof(px_filter),
    .on_head = compress_on_head,
    .on_content = compress_on_content,
    .on_end = compress_on_end,
    .on_flush = compress_on_flush,
};

/* --- Setup ------------------------------------------------------------------------------------ */

uint32_t px_compress_codings(void)
{
    return (coder_gzip ? PX_CODING_GZIP : 0U) | (coder_brotli ? PX_CODING_BROTLI : 0U) |
           (coder_zstd ? PX_CODING_ZSTD : 0U);
}

struct px_compress *compress_create(const px_allocator *allocator, const px_compress_options *given,
                                    px_error *out_error)
{
    px_compress_options options;

    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "compress options: unknown or missing struct_size");
        return NULL;
    }
    if (options.codings == 0)
        options.codings = px_compress_codings();
    if (options.codings & ~px_compress_codings()) {
        error_set(out_error, PX_ERR_INVALID, 0, "a content coding that is not in this build");
        return NULL;
    }
    struct px_compress *compress = alloc_take_zeroed(allocator, sizeof(*compress));
    uint32_t cache_bytes =
        options.cache_bytes_max ? options.cache_bytes_max : COMPRESS_CACHE_BYTES_DEFAULT;

    if (compress)
        compress->allocator = *allocator;
    if (compress && cache_bytes != PX_OFF) {
        compress->cache = compress_cache_create(&compress->allocator, cache_bytes);
        if (!compress->cache) {
            alloc_put(allocator, compress);
            compress = NULL;
        }
    }
    if (!compress) {
        error_set(out_error, PX_ERR_MEMORY, 0, "no memory");
        return NULL;
    }
    CHECK((options.codings & ~px_compress_codings()) == 0);
    compress->holds = 1;
    compress->offered = options.codings;
    compress->bytes_min = options.bytes_min ? options.bytes_min : COMPRESS_BYTES_MIN_DEFAULT;
    compress->memory_bytes_max =
        options.memory_bytes_max ? options.memory_bytes_max : COMPRESS_MEMORY_BYTES_DEFAULT;
    compress->old.age = compress_age;
    compress->old.check = compress_check;
    compress->shelves[CODING_GZIP].kind = coder_gzip;
    compress->shelves[CODING_BROTLI].kind = coder_brotli;
    compress->shelves[CODING_ZSTD].kind = coder_zstd;
    return compress;
}

px_compress *px_compress_create(const px_compress_options *options, px_error *out_error)
{
    px_compress_options known;

    if (options_read(&known, sizeof(known), options) != PX_OK)
        known.allocator = NULL; /* compress_create says what is wrong */
    return compress_create(known.allocator ? known.allocator : &alloc_libc, options, out_error);
}

px_compress *px_compress_hold(px_compress *compress)
{
    CHECK(compress->holds > 0);
    compress->holds++;
    return compress;
}

const px_filter *px_compress_filter(void)
{
    return &compress_filter;
}

void px_compress_destroy(void *context)
{
    struct px_compress *compress = context;

    if (!compress || --compress->holds > 0)
        return;
    px_allocator allocator = compress->allocator;

    loop_cache_leave(&compress->old);
    for (uint32_t coding = 0; coding < CODING_COUNT; coding++) {
        struct coder_shelf *shelf = &compress->shelves[coding];

        while (shelf->idle_count > 0)
            shelf->kind->destroy(shelf->idle[--shelf->idle_count]);
    }
    compress_cache_destroy(compress->cache);
    alloc_put(&allocator, compress);
}
