/*
 * permessage-deflate by zlib.
 *
 * A message is deflated with a sync flush at its end, whose last four bytes are not sent and are
 * put back by the side that inflates (RFC 7692 sections 7.2.1 and 7.2.2).  zlib has no deflate with
 * a window of 256 bytes: there the larger one looks back by one byte alone, which every window
 * allows.
 */
#include "http/ws/ws_deflate.h"

#include <limits.h>
#include <zlib.h>

#include "base/check.h"

enum {
    MEMORY_LEVEL = 8,
    DEFLATE_WINDOW_BITS_MIN = 9,
    INFLATE_STATE_BYTES = 11 * 1024, /* zconf.h says 7 KiB; later versions have a little more */
    DEFLATE_STATE_BYTES = 10 * 1024,
    TAIL_BYTES = 4, /* 00 00 ff ff */
    GROW_BYTES = 1024
};

struct ws_inflate {
    const px_allocator *allocator;
    z_stream stream;
    bool is_between; /* two blocks, with no bit of the next one taken */
};

struct ws_deflate {
    const px_allocator *allocator;
    z_stream stream;
};

static void *zlib_alloc(void *context, unsigned count, unsigned bytes)
{
    return alloc_take(context, (size_t)count * bytes);
}

static void zlib_free(void *context, void *ptr)
{
    alloc_put(context, ptr);
}

/* zlib takes the context as not const, and hands it back as it is. */
static void zlib_init(z_stream *stream, const px_allocator *allocator)
{
    stream->zalloc = zlib_alloc;
    stream->zfree = zlib_free;
    stream->opaque = (void *)(uintptr_t)allocator;
}

bool ws_deflate_is_there(void)
{
    return true;
}

size_t ws_inflate_bytes(unsigned window_bits)
{
    return sizeof(struct ws_inflate) + INFLATE_STATE_BYTES + ((size_t)1 << window_bits);
}

size_t ws_deflate_bytes(unsigned window_bits)
{
    if (window_bits < DEFLATE_WINDOW_BITS_MIN)
        window_bits = DEFLATE_WINDOW_BITS_MIN;
    /* zconf.h: (1 << (windowBits + 2)) + (1 << (memLevel + 9)), and the state. */
    return sizeof(struct ws_deflate) + DEFLATE_STATE_BYTES + ((size_t)1 << (window_bits + 2)) +
           ((size_t)1 << (MEMORY_LEVEL + 9));
}

/* --- Inflating -------------------------------------------------------------------------------- */

struct ws_inflate *ws_inflate_create(const px_allocator *allocator, unsigned window_bits)
{
    struct ws_inflate *coder = alloc_take_zeroed(allocator, sizeof(*coder));

    CHECK(window_bits >= WS_WINDOW_BITS_MIN && window_bits <= WS_WINDOW_BITS_MAX);
    if (!coder)
        return NULL;
    coder->allocator = allocator;
    coder->is_between = true;
    zlib_init(&coder->stream, allocator);
    if (inflateInit2(&coder->stream, -(int)window_bits) != Z_OK) {
        alloc_put(allocator, coder);
        return NULL;
    }
    return coder;
}

void ws_inflate_destroy(struct ws_inflate *coder)
{
    if (!coder)
        return;
    (void)inflateEnd(&coder->stream);
    alloc_put(coder->allocator, coder);
}

void ws_inflate_reset(struct ws_inflate *coder)
{
    int result = inflateReset(&coder->stream);

    CHECK(result == Z_OK);
    coder->is_between = true;
}

bool ws_inflate_is_between(const struct ws_inflate *coder)
{
    return coder->is_between;
}

/* As zlib.h says at inflate; without input it tells of no block. */
static bool ends_block(const z_stream *stream)
{
    enum { BITS_LEFT = 63, BLOCK_ENDED = 128 };

    return (stream->data_type & BLOCK_ENDED) != 0 && (stream->data_type & BITS_LEFT) == 0;
}

px_err ws_inflate_step(struct ws_inflate *coder, px_str in, char *out, size_t room,
                       size_t *out_used, size_t *out_bytes)
{
    z_stream *stream = &coder->stream;
    uInt count = in.len < UINT_MAX ? (uInt)in.len : UINT_MAX;
    uInt space = room < UINT_MAX ? (uInt)room : UINT_MAX;

    stream->next_in = (Bytef *)(uintptr_t)in.ptr;
    stream->avail_in = count;
    stream->next_out = (Bytef *)out;
    stream->avail_out = space;
    for (;;) {
        uInt before = stream->avail_in;
        int result = inflate(stream, Z_SYNC_FLUSH);

        if (stream->avail_in < before)
            coder->is_between = ends_block(stream);
        if (result == Z_STREAM_END) {
            /* RFC 7692 section 7.2.3.4: a last block inside of a message; the window stays. */
            result = inflateResetKeep(stream);
            coder->is_between = true;
            if (stream->avail_in > 0 && stream->avail_out > 0 && result == Z_OK)
                continue;
        }
        if (result == Z_MEM_ERROR)
            return PX_ERR_MEMORY;
        if (result != Z_OK && result != Z_BUF_ERROR)
            return PX_ERR_MALFORMED;
        break;
    }
    *out_used = count - stream->avail_in;
    *out_bytes = space - stream->avail_out;
    return PX_OK;
}

/* --- Deflating -------------------------------------------------------------------------------- */

struct ws_deflate *ws_deflate_create(const px_allocator *allocator, unsigned level,
                                     unsigned window_bits)
{
    bool is_least = window_bits < DEFLATE_WINDOW_BITS_MIN;
    struct ws_deflate *coder = alloc_take_zeroed(allocator, sizeof(*coder));

    CHECK(window_bits >= WS_WINDOW_BITS_MIN && window_bits <= WS_WINDOW_BITS_MAX);
    if (!coder)
        return NULL;
    coder->allocator = allocator;
    zlib_init(&coder->stream, allocator);
    if (deflateInit2(&coder->stream, (int)level, Z_DEFLATED,
                     -(int)(is_least ? DEFLATE_WINDOW_BITS_MIN : window_bits), MEMORY_LEVEL,
                     is_least ? Z_RLE : Z_DEFAULT_STRATEGY) != Z_OK) {
        alloc_put(allocator, coder);
        return NULL;
    }
    return coder;
}

void ws_deflate_destroy(struct ws_deflate *coder)
{
    if (!coder)
        return;
    (void)deflateEnd(&coder->stream);
    alloc_put(coder->allocator, coder);
}

void ws_deflate_reset(struct ws_deflate *coder)
{
    int result = deflateReset(&coder->stream);

    CHECK(result == Z_OK);
}

px_err ws_deflate_message(struct ws_deflate *coder, px_str message, struct buf *out)
{
    return ws_deflate_piece(coder, message, true, out);
}

px_err ws_deflate_piece(struct ws_deflate *coder, px_str message, bool ends, struct buf *out)
{
    z_stream *stream = &coder->stream;
    size_t before = out->len, at = 0;
    bool is_last;

    do {
        size_t left = message.len - at;
        uInt count = left < UINT_MAX ? (uInt)left : UINT_MAX;

        is_last = count == left;
        stream->next_in = (Bytef *)(uintptr_t)(message.ptr + at);
        stream->avail_in = count;
        at += count;
        /* A flush is complete when it left room (zlib.h, at deflate). */
        do {
            px_err err = buf_reserve(out, GROW_BYTES);

            if (err != PX_OK)
                return err;
            size_t room = out->cap - out->len;

            stream->next_out = (Bytef *)(out->ptr + out->len);
            stream->avail_out = room < UINT_MAX ? (uInt)room : UINT_MAX;
            uInt given = stream->avail_out;
            int result = deflate(stream, ends && is_last ? Z_SYNC_FLUSH : Z_NO_FLUSH);

            CHECK(result == Z_OK || result == Z_BUF_ERROR);
            out->len += given - stream->avail_out;
        } while (stream->avail_out == 0);
    } while (!is_last);
    if (!ends)
        return PX_OK;
    /* RFC 7692 section 7.2.3.6: where there was nothing to flush, one empty block stands for it. */
    if (out->len - before > TAIL_BYTES) {
        out->len -= TAIL_BYTES;
    } else {
        out->ptr[before] = '\0';
        out->len = before + 1;
    }
    return PX_OK;
}
