/*
 * readdir, and fstatat for what it found.
 */
#include "io/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

px_err folder_open(struct folder *folder, int fd)
{
    int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = own >= 0 ? fdopendir(own) : NULL;

    if (!stream) {
        px_err err = error_category(errno);

        if (own >= 0)
            close(own);
        return err;
    }
    folder->stream = stream;
    return PX_OK;
}

px_err folder_next(struct folder *folder, bool (*wanted)(const char *name),
                   struct folder_item *out_item)
{
    const struct dirent *entry;
    struct stat stat;

    for (;;) {
        errno = 0;
        entry = readdir(folder->stream);
        if (!entry)
            return errno == 0 ? PX_ERR_NOT_FOUND : PX_ERR_SYSTEM;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (wanted && !wanted(entry->d_name)))
            continue;
        /* One that has gone since is not there. */
        if (fstatat(dirfd(folder->stream), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        *out_item = (struct folder_item){.name = entry->d_name, .is_link = S_ISLNK(stat.st_mode)};
        if (out_item->is_link)
            return PX_OK;
        if (!S_ISREG(stat.st_mode) && !S_ISDIR(stat.st_mode))
            continue;
        file_info_fill(&out_item->info, &stat);
        return PX_OK;
    }
}

void folder_close(struct folder *folder)
{
    if (folder->stream)
        closedir(folder->stream);
    folder->stream = NULL;
}
