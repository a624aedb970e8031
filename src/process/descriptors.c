/*
 * What a process does about its descriptors before it opens the first one of its own.
 */
#include "process/descriptors.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { FOREIGN_MOST = 64 * 1024 }; /* numbers that are tried where they cannot be listed */

int descriptors_fill_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* All below are open, so open() gives this very number. */
        if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
            return errno;
    }
    return 0;
}

void descriptors_raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* The folder of our descriptors, where there is /proc; else every number below the limit. */
void descriptors_close_foreign(bool (*is_kept)(int fd, void *context), void *context)
{
    DIR *folder = opendir("/proc/self/fd");
    const struct dirent *entry;
    struct rlimit limit;

    if (folder) {
        /* Closing while reading skips no name that is still there. */
        while ((entry = readdir(folder)) != NULL) {
            int fd = (int)strtol(entry->d_name, NULL, 10);

            if (fd > STDERR_FILENO && fd != dirfd(folder) && !is_kept(fd, context))
                close(fd);
        }
        closedir(folder);
        return;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > FOREIGN_MOST)
        limit.rlim_cur = FOREIGN_MOST;
    for (int fd = STDERR_FILENO + 1; fd < (int)limit.rlim_cur; fd++)
        if (!is_kept(fd, context))
            close(fd);
}
