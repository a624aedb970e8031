/*
 * One line with every counter, in the order in which docs/OPERATIONS.md explains them.
 */
#include "main/observe/report.h"

#include <inttypes.h>

#include "main/diagnostics.h"

void report_counters(const px_counters *is)
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
        is->accepted, is->open, is->requests, is->responses[1], is->responses[2], is->responses[3],
        is->responses[4], is->responses[5], is->refused, is->shed, is->turned_away, is->timed_out,
        is->aborted, is->cut, is->accept_errors, is->bytes_received, is->bytes_sent,
        is->longest_tick_us, is->longest_tick_callbacks, is->longest_tick_bytes, is->ticks,
        is->handshakes, is->handshakes_resumed, is->handshakes_failed);
}

void report_cut(const px_counters *is)
{
    if (is->cut > 0)
        diagnostics_tell(LEVEL_WARNING,
                         "%" PRIu64 " request%s cut short, by --timeout-drain or a second signal",
                         is->cut, is->cut == 1 ? " was" : "s were");
}
