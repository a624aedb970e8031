/*
 * What a service manager is told, sd_notify(3): a datagram of NAME=VALUE lines to NOTIFY_SOCKET.
 */
#ifndef PX_PROCESS_NOTIFY_H
#define PX_PROCESS_NOTIFY_H

#include <stdint.h>

#include "pollux/error.h"

struct notify {
    int fd;               /* owned; -1: there is nothing to be told */
    uint32_t watchdog_ms; /* how often WATCHDOG=1 is due; 0: never */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID of the environment. */
void notify_init(struct notify *notify);
void notify_deinit(struct notify *notify);

/* Sends lines, formatted.  What cannot be delivered is lost: the service manager notices by itself.
 */
void notify_send(const struct notify *notify, const char *format, ...) PX_PRINTF(2, 3);

/* "RELOADING=1" with the time that systemd wants beside it (Type=notify-reload). */
void notify_reloading(const struct notify *notify);

#endif
