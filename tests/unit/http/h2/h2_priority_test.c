/*
 * The Priority field: what is known, what is skipped, what falls back to the default.
 */
#include "http/h2/h2_priority.h"

#include "lib/guard.h"
#include "lib/test.h"

static void priority_is_read(void **state)
{
    static const struct {
        const char *text;
        uint8_t urgency;
        bool incremental;
    } cases[] = {
        {"", 3, false},
        {"u=0", 0, false},
        {"u=7, i", 7, true},
        {"i", 3, true},
        {"i=?1", 3, true},
        {"i=?0, u=2", 2, false},
        {"u=8", 3, false},
        {"u=-1", 3, false},
        {"u=1.5", 3, false},
        {"u=high", 3, false},
        {"u", 3, false},
        {"i=1", 3, false},
        {"u=1, u=5", 5, false},
        {"x=\"a, b\", u=1", 1, false},
        {"u=1;q=2, i;x", 1, true},
        {",,u=4,,", 4, false},
        {"U=1", 3, false},
        {"u=5,i=?1,i=?0", 5, false},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct h2_priority priority = h2_priority_parse(px_str_of(cases[index].text));

        if (priority.urgency != cases[index].urgency ||
            priority.incremental != cases[index].incremental)
            fail_msg("'%s': u=%u i=%d", cases[index].text, priority.urgency, priority.incremental);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(priority_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
