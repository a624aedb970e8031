/*
 * Basic credentials: "Basic", blanks, and base64 of "user:password" (RFC 7617 section 2, RFC 4648
 * section 4).
 */
#include "http/fields/basic.h"

#include <string.h>

#include "base/base64.h"
#include "http/fields/field.h"

enum { SCHEME_BYTES = 5 };

bool basic_read(px_str value, char *out, size_t room, struct basic_credentials *out_credentials)
{
    size_t len;

    if (value.len <= SCHEME_BYTES || value.ptr[SCHEME_BYTES] != ' ' ||
        !field_text_equal(px_str_make(value.ptr, SCHEME_BYTES), px_str_of("basic")))
        return false;
    px_str text = field_trim(px_str_make(value.ptr + SCHEME_BYTES, value.len - SCHEME_BYTES));

    if (!base64_read(text, out, room, &len))
        return false;
    for (size_t at = 0; at < len; at++) {
        unsigned char byte = (unsigned char)out[at];

        if (byte < 0x20 || byte == 0x7f)
            return false;
    }
    const char *colon = len > 0 ? memchr(out, ':', len) : NULL;

    if (!colon)
        return false;
    size_t user_len = (size_t)(colon - out);

    out_credentials->user = px_str_make(out, user_len);
    out_credentials->password = px_str_make(colon + 1, len - user_len - 1);
    return true;
}
