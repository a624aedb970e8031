/*
 * Field values, taken apart by the grammar of RFC 9110 section 5.6 and no more leniently.
 */
#include "http/fields/field.h"

#include "base/check.h"
#include "base/text.h"
#include "http/scan/scan.h"

static bool is_token_char(char byte)
{
    return char_class[(unsigned char)byte] & CHAR_TOKEN;
}

static bool is_value_char(char byte)
{
    return char_class[(unsigned char)byte] & CHAR_VALUE;
}

static px_str str_from(px_str str, size_t from)
{
    /* Not NULL + 0, which C leaves undefined, for an absent slice. */
    return from > 0 ? px_str_make(str.ptr + from, str.len - from) : str;
}

static size_t skip_blanks(px_str str, size_t from)
{
    while (from < str.len && text_is_blank(str.ptr[from]))
        from++;
    return from;
}

static size_t skip_token(px_str str, size_t from)
{
    while (from < str.len && is_token_char(str.ptr[from]))
        from++;
    return from;
}

bool field_text_equal(px_str left, px_str right)
{
    if (left.len != right.len)
        return false;
    for (size_t i = 0; i < left.len; i++) {
        unsigned a = (unsigned char)left.ptr[i];
        unsigned b = (unsigned char)right.ptr[i];

        if (a == b)
            continue;
        /* The cases of a letter differ in one bit; other bytes that do are different. */
        if ((a ^ b) != 0x20 || (a | 0x20) < 'a' || (a | 0x20) > 'z')
            return false;
    }
    return true;
}

const px_field *field_find(const px_field *fields, uint32_t count, const char *name)
{
    px_str wanted = px_str_of(name);

    for (uint32_t i = 0; i < count; i++) {
        if (field_text_equal(fields[i].name, wanted))
            return &fields[i];
    }
    return NULL;
}

px_str field_find_value(const px_field *fields, uint32_t count, const char *name)
{
    const px_field *field = field_find(fields, count, name);

    return field ? field->value : px_str_make(NULL, 0);
}

px_str field_trim(px_str value)
{
    while (value.len > 0 && text_is_blank(value.ptr[value.len - 1]))
        value.len--;
    return value.len > 0 ? str_from(value, skip_blanks(value, 0)) : value;
}

bool field_name_valid(px_str name)
{
    return name.len > 0 && skip_token(name, 0) == name.len;
}

/* Whether any of eight bytes is below 0x20 or is 0x7f.  Bytes from 0x80 may be taken for one, which
 * costs a closer look only. */
static bool has_control(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    uint64_t del = word ^ (ones * 0x7f);

    return (((word - ones * 0x20) | (del - ones) | word) & high) != 0;
}

bool field_value_valid(px_str value)
{
    if (value.len == 0)
        return true;
    if (text_is_blank(value.ptr[0]) || text_is_blank(value.ptr[value.len - 1]))
        return false;
    /* Eight bytes at a time: most values are plain, and a handler's are checked for each answer. */
    size_t i = 0;

    while (i + 8 <= value.len) {
        uint64_t word;

        memcpy(&word, value.ptr + i, sizeof(word));
        if (has_control(word))
            break;
        if (i + 8 == value.len)
            return true;
        i = i + 16 <= value.len ? i + 8 : value.len - 8; /* the last word may overlap */
    }
    for (; i < value.len; i++) {
        if (!is_value_char(value.ptr[i]))
            return false;
    }
    return true;
}

bool field_is_framing(px_str name)
{
    /* By length, so that nearly every name is compared with nothing. */
    switch (name.len) {
    case 2:
        return field_name_is(name, "te");
    case 7:
        return field_name_is(name, "upgrade") || field_name_is(name, "trailer");
    case 10:
        return field_name_is(name, "connection") || field_name_is(name, "keep-alive");
    case 14:
        return field_name_is(name, "content-length");
    case 16:
        return field_name_is(name, "proxy-connection");
    case 17:
        return field_name_is(name, "transfer-encoding");
    default:
        return false;
    }
}

/* Where the quoted string that begins at `from` (a quote) ends: the index after its closing quote,
 * or 0 when it has none or holds a byte that it may not (RFC 9110 section 5.6.4). */
static size_t skip_quoted(px_str str, size_t from)
{
    for (size_t i = from + 1; i < str.len; i++) {
        if (str.ptr[i] == '"')
            return i + 1;
        if (str.ptr[i] == '\\') {
            i++;
            if (i == str.len)
                return 0;
        }
        if (!is_value_char(str.ptr[i]))
            return 0;
    }
    return 0;
}

bool field_list_next(px_str *list, px_str *out_element)
{
    size_t at = 0;

    while (at < list->len && (text_is_blank(list->ptr[at]) || list->ptr[at] == ','))
        at++;
    if (at == list->len) {
        *list = str_from(*list, at);
        return false;
    }

    size_t begin = at;

    while (at < list->len && list->ptr[at] != ',') {
        if (list->ptr[at] == '"') {
            /* A string that does not end hides whatever follows it: the rest is one element, which
             * the caller's grammar refuses, instead of elements that another reader would not see.
             */
            size_t after = skip_quoted(*list, at);
            at = after > 0 ? after : list->len;
        } else {
            at++;
        }
    }
    *out_element = field_trim(px_str_make(list->ptr + begin, at - begin));
    *list = str_from(*list, at);
    return true;
}

bool field_list_has(px_str list, const char *token)
{
    px_str element;

    while (field_list_next(&list, &element)) {
        if (field_name_is(element, token))
            return true;
    }
    return false;
}

bool field_lines_have(const px_field *fields, uint32_t count, const char *name, const char *token)
{
    for (uint32_t i = 0; i < count; i++) {
        if (field_name_is(fields[i].name, name) && field_list_has(fields[i].value, token))
            return true;
    }
    return false;
}

px_err field_param_next(px_str *params, struct field_param *out_param)
{
    px_str str = *params;
    size_t at = skip_blanks(str, 0);
    bool separated = false;

    /* parameters = *( OWS ";" OWS [ parameter ] ): a semicolon may stand alone. */
    while (at < str.len && str.ptr[at] == ';') {
        at = skip_blanks(str, at + 1);
        separated = true;
    }
    if (at == str.len) {
        *params = str_from(str, at);
        return PX_ERR_NOT_FOUND;
    }
    if (!separated)
        return PX_ERR_MALFORMED;

    size_t name = at;
    struct field_param param;

    at = skip_token(str, at);
    /* No blanks around "=" (RFC 9110 section 5.6.6). */
    if (at == name || at == str.len || str.ptr[at] != '=')
        return PX_ERR_MALFORMED;
    param.name = px_str_make(str.ptr + name, at - name);
    at++;

    size_t value = at;

    param.quoted = at < str.len && str.ptr[at] == '"';
    if (param.quoted) {
        at = skip_quoted(str, at);
        if (at == 0)
            return PX_ERR_MALFORMED;
        param.value = px_str_make(str.ptr + value + 1, at - value - 2);
    } else {
        at = skip_token(str, at);
        if (at == value)
            return PX_ERR_MALFORMED;
        param.value = px_str_make(str.ptr + value, at - value);
    }
    *params = str_from(str, at);
    *out_param = param;
    return PX_OK;
}

px_err field_param_find(px_str params, const char *name, struct field_param *out_param)
{
    struct field_param param;
    struct field_param found = {0};
    bool is_found = false;
    px_err err;

    while ((err = field_param_next(&params, &param)) == PX_OK) {
        if (!field_name_is(param.name, name))
            continue;
        if (is_found)
            return PX_ERR_MALFORMED;
        is_found = true;
        found = param;
    }
    if (err != PX_ERR_NOT_FOUND)
        return err;
    if (!is_found)
        return PX_ERR_NOT_FOUND;
    *out_param = found;
    return PX_OK;
}

px_err media_type_parse(px_str value, struct media_type *out_type)
{
    px_str str = field_trim(value);
    size_t slash = skip_token(str, 0);

    if (slash == 0 || slash == str.len || str.ptr[slash] != '/')
        return PX_ERR_MALFORMED;

    size_t end = skip_token(str, slash + 1);

    if (end == slash + 1)
        return PX_ERR_MALFORMED;

    px_str params = str_from(str, end);
    struct field_param param;
    px_err err;

    do
        err = field_param_next(&params, &param);
    while (err == PX_OK);
    if (err != PX_ERR_NOT_FOUND)
        return PX_ERR_MALFORMED;
    out_type->type = px_str_make(str.ptr, slash);
    out_type->subtype = px_str_make(str.ptr + slash + 1, end - slash - 1);
    out_type->params = str_from(str, end);
    return PX_OK;
}

bool media_type_is(const struct media_type *media_type, const char *type, const char *subtype)
{
    return field_name_is(media_type->type, type) && field_name_is(media_type->subtype, subtype);
}
