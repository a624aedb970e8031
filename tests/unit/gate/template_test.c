/*
 * Templates as they are taken apart: what is known, and where a wrong text is wrong.
 */
#include "pollux/template.h"

#include "base/alloc.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"

static const struct {
    const char *text;
    int is_constant; /* -1: wrong */
    size_t at;       /* where */
} cases[] = {
    {"", 1, 0},
    {"plain", 1, 0},
    {"{{x}}", 1, 0},
    {"{client}", 0, 0},
    {"a{path}b{query.x}c{header.X-A}{cookie.c}{param.id}", 0, 0},
    {"{tls.version} {tls.subject}", 0, 0},
    {"{", -1, 0},
    {"ab{client", -1, 2},
    {"ab}", -1, 2},
    {"{nothing}", -1, 0},
    {"{client} {Client}", -1, 9},
    {"{query.}", -1, 0},
    {"{}", -1, 0},
};

static void texts_are_taken_apart(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_error error = PX_ERROR_INIT;
        size_t at = 0;
        px_template *made =
            px_template_create(px_str_of(cases[index].text), &alloc_libc, &at, &error);

        if (cases[index].is_constant >= 0) {
            assert_non_null(made);
            assert_int_equal(px_template_is_constant(made), cases[index].is_constant);
        } else {
            assert_null(made);
            assert_int_equal(error.code, PX_ERR_INVALID);
            assert_int_equal(at, cases[index].at);
            assert_true(error.text[0] != '\0');
        }
        px_template_destroy(made);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 13);
}

static void make_once(const px_allocator *allocator, void *context)
{
    px_error error = PX_ERROR_INIT;
    px_template *made = px_template_create(px_str_of("a {client} b"), allocator, NULL, &error);

    (void)context;
    assert_int_equal(error.code, made ? PX_OK : PX_ERR_MEMORY);
    px_template_destroy(made);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("template", make_once, NULL) >= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_taken_apart),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
