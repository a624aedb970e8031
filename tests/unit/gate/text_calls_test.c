/*
 * text.h and version.h as a program sees them.  What they do in depth is tested where it is made;
 * here: that each call does its own, in room of exactly the size that its header names.
 */
#include "pollux/text.h"

#include <stdlib.h>
#include <string.h>

#include "lib/guard.h"
#include "lib/test.h"
#include "pollux/pollux.h"

static void queries(void **state)
{
    px_str rest = LITERAL("a=1&&b&=c&a+b=%41%zz&"), name, value;
    char out[8];

    (void)state;
    assert_int_equal(px_query_next(&rest, &name, &value), 1);
    assert_str_equal(name, LITERAL("a"));
    assert_str_equal(value, LITERAL("1"));
    assert_int_equal(px_query_next(&rest, &name, &value), 1);
    assert_str_equal(name, LITERAL("b"));
    assert_null(value.ptr);
    assert_int_equal(px_query_next(&rest, &name, &value), 1);
    assert_str_equal(name, LITERAL(""));
    assert_str_equal(value, LITERAL("c"));
    assert_int_equal(px_query_next(&rest, &name, &value), 1);
    assert_int_equal(px_form_decode(out, name), 3);
    assert_memory_equal(out, "a b", 3);
    assert_int_equal(px_form_decode(out, value), 4);
    assert_memory_equal(out, "A%zz", 4);
    assert_int_equal(px_query_next(&rest, &name, &value), 0);
}

static void percent(void **state)
{
    static const struct {
        const char *text;
        const char *decoded; /* NULL: malformed */
    } cases[] = {{"", ""},         {"a+b", "a+b"},   {"%2F%e4", "/\xe4"},
                 {"a%20b", "a b"}, {"%25%32", "%2"}, {"%", NULL},
                 {"%0", NULL},     {"%0g", NULL},    {"a%00", NULL}};
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_str text = px_str_of(cases[index].text), decoded;
        char *out = malloc(text.len + 1), encoded[32];

        assert_non_null(out);
        px_err err = px_percent_decode(out, guard_at_end(&guard, text), &decoded);

        assert_int_equal(err, cases[index].decoded ? PX_OK : PX_ERR_MALFORMED);
        if (cases[index].decoded) {
            assert_str_equal(decoded, px_str_of(cases[index].decoded));
            assert_int_equal(decoded.ptr[decoded.len], '\0');
            size_t len = px_percent_encode(encoded, decoded);

            assert_int_equal(px_percent_decode(out, px_str_make(encoded, len), &decoded), PX_OK);
            assert_str_equal(decoded, px_str_of(cases[index].decoded));
        }
        free(out);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 9);
    char out[3 * 6];

    assert_int_equal(px_percent_encode(out, LITERAL("a/b~%\xff")), 12);
    assert_memory_equal(out, "a%2Fb~%25%FF", 12);
    guard_deinit(&guard);
}

static void base64(void **state)
{
    char text[PX_BASE64_BYTES(5)], back[5];
    size_t bytes;

    (void)state;
    assert_int_equal(px_base64_encode(text, LITERAL("fooba")), sizeof(text));
    assert_memory_equal(text, "Zm9vYmE=", sizeof(text));
    assert_int_equal(px_base64_decode(back, 5, px_str_make(text, sizeof(text)), &bytes), PX_OK);
    assert_int_equal(bytes, 5);
    assert_memory_equal(back, "fooba", 5);
    assert_int_equal(px_base64_decode(back, 4, px_str_make(text, sizeof(text)), &bytes),
                     PX_ERR_MALFORMED);
    assert_int_equal(px_base64_decode(back, 5, LITERAL("Zm 9"), &bytes), PX_ERR_MALFORMED);
}

static void dates(void **state)
{
    char *text = malloc(PX_HTTP_DATE_BYTES);
    int64_t seconds;

    (void)state;
    assert_non_null(text);
    px_http_date(784111777, text);
    assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_int_equal(px_http_date_read(px_str_of(text), 0, &seconds), PX_OK);
    assert_int_equal(seconds, 784111777);
    assert_int_equal(px_http_date_read(LITERAL("yesterday"), 0, &seconds), PX_ERR_MALFORMED);
    free(text);
}

static void lists_types_and_case(void **state)
{
    px_str list = LITERAL(" a , \"b,c\",, d"), element;

    (void)state;
    assert_int_equal(px_list_next(&list, &element), 1);
    assert_str_equal(element, LITERAL("a"));
    assert_int_equal(px_list_next(&list, &element), 1);
    assert_str_equal(element, LITERAL("\"b,c\""));
    assert_int_equal(px_list_next(&list, &element), 1);
    assert_str_equal(element, LITERAL("d"));
    assert_int_equal(px_list_next(&list, &element), 0);
    assert_int_equal(px_str_equal_case(LITERAL("ETag"), LITERAL("etag")), 1);
    assert_int_equal(px_str_equal_case(LITERAL("ETag"), LITERAL("etags")), 0);
    assert_str_equal(px_media_type(LITERAL("a.b.PNG")), LITERAL("image/png"));
    assert_str_equal(px_media_type(LITERAL("a.nothing")), LITERAL("application/octet-stream"));
}

static void blocks(void **state)
{
    static const struct {
        const char *block;
        const char *address;
        int has;
    } cases[] = {{"192.0.2.0/24", "192.0.2.255", 1},
                 {"192.0.2.0/24", "192.0.3.0", 0},
                 {"192.0.2.1", "192.0.2.1", 1},
                 {"2001:db8::/32", "2001:db8::1", 1},
                 {"2001:db8::/32", "2001:db9::1", 0},
                 {"192.0.2.0/24", "::ffff:192.0.2.1", 1},
                 {"0.0.0.0/0", "name", 0},
                 {"192.0.2.1/24", "192.0.2.1", -1},
                 {"name", "192.0.2.1", -1},
                 {"192.0.2.0/33", "192.0.2.1", -1}};

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        assert_int_equal(px_address_block_has(cases[index].block, px_str_of(cases[index].address)),
                         cases[index].has);
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 10);
}

static void versions(void **state)
{
    char text[32];

    (void)state;
    assert_int_equal(px_version(), PX_VERSION);
    snprintf(text, sizeof(text), "%u.%u.%u", px_version() / 10000, px_version() / 100 % 100,
             px_version() % 100);
    assert_string_equal(text, PX_VERSION_STRING);
    assert_int_equal(px_features(), PX_TEST_FEATURES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries),
        cmocka_unit_test(percent),
        cmocka_unit_test(base64),
        cmocka_unit_test(dates),
        cmocka_unit_test(lists_types_and_case),
        cmocka_unit_test(blocks),
        cmocka_unit_test(versions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
