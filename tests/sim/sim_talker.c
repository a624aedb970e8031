/*
 * The talker: handshake, messages "number.index:" and a pattern, pings, and the closing handshake.
 */
#include "sim_talker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES_MAX = 70000, HEAD_BYTES_MAX = 14, CONTROL_BYTES_MAX = 125 };

enum { OP_CONTINUATION = 0, OP_TEXT = 1, OP_BINARY = 2, OP_CLOSE = 8, OP_PING = 9, OP_PONG = 10 };

/* --- Sending ---------------------------------------------------------------------------------- */

/* A masked frame. */
static void frame_send(struct sim_talker *talker, unsigned first, const char *bytes, size_t count)
{
    unsigned char head[HEAD_BYTES_MAX] = {(unsigned char)first};
    unsigned char key[4];
    char *masked = malloc(count + 1);
    size_t len = 2;

    if (!masked)
        abort();
    if (count < 126) {
        head[1] = (unsigned char)(0x80 | count);
    } else if (count < 65536) {
        head[1] = 0x80 | 126;
        head[2] = (unsigned char)(count >> 8);
        head[3] = (unsigned char)count;
        len = 4;
    } else {
        head[1] = 0x80 | 127;
        for (int index = 0; index < 8; index++)
            head[2 + index] = (unsigned char)(count >> 8 * (7 - index));
        len = 10;
    }
    sim_random_fill(&sim_world->random, key, sizeof(key));
    memcpy(head + len, key, sizeof(key));
    for (size_t index = 0; index < count; index++)
        masked[index] = (char)(bytes[index] ^ key[index % 4]);
    sim_peer_send(&talker->peer, head, len + sizeof(key));
    sim_peer_send(&talker->peer, masked, count);
    free(masked);
}

/* Message `index` of a talker, always the same. */
static size_t message_make(const struct sim_talker *talker, uint32_t index, char *out)
{
    uint32_t mixed = (talker->seed + index) * 2654435761U;
    size_t length = (mixed >> 20) % 8 == 0 ? mixed % MESSAGE_BYTES_MAX : mixed % 300;
    size_t len = (size_t)snprintf(out, 64, "%u.%u:", talker->number, index);

    for (; len < length; len++)
        out[len] = (char)('a' + (len + index) % 26);
    return len;
}

/* In one frame, or in several. */
static void message_send(struct sim_talker *talker)
{
    static char text[MESSAGE_BYTES_MAX];
    size_t len = message_make(talker, talker->sent, text);
    unsigned opcode = talker->sent % 2 ? OP_TEXT : OP_BINARY;
    size_t at = 0;

    talker->sent++;
    while (sim_random_chance(&sim_world->random, 16384) && at < len) {
        size_t piece = (size_t)sim_random_below(&sim_world->random, len - at + 1);

        frame_send(talker, opcode, text + at, piece);
        opcode = OP_CONTINUATION;
        at += piece;
    }
    if (talker->asks_pings)
        frame_send(talker, 0x80 | OP_PING, text, len < CONTROL_BYTES_MAX ? len : CONTROL_BYTES_MAX);
    frame_send(talker, 0x80 | opcode, text + at, len - at);
}

static void close_send(struct sim_talker *talker)
{
    static const char normal[] = {3, (char)232};

    talker->closing = true;
    if (talker->forgets) {
        sim_peer_half_close(&talker->peer);
        return;
    }
    if (talker->breaks_rule)
        frame_send(talker, 0x83, "", 0);
    else
        frame_send(talker, 0x80 | OP_CLOSE, normal, sizeof(normal));
}

/* Whatever it waits for has come: the next message, or the end. */
static void goes_on(struct sim_talker *talker)
{
    if (talker->closing || talker->code)
        return;
    while (talker->sent < talker->count &&
           (talker->at_once || talker->topic || talker->sent == talker->echoed))
        message_send(talker);
    if (!talker->stays && talker->sent == talker->count &&
        (talker->echoed == talker->count || talker->topic))
        close_send(talker);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void topic_take(struct sim_talker *talker, const char *bytes)
{
    uint64_t number = strtoull(bytes, NULL, 10);

    if (number <= talker->last)
        sim_fail("talker %u: message %llu of the topic came after %llu", talker->number,
                 (unsigned long long)number, (unsigned long long)talker->last);
    talker->last = number;
    sim_sometimes("a message of the topic came");
}

static void message_take(struct sim_talker *talker, unsigned opcode, const char *bytes, size_t len)
{
    static char wanted[MESSAGE_BYTES_MAX];

    if (talker->topic) {
        char text[32] = "";

        memcpy(text, bytes, len < sizeof(text) - 1 ? len : sizeof(text) - 1);
        topic_take(talker, text);
        return;
    }
    size_t wanted_len = message_make(talker, talker->echoed, wanted);

    if (talker->echoed == talker->sent || len != wanted_len ||
        opcode != (talker->echoed % 2 ? OP_TEXT : OP_BINARY) || memcmp(bytes, wanted, len) != 0)
        sim_fail("talker %u: echo %u is not what was sent", talker->number, talker->echoed);
    talker->echoed++;
}

static void close_take(struct sim_talker *talker, const char *bytes, size_t len)
{
    talker->code = 1005;
    if (len >= 2)
        talker->code = (uint16_t)((unsigned)(unsigned char)bytes[0] << 8 | (unsigned char)bytes[1]);
    if (talker->code == 1001)
        sim_sometimes("a drain said 1001");
    else if (talker->code == 1013)
        sim_sometimes("a slow one was told 1013");
    else if (talker->code == 1002 && talker->breaks_rule)
        sim_sometimes("a broken rule was told");
    else if (talker->code == 1011 && sim_world->faults.injected[SIM_MEMORY] > 0)
        sim_sometimes("no memory for an echo");
    else if (talker->code != 1000)
        sim_fail("talker %u: closed with %u", talker->number, talker->code);
    if (!talker->closing)
        frame_send(talker, 0x80 | OP_CLOSE, bytes, len >= 2 ? 2 : 0);
    sim_peer_half_close(&talker->peer);
}

/* One frame off what came; false when it is not whole. */
static bool frame_take(struct sim_talker *talker)
{
    struct sim_queue *received = &talker->peer.received;
    const unsigned char *at = (const unsigned char *)sim_queue_front(received);
    size_t head = 2, wide = 0;
    uint64_t length;

    if (received->len < 2)
        return false;
    if (talker->code)
        sim_fail("talker %u: a frame came behind Close", talker->number);
    length = at[1];
    wide = length == 126 ? 2 : length == 127 ? 8 : 0;
    if (received->len < head + wide)
        return false;
    if (wide > 0)
        for (length = 0; head < 2 + wide; head++)
            length = length << 8 | at[head];
    unsigned opcode = at[0] & 15;

    if (at[1] & 0x80 || at[0] & 0x70 || !(at[0] & 0x80) || length > MESSAGE_BYTES_MAX ||
        (wide == 2 && length < 126) || (wide == 8 && length < 65536))
        sim_fail("talker %u: a frame that no server sends here: %02x %02x", talker->number, at[0],
                 at[1]);
    if (received->len < head + length)
        return false;
    const char *bytes = (const char *)at + head;

    if (opcode == OP_TEXT || opcode == OP_BINARY)
        message_take(talker, opcode, bytes, (size_t)length);
    else if (opcode == OP_CLOSE)
        close_take(talker, bytes, (size_t)length);
    else if (opcode == OP_PING && !talker->closing)
        frame_send(talker, 0x80 | OP_PONG, bytes, (size_t)length);
    else if (opcode != OP_PONG && opcode != OP_PING)
        sim_fail("talker %u: opcode %u", talker->number, opcode);
    sim_queue_take(received, NULL, head + (size_t)length);
    return true;
}

static bool head_take(struct sim_talker *talker)
{
    struct sim_queue *received = &talker->peer.received;
    const char *front = sim_queue_front(received);

    for (size_t len = 4; len <= received->len; len++) {
        if (memcmp(front + len - 4, "\r\n\r\n", 4) != 0)
            continue;
        talker->opened = memcmp(front, "HTTP/1.1 101 ", 13) == 0;
        talker->refused = !talker->opened;
        sim_queue_take(received, NULL, len);
        return talker->opened;
    }
    return false;
}

static void on_recv(struct sim_peer *peer)
{
    struct sim_talker *talker = peer->context;

    if (!talker->opened && !talker->refused && head_take(talker))
        sim_sometimes("a WebSocket opened");
    if (!talker->opened)
        return;
    while (frame_take(talker))
        ;
    goes_on(talker);
}

static void on_connect(struct sim_peer *peer, int error)
{
    struct sim_talker *talker = peer->context;
    char head[512];

    if (error)
        return;
    int len = snprintf(head, sizeof(head),
                       "GET /%s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                       "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                       talker->topic ? "topic" : "echo");

    sim_peer_send(peer, head, (size_t)len);
}

static void on_end(struct sim_peer *peer, int error)
{
    (void)peer;
    (void)error;
}

static const struct sim_peer_events talker_events = {on_connect, on_recv, on_end};

/* --- Its life --------------------------------------------------------------------------------- */

static void talker_starts(struct sim_event *event)
{
    struct sim_talker *talker = CONTAINER_OF(event, struct sim_talker, start);
    struct sim_manners manners = talker->peer.manners;

    talker->started = true;
    sim_peer_start(&talker->peer, &talker_events, &manners, talker->address, talker->address_bytes,
                   talker);
}

void sim_talker_make(struct sim_talker *talker, uint32_t number, const void *address,
                     uint32_t address_bytes, bool mannerly)
{
    struct sim_random *random = &sim_world->random;

    memset(talker, 0, sizeof(*talker));
    talker->number = number;
    talker->address = address;
    talker->address_bytes = address_bytes;
    talker->count = (uint32_t)sim_random_skewed(random, 1, 40);
    talker->seed = (uint32_t)sim_random_next(random);
    talker->topic = sim_random_chance(random, 32768);
    talker->at_once = sim_random_chance(random, 32768);
    talker->asks_pings = sim_random_chance(random, 16384);
    talker->forgets = sim_random_chance(random, 8192);
    talker->breaks_rule = sim_random_chance(random, 8192);
    talker->peer.manners = mannerly ? sim_manners_kind() : sim_manners_any();
    talker->peer.manners.half_close = false;
    talker->peer.manners.urgent_at = UINT64_MAX;
    sim_event_start(&sim_world->clock, &talker->start,
                    sim_random_skewed(random, 0, 3 * SIM_NS_PER_S), talker_starts);
}

bool sim_talker_done(const struct sim_talker *talker)
{
    return talker->started && (talker->peer.ended || talker->peer.is_silent);
}

void sim_talker_judge(const struct sim_talker *talker, bool excused)
{
    const struct sim_peer *peer = &talker->peer;

    if (excused || talker->refused || peer->has_reset || peer->is_silent)
        return;
    /* One that talks to all may be told that it is too slow. */
    if (talker->topic && talker->code == 1013)
        return;
    if (!talker->opened)
        sim_fail("talker %u behaved, but was not let in (error %d, %llu bytes sent)",
                 talker->number, peer->error, (unsigned long long)peer->sent_bytes);
    if (!talker->topic && talker->echoed != talker->count)
        sim_fail("talker %u behaved, but %u of %u messages came back (error %d, code %u)",
                 talker->number, talker->echoed, talker->count, peer->error, talker->code);
    if (!talker->forgets && !talker->code)
        sim_fail("talker %u behaved, but was not told Close", talker->number);
    sim_sometimes("a talker got everything");
}

void sim_talker_end(struct sim_talker *talker)
{
    sim_event_stop(&sim_world->clock, &talker->start);
    sim_peer_end(&talker->peer);
}
