/*
 * What a configuration file says, before anything of it is understood: statements with values and
 * blocks, each with its place.
 *
 * All of it lives in the arena of one load.  Texts end in NUL.
 */
#ifndef PX_CONFIG_TREE_H
#define PX_CONFIG_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

/* A text that was read, and the statement that asked for it. */
struct config_file {
    struct config_file *next;
    const char *name; /* as messages say it */
    px_str text;
    const struct config_file *from; /* the file that includes it; NULL: the first */
    uint32_t from_line;
    uint32_t depth; /* how many includes led here */
};

/* Some characters of a line.  Lines and columns count from 1, columns in characters. */
struct config_place {
    const struct config_file *file;
    uint32_t line;
    uint32_t column;
    uint32_t length; /* in characters; 0: the end of the text */
};

enum config_quote {
    QUOTE_NONE,   /* bare */
    QUOTE_DOUBLE, /* "with escapes" */
    QUOTE_RAW     /* `as it stands` */
};

struct config_value {
    px_str text;     /* escapes and variables replaced */
    px_str spelling; /* as it stands in the file */
    struct config_place place;
    enum config_quote quote;
    bool from_file; /* a ${file:...} is in it: nothing prints what came out */
};

struct config_statement {
    struct config_statement *next;
    struct config_value name;
    struct config_value *values;
    uint32_t value_count;
    bool is_wrong; /* noted: not all of its values could be read */
    bool has_block;
    struct config_place open; /* of the brace that begins the block */
    struct config_statement *children;
};

/* Statements are appended at a tail that points at the place of the next one. */
static inline void statement_append(struct config_statement ***tail,
                                    struct config_statement *statement)
{
    **tail = statement;
    *tail = &statement->next;
}

#endif
