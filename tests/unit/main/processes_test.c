/*
 * Tests of the numbers of processes: slots and workers, and what each may keep.
 */
#include "main/processes.h"

#include "base/budget.h"
#include "lib/test.h"

static uint32_t slots(uint32_t workers, uint32_t max_workers, uint32_t taken_over,
                      uint32_t *out_workers)
{
    static struct options options;

    options.process.workers_given = true;
    options.process.workers = workers;
    options.process.max_workers = max_workers;
    return processes_slots(&options, taken_over, out_workers);
}

static void there_is_a_slot_for_each_worker(void **state)
{
    uint32_t workers = 9;

    (void)state;
    assert_int_equal(slots(4, 0, 0, &workers), 4);
    assert_int_equal(workers, 4);
    assert_int_equal(slots(4, 8, 0, &workers), 8);
    assert_int_equal(workers, 4);
    assert_int_equal(slots(0, 0, 0, &workers), 1);
    assert_int_equal(workers, 0);
}

/* The sockets of a predecessor are all there are. */
static void a_predecessor_decides(void **state)
{
    uint32_t workers = 9;

    (void)state;
    assert_int_equal(slots(4, 0, 2, &workers), 2);
    assert_int_equal(workers, 2);
    assert_int_equal(slots(2, 16, 8, &workers), 8);
    assert_int_equal(workers, 2);
}

static void what_is_given_is_what_each_may_keep(void **state)
{
    static struct options options;

    (void)state;
    assert_true(processes_memory(&options, 1) >= MEMORY_BYTES_MIN);
    assert_true(processes_memory(&options, 0) == processes_memory(&options, 1));
    assert_true(processes_memory(&options, 1000000) == MEMORY_BYTES_MIN);
    options.server.memory_bytes_max = 12345;
    assert_int_equal(processes_memory(&options, 7), 12345);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_a_slot_for_each_worker),
        cmocka_unit_test(a_predecessor_decides),
        cmocka_unit_test(what_is_given_is_what_each_may_keep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
