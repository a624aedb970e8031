/*
 * The board: seen across a fork, kept across a worker's death, summed over all, handed over.
 */
#include "process/board.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/test.h"

struct scene {
    px_metrics *metrics;
    px_metric jobs;
    px_metric waiting;
    struct board board;
};

static px_metric define(px_metrics *metrics, const char *name, px_metric_kind kind)
{
    px_metric_options options = PX_METRIC_OPTIONS_DEFAULT;
    px_metric metric = 0;
    px_error error;

    options.name = name;
    options.help = "For a test.";
    options.kind = kind;
    assert_int_equal(px_metric_define(metrics, &options, &metric, &error), PX_OK);
    return metric;
}

/* As a program that takes over has them. */
static uint32_t given_take(struct board_given given, int *out_fds)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < given.count; i++)
        if (given.fds[i] >= 0)
            out_fds[count++] = dup(given.fds[i]);
    return count;
}

static void scene_init(struct scene *scene, uint32_t count, const struct board *old)
{
    px_error error;

    scene->metrics = px_metrics_create(NULL, &error);
    assert_non_null(scene->metrics);
    scene->jobs = define(scene->metrics, "test_jobs", PX_METRIC_COUNTER);
    scene->waiting = define(scene->metrics, "test_waiting", PX_METRIC_GAUGE);
    int fds[BOARD_PAST_MAX];
    uint32_t past_count = old ? given_take(board_give((struct board *)(uintptr_t)old), fds) : 0;

    assert_int_equal(board_init(&scene->board, count, scene->metrics, fds, past_count), PX_OK);
}

static void scene_deinit(struct scene *scene)
{
    board_deinit(&scene->board);
    px_metrics_destroy(scene->metrics);
}

/* A worker of that place that counts, and ends. */
static void work(struct scene *scene, uint32_t place, uint64_t jobs, uint64_t waiting)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        board_keep(&scene->board, place);
        px_metric_add(scene->metrics, scene->jobs, 0, jobs);
        px_metric_set(scene->metrics, scene->waiting, 0, waiting);
        atomic_store(&scene->board.blocks[place]->alive_ms, 7);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(scene->board.blocks[place]->alive_ms, 7);
}

struct found {
    const char *line;
    bool is_there;
};

static void look(px_str text, void *context)
{
    struct found *found = context;
    px_str line = px_str_of(found->line);

    for (size_t i = 0; i + line.len <= text.len; i++)
        found->is_there |= memcmp(text.ptr + i, line.ptr, line.len) == 0;
}

static bool has_line(const struct scene *scene, const char *line)
{
    struct found found = {line, false};

    assert_int_equal(px_metrics_write(scene->metrics, PX_METRICS_PROMETHEUS, look, &found), PX_OK);
    return found.is_there;
}

static void what_a_dead_worker_counted_is_kept(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, 3, NULL);
    work(&scene, 0, 10, 2);
    work(&scene, 1, 11, 3);
    px_metric_add(scene.metrics, scene.jobs, 0, 100); /* the master's own */
    assert_true(has_line(&scene, "test_jobs_total 121\n"));
    assert_true(has_line(&scene, "test_waiting 5\n"));

    /* What waited went with it; its place is free for the next, which goes on. */
    board_retire(&scene.board, 1);
    assert_int_equal(scene.board.blocks[1]->alive_ms, 0);
    assert_true(has_line(&scene, "test_jobs_total 121\n"));
    assert_true(has_line(&scene, "test_waiting 2\n"));
    work(&scene, 1, 4, 1);
    assert_true(has_line(&scene, "test_jobs_total 125\n"));
    assert_true(has_line(&scene, "test_waiting 3\n"));
    scene_deinit(&scene);
}

/* A block that a worker has spoiled is begun anew, and changes no other's. */
static void nonsense_in_a_block_stays_there(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene, 2, NULL);
    work(&scene, 0, 10, 2);
    for (unsigned fill = 0; fill < 256; fill += 5) {
        memset(scene.board.blocks[1]->counts, (int)fill, px_metrics_block_bytes());
        assert_true(has_line(&scene, "test_jobs_total 10\n"));
        /* ... with the mark of a block, and all else of it nonsense */
        memcpy(scene.board.blocks[1]->counts, scene.board.blocks[0]->counts, 8);
        (void)has_line(&scene, "");
        board_retire(&scene.board, 1);
        work(&scene, 1, 1, 1);
        assert_true(has_line(&scene, "test_jobs_total 11\n"));
    }
    scene_deinit(&scene);
}

/* Each maps its own block writable and no other, and cannot change that. */
static void a_worker_writes_in_its_own_block_alone(void **state)
{
    struct scene scene;
    int status;

    (void)state;
    scene_init(&scene, 2, NULL);
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        size_t page = (size_t)sysconf(_SC_PAGESIZE);

        board_keep(&scene.board, 0);
        if (scene.board.blocks[1] || scene.board.own || !scene.board.blocks[0])
            _exit(1);
        for (uint32_t i = 0; i < 2; i++)
            if (mprotect((void *)(uintptr_t)scene.board.seen[i], page, PROT_READ | PROT_WRITE) == 0)
                _exit(2);
        if (mprotect((void *)(uintptr_t)scene.board.own_seen, page, PROT_READ | PROT_WRITE) == 0)
            _exit(3);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    scene_deinit(&scene);
}

static void a_successor_sees_what_its_predecessor_counts(void **state)
{
    struct scene old, new;

    (void)state;
    scene_init(&old, 2, NULL);
    work(&old, 0, 10, 2);
    px_metric_add(old.metrics, old.jobs, 0, 100); /* the master's own */
    scene_init(&new, 2, &old.board);
    assert_true(has_line(&new, "test_jobs_total 110\n"));
    /* What comes and goes is told by each program of itself. */
    assert_true(has_line(&new, "test_waiting 0\n"));
    work(&new, 0, 5, 1);
    assert_true(has_line(&new, "test_jobs_total 115\n"));
    assert_true(has_line(&new, "test_waiting 1\n"));

    /* The old one's workers go on for a while, and it is seen as they count; and it stays. */
    work(&old, 1, 7, 0);
    assert_true(has_line(&new, "test_jobs_total 122\n"));
    scene_deinit(&old);
    assert_true(has_line(&new, "test_jobs_total 122\n"));
    scene_deinit(&new);
}

/* What is given does not grow with each: the past of one is one block of the next. */
static void many_successors_go_on_from_all(void **state)
{
    enum { GENERATIONS = 5 };
    struct scene scenes[GENERATIONS];
    int fds[BOARD_PAST_MAX], total = 0;
    char line[64];

    (void)state;
    for (int i = 0; i < GENERATIONS; i++) {
        scene_init(&scenes[i], 2, i > 0 ? &scenes[i - 1].board : NULL);
        work(&scenes[i], 0, 10, 1);
        total += 10;
        /* Its predecessor is seen as it counts. */
        if (i > 0) {
            px_metric_add(scenes[i - 1].metrics, scenes[i - 1].jobs, 0, 1);
            total++;
        }
        snprintf(line, sizeof(line), "test_jobs_total %d\n", total);
        assert_true(has_line(&scenes[i], line));
        if (i < 2)
            continue;
        /* The one before that as of the last renewal. */
        px_metric_add(scenes[i - 2].metrics, scenes[i - 2].jobs, 0, 1000);
        assert_true(has_line(&scenes[i], line));
        board_renew(&scenes[i - 1].board);
        total += 1000;
        snprintf(line, sizeof(line), "test_jobs_total %d\n", total);
        assert_true(has_line(&scenes[i], line));
    }
    uint32_t count = given_take(board_give(&scenes[GENERATIONS - 1].board), fds);

    assert_int_equal(count, 2 + 2); /* its workers', its own, and the past */
    for (uint32_t i = 0; i < count; i++)
        close(fds[i]);
    for (int i = 0; i < GENERATIONS; i++)
        scene_deinit(&scenes[i]);
}

/* Descriptors that are something else are left out. */
static void what_is_no_block_is_left_out(void **state)
{
    struct scene scene;
    int fds[2] = {dup(STDERR_FILENO), -1};
    px_error error;

    (void)state;
    scene.metrics = px_metrics_create(NULL, &error);
    assert_non_null(scene.metrics);
    assert_int_equal(board_init(&scene.board, 1, scene.metrics, fds, 2), PX_OK);
    assert_int_equal(scene.board.past_count, 0);
    scene_deinit(&scene);
    assert_int_equal(fcntl(fds[0], F_GETFD), -1);
}

/* Another program's metrics are told by their names. */
static void a_successor_of_another_release_takes_what_it_knows(void **state)
{
    struct scene old, new;
    px_error error;

    (void)state;
    old.metrics = px_metrics_create(NULL, &error);
    assert_non_null(old.metrics);
    (void)define(old.metrics, "test_gone", PX_METRIC_COUNTER);
    old.jobs = define(old.metrics, "test_jobs", PX_METRIC_COUNTER);
    old.waiting = define(old.metrics, "test_waiting", PX_METRIC_GAUGE);
    assert_int_equal(board_init(&old.board, 1, old.metrics, NULL, 0), PX_OK);
    work(&old, 0, 3, 1);
    scene_init(&new, 1, &old.board);
    assert_true(has_line(&new, "test_jobs_total 3\n"));
    assert_false(has_line(&new, "test_gone"));
    scene_deinit(&old);
    scene_deinit(&new);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_dead_worker_counted_is_kept),
        cmocka_unit_test(nonsense_in_a_block_stays_there),
        cmocka_unit_test(a_worker_writes_in_its_own_block_alone),
        cmocka_unit_test(a_successor_sees_what_its_predecessor_counts),
        cmocka_unit_test(many_successors_go_on_from_all),
        cmocka_unit_test(what_is_no_block_is_left_out),
        cmocka_unit_test(a_successor_of_another_release_takes_what_it_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
