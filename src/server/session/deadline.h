/*
 * Deadlines of connections: a wheel of buckets, constant time whatever their number.
 *
 * A request does not move its connection's node: it stamps the time, and when the node comes up the
 * owner looks whether the deadline has really passed and otherwise sets it anew.  A deadline is at
 * most DEADLINE_STEP_MS late.
 */
#ifndef PX_SERVER_DEADLINE_H
#define PX_SERVER_DEADLINE_H

#include "base/list.h"
#include "io/io.h"

enum { DEADLINE_BUCKETS = 512, DEADLINE_STEP_MS = 64 };

struct deadline {
    struct list node;
    uint64_t due_ms;
};

struct deadline_wheel {
    px_loop *loop; /* borrowed: outlives the wheel */
    struct io_timer timer;
    uint64_t step; /* the last step that was looked at, in DEADLINE_STEP_MS since the epoch */
    uint32_t count;
    void (*on_due)(struct deadline *deadline, struct deadline_wheel *wheel);
    struct list buckets[DEADLINE_BUCKETS];
};

/* PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err deadline_wheel_init(struct deadline_wheel *wheel, px_loop *loop,
                                         void (*on_due)(struct deadline *deadline,
                                                        struct deadline_wheel *wheel));
void deadline_wheel_deinit(struct deadline_wheel *wheel);

/* States what must hold; for tests. */
void deadline_wheel_check(const struct deadline_wheel *wheel);

static inline void deadline_init(struct deadline *deadline)
{
    list_init(&deadline->node);
}

void deadline_set(struct deadline_wheel *wheel, struct deadline *deadline, uint64_t due_ms);
void deadline_clear(struct deadline_wheel *wheel, struct deadline *deadline);

#endif
