/*
 * The router: cases with a name, thousands of random routers against the slow model, limits, guard
 * pages, failing allocations.
 */
#include "lib/test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "lib/router_open.h"
#include "model.h"
#include "route/pattern.h"
#include "route/router.h"

/* Places every input at the end or at the start of accessible memory. */
struct inputs {
    struct guard path;
    struct guard host;
    struct guard method;
};

static void inputs_init(struct inputs *inputs)
{
    guard_init(&inputs->path, 8192);
    guard_init(&inputs->host, 4096);
    guard_init(&inputs->method, 4096);
}

static void inputs_deinit(struct inputs *inputs)
{
    guard_deinit(&inputs->path);
    guard_deinit(&inputs->host);
    guard_deinit(&inputs->method);
}

static px_str place(struct guard *guard, bool end, const char *text)
{
    px_str str = px_str_of(text);

    if (!text)
        return str;
    return end ? guard_at_end(guard, str) : guard_at_start(guard, str);
}

static struct router *make(const char *const *patterns, size_t count)
{
    struct router *router;
    px_error error;

    assert_int_equal(router_open(&alloc_libc, &router), PX_OK);
    for (size_t index = 0; index < count; index++)
        if (router_add(router, patterns[index], (void *)(uintptr_t)(index + 1), &error) != PX_OK)
            fail_msg("%s", error.text);
    return router;
}

static const char *const site[] = {
    "/",
    "GET /{$}",
    "GET /users/{id}",
    "DELETE /users/{id}",
    "GET /users/me",
    "POST /users/{id}/posts/{post}",
    "/static/{rest...}",
    "/static/css/",
    "GET /tree/",
    "GET /tree/leaf/{$}",
    "PROPFIND /dav/{name}",
    "GET /dav/{name}",
    "HEAD /dav/{name}",
    "/caf%C3%A9/a%2Fb",
    "api.example.com/",
    "GET api.example.com/users/{name}",
    "CONNECT /",
    "TRACE /users/{id}",
};

enum { SITE_COUNT = sizeof(site) / sizeof(site[0]) };

struct site_case {
    const char *method;
    const char *host;
    const char *path;
    enum router_result result;
    const char *pattern; /* with ROUTER_FOUND */
    const char *params;  /* "name=value;" for each */
};

static const struct site_case site_cases[] = {
    {"GET", "x", "/", ROUTER_FOUND, "GET /{$}", ""},
    {"HEAD", "x", "/", ROUTER_FOUND, "GET /{$}", ""},
    {"POST", "x", "/", ROUTER_FOUND, "/", ""},
    {"ANY", "x", "/", ROUTER_FOUND, "/", ""},
    {"GET", "x", "", ROUTER_FOUND, "GET /{$}", ""},
    {"GET", NULL, NULL, ROUTER_FOUND, "GET /{$}", ""},
    {"GET", "x", "*", ROUTER_NO_PATH, NULL, NULL},
    {"OPTIONS", "x", "*", ROUTER_NO_PATH, NULL, NULL},
    {"GET", "x", "users/1", ROUTER_NO_PATH, NULL, NULL},
    {"GET", "x", "/else", ROUTER_FOUND, "/", ""},
    {"GET", "x", "//", ROUTER_FOUND, "/", ""},
    {"GET", "x", "/users/12", ROUTER_FOUND, "GET /users/{id}", "id=12;"},
    {"HEAD", "x", "/users/12", ROUTER_FOUND, "GET /users/{id}", "id=12;"},
    {"DELETE", "x", "/users/12", ROUTER_FOUND, "DELETE /users/{id}", "id=12;"},
    {"PUT", "x", "/users/12", ROUTER_FOUND, "/", ""},
    {"GET", "x", "/users/me", ROUTER_FOUND, "GET /users/me", ""},
    {"GET", "x", "/users/%6De", ROUTER_FOUND, "GET /users/me", ""},
    {"GET", "x", "/users/%256De", ROUTER_FOUND, "GET /users/{id}", "id=%256De;"},
    {"DELETE", "x", "/users/me", ROUTER_FOUND, "DELETE /users/{id}", "id=me;"},
    {"GET", "x", "/users/a%2Fb", ROUTER_FOUND, "GET /users/{id}", "id=a%2Fb;"},
    {"GET", "x", "/users/%zz", ROUTER_FOUND, "GET /users/{id}", "id=%zz;"},
    {"GET", "x", "/users/%", ROUTER_FOUND, "GET /users/{id}", "id=%;"},
    {"GET", "x", "/users/", ROUTER_FOUND, "/", ""},
    {"GET", "x", "/users//", ROUTER_FOUND, "/", ""},
    {"GET", "x", "/users/12/", ROUTER_FOUND, "/", ""},
    {"POST", "x", "/users/1/posts/2", ROUTER_FOUND, "POST /users/{id}/posts/{post}",
     "id=1;post=2;"},
    {"POST", "x", "/users/1/posts", ROUTER_FOUND, "/", ""},
    {"GET", "x", "/static/", ROUTER_FOUND, "/static/{rest...}", "rest=;"},
    {"GET", "x", "/static/a/b/", ROUTER_FOUND, "/static/{rest...}", "rest=a/b/;"},
    {"GET", "x", "/static//a", ROUTER_FOUND, "/static/{rest...}", "rest=/a;"},
    {"GET", "x", "/static/css/x", ROUTER_FOUND, "/static/css/", ""},
    {"GET", "x", "/static", ROUTER_REDIRECT_SLASH, NULL, NULL},
    {"POST", "x", "/static/css", ROUTER_REDIRECT_SLASH, NULL, NULL},
    {"GET", "x", "/tree", ROUTER_REDIRECT_SLASH, NULL, NULL},
    {"HEAD", "x", "/tree", ROUTER_REDIRECT_SLASH, NULL, NULL},
    {"POST", "x", "/tree", ROUTER_FOUND, "/", ""},
    {"GET", "x", "/tree/leaf", ROUTER_REDIRECT_SLASH, NULL, NULL},
    {"GET", "x", "/tree/leaf/", ROUTER_FOUND, "GET /tree/leaf/{$}", ""},
    {"POST", "x", "/tree/leaf/", ROUTER_FOUND, "/", ""},
    {"GET", "x", "/tree/leaf/x", ROUTER_FOUND, "GET /tree/", ""},
    {"PROPFIND", "x", "/dav/a", ROUTER_FOUND, "PROPFIND /dav/{name}", "name=a;"},
    {"propfind", "x", "/dav/a", ROUTER_FOUND, "/", ""},
    {"HEAD", "x", "/dav/a", ROUTER_FOUND, "HEAD /dav/{name}", "name=a;"},
    {"GET", "x", "/caf%c3%a9/a%2fb", ROUTER_FOUND, "/caf%C3%A9/a%2Fb", ""},
    {"GET", "x", "/caf\xc3\xa9/a%2fb", ROUTER_FOUND, "/caf%C3%A9/a%2Fb", ""},
    {"GET", "x", "/caf%c3%a9/a/b", ROUTER_FOUND, "/", ""},
    {"GET", "api.example.com", "/users/x", ROUTER_FOUND, "GET api.example.com/users/{name}",
     "name=x;"},
    {"GET", "API.Example.Com.:8080", "/users/x", ROUTER_FOUND, "GET api.example.com/users/{name}",
     "name=x;"},
    {"GET", "api.example.com:", "/users/me", ROUTER_FOUND, "GET api.example.com/users/{name}",
     "name=me;"},
    {"DELETE", "api.example.com", "/users/x", ROUTER_FOUND, "api.example.com/", ""},
    {"GET", "api.example.com..", "/users/me", ROUTER_FOUND, "GET /users/me", ""},
    {"GET", "xapi.example.com", "/users/me", ROUTER_FOUND, "GET /users/me", ""},
    {"GET", "[", "/users/me", ROUTER_FOUND, "GET /users/me", ""},
    {"GET", ".", "/users/me", ROUTER_FOUND, "GET /users/me", ""},
    {"GET", ":", "/users/me", ROUTER_FOUND, "GET /users/me", ""},
    {"GET", "", "/users/me", ROUTER_FOUND, "GET /users/me", ""},
    {"CONNECT", "x:443", NULL, ROUTER_FOUND, "CONNECT /", ""},
    {"CONNECT", "x:443", "x:443", ROUTER_FOUND, "CONNECT /", ""},
    {"CONNECT", "x", "/a/b", ROUTER_FOUND, "CONNECT /", ""},
    {"TRACE", "x", "/users/1", ROUTER_FOUND, "TRACE /users/{id}", "id=1;"},
};

static void check_match(const struct router_match *match, const struct site_case *expected,
                        px_str path)
{
    char params[256] = "";
    size_t at = 0;

    assert_string_equal(match->pattern, expected->pattern);
    assert_string_equal(site[(uintptr_t)match->value - 1], expected->pattern);
    for (uint32_t index = 0; index < match->param_count; index++) {
        px_str value = match->params[index];

        assert_true(value.ptr >= path.ptr && value.ptr + value.len <= path.ptr + path.len);
        at += (size_t)snprintf(params + at, sizeof(params) - at, "%.*s=%.*s;",
                               (int)match->names[index].len, match->names[index].ptr,
                               (int)value.len, value.ptr);
    }
    assert_string_equal(params, expected->params);
}

static void router_finds_the_most_specific(void **state)
{
    struct router *router = make(site, SITE_COUNT);
    struct inputs inputs;

    (void)state;
    inputs_init(&inputs);
    for (size_t index = 0; index < sizeof(site_cases) / sizeof(site_cases[0]); index++) {
        const struct site_case *expected = &site_cases[index];

        for (int end = 0; end < 2; end++) {
            px_str method = place(&inputs.method, end, expected->method);
            px_str path = place(&inputs.path, end, expected->path);
            struct router_match match;
            enum router_result result =
                router_find(router, pattern_method_id(method), method,
                            place(&inputs.host, end, expected->host), path, &match);

            if (result != expected->result)
                fail_msg("%s %s %s: %d, not %d", expected->method, expected->host, expected->path,
                         result, expected->result);
            if (result == ROUTER_FOUND)
                check_match(&match, expected, path);
        }
    }
    inputs_deinit(&inputs);
    router_close(router);
}

static void router_says_what_is_allowed(void **state)
{
    static const char *const patterns[] = {
        "GET /a",     "POST /a",      "X-B /a",       "X-A /a",    "/any",
        "TRACE /any", "CONNECT /any", "HEAD /head",   "PUT /{x}/", "OPTIONS /options",
        "h/host",     "GET /host",    "PATCH /a/{b}",
    };
    static const char *const cases[][2] = {
        {"/a", "GET, HEAD, POST, PUT, X-B, X-A, OPTIONS"},
        {"/any", "GET, HEAD, POST, PUT, PATCH, DELETE, CONNECT, TRACE, OPTIONS"},
        {"/head", "HEAD, PUT, OPTIONS"},
        {"/else", "PUT, OPTIONS"},
        {"/else/", "PUT, OPTIONS"},
        {"/a/x", "PUT, PATCH, OPTIONS"},
        {"/options", "PUT, OPTIONS"},
        {"/host", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
    };
    static const char *const missing[] = {"/", "", "*", "x", "//", "//a"};
    struct router *router = make(patterns, sizeof(patterns) / sizeof(patterns[0]));
    char block[256];
    px_str text;
    struct router_match match;

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct arena arena;

        arena_init(&arena, &alloc_libc, block, sizeof(block), 0);
        assert_int_equal(
            router_allow(router, px_str_of("h"), px_str_of(cases[index][0]), &arena, &text), PX_OK);
        assert_string_equal(text.ptr, cases[index][1]);
        assert_int_equal(text.len, strlen(text.ptr));
    }
    for (size_t index = 0; index < sizeof(missing) / sizeof(missing[0]); index++) {
        px_str path = px_str_of(missing[index]);

        assert_int_equal(router_allow(router, px_str_of("h"), path, NULL, &text), PX_ERR_NOT_FOUND);
        assert_int_equal(
            router_find(router, METHOD_GET, px_str_of("GET"), px_str_of("h"), path, &match),
            ROUTER_NO_PATH);
    }
    assert_int_equal(router_find(router, METHOD_DELETE, px_str_of("DELETE"), px_str_of("x"),
                                 px_str_of("/a"), &match),
                     ROUTER_NO_METHOD);
    assert_int_equal(router_find(router, METHOD_OTHER, px_str_of("X-C"), px_str_of("x"),
                                 px_str_of("/a"), &match),
                     ROUTER_NO_METHOD);
    /* Not a number of any method: as one without. */
    assert_int_equal(
        router_find(router, 200, px_str_of("X-A"), px_str_of("x"), px_str_of("/a"), &match),
        ROUTER_FOUND);
    router_close(router);
}

static void router_names_both_in_a_conflict(void **state)
{
    static const char *const first[] = {"GET /a/{x}/c", "/b/{id}", "example.com/b/{id}"};
    static const struct {
        const char *pattern;
        const char *text; /* NULL: no conflict */
    } cases[] = {
        {"GET /a/{x}/c", "\"GET /a/{x}/c\" and \"GET /a/{x}/c\" match the same, such as /a/x/c"},
        {"GET /a/{y}/c", "\"GET /a/{y}/c\" and \"GET /a/{x}/c\" match the same, such as /a/x/c"},
        {"GET /a/b/{x}", "\"GET /a/b/{x}\" and \"GET /a/{x}/c\" both match /a/b/c, neither is more "
                         "specific"},
        {"/a/b/c", "\"/a/b/c\" and \"GET /a/{x}/c\" both match /a/b/c, neither is more specific"},
        {"/{x}/2", "\"/{x}/2\" and \"/b/{id}\" both match /b/2, neither is more specific"},
        {"EXAMPLE.com./b/{n...}", NULL},
        {"Example.com./b/{n}", "\"Example.com./b/{n}\" and \"example.com/b/{id}\" match the same, "
                               "such as /b/id"},
        {"POST /a/b/{x}", NULL},
        {"CONNECT /{x}/2", NULL},
        {"example.org/{x}/2", NULL},
        {"HEAD /a/{x}/c", NULL},
        {"/a/{x}/{y}", NULL},
        {"/", NULL},
    };
    struct router *router = make(first, 3);
    px_error error;

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_err err = router_add(router, cases[index].pattern, NULL, &error);

        assert_int_equal(error.code, err);
        assert_string_equal(error.text, cases[index].text ? cases[index].text : "");
        assert_int_equal(err, cases[index].text ? PX_ERR_CONFLICT : PX_OK);
    }
    assert_int_equal(router_add(router, "/", NULL, NULL), PX_ERR_CONFLICT);
    assert_int_equal(router_add(router, "", NULL, NULL), PX_ERR_INVALID);
    assert_int_equal(router_add(router, "no path", NULL, &error), PX_ERR_INVALID);
    assert_non_null(strstr(error.text, "\"no path\""));
    router_close(router);
}

/* Two patterns of full length and their example still fit the text. */
static void router_cuts_long_patterns_in_texts(void **state)
{
    char pattern[1024] = "GET /";
    struct router *router;
    px_error error;

    (void)state;
    memset(pattern + 5, 'a', 200);
    memcpy(pattern + 205, "/{$}", 5);
    assert_int_equal(router_open(&alloc_libc, &router), PX_OK);
    assert_int_equal(router_add(router, pattern, NULL, &error), PX_OK);
    assert_int_equal(router_add(router, pattern, NULL, &error), PX_ERR_CONFLICT);
    assert_non_null(strstr(error.text, "aaa...\" and \"GET /aaa"));
    assert_non_null(strstr(error.text, "such as /aaa"));
    router_close(router);
}

/* --- Against the model ---------------------------------------------------------------------- */

enum { ROUTERS = 4000, REQUESTS = 24, SET_MAX = 14 };

static uint64_t random_next(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

struct trial {
    uint64_t seed;
    struct router *router;
    const struct model_pattern *set[SET_MAX];
    uint32_t set_count;
    uint32_t results[4];
    uint32_t conflicts;
    uint32_t removals;
};

/* Adds a random pattern; whether it is refused is decided by the sets. */
static void trial_add(struct trial *trial, const struct model_pool *pool)
{
    const struct model_pattern *pattern = &pool->patterns[random_next(&trial->seed) % pool->count];
    const struct model_pattern *against = NULL;
    px_error error;

    for (uint32_t index = 0; index < trial->set_count && !against; index++) {
        enum model_sets sets = model_compare(pattern, trial->set[index]);

        if (strcmp(pattern->host, trial->set[index]->host) == 0 &&
            (sets == MODEL_SAME || sets == MODEL_CROSSING))
            against = trial->set[index];
    }
    px_err err = router_add(trial->router, pattern->text, (void *)pattern, &error);

    if (err != (against ? PX_ERR_CONFLICT : PX_OK))
        fail_msg("%s against %s: %s", pattern->text, against ? against->text : "none", error.text);
    if (against)
        trial->conflicts++;
    else
        trial->set[trial->set_count++] = pattern;
}

/* Takes one of them out, by a pattern whose parameters have other names; or none that is there. */
static void trial_remove(struct trial *trial, const struct model_pool *pool)
{
    uint32_t at = (uint32_t)(random_next(&trial->seed) % trial->set_count);
    const struct model_pattern *other = &pool->patterns[random_next(&trial->seed) % pool->count];
    bool is_there = false;
    char text[MODEL_TEXT_BYTES];
    px_error error;

    for (uint32_t index = 0; index < trial->set_count; index++)
        is_there |= strcmp(other->host, trial->set[index]->host) == 0 &&
                    model_compare(other, trial->set[index]) == MODEL_SAME;
    if (!is_there) {
        assert_int_equal(router_remove(trial->router, other->text, &error), PX_ERR_NOT_FOUND);
        assert_non_null(strstr(error.text, other->text));
    }
    snprintf(text, sizeof(text), "%s", trial->set[at]->text);
    for (char *c = strchr(text, '{'); c; c = strchr(c + 1, '{'))
        if (c[1] != '$')
            c[1] = (char)(c[1] + 'n' - 'r'); /* x, y and r are u, t and n */
    assert_int_equal(router_remove(trial->router, text, &error), PX_OK);
    assert_int_equal(router_remove(trial->router, text, &error), PX_ERR_NOT_FOUND);
    trial->set[at] = trial->set[--trial->set_count];
    trial->removals++;
}

static void trial_check(const char *request, const struct model_answer *answer,
                        enum router_result result, const struct router_match *match)
{
    if (result != answer->result)
        fail_msg("%s: %d, not %d", request, result, answer->result);
    if (result != ROUTER_FOUND)
        return;
    if (match->value != answer->pattern)
        fail_msg("%s: %s, not %s", request, match->pattern, answer->pattern->text);
    assert_string_equal(match->pattern, answer->pattern->text);
    assert_int_equal(match->param_count, answer->param_count);
    for (uint32_t index = 0; index < match->param_count; index++) {
        assert_str_equal(match->params[index], answer->params[index]);
        assert_int_equal(match->names[index].len, 1);
        assert_non_null(strchr("xyr", match->names[index].ptr[0]));
    }
}

static void trial_find(struct trial *trial, struct inputs *inputs)
{
    static const char *const segments[] = {"/a", "/%61", "/b%2F", "/b%2f", "/z", "/b", "/"};
    static const char *const hosts[][2] = {
        {NULL, ""},
        {"", ""},
        {"h.example", "h.example"},
        {"H.EXAMPLE.:80", "h.example"},
        {"h.example:", "h.example"},
        {"[::1]:8080", "::1"},
        {"[::1]", "::1"},
        {"::1", "::1"},
        {"other.example", "other.example"},
    };
    uint64_t random = random_next(&trial->seed);
    const char *const *host = hosts[random % 9];
    const char *method = model_methods[random / 16 % 5];
    uint32_t count = random / 128 % 5;
    bool end = random / 1024 % 2;
    char path[64] = "";
    char request[160];
    char block[256];
    struct model_answer answer;
    struct router_match match;
    struct arena arena;
    px_str allow;
    size_t at = 0;

    for (uint32_t index = 0; index < count; index++)
        at += (size_t)snprintf(path + at, sizeof(path) - at, "%s",
                               segments[random_next(&trial->seed) % 7]);
    if (count == 0 || random / 2048 % 4 == 0)
        snprintf(path + at, sizeof(path) - at, "/");
    snprintf(request, sizeof(request), "%s %s %s", method, host[1], path);
    model_find(trial->set, trial->set_count, method, host[1], path, &answer);

    px_str placed_path = place(&inputs->path, end, path);
    px_str placed_host = place(&inputs->host, end, host[0]);
    px_str placed_method = place(&inputs->method, end, method);
    enum router_result result = router_find(trial->router, pattern_method_id(placed_method),
                                            placed_method, placed_host, placed_path, &match);

    trial->results[result]++;
    trial_check(request, &answer, result, &match);
    arena_init(&arena, &alloc_libc, block, sizeof(block), 0);
    px_err err = router_allow(trial->router, placed_host, placed_path, &arena, &allow);

    assert_int_equal(err, answer.allow[0] ? PX_OK : PX_ERR_NOT_FOUND);
    if (err == PX_OK && strcmp(allow.ptr, answer.allow) != 0)
        fail_msg("%s: %s, not %s", request, allow.ptr, answer.allow);
}

static void router_agrees_with_the_model(void **state)
{
    static struct model_pool pool;
    struct trial trial = {.seed = 2024};
    struct inputs inputs;

    (void)state;
    model_pool_init(&pool);
    inputs_init(&inputs);
    for (uint32_t number = 0; number < ROUTERS; number++) {
        uint32_t wanted = 1 + number % SET_MAX;

        assert_int_equal(router_open(&alloc_libc, &trial.router), PX_OK);
        trial.set_count = 0;
        while (trial.set_count < wanted) {
            trial_add(&trial, &pool);
            if (random_next(&trial.seed) % 3 == 0)
                trial_remove(&trial, &pool);
        }
        for (uint32_t request = 0; request < REQUESTS; request++)
            trial_find(&trial, &inputs);
        router_close(trial.router);
    }
    print_message("router: %u found, %u redirects, %u no method, %u no path, %u conflicts\n",
                  trial.results[ROUTER_FOUND], trial.results[ROUTER_REDIRECT_SLASH],
                  trial.results[ROUTER_NO_METHOD], trial.results[ROUTER_NO_PATH], trial.conflicts);
    /* Every answer was common. */
    for (int result = 0; result < 4; result++)
        assert_true(trial.results[result] > 1000);
    assert_true(trial.conflicts > 1000 && trial.removals > 1000);
    inputs_deinit(&inputs);
}

/* --- Limits --------------------------------------------------------------------------------- */

static void router_takes_long_paths(void **state)
{
    static const char *const patterns[] = {"/", "/{a}/{b}/{c}/{rest...}", "GET /a/a/a/a/a/{$}"};
    static char path[8001];
    struct router *router = make(patterns, 3);
    struct router_match match;

    (void)state;
    for (size_t at = 0; at + 2 < sizeof(path); at += 2)
        memcpy(path + at, "/a", 2);
    px_str raw = px_str_make(path, 8000);
    assert_int_equal(router_find(router, METHOD_GET, px_str_of("GET"), px_str_of("x"), raw, &match),
                     ROUTER_FOUND);
    assert_string_equal(match.pattern, patterns[1]);
    assert_int_equal(match.param_count, 4);
    assert_int_equal(match.params[3].len, 8000 - 7);
    memset(path, '/', 8000);
    assert_int_equal(router_find(router, METHOD_GET, px_str_of("GET"), px_str_of("x"), raw, &match),
                     ROUTER_FOUND);
    assert_string_equal(match.pattern, "/");
    memset(path + 1, 'b', 7999);
    assert_int_equal(router_find(router, METHOD_GET, px_str_of("GET"), raw, raw, &match),
                     ROUTER_FOUND);
    memset(path + 1, '%', 7999);
    assert_int_equal(router_find(router, METHOD_OTHER, raw, raw, raw, &match), ROUTER_FOUND);
    router_close(router);
}

/* As deep as a pattern can be, with a way back at every segment. */
static void router_goes_as_deep_as_patterns(void **state)
{
    char pattern[ROUTE_SEGMENTS_MAX][ROUTE_SEGMENTS_MAX * 8];
    struct router *router;
    struct router_match match;
    px_error error;
    char path[ROUTE_SEGMENTS_MAX * 2 + 1];

    (void)state;
    assert_int_equal(router_open(&alloc_libc, &router), PX_OK);
    for (int depth = 0; depth < ROUTE_SEGMENTS_MAX; depth++) {
        size_t at = 0;

        for (int index = 0; index < depth; index++)
            at += (size_t)snprintf(pattern[depth] + at, 8, "/a");
        snprintf(pattern[depth] + at, 16, "/{rest...}");
        if (router_add(router, pattern[depth], pattern[depth], &error) != PX_OK)
            fail_msg("%s", error.text);
    }
    for (int depth = 0; depth <= ROUTE_SEGMENTS_MAX; depth++)
        memcpy(path + depth * 2, "/a", depth < ROUTE_SEGMENTS_MAX ? 3 : 1);
    for (int depth = 0; depth < ROUTE_SEGMENTS_MAX; depth++) {
        px_str raw = px_str_make(path, (size_t)depth * 2 + 1);

        assert_int_equal(
            router_find(router, METHOD_GET, px_str_of("GET"), px_str_of("x"), raw, &match),
            ROUTER_FOUND);
        assert_ptr_equal(match.value, pattern[depth]);
        assert_int_equal(match.params[0].len, 0);
        path[depth * 2 + 1] = 'b';
        raw.len++;
        assert_int_equal(
            router_find(router, METHOD_GET, px_str_of("GET"), px_str_of("x"), raw, &match),
            ROUTER_FOUND);
        assert_ptr_equal(match.value, pattern[depth]);
        assert_str_equal(match.params[0], LITERAL("b"));
        path[depth * 2 + 1] = 'a';
    }
    router_close(router);
}

static void router_has_limits(void **state)
{
    struct router *router;
    px_error error;
    char pattern[64];
    struct router_match match;

    (void)state;
    assert_int_equal(router_open(&alloc_libc, &router), PX_OK);
    for (int index = 0; index <= ROUTE_METHODS_MAX; index++) {
        snprintf(pattern, sizeof(pattern), "M%d /m", index);
        assert_int_equal(router_add(router, pattern, NULL, &error),
                         index < ROUTE_METHODS_MAX ? PX_OK : PX_ERR_LIMIT);
    }
    assert_non_null(strstr(error.text, "ROUTE_METHODS_MAX"));
    /* A token that is there already still has room. */
    assert_int_equal(router_add(router, "M31 /n", NULL, &error), PX_OK);
    for (int index = ROUTE_METHODS_MAX + 1; index < ROUTES_MAX; index++) {
        snprintf(pattern, sizeof(pattern), "GET /%d/{x}", index);
        if (router_add(router, pattern, (void *)(uintptr_t)index, &error) != PX_OK)
            fail_msg("%s", error.text);
    }
    assert_int_equal(router_add(router, "/more", NULL, &error), PX_ERR_LIMIT);
    assert_non_null(strstr(error.text, "ROUTES_MAX"));
    assert_int_equal(router_remove(router, "M0 /m", &error), PX_OK);
    assert_int_equal(router_add(router, "/more", NULL, &error), PX_OK);
    assert_int_equal(router_remove(router, "M0 /m", &error), PX_ERR_NOT_FOUND);
    assert_int_equal(router_remove(router, "/{a", &error), PX_ERR_INVALID);
    for (int index = ROUTE_METHODS_MAX + 1; index < ROUTES_MAX; index++) {
        snprintf(pattern, sizeof(pattern), "/%d/%d", index, index);
        assert_int_equal(router_find(router, METHOD_GET, px_str_of("GET"), px_str_of("x"),
                                     px_str_of(pattern), &match),
                         ROUTER_FOUND);
        assert_int_equal((uintptr_t)match.value, index);
    }
    router_close(router);
}

/* --- Failing allocations -------------------------------------------------------------------- */

static void build_site(const px_allocator *allocator, void *context)
{
    struct router *router;
    struct router_match match;
    px_error error;
    char block[8];
    struct arena arena;
    px_str allow;
    bool added[SITE_COUNT];

    (void)context;
    if (router_open(allocator, &router) != PX_OK)
        return;
    for (size_t index = 0; index < SITE_COUNT; index++) {
        px_err err = router_add(router, site[index], (void *)(uintptr_t)(index + 1), &error);

        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        assert_int_equal(error.code, err);
        added[index] = err == PX_OK;
        if (!added[index] || index % 5 != 0)
            continue;
        err = router_remove(router, site[index], &error);
        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        assert_int_equal(error.code, err);
        added[index] = err != PX_OK;
    }
    /* What failed left nothing behind that answers. */
    for (size_t index = 0; index < sizeof(site_cases) / sizeof(site_cases[0]); index++) {
        px_str method = px_str_of(site_cases[index].method);

        if (router_find(router, pattern_method_id(method), method,
                        px_str_of(site_cases[index].host), px_str_of(site_cases[index].path),
                        &match) == ROUTER_FOUND)
            assert_true(added[(uintptr_t)match.value - 1]);
    }
    arena_init(&arena, allocator, block, sizeof(block), 4096);
    px_err err = router_allow(router, px_str_of("x"), px_str_of("/users/1"), &arena, &allow);

    assert_true(err == PX_OK || err == PX_ERR_MEMORY || err == PX_ERR_NOT_FOUND);
    arena_reset(&arena);
    router_close(router);
}

static void router_survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("router", build_site, NULL) >= 3);
}

/* The arena takes blocks, so what fails is whatever does not fit in one: a pattern in front, longer
 * each time, moves the edge over every object. */
static void router_survives_a_failure_at_every_object(void **state)
{
    char filler[ROUTE_SEGMENT_BYTES_MAX + 2];
    struct fault_alloc fault;
    struct router *router;
    px_error error;
    uint32_t failures = 0;

    (void)state;
    memset(filler, 'f', sizeof(filler));
    filler[0] = '/';
    for (uint32_t bytes = 1; bytes < ARENA_BLOCK_BYTES / 2; bytes += 4) {
        uint32_t left = bytes;

        fault_alloc_init(&fault);
        assert_int_equal(router_open(&fault.allocator, &router), PX_OK);
        for (char first = 'a'; left > 0; first++) {
            uint32_t len = left < ROUTE_SEGMENT_BYTES_MAX ? left : ROUTE_SEGMENT_BYTES_MAX;

            filler[1] = first;
            filler[1 + len] = '\0';
            assert_int_equal(router_add(router, filler, NULL, &error), PX_OK);
            filler[1 + len] = 'f';
            left -= len;
        }
        fault.fail_at = fault.calls + 1;
        for (size_t index = 0; index < SITE_COUNT; index++) {
            px_err err = router_add(router, site[index], NULL, &error);

            if (err == PX_OK)
                continue;
            assert_int_equal(err, PX_ERR_MEMORY);
            failures++;
            /* Nothing of the first try is in the way of the second. */
            assert_int_equal(router_add(router, site[index], NULL, &error), PX_OK);
        }
        router_close(router);
        fault_alloc_assert_empty(&fault);
    }
    assert_true(failures > 400);
}

static void router_lookup_allocates_nothing(void **state)
{
    struct fault_alloc fault;
    struct router *router;
    struct router_match match;
    px_error error;

    (void)state;
    fault_alloc_init(&fault);
    assert_int_equal(router_open(&fault.allocator, &router), PX_OK);
    for (size_t index = 0; index < SITE_COUNT; index++)
        assert_int_equal(router_add(router, site[index], NULL, &error), PX_OK);
    uint32_t before = fault.calls;

    for (size_t index = 0; index < sizeof(site_cases) / sizeof(site_cases[0]); index++) {
        px_str method = px_str_of(site_cases[index].method);

        (void)router_find(router, pattern_method_id(method), method,
                          px_str_of(site_cases[index].host), px_str_of(site_cases[index].path),
                          &match);
    }
    assert_int_equal(fault.calls, before);
    router_close(router);
    fault_alloc_assert_empty(&fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(router_finds_the_most_specific),
        cmocka_unit_test(router_says_what_is_allowed),
        cmocka_unit_test(router_names_both_in_a_conflict),
        cmocka_unit_test(router_cuts_long_patterns_in_texts),
        cmocka_unit_test(router_agrees_with_the_model),
        cmocka_unit_test(router_takes_long_paths),
        cmocka_unit_test(router_goes_as_deep_as_patterns),
        cmocka_unit_test(router_has_limits),
        cmocka_unit_test(router_survives_failing_allocations),
        cmocka_unit_test(router_survives_a_failure_at_every_object),
        cmocka_unit_test(router_lookup_allocates_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
