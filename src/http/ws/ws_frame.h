/*
 * Heads of WebSocket frames (RFC 6455 section 5.2) and what a Close frame says (section 5.5.1):
 * read, checked and written, for both ends of the wire.
 *
 * Nothing here allocates or keeps anything.  What a head may say where is for ws_read.h.
 */
#ifndef PX_HTTP_WS_FRAME_H
#define PX_HTTP_WS_FRAME_H

#include <stdbool.h>

#include "http/ws/ws_bytes.h"
#include "pollux/error.h"
#include "pollux/str.h"

enum {
    WS_HEAD_BYTES_MAX = 14,
    WS_CONTROL_BYTES_MAX = 125, /* RFC 6455 section 5.5 */
    WS_REASON_BYTES_MAX = 123
};

enum ws_opcode {
    WS_CONTINUATION = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10
};

/* RFC 6455 section 7.4.1, and what its registry has since. */
enum ws_code {
    WS_CODE_NORMAL = 1000,
    WS_CODE_GOING_AWAY = 1001,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_UNACCEPTABLE = 1003,
    WS_CODE_NONE = 1005,     /* never sent: the Close frame had none */
    WS_CODE_ABNORMAL = 1006, /* never sent: there was no Close frame */
    WS_CODE_DATA = 1007,
    WS_CODE_POLICY = 1008,
    WS_CODE_TOO_BIG = 1009,
    WS_CODE_EXTENSION = 1010, /* a client's alone */
    WS_CODE_INTERNAL = 1011,
    WS_CODE_RESTART = 1012,
    WS_CODE_TRY_LATER = 1013,
    WS_CODE_GATEWAY = 1014
};

/* RSV1 to RSV3, as they stand in the first byte. */
enum { WS_RSV1 = 0x40, WS_RSV2 = 0x20, WS_RSV3 = 0x10, WS_RSV_MASK = 0x70 };

struct ws_head {
    uint64_t length;
    uint8_t key[WS_MASK_BYTES];
    uint8_t opcode; /* any four bits */
    uint8_t rsv;    /* of WS_RSV_MASK */
    uint8_t bytes;  /* of the head itself */
    bool fin;
    bool masked;
};

static inline bool ws_opcode_is_control(uint8_t opcode)
{
    return (opcode & 8) != 0;
}

/* Takes a head apart: PX_OK, PX_AGAIN while it is not whole, PX_ERR_MALFORMED when the length is
 * not minimal or has 64 bits, or when the head of a control frame says what none may. */
PX_MUST_CHECK px_err ws_head_take(px_str bytes, struct ws_head *out_head);

/* Writes a head of at most WS_HEAD_BYTES_MAX and says how long it is; `key` NULL: not masked. */
size_t ws_head_write(char *out, enum ws_opcode opcode, bool fin, uint8_t rsv, uint64_t length,
                     const uint8_t *key);

/* Whether a code may stand in a Close frame (RFC 6455 section 7.4). */
bool ws_code_is_sendable(unsigned code);

/* The content of a Close frame: PX_OK, or PX_ERR_MALFORMED with the code to answer (1002, 1007).
 * Without content the code is WS_CODE_NONE. */
PX_MUST_CHECK px_err ws_close_take(px_str content, const struct ws_bytes *bytes, uint16_t *out_code,
                                   px_str *out_reason);

/* Writes the content of a Close frame, the reason cut at WS_REASON_BYTES_MAX and never inside of a
 * character; WS_CODE_NONE: empty.  How long it is. */
size_t ws_close_write(char out[WS_CONTROL_BYTES_MAX], unsigned code, px_str reason);

#endif
