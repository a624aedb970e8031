/*
 * Paths of requests for files: whatever the bytes, what is handed to the kernel climbs nowhere, is
 * relative, ends in NUL, and hides no name with a dot in front; patterns are matched in time.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "exchange/exchange_private.h"
#include "handlers/files/files.h"
#include "http/scan/scan.h"

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
    static px_loop loop; /* nothing ticks it, so any thread may use what is its */
    static struct exchange_service service = {.loop = &loop};
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
    exchange->service = &service;
    exchange->item.generation = 1; /* odd: in use */
    exchange->arrival.request.raw_path = px_str_make(target, strlen(target));
    exchange->handling.pattern = patterns[data[0] % ARRAY_COUNT(patterns)];
    unsigned status = files_path(exchange, false, &path);

    CHECK(status == 0 || status == 400 || status == 404 || status == 503);
    if (status == 0) {
        check_path(path);
        px_str there = files_path_with_slash(exchange);

        const char *colon = memchr(there.ptr, ':', there.len);

        /* Relative, and neither a host nor a scheme. */
        CHECK(there.len >= 2 && there.ptr[0] != '/' && there.ptr[there.len - 1] == '/');
        CHECK(!colon || memchr(there.ptr, '/', (size_t)(colon - there.ptr)));
        for (size_t at = 0; at < there.len; at++)
            CHECK(there.ptr[at] == '%' || (char_class[(uint8_t)there.ptr[at]] & CHAR_PATH));
        CHECK(files_glob("*", path));
        files_glob("*a*b?c*", path);
    }
    arena_reset(&exchange->arena);
    free(target);
    free(exchange);
    return 0;
}
