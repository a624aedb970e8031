/*
 * The driver of every-split tests.  `taken` bytes of the input were consumed, `arrived` are there.
 */
#include "lib/splits.h"

#include <stdio.h>

#include "lib/guard.h"
#include "lib/test.h"

struct splits_run {
    struct guard guard;
    px_str input;
    const struct split_reader *reader;
    size_t taken;
    bool at_start; /* against the page before the input, else the one behind it */
    char name[64];
};

static void splits_arrive(struct splits_run *run, size_t arrived)
{
    px_str there = px_str_make(run->input.ptr + run->taken, arrived - run->taken);
    px_str placed =
        run->at_start ? guard_at_start(&run->guard, there) : guard_at_end(&run->guard, there);
    size_t used = run->reader->feed(placed, run->reader->context);

    if (used > placed.len)
        fail_msg("%s: consumed %zu of %zu bytes", run->name, used, placed.len);
    run->taken += used;
}

/* One run: the input arrives up to `cut`, then `step` bytes at a time. */
static void splits_once(struct splits_run *run, size_t cut, size_t step)
{
    snprintf(run->name, sizeof(run->name), "cut at %zu, then %zu at a time, %s guard", cut, step,
             run->at_start ? "behind a" : "before a");
    run->taken = 0;
    if (run->reader->begin)
        run->reader->begin(run->reader->context);
    splits_arrive(run, cut);
    for (size_t arrived = cut; arrived < run->input.len;) {
        arrived = run->input.len - arrived > step ? arrived + step : run->input.len;
        splits_arrive(run, arrived);
    }
    run->reader->end(run->input.len - run->taken, run->name, run->reader->context);
}

uint32_t splits_each(px_str input, const struct split_reader *reader)
{
    struct splits_run run = {.input = input, .reader = reader};
    uint32_t count = 0;

    guard_init(&run.guard, input.len);
    for (int at_start = 0; at_start < 2; at_start++) {
        run.at_start = at_start;
        splits_once(&run, input.len, 1);
        splits_once(&run, input.len > 0 ? 1 : 0, 1);
        count += 2;
        for (size_t cut = 1; cut <= input.len; cut++, count++)
            splits_once(&run, cut, input.len);
    }
    guard_deinit(&run.guard);
    return count;
}
