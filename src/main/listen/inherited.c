/*
 * Inherited descriptors that are wanted: those that a service manager passes (sd_listen_fds(3)),
 * what a predecessor hands over, and numbers on the command line.  What else a shell or a
 * supervisor had open is none of our workers' business.
 */
#include "main/listen/inherited.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "main/diagnostics.h"
#include "main/listen/address.h"
#include "pollux/str.h"
#include "process/board.h"
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

/* Whether one of the numbers with commas between them is that. */
static bool environment_lists(const char *name, int fd)
{
    const char *at = getenv(name);

    for (; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (number_behind(at, "") == fd)
            return true;
    return false;
}

/* How many descriptors are for this process, from LISTEN_FD_FIRST on. */
static long passed_count(void)
{
    long pid = environment_number("LISTEN_PID");

    return pid < 0 || pid == (long)getpid() ? environment_number("LISTEN_FDS") : 0;
}

static bool is_kept(int fd, void *context)
{
    static const char *const marks[] = {"fd:", "/fd/"};
    char *const *words = context;

    if (fd >= LISTEN_FD_FIRST && fd < LISTEN_FD_FIRST + passed_count())
        return true;
    if (environment_number(SUCCESSOR_VARIABLE) == fd ||
        environment_number(SUCCESSOR_LOG_VARIABLE) == fd || environment_lists(BOARD_VARIABLE, fd))
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

/* The name at an index of a list with colons; NULL: there are fewer. */
static px_str name_at(const char *names, int index)
{
    CHECK(index >= 0);
    while (names && index-- > 0) {
        names = strchr(names, ':');
        names = names ? names + 1 : NULL;
    }
    return names ? px_str_make(names, strcspn(names, ":")) : px_str_make(NULL, 0);
}

/* The first descriptor of a name has it; a further one can be named by its number alone. */
static bool is_first_of_name(const char *names, int index)
{
    px_str name = name_at(names, index);

    for (int before = 0; before < index; before++)
        if (px_str_equal(name_at(names, before), name))
            return false;
    return name.ptr != NULL;
}

static bool is_listened_on(int fd, const char *const *addresses, uint32_t count)
{
    const char *names = getenv("LISTEN_FDNAMES");
    int index = fd - LISTEN_FD_FIRST;

    CHECK(fd >= LISTEN_FD_FIRST); /* stdin, stdout and stderr are not passed */
    for (uint32_t i = 0; i < count; i++) {
        const char *address = address_bare(addresses[i]);

        if (strncmp(address, "fd:", 3) != 0)
            continue;
        if (number_behind(address, "fd:") == fd ||
            (is_first_of_name(names, index) &&
             px_str_equal(name_at(names, index), px_str_of(address + 3))))
            return true;
    }
    return false;
}

void inherited_close_unnamed(const char *const *addresses, uint32_t count)
{
    const char *names = getenv("LISTEN_FDNAMES");
    long passed = getenv(SUCCESSOR_VARIABLE) ? 0 : passed_count();

    for (int fd = LISTEN_FD_FIRST; fd < LISTEN_FD_FIRST + passed; fd++) {
        int is_listening = 0;
        socklen_t bytes = sizeof(is_listening);
        px_str name = name_at(names, fd - LISTEN_FD_FIRST);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &bytes) != 0 ||
            !is_listening || is_listened_on(fd, addresses, count))
            continue;
        diagnostics_tell(LEVEL_WARNING,
                         "inherited socket %d (%.*s) is closed: no --listen names it (add "
                         "--listen fd:%d)",
                         fd, (int)name.len, name.ptr ? name.ptr : "", fd);
        close(fd);
    }
}
