/*
 * zstd (RFC 8878) by Zstandard.
 *
 * Level 5, a window of 256 KiB (RFC 9659 allows a content coding 8 MiB) and tables to match: twice
 * as fast as the other two at their size.  About 1.6 MiB a coder, less when the length is known and
 * small.
 */
/* The allocator hook is in the part of its interface that may change; it has not since 2016. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "handlers/compress/compress.h"

#include "base/check.h"

enum { LEVEL = 5, WINDOW_LOG = 18, TABLE_LOG = 16 };

struct zstd {
    const px_allocator *allocator;
    ZSTD_CCtx *context; /* owned */
};

static void *zstd_alloc(void *context, size_t bytes)
{
    return alloc_take(context, bytes);
}

static void zstd_free(void *context, void *ptr)
{
    alloc_put(context, ptr);
}

static void zstd_destroy(void *coder)
{
    struct zstd *zstd = coder;

    (void)ZSTD_freeCCtx(zstd->context);
    alloc_put(zstd->allocator, zstd);
}

static void *zstd_create(const px_allocator *allocator)
{
    struct zstd *zstd = alloc_take_zeroed(allocator, sizeof(*zstd));
    ZSTD_customMem memory = {zstd_alloc, zstd_free, (void *)(uintptr_t)allocator};

    if (!zstd)
        return NULL;
    zstd->allocator = allocator;
    zstd->context = ZSTD_createCCtx_advanced(memory);
    if (!zstd->context ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd->context, ZSTD_c_compressionLevel, LEVEL)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd->context, ZSTD_c_windowLog, WINDOW_LOG)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd->context, ZSTD_c_hashLog, TABLE_LOG)) ||
        ZSTD_isError(ZSTD_CCtx_setParameter(zstd->context, ZSTD_c_chainLog, TABLE_LOG))) {
        zstd_destroy(zstd);
        return NULL;
    }
    return zstd;
}

static px_err zstd_begin(void *coder, uint64_t length)
{
    struct zstd *zstd = coder;
    unsigned long long known = length == PX_LENGTH_UNKNOWN ? ZSTD_CONTENTSIZE_UNKNOWN : length;

    return ZSTD_isError(ZSTD_CCtx_reset(zstd->context, ZSTD_reset_session_only)) ||
                   ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(zstd->context, known))
               ? PX_ERR_INVALID
               : PX_OK;
}

static px_err zstd_step(void *coder, px_filter_step *step, enum coder_wish wish, bool *out_done)
{
    static const ZSTD_EndDirective directives[] = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
    ZSTD_inBuffer in = {step->in.ptr, step->in.len, 0};
    ZSTD_outBuffer out = {step->out, step->room, 0};
    size_t left =
        ZSTD_compressStream2(((struct zstd *)coder)->context, &out, &in, directives[wish]);

    ASSERT(wish <= CODER_FINISH);
    if (ZSTD_isError(left))
        return ZSTD_getErrorCode(left) == ZSTD_error_memory_allocation ? PX_ERR_MEMORY
                                                                       : PX_ERR_INVALID;
    step->in_used = in.pos;
    step->out_used = out.pos;
    *out_done = left == 0;
    return PX_OK;
}

static const struct coder_kind kind = {
    .coding = CODING_ZSTD,
    .memory_bytes = 1700 * 1024,
    .create = zstd_create,
    .begin = zstd_begin,
    .step = zstd_step,
    .destroy = zstd_destroy,
};

const struct coder_kind *const coder_zstd = &kind;
