/*
 * Which clients get a page of an error: those that ask for HTML by its name.
 */
#include "config/status_page.h"

#include <string.h>

#include "base/check.h"
#include "lib/guard.h"
#include "lib/test.h"

static const struct {
    const char *accept;
    bool is_wanted;
} cases[] = {
    {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", true},
    {"text/html", true},
    {" TEXT/HTML ;charset=utf-8", true},
    {"text/plain, text/html;level=1;q=0.001", true},
    {"application/json,\ttext/html\t", true},
    {"text/html;q=1.0", true},
    {"", false},
    {"*/*", false},
    {"text/*", false},
    {"text/plain", false},
    {"text/htmlx", false},
    {"xtext/html", false},
    {"application/json", false},
    {"text/html;q=0", false},
    {"text/html;Q=0.000", false},
    {"text/html; q=0.0, text/plain", false},
    {",,;,", false},
};

_Static_assert(ARRAY_COUNT(cases) == 17, "a case was lost");

static void who_gets_a_page(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        px_str accept = guard_at_end(&guard, px_str_of(cases[i].accept));

        if (status_page_is_wanted(accept) != cases[i].is_wanted)
            fail_msg("case %zu: '%s'", i, cases[i].accept);
        /* Any beginning of it is read within its bounds. */
        for (size_t len = 0; len < accept.len; len++)
            (void)status_page_is_wanted(guard_at_end(&guard, px_str_make(cases[i].accept, len)));
    }
    assert_false(status_page_is_wanted(px_str_make(NULL, 0)));
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(who_gets_a_page)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
