/*
 * From options to the numbers that a master goes by: defaults filled in, off as it is meant there.
 */
#include "main/processes.h"

#include <string.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/limits.h"
#include "main/diagnostics.h"
#include "main/worker/beats.h"
#include "pollux/stream.h"
#include "process/cpus.h"
#include "process/memory.h"

enum {
    START_TIMEOUT_MS_DEFAULT = 60 * 1000,
};

uint32_t processes_count(const struct options *options)
{
    return options->process.workers_given ? options->process.workers : cpus_usable();
}

uint32_t processes_slots(const struct options *options, uint32_t taken_over, uint32_t *out_workers)
{
    uint32_t workers = processes_count(options), slots = workers == 0 ? 1 : workers;

    if (workers != 0 && options->process.max_workers > slots)
        slots = options->process.max_workers;
    if (taken_over > 0)
        slots = taken_over; /* their sockets exist */
    *out_workers = workers < slots ? workers : slots;
    return slots;
}

uint64_t processes_memory(const struct options *options, uint32_t worker_count)
{
    uint64_t given = options->server.memory_bytes_max;
    uint64_t share = memory_usable() / 4 * 3 / (worker_count > 0 ? worker_count : 1);

    if (given != 0)
        return given;
    return share > MEMORY_BYTES_MIN ? share : MEMORY_BYTES_MIN;
}

struct supervisor_plan processes_plan(const struct options *options, uint32_t worker_count,
                                      uint32_t slot_count)
{
    const struct process_options *process = &options->process;

    CHECK(worker_count > 0 && worker_count <= slot_count);
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

/* Whether only the machine itself reaches an address; one that is none is refused elsewhere. */
static bool is_local(const char *address)
{
    static const char *const local[] = {"unix:", "fd:", "127.", "localhost:", "[::1]:"};
    px_error error;

    if (px_address_check(address, &error) != PX_OK)
        return true;

    for (size_t i = 0; i < ARRAY_COUNT(local); i++)
        if (strncmp(address, local[i], strlen(local[i])) == 0)
            return true;
    return false;
}

void processes_warn(const struct options *options)
{
    if (options->metrics && !is_local(options->metrics))
        diagnostics_tell(LEVEL_WARNING,
                         "metrics and status are served at %s to all that reach it: name a "
                         "loopback address or a unix socket, or keep others off there",
                         options->metrics);
    /* A configuration is told so at its place. */
    if (options->proxy.trusted_count > 0 && !options->proxy.protocol && !options->run.config &&
        options->server.forwarded == PX_FORWARDED_EITHER)
        diagnostics_tell(LEVEL_WARNING,
                         "--trust-proxy without --proxy-header: a client can send the field that "
                         "its proxy does not set, and is then logged as the proxy; name the one it "
                         "sets");
}
