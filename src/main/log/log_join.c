/*
 * Connecting logs anew.
 *
 * The happy path is one connect that changes nothing.  It fails while the receiver is gone; then
 * lines are lost, and counted by the processes that write them, until it succeeds.
 */
#include "main/log/log_join.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "main/diagnostics.h"
#include "main/log/log_sink.h"

enum { OTHERS_BYTES = 48 };

void log_join_look(struct log_join *join, const char *path, int fd, bool *is_gone)
{
    struct log_sink sink;
    px_error error;

    if (path && fd >= 0 && log_sink_is(path) && log_sink_read(path, &sink, &error) == PX_OK &&
        sink.is_unix)
        log_join_note(join, path, log_sink_join(&sink, fd), is_gone);
}

void log_join_note(struct log_join *join, const char *path, int failure, bool *is_gone)
{
    bool was_gone = *is_gone;

    CHECK(join->gone_count == 0 || join->gone);
    *is_gone = failure != 0;
    if (*is_gone == was_gone)
        return;
    if (failure == 0) {
        join->back = join->back ? join->back : path;
        join->back_count++;
        return;
    }
    if (!join->gone) {
        join->gone = path;
        join->failure = failure;
    }
    join->gone_count++;
}

/* " (and 3 other logs)", or nothing. */
static void others_write(char out[OTHERS_BYTES], uint32_t count)
{
    out[0] = '\0';
    if (count > 1)
        snprintf(out, OTHERS_BYTES, " (and %u other log%s)", count - 1, count == 2 ? "" : "s");
}

void log_join_tell(const struct log_join *join)
{
    char others[OTHERS_BYTES];

    if (join->gone_count > 0) {
        others_write(others, join->gone_count);
        diagnostics_tell(LEVEL_WARNING,
                         "%s%s has no receiver: %s; it is tried every second, and lines that are "
                         "lost are counted",
                         join->gone, others, strerror(join->failure));
    }
    if (join->back_count > 0) {
        others_write(others, join->back_count);
        diagnostics_tell(LEVEL_NOTICE, "%s%s has a receiver again", join->back, others);
    }
}
