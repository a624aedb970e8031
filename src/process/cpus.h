/*
 * How many workers this process deserves: the CPUs of its affinity mask, capped by the quota of its
 * control group (a container with two CPUs on a host with sixty-four should not fork sixty-four).
 */
#ifndef PX_PROCESS_CPUS_H
#define PX_PROCESS_CPUS_H

#include <stdint.h>

/* At least 1. */
uint32_t cpus_usable(void);

/* CPUs that a cgroup v2 `cpu.max` allows ("max 100000", "150000 100000"), rounded up; 0 when it
 * sets no quota or is not of that form. */
uint32_t cpus_of_cpu_max(const char *text);

/* The same for version 1: `cpu.cfs_quota_us` ("-1" for none) and `cpu.cfs_period_us`. */
uint32_t cpus_of_cfs(const char *quota, const char *period);

/* The smallest quota from a control group up to the root, 0 when there is none.
 * `membership` is the text of /proc/self/cgroup, `mount` the folder /sys/fs/cgroup. */
uint32_t cpus_quota(const char *membership, const char *mount);

#endif
