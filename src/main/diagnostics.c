/*
 * Lines on stderr.
 *
 * The happy path is one write of one whole line.  A stderr that is a full pipe must not stall a
 * server, so a line that finds no room is dropped.  Bytes that a terminal would obey are escaped.
 */
#include "main/diagnostics.h"

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/text.h"
#include "pollux/fatal.h"
#include "process/spoken.h"

enum {
    LINE_BYTES_MAX = 1024, /* below PIPE_BUF: a ready pipe takes it whole */
    STREAM_BYTES = 48,     /* two numbers of 64 bits, a colon, NUL */
};

/* Whether stderr is a stream of the journal: JOURNAL_STREAM names its device and inode, and is
 * inherited by programs whose stderr is another one.  See systemd.exec(5), sd-daemon(3). */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char mine[STREAM_BYTES];
    struct stat status;

    if (!stream || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(mine, sizeof(mine), "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return strcmp(stream, mine) == 0;
}

/* "2026-01-02T03:04:05.678Z warning pollux[4711]: ". */
static int log_prefix(char *out, size_t room, enum diagnostics_level level)
{
    static const char *const names[] = {
        [LEVEL_CRITICAL] = "critical", [LEVEL_ERROR] = "error", [LEVEL_WARNING] = "warning",
        [LEVEL_NOTICE] = "notice",     [LEVEL_INFO] = "info",   [LEVEL_DEBUG] = "debug"};
    struct timespec now;
    struct tm tm;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    return snprintf(out, room,
                    "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s pollux[%ld]: ", tm.tm_year + 1900,
                    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                    now.tv_nsec / 1000000, names[level], (long)getpid());
}

static void say(enum diagnostics_level level, const char *format, va_list arguments)
    PX_PRINTF(2, 0);

static void say(enum diagnostics_level level, const char *format, va_list arguments)
{
    char line[LINE_BYTES_MAX], said[LINE_BYTES_MAX];
    struct pollfd wait = {.fd = STDERR_FILENO, .events = POLLOUT};
    const struct spoken spoken = spoken_as();

    /* Lines of `debug` were asked for by the clients' names. */
    if ((int)level > spoken.level_max && level != LEVEL_DEBUG)
        return;
    int len = snprintf(line, sizeof(line), "pollux: ");

    if (spoken.is_log)
        len = log_prefix(line, sizeof(line), level);
    else if (is_journal())
        len = snprintf(line, sizeof(line), "<%d>pollux: ", (int)level);
    struct text line_text = {.ptr = line, .len = (size_t)len, .room = sizeof(line) - 1};

    CHECK(line_text.len < line_text.room);
    vsnprintf(said, sizeof(said), format, arguments);
    text_put_escaped(&line_text, px_str_of(said), TEXT_LINE);
    line[line_text.len++] = '\n';
    if (poll(&wait, 1, 0) == 1 && (wait.revents & POLLOUT))
        if (write(STDERR_FILENO, line, line_text.len) < 0)
            return; /* there is nothing left to tell */
}

void diagnostics_tell(enum diagnostics_level level, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(level, format, arguments);
    va_end(arguments);
}

void diagnostics_warn(const char *format, ...)
{
    char text[LINE_BYTES_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    diagnostics_tell(LEVEL_WARNING, "%s%s", spoken_as().is_log ? "" : "warning: ", text);
}

void diagnostics_say(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(LEVEL_ERROR, format, arguments);
    va_end(arguments);
}

/* The library found its own state broken; it aborts when this returns. */
void px_on_fatal(const char *file, int line, const char *condition)
{
    diagnostics_say("internal error: %s:%d: %s", file, line, condition);
}
