/*
 * `pollux run`, and the commands about its file: check, config, fmt.
 */
#ifndef PX_MAIN_RUN_H
#define PX_MAIN_RUN_H

#include "main/exit_code.h"
#include "main/flags/options.h"

/* A file that was read, and what of it is about the process. */
struct run_file {
    uint64_t roots;         /* what its folders looked like when it was read (run_roots.h) */
    const char *path;       /* borrowed: of the command line, or static */
    struct config *config;  /* owned */
    struct options options; /* its texts are the configuration's and the command line's */
};

/* The file that the command line means: the one it names, else the one that is there. */
const char *run_file_find(const struct options *options);

/* Reads a file for a command line: what is wrong is in its configuration's report.  NULL without
 * memory, which was said. */
struct run_file *run_file_read(const struct options *options, const char *path);

/* The same of the file that the command line means, and says what is wrong on stderr: CODE_OK, or
 * there is no file. */
enum exit_code run_file_open(const struct options *options, struct run_file **out_file);
void run_file_close(struct run_file *file);

enum exit_code run_serve(const struct options *options);
enum exit_code run_check(const struct options *options);
enum exit_code run_config(const struct options *options);
enum exit_code run_reload(const struct options *options);
enum exit_code run_fmt(const struct options *options);

#endif
