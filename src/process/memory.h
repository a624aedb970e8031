/*
 * How much memory this process may use: what the machine has, capped by the limit of its control
 * group (a container with 256 MiB on a host with 64 GiB should not fill caches for the host).
 */
#ifndef PX_PROCESS_MEMORY_H
#define PX_PROCESS_MEMORY_H

#include <stdint.h>

/* In bytes; UINT64_MAX where neither is known. */
uint64_t memory_usable(void);

/* The smallest limit from a control group up to the root, UINT64_MAX when there is none.
 * `membership` is the text of /proc/self/cgroup, `mount` the folder /sys/fs/cgroup. */
uint64_t memory_limit(const char *membership, const char *mount);

#endif
