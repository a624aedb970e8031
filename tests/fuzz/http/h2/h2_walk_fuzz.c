/*
 * The walk over frame heads: the same verdict at the same byte however the bytes arrive, and never
 * a step outside of them.
 *
 * The first byte sets how the bytes are cut and whether a good beginning stands in front.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/h2/h2_walk.h"
#include "lib/walk_feed.h"

enum { INPUT_MAX = 64 * 1024, BEGINNING_BYTES = H2_PREFACE_BYTES + H2_HEAD_BYTES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct result {
    struct h2_walk walk;
    px_err err;
    uint32_t error;
    size_t at; /* how far the library would have come */
};

static void run(struct result *result, const char *bytes, size_t len, size_t step)
{
    h2_walk_init(&result->walk, 4096);
    result->err = PX_OK;
    result->error = H2_NO_ERROR;
    result->at = 0;
    for (size_t from = 0; from < len && result->err == PX_OK; from += step) {
        size_t piece = len - from < step ? len - from : step;
        char *copy = malloc(piece);
        size_t used = 0;

        CHECK(copy);
        memcpy(copy, bytes + from, piece);
        result->err =
            walk_feed(&result->walk, 1000, px_str_make(copy, piece), &used, &result->error);
        free(copy);
        CHECK(used <= piece && (result->err != PX_OK || used == piece));
        CHECK((result->err == PX_OK) == (result->error == H2_NO_ERROR));
        result->at += used;
    }
    CHECK(result->walk.head_len < H2_HEAD_BYTES);
    for (int budget = 0; budget < H2_BUDGET_COUNT; budget++) {
        uint32_t sum = 0;

        for (int second = 0; second < H2_BUDGET_SECONDS; second++)
            sum += result->walk.counts[budget][second];
        CHECK(sum == result->walk.sums[budget]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char bytes[INPUT_MAX + BEGINNING_BYTES];
    struct result whole;
    size_t count = 0;

    if (len < 1 || len > INPUT_MAX)
        return 0;
    if (data[0] & 1) {
        memcpy(bytes, H2_PREFACE "\0\0\0\4\0\0\0\0\0", BEGINNING_BYTES);
        count = BEGINNING_BYTES;
    }
    memcpy(bytes + count, data + 1, len - 1);
    count += len - 1;

    const size_t steps[] = {1, (size_t)data[0] / 2 + 1};

    run(&whole, bytes, count, count + 1);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct result other;

        run(&other, bytes, count, steps[i]);
        CHECK(whole.err == other.err && whole.error == other.error);
        /* A head or a preface that was cut has been shown in part. */
        CHECK(whole.err == PX_OK ||
              (other.at >= whole.at && other.at <= whole.at + H2_HEAD_BYTES) ||
              other.at < H2_PREFACE_BYTES);
        CHECK(memcmp(whole.walk.used, other.walk.used, sizeof(whole.walk.used)) == 0);
        CHECK(whole.walk.block_stream == other.walk.block_stream);
    }
    return 0;
}
