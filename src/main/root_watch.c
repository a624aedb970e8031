/*
 * Holding the served folder.
 *
 * The happy path: device and inode of the path are those of the descriptor.  While the path names
 * nothing, as between a removal and what replaces it, the old folder is served on.
 */
#include "main/root_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"

static int folder_open(const char *path)
{
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static px_err folder_fail(const char *path, px_error *out_error)
{
    return error_set(out_error, error_category(errno), errno, "cannot serve %s: %s", path,
                     strerror(errno));
}

px_err root_watch_open(struct root_watch *watch, const char *path, px_error *out_error)
{
    *watch = (struct root_watch){.path = path, .fd = folder_open(path)};
    return watch->fd < 0 ? folder_fail(path, out_error) : error_clear(out_error);
}

void root_watch_close(struct root_watch *watch)
{
    if (watch->fd >= 0)
        close(watch->fd);
    watch->fd = -1;
}

px_err root_watch_renew(struct root_watch *watch, px_error *out_error)
{
    CHECK(watch->fd >= 0 && watch->path);
    int fd = folder_open(watch->path);

    if (fd < 0)
        return folder_fail(watch->path, out_error);
    CHECK(fd != watch->fd);
    int renewed = dup3(fd, watch->fd, O_CLOEXEC);

    if (renewed < 0) {
        px_err err = folder_fail(watch->path, out_error);

        close(fd);
        return err;
    }
    close(fd);
    watch->is_warned = false;
    return error_clear(out_error);
}

bool root_watch_has_changed(const struct root_watch *watch)
{
    struct stat named, held;

    if (watch->fd < 0 || stat(watch->path, &named) != 0 || !S_ISDIR(named.st_mode) ||
        fstat(watch->fd, &held) != 0)
        return false;
    return named.st_dev != held.st_dev || named.st_ino != held.st_ino;
}

void root_watch_warn(struct root_watch *watch, const char *user)
{
    if (watch->is_warned || watch->fd < 0)
        return;
    watch->is_warned = true;
    diagnostics_tell(LEVEL_WARNING,
                     "%s cannot be read by %s: permission denied; every answer will be 403",
                     watch->path, user[0] ? user : "this user");
}

bool root_watch_is_readable(int fd)
{
    int found = openat(fd, ".", O_PATH | O_CLOEXEC);

    if (found >= 0)
        close(found);
    return found >= 0 || errno != EACCES;
}
