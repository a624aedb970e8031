/*
 * From what a configuration says of the process to the options that a command line would have.
 */
#ifndef PX_MAIN_RUN_OPTIONS_H
#define PX_MAIN_RUN_OPTIONS_H

#include "config/config.h"
#include "main/flags/options.h"

/* Fills in `options`, which has what the command line says.  Texts are the configuration's.  What
 * cannot be is noted in its report: then false. */
bool run_options_fill(struct config *config, struct options *options);

#endif
