/*
 * A build without libseccomp: it says so, and confines nothing.
 */
#include <stdio.h>

#include "base/error.h"
#include "process/seccomp.h"

const char *seccomp_lacks(void)
{
    return "this build has no seccomp";
}

px_err seccomp_enter(const struct seccomp_rules *rules, px_error *out_error)
{
    (void)rules;
    return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "this build has no seccomp");
}

void seccomp_name(int call, char out_name[SECCOMP_NAME_BYTES])
{
    snprintf(out_name, SECCOMP_NAME_BYTES, "system call %d", call);
}
