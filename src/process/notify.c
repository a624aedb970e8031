/*
 * Telling a service manager, without its library.
 *
 * The happy path: the environment names a socket, by path or in the abstract namespace ('@'), and
 * each message is one datagram that is sent without waiting, over a socket that was connected
 * before a sandbox could forbid it.  A name that is no address, or where no process listens, means
 * that nothing is told.
 */
#include "process/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/number.h"

enum { NOTIFY_TEXT_BYTES = 512 };

/* A positive number of the environment, or 0. */
static uint64_t environment_number(const char *name)
{
    uint64_t number;

    return number_read(px_str_of(getenv(name)), UINT64_MAX, &number) ? number : 0;
}

void notify_deinit(struct notify *notify)
{
    if (notify->fd >= 0)
        close(notify->fd);
    notify->fd = -1;
}

void notify_init(struct notify *notify)
{
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    uint64_t pid = environment_number("WATCHDOG_PID");
    uint64_t usec = environment_number("WATCHDOG_USEC");

    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *notify = (struct notify){.fd = -1};
    if (len < 2 || len >= sizeof(address.sun_path) || (*path != '/' && *path != '@'))
        return;
    memcpy(address.sun_path, path, len);
    if (*path == '@')
        address.sun_path[0] = '\0';
    notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (notify->fd >= 0 && connect(notify->fd, (const struct sockaddr *)&address,
                                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) != 0)
        notify_deinit(notify);
    if (pid != 0 && pid != (uint64_t)getpid())
        return;
    /* Twice as often as asked for, as sd_watchdog_enabled(3) advises. */
    usec /= 2 * 1000;
    notify->watchdog_ms = usec > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)usec;
}

void notify_send(const struct notify *notify, const char *format, ...)
{
    char text[NOTIFY_TEXT_BYTES];
    va_list arguments;

    if (notify->fd < 0)
        return;
    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);

    va_end(arguments);
    if (len > 0 && (size_t)len < sizeof(text))
        (void)!send(notify->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void notify_reloading(const struct notify *notify)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    notify_send(notify, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading\n",
                (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
}
