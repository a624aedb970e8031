/*
 * The slow router.  See model.h.
 */
#include "model.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const model_methods[5] = {"GET", "HEAD", "POST", "CONNECT", "X"};

/* Decodes one segment; the tests have no bad ones. */
static size_t decode(const char *from, size_t len, char *out)
{
    size_t count = 0;

    for (size_t at = 0; at < len; at++) {
        if (from[at] == '%') {
            char digits[3] = {from[at + 1], from[at + 2], '\0'};

            out[count++] = (char)strtol(digits, NULL, 16);
            at += 2;
        } else {
            out[count++] = from[at];
        }
    }
    return count;
}

static bool same_segment(const char *left, size_t left_len, const char *right, size_t right_len)
{
    char one[256];
    char two[256];
    size_t one_len = decode(left, left_len, one);

    return one_len == decode(right, right_len, two) && memcmp(one, two, one_len) == 0;
}

bool model_match_path(const char *pattern, const char *path, px_str *out_params,
                      uint32_t *out_param_count)
{
    *out_param_count = 0;
    while (*pattern) {
        size_t pattern_len = strcspn(pattern + 1, "/");
        size_t len;

        if (*path != '/')
            return false;
        len = strcspn(path + 1, "/");
        if (pattern[1] == '\0')
            return true;
        if (strcmp(pattern, "/{$}") == 0)
            return strcmp(path, "/") == 0;
        if (strcmp(pattern, "/{r...}") == 0) {
            out_params[(*out_param_count)++] = px_str_of(path + 1);
            return true;
        }
        if (len == 0)
            return false;
        if (pattern[1] == '{')
            out_params[(*out_param_count)++] = px_str_make(path + 1, len);
        else if (!same_segment(pattern + 1, pattern_len, path + 1, len))
            return false;
        pattern += 1 + pattern_len;
        path += 1 + len;
    }
    return *path == '\0';
}

bool model_match_method(const char *pattern, const char *method)
{
    if (!*pattern)
        return strcmp(method, "CONNECT") != 0;
    return strcmp(pattern, method) == 0 ||
           (strcmp(pattern, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

/* Every path of up to three segments, with and without a slash at its end, for every method. */
static void count_out(struct model_pattern *pattern)
{
    static const char *const segments[] = {"", "/a", "/b%2F", "/z"};
    uint32_t bit = 0;

    memset(pattern->requests, 0, sizeof(pattern->requests));
    for (uint32_t number = 0; number < 4 * 4 * 4 * 2; number++) {
        uint32_t digits[] = {number / 2 % 4, number / 8 % 4, number / 32 % 4};
        char path[MODEL_TEXT_BYTES];
        px_str params[MODEL_PARAMS_MAX];
        uint32_t param_count;

        /* A shorter path once only. */
        if ((!digits[0] && digits[1]) || (!digits[1] && digits[2]))
            continue;
        snprintf(path, sizeof(path), "%s%s%s%s", segments[digits[0]], segments[digits[1]],
                 segments[digits[2]], number % 2 ? "/" : "");
        for (uint32_t method = 0; method < 5 && path[0]; method++, bit++)
            if (model_match_method(pattern->method, model_methods[method]) &&
                model_match_path(pattern->path, path, params, &param_count))
                pattern->requests[bit / 64] |= (uint64_t)1 << bit % 64;
    }
    if (bit > 64 * MODEL_SETS_WORDS)
        abort();
}

void model_pool_init(struct model_pool *pool)
{
    static const char *const methods[] = {"", "GET", "HEAD", "POST", "CONNECT", "X"};
    static const char *const hosts[] = {"", "h.example", "::1"};
    static const char *const firsts[] = {"", "/a", "/b%2F", "/{x}"};
    static const char *const seconds[] = {"", "/%61", "/b%2f", "/{y}"};
    static const char *const ends[] = {"", "/", "/{$}", "/{r...}"};

    pool->count = 0;
    for (uint32_t number = 0; number < 6 * 3 * 4 * 4 * 4; number++) {
        const char *first = firsts[number / 4 % 4];
        const char *second = seconds[number / 16 % 4];
        const char *end = ends[number % 4];

        if ((!*first && *second) || (!*first && !*end))
            continue;
        struct model_pattern *pattern = &pool->patterns[pool->count++];

        if (pool->count > MODEL_PATTERNS_MAX)
            abort();
        pattern->method = methods[number / 64 % 6];
        pattern->host = hosts[number / 64 / 6];
        snprintf(pattern->path, sizeof(pattern->path), "%s%s%s", first, second, end);
        snprintf(pattern->text, sizeof(pattern->text), "%s%s%s%s%s%s", pattern->method,
                 *pattern->method ? " " : "",
                 strcmp(pattern->host, "::1") == 0 ? "[::1]" : pattern->host, first, second, end);
        count_out(pattern);
    }
}

enum model_sets model_compare(const struct model_pattern *left, const struct model_pattern *right)
{
    bool common = false;
    bool only_left = false;
    bool only_right = false;

    for (uint32_t word = 0; word < MODEL_SETS_WORDS; word++) {
        common |= (left->requests[word] & right->requests[word]) != 0;
        only_left |= (left->requests[word] & ~right->requests[word]) != 0;
        only_right |= (right->requests[word] & ~left->requests[word]) != 0;
    }
    if (!common)
        return MODEL_APART;
    if (only_left && only_right)
        return MODEL_CROSSING;
    if (only_left)
        return MODEL_RIGHT_INSIDE;
    return only_right ? MODEL_LEFT_INSIDE : MODEL_SAME;
}

/* The best of the patterns that match, or NULL. */
static const struct model_pattern *best(const struct model_pattern *const *patterns, uint32_t count,
                                        const char *method, const char *host, const char *path)
{
    const struct model_pattern *found = NULL;
    px_str params[MODEL_PARAMS_MAX];
    uint32_t param_count;

    for (uint32_t index = 0; index < count; index++) {
        const struct model_pattern *pattern = patterns[index];

        if ((*pattern->host && strcmp(pattern->host, host) != 0) ||
            !model_match_method(pattern->method, method) ||
            !model_match_path(pattern->path, path, params, &param_count))
            continue;
        if (!found || (*pattern->host && !*found->host) ||
            (!*found->host == !*pattern->host &&
             model_compare(pattern, found) == MODEL_LEFT_INSIDE))
            found = pattern;
    }
    return found;
}

/* Whether the pattern, which matches, leaves nothing to a rest. */
static bool exact(const struct model_pattern *pattern, const char *path)
{
    size_t len = strlen(pattern->path);
    uint32_t slashes[2] = {0, 0};

    if (pattern->path[len - 1] != '/' && !strstr(pattern->path, "..."))
        return true;
    for (const char *at = pattern->path; *at; at++)
        slashes[0] += *at == '/';
    for (const char *at = path; *at; at++)
        slashes[1] += *at == '/';
    return slashes[0] == slashes[1] && path[strlen(path) - 1] == '/';
}

/* The methods that are there for a path, as text; empty when there are none. */
static void allow(const struct model_pattern *const *patterns, uint32_t count, const char *host,
                  const char *path, char *out)
{
    static const char *const all[] = {"GET",    "HEAD",    "POST",  "PUT", "PATCH",
                                      "DELETE", "CONNECT", "TRACE", "X"};
    size_t at = 0;

    out[0] = '\0';
    for (uint32_t number = 0; number < 9; number++) {
        bool there = false;

        for (uint32_t index = 0; index < count; index++) {
            const struct model_pattern *pattern = patterns[index];
            px_str params[MODEL_PARAMS_MAX];
            uint32_t param_count;

            if ((*pattern->host && strcmp(pattern->host, host) != 0) ||
                !model_match_path(pattern->path, path, params, &param_count))
                continue;
            /* A pattern for any method is no offer of these two. */
            if (!*pattern->method && (number == 7 || number == 8))
                continue;
            there |= model_match_method(pattern->method, all[number]);
        }
        if (there)
            at += (size_t)snprintf(out + at, 128 - at, "%s, ", all[number]);
    }
}

/* Adds the methods of `more` that `text` does not have yet, in the order of the list. */
static void merge(const char *more, char *text)
{
    static const char *const all[] = {"GET, ",    "HEAD, ",    "POST, ",  "PUT, ", "PATCH, ",
                                      "DELETE, ", "CONNECT, ", "TRACE, ", "X, "};
    char merged[128] = "";
    size_t at = 0;

    for (uint32_t number = 0; number < 9; number++)
        if (strstr(more, all[number]) || strstr(text, all[number]))
            at += (size_t)snprintf(merged + at, sizeof(merged) - at, "%s", all[number]);
    memcpy(text, merged, sizeof(merged));
}

void model_find(const struct model_pattern *const *patterns, uint32_t count, const char *method,
                const char *host, const char *path, struct model_answer *out_answer)
{
    bool connect = strcmp(method, "CONNECT") == 0;
    bool slash = path[strlen(path) - 1] == '/';
    char longer[256];
    char longer_allow[128];
    const struct model_pattern *found = best(patterns, count, method, host, path);

    snprintf(longer, sizeof(longer), "%s/", path);
    out_answer->pattern = found;
    out_answer->result = found ? ROUTER_FOUND : ROUTER_NO_PATH;
    out_answer->param_count = 0;
    if (found)
        model_match_path(found->path, path, out_answer->params, &out_answer->param_count);
    if (!slash && !connect && !(found && exact(found, path))) {
        const struct model_pattern *other = best(patterns, count, method, host, longer);

        if (other && exact(other, longer))
            out_answer->result = ROUTER_REDIRECT_SLASH;
    }
    allow(patterns, count, host, path, out_answer->allow);
    if (connect && out_answer->result == ROUTER_NO_PATH && out_answer->allow[0])
        out_answer->result = ROUTER_NO_METHOD;
    if (!slash) {
        allow(patterns, count, host, longer, longer_allow);
        merge(longer_allow, out_answer->allow);
    }
    if (!connect && out_answer->result == ROUTER_NO_PATH && out_answer->allow[0])
        out_answer->result = ROUTER_NO_METHOD;
    if (out_answer->allow[0])
        memcpy(out_answer->allow + strlen(out_answer->allow), "OPTIONS", sizeof("OPTIONS"));
}
