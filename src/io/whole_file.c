/*
 * open, fstat, read until the end, close.  Opened so that a FIFO does not stop us.
 */
#include "io/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/error.h"

static px_err failed(px_error *out_error, const char *what, const char *path, int sys_errno)
{
    return error_set(out_error, error_category(sys_errno), sys_errno, "cannot %s %s: %s", what,
                     path, strerror(sys_errno));
}

/* Reads to the end: true; or false with errno. */
static int read_all(int fd, char *text, size_t room, size_t *out_bytes)
{
    size_t bytes = 0;

    while (bytes < room) {
        ssize_t count = read(fd, text + bytes, room - bytes);

        if (count == 0)
            break;
        if (count < 0 && errno != EINTR)
            return 0;
        bytes += count > 0 ? (size_t)count : 0;
    }
    *out_bytes = bytes;
    return 1;
}

px_err whole_file_read(const px_allocator *allocator, const char *path, size_t bytes_max,
                       char **out_text, size_t *out_bytes, px_error *out_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;
    size_t bytes = 0;
    px_err err;

    if (fd < 0)
        return failed(out_error, "open", path, errno);
    if (fstat(fd, &info) != 0) {
        err = failed(out_error, "look at", path, errno);
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        err = error_set(out_error, PX_ERR_INVALID, 0, "%s is no regular file", path);
        goto done;
    }
    /* One byte more, so that a file that grows is seen. */
    size_t room = (uint64_t)info.st_size < bytes_max ? (size_t)info.st_size + 1 : bytes_max + 1;
    char *text = alloc_take(allocator, room + 1);

    if (!text) {
        err = error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        goto done;
    }
    err = PX_OK;
    if (!read_all(fd, text, room, &bytes))
        err = failed(out_error, "read", path, errno);
    else if (bytes > bytes_max)
        err = error_set(out_error, PX_ERR_LIMIT, 0, "%s is larger than %zu bytes", path, bytes_max);
    else if (bytes == room)
        err = error_set(out_error, PX_ERR_SYSTEM, 0, "%s changed while it was read", path);
    if (err != PX_OK) {
        alloc_put(allocator, text);
        goto done;
    }
    text[bytes] = '\0';
    *out_text = text;
    *out_bytes = bytes;
done:
    close(fd);
    return err;
}
