/*
 * The router under any patterns and any requests.
 *
 * Input: lines.  A line that begins with "+" registers the rest as a pattern; any other is a
 * request "METHOD HOST PATH" (blanks between them, the path up to the end of the line).  Besides
 * not crashing, the answers must hold together: what was found is found again, parameters are
 * slices of the path in order, Allow is there exactly when the path is, a second registration is a
 * conflict, a redirect leads to a clean path on this host which does not redirect again.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "lib/router_open.h"
#include "route/pattern.h"
#include "route/router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { PATTERNS_MAX = 64 };

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* The piece up to a blank, which is taken off `line`. */
static px_str take_word(px_str *line)
{
    const char *blank = line->len > 0 ? memchr(line->ptr, ' ', line->len) : NULL;
    size_t len = blank ? (size_t)(blank - line->ptr) : line->len;
    px_str word = px_str_make(line->ptr, len);

    line->ptr += blank ? len + 1 : len;
    line->len -= blank ? len + 1 : len;
    return word;
}

static void add(struct router *router, px_str line)
{
    char *text = malloc(line.len + 1);
    px_error error;

    must(text != NULL);
    memcpy(text, line.ptr, line.len);
    text[line.len] = '\0';

    px_err err = router_add(router, text, NULL, &error);

    must(error.code == err && !strchr(error.text, '\n') && (err == PX_OK) == !error.text[0]);
    must(err == PX_OK || err == PX_ERR_INVALID || err == PX_ERR_CONFLICT || err == PX_ERR_LIMIT);
    if (err == PX_OK)
        must(router_add(router, text, NULL, &error) == PX_ERR_CONFLICT);
    free(text);
}

static void check_path(px_str path, struct arena *arena)
{
    px_str clean;
    px_str again;

    for (int slash = 0; slash < 2; slash++) {
        must(router_redirect_path(path, slash, arena, &clean) == PX_OK);
        must(clean.ptr[0] == '/' && clean.ptr[1] != '/' && !memchr(clean.ptr, '\\', clean.len));
        must(!router_path_clean_needed(clean) && strlen(clean.ptr) == clean.len);
        must(router_redirect_path(clean, slash, arena, &again) == PX_OK);
        must(px_str_equal(clean, again));
        must(router_redirect_relative(path, slash, arena, &again) == PX_OK);
        must(again.len > 0 && again.ptr[0] != '/' && !memchr(again.ptr, '\\', again.len));
        must(router_plain_path(path, arena, &again) == PX_OK);
        must(router_path_is_plain(again) && again.ptr[0] == '/');
        must(!router_path_is_plain(path) || path.len == 0 || path.ptr[0] != '/' ||
             memchr(path.ptr, '%', path.len) || again.len >= path.len);
        must(router_redirect_relative(path, slash, arena, &again) == PX_OK);
        const char *colon = memchr(again.ptr, ':', again.len);

        must(!colon || memchr(again.ptr, '/', (size_t)(colon - again.ptr)));
    }
}

static void check_match(const struct router_match *match, px_str path)
{
    const char *at = path.ptr;

    must(match->param_count <= ROUTE_PARAMS_MAX && match->pattern);
    for (uint32_t index = 0; index < match->param_count; index++) {
        px_str value = match->params[index];
        bool last = index + 1 == match->param_count;

        must(match->names[index].len > 0 && value.ptr);
        if (path.len > 0 && path.ptr[0] == '/') {
            must(value.ptr > at && value.ptr + value.len <= path.ptr + path.len);
            must(last || (value.len > 0 && !memchr(value.ptr, '/', value.len)));
            at = value.ptr + value.len;
        }
    }
}

static void find(const struct router *router, px_str line)
{
    px_str method = take_word(&line);
    px_str host = take_word(&line);
    uint8_t id = pattern_method_id(method);
    char block[64];
    struct arena arena;
    struct router_match match;
    struct router_match again;
    px_str allow;

    arena_init(&arena, &alloc_libc, block, sizeof(block), 1024 * 1024);
    enum router_result result = router_find(router, id, method, host, line, &match);

    must(router_find(router, id, method, host, line, &again) == result);
    if (result == ROUTER_FOUND) {
        must(match.pattern == again.pattern);
        check_match(&match, line);
    }
    px_err err = router_allow(router, host, line, &arena, &allow);

    must(err == PX_OK || err == PX_ERR_NOT_FOUND);
    if (err == PX_OK)
        must(allow.len >= 10 && memcmp(allow.ptr + allow.len - 7, "OPTIONS", 8) == 0);
    if (id != METHOD_CONNECT)
        must((err == PX_OK) == (result != ROUTER_NO_PATH));
    check_path(line, &arena);
    if (result == ROUTER_REDIRECT_SLASH && !router_path_clean_needed(line)) {
        px_str target;

        must(router_redirect_path(line, true, &arena, &target) == PX_OK);
        /* Bytes that no path has come out encoded, which a literal may match otherwise. */
        if (target.len == line.len + 1)
            must(router_find(router, id, method, host, target, &match) == ROUTER_FOUND);
    }
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str text = px_str_make((const char *)data, len);
    struct router *router;
    uint32_t patterns = 0;

    must(router_open(&alloc_libc, &router) == PX_OK);
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        px_str line = px_str_make(text.ptr, end ? (size_t)(end - text.ptr) : text.len);

        text.ptr += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        if (line.len > 0 && line.ptr[0] == '+') {
            if (patterns++ < PATTERNS_MAX)
                add(router, px_str_make(line.ptr + 1, line.len - 1));
        } else {
            find(router, line);
        }
    }
    router_close(router);
    return 0;
}
