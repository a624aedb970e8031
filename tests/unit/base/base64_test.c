/*
 * Base64: the vectors of RFC 4648 section 10 both ways, every byte and length, and what is none.
 */
#include "base/base64.h"

#include <stdlib.h>
#include <string.h>

#include "lib/guard.h"
#include "lib/test.h"

static const struct {
    const char *plain;
    const char *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

static void vectors_go_both_ways(void **state)
{
    char out[16];
    size_t len;

    (void)state;
    for (size_t index = 0; index < sizeof(vectors) / sizeof(vectors[0]); index++) {
        char *end = base64_write(out, px_str_of(vectors[index].plain));

        assert_int_equal(end - out, base64_room(strlen(vectors[index].plain)));
        assert_str_equal(px_str_make(out, (size_t)(end - out)), px_str_of(vectors[index].text));
        assert_true(base64_read(px_str_of(vectors[index].text), out, sizeof(out), &len));
        assert_str_equal(px_str_make(out, len), px_str_of(vectors[index].plain));
    }
    assert_int_equal(sizeof(vectors) / sizeof(vectors[0]), 7);
}

/* Against a guard page, with exactly the room that there must be. */
static void every_length(void **state)
{
    char plain[256], text[344], back[256];
    struct guard guard;
    size_t len;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < sizeof(plain); index++)
        plain[index] = (char)(index * 7);
    for (size_t bytes = 0; bytes <= sizeof(plain); bytes++) {
        char *end = base64_write(text, guard_at_end(&guard, px_str_make(plain, bytes)));
        px_str made = px_str_make(text, (size_t)(end - text));

        assert_true(base64_read(guard_at_end(&guard, made), back, bytes, &len));
        assert_int_equal(len, bytes);
        assert_memory_equal(back, plain, bytes);
        assert_false(bytes > 0 && base64_read(made, back, bytes - 1, &len));
        while (made.len > 0 && made.ptr[made.len - 1] == '=')
            made.len--;
        assert_true(base64_read(made, back, bytes, &len)); /* without padding */
        assert_int_equal(len, bytes);
    }
    guard_deinit(&guard);
}

static void what_is_none_is_refused(void **state)
{
    static const char *const none[] = {
        "Z", "Zg=", "Zm9=v", "Zm9v====", "Zm9v=", "Zm9\n", "Zm-v", "Zm 9v", "="};
    char out[16];
    size_t len;

    (void)state;
    for (size_t index = 0; index < sizeof(none) / sizeof(none[0]); index++)
        assert_false(base64_read(px_str_of(none[index]), out, sizeof(out), &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_go_both_ways),
        cmocka_unit_test(every_length),
        cmocka_unit_test(what_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
