/*
 * One line with every counter, in the order in which docs/OPERATIONS.md explains them.
 */
#include "main/observe/report.h"

#include <inttypes.h>

#include "main/diagnostics.h"

void report_counters(const px_counters *counters)
{
    diagnostics_tell(
        LEVEL_INFO,
        "counters: accepted %" PRIu64 ", open %" PRIu64 ", requests %" PRIu64 ", 1xx %" PRIu64
        ", 2xx %" PRIu64 ", 3xx %" PRIu64 ", 4xx %" PRIu64 ", 5xx %" PRIu64 ", refused %" PRIu64
        ", shed %" PRIu64 ", turned away %" PRIu64 ", timed out %" PRIu64 ", aborted %" PRIu64
        ", cut %" PRIu64 ", accept errors %" PRIu64 ", bytes received %" PRIu64
        ", bytes sent %" PRIu64 ", longest tick %" PRIu64 " us (%" PRIu64 " callbacks, %" PRIu64
        " bytes), ticks %" PRIu64 ", handshakes %" PRIu64 " (%" PRIu64 " resumed, %" PRIu64
        " failed)",
        counters->accepted, counters->open, counters->requests, counters->responses[1],
        counters->responses[2], counters->responses[3], counters->responses[4],
        counters->responses[5], counters->refused, counters->shed, counters->turned_away,
        counters->timed_out, counters->aborted, counters->cut, counters->accept_errors,
        counters->bytes_received, counters->bytes_sent, counters->longest_tick_us,
        counters->longest_tick_callbacks, counters->longest_tick_bytes, counters->ticks,
        counters->handshakes, counters->handshakes_resumed, counters->handshakes_failed);
}

void report_cut(const px_counters *counters)
{
    if (counters->cut > 0)
        diagnostics_tell(LEVEL_WARNING,
                         "%" PRIu64 " request%s cut short, by --timeout-drain or a second signal",
                         counters->cut, counters->cut == 1 ? " was" : "s were");
}
