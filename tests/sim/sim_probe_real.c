/*
 * The probe on the real kernel.  Loopback delivers within the call; the pause is for what does not.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "sim_probe.h"

void probe_settle(void)
{
    struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};

    nanosleep(&pause, NULL);
}

int main(void)
{
    char folder[] = "/tmp/sim_probe_XXXXXX";
    char path[sizeof(folder) + 8];

    signal(SIGPIPE, SIG_IGN);
    alarm(30);
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/socket", folder);
    probe_run(path);
    unlink(path);
    rmdir(folder);
    return 0;
}
