/*
 * File reads.  preadv2 with RWF_NOWAIT answers EAGAIN for what is not in the page cache; file
 * systems that do not know the flag answer EOPNOTSUPP, and then the helper reads.
 */
#include "io/file.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/io.h"

px_err file_read_now(int fd, void *out, size_t room, uint64_t offset, size_t *out_bytes)
{
    struct iovec iov = {.iov_base = out, .iov_len = room};
    ssize_t count;

    do
        count = preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS ? PX_AGAIN : PX_ERR_SYSTEM;
    *out_bytes = (size_t)count;
    return PX_OK;
}

/* On a helper thread. */
static void read_work(void *context)
{
    struct file_read *read = context;

    do
        read->count = pread(read->fd, read->out, read->room, (off_t)read->offset);
    while (read->count < 0 && errno == EINTR);
    read->sys_errno = read->count < 0 ? errno : 0;
}

static void read_done(px_err status, void *context)
{
    struct file_read *read = context;

    read->done(read, status);
}

px_err file_read_later(px_loop *loop, struct file_read *read)
{
    if (loop->ending)
        return PX_ERR_CLOSED;
    if (!loop->helpers)
        loop->helpers = helpers_create(&loop->allocator, loop->mailbox, loop->helper_threads_max);
    if (!loop->helpers)
        return PX_ERR_MEMORY;
    read->job.work = read_work;
    read->job.done = read_done;
    read->job.context = read;
    return helpers_submit(loop->helpers, &read->job);
}
