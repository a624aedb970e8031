/*
 * Inherited descriptors that are wanted: those that a service manager passes (sd_listen_fds(3)),
 * what a predecessor hands over, and numbers on the command line.  What else a shell or a
 * supervisor had open is none of our workers' business.
 */
#include "main/inherited.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "process/descriptors.h"
#include "process/successor.h"

enum { LISTEN_FD_FIRST = 3 };

/* The number right behind `mark` in a word, or -1. */
static long number_behind(const char *word, const char *mark)
{
    const char *at = strstr(word, mark);

    if (!at)
        return -1;
    at += strlen(mark);
    return *at < '0' || *at > '9' ? -1 : strtol(at, NULL, 10);
}

static long environment_number(const char *name)
{
    const char *text = getenv(name);

    return text ? number_behind(text, "") : -1;
}

static bool is_kept(int fd, void *context)
{
    static const char *const marks[] = {"fd:", "/fd/"};
    char *const *words = context;
    long pid = environment_number("LISTEN_PID");
    long count = environment_number("LISTEN_FDS");

    if (fd >= LISTEN_FD_FIRST && fd < LISTEN_FD_FIRST + count && (pid < 0 || pid == (long)getpid()))
        return true;
    if (environment_number(SUCCESSOR_VARIABLE) == fd ||
        environment_number(SUCCESSOR_LOG_VARIABLE) == fd)
        return true;
    for (size_t i = 0; words[i]; i++)
        for (size_t mark = 0; mark < ARRAY_COUNT(marks); mark++)
            if (number_behind(words[i], marks[mark]) == fd)
                return true;
    return false;
}

void inherited_close_foreign(char *const *words)
{
    descriptors_close_foreign(is_kept, (void *)(uintptr_t)words);
}
