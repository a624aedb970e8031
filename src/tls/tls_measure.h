/*
 * The size that a peer says its hello has, read off the bytes before OpenSSL sees them: it makes
 * room for a whole message as soon as it has seen that number, a hundred KiB for fifteen bytes.
 *
 * Happy path: five bytes of a record's head, four of a message's, and what it holds is passed over.
 */
#ifndef PX_TLS_MEASURE_H
#define PX_TLS_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

/* With keys of post-quantum exchanges, a ticket and padding they have two or three KiB. */
enum { TLS_HELLO_BYTES_MAX = 16 * 1024 };

struct tls_measure {
    uint32_t message_left; /* of the message at hand */
    uint16_t record_left;  /* of the record at hand */
    uint8_t record_at;     /* bytes of the next record's head that were read */
    uint8_t message_at;    /* likewise, of a message's */
    uint8_t record_type;
    uint8_t message_type;
    bool over; /* what follows is encrypted */
};

/* Takes bytes of the peer, in order: false when they begin a hello of more than
 * TLS_HELLO_BYTES_MAX. */
bool tls_measure_feed(struct tls_measure *measure, px_str bytes);

#endif
