/*
 * How a configuration's files are read: from the file system, and variables from the environment.
 */
#ifndef PX_MAIN_RUN_READER_H
#define PX_MAIN_RUN_READER_H

#include "config/load.h"

extern const struct config_reader run_reader;

#endif
