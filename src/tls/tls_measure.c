/*
 * A walk over records and handshake messages in the clear (RFC 8446 sections 4 and 5.1).
 */
#include "tls/tls_measure.h"

#include "base/check.h"

enum { RECORD_HANDSHAKE = 22, RECORD_HEAD_BYTES = 5 };
enum { MESSAGE_HELLO = 1, MESSAGE_KEY_EXCHANGE = 16, MESSAGE_HEAD_BYTES = 4 };

static void record_step(struct tls_measure *measure, uint8_t byte)
{
    switch (measure->record_at++) {
    case 0:
        measure->record_type = byte;
        break;
    case 3:
        measure->record_left = (uint16_t)(byte << 8);
        break;
    case 4:
        measure->record_left = (uint16_t)(measure->record_left | byte);
        measure->record_at = 0;
        break;
    }
}

/* A byte of a message's head; false when it is the last, and the message is too long. */
static bool message_step(struct tls_measure *measure, uint8_t byte)
{
    if (measure->message_at == 0) {
        measure->message_type = byte;
        measure->message_left = 0;
    } else {
        measure->message_left = measure->message_left << 8 | byte;
    }
    if (++measure->message_at < MESSAGE_HEAD_BYTES)
        return true;
    measure->message_at = 0;
    /* TLS 1.2 encrypts what follows, in records of the same type. */
    measure->over = measure->message_type == MESSAGE_KEY_EXCHANGE;
    return measure->message_type != MESSAGE_HELLO || measure->message_left <= TLS_HELLO_BYTES_MAX;
}

/* Passes over what of the record and the message at hand is not their heads. */
static size_t bytes_skip(struct tls_measure *measure, size_t count)
{
    bool in_message = measure->record_type == RECORD_HANDSHAKE;
    size_t skip = measure->record_left;

    ASSERT(measure->message_at == 0);

    if (in_message && measure->message_left < skip)
        skip = measure->message_left;
    if (skip > count)
        skip = count;
    measure->record_left = (uint16_t)(measure->record_left - skip);
    if (in_message)
        measure->message_left -= (uint32_t)skip;
    ASSERT(skip <= count);
    return skip;
}

bool tls_measure_feed(struct tls_measure *measure, px_str bytes)
{
    ASSERT(measure->record_at < RECORD_HEAD_BYTES && measure->message_at < MESSAGE_HEAD_BYTES);
    ASSERT(measure->record_at == 0 || measure->record_left == 0 || measure->record_at == 4);
    for (size_t at = 0; at < bytes.len && !measure->over;) {
        bool in_head = measure->record_at > 0 || measure->record_left == 0;

        if (in_head) {
            record_step(measure, (uint8_t)bytes.ptr[at++]);
            continue;
        }
        if (measure->message_at == 0) {
            size_t skipped = bytes_skip(measure, bytes.len - at);

            at += skipped;
            if (skipped > 0)
                continue;
        }
        measure->record_left--;
        if (!message_step(measure, (uint8_t)bytes.ptr[at++]))
            return false;
    }
    return true;
}
