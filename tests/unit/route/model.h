/*
 * A router that is slow and obvious: it tries every pattern on every request, as strings, and takes
 * of those that match the one whose set of requests is inside all the others'.  The sets are
 * counted out over a small universe of requests, so it shares no idea with src/route/.
 */
#ifndef PX_TESTS_UNIT_ROUTE_MODEL_H
#define PX_TESTS_UNIT_ROUTE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"
#include "route/router.h"

enum {
    MODEL_SETS_WORDS = 8,
    MODEL_PATTERNS_MAX = 1200,
    MODEL_TEXT_BYTES = 64,
    MODEL_PARAMS_MAX = 4
};

/* A pattern and the requests of the universe that it matches, its host apart. */
struct model_pattern {
    char text[MODEL_TEXT_BYTES]; /* whole, as it is registered */
    const char *method;          /* "": any */
    const char *host;            /* "": any */
    char path[MODEL_TEXT_BYTES];
    uint64_t requests[MODEL_SETS_WORDS];
};

/* Every pattern over a few methods, hosts and segments, up to two segments and an end. */
struct model_pool {
    struct model_pattern patterns[MODEL_PATTERNS_MAX];
    uint32_t count;
};

struct model_answer {
    enum router_result result;
    const struct model_pattern *pattern;
    px_str params[MODEL_PARAMS_MAX];
    uint32_t param_count;
    char allow[128]; /* what router_allow says; empty when it finds nothing */
};

/* The methods of the pool without the empty one; X has no number. */
extern const char *const model_methods[5];

void model_pool_init(struct model_pool *pool);

/* How the requests of two patterns stand to each other, hosts apart. */
enum model_sets { MODEL_SAME, MODEL_LEFT_INSIDE, MODEL_RIGHT_INSIDE, MODEL_CROSSING, MODEL_APART };
enum model_sets model_compare(const struct model_pattern *left, const struct model_pattern *right);

/* Whether a path matches a pattern's; out_params is filled in as far as it goes. */
bool model_match_path(const char *pattern_path, const char *path, px_str *out_params,
                      uint32_t *out_param_count);
bool model_match_method(const char *pattern_method, const char *method);

/* What a router with these patterns must answer.  `host` is in lower case, without port, brackets
 * and trailing dot. */
void model_find(const struct model_pattern *const *patterns, uint32_t count, const char *method,
                const char *host, const char *path, struct model_answer *out_answer);

#endif
