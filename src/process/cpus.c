/*
 * CPUs that this process may really use.
 *
 * The happy path: sched_getaffinity gives the mask, /proc/self/cgroup says which control group we
 * are in, and the quotas of that group and of all above it are read under /sys/fs/cgroup.  What
 * cannot be read sets no quota: a wrong guess costs speed, not correctness.
 */
#include "process/cpus.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/number.h"

enum {
    CPUS_MAX = 1024,             /* more than this is a typing error, or a machine of the future */
    CPU_SET_BYTES_MAX = 1 << 16, /* masks of half a million CPUs */
    FILE_BYTES_MAX = 4096,
};

/* Reads a small file whole as text.  An absent, empty or too long one is "". */
static void read_text(const char *path, char *out_text, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? 0 : read(fd, out_text, room);

    if (bytes < 0 || (size_t)bytes >= room)
        bytes = 0;
    out_text[bytes] = '\0';
    if (fd >= 0)
        close(fd);
}

/* Reads a positive decimal number at *at and moves behind it; false when there is none. */
static bool read_number(const char **at, uint64_t *out_number)
{
    uint64_t number;

    CHECK(*at);
    size_t digits = number_read_some(px_str_of(*at), INT64_MAX, &number);

    if (digits == 0 || number == 0)
        return false;
    *at += digits;
    *out_number = number;
    return true;
}

static bool at_end_of_line(const char *at)
{
    return *at == '\0' || (at[0] == '\n' && at[1] == '\0');
}

/* Rounded up: one and a half CPUs keep two workers busy most of the time. */
static uint32_t cpus_of(uint64_t quota, uint64_t period)
{
    uint64_t cpus = quota / period + (quota % period != 0);

    CHECK(period > 0);
    return cpus > CPUS_MAX ? CPUS_MAX : (uint32_t)cpus;
}

uint32_t cpus_of_cpu_max(const char *text)
{
    uint64_t quota;
    uint64_t period;

    if (!read_number(&text, &quota) || *text++ != ' ')
        return 0;
    if (!read_number(&text, &period) || !at_end_of_line(text))
        return 0;
    return cpus_of(quota, period);
}

uint32_t cpus_of_cfs(const char *quota, const char *period)
{
    uint64_t quota_us;
    uint64_t period_us;

    if (!read_number(&quota, &quota_us) || !at_end_of_line(quota))
        return 0;
    if (!read_number(&period, &period_us) || !at_end_of_line(period))
        return 0;
    return cpus_of(quota_us, period_us);
}

static uint32_t quota_of_folder(const char *folder, bool is_v2)
{
    char path[PATH_MAX];
    char first[FILE_BYTES_MAX];
    char second[FILE_BYTES_MAX];

    if (is_v2) {
        snprintf(path, sizeof(path), "%s/cpu.max", folder);
        read_text(path, first, sizeof(first));
        return cpus_of_cpu_max(first);
    }
    snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder);
    read_text(path, first, sizeof(first));
    snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
    read_text(path, second, sizeof(second));
    return cpus_of_cfs(first, second);
}

/* The smallest quota of `group` and of every group above it.  Inside a container the path is often
 * one of the host, which is not there: the way up ends at the mount, which is. */
static uint32_t quota_up(const char *mount, const char *controller, const char *group, bool is_v2)
{
    char folder[PATH_MAX];
    uint32_t least = 0;
    int base_len = snprintf(folder, sizeof(folder), "%s%s", mount, controller);
    int len = snprintf(folder, sizeof(folder), "%s%s%s", mount, controller, group);

    if (len < 0 || (size_t)len >= sizeof(folder))
        return 0;
    for (;;) {
        uint32_t cpus = quota_of_folder(folder, is_v2);

        if (cpus != 0 && (least == 0 || cpus < least))
            least = cpus;
        char *slash = strrchr(folder, '/');
        if (!slash || slash - folder < base_len)
            return least;
        *slash = '\0';
    }
}

/* Whether the list of controllers of version 1 ("cpu,cpuacct") has "cpu". */
static bool has_cpu(const char *list, const char *end)
{
    while (list < end) {
        const char *comma = memchr(list, ',', (size_t)(end - list));
        const char *stop = comma ? comma : end;

        if (stop - list == 3 && memcmp(list, "cpu", 3) == 0)
            return true;
        list = stop + 1;
    }
    return false;
}

/* A line of /proc/self/cgroup is "hierarchy:controllers:path"; version 2 has "0::path". */
static uint32_t quota_of_line(const char *line, size_t len, const char *mount)
{
    char group[PATH_MAX];
    const char *end = line + len;
    const char *controllers = memchr(line, ':', len);
    const char *path =
        controllers ? memchr(controllers + 1, ':', (size_t)(end - controllers - 1)) : NULL;

    if (!path || (size_t)(end - path) > sizeof(group))
        return 0;
    snprintf(group, sizeof(group), "%.*s", (int)(end - path - 1), path + 1);
    if (strcmp(group, "/") == 0)
        group[0] = '\0';
    if (controllers + 1 == path)
        return quota_up(mount, "", group, true);
    if (has_cpu(controllers + 1, path))
        return quota_up(mount, "/cpu", group, false);
    return 0;
}

uint32_t cpus_quota(const char *membership, const char *mount)
{
    uint32_t least = 0;

    while (*membership) {
        size_t len = strcspn(membership, "\n");
        uint32_t cpus = quota_of_line(membership, len, mount);

        if (cpus != 0 && (least == 0 || cpus < least))
            least = cpus;
        membership += len + (membership[len] == '\n');
    }
    return least;
}

/* The kernel refuses a mask smaller than its own, so try larger ones. */
static uint32_t affinity_count(void)
{
    for (size_t bytes = sizeof(cpu_set_t); bytes <= CPU_SET_BYTES_MAX; bytes *= 2) {
        cpu_set_t *set = calloc(1, bytes);
        int count = 0;

        if (!set)
            return 1;
        if (sched_getaffinity(0, bytes, set) == 0)
            count = CPU_COUNT_S(bytes, set);
        free(set);
        if (count > 0)
            return (uint32_t)count;
    }
    return 1;
}

uint32_t cpus_usable(void)
{
    char membership[FILE_BYTES_MAX];
    uint32_t cpus = affinity_count();

    read_text("/proc/self/cgroup", membership, sizeof(membership));
    uint32_t quota = cpus_quota(membership, "/sys/fs/cgroup");
    CHECK(cpus > 0);
    if (quota != 0 && quota < cpus)
        cpus = quota;
    return cpus > CPUS_MAX ? CPUS_MAX : cpus;
}
