/*
 * From options to the numbers that a master goes by: defaults filled in, off as it is meant there.
 */
#include "main/processes.h"

#include "base/limits.h"
#include "main/beats.h"
#include "main/diagnostics.h"
#include "process/cpus.h"

enum {
    START_TIMEOUT_MS_DEFAULT = 60 * 1000,
};

uint32_t processes_count(const struct options *options)
{
    return options->process.workers_given ? options->process.workers : cpus_usable();
}

struct supervisor_plan processes_plan(const struct options *options, uint32_t worker_count,
                                      uint32_t slot_count)
{
    const struct process_options *process = &options->process;

    return (struct supervisor_plan){
        .worker_count = worker_count,
        .slot_count = slot_count,
        .start_timeout_ms =
            process->start_timeout_ms == 0 ? START_TIMEOUT_MS_DEFAULT : process->start_timeout_ms,
        .hung_timeout_ms = beats_hung_ms(options),
        .drain_delay_ms = process->drain_delay_ms == PX_OFF ? 0 : process->drain_delay_ms,
        .drain_timeout_ms =
            process->drain_timeout_ms == 0 ? DRAIN_TIMEOUT_MS_DEFAULT : process->drain_timeout_ms};
}

void processes_warn(const struct options *options)
{
    if (options->proxy.trusted_count > 0 && !options->proxy.protocol &&
        options->server.forwarded == PX_FORWARDED_EITHER)
        diagnostics_tell(
            LEVEL_WARNING,
            "%s: a client can send the field that its proxy does not set, and is then logged as "
            "the proxy; name the one it sets",
            options->run.config ? "trusted_proxies without field=NAME"
                                : "--trust-proxy without --proxy-header");
}
