/*
 * What the program counts beside the library: its workers, reloads, log and certificates.
 */
#ifndef PX_MAIN_COUNTS_H
#define PX_MAIN_COUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pollux/metrics.h"
#include "pollux/tls.h"

/* The program's metrics, in the order of the table in counts.c. */
enum count {
    COUNT_BUILD,
    COUNT_START,
    COUNT_WORKERS,
    COUNT_GENERATION,
    COUNT_RESTARTS,
    COUNT_RELOAD_SUCCESS,
    COUNT_RELOAD_TIME,
    COUNT_LOG_DROPPED,
    COUNT_SPANS,
    COUNT_CERTIFICATES,
    COUNT_CPU,
    COUNT_RESIDENT,
    COUNT_VIRTUAL,
    COUNT_VIRTUAL_MAX,
    COUNT_FDS,
    COUNT_FDS_MAX,
    COUNT_BEGAN,
    COUNT_COUNT
};

struct counts {
    px_metrics *metrics; /* owned */
    px_metric at[COUNT_COUNT];
    int64_t started;
    int statm_fd;        /* owned: /proc/self/statm of a process that serves; -1: none */
    int fds_fd;          /* owned: /proc/self/fd, likewise */
    uint64_t cpu_us;     /* as it was counted */
    int64_t looked_time; /* at this process, in unix time */
};

/* Makes the table: PX_OK, or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err counts_init(struct counts *counts, px_error *out_error);
void counts_deinit(struct counts *counts);

static inline void counts_set(struct counts *counts, enum count count, uint64_t value)
{
    px_metric_set(counts->metrics, counts->at[count], 0, value);
}

static inline void counts_add(struct counts *counts, enum count count, uint64_t value)
{
    px_metric_add(counts->metrics, counts->at[count], 0, value);
}

/* What holds for the whole program: of its first process. */
void counts_begin(struct counts *counts, uint32_t worker_count);

/* A worker has ended that was not told to. */
void counts_death(struct counts *counts, int status);

/* A reload has come to its end, at unix time `now`. */
void counts_reload(struct counts *counts, bool is_done, int64_t now);

/* When each certificate ends.  NULL is fine. */
void counts_certificates(struct counts *counts, const px_tls *tls);

/* One line with the sum of all; and what the end has cut, if anything. */
void counts_report(const struct counts *counts);
void counts_report_cut(const struct counts *counts);

/* In a process that serves, before its sandbox: opens what its memory is read from. */
void counts_open(struct counts *counts);

/* Its processor time and memory, at most once a second. */
void counts_look(struct counts *counts, int64_t now);

#endif
