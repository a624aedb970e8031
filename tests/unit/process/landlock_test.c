/*
 * Landlock in children that try what they may not: other files, other folders, other addresses.
 *
 * A kernel without Landlock fails these tests, since a machine that tests a sandbox must have one.
 */
#include "process/landlock.h"

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

/* A folder with `inside/file` and `outside`. */
struct scene {
    char folder[64];
    char inside[96];
    char file[128];
    char outside[96];
    unsigned access;
    bool may_dial;
    const uint16_t *ports;
    size_t port_count;
    bool by_descriptor;
    pid_t parent;
    struct sockaddr_in address; /* somebody listens there */
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

    assert_non_null(scene);
    snprintf(scene->folder, sizeof(scene->folder), "/tmp/pollux-landlock-XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->inside, sizeof(scene->inside), "%s/inside", scene->folder);
    snprintf(scene->file, sizeof(scene->file), "%s/inside/file", scene->folder);
    snprintf(scene->outside, sizeof(scene->outside), "%s/outside", scene->folder);
    assert_int_equal(mkdir(scene->inside, 0755), 0);
    file_make(scene->file);
    file_make(scene->outside);
    scene->access = LANDLOCK_READ;
    scene->parent = getpid();
    *state = scene;
    return 0;
}

static int scene_remove(void **state)
{
    struct scene *scene = *state;
    char made[128];

    snprintf(made, sizeof(made), "%s/made", scene->inside);
    unlink(made);
    unlink(scene->file);
    unlink(scene->outside);
    rmdir(scene->inside);
    rmdir(scene->folder);
    free(scene);
    return 0;
}

/* 0, or CHILD_NOT_ENTERED. */
static int enter(const struct scene *scene)
{
    struct landlock_path path = {scene->inside, -1, scene->access};
    struct landlock_rules rules = {&path, 1, scene->may_dial, scene->ports, scene->port_count};
    px_error error;
    int fd = -1;

    if (scene->by_descriptor) {
        path.path = NULL;
        path.fd = open(scene->inside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    if (landlock_open(&rules, &fd, &error) != PX_OK ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || landlock_restrict(fd, &error) != PX_OK)
        return CHILD_NOT_ENTERED;
    close(fd);
    return 0;
}

/* The errno of opening, or 0. */
static int open_errno(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);

    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static int try_reading(void *context)
{
    struct scene *scene = context;
    char made[128];

    if (enter(scene) != 0)
        return CHILD_NOT_ENTERED;
    snprintf(made, sizeof(made), "%s/made", scene->inside);
    if (open_errno(scene->file, O_RDONLY) != 0 ||
        open_errno(scene->inside, O_RDONLY | O_DIRECTORY) != 0)
        return CHILD_BAD;
    if (open_errno(scene->file, O_WRONLY) != EACCES ||
        open_errno(made, O_WRONLY | O_CREAT) != EACCES)
        return CHILD_BAD + 1;
    if (open_errno(scene->outside, O_RDONLY) != EACCES ||
        open_errno("/etc/passwd", O_RDONLY) != EACCES ||
        open_errno("/proc/self/maps", O_RDONLY) != EACCES ||
        open_errno("/", O_RDONLY | O_DIRECTORY) != EACCES)
        return CHILD_BAD + 2;
    if (unlink(scene->file) == 0 || errno != EACCES)
        return CHILD_BAD + 3;
    return CHILD_GOOD;
}

static void landlock_reads_inside_and_nothing_else(void **state)
{
    struct scene *scene = *state;

    assert_int_equal(child_run(try_reading, scene, NULL), CHILD_GOOD);
    scene->by_descriptor = true;
    assert_int_equal(child_run(try_reading, scene, NULL), CHILD_GOOD);
}

static int try_writing(void *context)
{
    struct scene *scene = context;
    char made[128];

    if (enter(scene) != 0)
        return CHILD_NOT_ENTERED;
    snprintf(made, sizeof(made), "%s/made", scene->inside);
    if (open_errno(made, O_WRONLY | O_CREAT | O_APPEND) != 0)
        return CHILD_BAD;
    if (open_errno(made, O_RDONLY) != EACCES)
        return CHILD_BAD + 1;
    if (unlink(made) == 0 || errno != EACCES)
        return CHILD_BAD + 2;
    return CHILD_GOOD;
}

static void landlock_writes_logs_it_cannot_read(void **state)
{
    struct scene *scene = *state;

    scene->access = LANDLOCK_WRITE;
    assert_int_equal(child_run(try_writing, scene, NULL), CHILD_GOOD);
}

static int try_removing(void *context)
{
    struct scene *scene = context;

    if (enter(scene) != 0)
        return CHILD_NOT_ENTERED;
    if (unlink(scene->file) != 0)
        return CHILD_BAD;
    if (unlink(scene->outside) == 0 || errno != EACCES)
        return CHILD_BAD + 1;
    return CHILD_GOOD;
}

static void landlock_removes_where_it_may(void **state)
{
    struct scene *scene = *state;

    scene->access = LANDLOCK_REMOVE;
    assert_int_equal(child_run(try_removing, scene, NULL), CHILD_GOOD);
}

/* A listener on the loopback, and its address. */
static int listener_make(struct sockaddr_in *out_address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(*out_address);

    *out_address = (struct sockaddr_in){.sin_family = AF_INET};
    out_address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (const void *)out_address, sizeof(*out_address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (void *)out_address, &len), 0);
    return fd;
}

static int try_network(void *context)
{
    struct scene *scene = context;
    struct sockaddr_in here = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dials, may_dial = scene->may_dial;

    if (scene->port_count > 0)
        may_dial = scene->ports[0] == ntohs(scene->address.sin_port);
    if (enter(scene) != 0)
        return CHILD_NOT_ENTERED;
    dials = connect(fd, (const void *)&scene->address, sizeof(scene->address)) == 0;
    if (dials != may_dial || (!dials && errno != EACCES))
        return CHILD_BAD;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (const void *)&here, sizeof(here)) == 0 || errno != EACCES)
        return CHILD_BAD + 1;
    return CHILD_GOOD;
}

static void landlock_forbids_addresses(void **state)
{
    struct scene *scene = *state;
    int fd = listener_make(&scene->address);
    uint16_t port = ntohs(scene->address.sin_port);
    const uint16_t ports[] = {port, (uint16_t)(port == 1 ? 2 : port - 1)};

    if (landlock_abi() >= 4) { /* older ones know nothing of addresses */
        assert_int_equal(child_run(try_network, scene, NULL), CHILD_GOOD);
        scene->may_dial = true;
        assert_int_equal(child_run(try_network, scene, NULL), CHILD_GOOD);
        scene->may_dial = false;
        scene->ports = ports;
        scene->port_count = 2;
        assert_int_equal(child_run(try_network, scene, NULL), CHILD_GOOD);
        scene->ports = ports + 1;
        scene->port_count = 1;
        assert_int_equal(child_run(try_network, scene, NULL), CHILD_GOOD);
    }
    close(fd);
}

static int try_signalling(void *context)
{
    struct scene *scene = context;

    if (enter(scene) != 0)
        return CHILD_NOT_ENTERED;
    if (kill(scene->parent, 0) == 0 || errno != EPERM)
        return CHILD_BAD;
    return kill(getpid(), 0) == 0 ? CHILD_GOOD : CHILD_BAD + 1;
}

static void landlock_forbids_signals_to_others(void **state)
{
    if (landlock_abi() >= 6)
        assert_int_equal(child_run(try_signalling, *state, NULL), CHILD_GOOD);
}

static void landlock_says_which_path_is_missing(void **state)
{
    struct landlock_path path = {"/no/such/folder", -1, LANDLOCK_READ};
    struct landlock_rules rules = {&path, 1, false, NULL, 0};
    px_error error;
    int fd = -1;

    (void)state;
    assert_int_equal(landlock_open(&rules, &fd, &error), PX_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/no/such/folder"));
    assert_int_equal(fd, -1);

    /* What is to be written to may come later, or never. */
    path.access = LANDLOCK_WRITE | LANDLOCK_REMOVE;
    assert_int_equal(landlock_open(&rules, &fd, &error), PX_OK);
    close(fd);
}

/* A kernel refuses bits that it does not know, so each version gets its own and no other. */
static void landlock_asks_what_a_kernel_knows(void **state)
{
    static const struct {
        uint64_t files, network, dialling, scoped;
    } known[] = {
        {0x1fff, 0, 0, 0}, {0x3fff, 0, 0, 0}, {0x7fff, 0, 0, 0}, {0x7fff, 3, 1, 0},
        {0xffff, 3, 1, 0}, {0xffff, 3, 1, 3}, {0xffff, 3, 1, 3},
    };

    (void)state;
    for (int abi = 1; abi <= 7; abi++) {
        struct landlock_handled handled = landlock_handled(abi, false);

        assert_int_equal(handled.files, known[abi - 1].files);
        assert_int_equal(handled.network, known[abi - 1].network);
        assert_int_equal(handled.scoped, known[abi - 1].scoped);
        assert_int_equal(landlock_handled(abi, true).network, known[abi - 1].dialling);
    }
}

static void landlock_is_there(void **state)
{
    (void)state;
    assert_in_range(landlock_abi(), 1, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(landlock_is_there),
        cmocka_unit_test(landlock_asks_what_a_kernel_knows),
        cmocka_unit_test_setup_teardown(landlock_reads_inside_and_nothing_else, scene_make,
                                        scene_remove),
        cmocka_unit_test_setup_teardown(landlock_writes_logs_it_cannot_read, scene_make,
                                        scene_remove),
        cmocka_unit_test_setup_teardown(landlock_removes_where_it_may, scene_make, scene_remove),
        cmocka_unit_test_setup_teardown(landlock_forbids_addresses, scene_make, scene_remove),
        cmocka_unit_test_setup_teardown(landlock_forbids_signals_to_others, scene_make,
                                        scene_remove),
        cmocka_unit_test(landlock_says_which_path_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
