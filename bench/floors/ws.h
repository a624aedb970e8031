/*
 * What the WebSocket floors share: the 101 that any handshake gets, and frames as the load sends
 * and reads them.  Nothing is checked: a floor has no peer but the load.
 */
#ifndef BENCH_WS_H
#define BENCH_WS_H

#include "floor.h"

static inline int ws_is_handshake(const char *bytes, ssize_t length)
{
    return length > 4 && memcmp(bytes, "GET ", 4) == 0;
}

/* The bytes that pollux answers with, for the key that the load sends. */
static inline int ws_answer(int fd)
{
    static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nServer: pollux\r\n"
                                 "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                                 "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                 "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    return send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) == sizeof(answer) - 1;
}

#endif
