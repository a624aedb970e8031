/*
 * Deaths of workers, as lines.
 *
 * The happy path is that there are none.  A program that crashes as soon as it serves must not fill
 * the disk of its log, and what the kernel killed for want of memory must not look like a hand that
 * sent SIGKILL: the counter of the control group tells.
 */
#include "main/observe/deaths.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "main/diagnostics.h"
#include "main/worker/confinement.h"

enum { EVENTS_BYTES = 512, PATH_BYTES = 512 };

/* The text of a small file, or none. */
static bool text_read(const char *path, char *out_text, size_t bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, out_text, bytes - 1);

    CHECK(bytes > 1);
    if (fd >= 0)
        close(fd);
    if (len < 0)
        return false;
    out_text[len] = '\0';
    return true;
}

/* "oom_kill N" of the control group, version 2; 0 where it cannot be known. */
static uint64_t oom_kills(void)
{
    char group[PATH_BYTES];
    char path[PATH_BYTES + 64];
    char events[EVENTS_BYTES];
    const char *found;

    if (!text_read("/proc/self/cgroup", group, sizeof(group)))
        return 0;
    found = strstr(group, "0::/");
    if (!found)
        return 0;
    snprintf(path, sizeof(path), "/sys/fs/cgroup%.*s/memory.events", (int)strcspn(found + 3, "\n"),
             found + 3);
    if (!text_read(path, events, sizeof(events)))
        return 0;
    found = strstr(events, "oom_kill ");
    return found ? strtoull(found + 9, NULL, 10) : 0;
}

void deaths_init(struct deaths *deaths)
{
    *deaths = (struct deaths){.oom_kills = oom_kills()};
}

static bool is_out_of_memory(struct deaths *deaths)
{
    uint64_t now = oom_kills();
    bool has_grown = now > deaths->oom_kills;

    deaths->oom_kills = now;
    return has_grown;
}

void deaths_look(struct deaths *deaths, uint64_t now_ms)
{
    CHECK(deaths->count == 0 || now_ms >= deaths->since_ms);
    if (deaths->count == 0 || now_ms - deaths->since_ms < DEATHS_WINDOW_MS)
        return;
    if (deaths->count > DEATHS_SAID_MAX)
        diagnostics_say("%u workers died in %d s", deaths->count, DEATHS_WINDOW_MS / 1000);
    deaths->count = 0;
}

void deaths_tell(struct deaths *deaths, const struct sandbox *sandbox, pid_t pid, int status,
                 uint64_t now_ms)
{
    CHECK(pid > 0);
    deaths_look(deaths, now_ms);
    if (deaths->count++ == 0)
        deaths->since_ms = now_ms;
    if (deaths->count > DEATHS_SAID_MAX)
        return;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && is_out_of_memory(deaths))
        diagnostics_say("worker %ld was killed by the kernel: its control group is out of memory",
                        (long)pid);
    else
        confinement_tell_death(sandbox, pid, status);
    if (deaths->count == DEATHS_SAID_MAX)
        diagnostics_say("workers die one after the other; more of it is said in one line each %d s",
                        DEATHS_WINDOW_MS / 1000);
}
