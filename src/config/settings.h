/*
 * What a configuration says, in full: the process, its listeners, its hosts and their routes, each
 * with the directives that are in effect there.
 *
 * The happy path: config_settings makes them from checked nodes, once; what builds a running
 * server (build.c), prints (print.c) or explains (explain.c) reads them.  Nothing is inherited any
 * more: a route's steps are all that acts on its requests, in the order in which they act.
 */
#ifndef PX_CONFIG_SETTINGS_H
#define PX_CONFIG_SETTINGS_H

#include "config/check.h"

/* A directive in effect, and the match that it waits for. */
struct config_step {
    const struct config_node *node;
    const struct config_node *match; /* borrowed: of a `when`; NULL: always */
};

struct config_route {
    struct config_route *next;
    const struct config_node *node;   /* NULL: the host's own answer, for all other paths */
    const char *pattern;              /* "/" where node is NULL */
    const struct config_node *answer; /* NULL: every answer is under a `when` */
    struct config_step *steps;        /* by phase; within one, from outside in */
    uint32_t step_count;
};

struct config_listen {
    struct config_listen *next;
    const struct config_node *node; /* NULL: the default */
    px_str address;
    bool is_shared; /* of the file: hosts without a listen of their own are served there */
    bool is_tls;
    uint32_t index;
};

struct config_bind {
    struct config_bind *next;
    const struct config_listen *listen;
};

struct config_host {
    struct config_host *next;
    const struct config_node *node; /* NULL: the file is one site for all hosts */
    struct config_route *routes;    /* the host's own answer, if there is one, is the last */
    struct config_bind *binds;      /* where it is served; NULL: at every shared listener */
    bool is_repeated;               /* noted: another host has one of its names */
};

struct config_settings {
    const struct config_node *nodes;  /* the top of the file */
    const struct config_node *shared; /* those of them that hosts inherit or name */
    struct config_listen *listens;
    uint32_t listen_count;
    struct config_host *hosts; /* at least one */
    uint32_t host_count;
};

/* Makes the settings; what contradicts itself is noted in the report, and left out so that the rest
 * can be looked at.  NULL without memory. */
struct config_settings *config_settings(struct config_load *load, const struct config_node *nodes);

/* The last setting of that name among steps that wait for no match, or NULL. */
const struct config_node *route_setting(const struct config_route *route, const char *name);

/* --- Between the files of settings ------------------------------------------------------------ */

/* Where directives of a host or of the file are looked for, from inside out. */
struct config_scope {
    const struct config_scope *outer; /* NULL: this is the file */
    const struct config_node *nodes;
    const struct config_node *owner; /* the host or the route; NULL: the file */
    bool is_partial;                 /* noted: something in it is not understood */
};

/* Fills in a route's steps and answer from its scopes (effective.c).  False: noted. */
bool route_settle(struct config_load *load, struct config_route *route,
                  const struct config_scope *scope);

/* `log FORMAT PATH`, and `log template TEXT PATH`. */
enum { LOG_WORD_TEMPLATE = 4 };

/* The file that the log goes to, or NULL: stdout. */
static inline const struct config_typed *config_log_path(const struct config_node *log)
{
    uint32_t at = log && log->value_count > 0 && log->values[0].word == LOG_WORD_TEMPLATE ? 2 : 1;

    return log && log->value_count > at ? &log->values[at] : NULL;
}

#endif
