/*
 * Cookies: what is read is found again; a Set-Cookie that is built holds exactly the attributes
 * that were asked for, whatever bytes its parts are made of.
 *
 * The input is a Cookie field; split at its LFs it is also name, value, path and domain.
 */
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/check.h"
#include "http/fields/cookie.h"
#include "http/fields/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static px_str take_line(px_str *rest)
{
    const char *stop = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    px_str line = px_str_make(rest->ptr, stop ? (size_t)(stop - rest->ptr) : rest->len);

    *rest = stop ? px_str_make(stop + 1, rest->len - line.len - 1)
                 : px_str_make(rest->ptr + rest->len, 0);
    return line;
}

static void fuzz_read(px_str input)
{
    px_str rest = input;
    struct cookie_pair pair;

    while (cookie_next(&rest, &pair)) {
        px_str found = cookie_find(input, pair.name);

        CHECK(pair.name.len > 0 && found.ptr);
        CHECK(pair.name.ptr >= input.ptr && pair.name.ptr + pair.name.len <= input.ptr + input.len);
        CHECK(!memchr(pair.name.ptr, ';', pair.name.len));
        CHECK(pair.value.len == 0 || !memchr(pair.value.ptr, ';', pair.value.len));
        /* The first of that name does not stand behind this one. */
        CHECK(found.ptr <= pair.value.ptr);
    }
}

static void fuzz_build(px_str input, unsigned bits)
{
    struct cookie cookie = {0};
    struct arena arena;
    char first[1024];
    px_str value;
    size_t semicolons = 0;

    cookie.name = take_line(&input);
    cookie.value = take_line(&input);
    cookie.path = take_line(&input);
    cookie.domain = take_line(&input);
    cookie.has_max_age = bits & 1;
    cookie.max_age = (int64_t)bits * 1000003;
    cookie.has_expires = bits & 2;
    cookie.expires = (int64_t)bits * 100000007;
    cookie.secure = bits & 4;
    cookie.http_only = bits & 8;
    cookie.same_site = (enum cookie_same_site)(bits >> 4 & 3);
    arena_init(&arena, &alloc_libc, first, sizeof(first), 64 * 1024);
    if (cookie_build(&cookie, &arena, &value) == PX_OK) {
        size_t wanted = (cookie.path.len > 0) + (cookie.domain.len > 0) + cookie.has_max_age +
                        cookie.has_expires + cookie.secure + cookie.http_only +
                        (cookie.same_site != COOKIE_SAME_SITE_UNSET);

        for (size_t i = 0; i < value.len; i++)
            semicolons += value.ptr[i] == ';';
        CHECK(semicolons == wanted);
        CHECK(field_value_valid(value));
        CHECK(px_str_equal(cookie_find(value, cookie.name), cookie.value));
    }
    arena_reset(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);

    if (len == 0)
        return 0;
    fuzz_read(input);
    fuzz_build(px_str_make(input.ptr + 1, len - 1), data[0]);
    return 0;
}
