/*
 * How many CPUs a process may use: quotas as text, and control groups as folders of a temporary
 * one.
 */
#include "process/cpus.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test.h"

static void cpu_max_is_rounded_up(void **state)
{
    static const struct {
        const char *text;
        uint32_t cpus;
    } cases[] = {
        {"max 100000\n", 0},
        {"max 100000", 0},
        {"100000 100000\n", 1},
        {"100000 100000", 1},
        {"50000 100000\n", 1},
        {"1 100000\n", 1},
        {"150000 100000\n", 2},
        {"200000 100000\n", 2},
        {"200001 100000\n", 3},
        {"6400000 100000\n", 64},
        {"18446744073709551615 1\n", 0},
        {"1844674407370955160 1\n", 1024},
        {"", 0},
        {"\n", 0},
        {"0 100000\n", 0},
        {"100000 0\n", 0},
        {"100000\n", 0},
        {"100000 \n", 0},
        {"100000  100000\n", 0},
        {" 100000 100000\n", 0},
        {"-1 100000\n", 0},
        {"+1 100000\n", 0},
        {"100000 100000 x\n", 0},
        {"100000 100000\nmore\n", 0},
        {"x 100000\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (cpus_of_cpu_max(cases[i].text) != cases[i].cpus)
            fail_msg("\"%s\" gave %u", cases[i].text, cpus_of_cpu_max(cases[i].text));
}

static void cfs_is_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(cpus_of_cfs("-1\n", "100000\n"), 0);
    assert_int_equal(cpus_of_cfs("100000\n", "100000\n"), 1);
    assert_int_equal(cpus_of_cfs("250000\n", "100000\n"), 3);
    assert_int_equal(cpus_of_cfs("250000", "100000"), 3);
    assert_int_equal(cpus_of_cfs("250000 1\n", "100000\n"), 0);
    assert_int_equal(cpus_of_cfs("250000\n", "0\n"), 0);
    assert_int_equal(cpus_of_cfs("250000\n", ""), 0);
    assert_int_equal(cpus_of_cfs("", "100000\n"), 0);
}

/* A folder that looks like /sys/fs/cgroup. */
struct mount {
    char path[64];
};

static void mount_put(const struct mount *mount, const char *folder, const char *file,
                      const char *text)
{
    char path[256];
    char so_far[256];

    snprintf(path, sizeof(path), "%s%s", mount->path, folder);
    for (size_t i = strlen(mount->path) + 1; i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        snprintf(so_far, sizeof(so_far), "%.*s", (int)i, path);
        mkdir(so_far, 0700);
    }
    snprintf(path, sizeof(path), "%s%s/%s", mount->path, folder, file);
    FILE *stream = fopen(path, "w");
    assert_non_null(stream);
    assert_true(fputs(text, stream) >= 0);
    assert_int_equal(fclose(stream), 0);
}

static void mount_init(struct mount *mount)
{
    snprintf(mount->path, sizeof(mount->path), "/tmp/pollux-cpus-XXXXXX");
    assert_non_null(mkdtemp(mount->path));
}

static void mount_deinit(const struct mount *mount)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -r %s", mount->path);
    assert_int_equal(system(command), 0);
}

static void version_2_looks_at_every_group_above(void **state)
{
    struct mount mount;

    (void)state;
    mount_init(&mount);
    assert_int_equal(cpus_quota("0::/\n", mount.path), 0);
    mount_put(&mount, "/a/b", "cpu.max", "max 100000\n");
    assert_int_equal(cpus_quota("0::/a/b\n", mount.path), 0);
    mount_put(&mount, "/a", "cpu.max", "300000 100000\n");
    assert_int_equal(cpus_quota("0::/a/b\n", mount.path), 3);
    assert_int_equal(cpus_quota("0::/a\n", mount.path), 3);
    assert_int_equal(cpus_quota("0::/\n", mount.path), 0);
    mount_put(&mount, "/a/b", "cpu.max", "200000 100000\n");
    assert_int_equal(cpus_quota("0::/a/b\n", mount.path), 2);
    mount_put(&mount, "", "cpu.max", "100000 100000\n");
    assert_int_equal(cpus_quota("0::/a/b\n", mount.path), 1);
    /* A container sees the host's path, which is not there: its own root is. */
    assert_int_equal(cpus_quota("0::/docker/1234\n", mount.path), 1);
    assert_int_equal(cpus_quota("0::/../..\n", mount.path), 1);
    mount_deinit(&mount);
}

static void version_1_looks_at_the_cpu_controller(void **state)
{
    struct mount mount;

    (void)state;
    mount_init(&mount);
    mount_put(&mount, "/cpu/x", "cpu.cfs_quota_us", "250000\n");
    mount_put(&mount, "/cpu/x", "cpu.cfs_period_us", "100000\n");
    assert_int_equal(cpus_quota("4:cpu,cpuacct:/x\n", mount.path), 3);
    assert_int_equal(cpus_quota("4:cpuacct,cpu:/x/y\n", mount.path), 3);
    assert_int_equal(cpus_quota("5:memory:/x\n4:cpu:/x\n0::/\n", mount.path), 3);
    assert_int_equal(cpus_quota("4:cpuset:/x\n", mount.path), 0);
    assert_int_equal(cpus_quota("4:cpuacct:/x\n", mount.path), 0);
    mount_deinit(&mount);
}

static void nonsense_sets_no_quota(void **state)
{
    static const char *const texts[] = {"", "\n", ":", "::", "0:", "0::", "x", "0:cpu", "\n\n0::"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(cpus_quota(texts[i], "/nonexistent"), 0);
}

static void the_affinity_mask_is_a_cap(void **state)
{
    cpu_set_t before;
    cpu_set_t one;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_in_range(cpus_usable(), 1, (uintmax_t)CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &before))
            CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    assert_int_equal(cpus_usable(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpu_max_is_rounded_up),
        cmocka_unit_test(cfs_is_rounded_up),
        cmocka_unit_test(version_2_looks_at_every_group_above),
        cmocka_unit_test(version_1_looks_at_the_cpu_controller),
        cmocka_unit_test(nonsense_sets_no_quota),
        cmocka_unit_test(the_affinity_mask_is_a_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
