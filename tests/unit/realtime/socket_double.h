/*
 * WebSockets of the test-double transport, for tests of their parts: opened by a handshake, given
 * frames, or a part of one, and what they were told.
 */
#ifndef PX_TESTS_UNIT_REALTIME_SOCKET_DOUBLE_H
#define PX_TESTS_UNIT_REALTIME_SOCKET_DOUBLE_H

#include "realtime/socket.h"
#include "unit/exchange/double.h"

struct peer {
    struct call call;
    px_websocket *socket; /* NULL once it was closed */
    const px_websocket_options *options;
    uint32_t messages;
    size_t message_len; /* of the last one */
    uint32_t closed;
    unsigned code;
    void (*on_message)(struct peer *peer); /* before it returns; NULL is fine */
    void (*on_close)(struct peer *peer);   /* likewise */
    struct peer *other;
    void *context; /* of both */
};

/* Offers permessage-deflate. */
void peer_open(struct peer *peer, struct stage *stage, const px_websocket_options *options);

/* The first `count` bytes of a frame, masked; WHOLE: all of it. */
enum { WHOLE = INT32_MAX };
void peer_sends(struct peer *peer, enum ws_opcode opcode, bool fin, uint8_t rsv, px_str content,
                size_t count);

/* Bytes of a frame that was begun, masked behind `at` bytes of it. */
void peer_goes_on(struct peer *peer, px_str content, size_t at);

void peer_finish(struct peer *peer);

#endif
