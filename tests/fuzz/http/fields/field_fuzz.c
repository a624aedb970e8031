/*
 * Field values: whatever the bytes, pieces lie inside of the input, and what is well-formed says
 * the same when it is written out and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/fields/field.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_inside(px_str piece, px_str whole)
{
    CHECK(piece.ptr >= whole.ptr && piece.ptr + piece.len <= whole.ptr + whole.len);
}

static void fuzz_list(px_str input)
{
    px_str rest = input;
    px_str element;
    size_t left = input.len;

    while (field_list_next(&rest, &element)) {
        check_inside(element, input);
        CHECK(element.len > 0 && rest.len < left);
        CHECK(px_str_equal(field_trim(element), element));
        left = rest.len;

        /* An element is a list of one, unless an open string made it swallow the rest. */
        px_str one = element;
        px_str again;

        CHECK(field_list_next(&one, &again));
        CHECK(px_str_equal(again, element));
    }
    CHECK(rest.len == 0);
}

static void fuzz_params(px_str input)
{
    struct field_param param;
    px_str rest = input;

    while (field_param_next(&rest, &param) == PX_OK) {
        check_inside(param.name, input);
        check_inside(param.value, input);
        check_inside(rest, input);
        CHECK(field_name_valid(param.name));
        CHECK(param.quoted || field_name_valid(param.value));
    }
}

static void fuzz_media_type(px_str input)
{
    struct media_type type;
    struct media_type again;
    char *text = malloc(input.len + 2);
    size_t len = 0;

    CHECK(text);
    if (media_type_parse(input, &type) == PX_OK) {
        memcpy(text, type.type.ptr, type.type.len);
        len = type.type.len;
        text[len++] = '/';
        memcpy(text + len, type.subtype.ptr, type.subtype.len);
        len += type.subtype.len;
        if (type.params.len > 0)
            memcpy(text + len, type.params.ptr, type.params.len);
        len += type.params.len;
        CHECK(media_type_parse(px_str_make(text, len), &again) == PX_OK);
        CHECK(px_str_equal(type.type, again.type) && px_str_equal(type.subtype, again.subtype));
        CHECK(px_str_equal(type.params, again.params));
        CHECK(field_value_valid(field_trim(input)));
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);

    if (len == 0)
        return 0;
    fuzz_list(input);
    fuzz_params(input);
    fuzz_media_type(input);
    if (field_value_valid(input)) {
        CHECK(!memchr(data, '\r', len) && !memchr(data, '\n', len) && !memchr(data, '\0', len));
        CHECK(px_str_equal(field_trim(input), input));
    }
    CHECK(!field_name_valid(input) || field_value_valid(input));
    CHECK(!field_is_framing(input) || field_name_valid(input));
    return 0;
}
