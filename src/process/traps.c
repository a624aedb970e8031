/*
 * Noting the call that ended a process.
 *
 * The happy path is that nothing ever happens.  The handler runs on whatever thread made the call,
 * so it uses nothing but atomics, and ends the process by a second SIGSYS, which finds the default
 * action in place.
 */
#include "process/traps.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"

enum { CODE_OF_SECCOMP = 1 }; /* SYS_SECCOMP of the kernel, which not every libc has */

/* Pid and call are one word, so that there is no entry with one of two. */
struct traps {
    _Atomic unsigned next;
    _Atomic uint64_t notes[TRAPS_MAX]; /* pid << 32 | call; 0: none */
};

/* What the handler writes to: borrowed, mapped for the life of the process. */
static struct traps *_Atomic traps_caught;

struct traps *traps_create(void)
{
    void *memory =
        mmap(NULL, sizeof(struct traps), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

void traps_destroy(struct traps *traps)
{
    if (traps)
        munmap(traps, sizeof(*traps));
}

static void on_trap(int signal_number, siginfo_t *info, void *context)
{
    struct traps *traps = atomic_load(&traps_caught);

    (void)context;
    if (traps && info->si_code == CODE_OF_SECCOMP) {
        unsigned at = atomic_fetch_add(&traps->next, 1) % TRAPS_MAX;
        uint64_t pid = (uint32_t)getpid();

        atomic_store(&traps->notes[at], pid << 32 | (uint32_t)info->si_syscall);
    }
    /* The default action is in place again, and the signal is not blocked here. */
    raise(signal_number);
}

px_err traps_catch(struct traps *traps, px_error *out_error)
{
    struct sigaction action = {.sa_sigaction = on_trap,
                               .sa_flags = SA_SIGINFO | (int)SA_RESETHAND | SA_NODEFER};
    sigset_t set;

    atomic_store(&traps_caught, traps);
    sigemptyset(&action.sa_mask);
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    if (sigaction(SIGSYS, &action, NULL) != 0 || sigprocmask(SIG_UNBLOCK, &set, NULL) != 0)
        return error_set(out_error, error_category(errno), errno, "cannot catch SIGSYS: %s",
                         strerror(errno));
    return error_clear(out_error);
}

bool traps_take(struct traps *traps, pid_t pid, int *out_call)
{
    for (unsigned i = 0; traps && i < TRAPS_MAX; i++) {
        uint64_t note = atomic_load(&traps->notes[i]);

        if (note >> 32 != (uint32_t)pid || pid <= 0)
            continue;
        atomic_store(&traps->notes[i], 0);
        *out_call = (int)(uint32_t)note;
        return true;
    }
    return false;
}
