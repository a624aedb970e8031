/*
 * The help: one screen of 80 columns and 24 lines, the last of which is for the prompt.
 */
#include "main/help.h"

#include <stdio.h>

#include "pollux/pollux.h"

static const char help_text[] =
    "Usage: pollux [FLAGS]                  as: pollux respond --log request [FLAGS]\n"
    "       pollux respond [FLAGS] [TEXT]   answer every request with TEXT\n"
    "       pollux healthcheck [FLAGS] URL  exit 0 if URL answers 2xx or 3xx, else 1\n"
    "  -l, --listen ADDR   host:port, :port, [v6]:port, unix:/path, fd:NAME; repeat\n"
    "                      (default 0.0.0.0:8080, or 0.0.0.0:$PORT; port 0 picks one)\n"
    "  -w, --workers N     processes (default: the CPUs allowed)\n"
    "  --status N          status of the answer, 200 to 599 (default 200)\n"
    "  --type TYPE         its Content-Type (default text/plain)\n"
    "  -H 'Name: value'    a further field of it, or --header; repeat\n"
    "  --log FORMAT        combined (default), json, request, off; on stdout, or in\n"
    "  --log-file PATH     a file, which HUP and USR1 reopen\n"
    "  --pid-file PATH     written when it listens, removed at the end\n"
    "  --max-connections N, --max-fields N, --max-pipeline N       per worker\n"
    "  --max-head, --max-target, --max-content, --max-exchange, --max-output,\n"
    "  --max-inbox SIZE    bytes, or 64k, 1m, 2g\n"
    "  --timeout-head, --timeout-idle, --timeout-total, --timeout-linger,\n"
    "  --timeout-drain, --rate-window TIME    seconds, or 500ms, 10s, 1m, off\n"
    "  --rate-content, --rate-send N    least bytes a second, or off\n"
    "  --timeout TIME      of healthcheck (default 5s)\n"
    "  -q, --quiet         do not say where it listens\n"
    "  -h, --help, --version\n"
    "Signals: TERM, INT, QUIT drain, twice: now; HUP reopens the log; USR1 counts.\n";

static int print(const char *text)
{
    return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : -1;
}

int help_print(void)
{
    return print(help_text);
}

int help_print_version(void)
{
    return print("pollux " PX_VERSION_STRING "\n");
}
