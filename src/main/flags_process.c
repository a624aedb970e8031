/*
 * Flags of the processes: how many, as whom, how they end.
 */
#include "base/error.h"
#include "main/flag.h"
#include "main/values.h"

enum { WORKER_COUNT_MOST = 1024 };

static px_err set_workers(struct options *options, const struct flag *flag, const char *value,
                          px_error *out_error)
{
    uint64_t workers;

    (void)flag;
    if (!value_count(value, 0, WORKER_COUNT_MOST, &workers))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--workers %s: it is a number from 0 to 1024", value);
    options->process.workers = (uint32_t)workers;
    options->process.workers_given = true;
    return PX_OK;
}

const struct flag flags_process[] = {
    {"workers", 'w', "N", FOR_SERVING, set_workers, 0, "processes (default: the CPUs allowed)"},
    {"pid-file", 0, "PATH", FOR_SERVING, flag_set_path, FLAG_AT(process.pid_file),
     "written when it listens, removed at the end"},
    {"timeout-drain", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(process.drain_timeout_ms),
     "for answers in flight at the end (default 30s), or off"},
    {"user", 0, "[NAME]", FOR_SERVING, flag_set_later, 0, NULL},
    {"sandbox", 0, "[MODE]", FOR_SERVING, flag_set_later, 0, NULL},
    {0},
};
