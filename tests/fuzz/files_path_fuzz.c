/*
 * Paths of requests for files: whatever the bytes, what is handed to the kernel climbs nowhere, is
 * relative, ends in NUL, and hides no name with a dot in front; patterns are matched in time.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "handlers/files/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_path(px_str path)
{
    px_str rest = path;
    bool first = true;

    CHECK(path.ptr[path.len] == '\0' && !memchr(path.ptr, '\0', path.len));
    CHECK(path.len <= FILE_PATH_BYTES_MAX);
    CHECK(path.len == 0 || path.ptr[0] != '/');
    while (rest.len > 0) {
        const char *slash = memchr(rest.ptr, '/', rest.len);
        size_t bytes = slash ? (size_t)(slash - rest.ptr) : rest.len;

        CHECK(bytes > 0);
        CHECK(rest.ptr[0] != '.' ||
              (first && bytes == 11 && slash && memcmp(rest.ptr, ".well-known", bytes) == 0));
        rest = px_str_make(rest.ptr + bytes + (slash ? 1 : 0), rest.len - bytes - (slash ? 1 : 0));
        first = false;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const patterns[] = {NULL, "/", "/static/", "/a/{b}/{rest...}", "/one"};
    px_exchange *exchange = calloc(1, sizeof(*exchange));
    char *target;
    px_str path;

    if (len < 1 || !exchange) {
        free(exchange);
        return 0;
    }
    target = malloc(len + 1);
    CHECK(target);
    target[0] = '/';
    memcpy(target + 1, data + 1, len - 1);
    target[len] = '\0'; /* a request's strings end so, and hold none */
    arena_init(&exchange->arena, &alloc_libc, exchange->first, sizeof(exchange->first), 1 << 20);
    exchange->request.raw_path = px_str_make(target, strlen(target));
    exchange->pattern = patterns[data[0] % ARRAY_COUNT(patterns)];
    unsigned status = files_path(exchange, &path);

    CHECK(status == 0 || status == 400 || status == 404 || status == 503);
    if (status == 0) {
        check_path(path);
        px_str there = files_path_with_slash(exchange);

        CHECK(there.len >= 1 && there.ptr[0] == '/' && there.ptr[there.len - 1] == '/');
        /* A route's own segments stay as they came: the parser of targets has seen them. */
        if (data[0] % ARRAY_COUNT(patterns) <= 1) {
            CHECK(there.len == 1 || (there.ptr[1] != '/' && there.ptr[1] != '\\'));
            CHECK(!memchr(there.ptr, '\r', there.len) && !memchr(there.ptr, '\n', there.len));
        }
        CHECK(files_glob("*", path));
        files_glob("*a*b?c*", path);
    }
    arena_reset(&exchange->arena);
    free(target);
    free(exchange);
    return 0;
}
