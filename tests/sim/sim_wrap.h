/*
 * The system calls of the program under test, replaced by the linker (--wrap=NAME): a call on a
 * descriptor, a path or a clock of the world goes to the fake kernel, any other to the real one.
 * The list of names is in CMakeLists.txt.
 */
#ifndef SIM_WRAP_H
#define SIM_WRAP_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "sim_kernel.h"
#include "sim_socket.h"

#define SIM_FOLDER "/sim/"

/* Begins a call; true when the plan says that it fails now (errno is set). */
static inline bool wrap_fails(const char *name)
{
    sim_call(name);
    int planned = sim_fault_planned(&sim_world->faults, name);

    if (planned == 0)
        return false;
    sim_trace(name, -1, planned);
    errno = planned;
    return true;
}

/* Ends a call: notes it, and turns a negative errno into -1 and errno. */
static inline int64_t wrap_result(const char *name, int fd, int64_t result)
{
    sim_trace(name, fd, result);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

static inline bool wrap_path_ours(const char *path)
{
    return sim_world != NULL && strncmp(path, SIM_FOLDER, strlen(SIM_FOLDER)) == 0;
}

/* A call that would sleep on a blocking descriptor would never wake up here. */
static inline int64_t wrap_no_sleep(const char *name, struct sim_desc *desc, int flags,
                                    int64_t result)
{
    if (result == -EAGAIN && !(desc->status_flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT))
        sim_fail("%s would block: the descriptor is not O_NONBLOCK", name);
    return result;
}

/* The socket behind a descriptor, or NULL and *out_err. */
static inline struct sim_sock *wrap_sock(int fd, int *out_err)
{
    struct sim_desc *desc = sim_fd_desc(fd);

    *out_err = desc ? -ENOTSOCK : -EBADF;
    return desc && desc->kind == SIM_KIND_SOCK ? (struct sim_sock *)desc : NULL;
}

#endif
