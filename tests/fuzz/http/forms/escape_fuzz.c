/*
 * Escaping: nothing that ends text is left in it, it is UTF-8 without controls, and a reference
 * decodes to its name.
 */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "http/forms/escape.h"
#include "http/message/uri.h"

enum { IN_BYTES_MAX = 4096, OUT_BYTES_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A decoder of another kind: a table of what may follow (RFC 3629 section 4). */
static bool is_utf8(px_str text)
{
    for (size_t at = 0; at < text.len;) {
        unsigned char first = (unsigned char)text.ptr[at++];
        unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        int more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;

        if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || first < 0x20 || first == 0x7f)
            return false;
        for (; more > 0; more--) {
            if (at == text.len || (unsigned char)text.ptr[at] < low ||
                (unsigned char)text.ptr[at] > high)
                return false;
            low = 0x80;
            high = 0xbf;
            at++;
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);
    struct buf buf;
    struct arena arena;
    char none;
    px_str back;

    if (len > IN_BYTES_MAX)
        return 0;
    buf_init(&buf, &alloc_libc, OUT_BYTES_MAX);
    CHECK(escape_html(&buf, input) == PX_OK);
    CHECK(is_utf8(buf_str(&buf)));
    for (size_t at = 0; at < buf.len; at++)
        CHECK(!strchr("<>\"'", buf.ptr[at]));
    buf.len = 0;
    CHECK(escape_json(&buf, input) == PX_OK);
    CHECK(is_utf8(buf_str(&buf)));
    for (size_t at = 0; at < buf.len; at++) {
        CHECK(buf.ptr[at] != '"' && buf.ptr[at] != '<');
        if (buf.ptr[at] == '\\')
            CHECK(++at < buf.len && strchr("\"\\u", buf.ptr[at]));
    }
    buf.len = 0;
    CHECK(escape_segment(&buf, input) == PX_OK);
    for (size_t at = 0; at < buf.len; at++)
        CHECK(!strchr("<>\"'/:?#&\\", buf.ptr[at]));
    if (len > 0 && !memchr(data, 0, len)) {
        arena_init(&arena, &alloc_libc, &none, 0, OUT_BYTES_MAX);
        CHECK(uri_decode(&arena, buf_str(&buf), URI_SLASH_DECODE, &back) == PX_OK);
        CHECK(px_str_equal(back, input));
        arena_reset(&arena);
    }
    buf_deinit(&buf);
    return 0;
}
