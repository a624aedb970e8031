/*
 * The commands of the program, by the word that comes first on its line.
 */
#ifndef PX_MAIN_FLAGS_COMMAND_H
#define PX_MAIN_FLAGS_COMMAND_H

#include "main/flags/options.h"

struct command_row {
    const char *name; /* NULL: the last */
    enum command command;
    const char *words; /* what stands behind its flags */
};

extern const struct command_row command_rows[];

/* The row of a word, or NULL. */
const struct command_row *command_find(const char *word);

/* What is said of a word that is no command, and which was meant: PX_ERR_INVALID. */
PX_MUST_CHECK px_err command_unknown(const char *word, px_error *out_error);

#endif
