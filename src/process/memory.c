/*
 * Memory that may be used.
 *
 * The happy path: /proc/self/cgroup says which control group the process is in, and the limits of
 * that group and of all above it are read under /sys/fs/cgroup: memory.max of version 2,
 * memory.limit_in_bytes of version 1.  What cannot be read, or says "max", sets no limit.
 */
#include "process/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/number.h"

enum { MEMORY_FILE_BYTES = 4096, MEMORY_LINES_MAX = 64 };

/* "" where it cannot be read. */
static void file_text(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, out, room - 1);

    CHECK(room > 0);
    out[len > 0 ? len : 0] = '\0';
    if (fd >= 0)
        close(fd);
}

static uint64_t limit_of_file(const char *path)
{
    char text[64];
    uint64_t bytes;

    file_text(path, text, sizeof(text));
    px_str digits = px_str_make(text, strcspn(text, "\n"));

    return number_read(digits, UINT64_MAX, &bytes) && bytes > 0 ? bytes : UINT64_MAX;
}

/* The smallest of a group and all above it.  Inside a container the path is often one of the host,
 * which is not there: the way up ends at the mount, which is. */
static uint64_t limit_up(const char *base, const char *group, const char *name)
{
    char folder[PATH_MAX], path[PATH_MAX + 64];
    size_t base_len = strlen(base);
    uint64_t least = UINT64_MAX;
    int len = snprintf(folder, sizeof(folder), "%s%s", base, group);

    if (len < 0 || (size_t)len >= sizeof(folder))
        return least;
    for (;;) {
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        uint64_t limit = limit_of_file(path);
        char *slash = strrchr(folder, '/');

        if (limit < least)
            least = limit;
        if (strlen(folder) <= base_len || !slash || (size_t)(slash - folder) < base_len)
            return least;
        *slash = '\0';
    }
}

/* A line is "hierarchy:controllers:path"; version 2 has "0::path". */
static uint64_t limit_of_line(const char *line, size_t len, const char *mount)
{
    char text[PATH_MAX], base[PATH_MAX];
    char *controllers, *group;

    if (len >= sizeof(text))
        return UINT64_MAX;
    memcpy(text, line, len);
    text[len] = '\0';
    controllers = strchr(text, ':');
    group = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!group)
        return UINT64_MAX;
    *controllers++ = '\0';
    *group++ = '\0';
    if (strcmp(group, "/") == 0)
        *group = '\0';
    if (*controllers == '\0')
        return limit_up(mount, group, "memory.max");
    if (strcmp(controllers, "memory") != 0)
        return UINT64_MAX;
    snprintf(base, sizeof(base), "%s/memory", mount);
    return limit_up(base, group, "memory.limit_in_bytes");
}

uint64_t memory_limit(const char *membership, const char *mount)
{
    uint64_t least = UINT64_MAX;

    for (int line = 0; *membership && line < MEMORY_LINES_MAX; line++) {
        size_t len = strcspn(membership, "\n");
        uint64_t limit = limit_of_line(membership, len, mount);

        if (limit < least)
            least = limit;
        membership += len + (membership[len] == '\n');
    }
    return least;
}

uint64_t memory_usable(void)
{
    char membership[MEMORY_FILE_BYTES];
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);

    file_text("/proc/self/cgroup", membership, sizeof(membership));
    uint64_t limit = memory_limit(membership, "/sys/fs/cgroup");
    uint64_t has =
        pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;

    return limit < has ? limit : has;
}
