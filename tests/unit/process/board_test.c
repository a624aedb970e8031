/*
 * The board: seen across a fork, kept across a worker's death, summed over all.
 */
#include "process/board.h"

#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"

static void what_a_dead_worker_counted_is_kept(void **state)
{
    struct board board;
    px_counters sum;

    (void)state;
    assert_int_equal(board_init(&board, 3), PX_OK);
    for (uint32_t i = 0; i < 2; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            board_keep(&board, i);
            board.blocks[i]->counters.accepted = 10 + i;
            board.blocks[i]->counters.open = 2;
            board.blocks[i]->counters.responses[2] = 5;
            board.blocks[i]->counters.longest_tick_us = 100 * (i + 1);
            board.blocks[i]->counters.longest_tick_bytes = i + 1;
            atomic_store(&board.blocks[i]->alive_ms, 7);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(board.blocks[i]->alive_ms, 7);
    }
    board_sum(&board, &sum);
    assert_int_equal(sum.accepted, 21);
    assert_int_equal(sum.open, 4);
    assert_int_equal(sum.responses[2], 10);
    assert_int_equal(sum.longest_tick_us, 200);
    assert_int_equal(sum.longest_tick_bytes, 2);

    /* Its connections went with it, its place is free for the next. */
    board_retire(&board, 1);
    assert_int_equal(board.blocks[1]->alive_ms, 0);
    assert_int_equal(board.blocks[1]->counters.accepted, 0);
    board_sum(&board, &sum);
    assert_int_equal(sum.struct_size, sizeof(sum));
    assert_int_equal(sum.accepted, 21);
    assert_int_equal(sum.open, 2);
    assert_int_equal(sum.longest_tick_us, 200);
    board_deinit(&board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_a_dead_worker_counted_is_kept)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
