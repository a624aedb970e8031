/*
 * The board: seen across a fork, kept across a worker's death, summed over all, handed over.
 */
#include "process/board.h"

#include <stdbool.h>
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

static void scene_init(struct scene *scene, uint32_t count, int past_fd)
{
    px_error error;

    scene->metrics = px_metrics_create(NULL, &error);
    assert_non_null(scene->metrics);
    scene->jobs = define(scene->metrics, "test_jobs", PX_METRIC_COUNTER);
    scene->waiting = define(scene->metrics, "test_waiting", PX_METRIC_GAUGE);
    assert_int_equal(board_init(&scene->board, count, scene->metrics, past_fd), PX_OK);
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
    scene_init(&scene, 3, -1);
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
    scene_init(&scene, 2, -1);
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
    scene_init(&scene, 2, -1);
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

static void a_successor_goes_on_from_the_sum(void **state)
{
    struct scene old, new;

    (void)state;
    scene_init(&old, 2, -1);
    work(&old, 0, 10, 2);
    int fd = board_give(&old.board);

    assert_true(fd >= 0);
    assert_int_equal(board_give(&old.board), fd);
    scene_init(&new, 2, dup(fd));
    assert_true(has_line(&new, "test_jobs_total 10\n"));
    assert_true(has_line(&new, "test_waiting 0\n"));
    work(&new, 0, 5, 1);
    assert_true(has_line(&new, "test_jobs_total 15\n"));

    /* The old one's workers go on for a while; what they count is added when it is renewed. */
    work(&old, 1, 7, 0);
    assert_true(has_line(&new, "test_jobs_total 15\n"));
    board_renew(&old.board);
    assert_true(has_line(&new, "test_jobs_total 22\n"));
    scene_deinit(&old);
    assert_true(has_line(&new, "test_jobs_total 22\n"));
    scene_deinit(&new);
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
    assert_int_equal(board_init(&old.board, 1, old.metrics, -1), PX_OK);
    work(&old, 0, 3, 1);
    scene_init(&new, 1, dup(board_give(&old.board)));
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
        cmocka_unit_test(a_successor_goes_on_from_the_sum),
        cmocka_unit_test(a_successor_of_another_release_takes_what_it_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
