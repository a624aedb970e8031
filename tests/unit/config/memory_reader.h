/*
 * Files and an environment that are tables of texts.
 */
#ifndef PX_TESTS_UNIT_CONFIG_MEMORY_READER_H
#define PX_TESTS_UNIT_CONFIG_MEMORY_READER_H

#include "config/load.h"

struct memory_file {
    const char *name; /* NULL: the last */
    const char *text;
};

struct memory_reader {
    const struct memory_file *files;
    const struct memory_file *variables;
};

/* `memory` is borrowed. */
struct config_reader memory_reader(struct memory_reader *memory);

#endif
