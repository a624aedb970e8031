/*
 * Parsers for two extensions of the client's hello.
 *
 * OpenSSL reads them too, later; here they are read before a certificate is chosen, from bytes that
 * was not looked at yet.
 */
#include "tls/tls_hello.h"

#include "base/limits.h"

enum { NAME_TYPE_HOST = 0 };

static size_t read_u16(const char *bytes)
{
    const unsigned char *byte = (const unsigned char *)bytes;

    return (size_t)byte[0] << 8 | byte[1];
}

/* Letters, digits, hyphen, underscore and dots: no NUL, no blanks, nothing of eight bits. */
static bool is_host_name(px_str name)
{
    for (size_t index = 0; index < name.len; index++) {
        char byte = name.ptr[index];

        if (!(byte >= 'a' && byte <= 'z') && !(byte >= 'A' && byte <= 'Z') &&
            !(byte >= '0' && byte <= '9') && byte != '-' && byte != '_' && byte != '.')
            return false;
    }
    return name.len <= TLS_NAME_BYTES_MAX;
}

px_err tls_hello_name(px_str data, px_str *out_name)
{
    px_str found = {NULL, 0};
    bool allowed = true;

    if (data.len < 2 || read_u16(data.ptr) != data.len - 2)
        return PX_ERR_MALFORMED;
    for (size_t at = 2; at < data.len;) {
        if (data.len - at < 3)
            return PX_ERR_MALFORMED;
        unsigned type = (unsigned char)data.ptr[at];
        px_str name = {data.ptr + at + 3, read_u16(data.ptr + at + 1)};

        if (name.len > data.len - at - 3 || (type == NAME_TYPE_HOST && name.len == 0))
            return PX_ERR_MALFORMED;
        if (type == NAME_TYPE_HOST) {
            /* "MUST NOT contain more than one name of the same name_type". */
            allowed = allowed && !found.ptr && is_host_name(name);
            found = name;
        }
        at += 3 + name.len;
    }
    if (!allowed)
        return PX_ERR_INVALID;
    *out_name = found;
    return PX_OK;
}

px_str tls_hello_protocol(px_str list, bool http2)
{
    px_str chosen = {NULL, 0}, oldest = {NULL, 0};

    for (size_t at = 0; at < list.len;) {
        size_t len = (unsigned char)list.ptr[at];
        px_str name = {list.ptr + at + 1, len};

        if (len == 0 || len > list.len - at - 1)
            return px_str_make(NULL, 0);
        if (http2 && px_str_equal(name, px_str_of("h2")))
            return name;
        if (!chosen.ptr && px_str_equal(name, px_str_of("http/1.1")))
            chosen = name;
        if (!oldest.ptr && px_str_equal(name, px_str_of("http/1.0")))
            oldest = name;
        at += 1 + len;
    }
    return chosen.ptr ? chosen : oldest;
}

size_t tls_hello_fold(px_str name, char *out)
{
    size_t len = name.len > 0 && name.ptr[name.len - 1] == '.' ? name.len - 1 : name.len;

    for (size_t index = 0; index < len; index++) {
        char byte = name.ptr[index];

        out[index] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    return len;
}
