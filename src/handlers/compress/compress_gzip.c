/*
 * gzip (RFC 1952) by zlib.
 *
 * Level 5 and the window of 32 KiB: of zlib's nine the one where half the time buys all but a tenth
 * of what the best saves.  262 KiB a coder, all taken at the start.
 */
#include <string.h>
#include <zlib.h>

#include "handlers/compress/compress.h"

#include "base/check.h"

enum {
    LEVEL = 5,
    WINDOW_BITS = 15,
    GZIP_FRAME = 16,
    MEMORY_LEVEL = 8,
    FLUSH_ROOM_MIN = 7, /* with less zlib begins a flush anew at each call, for ever (zlib.h) */
    SPILL_BYTES = 64
};

struct gzip {
    const px_allocator *allocator;
    uint32_t spill_at;
    uint32_t spill_len;
    bool spill_done;         /* the flush ends with the spill */
    char spill[SPILL_BYTES]; /* what a flush gave when there was little room */
    z_stream stream;
};

static void *gzip_alloc(void *context, unsigned count, unsigned bytes)
{
    return alloc_take(context, (size_t)count * bytes);
}

static void gzip_free(void *context, void *ptr)
{
    alloc_put(context, ptr);
}

static void *gzip_create(const px_allocator *allocator)
{
    struct gzip *gzip = alloc_take_zeroed(allocator, sizeof(*gzip));

    if (!gzip)
        return NULL;
    gzip->allocator = allocator;
    gzip->stream.zalloc = gzip_alloc;
    gzip->stream.zfree = gzip_free;
    /* zlib takes the context as not const, and hands it back as it is. */
    gzip->stream.opaque = (void *)(uintptr_t)allocator;
    if (deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, WINDOW_BITS + GZIP_FRAME, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        alloc_put(allocator, gzip);
        return NULL;
    }
    return gzip;
}

static px_err gzip_begin(void *coder, uint64_t length)
{
    struct gzip *gzip = coder;

    (void)length;
    gzip->spill_at = 0;
    gzip->spill_len = 0;
    return deflateReset(&gzip->stream) == Z_OK ? PX_OK : PX_ERR_INVALID;
}

/* Gives what was spilled.  Whether all of it is out. */
static bool spill_give(struct gzip *gzip, px_filter_step *step)
{
    size_t left = gzip->spill_len - gzip->spill_at;
    size_t count = left < step->room ? left : step->room;

    CHECK(gzip->spill_at <= gzip->spill_len && gzip->spill_len <= SPILL_BYTES);
    memcpy(step->out, gzip->spill + gzip->spill_at, count);
    gzip->spill_at += (uint32_t)count;
    step->out_used = count;
    return count == left;
}

static px_err gzip_deflate(struct gzip *gzip, px_filter_step *step, enum coder_wish wish, char *out,
                           size_t room, size_t *out_used, bool *out_done)
{
    static const int flushes[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    z_stream *stream = &gzip->stream;

    ASSERT(wish <= CODER_FINISH);
    /* Input and room are a filter's steps of some kilobytes: they fit into zlib's counts. */
    stream->next_in = (Bytef *)(uintptr_t)step->in.ptr;
    stream->avail_in = (uInt)step->in.len;
    stream->next_out = (Bytef *)out;
    stream->avail_out = (uInt)room;
    int result = deflate(stream, flushes[wish]);

    step->in_used = step->in.len - stream->avail_in;
    *out_used = room - stream->avail_out;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
        return PX_ERR_INVALID;
    /* A flush is complete when it left room (zlib.h, at deflate). */
    *out_done = wish == CODER_FINISH ? result == Z_STREAM_END : stream->avail_out > 0;
    return PX_OK;
}

static px_err gzip_step(void *coder, px_filter_step *step, enum coder_wish wish, bool *out_done)
{
    struct gzip *gzip = coder;
    size_t used = 0;

    if (gzip->spill_at < gzip->spill_len) {
        bool empty = spill_give(gzip, step);

        *out_done = empty && wish == CODER_FLUSH && gzip->spill_done;
        if (!empty || *out_done || step->room == step->out_used)
            return PX_OK;
    }
    size_t given = step->out_used;
    size_t room = step->room - given;

    if (wish == CODER_FLUSH && room < FLUSH_ROOM_MIN) {
        px_err err =
            gzip_deflate(gzip, step, wish, gzip->spill, SPILL_BYTES, &used, &gzip->spill_done);

        if (err != PX_OK)
            return err;
        gzip->spill_at = 0;
        gzip->spill_len = (uint32_t)used;
        px_filter_step rest = {.out = step->out + given, .room = room};

        *out_done = spill_give(gzip, &rest) && gzip->spill_done;
        step->out_used = given + rest.out_used;
        return PX_OK;
    }
    px_err err = gzip_deflate(gzip, step, wish, step->out + given, room, &used, out_done);

    step->out_used = given + used;
    return err;
}

static void gzip_destroy(void *coder)
{
    struct gzip *gzip = coder;

    (void)deflateEnd(&gzip->stream);
    alloc_put(gzip->allocator, gzip);
}

static const struct coder_kind kind = {
    .coding = CODING_GZIP,
    .memory_bytes = 272 * 1024,
    .create = gzip_create,
    .begin = gzip_begin,
    .step = gzip_step,
    .destroy = gzip_destroy,
};

const struct coder_kind *const coder_gzip = &kind;
