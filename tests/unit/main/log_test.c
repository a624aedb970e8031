/*
 * The log's way out: files, pipes that nobody reads, full disks, several writers.
 */
#include "main/log/log.h"
#include "main/log/log_file.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/test.h"

struct place {
    int lock_fd;
    char folder[64];
    char path[80];
    char moved[80];
    px_loop *loop;
    struct log *log;
    int stderr_fd; /* what the test's own stderr was */
    int said_fd;   /* what is said there meanwhile */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void place_init(struct place *place)
{
    char said[96];

    snprintf(place->folder, sizeof(place->folder), "/tmp/pollux-log-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->path, sizeof(place->path), "%s/log", place->folder);
    snprintf(place->moved, sizeof(place->moved), "%s/moved", place->folder);
    snprintf(said, sizeof(said), "%s/said", place->folder);
    place->said_fd = open(said, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    place->stderr_fd = dup(STDERR_FILENO);
    assert_true(place->said_fd >= 0 && place->stderr_fd >= 0);
    assert_true(dup2(place->said_fd, STDERR_FILENO) >= 0);
    place->loop = px_loop_create(NULL, NULL);
    assert_non_null(place->loop);
}

static void place_open(struct place *place, const char *path, bool is_shared)
{
    px_error error;

    place->lock_fd = is_shared ? log_lock_create() : -1;
    assert_int_equal(log_open(path, -1, place->lock_fd, &place->log, &error), PX_OK);
    assert_int_equal(log_start(place->log, place->loop, NULL), PX_OK);
}

static void finish(struct log *log, uint32_t patience_ms)
{
    struct patience patience = {0};

    patience_begin(&patience, patience_ms, 0);
    log_finish(log, &patience);
}

static void place_deinit(struct place *place)
{
    char command[128];

    log_close(place->log);
    if (place->lock_fd >= 0)
        close(place->lock_fd);
    px_loop_destroy(place->loop);
    assert_true(dup2(place->stderr_fd, STDERR_FILENO) >= 0);
    close(place->stderr_fd);
    close(place->said_fd);
    snprintf(command, sizeof(command), "rm -r %s", place->folder);
    assert_int_equal(system(command), 0);
}

static void step_for(struct place *place, uint64_t ms)
{
    uint64_t end = now_ms() + ms;

    while (now_ms() < end) {
        struct pollfd wait = {.fd = px_loop_fd(place->loop), .events = POLLIN};

        (void)poll(&wait, 1, 5);
        assert_int_equal(px_loop_step(place->loop, NULL), PX_OK);
    }
}

static size_t read_file(const char *path, char *out_text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    ssize_t bytes = read(fd, out_text, room - 1);
    assert_true(bytes >= 0);
    out_text[bytes] = '\0';
    close(fd);
    return (size_t)bytes;
}

static void said(const struct place *place, char *out_text, size_t room)
{
    ssize_t bytes = pread(place->said_fd, out_text, room - 1, 0);

    assert_true(bytes >= 0);
    out_text[bytes] = '\0';
}

static void lines_reach_the_file(void **state)
{
    struct place place;
    struct stat status;
    char text[4096];

    (void)state;
    place_init(&place);
    place_open(&place, place.path, false);
    log_write(LITERAL("one\n"), place.log);
    log_write(LITERAL("two\nthree\n"), place.log);
    step_for(&place, 50);
    read_file(place.path, text, sizeof(text));
    assert_string_equal(text, "one\ntwo\nthree\n");
    assert_int_equal(stat(place.path, &status), 0);
    assert_int_equal(status.st_mode & 0027, 0);

    /* Moved away and reopened: what came before goes to the old file. */
    log_write(LITERAL("old\n"), place.log);
    assert_int_equal(rename(place.path, place.moved), 0);
    log_reopen(place.log);
    log_write(LITERAL("new\n"), place.log);
    step_for(&place, 50);
    log_write(LITERAL("last\n"), place.log);
    finish(place.log, 1000);
    read_file(place.moved, text, sizeof(text));
    assert_string_equal(text, "one\ntwo\nthree\nold\n");
    read_file(place.path, text, sizeof(text));
    assert_string_equal(text, "new\nlast\n");
    said(&place, text, sizeof(text));
    assert_string_equal(text, "");
    place_deinit(&place);
}

static void a_failed_reopen_keeps_the_old(void **state)
{
    struct place place;
    char text[4096];

    (void)state;
    place_init(&place);
    place_open(&place, place.path, false);
    assert_int_equal(rename(place.path, place.moved), 0);
    assert_int_equal(mkdir(place.path, 0700), 0);
    log_reopen(place.log);
    step_for(&place, 50);
    log_write(LITERAL("line\n"), place.log);
    finish(place.log, 1000);
    read_file(place.moved, text, sizeof(text));
    assert_string_equal(text, "line\n");
    said(&place, text, sizeof(text));
    assert_non_null(strstr(text, "cannot reopen the log file"));
    place_deinit(&place);
}

static void opening_can_fail(void **state)
{
    struct log *log = NULL;
    px_error error;

    (void)state;
    assert_int_equal(log_open("/nonexistent/folder/log", -1, -1, &log, &error), PX_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/nonexistent/folder/log"));
    assert_int_not_equal(log_open("/tmp", -1, -1, &log, &error), PX_OK);
    assert_null(log);
    log_close(NULL);
}

enum { LINE_BYTES = 29 };

/* A block of lines that are told apart. */
static px_str block_make(char *block, size_t bytes, unsigned number)
{
    size_t len = 0;

    while (len + 32 < bytes) {
        int line = snprintf(block + len, bytes - len, "%08u %08zu 0123456789\n", number, len);

        len += (size_t)line;
    }
    return px_str_make(block, len);
}

static void check_lines(const char *text, size_t len)
{
    static const char tail[] = " 0123456789\n";

    assert_true(len > 0 && len % LINE_BYTES == 0);
    for (size_t at = 0; at < len; at += LINE_BYTES)
        assert_memory_equal(text + at + 17, tail, sizeof(tail) - 1);
}

/* Reads what is in a pipe now. */
static size_t drain_pipe(int fd, char *out_text, size_t room)
{
    size_t len = 0;
    ssize_t bytes;

    while (len < room && (bytes = read(fd, out_text + len, room - len)) > 0)
        len += (size_t)bytes;
    return len;
}

static void a_reader_that_sleeps_stalls_nothing(void **state)
{
    enum { ROOM = 32 * 1024 * 1024 };
    static char block[64 * 1024];
    char *text = malloc(ROOM);
    struct place place;

    (void)state;
    assert_non_null(text);
    place_init(&place);
    assert_int_equal(mkfifo(place.path, 0600), 0);
    int reader = open(place.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    place_open(&place, place.path, false);

    uint64_t begin = now_ms();
    for (unsigned i = 0; i < 256; i++) {
        log_write(block_make(block, sizeof(block), i), place.log);
        assert_int_equal(px_loop_step(place.loop, NULL), PX_OK);
    }
    assert_true(now_ms() - begin < 5000);
    said(&place, text, ROOM);
    assert_non_null(strstr(text, " dropped: "));

    /* The reader wakes up: what was kept comes, and then the log goes on. */
    size_t len = 0;
    for (int turn = 0; turn < 100; turn++) {
        step_for(&place, 5);
        len += drain_pipe(reader, text + len, ROOM - len);
    }
    check_lines(text, len);
    assert_in_range(len, 4 * 1024 * 1024, 9 * 1024 * 1024);
    log_write(LITERAL("alive\n"), place.log);
    step_for(&place, 50);
    len = drain_pipe(reader, text, ROOM);
    assert_int_equal(len, 6);
    assert_memory_equal(text, "alive\n", 6);

    /* It sleeps again, and the end does not wait for it. */
    for (unsigned i = 0; i < 16; i++)
        log_write(block_make(block, sizeof(block), i), place.log);
    begin = now_ms();
    finish(place.log, 200);
    assert_in_range(now_ms() - begin, 150, 3000);
    said(&place, text, ROOM);
    assert_non_null(strstr(text, "the log is not read"));
    close(reader);
    place_deinit(&place);
    free(text);
}

static void a_reader_that_is_gone_stalls_nothing(void **state)
{
    struct place place;
    char text[4096];

    (void)state;
    place_init(&place);
    assert_int_equal(mkfifo(place.path, 0600), 0);
    int reader = open(place.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    place_open(&place, place.path, false);
    close(reader);
    log_write(LITERAL("nobody\nhears\nthis\n"), place.log);
    step_for(&place, 50);
    finish(place.log, 1000);
    said(&place, text, sizeof(text));
    assert_non_null(strstr(text, "/log dropped: Broken pipe"));
    place_deinit(&place);
}

static void a_full_disk_stalls_nothing(void **state)
{
    struct place place;
    char text[4096];

    (void)state;
    place_init(&place);
    place_open(&place, "/dev/full", false);
    for (int i = 0; i < 5; i++) {
        log_write(LITERAL("line\n"), place.log);
        step_for(&place, 10);
    }
    said(&place, text, sizeof(text));
    assert_non_null(strstr(text, "1 line of the log /dev/full dropped: No space left on device\n"));
    assert_null(strstr(text, "\npollux")); /* once, not for each line */
    finish(place.log, 1000);
    said(&place, text, sizeof(text));
    assert_non_null(
        strstr(text, "4 lines of the log /dev/full dropped: No space left on device\n"));
    place_deinit(&place);
}

/* Two processes with one log: batches larger than a pipe takes at once do not mix. */
static void writers_do_not_mix(void **state)
{
    enum { WRITERS = 2, BLOCKS = 8, ROOM = 4 * 1024 * 1024 };
    static char block[64 * 1024];
    char *text = malloc(ROOM);
    struct place place;
    size_t len = 0;
    pid_t pids[WRITERS];

    (void)state;
    assert_non_null(text);
    place_init(&place);
    assert_int_equal(mkfifo(place.path, 0600), 0);
    int reader = open(place.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    place.lock_fd = log_lock_create();
    assert_int_equal(log_open(place.path, -1, place.lock_fd, &place.log, NULL), PX_OK);
    for (int writer = 0; writer < WRITERS; writer++) {
        pids[writer] = fork();
        assert_true(pids[writer] >= 0);
        if (pids[writer] > 0)
            continue;
        px_loop *loop = px_loop_create(NULL, NULL);
        assert_int_equal(log_start(place.log, loop, NULL), PX_OK);
        for (unsigned i = 0; i < BLOCKS; i++)
            log_write(block_make(block, sizeof(block), i), place.log);
        finish(place.log, 20000);
        px_loop_destroy(loop);
        log_close(place.log);
        free(text);
        _exit(0);
    }
    size_t wanted = block_make(block, sizeof(block), 0).len * BLOCKS * WRITERS;
    for (uint64_t end = now_ms() + 20000; len < wanted && now_ms() < end;) {
        struct pollfd wait = {.fd = reader, .events = POLLIN};

        /* A reader that spins takes the writers' CPU. */
        assert_true(poll(&wait, 1, 100) >= 0);
        len += drain_pipe(reader, text + len, ROOM - len);
    }
    assert_int_equal(len, wanted);
    check_lines(text, len);
    for (int writer = 0; writer < WRITERS; writer++) {
        int status;

        assert_int_equal(waitpid(pids[writer], &status, 0), pids[writer]);
        assert_int_equal(status, 0);
    }
    close(reader);
    place_deinit(&place);
    free(text);
}

/* A process that keeps the lock for ever keeps no lines from a file or a pipe, and they stay
 * whole. */
static void a_lock_that_is_kept_stops_no_lines(void **state)
{
    enum { BLOCKS = 4, ROOM = 4 * 1024 * 1024 };
    static char block[64 * 1024];
    char *text = malloc(ROOM);

    (void)state;
    assert_non_null(text);
    for (int is_pipe = 0; is_pipe < 2; is_pipe++) {
        struct place place;
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
        size_t len = 0;
        char byte;
        int ready[2];

        place_init(&place);
        assert_int_equal(pipe(ready), 0);
        if (is_pipe)
            assert_int_equal(mkfifo(place.path, 0600), 0);
        int reader = is_pipe ? open(place.path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) : -1;
        place_open(&place, place.path, true);
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            (void)!write(ready[1], fcntl(place.lock_fd, F_SETLK, &lock) == 0 ? "y" : "n", 1);
            pause();
            _exit(0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_int_equal(byte, 'y');
        size_t wanted = block_make(block, sizeof(block), 0).len * BLOCKS;

        for (unsigned i = 0; i < BLOCKS; i++)
            log_write(block_make(block, sizeof(block), i), place.log);
        for (uint64_t end = now_ms() + 10000; len < wanted && now_ms() < end;) {
            step_for(&place, 5);
            if (is_pipe)
                len += drain_pipe(reader, text + len, ROOM - len);
            else
                len = read_file(place.path, text, ROOM);
        }
        assert_int_equal(len, wanted);
        check_lines(text, len);
        finish(place.log, 1000);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        close(ready[0]);
        close(ready[1]);
        if (is_pipe)
            close(reader);
        place_deinit(&place);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_reach_the_file),
        cmocka_unit_test(a_failed_reopen_keeps_the_old),
        cmocka_unit_test(opening_can_fail),
        cmocka_unit_test(a_reader_that_sleeps_stalls_nothing),
        cmocka_unit_test(a_reader_that_is_gone_stalls_nothing),
        cmocka_unit_test(a_full_disk_stalls_nothing),
        cmocka_unit_test(writers_do_not_mix),
        cmocka_unit_test(a_lock_that_is_kept_stops_no_lines),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
