/*
 * Blocking signals before there is a loop to read them.
 */
#include "process/signals.h"

#include <stddef.h>

void signals_fill(sigset_t *out_set)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};

    sigemptyset(out_set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(out_set, numbers[i]);
}

void signals_block(void)
{
    sigset_t set;

    signals_fill(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    /* What our parent ignored would never arrive: INT in the background of a script, or CHLD, and
     * with it the death of a worker. */
    for (int number = 1; number < NSIG; number++)
        if (sigismember(&set, number) == 1)
            signal(number, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
}
