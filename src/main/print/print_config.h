/*
 * --print-config: the file for `pollux run` that says what a command line says.
 */
#ifndef PX_MAIN_PRINT_CONFIG_H
#define PX_MAIN_PRINT_CONFIG_H

#include "main/exit_code.h"
#include "main/flags/options.h"

/* Prints it on stdout.  What `pollux check` would say of it is said on stderr, and then nothing is
 * printed. */
enum exit_code print_config(const struct options *options);

#endif
