/*
 * Flags of the command line, as tables.
 *
 * A flag is one line: its names, what the help calls its value, the commands that have it, what it
 * does.  The tables are grouped by what they are about (flags_*.c); options.c gives them to
 * getopt_long, help.c prints them.
 */
#ifndef PX_MAIN_FLAG_H
#define PX_MAIN_FLAG_H

#include "main/flags/options.h"

enum {
    FOR_RESPOND = 1 << COMMAND_RESPOND,
    FOR_FILES = 1 << COMMAND_FILES,
    FOR_PROXY = 1 << COMMAND_PROXY,
    FOR_HEALTHCHECK = 1 << COMMAND_HEALTHCHECK,
    FOR_RUN = 1 << COMMAND_RUN,
    FOR_CHECK = 1 << COMMAND_CHECK,
    FOR_CONFIG = 1 << COMMAND_CONFIG,
    FOR_FMT = 1 << COMMAND_FMT,
    FOR_RELOAD = 1 << COMMAND_RELOAD,
    FOR_SERVING = FOR_RESPOND | FOR_FILES | FOR_PROXY,
    FOR_FILE = FOR_RUN | FOR_CHECK | FOR_CONFIG, /* those that read a configuration */
    FOR_ALL = FOR_SERVING | FOR_HEALTHCHECK | FOR_FILE | FOR_FMT | FOR_RELOAD,
};

struct flag {
    const char *name;  /* without its dashes */
    char letter;       /* '\0': none */
    const char *value; /* what the help calls it; NULL: it takes none; "[X]": it may be left out */
    unsigned commands; /* of FOR_*: where it may be given */
    /* Takes the value (NULL: none given).  PX_OK, or PX_ERR_INVALID with the line to print. */
    px_err (*set)(struct options *options, const struct flag *flag, const char *value,
                  px_error *out_error);
    size_t offset;    /* in struct options, for the setters below */
    const char *help; /* the rest of its line in `pollux COMMAND --help` */
};

/* Where a setter below writes. */
#define FLAG_AT(member) offsetof(struct options, member)

enum { FLAG_COUNT_MAX = 160 }; /* of all groups; getopt's table is on the stack */

/* Each ends with a name of NULL. */
extern const struct flag flags_common[];
extern const struct flag flags_limits[];
extern const struct flag flags_respond[];
extern const struct flag flags_files[];
extern const struct flag flags_gateway[];
extern const struct flag flags_process[];
extern const struct flag flags_proxy[];
extern const struct flag flags_tls[];
extern const struct flag flags_healthcheck[];
extern const struct flag flags_run[];

/* Every group, in the order of the help. */
extern const struct flag *const flag_groups[];
extern const size_t flag_group_count;

/* --- Setters (flag.c): what FLAG_AT names is said behind each --------------------------------- */

/* const char *: a path, without control bytes. */
px_err flag_set_path(struct options *options, const struct flag *flag, const char *value,
                     px_error *out_error);
/* Nothing: whether a value can be a path, for setters of their own. */
px_err flag_check_path(const struct flag *flag, const char *value, px_error *out_error);
/* bool: true. */
px_err flag_set_switch(struct options *options, const struct flag *flag, const char *value,
                       px_error *out_error);
/* uint32_t: a number from 1 on; "off" is PX_UNLIMITED, which is PX_OFF. */
px_err flag_set_count(struct options *options, const struct flag *flag, const char *value,
                      px_error *out_error);
/* uint32_t: bytes, from 1 on, with k, m, g. */
px_err flag_set_bytes(struct options *options, const struct flag *flag, const char *value,
                      px_error *out_error);
/* uint64_t: as flag_set_bytes; "off" is PX_UNLIMITED_BYTES. */
px_err flag_set_bytes64(struct options *options, const struct flag *flag, const char *value,
                        px_error *out_error);
/* uint32_t: milliseconds; "off" is PX_OFF. */
px_err flag_set_duration(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error);

#endif
