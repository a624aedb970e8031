/*
 * Writing statements of a configuration: names, values that are read as they were given, blocks.
 */
#ifndef PX_MAIN_PRINT_TEXT_H
#define PX_MAIN_PRINT_TEXT_H

#include <limits.h>

#include "base/buf.h"
#include "config/schema/schema.h"

struct print {
    struct buf *out; /* borrowed */
    px_err err;      /* the first that came up; nothing is written behind it */
    uint32_t depth;
    const char *folder; /* borrowed: the one that paths of the command line are relative to */
};

/* A statement: its name, then values, then its end or its block. */
void print_begin(struct print *print, const char *name);
void print_end(struct print *print);
void print_open(struct print *print);
void print_close(struct print *print);

/* A word of ours, as it stands. */
void print_word(struct print *print, const char *word);
/* A text of the command line. */
void print_value(struct print *print, px_str text);
/* The same, where braces begin a placeholder: they are doubled. */
void print_literal(struct print *print, px_str text);
/* A path of the command line, from the root: the file may be kept anywhere. */
void print_path(struct print *print, const char *path);
/* NAME=VALUE; the value of an option is a text, a path or a number. */
void print_option(struct print *print, const char *name, px_str value);
void print_option_path(struct print *print, const char *name, const char *path);
/* A number as a directive of that type would have it: 32k, 500ms, off. */
void print_number(struct print *print, const char *option, enum config_type type, bool is_off,
                  uint64_t number);

/* A statement of one word, or one value. */
void print_line(struct print *print, const char *name, const char *word);

#endif
