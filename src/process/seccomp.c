/*
 * The filter, made by libseccomp.
 *
 * The happy path: every call of the lists is allowed, some under a condition; calls that libc can
 * do without and those that libseccomp does not know yet are refused; the rest traps.  The hot
 * calls have no condition, so that the kernel lets them pass without running the filter.  It can
 * fail by memory and by a kernel that refuses filters.
 */
#include "process/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "pollux/syscalls.h"
#include "process/calls.h"

enum {
    CALLS_SCANNED = 1000, /* no architecture of ours has a number above that */
    CALLS_TO_COME = 64,   /* numbers behind the last known one: a handful is added in a year */
    SOCKET_TYPE_MASK = 0xf,
};

#define NAME_OF(name) #name,

static const char *const allowed[] = {PX_SYSCALLS_SERVING(NAME_OF) PX_SYSCALLS_HELPERS(
    NAME_OF) PX_SYSCALLS_FILES(NAME_OF) CALLS_OF_PROGRAM(NAME_OF) CALLS_THAT_ONLY_TELL(NAME_OF)};
static const char *const reading[] = {PX_SYSCALLS_FILES(NAME_OF)};
static const char *const writing[] = {CALLS_OF_WRITING(NAME_OF)};
static const char *const dialling[] = {CALLS_OF_DIALLING(NAME_OF)};
static const char *const done_without[] = {CALLS_DONE_WITHOUT(NAME_OF)};

struct filter {
    scmp_filter_ctx context;           /* owned */
    const struct seccomp_rules *rules; /* borrowed */
    uint8_t is_settled[CALLS_SCANNED]; /* by number: it has its rule */
    int failure;                       /* an errno; 0: none so far */
};

/* What calls may do only with certain arguments.  `only` NULL: always; else whether this filter has
 * the condition.  Two of one call: either will do. */
struct condition {
    const char *name;
    bool (*only)(const struct seccomp_rules *rules);
    struct scmp_arg_cmp argument;
};

static bool if_reading(const struct seccomp_rules *rules)
{
    return !rules->may_write;
}

static bool if_dialling(const struct seccomp_rules *rules)
{
    return rules->may_dial;
}

static void filter_add(struct filter *filter, uint32_t action, int call, unsigned count,
                       const struct scmp_arg_cmp *arguments)
{
    int result;

    if (call < 0 || call >= CALLS_SCANNED || filter->failure != 0)
        return; /* this architecture does not have it */
    result = seccomp_rule_add_array(filter->context, action, call, count, arguments);
    if (result == 0)
        filter->is_settled[call] = 1;
    else
        filter->failure = -result;
}

static int number_of(const char *name)
{
    return seccomp_syscall_resolve_name(name);
}

static void conditions_add(struct filter *filter)
{
    const struct condition conditions[] = {
        /* Threads, no processes. */
        {"clone", NULL, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)},
        /* Memory is never made executable, so what a peer wrote never runs. */
        {"mmap", NULL, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {"mprotect", NULL, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        /* abort() and raise() reach this process alone. */
        {"tgkill", NULL, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0)},
        {"ioctl", NULL, SCMP_A1(SCMP_CMP_EQ, TIOCOUTQ, 0)},
        /* Limits are read and not set. */
        {"prlimit64", NULL, SCMP_A2(SCMP_CMP_EQ, 0, 0)},
        {"openat", if_reading,
         SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)},
        {"socket", if_dialling, SCMP_A0(SCMP_CMP_EQ, AF_INET, 0)},
        {"socket", if_dialling, SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0)},
        {"socket", if_dialling, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0)},
    };
    const struct scmp_arg_cmp stream = SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, SOCK_STREAM);
    const struct scmp_arg_cmp datagram = SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE_MASK, SOCK_DGRAM);

    for (size_t i = 0; i < ARRAY_COUNT(conditions); i++) {
        const struct condition *condition = &conditions[i];
        struct scmp_arg_cmp arguments[2] = {condition->argument, stream};

        if (condition->only && !condition->only(filter->rules))
            continue;
        if (condition->only != if_dialling) {
            filter_add(filter, SCMP_ACT_ALLOW, number_of(condition->name), 1, arguments);
            continue;
        }
        filter_add(filter, SCMP_ACT_ALLOW, number_of(condition->name), 2, arguments);
        arguments[1] = datagram;
        filter_add(filter, SCMP_ACT_ALLOW, number_of(condition->name), 2, arguments);
    }
}

/* Calls without a rule so far. */
static void names_add(struct filter *filter, uint32_t action, const char *const *names,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int call = number_of(names[i]);

        if (call >= 0 && call < CALLS_SCANNED && !filter->is_settled[call])
            filter_add(filter, action, call, 0, NULL);
    }
}

static bool is_known(int call)
{
    char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
    bool known = name != NULL;

    free(name);
    return known;
}

/* What a newer libc on a newer kernel may try. */
static void later_add(struct filter *filter)
{
    int last = CALLS_SCANNED - CALLS_TO_COME - 1;

    while (last > 0 && !is_known(last))
        last--;
    for (int call = last + 1; call <= last + CALLS_TO_COME; call++)
        filter_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0, NULL);
}

static void filter_fill(struct filter *filter)
{
    /* Calls that libc must not find come first: clone3 is in the library's list, and what it would
     * start cannot be looked into; libc falls back to clone. */
    conditions_add(filter);
    if (filter->rules->may_read)
        names_add(filter, SCMP_ACT_ALLOW, reading, ARRAY_COUNT(reading));
    names_add(filter, SCMP_ACT_ERRNO(ENOSYS), done_without, ARRAY_COUNT(done_without));
    names_add(filter, SCMP_ACT_ALLOW, allowed, ARRAY_COUNT(allowed));
    if (filter->rules->may_write)
        names_add(filter, SCMP_ACT_ALLOW, writing, ARRAY_COUNT(writing));
    if (filter->rules->may_dial)
        names_add(filter, SCMP_ACT_ALLOW, dialling, ARRAY_COUNT(dialling));
    later_add(filter);
}

static int filter_set(struct filter *filter, enum scmp_filter_attr attribute, uint32_t value)
{
    return -seccomp_attr_set(filter->context, attribute, value);
}

const char *seccomp_lacks(void)
{
    if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
        return "this kernel has no seccomp";
    /* 2: filters and what they can answer is known (SECCOMP_GET_ACTION_AVAIL, Linux 4.14). */
    if (seccomp_api_get() < 2)
        return "this kernel has no seccomp filters";
    return NULL;
}

px_err seccomp_enter(const struct seccomp_rules *rules, px_error *out_error)
{
    struct filter filter = {.context = seccomp_init(SCMP_ACT_TRAP), .rules = rules};

    if (!filter.context)
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot make a seccomp filter");
    filter.failure = filter_set(&filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (filter.failure == 0)
        filter.failure = filter_set(&filter, SCMP_FLTATR_CTL_NNP, 0); /* it was set before */
    if (filter.failure == 0)
        filter.failure = filter_set(&filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    filter_fill(&filter);
    if (filter.failure == 0)
        filter.failure = -seccomp_load(filter.context);
    seccomp_release(filter.context);
    if (filter.failure != 0)
        return error_set(out_error, error_category(filter.failure), filter.failure,
                         "cannot confine a worker with seccomp: %s", strerror(filter.failure));
    return error_clear(out_error);
}

void seccomp_name(int call, char out_name[SECCOMP_NAME_BYTES])
{
    char *name = call >= 0 ? seccomp_syscall_resolve_num_arch(seccomp_arch_native(), call) : NULL;

    if (name)
        snprintf(out_name, SECCOMP_NAME_BYTES, "%s (system call %d)", name, call);
    else
        snprintf(out_name, SECCOMP_NAME_BYTES, "system call %d", call);
    free(name);
}
