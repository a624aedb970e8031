/*
 * Which commands there are.
 */
#include "main/flags/command.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/flags/suggest.h"

const struct command_row command_rows[] = {
    {"respond", COMMAND_RESPOND, " [TEXT]"},
    {"healthcheck", COMMAND_HEALTHCHECK, " URL"},
    {"files", COMMAND_FILES, " [DIR]"},
    {"proxy", COMMAND_PROXY, " URL..."},
    {"run", COMMAND_RUN, ""},
    {"check", COMMAND_CHECK, ""},
    {"config", COMMAND_CONFIG, ""},
    {"fmt", COMMAND_FMT, " [FILE]"},
    {"reload", COMMAND_RELOAD, ""},
    {0},
};

const struct command_row *command_find(const char *word)
{
    CHECK(word);
    for (const struct command_row *row = command_rows; row->name; row++)
        if (strcmp(word, row->name) == 0)
            return row;
    return NULL;
}

px_err command_unknown(const char *word, px_error *out_error)
{
    struct suggestion near = suggest(word, strlen(word));

    for (const struct command_row *row = command_rows; row->name; row++)
        suggest_try(&near, row->name);
    suggest_try(&near, "help");
    return error_set(out_error, PX_ERR_INVALID, 0,
                     "'%s' is not a command%s%s%s (see pollux --help)", word,
                     near.nearest ? ": did you mean " : "", near.nearest ? near.nearest : "",
                     near.nearest ? "?" : "");
}
