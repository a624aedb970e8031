/*
 * The filter, made by libseccomp.
 *
 * The happy path: every call of the lists is allowed, some under a condition; calls that libc can
 * do without and those that libseccomp does not know yet are refused; the rest traps.  The hot
 * calls of receiving have no condition, so that the kernel lets them pass without running the
 * filter; sending has one, and costs its run.  It can fail by memory and by a kernel that refuses
 * filters.
 */
#include "process/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

/* What a call may do only with certain arguments (pollux/syscalls.h). */
struct condition {
    const char *name;
    struct scmp_arg_cmp arguments[2];
};

#define CONDITION_OF(name, at, mask, value, at_too, mask_too, value_too) \
    {#name,                                                              \
     {SCMP_CMP64(at, SCMP_CMP_MASKED_EQ, mask, value),                   \
      SCMP_CMP64(at_too, SCMP_CMP_MASKED_EQ, mask_too, value_too)}},

static void filter_add(struct filter *filter, uint32_t action, int call, unsigned count,
                       const struct scmp_arg_cmp *arguments)
{
    int result;

    CHECK(count == 0 || arguments);
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

static void conditions_add(struct filter *filter, const struct condition *conditions, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct scmp_arg_cmp *arguments = conditions[i].arguments;

        filter_add(filter, SCMP_ACT_ALLOW, number_of(conditions[i].name),
                   arguments[1].datum_a == 0 ? 1 : 2, arguments);
    }
}

/* Conditions of what the rules allow. */
static void conditions_fill(struct filter *filter)
{
    const struct condition always[] = {PX_SYSCALLS_SERVING_WHEN(
        CONDITION_OF) PX_SYSCALLS_HELPERS_WHEN(CONDITION_OF) CALLS_OF_PROGRAM_WHEN(CONDITION_OF)};
    const struct condition files[] = {PX_SYSCALLS_FILES_WHEN(CONDITION_OF)};
    const struct condition dialled[] = {PX_SYSCALLS_DIALLING_WHEN(CONDITION_OF)};

    conditions_add(filter, always, ARRAY_COUNT(always));
    for (size_t i = 0; i < ARRAY_COUNT(files); i++)
        if (!filter->rules->may_write || strcmp(files[i].name, "openat") != 0)
            conditions_add(filter, &files[i], 1);
    if (!filter->rules->may_dial)
        return;
    conditions_add(filter, dialled, ARRAY_COUNT(dialled));
    /* Looking a name up asks the kernel which addresses there are, and does without. */
    filter_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), number_of("socket"), 1,
               &SCMP_A0_32(SCMP_CMP_EQ, AF_NETLINK));
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
    CHECK(last + CALLS_TO_COME < CALLS_SCANNED);
    for (int call = last + 1; call <= last + CALLS_TO_COME; call++)
        filter_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0, NULL);
}

static void filter_fill(struct filter *filter)
{
    /* Calls that libc must not find come first: clone3 is in the library's list, and what it would
     * start cannot be looked into; libc falls back to clone. */
    conditions_fill(filter);
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
