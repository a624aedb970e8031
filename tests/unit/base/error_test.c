/*
 * Errors: each category has a name of its own, and a px_error is written whole and never past its
 * end.
 */
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "lib/test.h"

static void every_category_has_its_name(void **state)
{
    (void)state;
    for (int code = PX_OK; code <= PX_FULL; code++) {
        const char *name = px_err_name((px_err)code);

        assert_true(strlen(name) > 1);
        assert_string_not_equal(name, "unknown error");
        for (int other = PX_OK; other < code; other++)
            assert_string_not_equal(name, px_err_name((px_err)other));
    }
    assert_string_equal(px_err_name((px_err)(PX_FULL + 1)), "unknown error");
    assert_string_equal(px_err_name(PX_ERR_ADDRESS_IN_USE), "address in use");
}

static void set_writes_all(void **state)
{
    px_error error;

    (void)state;
    memset(&error, 0xff, sizeof(error));
    assert_int_equal(error_set(&error, PX_ERR_LIMIT, ENFILE, "%s is %d", "this", 7), PX_ERR_LIMIT);
    assert_int_equal(error.code, PX_ERR_LIMIT);
    assert_int_equal(error.sys_errno, ENFILE);
    assert_string_equal(error.text, "this is 7");
    assert_int_equal(error_set(NULL, PX_ERR_MEMORY, 0, "nobody listens"), PX_ERR_MEMORY);
    memset(&error, 0xff, sizeof(error));
    assert_int_equal(px_error_set(&error, PX_ERR_SYSTEM, EIO, "%s: %d", "public", 1),
                     PX_ERR_SYSTEM);
    assert_int_equal(error.code, PX_ERR_SYSTEM);
    assert_int_equal(error.sys_errno, EIO);
    assert_string_equal(error.text, "public: 1");
    assert_int_equal(px_error_set(NULL, PX_ERR_LIMIT, 0, "unheard"), PX_ERR_LIMIT);
}

static void long_text_is_cut(void **state)
{
    struct {
        px_error error;
        char behind[8];
    } place;
    char text[2 * PX_ERROR_TEXT_BYTES];

    (void)state;
    memset(&place, 0x55, sizeof(place));
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    error_set(&place.error, PX_ERR_INVALID, 0, "%s", text);
    assert_int_equal(strlen(place.error.text), PX_ERROR_TEXT_BYTES - 1);
    assert_memory_equal(place.behind, "\x55\x55\x55\x55\x55\x55\x55\x55", 8);
}

static void clear_is_success(void **state)
{
    px_error error;

    (void)state;
    memset(&error, 0xff, sizeof(error));
    assert_int_equal(error_clear(&error), PX_OK);
    assert_int_equal(error.code, PX_OK);
    assert_int_equal(error.sys_errno, 0);
    assert_string_equal(error.text, "");
    assert_int_equal(error_clear(NULL), PX_OK);
}

static void category_of_errno(void **state)
{
    static const struct {
        int sys_errno;
        px_err code;
    } cases[] = {
        {0, PX_OK},
        {EADDRINUSE, PX_ERR_ADDRESS_IN_USE},
        {EACCES, PX_ERR_PERMISSION},
        {EPERM, PX_ERR_PERMISSION},
        {ENOENT, PX_ERR_NOT_FOUND},
        {ENOTDIR, PX_ERR_NOT_FOUND},
        {ENOMEM, PX_ERR_MEMORY},
        {ENOBUFS, PX_ERR_MEMORY},
        {EMFILE, PX_ERR_LIMIT},
        {ENFILE, PX_ERR_LIMIT},
        {ECONNRESET, PX_ERR_CLOSED},
        {EPIPE, PX_ERR_CLOSED},
        {ECONNABORTED, PX_ERR_CLOSED},
        {ECONNREFUSED, PX_ERR_CLOSED},
        {ENOTCONN, PX_ERR_CLOSED},
        {ETIMEDOUT, PX_ERR_TIMEOUT},
        {EAFNOSUPPORT, PX_ERR_UNSUPPORTED},
        {ENOSYS, PX_ERR_UNSUPPORTED},
        {EOPNOTSUPP, PX_ERR_UNSUPPORTED},
        {EINVAL, PX_ERR_INVALID},
        {EIO, PX_ERR_SYSTEM},
        {123456, PX_ERR_SYSTEM},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        assert_int_equal(error_category(cases[index].sys_errno), cases[index].code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_category_has_its_name),
        cmocka_unit_test(set_writes_all),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(clear_is_success),
        cmocka_unit_test(category_of_errno),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
