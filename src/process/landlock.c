/*
 * Landlock by raw system calls: libc has no functions for them, and headers may be older than the
 * kernel, so the numbers of the interface stand here.
 *
 * The happy path: a ruleset that handles all that this kernel can forbid, a rule for each path,
 * restrict.  It can fail by a path that is not there and by a kernel without Landlock.  See
 * landlock(7) and linux/landlock.h.
 */
#include "process/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"

/* The same on every architecture (they are past the point where numbers were made common). */
enum {
    CALL_CREATE_RULESET = 444,
    CALL_ADD_RULE = 445,
    CALL_RESTRICT_SELF = 446,
};

enum {
    CREATE_RULESET_VERSION = 1, /* flag: tell the ABI */
    RULE_PATH_BENEATH = 1,
    RULE_NET_PORT = 2,
    ABI_KNOWN = 7, /* 7 added only what goes to the audit log */
};

enum {
    FS_EXECUTE = 1 << 0,
    FS_WRITE_FILE = 1 << 1,
    FS_READ_FILE = 1 << 2,
    FS_READ_DIR = 1 << 3,
    FS_REMOVE_DIR = 1 << 4,
    FS_REMOVE_FILE = 1 << 5,
    FS_MAKE_REG = 1 << 8,
    FS_ABI_1 = (1 << 13) - 1, /* all of the first version */
    FS_REFER = 1 << 13,       /* ABI 2 */
    FS_TRUNCATE = 1 << 14,    /* ABI 3 */
    FS_IOCTL_DEV = 1 << 15,   /* ABI 5 */
    FS_OF_FILES = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV,

    NET_BIND_TCP = 1 << 0,    /* ABI 4 */
    NET_CONNECT_TCP = 1 << 1, /* ABI 4 */

    SCOPE_ABSTRACT_UNIX = 1 << 0, /* ABI 6 */
    SCOPE_SIGNAL = 1 << 1,        /* ABI 6 */
};

struct path_beneath_attributes {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

struct net_port_attributes {
    uint64_t allowed_access;
    uint64_t port;
};

int landlock_abi(void)
{
    long abi = syscall(CALL_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);

    if (abi < 1)
        return 0;
    return abi < ABI_KNOWN ? (int)abi : ABI_KNOWN;
}

/* It is struct landlock_ruleset_attr as the kernel takes it.  An older kernel refuses a longer
 * struct than it knows unless the rest is zero, which it is. */
struct landlock_handled landlock_handled(int abi, bool may_dial)
{
    struct landlock_handled handled = {.files = FS_ABI_1};

    if (abi >= 2)
        handled.files |= FS_REFER;
    if (abi >= 3)
        handled.files |= FS_TRUNCATE;
    if (abi >= 4)
        handled.network = NET_BIND_TCP | (may_dial ? 0u : NET_CONNECT_TCP);
    if (abi >= 5)
        handled.files |= FS_IOCTL_DEV;
    if (abi >= 6)
        handled.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    return handled;
}

static uint64_t rights_of(unsigned access, mode_t mode)
{
    uint64_t rights = 0;

    if (access & LANDLOCK_READ)
        rights |= FS_READ_FILE | FS_READ_DIR;
    if (access & LANDLOCK_WRITE)
        rights |= FS_WRITE_FILE | FS_MAKE_REG;
    if (access & LANDLOCK_REMOVE)
        rights |= FS_REMOVE_FILE;
    /* A FIFO without a reader can be opened for writing only by a process that reads it too. */
    if ((access & LANDLOCK_WRITE) && S_ISFIFO(mode))
        rights |= FS_READ_FILE;
    return S_ISDIR(mode) ? rights : rights & FS_OF_FILES;
}

static px_err path_fail(const struct landlock_path *path, int sys_errno, px_error *out_error)
{
    return error_set(out_error, error_category(sys_errno), sys_errno,
                     "cannot confine a worker to %s: %s", path->path ? path->path : "a descriptor",
                     strerror(sys_errno));
}

static px_err rule_add(int ruleset_fd, uint64_t handled, const struct landlock_path *path,
                       px_error *out_error)
{
    struct path_beneath_attributes rule = {.parent_fd = path->fd};
    struct stat status;
    int opened = -1;
    int failure = 0;

    if (path->path) {
        opened = open(path->path, O_PATH | O_CLOEXEC);
        /* What is not there cannot be written to or removed. */
        if (opened < 0 && errno == ENOENT && !(path->access & LANDLOCK_READ))
            return PX_OK;
        if (opened < 0)
            return path_fail(path, errno, out_error);
        rule.parent_fd = opened;
    }
    if (fstat(rule.parent_fd, &status) != 0) {
        failure = errno;
    } else {
        rule.allowed_access = rights_of(path->access, status.st_mode) & handled;
        /* A rule that allows nothing is refused, and needless. */
        if (rule.allowed_access != 0 &&
            syscall(CALL_ADD_RULE, ruleset_fd, RULE_PATH_BENEATH, &rule, 0) != 0)
            failure = errno;
    }
    if (opened >= 0)
        close(opened);
    return failure == 0 ? PX_OK : path_fail(path, failure, out_error);
}

static px_err port_add(int ruleset_fd, uint64_t handled, uint16_t port, px_error *out_error)
{
    struct net_port_attributes rule = {.allowed_access = NET_CONNECT_TCP, .port = port};

    if (!(handled & NET_CONNECT_TCP) ||
        syscall(CALL_ADD_RULE, ruleset_fd, RULE_NET_PORT, &rule, 0) == 0)
        return PX_OK;
    return error_set(out_error, error_category(errno), errno,
                     "cannot confine a worker to port %u: %s", (unsigned)port, strerror(errno));
}

px_err landlock_open(const struct landlock_rules *rules, int *out_fd, px_error *out_error)
{
    int abi = landlock_abi();
    struct landlock_handled handled = landlock_handled(abi, rules->may_dial);
    px_err err = PX_OK;

    if (abi == 0)
        return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "this kernel has no Landlock");
    int fd = (int)syscall(CALL_CREATE_RULESET, &handled, sizeof(handled), 0);
    if (fd < 0)
        return error_set(out_error, error_category(errno), errno,
                         "cannot make a Landlock ruleset: %s", strerror(errno));
    for (size_t i = 0; i < rules->path_count && err == PX_OK; i++)
        err = rule_add(fd, handled.files, &rules->paths[i], out_error);
    for (size_t i = 0; i < rules->port_count && err == PX_OK; i++)
        err = port_add(fd, handled.network, rules->ports[i], out_error);
    if (err != PX_OK) {
        close(fd);
        return err;
    }
    *out_fd = fd;
    return error_clear(out_error);
}

px_err landlock_restrict(int fd, px_error *out_error)
{
    if (syscall(CALL_RESTRICT_SELF, fd, 0) != 0)
        return error_set(out_error, error_category(errno), errno,
                         "cannot confine a worker with Landlock: %s", strerror(errno));
    return error_clear(out_error);
}
