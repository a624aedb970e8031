/*
 * The schema: each directive is one row, and what parser, checker, `config`, `fmt`, the manual and
 * shell completion know of it comes from that row.
 *
 * Rows are grouped by what they are about (schema_*.c); schema.c finds them by name and place.
 */
#ifndef PX_CONFIG_SCHEMA_H
#define PX_CONFIG_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollux/str.h"

/* Where a directive may stand. */
enum {
    IN_TOP = 1 << 0,
    IN_HOST = 1 << 1,
    IN_ROUTE = 1 << 2,
    IN_WHEN = 1 << 3, /* in a host or a route */
    IN_MATCH = 1 << 4,
    IN_TLS = 1 << 5,
    IN_LIMITS = 1 << 6,
    IN_TIMEOUTS = 1 << 7,
    IN_RATES = 1 << 8,
    IN_UPSTREAM = 1 << 9,
    IN_PROXY = 1 << 10,
    IN_SITE = IN_TOP | IN_HOST | IN_ROUTE, /* what is inherited */
    IN_REQUEST = IN_SITE | IN_WHEN,        /* what acts on a request */
    IN_ANSWERS = IN_HOST | IN_ROUTE | IN_WHEN,
};

/* How an inner block changes what an outer one says. */
enum config_kind {
    KIND_SETTING, /* replaces it */
    KIND_LIST,    /* appends to it; `NAME none` first empties it */
    KIND_ANSWER,  /* replaces it; one in a block, of all that are answers */
    KIND_BLOCK    /* is a part of the file, and is not inherited */
};

/* When a directive acts on a request, in this order, whatever the order in the file. */
enum config_phase {
    PHASE_NONE,
    PHASE_HTTPS,
    PHASE_ACCESS,
    PHASE_RATE,
    PHASE_AUTH,
    PHASE_REWRITE,
    PHASE_REQUEST,
    PHASE_ANSWER,
    PHASE_ERROR_PAGE,
    PHASE_COMPRESS,
    PHASE_HEADER,
    PHASE_LOG
};

enum config_type {
    TYPE_TEXT,     /* any */
    TYPE_TEMPLATE, /* with {placeholders} */
    TYPE_WORD,     /* of `words` */
    TYPE_SWITCH,   /* on or off */
    TYPE_COUNT,    /* from `least` to `most` */
    TYPE_BYTES,    /* 16k 1m 2g */
    TYPE_DURATION, /* 500ms 10s 2m 1h; a number alone is seconds */
    TYPE_RATE,     /* 20/s 100/m */
    TYPE_SHARE,    /* 1/100 */
    TYPE_STATUS,   /* from `least` to `most` */
    TYPE_ADDRESS,  /* of a listener */
    TYPE_CLIENT,   /* a block of addresses, unix: or all */
    TYPE_HOST,     /* example.org, *.example.org, * */
    TYPE_PATTERN,  /* of a route */
    TYPE_PATH,     /* of a file, relative to the file that names it */
    TYPE_TARGET,   /* of a request: begins with a slash */
    TYPE_GLOB,     /* /v1/x*, with stars */
    TYPE_METHOD,   /* a token */
    TYPE_FIELD,    /* a field's name */
    TYPE_EDIT,     /* a field's name, with + or - in front */
    TYPE_PAIR,     /* NAME=VALUE */
    TYPE_NAME      /* of a match or a user */
};

/* What a value is. */
struct config_use {
    enum config_type type;
    const char *name;         /* as the manual calls it */
    const char *const *words; /* TYPE_WORD: those there are, ending in NULL */
    uint64_t least;           /* of a number */
    uint64_t most;            /* of a number; 0: no limit of its own */
    bool may_be_off;          /* a number may be "off" or "unlimited" */
    bool may_be_word;         /* one of `words` may stand in its place */
    bool may_be_sink;         /* a path may be syslog:... or journal:..., and is left as it is */
};

/* NAME=VALUE behind the values, or NAME alone. */
struct config_option {
    const char *name; /* NULL: the last */
    bool is_flag;     /* stands alone */
    struct config_use use;
};

enum { DIRECTIVE_USES_MAX = 3 };

/* A row. */
struct config_directive {
    const char *name; /* NULL: the last */
    uint32_t where;   /* IN_* */
    enum config_kind kind;
    enum config_phase phase;
    struct config_use uses[DIRECTIVE_USES_MAX]; /* the last one goes for all that follow */
    bool
        last_differs; /* the last value is what the last use says, all others what the first does */
    uint32_t values_min;
    uint32_t values_max;                 /* UINT32_MAX: any number */
    const struct config_option *options; /* NULL: none */
    uint32_t block;                      /* IN_*: what stands in its block; 0: it has none */
    bool needs_block;
    bool needs_restart;   /* a reload cannot change it */
    const char *defaults; /* as it would be written, or NULL: none */
    const char *help;     /* one line */
    const char *example;  /* a file that loads, in which it stands */
};

enum { VALUES_ANY = UINT32_MAX };

extern const struct config_directive schema_process[];
extern const struct config_directive schema_limits[];
extern const struct config_directive schema_hosts[];
extern const struct config_directive schema_answers[];
extern const struct config_directive schema_shaping[];
extern const struct config_directive schema_access[];
extern const struct config_directive schema_upstream[];

/* Every table, ending in NULL. */
extern const struct config_directive *const schema_tables[];

/* The row of a name at a place (one IN_* bit), or NULL. */
const struct config_directive *schema_find(px_str name, uint32_t where);

/* Where a name may stand (IN_*); 0: nowhere. */
uint32_t schema_places(px_str name);

/* Fills `out_names` with the names that may stand at a place, ending in NULL; returns how many. */
uint32_t schema_names(uint32_t where, const char **out_names, uint32_t room);

/* What a place is called in messages: "route", "the file". */
const char *schema_place_name(uint32_t where);

#endif
