/*
 * Header blocks of a connection: the same fields and the same verdict however the bytes arrive, and
 * what was decoded is the same once it was encoded and decoded again.
 *
 * The input is blocks, each with its length in two bytes in front; the first byte sets how they are
 * cut.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/h2/hpack.h"

enum { INPUT_MAX = 16 * 1024, TEXT_MAX = 512 * 1024, SESSION_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What a decoder has told: each field with its lengths. */
struct listing {
    size_t len;
    struct hpack_encoder *encoder; /* where fields go on to, or NULL */
    size_t block_len;
    char text[TEXT_MAX];
    char block[TEXT_MAX];
};

struct side {
    struct h2_memory memory;
    struct hpack_decoder decoder;
};

static struct h2_spares spares;
static struct hpack_scratch scratch;
static struct listing whole, pieces, again;

static void put(struct listing *out, px_str text)
{
    memcpy(out->text + out->len, &text.len, sizeof(text.len));
    out->len += sizeof(text.len);
    if (text.len > 0)
        memcpy(out->text + out->len, text.ptr, text.len);
    out->len += text.len;
}

static bool on_field(void *context, px_str name, px_str value, uint16_t *note)
{
    struct listing *out = context;
    size_t bytes = name.len + value.len + 2 * sizeof(size_t);

    (void)note;
    if (out->len + bytes > TEXT_MAX || out->block_len + bytes + HPACK_FIELD_BYTES > TEXT_MAX)
        return false;
    put(out, name);
    put(out, value);
    if (out->encoder)
        out->block_len =
            (size_t)(hpack_encode(out->encoder, out->block + out->block_len, name, value) -
                     out->block);
    return true;
}

static px_err decode(struct side *side, struct listing *out, const char *block, size_t len,
                     size_t step)
{
    size_t at = 0, end = 0;
    px_err err = PX_OK;

    hpack_decode_begin(&side->decoder);
    while (end < len && err == PX_OK) {
        size_t used = 0;

        end = len - end < step ? len : end + step;
        char *copy = malloc(end - at + 1);

        CHECK(copy);
        memcpy(copy, block + at, end - at);
        err = hpack_decode(&side->decoder, px_str_make(copy, end - at), on_field, out, &used);
        free(copy);
        CHECK(used <= end - at);
        at += used;
        hpack_table_check(&side->decoder.table);
    }
    return err == PX_OK && at < len ? PX_ERR_MALFORMED : err;
}

static void open_side(struct side *side)
{
    h2_memory_init(&side->memory, &spares, SESSION_MAX);
    hpack_decoder_init(&side->decoder, &side->memory, &scratch, INPUT_MAX);
}

static void close_side(struct side *side)
{
    hpack_decoder_deinit(&side->decoder);
    CHECK(side->memory.bytes == 0);
}

/* Names that are written are in lower case, so they are compared as they come the second time. */
static bool lower_equal(const struct listing *one, const struct listing *other)
{
    if (one->len != other->len)
        return false;
    for (size_t at = 0; at < one->len; at++) {
        char a = one->text[at], b = other->text[at];

        if (a != b && !(a >= 'A' && a <= 'Z' && (a | 0x20) == b))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct side one, other, peer;
    struct h2_memory memory;
    struct hpack_encoder encoder;
    px_err err = PX_OK;

    if (len < 1 || len > INPUT_MAX)
        return 0;
    h2_spares_init(&spares, &alloc_libc, NULL);
    scratch.room = hpack_scratch_bytes(INPUT_MAX);
    scratch.ptr = malloc(scratch.room);
    CHECK(scratch.ptr);
    open_side(&one);
    open_side(&other);
    open_side(&peer);
    h2_memory_init(&memory, &spares, SESSION_MAX);
    hpack_encoder_init(&encoder, &memory);
    whole.encoder = &encoder;
    for (size_t at = 1; at + 2 <= len && err == PX_OK;) {
        size_t bytes = (size_t)data[at] << 8 | data[at + 1];

        at += 2;
        bytes = bytes < len - at ? bytes : len - at;
        whole.len = pieces.len = again.len = 0;
        if (bytes % 7 == 6)
            hpack_encoder_limit(&encoder, (uint32_t)bytes * 16);
        if (bytes % 7 == 6)
            hpack_encoder_limit(&encoder, HPACK_TABLE_BYTES_MAX);
        whole.block_len = (size_t)(hpack_begin(&encoder, whole.block) - whole.block);
        err = decode(&one, &whole, (const char *)data + at, bytes, bytes);
        CHECK(decode(&other, &pieces, (const char *)data + at, bytes, data[0] + (size_t)1) == err);
        CHECK(whole.len == pieces.len && memcmp(whole.text, pieces.text, whole.len) == 0);
        CHECK(decode(&peer, &again, whole.block, whole.block_len, whole.block_len) == PX_OK);
        CHECK(lower_equal(&whole, &again));
        hpack_table_check(&encoder.table);
        at += bytes;
    }
    close_side(&one);
    close_side(&other);
    close_side(&peer);
    hpack_encoder_deinit(&encoder);
    free(scratch.ptr);
    h2_spares_deinit(&spares);
    return 0;
}
