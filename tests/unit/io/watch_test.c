/*
 * Foreign descriptors on a loop: level-triggered, changed, ended in their own callback.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

struct seen {
    uint32_t count;
    unsigned events;
    bool destroy;
    px_watch **others; /* destroyed too */
    int other_count;
};

static void seen_ready(px_watch *watch, unsigned events, void *context)
{
    struct seen *seen = context;

    seen->count++;
    seen->events = events;
    if (!seen->destroy)
        return;
    for (int index = 0; index < seen->other_count; index++) {
        if (seen->others[index] != watch)
            px_watch_destroy(seen->others[index]);
    }
    px_watch_destroy(watch);
}

static void a_watch_is_level_triggered(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct seen seen = {0};
    int fds[2];
    char byte;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    px_watch *watch = px_watch_create(loop, fds[0], PX_WATCH_READ, seen_ready, &seen, &error);

    assert_non_null(watch);
    assert_int_equal(px_loop_handle_count(loop), 1);
    pump_quietly(loop, 5);
    assert_int_equal(seen.count, 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    for (uint32_t tick = 1; tick <= 4; tick++) {
        assert_int_equal(px_loop_step(loop, &error), PX_OK);
        assert_int_equal(seen.count, tick);
        assert_int_equal(seen.events, PX_WATCH_READ);
    }
    assert_int_equal(read(fds[0], &byte, 1), 1);
    pump_quietly(loop, 5);
    assert_int_equal(seen.count, 4);
    /* The end is readable, and a hang-up is always told. */
    close(fds[1]);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_int_equal(seen.count, 5);
    assert_true(seen.events & PX_WATCH_ERROR);
    px_watch_destroy(watch);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_int_equal(seen.count, 5);
    assert_true(fcntl(fds[0], F_GETFD) >= 0); /* it is not closed */
    close(fds[0]);
    px_watch_destroy(NULL);
    px_loop_destroy(loop);
}

static void events_can_be_changed(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct seen seen = {0};
    int fds[2];

    (void)state;
    pair_open(PAIR_UNIX, fds);
    px_watch *watch = px_watch_create(loop, fds[0], PX_WATCH_READ, seen_ready, &seen, &error);

    assert_non_null(watch);
    pump_quietly(loop, 5);
    assert_int_equal(seen.count, 0);
    assert_int_equal(px_watch_change(watch, PX_WATCH_WRITE), PX_OK);
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.events, PX_WATCH_WRITE);
    assert_int_equal(px_watch_change(watch, PX_WATCH_READ | PX_WATCH_WRITE), PX_OK);
    peer_send(fds[1], LITERAL("x"));
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_int_equal(seen.events, PX_WATCH_READ | PX_WATCH_WRITE);
    assert_int_equal(px_watch_change(watch, 0), PX_OK);
    uint32_t before = seen.count;

    pump_quietly(loop, 5);
    assert_int_equal(seen.count, before);
    close(fds[1]); /* looked for even so */
    assert_int_equal(px_loop_step(loop, &error), PX_OK);
    assert_true(seen.count > before && (seen.events & PX_WATCH_ERROR));
    px_watch_destroy(watch);
    close(fds[0]);
    px_loop_destroy(loop);
}

static void conflicts_and_descriptors_that_cannot_be_watched(void **state)
{
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    struct seen seen = {0};
    int fds[2];
    char path[] = "watch_XX"
                  "XXXX";
    int file = mkstemp(path);

    (void)state;
    unlink(path);
    assert_int_equal(pipe(fds), 0);
    px_watch *watch = px_watch_create(loop, fds[0], PX_WATCH_READ, seen_ready, &seen, &error);

    assert_non_null(watch);
    assert_null(px_watch_create(loop, fds[0], PX_WATCH_READ, seen_ready, &seen, &error));
    assert_int_equal(error.code, PX_ERR_CONFLICT);
    assert_null(px_watch_create(loop, file, PX_WATCH_READ, seen_ready, &seen, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_null(px_watch_create(loop, 987654, PX_WATCH_READ, seen_ready, &seen, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_null(px_watch_create(loop, -1, PX_WATCH_READ, seen_ready, &seen, NULL));
    assert_int_equal(px_loop_handle_count(loop), 1);
    px_watch_destroy(watch);
    /* Free again. */
    watch = px_watch_create(loop, fds[0], PX_WATCH_READ, seen_ready, &seen, &error);
    assert_non_null(watch);
    px_watch_destroy(watch);
    close(file);
    close(fds[0]);
    close(fds[1]);
    px_loop_destroy(loop);
}

/* All are ready in the same batch; the first one called ends itself and all others. */
static void destroy_in_own_callback_and_of_neighbours(void **state)
{
    enum { COUNT = 6 };
    px_error error;
    px_loop *loop = px_loop_create(NULL, &error);
    px_watch *watches[COUNT];
    struct seen seen = {.destroy = true, .others = watches, .other_count = COUNT};
    int fds[COUNT][2];

    (void)state;
    for (int index = 0; index < COUNT; index++) {
        assert_int_equal(pipe(fds[index]), 0);
        watches[index] =
            px_watch_create(loop, fds[index][0], PX_WATCH_READ, seen_ready, &seen, &error);
        assert_non_null(watches[index]);
        assert_int_equal(write(fds[index][1], "x", 1), 1);
    }
    pump_quietly(loop, 10);
    assert_int_equal(seen.count, 1);
    assert_int_equal(px_loop_handle_count(loop), 0);
    for (int index = 0; index < COUNT; index++) {
        close(fds[index][0]);
        close(fds[index][1]);
    }
    px_loop_destroy(loop);
}

static void watch_and_fail(const px_allocator *allocator, void *context)
{
    enum { COUNT = 40 };
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_watch *watches[COUNT];
    struct seen seen = {0};
    int fds[COUNT], made = 0;
    px_error error;

    (void)context;
    options.allocator = allocator;
    px_loop *loop = px_loop_create(&options, &error);

    if (!loop)
        return;
    for (int index = 0; index < COUNT; index++) {
        fds[index] = socket(AF_UNIX, SOCK_STREAM, 0);
        watches[made] = px_watch_create(loop, fds[index], PX_WATCH_READ, seen_ready, &seen, &error);
        if (watches[made])
            made++;
        else
            assert_int_equal(error.code, PX_ERR_MEMORY);
        assert_null(strstr(error.text, "uccess"));
    }
    while (made > 0)
        px_watch_destroy(watches[--made]);
    for (int index = 0; index < COUNT; index++)
        close(fds[index]);
    px_loop_destroy(loop);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("loop with watches", watch_and_fail, NULL) >= 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_watch_is_level_triggered),
        cmocka_unit_test(events_can_be_changed),
        cmocka_unit_test(conflicts_and_descriptors_that_cannot_be_watched),
        cmocka_unit_test(destroy_in_own_callback_and_of_neighbours),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
