/*
 * Decoding, in one call, into as much memory as any test wants.
 */
#include "unit/handlers/decode.h"

#include <brotli/decode.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/test.h"

enum { DECODE_ROOM = 4 * 1024 * 1024 };

static size_t decode_gzip(px_str coded, char *out, bool *out_whole)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)coded.ptr,
                       .avail_in = (uInt)coded.len,
                       .next_out = (Bytef *)out,
                       .avail_out = DECODE_ROOM};

    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    int result = inflate(&stream, Z_SYNC_FLUSH);

    assert_true(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR);
    *out_whole = result == Z_STREAM_END && stream.avail_in == 0;
    assert_int_equal(inflateEnd(&stream), Z_OK);
    return DECODE_ROOM - stream.avail_out;
}

static size_t decode_brotli(px_str coded, char *out, bool *out_whole)
{
    BrotliDecoderState *state = BrotliDecoderCreateInstance(NULL, NULL, NULL);
    size_t in_left = coded.len;
    const uint8_t *in = (const uint8_t *)coded.ptr;
    size_t room = DECODE_ROOM;
    uint8_t *at = (uint8_t *)out;

    assert_non_null(state);
    BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state, &in_left, &in, &room, &at, NULL);

    assert_int_not_equal(result, BROTLI_DECODER_RESULT_ERROR);
    *out_whole = result == BROTLI_DECODER_RESULT_SUCCESS && in_left == 0;
    BrotliDecoderDestroyInstance(state);
    return DECODE_ROOM - room;
}

static size_t decode_zstd(px_str coded, char *out, bool *out_whole)
{
    ZSTD_DCtx *context = ZSTD_createDCtx();
    ZSTD_inBuffer in = {coded.ptr, coded.len, 0};
    ZSTD_outBuffer to = {out, DECODE_ROOM, 0};
    size_t left = 1;

    assert_non_null(context);
    while (in.pos < in.size) {
        left = ZSTD_decompressStream(context, &to, &in);
        assert_false(ZSTD_isError(left));
        if (left == 0)
            break;
    }
    *out_whole = left == 0 && in.pos == in.size;
    ZSTD_freeDCtx(context);
    return to.pos;
}

px_str decode(enum coding coding, px_str coded, bool *out_whole)
{
    char *out = malloc(DECODE_ROOM);
    size_t len = 0;

    assert_non_null(out);
    switch (coding) {
    case CODING_GZIP:
        len = decode_gzip(coded, out, out_whole);
        break;
    case CODING_BROTLI:
        len = decode_brotli(coded, out, out_whole);
        break;
    case CODING_ZSTD:
        len = decode_zstd(coded, out, out_whole);
        break;
    case CODING_IDENTITY:
    case CODING_COUNT:
        fail();
    }
    assert_true(len < DECODE_ROOM);
    return px_str_make(out, len);
}
