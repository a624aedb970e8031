/*
 * Exemplars in shared memory.  See exemplar.h.
 */
#include "metrics/exemplar.h"

#include "base/check.h"
#include "metrics/write.h"

enum { DIGITS = 16, DIGIT_BITS = 4 };

void exemplars_clear(struct exemplars *exemplars)
{
    /* What was never used is not touched: it takes no memory. */
    if (atomic_load_explicit(&exemplars->is_used, memory_order_relaxed) == 0)
        return;
    for (uint32_t i = 0; i < EXEMPLARS; i++)
        atomic_store_explicit(&exemplars->slots[i].cell, 0, memory_order_relaxed);
    atomic_store_explicit(&exemplars->is_used, 0, memory_order_relaxed);
}

static uint32_t slot_of(uint32_t cell)
{
    return (cell * UINT32_C(2654435761)) >> 16 & (EXEMPLARS - 1);
}

struct exemplar_seen exemplar_make(uint64_t value, int64_t unix_time, px_str trace_id)
{
    struct exemplar_seen seen = {.value = value,
                                 .unix_time = unix_time > 0 ? (uint64_t)unix_time : 0};

    ASSERT(trace_id.len == EXEMPLAR_TRACE_BYTES);
    for (size_t i = 0; i < trace_id.len; i++) {
        char digit = trace_id.ptr[i];
        uint64_t *half = &seen.trace[i / DIGITS];

        *half = *half << DIGIT_BITS | (uint64_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    return seen;
}

void exemplar_put(struct exemplars *exemplars, uint32_t cell, const struct exemplar_seen *seen)
{
    struct exemplar *slot = &exemplars->slots[slot_of(cell)];
    uint32_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed) | 1;

    ASSERT(cell < UINT32_MAX);
    atomic_store_explicit(&slot->turn, turn, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    atomic_store_explicit(&slot->cell, cell + 1, memory_order_relaxed);
    atomic_store_explicit(&slot->value, seen->value, memory_order_relaxed);
    atomic_store_explicit(&slot->unix_time, seen->unix_time, memory_order_relaxed);
    for (int half = 0; half < 2; half++)
        atomic_store_explicit(&slot->trace[half], seen->trace[half], memory_order_relaxed);
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_release);
    atomic_store_explicit(&exemplars->is_used, 1, memory_order_relaxed);
}

bool exemplar_find(const struct exemplars *exemplars, uint32_t cell, struct exemplar_seen *out_seen)
{
    const struct exemplar *slot = &exemplars->slots[slot_of(cell)];
    struct exemplar_seen seen;

    if (atomic_load_explicit(&exemplars->is_used, memory_order_relaxed) == 0)
        return false;
    uint32_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);

    if (turn % 2 != 0 || atomic_load_explicit(&slot->cell, memory_order_relaxed) != cell + 1)
        return false;
    seen.value = atomic_load_explicit(&slot->value, memory_order_relaxed);
    seen.unix_time = atomic_load_explicit(&slot->unix_time, memory_order_relaxed);
    for (int half = 0; half < 2; half++)
        seen.trace[half] = atomic_load_explicit(&slot->trace[half], memory_order_relaxed);
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&slot->turn, memory_order_relaxed) != turn)
        return false;
    *out_seen = seen;
    return true;
}

void exemplar_write(struct text *out, const struct exemplar_seen *seen, uint32_t divisor)
{
    static const char hex[] = "0123456789abcdef";

    text_put_words(out, " # {trace_id=\"");
    for (int i = 0; i < EXEMPLAR_TRACE_BYTES; i++) {
        unsigned shift = (unsigned)(DIGIT_BITS * (DIGITS - 1 - i % DIGITS));

        text_put_byte(out, hex[seen->trace[i / DIGITS] >> shift & 15]);
    }
    text_put_words(out, "\"} ");
    metrics_put_value(out, seen->value, divisor);
    text_put_byte(out, ' ');
    text_put_number(out, seen->unix_time);
}
