/*
 * Lines on stderr.
 *
 * The happy path is one write of one whole line.  A stderr that is a full pipe must not stall a
 * server, so a line that finds no room is dropped.  Bytes that a terminal would obey are replaced.
 */
#include "main/diagnostics.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pollux/fatal.h"

enum {
    LINE_BYTES_MAX = 1024 /* below PIPE_BUF: a ready pipe takes it whole */
};

void diagnostics_say(const char *format, ...)
{
    static const char name[] = "pollux: ";
    char line[LINE_BYTES_MAX];
    struct pollfd wait = {.fd = STDERR_FILENO, .events = POLLOUT};
    size_t len = sizeof(name) - 1;
    va_list arguments;

    snprintf(line, sizeof(line), "%s", name);
    va_start(arguments, format);
    int text_len = vsnprintf(line + len, sizeof(line) - len - 1, format, arguments);
    va_end(arguments);
    if (text_len < 0)
        return;
    len += (size_t)text_len;
    if (len > sizeof(line) - 2)
        len = sizeof(line) - 2;

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
            line[i] = '?';
    line[len++] = '\n';
    if (poll(&wait, 1, 0) == 1 && (wait.revents & POLLOUT))
        if (write(STDERR_FILENO, line, len) < 0)
            return; /* nobody is left to tell */
}

/* The library found its own state broken; it aborts when this returns. */
void px_on_fatal(const char *file, int line, const char *condition)
{
    diagnostics_say("internal error: %s:%d: %s", file, line, condition);
}
