/*
 * The names under which _FORTIFY_SOURCE calls what the other files wrap.
 */
#include <stdlib.h>
#include <sys/types.h>

ssize_t __wrap_read(int fd, void *out, size_t bytes);
ssize_t __wrap_recv(int fd, void *out, size_t bytes, int flags);
ssize_t __wrap_pread(int fd, void *out, size_t bytes, off_t offset);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap___read_chk(int fd, void *out, size_t bytes, size_t room);
ssize_t __wrap___recv_chk(int fd, void *out, size_t bytes, size_t room, int flags);
ssize_t __wrap___pread_chk(int fd, void *out, size_t bytes, off_t offset, size_t room);
ssize_t __wrap___pread64_chk(int fd, void *out, size_t bytes, off_t offset, size_t room);
int __wrap___open_2(const char *path, int flags);
int __wrap___open64_2(const char *path, int flags);

static void check(size_t bytes, size_t room)
{
    if (bytes > room)
        abort();
}

ssize_t __wrap___read_chk(int fd, void *out, size_t bytes, size_t room)
{
    check(bytes, room);
    return __wrap_read(fd, out, bytes);
}

ssize_t __wrap___recv_chk(int fd, void *out, size_t bytes, size_t room, int flags)
{
    check(bytes, room);
    return __wrap_recv(fd, out, bytes, flags);
}

ssize_t __wrap___pread_chk(int fd, void *out, size_t bytes, off_t offset, size_t room)
{
    check(bytes, room);
    return __wrap_pread(fd, out, bytes, offset);
}

ssize_t __wrap___pread64_chk(int fd, void *out, size_t bytes, off_t offset, size_t room)
{
    return __wrap___pread_chk(fd, out, bytes, offset, room);
}

int __wrap___open_2(const char *path, int flags)
{
    return __wrap_open(path, flags);
}

int __wrap___open64_2(const char *path, int flags)
{
    return __wrap_open(path, flags);
}
