/*
 * The pid file: whole or absent, never in place of something else, removed by its owner alone.
 */
#include "process/pidfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "lib/test.h"

struct folder {
    char path[64];
    char file[96];
};

static void folder_init(struct folder *folder)
{
    snprintf(folder->path, sizeof(folder->path), "/tmp/pollux-pidfile-XXXXXX");
    assert_non_null(mkdtemp(folder->path));
    snprintf(folder->file, sizeof(folder->file), "%s/pid", folder->path);
}

/* Removes the folder, which must be empty: nothing may be left behind. */
static void folder_deinit(const struct folder *folder)
{
    assert_int_equal(rmdir(folder->path), 0);
}

static void read_file(const char *path, char *out_text, size_t room)
{
    FILE *stream = fopen(path, "r");

    assert_non_null(stream);
    size_t bytes = fread(out_text, 1, room - 1, stream);
    out_text[bytes] = '\0';
    fclose(stream);
}

static void write_file(const char *path, const char *text)
{
    FILE *stream = fopen(path, "w");

    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

static void it_holds_the_number(void **state)
{
    struct folder folder;
    struct stat status;
    px_error error;
    char text[32];

    (void)state;
    folder_init(&folder);
    assert_int_equal(pidfile_write(folder.file, 4711, 0, &error), PX_OK);
    assert_int_equal(error.code, PX_OK);
    read_file(folder.file, text, sizeof(text));
    assert_string_equal(text, "4711\n");
    assert_int_equal(stat(folder.file, &status), 0);
    assert_int_equal(status.st_mode & 0022, 0);

    /* A second one takes its place. */
    assert_int_equal(pidfile_write(folder.file, 12, 0, &error), PX_OK);
    read_file(folder.file, text, sizeof(text));
    assert_string_equal(text, "12\n");
    pidfile_remove(folder.file, 12);
    folder_deinit(&folder);
}

/* What holds no number is no pid file: somebody's work, named by a slip. */
static void what_is_no_pid_file_is_left_alone(void **state)
{
    static const struct {
        const char *text;
        bool is_taken;
    } cases[] = {
        {"int main(void)\n", false},
        {"12a\n", false},
        {"12 13\n", false},
        {"-1\n", false},
        {"\n12\n", false},
        {"1234567890123456789012345\n", false},
        {"", true},
        {"0\n", true},
        {"999999999", true},
        {"999999999 \n", true},
    };
    struct folder folder;
    px_error error;
    char text[64];

    (void)state;
    folder_init(&folder);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FILE *stream = fopen(folder.file, "w");

        assert_non_null(stream);
        assert_true(fputs(cases[i].text, stream) >= 0);
        fclose(stream);
        assert_int_equal(pidfile_write(folder.file, 4711, 0, &error) == PX_OK, cases[i].is_taken);
        read_file(folder.file, text, sizeof(text));
        assert_string_equal(text, cases[i].is_taken ? "4711\n" : cases[i].text);
        assert_int_equal(unlink(folder.file), 0);
    }
    folder_deinit(&folder);
}

static void only_its_owner_removes_it(void **state)
{
    struct folder folder;
    px_error error;
    char text[32];

    (void)state;
    folder_init(&folder);
    assert_int_equal(pidfile_write(folder.file, 4711, 0, &error), PX_OK);
    pidfile_remove(folder.file, 471);
    pidfile_remove(folder.file, 47110);
    read_file(folder.file, text, sizeof(text));
    assert_string_equal(text, "4711\n");
    pidfile_remove(folder.file, 4711);
    assert_int_equal(access(folder.file, F_OK), -1);
    pidfile_remove(folder.file, 4711); /* absent is fine */
    folder_deinit(&folder);
}

static void what_is_no_file_stays(void **state)
{
    struct folder folder;
    struct stat status;
    px_error error;

    (void)state;
    folder_init(&folder);
    assert_int_equal(pidfile_write(folder.path, 1, 0, &error), PX_ERR_INVALID);
    assert_non_null(strstr(error.text, folder.path));
    assert_int_equal(pidfile_write("/dev/null", 1, 0, &error), PX_ERR_INVALID);
    assert_int_equal(stat("/dev/null", &status), 0);
    assert_true(S_ISCHR(status.st_mode));

    /* A link may point anywhere. */
    assert_int_equal(symlink("/dev/null", folder.file), 0);
    assert_int_equal(pidfile_write(folder.file, 1, 0, &error), PX_ERR_INVALID);
    assert_int_equal(unlink(folder.file), 0);

    /* A pipe must not be waited for. */
    assert_int_equal(mkfifo(folder.file, 0600), 0);
    pidfile_remove(folder.file, 1);
    assert_int_equal(unlink(folder.file), 0);
    folder_deinit(&folder);
}

static void failures_say_why(void **state)
{
    px_error error;
    char path[5000];

    (void)state;
    assert_int_equal(pidfile_write("/nonexistent/folder/pid", 1, 0, &error), PX_ERR_NOT_FOUND);
    assert_int_equal(error.sys_errno, ENOENT);
    assert_non_null(strstr(error.text, "/nonexistent/folder/pid"));
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_not_equal(pidfile_write(path, 1, 0, &error), PX_OK);
    assert_int_equal(error.sys_errno, ENAMETOOLONG);
}

/* A child has our name; a number that nobody has, or that is ours, is no obstacle. */
static void that_of_a_live_program_is_left_alone(void **state)
{
    struct folder folder;
    px_error error;
    pid_t pid = fork();

    (void)state;
    assert_true(pid >= 0);
    if (pid == 0) {
        pause();
        _exit(0);
    }
    folder_init(&folder);
    assert_int_equal(pidfile_write(folder.file, pid, 0, &error), PX_OK);
    assert_int_equal(pidfile_check(folder.file, 0, &error), PX_ERR_CONFLICT);
    assert_int_equal(pidfile_write(folder.file, getpid(), 0, &error), PX_ERR_CONFLICT);
    assert_non_null(strstr(error.text, "which runs"));
    /* But its successor may have it. */
    assert_int_equal(pidfile_check(folder.file, pid, &error), PX_OK);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(pidfile_check(folder.file, 0, &error), PX_OK);
    assert_int_equal(pidfile_write(folder.file, getpid(), 0, &error), PX_OK);
    assert_int_equal(pidfile_check(folder.file, 0, &error), PX_OK);
    /* Process 1 runs, and is another program. */
    assert_int_equal(pidfile_write(folder.file, 1, 0, &error), PX_OK);
    assert_int_equal(pidfile_check(folder.file, 0, &error), PX_OK);
    pidfile_remove(folder.file, 1);
    folder_deinit(&folder);
}

/* Each failure of reading is told apart from the others. */
static void reading_says_what_is_there(void **state)
{
    static const struct {
        const char *text; /* NULL: there is no file */
        pid_t pid;
        px_err err;
        const char *said;
    } cases[] = {
        {NULL, 0, PX_ERR_NOT_FOUND, "is not there: does a pollux run, and with this pid file?"},
        {"", 0, PX_ERR_NOT_FOUND, "names no process that runs"},
        {"2147483647\n", 0, PX_ERR_NOT_FOUND, "names no process that runs"},
        {"listen :80\n", 0, PX_ERR_INVALID, "is not the pid file of a pollux"},
        {"1\n", 0, PX_ERR_INVALID, "is not the pid file of a pollux"},
    };
    struct folder folder;
    px_error error;

    (void)state;
    folder_init(&folder);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        if (cases[i].text)
            write_file(folder.file, cases[i].text);
        assert_int_equal(pidfile_read(folder.file, &error), cases[i].pid);
        if (error.code != cases[i].err || !strstr(error.text, cases[i].said))
            fail_msg("case %zu: %s", i, error.text);
    }
    assert_int_equal(ARRAY_COUNT(cases), 5);
    unlink(folder.file);
    assert_int_equal(pidfile_write(folder.file, getpid(), 0, &error), PX_OK);
    assert_int_equal(pidfile_read(folder.file, &error), getpid());
    assert_int_equal(error.code, PX_OK);
    unlink(folder.file);
    /* A folder is opened, and cannot be read. */
    assert_int_equal(pidfile_read(folder.path, &error), 0);
    assert_int_equal(error.sys_errno, EISDIR);
    assert_non_null(strstr(error.text, "cannot read the pid file"));
    folder_deinit(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_the_number),
        cmocka_unit_test(what_is_no_pid_file_is_left_alone),
        cmocka_unit_test(only_its_owner_removes_it),
        cmocka_unit_test(what_is_no_file_stays),
        cmocka_unit_test(that_of_a_live_program_is_left_alone),
        cmocka_unit_test(failures_say_why),
        cmocka_unit_test(reading_says_what_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
