/*
 * Cookies: lenient reading, strict writing, every cut at a guard page, each allocation failing.
 */
#include "http/fields/cookie.h"

#include "base/limits.h"
#include "http/fields/date.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "lib/test.h"

static void cookies_print(px_str cookies, char *out_text, size_t room)
{
    struct cookie_pair pair;
    size_t len = 0;

    out_text[0] = '\0';
    while (cookie_next(&cookies, &pair)) {
        assert_true(pair.name.len > 0);
        assert_non_null(pair.value.ptr);
        len += (size_t)snprintf(out_text + len, room - len, "[%.*s=%.*s]", (int)pair.name.len,
                                pair.name.ptr, (int)pair.value.len, pair.value.ptr);
        assert_true(len < room);
    }
    assert_int_equal(cookies.len, 0);
    assert_false(cookie_next(&cookies, &pair));
}

static void cookies_are_read_leniently(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {";", ""},
        {" ; ;", ""},
        {"a=b", "[a=b]"},
        {"a=b; c=d", "[a=b][c=d]"},
        {"a=b;c=d;", "[a=b][c=d]"},
        {" a = b ;\tc\t=\td\t", "[a=b][c=d]"},
        {"a=", "[a=]"},
        {"a=b=c", "[a=b=c]"},
        {"a=\"b c\"; d=\"e", "[a=b c][d=\"e]"},
        {"a=\"\"; b=\"", "[a=][b=\"]"},
        {"junk; =nameless; a=b", "[a=b]"},
        {"junk", ""},
        {"=", ""},
        {"a=b, c=d", "[a=b, c=d]"},
        {"a={\"x\":1}", "[a={\"x\":1}]"},
        {"$Version=1; a=b", "[$Version=1][a=b]"},
        {"a=\xc3\xa9", "[a=\xc3\xa9]"},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cookies_print(px_str_of(cases[i][0]), text, sizeof(text));
        assert_string_equal(text, cases[i][1]);
    }
    cookies_print(px_str_make(NULL, 0), text, sizeof(text));
    assert_string_equal(text, "");
}

static void cookie_find_gives_the_first(void **state)
{
    const px_field fields[] = {
        {LITERAL("Host"), LITERAL("a=host")},
        {LITERAL("cookie"), LITERAL("x=1")},
        {LITERAL("Cookie"), LITERAL("a=2; a=3; e=")},
        {LITERAL("Cookie"), LITERAL("a=4; e=5; z=6")},
    };

    (void)state;
    assert_str_equal(cookie_find(LITERAL("b=1; a=2; a=3"), LITERAL("a")), LITERAL("2"));
    assert_str_equal(cookie_find(LITERAL("A=1; a=2"), LITERAL("a")), LITERAL("2"));
    assert_str_equal(cookie_find(LITERAL("a=1"), LITERAL("b")), px_str_make(NULL, 0));
    assert_str_equal(cookie_find(px_str_make(NULL, 0), LITERAL("b")), px_str_make(NULL, 0));
    assert_str_equal(cookie_find_field(fields, 4, LITERAL("a")), LITERAL("2"));
    /* Present and empty is found, not passed over. */
    assert_str_equal(cookie_find_field(fields, 4, LITERAL("e")), LITERAL(""));
    assert_str_equal(cookie_find_field(fields, 4, LITERAL("z")), LITERAL("6"));
    assert_str_equal(cookie_find_field(fields, 4, LITERAL("y")), px_str_make(NULL, 0));
    assert_str_equal(cookie_find_field(NULL, 0, LITERAL("a")), px_str_make(NULL, 0));
}

static void assert_builds(const struct cookie *cookie, const char *expected)
{
    struct arena arena;
    char first[512];
    px_str value = {NULL, 0};

    arena_init(&arena, &alloc_libc, first, sizeof(first), 0);
    assert_int_equal(cookie_build(cookie, &arena, &value), PX_OK);
    assert_str_equal(value, px_str_of(expected));
    assert_int_equal(value.ptr[value.len], '\0');
    arena_reset(&arena);
}

static void cookie_build_writes_all_attributes(void **state)
{
    struct cookie cookie = {.name = LITERAL("id"), .value = LITERAL("abc")};

    (void)state;
    assert_builds(&cookie, "id=abc");
    cookie.value = px_str_make(NULL, 0);
    assert_builds(&cookie, "id=");
    cookie.value = LITERAL("!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~");
    assert_builds(&cookie, "id=!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~");
    cookie.value = LITERAL("x");
    cookie.path = LITERAL("/a b/c");
    cookie.domain = LITERAL("www.Ex-ample.com");
    cookie.has_max_age = true;
    cookie.max_age = 0;
    assert_builds(&cookie, "id=x; Path=/a b/c; Domain=www.Ex-ample.com; Max-Age=0");
    cookie.max_age = INT64_MAX;
    cookie.has_expires = true;
    cookie.expires = 784111777;
    cookie.secure = true;
    cookie.http_only = true;
    cookie.same_site = COOKIE_SAME_SITE_STRICT;
    assert_builds(&cookie,
                  "id=x; Path=/a b/c; Domain=www.Ex-ample.com; Max-Age=9223372036854775807; "
                  "Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; HttpOnly; SameSite=Strict");

    struct cookie lax = {.name = LITERAL("a"), .same_site = COOKIE_SAME_SITE_LAX};
    struct cookie none = {.name = LITERAL("a"), .secure = true, .same_site = COOKIE_SAME_SITE_NONE};
    struct cookie host = {.name = LITERAL("__Host-a"), .secure = true, .path = LITERAL("/")};
    struct cookie prefixed = {.name = LITERAL("__Secure-a"), .secure = true};

    assert_builds(&lax, "a=; SameSite=Lax");
    assert_builds(&none, "a=; Secure; SameSite=None");
    assert_builds(&host, "__Host-a=; Path=/; Secure");
    assert_builds(&prefixed, "__Secure-a=; Secure");
}

static px_err build(struct cookie cookie)
{
    struct arena arena;
    char first[512];
    px_str value = LITERAL("untouched");

    arena_init(&arena, &alloc_libc, first, sizeof(first), 16 * 1024);
    px_err err = cookie_build(&cookie, &arena, &value);

    if (err != PX_OK)
        assert_str_equal(value, LITERAL("untouched"));
    arena_reset(&arena);
    return err;
}

#define BUILD(...) build((struct cookie){.name = LITERAL("a"), __VA_ARGS__})

static void cookie_build_refuses_what_is_not_a_cookie(void **state)
{
    static const char *const bad_paths[] = {"a",      "",          "/a;b", "/a\r\nb",
                                            "/a\x7f", "/\xc3\xa9", "/a "};
    static const char *const bad_domains[] = {".a.com", "a..com",   "a.com.", "-a.com", "a-.com",
                                              "a.-b",   "a.com-",   "a;b",    "a b",    "a\r\nb",
                                              "a_b",    "\xc3\xa9", ".",      "-"};

    (void)state;
    assert_int_equal(build((struct cookie){.name = LITERAL("")}), PX_ERR_INVALID);
    assert_int_equal(build((struct cookie){.name = LITERAL("a b")}), PX_ERR_INVALID);
    assert_int_equal(build((struct cookie){.name = LITERAL("a=b")}), PX_ERR_INVALID);
    assert_int_equal(build((struct cookie){.name = LITERAL("a\n")}), PX_ERR_INVALID);
    for (int byte = 0; byte < 256; byte++) {
        char text[3] = {'x', (char)byte, 'y'};
        bool good = byte == 0x21 || (byte >= 0x23 && byte <= 0x2b) ||
                    (byte >= 0x2d && byte <= 0x3a) || (byte >= 0x3c && byte <= 0x5b) ||
                    (byte >= 0x5d && byte <= 0x7e); /* RFC 6265 section 4.1.1 */

        assert_int_equal(BUILD(.value = px_str_make(text, 3)), good ? PX_OK : PX_ERR_INVALID);
    }
    for (size_t i = 0; i < sizeof(bad_paths) / sizeof(bad_paths[0]); i++)
        assert_int_equal(BUILD(.path = px_str_of(bad_paths[i])),
                         bad_paths[i][0] ? PX_ERR_INVALID : PX_OK);
    for (size_t i = 0; i < sizeof(bad_domains) / sizeof(bad_domains[0]); i++)
        assert_int_equal(BUILD(.domain = px_str_of(bad_domains[i])), PX_ERR_INVALID);
    assert_int_equal(BUILD(.domain = LITERAL("a")), PX_OK);
    assert_int_equal(BUILD(.domain = LITERAL("1.2.3.4")), PX_OK);
    assert_int_equal(BUILD(.has_max_age = true, .max_age = -1), PX_ERR_INVALID);
    assert_int_equal(BUILD(.max_age = -1), PX_OK);
    assert_int_equal(BUILD(.has_expires = true, .expires = DATE_SECONDS_MAX + 1), PX_ERR_INVALID);
    assert_int_equal(BUILD(.has_expires = true, .expires = DATE_SECONDS_MIN - 1), PX_ERR_INVALID);
    assert_int_equal(BUILD(.same_site = COOKIE_SAME_SITE_NONE), PX_ERR_INVALID);
}

static void cookie_build_refuses_what_user_agents_drop(void **state)
{
    px_str root = LITERAL("/");
    struct cookie cookie = {.name = LITERAL("__secure-a")};

    (void)state;
    assert_int_equal(build(cookie), PX_ERR_INVALID);
    cookie.secure = true;
    assert_int_equal(build(cookie), PX_OK);

    struct cookie host = {.name = LITERAL("__HOST-a"), .secure = true, .path = root};

    assert_int_equal(build(host), PX_OK);
    host.secure = false;
    assert_int_equal(build(host), PX_ERR_INVALID);
    host.secure = true;
    host.path = LITERAL("/a");
    assert_int_equal(build(host), PX_ERR_INVALID);
    host.path = px_str_make(NULL, 0);
    assert_int_equal(build(host), PX_ERR_INVALID);
    host.path = root;
    host.domain = LITERAL("a.com");
    assert_int_equal(build(host), PX_ERR_INVALID);
}

static void cookie_build_keeps_its_limits(void **state)
{
    static char text[COOKIE_BYTES_MAX + 1];

    (void)state;
    memset(text, 'x', sizeof(text));
    assert_int_equal(BUILD(.value = px_str_make(text, COOKIE_BYTES_MAX - 1)), PX_OK);
    assert_int_equal(BUILD(.value = px_str_make(text, COOKIE_BYTES_MAX)), PX_ERR_LIMIT);
    assert_int_equal(build((struct cookie){.name = px_str_make(text, COOKIE_BYTES_MAX)}), PX_OK);
    assert_int_equal(build((struct cookie){.name = px_str_make(text, COOKIE_BYTES_MAX + 1)}),
                     PX_ERR_LIMIT);
    assert_int_equal(BUILD(.domain = px_str_make(text, COOKIE_ATTRIBUTE_BYTES_MAX)), PX_OK);
    assert_int_equal(BUILD(.domain = px_str_make(text, COOKIE_ATTRIBUTE_BYTES_MAX + 1)),
                     PX_ERR_LIMIT);
    text[0] = '/';
    assert_int_equal(BUILD(.path = px_str_make(text, COOKIE_ATTRIBUTE_BYTES_MAX)), PX_OK);
    assert_int_equal(BUILD(.path = px_str_make(text, COOKIE_ATTRIBUTE_BYTES_MAX + 1)),
                     PX_ERR_LIMIT);
}

static void build_one(const px_allocator *allocator, void *context)
{
    struct cookie cookie = {.name = LITERAL("a"), .value = LITERAL("b"), .http_only = true};
    struct arena arena;
    char none;
    px_str value = LITERAL("untouched");

    (void)context;
    arena_init(&arena, allocator, &none, 0, 64 * 1024);
    px_err err = cookie_build(&cookie, &arena, &value);

    if (err == PX_OK) {
        assert_str_equal(value, LITERAL("a=b; HttpOnly"));
    } else {
        assert_int_equal(err, PX_ERR_MEMORY);
        assert_str_equal(value, LITERAL("untouched"));
    }
    arena_reset(&arena);
}

static void cookie_build_survives_failing_allocations(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("cookie_build", build_one, NULL), 1);
}

static void cookies_stay_within_their_input(void **state)
{
    px_str whole = LITERAL(" a = \"b\" ;; =x; junk;c=\"; d==\t;e");
    struct guard guard;
    char text[256];
    char expected[256];

    (void)state;
    guard_init(&guard, whole.len);
    for (size_t from = 0; from <= whole.len; from++) {
        for (size_t len = 0; len <= whole.len - from; len++) {
            px_str cut = px_str_make(whole.ptr + from, len);

            cookies_print(cut, expected, sizeof(expected));
            cookies_print(guard_at_end(&guard, cut), text, sizeof(text));
            assert_string_equal(text, expected);
            cookies_print(guard_at_start(&guard, cut), text, sizeof(text));
            assert_string_equal(text, expected);
        }
    }
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cookies_are_read_leniently),
        cmocka_unit_test(cookie_find_gives_the_first),
        cmocka_unit_test(cookie_build_writes_all_attributes),
        cmocka_unit_test(cookie_build_refuses_what_is_not_a_cookie),
        cmocka_unit_test(cookie_build_refuses_what_user_agents_drop),
        cmocka_unit_test(cookie_build_keeps_its_limits),
        cmocka_unit_test(cookie_build_survives_failing_allocations),
        cmocka_unit_test(cookies_stay_within_their_input),
    };

    return cmocka_run_group_tests_name("cookie", tests, NULL, NULL);
}
