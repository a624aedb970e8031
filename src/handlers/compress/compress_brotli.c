/*
 * br (RFC 7932) by the Brotli encoder.
 *
 * Quality 5 and a window of 128 KiB: as fast as gzip's level 5 and a tenth smaller.  Higher
 * qualities are for files that are coded once and ahead.
 *
 * The encoder ends the process when it gets no memory (BROTLI_ENCODER_EXIT_ON_OOM, which is how
 * it is built unless told otherwise).  So it gets a heap of its own, taken whole before a stream
 * begins, of twice what it was seen to use; what is not touched costs nothing but address space.
 */
#include <brotli/encode.h>

#include "base/check.h"
#include "base/heap.h"
#include "handlers/compress/compress.h"

enum { QUALITY = 5, WINDOW_BITS = 17, HEAP_BYTES = 6 * 1024 * 1024 };

struct brotli {
    const px_allocator *allocator;
    struct heap heap;
    BrotliEncoderState *state; /* owned, in the heap */
    bool flushing;             /* a flush was begun and is not out */
};

static void *brotli_alloc(void *context, size_t bytes)
{
    struct brotli *brotli = context;
    void *ptr = heap_take(&brotli->heap, bytes);

    return ptr ? ptr : alloc_take(brotli->allocator, bytes);
}

static void brotli_free(void *context, void *ptr)
{
    struct brotli *brotli = context;

    if (ptr && heap_owns(&brotli->heap, ptr))
        heap_put(&brotli->heap, ptr);
    else
        alloc_put(brotli->allocator, ptr);
}

static void *brotli_create(const px_allocator *allocator)
{
    struct brotli *brotli = alloc_take_zeroed(allocator, sizeof(*brotli));
    void *memory = brotli ? alloc_take(allocator, HEAP_BYTES) : NULL;

    if (!memory) {
        alloc_put(allocator, brotli);
        return NULL;
    }
    brotli->allocator = allocator;
    heap_init(&brotli->heap, memory, HEAP_BYTES);
    return brotli;
}

static px_err brotli_begin(void *coder, uint64_t length)
{
    struct brotli *brotli = coder;

    if (brotli->state)
        BrotliEncoderDestroyInstance(brotli->state);
    brotli->state = BrotliEncoderCreateInstance(brotli_alloc, brotli_free, brotli);
    brotli->flushing = false;
    if (!brotli->state)
        return PX_ERR_MEMORY;
    if (!BrotliEncoderSetParameter(brotli->state, BROTLI_PARAM_QUALITY, QUALITY) ||
        !BrotliEncoderSetParameter(brotli->state, BROTLI_PARAM_LGWIN, WINDOW_BITS))
        return PX_ERR_INVALID;
    /* A hint alone, 32 bits wide: it lets small content take small tables. */
    if (length < UINT32_MAX)
        (void)BrotliEncoderSetParameter(brotli->state, BROTLI_PARAM_SIZE_HINT, (uint32_t)length);
    return PX_OK;
}

/* One call of the encoder, behind what the step has given so far.  Whether it went well. */
static bool brotli_call(struct brotli *brotli, px_filter_step *step, BrotliEncoderOperation what,
                        px_str input, size_t *out_in_used)
{
    const uint8_t *in = (const uint8_t *)input.ptr;
    uint8_t *out = (uint8_t *)step->out + step->out_used;
    size_t in_left = input.len;
    size_t room = step->room - step->out_used;
    bool well =
        BrotliEncoderCompressStream(brotli->state, what, &in_left, &in, &room, &out, NULL) != 0;

    ASSERT(brotli->state && step->out_used <= step->room);
    step->out_used = step->room - room;
    *out_in_used = input.len - in_left;
    return well;
}

static px_err brotli_step(void *coder, px_filter_step *step, enum coder_wish wish, bool *out_done)
{
    static const BrotliEncoderOperation operations[] = {
        BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH, BROTLI_OPERATION_FINISH};
    struct brotli *brotli = coder;
    size_t used = 0;

    *out_done = false;
    if (brotli->flushing && wish != CODER_FLUSH) {
        /* A flush that was begun must be brought to its end before there is more input. */
        if (!brotli_call(brotli, step, BROTLI_OPERATION_FLUSH, px_str_make("", 0), &used))
            return PX_ERR_INVALID;
        brotli->flushing = BrotliEncoderHasMoreOutput(brotli->state) != 0;
        if (brotli->flushing)
            return PX_OK;
    }
    if (!brotli_call(brotli, step, operations[wish], step->in, &used))
        return PX_ERR_INVALID;
    step->in_used = used;
    bool more = BrotliEncoderHasMoreOutput(brotli->state) != 0;

    brotli->flushing = wish == CODER_FLUSH && more;
    *out_done = wish == CODER_FINISH ? BrotliEncoderIsFinished(brotli->state) != 0 : !more;
    return PX_OK;
}

static void brotli_destroy(void *coder)
{
    struct brotli *brotli = coder;

    if (brotli->state)
        BrotliEncoderDestroyInstance(brotli->state);
    alloc_put(brotli->allocator, brotli->heap.memory);
    alloc_put(brotli->allocator, brotli);
}

static const struct coder_kind kind = {
    .coding = CODING_BROTLI,
    .memory_bytes = 3 * 1024 * 1024,
    .create = brotli_create,
    .begin = brotli_begin,
    .step = brotli_step,
    .destroy = brotli_destroy,
};

const struct coder_kind *const coder_brotli = &kind;
