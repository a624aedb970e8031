/*
 * The whole sandbox, as a worker enters it, in children that try to get out.
 */
#include "process/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/process/child.h"

struct scene {
    struct sandbox sandbox;
    char folder[64];
    char inside[96];
    char file[128];
    char outside[96];
};

static void file_make(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
}

static int scene_make(void **state)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    px_error error;

    assert_non_null(scene);
    snprintf(scene->folder, sizeof(scene->folder), "/tmp/pollux-sandbox-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    assert_int_equal(chmod(scene->folder, 0755), 0);
    snprintf(scene->inside, sizeof(scene->inside), "%s/inside", scene->folder);
    snprintf(scene->file, sizeof(scene->file), "%s/inside/file", scene->folder);
    snprintf(scene->outside, sizeof(scene->outside), "%s/outside", scene->folder);
    assert_int_equal(mkdir(scene->inside, 0755), 0);
    file_make(scene->file);
    file_make(scene->outside);
    assert_int_equal(sandbox_init(&scene->sandbox, SANDBOX_REQUIRE, NULL, &error), PX_OK);
    assert_string_equal(scene->sandbox.lacking, "");
    *state = scene;
    return 0;
}

static int scene_remove(void **state)
{
    struct scene *scene = *state;

    sandbox_deinit(&scene->sandbox);
    unlink(scene->file);
    unlink(scene->outside);
    rmdir(scene->inside);
    rmdir(scene->folder);
    free(scene);
    return 0;
}

static bool is_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int enter(const struct scene *scene)
{
    px_error error;

    return sandbox_enter(&scene->sandbox, &error) == PX_OK ? 0 : CHILD_NOT_ENTERED;
}

static int try_files(void *context)
{
    const struct scene *scene = context;

    if (enter(scene) != 0)
        return CHILD_NOT_ENTERED;
    if (!is_open(scene->file, O_RDONLY))
        return CHILD_BAD;
    if (is_open(scene->outside, O_RDONLY) || is_open("/etc/passwd", O_RDONLY) ||
        is_open("/proc/self/environ", O_RDONLY))
        return CHILD_BAD + 1;
    return CHILD_GOOD;
}

static int try_writing(void *context)
{
    if (enter(context) != 0)
        return CHILD_NOT_ENTERED;
    return is_open(((struct scene *)context)->file, O_WRONLY) ? CHILD_BAD : CHILD_GOOD;
}

static int try_exec(void *context)
{
    char *const no_words[] = {NULL};

    if (enter(context) != 0)
        return CHILD_NOT_ENTERED;
    execve("/bin/true", no_words, no_words);
    return CHILD_BAD;
}

static int try_raw_socket(void *context)
{
    if (enter(context) != 0)
        return CHILD_NOT_ENTERED;
    return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) >= 0 ? CHILD_BAD : CHILD_GOOD;
}

static void traps(struct scene *scene, int (*attempt)(void *context), const char *name)
{
    char text[SANDBOX_TEXT_BYTES];
    pid_t pid;

    assert_int_equal(child_run(attempt, scene, &pid), -SIGSYS);
    sandbox_name_trap(&scene->sandbox, pid, text, sizeof(text));
    assert_int_equal(strncmp(text, name, strlen(name)), 0);
    sandbox_name_trap(&scene->sandbox, pid, text, sizeof(text));
    assert_string_equal(text, "an unknown call");
}

static void sandbox_keeps_what_is_served(void **state)
{
    struct scene *scene = *state;
    px_error error;

    assert_int_equal(sandbox_allow(&scene->sandbox, scene->inside, LANDLOCK_READ, &error), PX_OK);
    assert_int_equal(child_run(try_files, scene, NULL), CHILD_GOOD);
    traps(scene, try_writing, "openat ");
    traps(scene, try_exec, "execve ");
    traps(scene, try_raw_socket, "socket ");
}

static void sandbox_allows_the_folder_of_a_file(void **state)
{
    struct scene *scene = *state;
    px_error error;

    assert_int_equal(sandbox_allow_folder_of(&scene->sandbox, scene->file, LANDLOCK_READ, &error),
                     PX_OK);
    assert_string_equal(scene->sandbox.paths[0].path, scene->inside);
    assert_int_equal(child_run(try_files, scene, NULL), CHILD_GOOD);
    assert_int_equal(sandbox_allow_folder_of(&scene->sandbox, "/file", LANDLOCK_WRITE, &error),
                     PX_OK);
    assert_string_equal(scene->sandbox.paths[1].path, "/");
    assert_int_equal(sandbox_allow_folder_of(&scene->sandbox, "file", LANDLOCK_WRITE, &error),
                     PX_OK);
    assert_string_equal(scene->sandbox.paths[2].path, ".");
}

static void sandbox_takes_a_descriptor(void **state)
{
    struct scene *scene = *state;
    px_error error;
    int fd = open(scene->inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(sandbox_allow_fd(&scene->sandbox, fd, LANDLOCK_READ, &error), PX_OK);
    assert_int_equal(child_run(try_files, scene, NULL), CHILD_GOOD);
    close(fd);
}

static void sandbox_has_an_end(void **state)
{
    struct scene *scene = *state;
    px_error error;

    for (int i = 0; i < SANDBOX_PATHS_MAX; i++)
        assert_int_equal(sandbox_allow(&scene->sandbox, "/", LANDLOCK_WRITE, &error), PX_OK);
    assert_int_equal(sandbox_allow(&scene->sandbox, "/", LANDLOCK_WRITE, &error), PX_ERR_LIMIT);
    assert_int_equal(sandbox_allow_fd(&scene->sandbox, 0, LANDLOCK_WRITE, &error), PX_ERR_LIMIT);
}

static void sandbox_wants_what_is_served(void **state)
{
    struct scene *scene = *state;
    px_error error;

    assert_int_equal(sandbox_allow(&scene->sandbox, "/no/such/folder", LANDLOCK_READ, &error),
                     PX_OK);
    assert_int_equal(child_run(try_files, scene, NULL), CHILD_NOT_ENTERED);
}

static int try_off(void *context)
{
    struct sandbox sandbox;
    px_error error;

    if (sandbox_init(&sandbox, SANDBOX_OFF, NULL, &error) != PX_OK ||
        sandbox_enter(&sandbox, &error) != PX_OK)
        return CHILD_NOT_ENTERED;
    sandbox_deinit(&sandbox);
    if (!is_open("/etc/passwd", O_RDONLY) || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
        return CHILD_BAD;
    /* For debuggers; and root is given up all the same. */
    if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1 || geteuid() == 0)
        return CHILD_BAD + 1;
    return context ? CHILD_BAD + 2 : CHILD_GOOD;
}

static void sandbox_off(void **state)
{
    (void)state;
    assert_int_equal(child_run(try_off, NULL, NULL), CHILD_GOOD);
}

static void sandbox_names_whom_it_does_not_know(void **state)
{
    struct sandbox sandbox;
    px_error error;

    (void)state;
    assert_int_equal(sandbox_init(&sandbox, SANDBOX_ON, "no-such-user", &error), PX_ERR_INVALID);
    sandbox_deinit(&sandbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sandbox_keeps_what_is_served, scene_make, scene_remove),
        cmocka_unit_test_setup_teardown(sandbox_allows_the_folder_of_a_file, scene_make,
                                        scene_remove),
        cmocka_unit_test_setup_teardown(sandbox_takes_a_descriptor, scene_make, scene_remove),
        cmocka_unit_test_setup_teardown(sandbox_has_an_end, scene_make, scene_remove),
        cmocka_unit_test_setup_teardown(sandbox_wants_what_is_served, scene_make, scene_remove),
        cmocka_unit_test(sandbox_off),
        cmocka_unit_test(sandbox_names_whom_it_does_not_know),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
