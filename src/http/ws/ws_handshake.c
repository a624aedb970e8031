/*
 * Keys, subprotocols and origins of the opening handshake.
 */
#include "http/ws/ws_handshake.h"

#include "base/base64.h"
#include "http/ws/ws_sha1.h"

enum { PROTOCOLS_MAX = 64, KEY_RAW_BYTES = 16 };

/* RFC 6455 section 1.3. */
static const char accept_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

bool ws_key_valid(px_str key)
{
    if (key.len != WS_KEY_BYTES || memcmp(key.ptr + WS_KEY_BYTES - 2, "==", 2) != 0)
        return false;
    /* The last digit holds two bits; clients that leave junk in the others are let in. */
    for (size_t index = 0; index < WS_KEY_BYTES - 2; index++) {
        if (base64_digit(key.ptr[index]) < 0)
            return false;
    }
    return true;
}

void ws_key_make(const uint8_t random[16], char out[WS_KEY_BYTES])
{
    base64_write(out, px_str_make((const char *)random, KEY_RAW_BYTES));
}

void ws_accept_make(px_str key, char out[WS_ACCEPT_BYTES])
{
    char text[WS_KEY_BYTES + sizeof(accept_guid) - 1];
    uint8_t hash[SHA1_BYTES];

    memcpy(text, key.ptr, WS_KEY_BYTES);
    memcpy(text + WS_KEY_BYTES, accept_guid, sizeof(accept_guid) - 1);
    ws_sha1(px_str_make(text, sizeof(text)), hash);
    base64_write(out, px_str_make((const char *)hash, sizeof(hash)));
}

/* --- Subprotocols ----------------------------------------------------------------------------- */

/* All that is offered, of every line of the field: PX_OK or PX_ERR_MALFORMED. */
static px_err protocols_offered(const px_field *fields, uint32_t count, px_str *offered,
                                uint32_t *out_count)
{
    uint32_t found = 0;

    for (uint32_t index = 0; index < count; index++) {
        px_str list = fields[index].value, element;

        if (!field_name_is(fields[index].name, "sec-websocket-protocol"))
            continue;
        while (field_list_next(&list, &element)) {
            /* RFC 6455 section 4.1: tokens, each once. */
            if (!field_name_valid(element) || found == PROTOCOLS_MAX)
                return PX_ERR_MALFORMED;
            for (uint32_t before = 0; before < found; before++) {
                if (px_str_equal(offered[before], element))
                    return PX_ERR_MALFORMED;
            }
            offered[found++] = element;
        }
    }
    *out_count = found;
    return PX_OK;
}

px_err ws_protocol_choose(const px_field *fields, uint32_t count, const char *const *ours,
                          uint32_t our_count, px_str *out_protocol)
{
    px_str offered[PROTOCOLS_MAX];
    uint32_t offered_count;
    px_err err = protocols_offered(fields, count, offered, &offered_count);

    if (err != PX_OK)
        return err;
    *out_protocol = px_str_make(NULL, 0);
    for (uint32_t index = 0; index < our_count; index++) {
        for (uint32_t at = 0; at < offered_count; at++) {
            if (px_str_equal(px_str_of(ours[index]), offered[at])) {
                *out_protocol = offered[at];
                return PX_OK;
            }
        }
    }
    return PX_OK;
}

/* --- Origins ---------------------------------------------------------------------------------- */

struct origin {
    px_str scheme;
    px_str authority; /* without a port that is the scheme's own */
};

static px_str authority_settle(px_str scheme, px_str authority)
{
    const char *port = field_name_is(scheme, "https") ? ":443" : ":80";
    size_t len = strlen(port);

    if (authority.len > len && memcmp(authority.ptr + authority.len - len, port, len) == 0)
        authority.len -= len;
    return authority;
}

static bool origin_split(px_str text, struct origin *out_origin)
{
    for (size_t at = 0; at + 3 <= text.len; at++) {
        if (memcmp(text.ptr + at, "://", 3) != 0)
            continue;
        out_origin->scheme = px_str_make(text.ptr, at);
        out_origin->authority =
            authority_settle(out_origin->scheme, px_str_make(text.ptr + at + 3, text.len - at - 3));
        return at > 0;
    }
    return false;
}

bool ws_origin_same(px_str origin, px_str scheme, px_str authority)
{
    struct origin given;

    return origin_split(origin, &given) && field_text_equal(given.scheme, scheme) &&
           field_text_equal(given.authority, authority_settle(scheme, authority));
}

bool ws_origin_equal(px_str left, px_str right)
{
    struct origin wanted;

    if (!origin_split(right, &wanted))
        return field_text_equal(left, right); /* "null" */
    return ws_origin_same(left, wanted.scheme, wanted.authority);
}
