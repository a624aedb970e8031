/*
 * Clean paths: the cases of Go's documentation, and every short path over a nasty alphabet against
 * a cleaner that splits and joins.
 */
#include "lib/test.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "route/path.h"

/* The slow cleaner: a list of segments, joined at the end. */
static void clean(const char *path, bool add_slash, char *out)
{
    const char *starts[64];
    size_t lens[64];
    size_t count = 0;
    size_t len = strlen(path);
    bool slash = len > 0 && path[len - 1] == '/';

    while (*path) {
        size_t segment = strcspn(path, "/");

        if (segment == 2 && memcmp(path, "..", 2) == 0) {
            if (count > 0)
                count--;
        } else if (segment > 0 && !(segment == 1 && *path == '.')) {
            starts[count] = path;
            lens[count++] = segment;
        }
        path += segment + (path[segment] == '/');
    }
    for (size_t index = 0; index < count; index++)
        out += snprintf(out, 64, "/%.*s", (int)lens[index], starts[index]);
    snprintf(out, 2, "%s", count == 0 || slash || add_slash ? "/" : "");
}

static size_t write_segment(char *out, const char *segment, size_t len)
{
    *out = '/';
    memcpy(out + 1, segment, len);
    out[1 + len] = '\0';
    return 1 + len;
}

/* What a peer makes of a relative reference (RFC 3986 sections 5.2.3 and 5.2.4). */
static void resolve(const char *base, const char *reference, char *out)
{
    char merged[512];
    size_t folder = (size_t)(strrchr(base, '/') - base) + 1, count = 0;
    const char *starts[128], *at = merged + 1;
    size_t lens[128];

    snprintf(merged, sizeof(merged), "%.*s%s", (int)folder, base, reference);
    for (;;) {
        size_t len = strcspn(at, "/");
        bool last = at[len] == '\0';
        bool one = len == 1 && at[0] == '.', two = len == 2 && memcmp(at, "..", 2) == 0;

        if (two && count > 0)
            count--;
        if ((!one && !two) || last) {
            starts[count] = at;
            lens[count++] = one || two ? 0 : len;
        }
        if (last)
            break;
        at += len + 1;
    }
    for (size_t index = 0; index < count; index++)
        out += write_segment(out, starts[index], lens[index]);
}

static void check_relative(px_str raw, bool slash, const char *path, const char *expected)
{
    struct arena arena;
    char block[256], found[512];
    px_str out;

    if (path[0] != '/')
        return;
    arena_init(&arena, &alloc_libc, block, sizeof(block), 0);
    assert_int_equal(router_redirect_relative(raw, slash, &arena, &out), PX_OK);
    assert_int_equal(out.len, strlen(out.ptr));
    assert_true(out.len > 0 && out.ptr[0] != '/');
    resolve(path, out.ptr, found);
    if (strcmp(found, expected) != 0)
        fail_msg("%s: %s leads to %s, not %s", path, out.ptr, found, expected);
    arena_reset(&arena);
}

static void check(struct guard *guard, const char *path)
{
    char block[256];
    char expected[256];
    struct arena arena;
    px_str out;

    for (int end = 0; end < 2; end++) {
        px_str raw =
            end ? guard_at_end(guard, px_str_of(path)) : guard_at_start(guard, px_str_of(path));
        bool needed = router_path_clean_needed(raw);

        for (int slash = 0; slash < 2; slash++) {
            arena_init(&arena, &alloc_libc, block, sizeof(block), 0);
            clean(path, slash, expected);
            assert_int_equal(router_redirect_path(raw, slash, &arena, &out), PX_OK);
            if (strcmp(out.ptr, expected) != 0 || strlen(expected) != out.len)
                fail_msg("%s: %s, not %s", path, out.ptr, expected);
            assert_true(out.ptr[0] == '/' && out.ptr[1] != '/');
            assert_false(router_path_clean_needed(out));
            check_relative(raw, slash, path, expected);
            if (!slash && path[0] == '/' && needed != (strcmp(path, expected) != 0))
                fail_msg("%s: needed %d", path, needed);
        }
    }
}

static void path_is_cleaned_as_by_a_slow_one(void **state)
{
    static const char alphabet[] = "/.a";
    struct guard guard;
    uint32_t count = 0;

    (void)state;
    guard_init(&guard, 64);
    for (uint32_t len = 0; len <= 8; len++) {
        uint32_t total = 1;

        for (uint32_t index = 0; index < len; index++)
            total *= 3;
        for (uint32_t number = 0; number < total; number++, count++) {
            char path[16] = "";
            uint32_t left = number;

            for (uint32_t index = 0; index < len; index++, left /= 3)
                path[index] = alphabet[left % 3];
            check(&guard, path);
        }
    }
    assert_int_equal(count, 9841);
    guard_deinit(&guard);
}

/* Long enough for the eight bytes at a time, at every offset. */
static void path_is_looked_through_at_every_offset(void **state)
{
    static const char *const pieces[] = {"//",   "/./", "/../", "/.", "/..",
                                         "/...", "/.a", "/..a", "/"};
    struct guard guard;

    (void)state;
    guard_init(&guard, 256);
    for (size_t piece = 0; piece < sizeof(pieces) / sizeof(pieces[0]); piece++) {
        for (size_t before = 0; before < 40; before++) {
            for (size_t after = 0; after < 20; after++) {
                char path[128];

                snprintf(path, sizeof(path), "/%.*s%s%.*s", (int)before,
                         "abcdefg.ijklm..pqrstuvwxyzabcdefghijklmnopqrstuv", pieces[piece],
                         (int)after, "ab/cdefghijklmnopqrstuvwxyz");
                check(&guard, path);
            }
        }
    }
    guard_deinit(&guard);
}

static void path_cases(void **state)
{
    static const struct {
        const char *raw;
        bool needed;
        const char *cleaned;
        const char *with_slash;
    } cases[] = {
        {"", false, "/", "/"},
        {"/", false, "/", "/"},
        {"//", true, "/", "/"},
        {"//evil.example/", true, "/evil.example/", "/evil.example/"},
        {"///evil.example", true, "/evil.example", "/evil.example/"},
        {"/./evil.example", true, "/evil.example", "/evil.example/"},
        {"/.//evil.example", true, "/evil.example", "/evil.example/"},
        {"/x/..//evil.example", true, "/evil.example", "/evil.example/"},
        {"/../../a", true, "/a", "/a/"},
        {"/a/.", true, "/a", "/a/"},
        {"/a/..", true, "/", "/"},
        {"/a/./", true, "/a/", "/a/"},
        {"/%2F/evil.example", false, "/%2F/evil.example", "/%2F/evil.example/"},
        {"/%2e%2e/a", false, "/%2e%2e/a", "/%2e%2e/a/"},
        /* Browsers take a backslash for a slash. */
        {"/\\evil.example", false, "/%5Cevil.example", "/%5Cevil.example/"},
        {"/a b\r\n<x>\"", false, "/a%20b%0D%0A%3Cx%3E%22", "/a%20b%0D%0A%3Cx%3E%22/"},
        {"/a?b#c", false, "/a%3Fb%23c", "/a%3Fb%23c/"},
        {"/\xc3\xa9", false, "/%C3%A9", "/%C3%A9/"},
        {"/a;b=c,d/:@!$&'()*+~_-", false, "/a;b=c,d/:@!$&'()*+~_-", "/a;b=c,d/:@!$&'()*+~_-/"},
        {"*", false, "/*", "/*/"},
        {"a/b", false, "/a/b", "/a/b/"},
    };
    struct guard guard;
    char block[512];

    (void)state;
    guard_init(&guard, 256);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_str raw = guard_at_end(&guard, px_str_of(cases[index].raw));
        struct arena arena;
        px_str out;

        arena_init(&arena, &alloc_libc, block, sizeof(block), 0);
        assert_int_equal(router_path_clean_needed(raw), cases[index].needed);
        assert_int_equal(router_redirect_path(raw, false, &arena, &out), PX_OK);
        assert_string_equal(out.ptr, cases[index].cleaned);
        assert_int_equal(router_redirect_path(raw, true, &arena, &out), PX_OK);
        assert_string_equal(out.ptr, cases[index].with_slash);
        assert_int_equal(out.len, strlen(out.ptr));
    }
    guard_deinit(&guard);
}

static void redirects_are_relative(void **state)
{
    static const struct {
        const char *raw;
        bool add_slash;
        const char *relative;
    } cases[] = {
        {"/dir", true, "dir/"},       {"/a/dir", true, "dir/"},
        {"/a//b", false, "../b"},     {"/a/./b", false, "b"},
        {"/a/../b", false, "b"},      {"/a/b/..", false, "../../a"},
        {"//", false, "../"},         {"//evil", false, "../evil"},
        {"/.", false, "./"},          {"/..", false, "./"},
        {"/a:b", true, "./a:b/"},     {"/x/a:b", true, "./a:b/"},
        {"/x//a:b", false, "../a:b"}, {"/\\evil", true, "%5Cevil/"},
        {"/a b//c", false, "../c"},   {"/a/b//c/d//e", false, "../../../../c/d/e"},
    };
    char block[256];

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct arena arena;
        px_str out;

        arena_init(&arena, &alloc_libc, block, sizeof(block), 0);
        assert_int_equal(router_redirect_relative(px_str_of(cases[index].raw),
                                                  cases[index].add_slash, &arena, &out),
                         PX_OK);
        assert_string_equal(out.ptr, cases[index].relative);
        arena_reset(&arena);
    }
}

static void plain_paths(void **state)
{
    static const struct {
        const char *raw, *plain;
        bool is_plain;
    } cases[] = {
        {"/", "/", true},
        {"/admin/x", "/admin/x", true},
        {"/.well-known/a..b/...", "/.well-known/a..b/...", true},
        {"/a%20b/%61", "/a%20b/%61", true},
        {"/%252f/%252e", "/%252f/%252e", true},
        {"/a%5cb", "/a%5cb", true},
        {"//admin/x", "/admin/x", false},
        {"/./admin/x", "/admin/x", false},
        {"/x/../admin/x", "/admin/x", false},
        {"/admin%2fx", "/admin/x", false},
        {"/%2Fadmin/x", "/admin/x", false},
        {"/pub/%2e%2E/admin/x", "/admin/x", false},
        {"/pub/.%2e/admin/x", "/admin/x", false},
        {"/pub%2f%2e%2e%2fadmin/x", "/admin/x", false},
        {"/a%2eb", "/a.b", false},
        {"/%2e%2e/%2e%2e/etc", "/etc", false},
        {"/%2f%2f", "/", false},
        {"/a%2", "/a%252", true},
        {"/a%2f", "/a/", false},
        {"", "/", true},
    };
    struct guard guard;
    char block[256];

    (void)state;
    guard_init(&guard, 64);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_str raw = guard_at_end(&guard, px_str_of(cases[index].raw));
        struct arena arena;
        px_str out;

        arena_init(&arena, &alloc_libc, block, sizeof(block), 0);
        assert_int_equal(router_path_is_plain(raw), cases[index].is_plain);
        assert_int_equal(router_plain_path(raw, &arena, &out), PX_OK);
        assert_string_equal(out.ptr, cases[index].plain);
        assert_int_equal(out.len, strlen(cases[index].plain));
        assert_true(router_path_is_plain(out)); /* a redirect there is the last */
        arena_reset(&arena);
    }
    guard_deinit(&guard);
}

static void redirect_once(const px_allocator *allocator, void *context)
{
    struct arena arena;
    px_str out;

    (void)context;
    arena_init(&arena, allocator, NULL, 0, 4096);
    px_err err = router_redirect_path(px_str_of("/a//b"), true, &arena, &out);

    assert_true(err == PX_ERR_MEMORY || (err == PX_OK && strcmp(out.ptr, "/a/b/") == 0));
    err = router_redirect_relative(px_str_of("/a//b"), true, &arena, &out);
    assert_true(err == PX_ERR_MEMORY || (err == PX_OK && strcmp(out.ptr, "../b/") == 0));
    err = router_plain_path(px_str_of("/a%2f/b"), &arena, &out);
    assert_true(err == PX_ERR_MEMORY || (err == PX_OK && strcmp(out.ptr, "/a/b") == 0));
    arena_reset(&arena);
}

static void path_survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("router_redirect_path", redirect_once, NULL) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(path_is_cleaned_as_by_a_slow_one),
        cmocka_unit_test(path_is_looked_through_at_every_offset),
        cmocka_unit_test(path_cases),
        cmocka_unit_test(redirects_are_relative),
        cmocka_unit_test(plain_paths),
        cmocka_unit_test(path_survives_failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
