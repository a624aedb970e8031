/*
 * The coders: input cut anywhere, flushed anywhere, into room of a byte or more, decodes to itself,
 * and after a flush so does what came before it.
 *
 * The first byte names the coding, the next four seed the cuts, the rest is content.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "handlers/compress/compress.h"
#include "unit/handlers/decode.h"

enum { IN_BYTES_MAX = 16 * 1024, OUT_BYTES_MAX = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct run {
    const struct coder_kind *kind;
    void *coder;
    uint32_t seed;
    char out[OUT_BYTES_MAX];
    size_t out_len;
};

static uint32_t random_below(struct run *run, uint32_t limit)
{
    run->seed = run->seed * 1664525 + 1013904223;
    return (run->seed >> 8) % limit;
}

/* One step with a room of its own size, so that a byte too many is seen. */
static bool run_step(struct run *run, px_str in, enum coder_wish wish, size_t *out_in_used)
{
    size_t room = random_below(run, 4) ? 1 + random_below(run, 9) : 1 + random_below(run, 5000);
    char *out = malloc(room);
    px_filter_step step = {.in = in, .out = out, .room = room};
    bool done = false;

    CHECK(out);
    CHECK(run->kind->step(run->coder, &step, wish, &done) == PX_OK);
    CHECK(step.in_used <= in.len && step.out_used <= room);
    CHECK(run->out_len + step.out_used <= OUT_BYTES_MAX);
    memcpy(run->out + run->out_len, out, step.out_used);
    run->out_len += step.out_used;
    *out_in_used = step.in_used;
    free(out);
    return done;
}

static void check_decodes(struct run *run, px_str content, bool wants_end)
{
    bool whole;
    px_str decoded = decode(run->kind->coding, px_str_make(run->out, run->out_len), &whole);

    CHECK(whole == wants_end);
    CHECK(px_str_equal(decoded, content));
    free((void *)(uintptr_t)decoded.ptr);
}

static void run_stream(struct run *run, px_str content)
{
    size_t at = 0;
    size_t used = 0;
    bool checked = false;

    run->out_len = 0;
    CHECK(run->kind->begin(run->coder, random_below(run, 2) ? content.len : PX_LENGTH_UNKNOWN) ==
          PX_OK);
    while (at < content.len) {
        size_t left = content.len - at;
        size_t piece = 1 + random_below(run, left < 4096 ? (uint32_t)left : 4096);

        (void)run_step(run, px_str_make(content.ptr + at, piece), CODER_GO_ON, &used);
        at += used;
        if (random_below(run, 8) != 0)
            continue;
        /* A flush that is given up when more comes, or goes to its end. */
        bool to_the_end = random_below(run, 2) != 0;

        while (!run_step(run, px_str_make("", 0), CODER_FLUSH, &used)) {
            if (!to_the_end)
                break;
        }
        if (to_the_end && !checked)
            check_decodes(run, px_str_make(content.ptr, at), false);
        checked = checked || to_the_end; /* once is enough for the time it takes */
    }
    while (!run_step(run, px_str_make("", 0), CODER_FINISH, &used))
        CHECK(run->out_len < OUT_BYTES_MAX);
    check_decodes(run, content, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct coder_kind *const *const kinds[] = {&coder_gzip, &coder_brotli,
                                                            &coder_zstd};

    if (len < 5 || len > IN_BYTES_MAX)
        return 0;
    struct run *run = calloc(1, sizeof(*run));

    CHECK(run);
    run->kind = *kinds[data[0] % 3];
    memcpy(&run->seed, data + 1, 4);
    run->coder = run->kind->create(&alloc_libc);
    CHECK(run->coder);
    /* Twice: the second stream of a coder is as good as the first. */
    run_stream(run, px_str_make((const char *)data + 5, len - 5));
    run_stream(run, px_str_make((const char *)data + 5, len - 5));
    run->kind->destroy(run->coder);
    free(run);
    return 0;
}
