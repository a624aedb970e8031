/*
 * The help: one screen of 80 columns and 24 lines, the last of which is for the prompt, with what
 * most people need; and for each command all of its flags, from their tables.
 */
#include "main/flags/help.h"

#include <stdio.h>
#include <string.h>

#include "main/flags/flag.h"
#include "pollux/pollux.h"

static const char help_text[] =
    "Usage: pollux [FLAGS]                  as: pollux respond --log request [FLAGS]\n"
    "       pollux respond [FLAGS] [TEXT]   answer every request with TEXT\n"
    "       pollux files [FLAGS] [DIR]      serve a directory (default: this one)\n"
    "       pollux proxy [FLAGS] URL...     pass requests on to other servers\n"
    "       pollux healthcheck [FLAGS] URL  exit 0 if URL answers 2xx or 3xx, else 1\n"
    "       pollux run [-c FILE]            serve FILE (check, config, fmt, reload)\n"
    "       pollux help COMMAND             every flag of it, as COMMAND --help\n"
    "  -l, --listen ADDR   host:port, :port, [v6]:port, unix:/path, fd:NAME; repeat\n"
    "                      https://ADDR for TLS (default 0.0.0.0:8080, or $PORT)\n"
    "  -w, --workers N     processes (default: the CPUs allowed)\n"
    "  --status N, --type TYPE   of the answer (default 200, text/plain)\n"
    "  -H 'Name: value'    a further field of it, or --header; repeat\n"
    "  --log FORMAT        combined (of a COMMAND), json, ecs, request, off; stdout\n"
    "  --log-file PATH     in a file, which HUP and USR1 reopen\n"
    "  --pid-file PATH     written when it listens, removed at the end\n"
    "  --user NAME         the user of workers (started as root: nobody)\n"
    "  --sandbox=MODE      of workers: on (default), off, require\n"
    "  --max-connections N per worker; --timeout-head TIME, --timeout-idle TIME and\n"
    "                      more limits: pollux respond --help\n"
    "  -q, --quiet         do not say where it listens\n"
    "  -h, --help, -V, --version     TIME: seconds, or 500ms, 10s, 1m; SIZE: 64k, 1m\n"
    "Signals: TERM, INT, QUIT drain, twice: now; HUP reloads; USR1 counts and\n"
    "         reopens the log; USR2 replaces the program.\n";

static const char help_units[] = "TIME: seconds, or with a unit: 500ms, 10s, 1m, 2h.\n"
                                 "SIZE: bytes, or with a unit, times 1024: 64k, 1m, 2g.\n";

static int print(const char *text)
{
    return fputs(text, stdout) >= 0 && fflush(stdout) == 0 ? 0 : -1;
}

int help_print(void)
{
    return print(help_text);
}

/* "  -l, --listen ADDR" in a column of its own; what is longer pushes the text aside. */
static int print_flag(const struct flag *flag)
{
    char left[64];
    char letter[] = "    ";

    if (flag->letter != '\0')
        snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
    if (flag->value && flag->value[0] == '[')
        snprintf(left, sizeof(left), "%s--%s[=%.*s]", letter, flag->name,
                 (int)strlen(flag->value) - 2, flag->value + 1);
    else
        snprintf(left, sizeof(left), "%s--%s%s%s", letter, flag->name, flag->value ? " " : "",
                 flag->value ? flag->value : "");
    return printf("  %-26s  %s\n", left, flag->help) > 0 ? 0 : -1;
}

static const char *usage_of(enum command command)
{
    switch (command) {
    case COMMAND_RESPOND:
        return "respond [FLAGS] [TEXT]   answer every request with TEXT";
    case COMMAND_FILES:
        return "files [FLAGS] [DIR]   serve a directory";
    case COMMAND_PROXY:
        return "proxy [FLAGS] URL...   pass requests on to other servers";
    case COMMAND_HEALTHCHECK:
        return "healthcheck [FLAGS] URL   exit 0 if URL answers 2xx or 3xx, else 1";
    case COMMAND_RUN:
        return "run [FLAGS]   serve what a configuration file says";
    case COMMAND_CHECK:
        return "check [FLAGS]   say what is wrong with a configuration file; exit 0 or 78\n"
               "       pollux check [FLAGS] --explain METHOD URL   say what a request would meet";
    case COMMAND_CONFIG:
        return "config [FLAGS]   print what a configuration file says in full";
    case COMMAND_RELOAD:
        return "reload [FLAGS]   have a running pollux read its configuration anew, and wait";
    case COMMAND_FMT:
        return "fmt [FLAGS] [FILE]   write a configuration file in its one layout\n"
               "       FILE is that of pollux run where there is none, and stdin where it is -";
    case COMMAND_HELP:
    case COMMAND_VERSION:
        break;
    }
    return "COMMAND [FLAGS]";
}

int help_print_command(enum command command)
{
    int result = printf("Usage: pollux %s\n\n", usage_of(command)) > 0 ? 0 : -1;

    for (size_t group = 0; group < flag_group_count; group++)
        for (const struct flag *flag = flag_groups[group]; flag->name; flag++)
            if ((flag->commands & (1U << command)) && flag->help && print_flag(flag) != 0)
                result = -1;
    if (printf("\n%s", help_units) < 0)
        result = -1;
    return fflush(stdout) == 0 ? result : -1;
}

int help_print_version(void)
{
    return print("pollux " PX_VERSION_STRING "\n");
}
