/*
 * The vocabulary of HTTP/2 frames (RFC 9113 sections 6 and 7): types, flags, error codes, and the
 * nine bytes in front of each frame.
 */
#ifndef PX_HTTP_H2_FRAME_H
#define PX_HTTP_H2_FRAME_H

#include <stdint.h>

enum {
    H2_PREFACE_BYTES = 24,
    H2_HEAD_BYTES = 9,
    H2_SETTING_BYTES = 6,
    H2_PRIORITY_BYTES = 5,
    H2_FRAME_BYTES_MAX = 16384,
    H2_WINDOW_FIRST = 65535 /* before anything else was said (RFC 9113 section 6.9.2) */
};

/* What a client says first (RFC 9113 section 3.4); it ends in a NUL that is not sent. */
#define H2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum h2_frame_type {
    H2_DATA = 0,
    H2_HEADERS = 1,
    H2_PRIORITY = 2,
    H2_RST_STREAM = 3,
    H2_SETTINGS = 4,
    H2_PUSH_PROMISE = 5,
    H2_PING = 6,
    H2_GOAWAY = 7,
    H2_WINDOW_UPDATE = 8,
    H2_CONTINUATION = 9,
    H2_PRIORITY_UPDATE = 16 /* RFC 9218 section 7.1 */
};

enum h2_flag {
    H2_FLAG_ACK = 0x1,
    H2_FLAG_END_STREAM = 0x1,
    H2_FLAG_END_HEADERS = 0x4,
    H2_FLAG_PADDED = 0x8,
    H2_FLAG_PRIORITY = 0x20
};

/* RFC 9113 section 7. */
enum h2_error {
    H2_NO_ERROR = 0x0,
    H2_PROTOCOL_ERROR = 0x1,
    H2_INTERNAL_ERROR = 0x2,
    H2_FLOW_CONTROL_ERROR = 0x3,
    H2_SETTINGS_TIMEOUT = 0x4,
    H2_STREAM_CLOSED = 0x5,
    H2_FRAME_SIZE_ERROR = 0x6,
    H2_REFUSED_STREAM = 0x7,
    H2_CANCEL = 0x8,
    H2_COMPRESSION_ERROR = 0x9,
    H2_CONNECT_ERROR = 0xa,
    H2_ENHANCE_YOUR_CALM = 0xb,
    H2_HTTP_1_1_REQUIRED = 0xd
};

#endif
