/*
 * File reads.  preadv2 with RWF_NOWAIT answers EAGAIN for what is not in the page cache; file
 * systems that do not know the flag answer EOPNOTSUPP, and then the helper reads.
 */
#include "io/file.h"

#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/io.h"

enum { WARM_BYTES = 32 * 1024 }; /* a read of a helper, on its stack */

px_err file_read_now(int fd, void *out, size_t room, uint64_t offset, size_t *out_bytes)
{
    struct iovec iov = {.iov_base = out, .iov_len = room};
    ssize_t count;

    do
        count = preadv2(fd, &iov, 1, (off_t)offset, RWF_NOWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        /* EPERM: a filter that is older than the call. */
        return errno == EAGAIN || errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM
                   ? PX_AGAIN
                   : PX_ERR_SYSTEM;
    *out_bytes = (size_t)count;
    return PX_OK;
}

bool file_is_warm(int fd, uint64_t offset, uint64_t length)
{
    size_t count;
    char byte;

    for (uint64_t at = 0; at < length; at += FILE_PROBE_BYTES)
        if (file_read_now(fd, &byte, 1, offset + at, &count) == PX_AGAIN)
            return false;
    return length == 0 || file_read_now(fd, &byte, 1, offset + length - 1, &count) != PX_AGAIN;
}

/* On a helper thread. */
static void warm_work(void *context)
{
    struct file_read *read = context;
    char scrap[WARM_BYTES];
    ssize_t count = 1;

    for (uint64_t at = 0; at < read->room && (count > 0 || errno == EINTR);
         at += count > 0 ? (uint64_t)count : 0)
        count = pread(read->fd, scrap,
                      read->room - at < WARM_BYTES ? (size_t)(read->room - at) : WARM_BYTES,
                      (off_t)(read->offset + at));
    read->count = count;
    read->sys_errno = count < 0 ? errno : 0;
}

void file_read_waiting(struct file_read *read)
{
    do
        read->count = pread(read->fd, read->out, read->room, (off_t)read->offset);
    while (read->count < 0 && errno == EINTR);
    read->sys_errno = read->count < 0 ? errno : 0;
}

/* On a helper thread. */
static void read_work(void *context)
{
    file_read_waiting(context);
}

static void read_done(px_err status, void *context)
{
    struct file_read *read = context;

    (*read->job.pending)--;
    read->done(read, status);
}

static px_err job_submit(px_loop *loop, struct helper_job *job)
{
    px_err err = loop_helpers(loop);

    if (err != PX_OK)
        return err;
    job->pending = &loop->helper_jobs;
    err = helpers_submit(loop->helpers, job);
    loop->helper_jobs += err == PX_OK;
    return err;
}

static px_err read_submit(px_loop *loop, struct file_read *read, void (*work)(void *context))
{
    read->job.work = work;
    read->job.done = read_done;
    read->job.context = read;
    return job_submit(loop, &read->job);
}

px_err file_read_later(px_loop *loop, struct file_read *read)
{
    return read_submit(loop, read, read_work);
}

px_err file_warm_later(px_loop *loop, struct file_read *read)
{
    return read_submit(loop, read, warm_work);
}

/* --- Writing ---------------------------------------------------------------------------------- */

void file_write_waiting(struct file_write *job)
{
    job->written = 0;
    job->sys_errno = 0;
    while (job->written < job->bytes.len) {
        ssize_t count =
            write(job->fd, job->bytes.ptr + job->written, job->bytes.len - job->written);

        if (count > 0) {
            job->written += (size_t)count;
        } else if (count == 0 || errno != EINTR) {
            job->sys_errno = count == 0 ? EIO : errno;
            return;
        }
    }
}

/* On a helper thread. */
static void write_work(void *context)
{
    file_write_waiting(context);
}

static void write_done(px_err status, void *context)
{
    struct file_write *job = context;

    (*job->job.pending)--;
    job->done(job, status);
}

px_err file_write_later(px_loop *loop, struct file_write *job)
{
    job->written = 0;
    job->sys_errno = 0;
    job->job.work = write_work;
    job->job.done = write_done;
    job->job.context = job;
    return job_submit(loop, &job->job);
}
