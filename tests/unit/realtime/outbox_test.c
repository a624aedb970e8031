/*
 * What waits for a peer: order, holds, what may be dropped, and the budget that all of it comes
 * from.
 */
#include "realtime/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "realtime/limits.h"
#include "unit/io/pump.h"

static void put(struct outbox *outbox, const char *text)
{
    char *out = outbox_room(outbox, strlen(text));

    assert_non_null(out);
    memcpy(out, text, strlen(text));
    outbox_add(outbox, strlen(text));
}

static void assert_rest(struct outbox *outbox, size_t step, const char *text)
{
    char all[65536];
    size_t len = 0, count;

    do {
        count = outbox_pull(outbox, all + len, step);
        len += count;
    } while (count > 0);
    assert_str_equal(px_str_make(all, len), px_str_of(text));
    assert_null(outbox->head);
    assert_int_equal(outbox->bytes, 0);
}

struct fixture {
    struct fault_alloc fault;
    px_loop *loop;
    struct outbox outbox;
    uint32_t released;
};

static int setup(void **state)
{
    static struct fixture fixture;
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;

    memset(&fixture, 0, sizeof(fixture));
    fault_alloc_init(&fixture.fault);
    options.allocator = &fixture.fault.allocator;
    fixture.loop = px_loop_create(&options, NULL);
    assert_non_null(fixture.loop);
    outbox_init(&fixture.outbox, fixture.loop);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    outbox_clear(&fixture->outbox);
    assert_int_equal(fixture->loop->memory.shares[BUDGET_SOCKETS].bytes, 0);
    px_loop_destroy(fixture->loop);
    fault_alloc_assert_empty(&fixture->fault);
    return 0;
}

static void on_release(void *context)
{
    ++*(uint32_t *)context;
}

static void bytes_leave_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct shared_bytes *shared = shared_create(fixture->loop, 3);

    for (size_t step = 1; step < 40; step++) {
        memcpy(shared->room, "SSS", 3);
        put(&fixture->outbox, "one ");
        put(&fixture->outbox, "two ");
        assert_int_equal(outbox_share(&fixture->outbox, shared, false), PX_OK);
        put(&fixture->outbox, " three");
        assert_int_equal(fixture->outbox.bytes, 17);
        assert_rest(&fixture->outbox, step, "one two SSS three");
    }
    assert_int_equal(shared->holds, 1);
    shared_put(shared);
}

static void shared_bytes_are_released_with_their_last_hold(void **state)
{
    struct fixture *fixture = *state;
    px_body body = {.struct_size = sizeof(px_body),
                    .bytes = LITERAL("body"),
                    .release = on_release,
                    .context = &fixture->released};
    struct shared_bytes *shared = shared_of(fixture->loop, &body);

    assert_int_equal(outbox_share(&fixture->outbox, shared, false), PX_OK);
    shared_put(shared);
    assert_int_equal(fixture->released, 0);
    assert_rest(&fixture->outbox, 3, "body");
    assert_int_equal(fixture->released, 1);
}

static void what_was_begun_is_not_dropped(void **state)
{
    struct fixture *fixture = *state;
    struct shared_bytes *shared = shared_create(fixture->loop, 4);
    char out[2];

    memcpy(shared->room, "body", 4);
    put(&fixture->outbox, "head");
    assert_int_equal(outbox_share(&fixture->outbox, shared, true), PX_OK);
    put(&fixture->outbox, "next");
    outbox_drop(&fixture->outbox); /* nothing of it was sent */
    assert_null(fixture->outbox.head);
    put(&fixture->outbox, "head");
    assert_int_equal(outbox_share(&fixture->outbox, shared, true), PX_OK);
    put(&fixture->outbox, "next");
    assert_int_equal(outbox_pull(&fixture->outbox, out, 2), 2);
    outbox_drop(&fixture->outbox);
    put(&fixture->outbox, "!");
    assert_rest(&fixture->outbox, 5, "adbody!");
    shared_put(shared);
}

static void one_row_goes_behind_another(void **state)
{
    struct fixture *fixture = *state;
    struct outbox other;

    outbox_init(&other, fixture->loop);
    outbox_join(&fixture->outbox, &other);
    put(&other, "b");
    outbox_join(&fixture->outbox, &other);
    put(&other, "c");
    outbox_join(&fixture->outbox, &other);
    assert_null(other.head);
    assert_rest(&fixture->outbox, 10, "bc");
}

static void the_budget_bounds_all_of_it(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes = (size_t)64 * 1024 * 1024;

    fixture->loop->memory.shares[BUDGET_SOCKETS].bytes_max = 2 * bytes;
    /* Memory that is never touched costs nothing. */
    assert_non_null(outbox_room(&fixture->outbox, bytes));
    outbox_add(&fixture->outbox, bytes);
    assert_null(outbox_room(&fixture->outbox, bytes));
    assert_null(shared_create(fixture->loop, bytes));
    assert_null(outbox_room(&fixture->outbox, SIZE_MAX / 2));
    outbox_clear(&fixture->outbox);
    assert_non_null(outbox_room(&fixture->outbox, bytes));
}

static void row_gives_way(struct budget_holder *holder)
{
    outbox_give_way(CONTAINER_OF(holder, struct outbox, holder));
}

/* Rows of one frame each, that all of `holders` of it hold, waiting for so long. */
enum { FRAME = 1024 * 1024, ROWS = 8 };

static void rows_open(struct fixture *fixture, struct outbox *rows, bool is_one)
{
    struct shared_bytes *shared = NULL;

    for (int index = 0; index < ROWS; index++) {
        if (!shared || !is_one) {
            shared_put(shared);
            shared = shared_create(fixture->loop, FRAME);
            assert_non_null(shared);
        }
        outbox_init(&rows[index], fixture->loop);
        outbox_own(&rows[index], NULL, row_gives_way);
        assert_int_equal(outbox_share(&rows[index], shared, false), PX_OK);
        rows[index].holder.since_ms -= 60 * 1000;
        outbox_check(&rows[index]);
    }
    shared_put(shared);
}

static uint32_t rows_close(struct outbox *rows)
{
    uint32_t gone = 0;

    for (int index = 0; index < ROWS; index++) {
        gone += rows[index].gave_way;
        outbox_check(&rows[index]);
        outbox_clear(&rows[index]);
    }
    return gone;
}

/* What is shared weighs for the one that alone keeps it, and little for each of many. */
static void shared_bytes_weigh_for_their_holders(void **state)
{
    struct fixture *fixture = *state;
    struct budget_share *share = &fixture->loop->memory.shares[BUDGET_SOCKETS];
    struct outbox rows[ROWS];

    rows_open(fixture, rows, false);
    assert_in_range(rows[0].holder.weigh(&rows[0].holder), FRAME, FRAME + 200);
    share->bytes_max = share->bytes;
    assert_non_null(outbox_room(&fixture->outbox, 100));
    assert_int_equal(rows_close(rows), 1);
    outbox_clear(&fixture->outbox);
    share->bytes_max = UINT64_MAX;
    rows_open(fixture, rows, true);
    assert_in_range(rows[0].holder.weigh(&rows[0].holder), FRAME / ROWS, FRAME / ROWS + 200);
    /* It is kept by all of them, and goes with the last. */
    share->bytes_max = share->bytes;
    assert_non_null(outbox_room(&fixture->outbox, 4000));
    assert_int_equal(rows_close(rows), ROWS);
}

/* Nothing is taken behind what gave way. */
static void what_gave_way_takes_no_more(void **state)
{
    struct fixture *fixture = *state;
    struct shared_bytes *shared = shared_create(fixture->loop, 3);
    char out[8];

    memcpy(shared->room, "SSS", 3);
    outbox_own(&fixture->outbox, NULL, row_gives_way);
    put(&fixture->outbox, "half");
    assert_int_equal(outbox_pull(&fixture->outbox, out, 2), 2);
    outbox_give_way(&fixture->outbox);
    assert_null(outbox_room(&fixture->outbox, 1));
    assert_int_equal(outbox_share(&fixture->outbox, shared, false), PX_ERR_MEMORY);
    assert_int_equal(outbox_pull(&fixture->outbox, out, sizeof(out)), 0);
    outbox_check(&fixture->outbox);
    shared_put(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_leave_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(shared_bytes_are_released_with_their_last_hold, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_was_begun_is_not_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(one_row_goes_behind_another, setup, teardown),
        cmocka_unit_test_setup_teardown(the_budget_bounds_all_of_it, setup, teardown),
        cmocka_unit_test_setup_teardown(shared_bytes_weigh_for_their_holders, setup, teardown),
        cmocka_unit_test_setup_teardown(what_gave_way_takes_no_more, setup, teardown),
    };

    return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
