/*
 * Text for programs: the calls of text.h, each of them one of the library's own functions.
 */
#include "pollux/text.h"

#include "base/base64.h"
#include "http/fields/date.h"
#include "http/fields/field.h"
#include "http/fields/media_type.h"
#include "http/forms/escape.h"
#include "http/forms/query.h"
#include "http/message/uri.h"
#include "net/cidr.h"

int px_query_next(px_str *rest, px_str *out_name, px_str *out_value)
{
    struct query_pair pair;

    if (!query_next(rest, &pair))
        return 0;
    *out_name = pair.name;
    *out_value = pair.value;
    return 1;
}

size_t px_form_decode(char *out, px_str text)
{
    size_t len = 0;

    for (size_t at = 0; at < text.len;)
        out[len++] = query_decode_one(text, &at);
    return len;
}

px_err px_percent_decode(char *out, px_str text, px_str *out_text)
{
    return uri_decode_into(out, text, URI_SLASH_DECODE, out_text);
}

size_t px_percent_encode(char *out, px_str text)
{
    return (size_t)(escape_segment_write(out, text) - out);
}

size_t px_base64_encode(char *out, px_str bytes)
{
    return (size_t)(base64_write(out, bytes) - out);
}

px_err px_base64_decode(char *out, size_t room, px_str text, size_t *out_bytes)
{
    return base64_read(text, out, room, out_bytes) ? PX_OK : PX_ERR_MALFORMED;
}

void px_http_date(int64_t unix_seconds, char out_text[PX_HTTP_DATE_BYTES])
{
    _Static_assert(PX_HTTP_DATE_BYTES == DATE_BYTES + 1, "a date and a NUL");
    date_format(unix_seconds, out_text);
    out_text[DATE_BYTES] = '\0';
}

px_err px_http_date_read(px_str text, int64_t now, int64_t *out_unix_seconds)
{
    return date_parse(text, now, out_unix_seconds);
}

int px_list_next(px_str *list, px_str *out_element)
{
    return field_list_next(list, out_element);
}

int px_str_equal_case(px_str left, px_str right)
{
    return field_text_equal(left, right);
}

px_str px_media_type(px_str file_name)
{
    return media_type_of(file_name);
}

int px_address_block_has(const char *block, px_str address)
{
    struct net_address known;
    struct cidr cidr;

    if (cidr_parse(block, &cidr, NULL) != PX_OK)
        return -1;
    return address_numeric(address, 0, &known) && cidr_any_has(&cidr, 1, &known);
}
