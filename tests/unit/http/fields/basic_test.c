/*
 * Basic credentials: what is read, and what is none.
 */
#include "http/fields/basic.h"

#include <stdlib.h>
#include <string.h>

#include "lib/guard.h"
#include "lib/test.h"

enum { ROOM = 16 };

static const struct {
    const char *value;
    const char *user; /* NULL: none */
    const char *password;
} cases[] = {
    {"Basic QWxhZGRpbjpvcGVu", "Aladdin", "open"},
    {"bAsIc QWxhZGRpbjpvcGVu", "Aladdin", "open"},
    {"Basic   YTpi", "a", "b"},
    {"Basic YTpi ", "a", "b"},
    {"Basic YTpiOmM=", "a", "b:c"},
    {"Basic YTpiYw==", "a", "bc"},
    {"Basic YTpiYw", "a", "bc"},
    {"Basic YTo=", "a", ""},
    {"Basic OmI=", "", "b"},
    {"Basic Og==", "", ""},
    {"Basic w6Q6w7Y=", "\xc3\xa4", "\xc3\xb6"},
    {"Basic MDEyMzQ1Njc6OWFiY2RlZg==", "01234567", "9abcdef"}, /* 16 bytes */
    {"Basic MDEyMzQ1Njc6OWFiY2RlZmc=", NULL, NULL},            /* 17 */
    {"Basic", NULL, NULL},
    {"Basic ", NULL, NULL},
    {"BasicYTpi", NULL, NULL},
    {"Basic\tYTpi", NULL, NULL},
    {"Digest YTpi", NULL, NULL},
    {"Basic YWI=", NULL, NULL},  /* no colon */
    {"Basic YTpiY", NULL, NULL}, /* one digit too many */
    {"Basic YTpiY===", NULL, NULL},
    {"Basic YTpi=", NULL, NULL},
    {"Basic YTpiYw=", NULL, NULL},
    {"Basic YTpi YTpi", NULL, NULL},
    {"Basic YT-pi", NULL, NULL},
    {"Basic YToA", NULL, NULL},     /* NUL */
    {"Basic YTp/", NULL, NULL},     /* DEL */
    {"Basic YQo6Yg==", NULL, NULL}, /* LF */
    {"", NULL, NULL},
};

static void credentials_are_read(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct basic_credentials credentials;
        char *out = malloc(ROOM); /* of exactly that size, for the sanitizer */
        bool is_read = basic_read(guard_at_end(&guard, px_str_of(cases[index].value)), out, ROOM,
                                  &credentials);

        if (is_read != (cases[index].user != NULL))
            fail_msg("case %zu: %s", index, cases[index].value);
        if (is_read) {
            assert_str_equal(credentials.user, px_str_of(cases[index].user));
            assert_str_equal(credentials.password, px_str_of(cases[index].password));
        }
        free(out);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 29);
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(credentials_are_read)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
