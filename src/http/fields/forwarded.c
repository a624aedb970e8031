/*
 * Forwarded, element by element, from the right.
 */
#include "http/fields/forwarded.h"

#include "http/fields/field.h"

/* Whether an odd number of backslashes stands before that byte. */
static bool is_escaped(px_str text, size_t at)
{
    size_t first = at;

    while (first > 0 && text.ptr[first - 1] == '\\')
        first--;
    return (at - first) % 2 == 1;
}

/* Where the last element begins: behind the last comma that is not in a quoted string, seen from
 * the right. */
static size_t last_begins(px_str list, bool quotes)
{
    bool quoted = false;

    for (size_t at = list.len; at > 0; at--) {
        char byte = list.ptr[at - 1];

        if (byte == '"' && quotes && !is_escaped(list, at - 1))
            quoted = !quoted;
        else if (byte == ',' && !quoted)
            return at;
    }
    return 0;
}

/* The last element that is not empty (RFC 9110 section 5.6.1.2). */
static px_str take_last(px_str *list, bool quotes)
{
    while (list->len > 0) {
        size_t at = last_begins(*list, quotes);
        px_str element = field_trim(px_str_make(list->ptr + at, list->len - at));

        list->len = at > 0 ? at - 1 : 0;
        if (element.len > 0)
            return element;
    }
    return px_str_make(NULL, 0);
}

px_str forwarded_take_text(px_str *list)
{
    return take_last(list, false);
}

/* --- Nodes (RFC 7239 section 6) --------------------------------------------------------------- */

static bool is_obfuscated(px_str text)
{
    if (text.len < 2 || text.ptr[0] != '_')
        return false;
    for (size_t at = 1; at < text.len; at++) {
        char byte = text.ptr[at];
        bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');

        if (!letter && !(byte >= '0' && byte <= '9') && byte != '.' && byte != '_' && byte != '-')
            return false;
    }
    return true;
}

static bool port_valid(px_str text)
{
    if (is_obfuscated(text))
        return true;
    for (size_t at = 0; at < text.len; at++) {
        if (text.ptr[at] < '0' || text.ptr[at] > '9')
            return false;
    }
    return text.len > 0 && text.len <= 5;
}

/* Bytes that addresses are made of; whether they make one is seen where they are compared. */
static bool host_valid(px_str text)
{
    for (size_t at = 0; at < text.len; at++) {
        char byte = text.ptr[at];
        char lower = (char)(byte | 0x20);

        if (!(byte >= '0' && byte <= '9') && !(lower >= 'a' && lower <= 'f') && byte != '.' &&
            byte != ':')
            return false;
    }
    return text.len > 0;
}

/* Divides "host:port" and "[v6]:port"; an IPv6 address without brackets has no port.  False when
 * something stands where the port should. */
static bool node_split(px_str node, px_str *out_host, px_str *out_port)
{
    const char *end = node.ptr + node.len, *colon;

    *out_host = node;
    *out_port = px_str_make(NULL, 0);
    if (node.ptr[0] == '[') {
        const char *bracket = memchr(node.ptr, ']', node.len);

        if (!bracket)
            return false;
        *out_host = px_str_make(node.ptr + 1, (size_t)(bracket - node.ptr) - 1);
        colon = bracket + 1;
    } else {
        colon = memchr(node.ptr, ':', node.len);
        if (!colon || memchr(colon + 1, ':', (size_t)(end - colon) - 1))
            return true;
        *out_host = px_str_make(node.ptr, (size_t)(colon - node.ptr));
    }
    if (colon == end)
        return true;
    *out_port = px_str_make(colon + 1, (size_t)(end - colon) - 1);
    return *colon == ':' && port_valid(*out_port);
}

static px_err node_parse(px_str node, struct forwarded_hop *hop)
{
    px_str host, port;

    if (node.len == 0 || !node_split(node, &host, &port))
        return PX_ERR_MALFORMED;
    if (field_name_is(host, "unknown") || is_obfuscated(host))
        return PX_OK;
    if (!host_valid(host))
        return PX_ERR_MALFORMED;
    hop->host = host;
    return PX_OK;
}

/* --- Elements (RFC 7239 section 4) ------------------------------------------------------------ */

/* Takes the next pair off an element, at a semicolon outside of quotes. */
static px_str pair_take(px_str *element)
{
    bool quoted = false;
    size_t at = 0;

    for (; at < element->len && (quoted || element->ptr[at] != ';'); at++) {
        if (element->ptr[at] == '\\' && quoted)
            at++;
        else if (element->ptr[at] == '"')
            quoted = !quoted;
    }
    if (at > element->len)
        at = element->len; /* a backslash was the last byte */
    px_str pair = field_trim(px_str_make(element->ptr, at));
    size_t used = at < element->len ? at + 1 : at;

    element->ptr += used;
    element->len -= used;
    return pair;
}

/* token "=" ( token / quoted-string ).  No address and no scheme needs an escape: a value with one
 * comes out with it, and is taken for neither. */
static bool pair_parse(px_str pair, px_str *out_name, px_str *out_value)
{
    const char *equals = memchr(pair.ptr, '=', pair.len);

    if (!equals)
        return false;
    *out_name = px_str_make(pair.ptr, (size_t)(equals - pair.ptr));
    px_str value = px_str_make(equals + 1, pair.len - out_name->len - 1);

    if (!field_name_valid(*out_name))
        return false;
    if (value.len == 0 || value.ptr[0] != '"') {
        *out_value = value;
        return field_name_valid(value);
    }
    if (value.len < 2 || value.ptr[value.len - 1] != '"' || is_escaped(value, value.len - 1))
        return false;
    *out_value = px_str_make(value.ptr + 1, value.len - 2);
    for (size_t at = 0; at < out_value->len; at++) {
        if (out_value->ptr[at] == '"' && !is_escaped(*out_value, at))
            return false;
    }
    return true;
}

static px_err element_parse(px_str element, struct forwarded_hop *hop)
{
    bool has_node = false;

    while (element.len > 0) {
        px_str pair = pair_take(&element), name, value;

        if (pair.len == 0)
            continue;
        if (!pair_parse(pair, &name, &value))
            return PX_ERR_MALFORMED;
        if (field_name_is(name, "for")) {
            /* "Each parameter MUST NOT occur more than once" in an element. */
            if (has_node || node_parse(value, hop) != PX_OK)
                return PX_ERR_MALFORMED;
            has_node = true;
        } else if (field_name_is(name, "proto")) {
            if (hop->proto.ptr)
                return PX_ERR_MALFORMED;
            hop->proto = value;
        }
    }
    return PX_OK;
}

px_err forwarded_take_last(px_str *list, enum forwarded_syntax syntax,
                           struct forwarded_hop *out_hop)
{
    px_str element = take_last(list, syntax == FORWARDED_RFC7239);

    if (!element.ptr)
        return PX_ERR_NOT_FOUND;
    *out_hop = (struct forwarded_hop){{NULL, 0}, {NULL, 0}};
    return syntax == FORWARDED_RFC7239 ? element_parse(element, out_hop)
                                       : node_parse(element, out_hop);
}
