/*
 * The file of users: which lines are users, where a wrong one is wrong, which hashes are taken, and
 * that they are checked.
 */
#include "gate/users.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "gate/password.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/gate/hashes.h"

static const char *const good[] = {HASH_BCRYPT,   HASH_SHA256, HASH_SHA512,
                                   HASH_YESCRYPT, HASH_GOST,   HASH_SCRYPT};

static void each_method_is_checked(void **state)
{
    void *work = calloc(1, password_work_bytes());

    (void)state;
    for (size_t index = 0; index < sizeof(good) / sizeof(good[0]); index++) {
        assert_null(password_hash_fault(good[index]));
        assert_true(password_check("secret", good[index], work));
        assert_false(password_check("secreu", good[index], work));
        assert_false(password_check("", good[index], work));
    }
    assert_int_equal(sizeof(good) / sizeof(good[0]), 6);
    free(work);
}

static const struct {
    const char *line;
    const char *text; /* a part of what is said */
} wrongs[] = {
    {"ann", "has no colon"},
    {":" HASH_BCRYPT, "no name"},
    {"ann\x01:" HASH_BCRYPT, "control bytes"},
    {"ann:", "plain text"},
    {"ann:secret", "plain text"},
    {"ann:ab1mB2jyN3Bcg", "too weak"},
    {"ann:" HASH_MD5, "too weak"},
    {"ann:$apr1$abcdefgh$0123456789012345678901", "Apache's own"},
    {"ann:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "Apache's own"},
    {"ann:$2y$04$ozVXPYgty45XXVBBKVeV9.g1g8l3HoXKr11f3Tv4wbBahtCt/Mq9", "not whole"},
    {"ann:$2y$04$ozVXPYgty45XXVBBKVeV9.", "not whole"},
    {"ann:$6$rounds=1000$EE8s63lJzCuxmCL2", "not whole"},
    {"ann:$y$j75$MFqKLuXN91n4ZdwZoscJE.$", "not whole"},
    {"ann:" HASH_SHA256 " ", "does not know"},
    {"ann:$nothing$abc", "does not know"},
    {"bob:" HASH_BCRYPT, "there already"},
};

static px_err make(struct users *users, const px_allocator *allocator, px_str text, px_error *error)
{
    static const struct siphash_key key = {1, 2};
    char *copy = alloc_take(allocator, text.len + 1);

    if (!copy)
        return px_error_set(error, PX_ERR_MEMORY, 0, "out of memory");
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return users_init(users, allocator, &key, copy, text.len, "users", error);
}

static void wrong_lines_are_told(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(wrongs) / sizeof(wrongs[0]); index++) {
        struct users users = {.count = 0};
        px_error error = PX_ERROR_INIT;
        char text[1024];

        snprintf(text, sizeof(text), "# a comment\n\nbob:%s\r\n%s\ncid:%s", HASH_BCRYPT,
                 wrongs[index].line, HASH_BCRYPT);
        assert_int_equal(make(&users, &alloc_libc, px_str_of(text), &error), PX_ERR_INVALID);
        if (strncmp(error.text, "users:4: ", 9) != 0 || !strstr(error.text, wrongs[index].text))
            fail_msg("case %zu says: %s", index, error.text);
        users_deinit(&users);
    }
    assert_int_equal(sizeof(wrongs) / sizeof(wrongs[0]), 16);
}

static void users_are_found(void **state)
{
    struct users users;
    px_error error = PX_ERROR_INIT;

    (void)state;
    assert_int_equal(make(&users, &alloc_libc,
                          px_str_of("ann:" HASH_BCRYPT ":Ann A.\r\n\n#bob:x\nj\xc3\xb6rg "
                                    "x:" HASH_SHA512),
                          &error),
                     PX_OK);
    assert_int_equal(users.count, 2);
    assert_string_equal(users_find(&users, px_str_of("ann"))->hash, HASH_BCRYPT);
    assert_string_equal(users_find(&users, px_str_of("j\xc3\xb6rg x"))->hash, HASH_SHA512);
    assert_null(users_find(&users, px_str_of("Ann")));
    assert_null(users_find(&users, px_str_of("")));
    users_deinit(&users);
    users_deinit(&users);
    assert_null(users_find(&users, px_str_of("ann")));
    /* Nobody, and a NUL. */
    assert_int_equal(make(&users, &alloc_libc, px_str_of("# none\n\n"), &error), PX_ERR_INVALID);
    assert_int_equal(make(&users, &alloc_libc, px_str_make("a\0:", 3), &error), PX_ERR_INVALID);
    assert_non_null(strstr(error.text, "users:1: the line holds a NUL"));
}

static void names_are_bounded(void **state)
{
    char text[USER_NAME_BYTES_MAX + 128];
    struct users users;
    px_error error = PX_ERROR_INIT;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + USER_NAME_BYTES_MAX, ":" HASH_BCRYPT, sizeof(":" HASH_BCRYPT));
    assert_int_equal(make(&users, &alloc_libc, px_str_of(text), &error), PX_OK);
    users_deinit(&users);
    text[USER_NAME_BYTES_MAX] = 'a';
    memcpy(text + USER_NAME_BYTES_MAX + 1, ":" HASH_BCRYPT, sizeof(":" HASH_BCRYPT));
    assert_int_equal(make(&users, &alloc_libc, px_str_of(text), &error), PX_ERR_INVALID);
}

static void make_once(const px_allocator *allocator, void *context)
{
    struct users users = {.count = 0};
    px_error error = PX_ERROR_INIT;
    px_err err = make(&users, allocator, px_str_of("ann:" HASH_BCRYPT), &error);

    (void)context;
    assert_true(err == PX_OK || err == PX_ERR_MEMORY);
    users_deinit(&users);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("users", make_once, NULL), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_method_is_checked),   cmocka_unit_test(wrong_lines_are_told),
        cmocka_unit_test(users_are_found),          cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
