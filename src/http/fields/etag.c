/*
 * Entity tags: writing ours, finding it among the peer's.
 */
#include "http/fields/etag.h"

#include <string.h>

#include "http/fields/accept.h"

static char *put_hex(char *out, uint64_t number)
{
    static const char digits[] = "0123456789abcdef";
    int shift = 60;

    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *out++ = digits[number >> shift & 15];
    return out;
}

size_t etag_write(uint64_t size, uint64_t hash, char out_text[ETAG_BYTES_MAX])
{
    char *out = out_text;

    *out++ = '"';
    out = put_hex(out, size);
    *out++ = '-';
    out = put_hex(out, hash);
    *out++ = '"';
    return (size_t)(out - out_text);
}

/* etagc of RFC 9110 section 8.8.3. */
static bool is_etag_byte(char byte)
{
    unsigned char is = (unsigned char)byte;

    return is == 0x21 || (is >= 0x23 && is != 0x7f);
}

bool etag_list_next(px_str *list, bool *out_weak, px_str *out_opaque)
{
    size_t at = 0, start;
    bool weak = false;

    /* RFC 9110 section 5.6.1.2: empty elements are skipped. */
    while (at < list->len &&
           (list->ptr[at] == ' ' || list->ptr[at] == '\t' || list->ptr[at] == ','))
        at++;
    if (list->len - at >= 2 && list->ptr[at] == 'W' && list->ptr[at + 1] == '/') {
        weak = true;
        at += 2;
    }
    start = at;
    if (at == list->len || list->ptr[at++] != '"')
        return false;
    while (at < list->len && is_etag_byte(list->ptr[at]))
        at++;
    if (at == list->len || list->ptr[at++] != '"')
        return false;
    px_str opaque = px_str_make(list->ptr + start, at - start);

    while (at < list->len && (list->ptr[at] == ' ' || list->ptr[at] == '\t'))
        at++;
    if (at < list->len && list->ptr[at] != ',')
        return false;
    *list = px_str_make(list->ptr + at, list->len - at);
    *out_weak = weak;
    *out_opaque = opaque;
    return true;
}

bool etag_list_has(px_str list, px_str etag, bool strong)
{
    px_str opaque;
    bool weak;

    while (etag_list_next(&list, &weak, &opaque)) {
        if (!(weak && strong) && px_str_equal(opaque, etag))
            return true;
    }
    return false;
}

bool etag_is_coded(px_str tag, px_str etag)
{
    if (etag.len < 2 || tag.len <= etag.len || memcmp(tag.ptr, etag.ptr, etag.len - 1) != 0 ||
        tag.ptr[etag.len - 1] != '-')
        return false;
    px_str name = px_str_make(tag.ptr + etag.len, tag.len - etag.len - 1);

    for (uint32_t coding = CODING_GZIP; coding < CODING_COUNT; coding++)
        if (px_str_equal(name, coding_name((enum coding)coding)))
            return true;
    return false;
}
