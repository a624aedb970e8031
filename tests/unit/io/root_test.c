/*
 * A folder and what is beneath it, on the real file system: by openat2, and by the walk that stands
 * in for it.
 */
#include "io/root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "lib/test.h"

static char place[] = "/tmp/pollux-root-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", place, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void folder(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", place, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void link_to(const char *target, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", place, name);
    assert_int_equal(symlink(target, path), 0);
}

/* A socket's name. */
static void socket_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", place, name);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static int make(void **state)
{
    char path[512];

    (void)state;
    assert_non_null(mkdtemp(place));
    folder("www");
    folder("www/sub");
    folder("www/sub/deep");
    put("secret", "secret");
    put("www/a", "a");
    put("www/sub/b", "bb");
    put("www/sub/deep/c", "ccc");
    put("www/\xff\xfe name", "odd");
    link_to("a", "www/in");
    link_to("../sub/b", "www/sub/in");
    link_to("sub", "www/folder-in");
    link_to("../secret", "www/out");
    link_to("../../secret", "www/sub/out");
    link_to("..", "www/up");
    link_to("/etc", "www/absolute");
    link_to("loop", "www/loop");
    link_to("nowhere", "www/dangling");
    snprintf(path, sizeof(path), "%s/www/a", place);
    link_to(path, "www/absolute-in");
    snprintf(path, sizeof(path), "%s/www/fifo", place);
    assert_int_equal(mkfifo(path, 0644), 0);
    socket_at("www/socket");
    return 0;
}

static int unmake(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", place);
    return system(command); // NOLINT(cert-env33-c): a folder of this test's own
}

static void open_www(struct root *root, bool follow)
{
    char path[512];
    px_error error;

    snprintf(path, sizeof(path), "%s/www", place);
    assert_int_equal(root_open(root, path, follow, &error), PX_OK);
    assert_int_equal(error.code, PX_OK);
}

/* The size of a file, -2 for a folder, -1 for nothing. */
static int64_t look(const struct root *root, const char *path)
{
    struct file_info info;
    int fd;
    px_err err = root_find(root, path, ROOT_WAIT, &fd, &info);

    if (err == PX_ERR_NOT_FOUND)
        return -1;
    assert_int_equal(err, PX_OK);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    root_put(fd);
    return info.kind == FILE_FOLDER ? -2 : (int64_t)info.size;
}

struct view {
    const char *path;
    int64_t beneath, follow; /* what look says in a root of that kind, by openat2 and by the walk */
};

static const struct view views[] = {
    {"a", 1, 1},
    {"", -2, -2},
    {"sub", -2, -2},
    {"sub/", -2, -2},
    {"sub/b", 2, 2},
    {"sub//b", 2, 2},
    {"sub/deep/c", 3, 3},
    {"\xff\xfe name", 3, 3},
    {"nothing", -1, -1},
    {"sub/nothing", -1, -1},
    {"nothing/b", -1, -1},
    {"a/", -1, -1},
    {"a/b", -1, -1},
    {"fifo", -1, -1},
    {"socket", -1, -1},
    {"loop", -1, -1},
    {"dangling", -1, -1},
    /* Links that stay inside. */
    {"in", 1, 1},
    {"sub/in", 2, 2},
    {"folder-in", -2, -2},
    {"folder-in/b", 2, 2},
    /* Links that leave, or name the whole path. */
    {"out", -1, 6},
    {"sub/out", -1, 6},
    {"up", -1, -2},
    {"up/secret", -1, 6},
    {"up/www/a", -1, 1},
    {"absolute", -1, -2},
    {"absolute-in", -1, 1},
};

static void views_hold(void **state)
{
    struct root beneath, follow;

    (void)state;
    open_www(&beneath, false);
    open_www(&follow, true);
    assert_false(beneath.walk);
    for (size_t index = 0; index < sizeof(views) / sizeof(views[0]); index++) {
        const struct view *view = &views[index];

        for (int walk = 0; walk < 2; walk++) {
            beneath.walk = walk == 1;
            follow.walk = walk == 1;
            if (look(&beneath, view->path) != view->beneath ||
                look(&follow, view->path) != view->follow)
                fail_msg("%s %d", view->path, walk);
        }
    }
    assert_int_equal(sizeof(views) / sizeof(views[0]), 28);
    root_close(&beneath);
    root_close(&follow);
    root_close(&follow);
}

/* A path that the handler would never ask for: not even then. */
static void nothing_climbs(void **state)
{
    static const char *const paths[] = {"..", "../secret", "sub/../../secret", "sub/../..",
                                        "/etc/passwd"};
    struct root root;

    (void)state;
    open_www(&root, false);
    for (int walk = 0; walk < 2; walk++) {
        root.walk = walk == 1;
        for (size_t index = 0; index < sizeof(paths) / sizeof(paths[0]); index++)
            assert_int_equal(look(&root, paths[index]), -1);
    }
    root_close(&root);
}

static void long_paths_are_not_found(void **state)
{
    char path[FILE_PATH_BYTES_MAX + 2];
    struct root root;

    (void)state;
    open_www(&root, false);
    for (int walk = 0; walk < 2; walk++) {
        root.walk = walk == 1;
        memset(path, 'a', sizeof(path));
        path[255] = '\0';
        assert_int_equal(look(&root, path), -1);
        path[255] = 'a';
        path[256] = '\0';
        assert_int_equal(look(&root, path), -1);
        for (size_t at = 0; at < sizeof(path); at++)
            path[at] = at % 2 ? '/' : 'a';
        path[FILE_PATH_BYTES_MAX] = '\0';
        assert_int_equal(look(&root, path), -1);
        path[FILE_PATH_BYTES_MAX] = '/';
        path[FILE_PATH_BYTES_MAX + 1] = '\0';
        assert_int_equal(look(&root, path), -1);
    }
    root_close(&root);
}

static void a_hot_path_needs_no_helper(void **state)
{
    struct file_info first, second;
    struct root root;
    int fd;

    (void)state;
    open_www(&root, false);
    assert_int_equal(root_find(&root, "sub/deep/c", ROOT_WAIT, &fd, &first), PX_OK);
    root_put(fd);
    px_err err = root_find(&root, "sub/deep/c", ROOT_NOW, &fd, &second);

    /* Some file systems always look for themselves. */
    assert_true(err == PX_OK || err == PX_AGAIN);
    if (err == PX_OK) {
        assert_true(file_info_equal(&first, &second));
        root_warm(fd, first.size);
        root_put(fd);
    }
    root.no_cached = true;
    assert_int_equal(root_find(&root, "a", ROOT_NOW, &fd, &second), PX_AGAIN);
    root_close(&root);
}

static void states_of_a_file_are_told_apart(void **state)
{
    struct file_info first, second;
    struct root root;
    int fd;

    (void)state;
    open_www(&root, false);
    put("www/changes", "one");
    assert_int_equal(root_find(&root, "changes", ROOT_WAIT, &fd, &first), PX_OK);
    root_put(fd);
    put("www/changes", "three");
    assert_int_equal(root_find(&root, "changes", ROOT_WAIT, &fd, &second), PX_OK);
    root_put(fd);
    assert_false(file_info_equal(&first, &second));
    assert_true(file_info_equal(&first, &first));
    root_close(&root);
}

static void failures_have_names(void **state)
{
    struct rlimit limit, few;
    struct file_info info;
    struct root root;
    px_error error;
    int fd;

    (void)state;
    assert_int_equal(root_open(&root, "/no/such/folder", false, &error), PX_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/no/such/folder"));
    assert_int_equal(root.fd, -1);
    assert_int_equal(root_open(&root, "/etc/passwd", false, &error), PX_ERR_NOT_FOUND);
    open_www(&root, false);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few = limit;
    few.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    px_err err = root_find(&root, "a", ROOT_WAIT, &fd, &info);

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(err, PX_ERR_LIMIT);
    root_close(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_hold),
        cmocka_unit_test(nothing_climbs),
        cmocka_unit_test(long_paths_are_not_found),
        cmocka_unit_test(a_hot_path_needs_no_helper),
        cmocka_unit_test(states_of_a_file_are_told_apart),
        cmocka_unit_test(failures_have_names),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
