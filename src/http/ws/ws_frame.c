/*
 * Heads of frames, byte by byte as RFC 6455 section 5.2 draws them.
 */
#include "http/ws/ws_frame.h"

#include <string.h>

#include "base/check.h"
#include "http/ws/ws_utf8.h"

enum { FIN = 0x80, OPCODE_MASK = 0x0f, MASKED = 0x80, LENGTH_16 = 126, LENGTH_64 = 127 };

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;

    for (size_t index = 0; index < count; index++)
        value = value << 8 | bytes[index];
    return value;
}

px_err ws_head_take(px_str bytes, struct ws_head *out_head)
{
    const uint8_t *at = (const uint8_t *)bytes.ptr;
    struct ws_head head = {.length = 0};
    size_t length_bytes = 0;

    if (bytes.len < 2)
        return PX_AGAIN;
    head.fin = (at[0] & FIN) != 0;
    head.rsv = at[0] & WS_RSV_MASK;
    head.opcode = at[0] & OPCODE_MASK;
    head.masked = (at[1] & MASKED) != 0;
    head.length = at[1] & ~MASKED;
    /* RFC 6455 section 5.5: a control frame is whole, and short. */
    if (ws_opcode_is_control(head.opcode) && (!head.fin || head.length > WS_CONTROL_BYTES_MAX))
        return PX_ERR_MALFORMED;
    if (head.length == LENGTH_16)
        length_bytes = 2;
    else if (head.length == LENGTH_64)
        length_bytes = 8;
    head.bytes = (uint8_t)(2 + length_bytes + (head.masked ? WS_MASK_BYTES : 0));
    if (bytes.len >= 2 + length_bytes && length_bytes > 0) {
        head.length = big_endian(at + 2, length_bytes);
        /* Section 5.2: the least number of bytes, and the highest bit is 0. */
        if (head.length < LENGTH_16 || (length_bytes == 8 && head.length <= UINT16_MAX) ||
            head.length >> 63)
            return PX_ERR_MALFORMED;
    }
    if (bytes.len < head.bytes)
        return PX_AGAIN;
    if (head.masked)
        memcpy(head.key, at + head.bytes - WS_MASK_BYTES, WS_MASK_BYTES);
    *out_head = head;
    return PX_OK;
}

size_t ws_head_write(char *out, enum ws_opcode opcode, bool fin, uint8_t rsv, uint64_t length,
                     const uint8_t *key)
{
    uint8_t *at = (uint8_t *)out;
    size_t length_bytes = 0;
    uint8_t masked = key ? MASKED : 0;

    ASSERT((rsv & ~WS_RSV_MASK) == 0);
    /* RFC 6455 section 5.5. */
    ASSERT(!ws_opcode_is_control((uint8_t)opcode) || (fin && length <= WS_CONTROL_BYTES_MAX));
    at[0] = (uint8_t)((fin ? FIN : 0) | rsv | opcode);
    if (length < LENGTH_16) {
        at[1] = (uint8_t)(masked | length);
    } else {
        length_bytes = length <= UINT16_MAX ? 2 : 8;
        at[1] = (uint8_t)(masked | (length_bytes == 2 ? LENGTH_16 : LENGTH_64));
    }
    for (size_t index = 0; index < length_bytes; index++)
        at[2 + index] = (uint8_t)(length >> 8 * (length_bytes - 1 - index));
    if (!key)
        return 2 + length_bytes;
    memcpy(at + 2 + length_bytes, key, WS_MASK_BYTES);
    return 2 + length_bytes + WS_MASK_BYTES;
}

bool ws_code_is_sendable(unsigned code)
{
    if (code >= 3000)
        return code < 5000; /* libraries, and private use */
    return code >= WS_CODE_NORMAL && code <= WS_CODE_GATEWAY && code != 1004 &&
           code != WS_CODE_NONE && code != WS_CODE_ABNORMAL;
}

px_err ws_close_take(px_str content, const struct ws_bytes *bytes, uint16_t *out_code,
                     px_str *out_reason)
{
    struct ws_utf8 utf8 = {0, 0, 0};

    *out_code = WS_CODE_NONE;
    *out_reason = px_str_make("", 0);
    if (content.len == 0)
        return PX_OK;
    if (content.len == 1) {
        *out_code = WS_CODE_PROTOCOL;
        return PX_ERR_MALFORMED;
    }
    uint16_t code = (uint16_t)big_endian((const uint8_t *)content.ptr, 2);
    px_str reason = px_str_make(content.ptr + 2, content.len - 2);

    if (!ws_code_is_sendable(code)) {
        *out_code = WS_CODE_PROTOCOL;
        return PX_ERR_MALFORMED;
    }
    if (!ws_utf8_take(&utf8, bytes, reason) || !ws_utf8_is_whole(&utf8)) {
        *out_code = WS_CODE_DATA;
        return PX_ERR_MALFORMED;
    }
    *out_code = code;
    *out_reason = reason;
    return PX_OK;
}

size_t ws_close_write(char out[WS_CONTROL_BYTES_MAX], unsigned code, px_str reason)
{
    size_t len = reason.len;

    if (code == WS_CODE_NONE)
        return 0;
    ASSERT(ws_code_is_sendable(code));
    if (len > WS_REASON_BYTES_MAX) {
        len = WS_REASON_BYTES_MAX;
        /* A continuation byte at the cut: its character goes as a whole. */
        while (len > 0 && ((uint8_t)reason.ptr[len] & 0xc0) == 0x80)
            len--;
    }
    out[0] = (char)(code >> 8);
    out[1] = (char)code;
    if (len > 0)
        memcpy(out + 2, reason.ptr, len);
    return 2 + len;
}
