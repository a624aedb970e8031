/*
 * Loading a configuration: from the name of a file to a tree in which every include, define, use
 * and variable is resolved.
 *
 * The happy path: config_load_init, config_load_read, and the tree is read by others until
 * config_load_deinit.  Wrong text is noted in the report, at its place, and reading goes on, so
 * that all errors are told at once.
 */
#ifndef PX_CONFIG_LOAD_H
#define PX_CONFIG_LOAD_H

#include "config/report.h"
#include "config/tree.h"
#include "pollux/error.h"

enum {
    CONFIG_FILE_BYTES_MAX = 4 * 1024 * 1024,     /* one file */
    CONFIG_ARENA_BYTES_MAX = 1024 * 1024 * 1024, /* all that a load keeps; a backstop */
    CONFIG_DEPTH_MAX = 16,                       /* blocks in blocks */
    CONFIG_INCLUDE_DEPTH_MAX = 8,
    /* All files together, and what uses of defines multiply to. */
    CONFIG_STATEMENT_COUNT_MAX = 4 * 1024 * 1024,
    CONFIG_VARIABLE_DEPTH_MAX = 8, /* variables in defaults of variables */
};

/* How files and the environment are read; tests bring their own. */
enum path_kind { PATH_NOTHING, PATH_FILE, PATH_FOLDER };

struct config_reader {
    /* Reads a whole file into the arena; text ends in NUL.  PX_OK, or PX_ERR_NOT_FOUND,
     * PX_ERR_PERMISSION, PX_ERR_LIMIT (more than bytes_max), PX_ERR_MEMORY, PX_ERR_SYSTEM with the
     * reason as text. */
    px_err (*read)(void *context, const char *path, size_t bytes_max, struct arena *arena,
                   px_str *out_text, px_error *out_error);
    /* The files that a pattern names, sorted.  As above; no match is PX_OK and a count of 0. */
    px_err (*list)(void *context, const char *pattern, struct arena *arena,
                   const char *const **out_names, uint32_t *out_count, px_error *out_error);
    /* A variable of the environment, or NULL.  Borrowed until the next call. */
    const char *(*variable)(void *context, const char *name);
    void *context;
    /* What a path is.  NULL: that cannot be told. */
    enum path_kind (*kind)(void *context, const char *path);
};

struct config_load {
    const struct config_reader *reader; /* borrowed */
    struct arena arena;
    struct config_report report;
    struct config_file *files;           /* newest first */
    struct config_statement *statements; /* the tree */
    uint32_t statement_count;
    bool is_torn;    /* noted: blocks do not end where they should, so nothing more can be told */
    bool is_partial; /* noted: what a file or a use would have said is not in the tree */
    bool is_top_partial; /* noted: some statement at the top is not understood (check.c) */
};

void config_load_init(struct config_load *load, const struct config_reader *reader,
                      const px_allocator *allocator);
void config_load_deinit(struct config_load *load);

/* Reads the file and all that it includes.  PX_OK, or PX_ERR_MALFORMED with a report that says what
 * is wrong. */
PX_MUST_CHECK px_err config_load_read(struct config_load *load, const char *path);

/* The place of what is wrong with the configuration as a whole: its first file. */
struct config_place config_whole(const struct config_load *load);

/* A path as a file means it: relative to the folder that the file is in.  NULL without memory. */
const char *config_path(struct config_load *load, const struct config_file *file, px_str path);

/* --- Between the files of a load -------------------------------------------------------------- */

/* Memory that lives as long as the load, or NULL, which is noted. */
void *load_take(struct config_load *load, size_t bytes);
px_str load_copy(struct config_load *load, px_str text);

/* Reads one file.  `from` is the statement that names it, NULL for the first.  NULL: noted. */
struct config_file *load_file(struct config_load *load, const char *path,
                              const struct config_value *from);

/* Appends a file's statements (parse.c). */
void config_parse(struct config_load *load, const struct config_file *file,
                  struct config_statement ***tail);

/* Replaces escapes and variables of a value (value.c); false: noted. */
bool config_value_read(struct config_load *load, struct config_value *value);

/* The place of some characters of a value's spelling; `at` is in it. */
struct config_place config_value_place(const struct config_value *value, const char *at,
                                       uint32_t length);

/* Puts files in the place of `include`, and defines in that of `use` (expand.c). */
void config_expand(struct config_load *load);

#endif
