/*
 * Frame heads and budgets.  Each frame is judged when its ninth byte is there, before any of its
 * payload.
 */
#include "http/h2/h2_walk.h"

#include <string.h>

#include "base/limits.h"

_Static_assert(H2_FRAMES_MAX < UINT16_MAX, "a second's count holds a budget");
_Static_assert(H2_RESETS_MAX < UINT16_MAX, "a second's count holds a budget");
_Static_assert(H2_USED_WORDS * 64 > H2_STREAMS_MAX, "every stream in progress has its bit");
_Static_assert(H2_EMPTY_CONTINUATIONS_MAX < H2_CONTINUATIONS_MAX, "the narrower comes first");
_Static_assert(H2_PREFACE_BYTES < UINT8_MAX && H2_HEAD_BYTES < UINT8_MAX,
               "their lengths are bytes");
_Static_assert(H2_STREAMS_MAX <= UINT8_MAX, "one byte of our SETTINGS says it");

void h2_walk_check(const struct h2_walk *walk)
{
    ASSERT(walk->preface_len <= H2_PREFACE_BYTES && walk->head_len < H2_HEAD_BYTES);
    ASSERT(walk->preface_len == H2_PREFACE_BYTES || (walk->head_len == 0 && walk->left == 0));
    ASSERT(walk->left < 1 << 24);
    ASSERT(walk->head_len == 0 || walk->left == 0);
    ASSERT(walk->last_stream == 0 || (walk->last_stream & 1));
    ASSERT(walk->last_stream == 0 || (walk->used[0] & 1));
    ASSERT(walk->settings_seen || walk->last_stream == 0);
    ASSERT(walk->block_stream <= INT32_MAX && walk->empty_frames <= walk->block_frames);
    ASSERT(walk->second_index < H2_BUDGET_SECONDS);
    for (int budget = 0; budget < H2_BUDGET_COUNT; budget++) {
        uint32_t sum = 0;

        for (int second = 0; second < H2_BUDGET_SECONDS; second++)
            sum += walk->counts[budget][second];
        ASSERT(sum == walk->sums[budget]);
    }
}

void h2_walk_init(struct h2_walk *walk, uint32_t head_bytes_max)
{
    memset(walk, 0, sizeof(*walk));
    /* Compressed it is smaller as a rule, but nothing says that it must be. */
    walk->block_bytes_max = head_bytes_max + H2_FRAME_BYTES_MAX;
}

void h2_walk_answers(struct h2_walk *walk)
{
    walk->answers = true;
    walk->preface_len = H2_PREFACE_BYTES;
}

/* --- Budgets ---------------------------------------------------------------------------------- */

/* Moves the window on, a second at a time, and forgets what leaves it. */
void h2_walk_tick(struct h2_walk *walk, uint64_t now_ms)
{
    uint64_t second = now_ms / 1000;

    if (PX_LIKELY(second == walk->second))
        return;
    /* A clock that jumps back starts no new second. */
    uint64_t passed = second > walk->second ? second - walk->second : 0;

    walk->second = second > walk->second ? second : walk->second;
    for (uint64_t step = 0; step < passed && step < H2_BUDGET_SECONDS; step++) {
        walk->second_index = (uint8_t)((walk->second_index + 1) % H2_BUDGET_SECONDS);
        for (int budget = 0; budget < H2_BUDGET_COUNT; budget++) {
            walk->sums[budget] -= walk->counts[budget][walk->second_index];
            walk->counts[budget][walk->second_index] = 0;
        }
    }
}

static void budget_count(struct h2_walk *walk, enum h2_budget budget)
{
    /* Full after 65,535 in a second, which is far above every limit. */
    if (walk->counts[budget][walk->second_index] == UINT16_MAX)
        return;
    walk->counts[budget][walk->second_index]++;
    walk->sums[budget]++;
}

static bool budget_left(const struct h2_walk *walk, enum h2_budget budget)
{
    uint32_t count = walk->sums[budget];

    switch (budget) {
    case H2_BUDGET_OPENED:
    case H2_BUDGET_SENT:
    case H2_BUDGET_COUNT:
        return true;
    case H2_BUDGET_RESETS:
        return count <= H2_RESETS_MAX || count * 2 <= walk->sums[H2_BUDGET_OPENED];
    case H2_BUDGET_WINDOW:
        /* One for the stream and one for the connection is what a simple client says to each DATA
         * frame; a few more are none of our business. */
        return count <= H2_FRAMES_MAX ||
               count / 4 <= walk->sums[H2_BUDGET_SENT] + walk->sums[H2_BUDGET_OPENED];
    case H2_BUDGET_PING:
    case H2_BUDGET_SETTINGS:
    case H2_BUDGET_PRIORITY:
    case H2_BUDGET_EMPTY:
    case H2_BUDGET_OTHER:
        break;
    }
    return count <= H2_FRAMES_MAX;
}

void h2_walk_count(struct h2_walk *walk, enum h2_budget budget)
{
    budget_count(walk, budget);
    if (!budget_left(walk, budget))
        walk->resets_over = true;
}

uint32_t h2_walk_spend(struct h2_walk *walk, enum h2_budget budget)
{
    budget_count(walk, budget);
    return budget_left(walk, budget) ? H2_NO_ERROR : H2_ENHANCE_YOUR_CALM;
}

/* --- Streams ---------------------------------------------------------------------------------- */

static void bits_shift(uint64_t *bits, uint32_t by)
{
    uint32_t words = by / 64, rest = by % 64;

    if (PX_LIKELY(by == 1)) { /* the next one */
        for (int at = H2_USED_WORDS - 1; at > 0; at--)
            bits[at] = bits[at] << 1 | bits[at - 1] >> 63;
        bits[0] <<= 1;
        return;
    }
    for (int at = H2_USED_WORDS - 1; at >= 0; at--) {
        uint64_t word = 0;

        if ((uint32_t)at >= words) {
            word = bits[(uint32_t)at - words] << rest;
            if (rest > 0 && (uint32_t)at > words)
                word |= bits[(uint32_t)at - words - 1] >> (64 - rest);
        }
        bits[at] = word;
    }
}

/* Where a stream's bit is, or false when it is too long ago. */
static bool bit_of(const struct h2_walk *walk, uint32_t stream, uint32_t *out_word,
                   uint64_t *out_mask)
{
    uint32_t back = (walk->last_stream - stream) / 2;

    if (stream > walk->last_stream || back >= H2_USED_WORDS * 64)
        return false;
    *out_word = back / 64;
    *out_mask = UINT64_C(1) << (back % 64);
    return true;
}

static void stream_opened(struct h2_walk *walk, uint32_t stream)
{
    uint32_t by = walk->last_stream ? (stream - walk->last_stream) / 2 : H2_USED_WORDS * 64;

    bits_shift(walk->used, by);
    bits_shift(walk->closed, by);
    walk->used[0] |= 1;
    walk->last_stream = stream;
}

static void stream_closed(struct h2_walk *walk, uint32_t stream)
{
    uint32_t word;
    uint64_t mask;

    if ((stream & 1) && bit_of(walk, stream, &word, &mask))
        walk->closed[word] |= mask;
}

/* RFC 9113 section 5.1: nothing but PRIORITY, WINDOW_UPDATE and RST_STREAM comes for a stream that
 * its sender has ended. */
static uint32_t stream_look(const struct h2_walk *walk, uint32_t stream)
{
    uint32_t word;
    uint64_t mask;

    if (!(stream & 1) || !bit_of(walk, stream, &word, &mask))
        return H2_NO_ERROR; /* idle, ours, or long ago: its caller knows what to say */
    if (!(walk->used[word] & mask))
        return H2_PROTOCOL_ERROR; /* section 5.1.1: passed over, so closed before it was opened */
    return walk->closed[word] & mask ? H2_STREAM_CLOSED : H2_NO_ERROR;
}

/* --- Frames ----------------------------------------------------------------------------------- */

static uint32_t look_headers(struct h2_walk *walk, const struct h2_frame *frame)
{
    walk->block_bytes = frame->bytes;
    walk->block_frames = 0;
    walk->empty_frames = 0;
    walk->block_stream = frame->flags & H2_FLAG_END_HEADERS ? 0 : frame->stream;
    if (walk->answers)
        return H2_NO_ERROR; /* its caller knows which streams are ours */
    if ((frame->stream & 1) && frame->stream > walk->last_stream) {
        stream_opened(walk, frame->stream);
        budget_count(walk, H2_BUDGET_OPENED);
    } else {
        uint32_t error = stream_look(walk, frame->stream);

        if (error != H2_NO_ERROR)
            return error;
    }
    if (frame->flags & H2_FLAG_END_STREAM)
        stream_closed(walk, frame->stream);
    return H2_NO_ERROR;
}

static uint32_t look_continuation(struct h2_walk *walk, const struct h2_frame *frame)
{
    /* One that continues nothing is a PROTOCOL_ERROR, which its caller says. */
    if (walk->block_stream != frame->stream)
        return H2_NO_ERROR;
    walk->block_bytes += frame->bytes;
    walk->block_frames++;
    walk->empty_frames = frame->bytes > 0 ? 0 : walk->empty_frames + 1;
    if (walk->block_bytes > walk->block_bytes_max || walk->block_frames > H2_CONTINUATIONS_MAX ||
        walk->empty_frames > H2_EMPTY_CONTINUATIONS_MAX)
        return H2_ENHANCE_YOUR_CALM;
    if (frame->flags & H2_FLAG_END_HEADERS)
        walk->block_stream = 0;
    return H2_NO_ERROR;
}

static uint32_t look_data(struct h2_walk *walk, const struct h2_frame *frame)
{
    uint32_t error = stream_look(walk, frame->stream);

    if (error != H2_NO_ERROR)
        return error;
    if (frame->flags & H2_FLAG_END_STREAM) {
        stream_closed(walk, frame->stream);
        return H2_NO_ERROR;
    }
    return frame->bytes == 0 ? h2_walk_spend(walk, H2_BUDGET_EMPTY) : H2_NO_ERROR;
}

/* Judges the frame whose head is there. */
static uint32_t look(struct h2_walk *walk, const struct h2_frame *frame)
{
    if (frame->bytes > H2_FRAME_BYTES_MAX)
        return H2_FRAME_SIZE_ERROR; /* RFC 9113 section 4.2: we offer the smallest maximum */
    if (PX_UNLIKELY(!walk->settings_seen)) {
        /* RFC 9113 section 3.4. */
        if (frame->type != H2_SETTINGS || (frame->flags & H2_FLAG_ACK))
            return H2_PROTOCOL_ERROR;
        walk->settings_seen = true;
    }
    /* RFC 9113 section 6.10: nothing comes between the frames of a header block. */
    if (PX_UNLIKELY(walk->block_stream != 0) &&
        (frame->type != H2_CONTINUATION || frame->stream != walk->block_stream))
        return H2_PROTOCOL_ERROR;
    switch (frame->type) {
    case H2_DATA:
        return look_data(walk, frame);
    case H2_HEADERS:
        return look_headers(walk, frame);
    case H2_CONTINUATION:
        return look_continuation(walk, frame);
    case H2_RST_STREAM:
        stream_closed(walk, frame->stream);
        /* Of what we have asked a server may reset all (RFC 9113 section 8.1); the session counts
         * those that hit no stream. */
        return walk->answers ? H2_NO_ERROR : h2_walk_spend(walk, H2_BUDGET_RESETS);
    case H2_PING:
        return h2_walk_spend(walk, H2_BUDGET_PING);
    case H2_SETTINGS:
        return h2_walk_spend(walk, H2_BUDGET_SETTINGS);
    case H2_PRIORITY:
        /* RFC 9113 section 6.3. */
        return frame->stream == 0 ? H2_PROTOCOL_ERROR : h2_walk_spend(walk, H2_BUDGET_PRIORITY);
    case H2_PRIORITY_UPDATE:
        /* RFC 9218 section 7.1: from clients alone. */
        if (frame->stream != 0 || walk->answers)
            return H2_PROTOCOL_ERROR;
        if (frame->bytes < sizeof(uint32_t))
            return H2_FRAME_SIZE_ERROR;
        return h2_walk_spend(walk, H2_BUDGET_PRIORITY);
    case H2_WINDOW_UPDATE:
        return h2_walk_spend(walk, H2_BUDGET_WINDOW);
    case H2_PUSH_PROMISE:
        /* RFC 9113 section 8.4: our SETTINGS, which refuse it, came before any request. */
        if (walk->answers)
            return H2_PROTOCOL_ERROR;
        break;
    }
    return h2_walk_spend(walk, H2_BUDGET_OTHER);
}

/* Nine bytes are there. */
static uint32_t look_head(struct h2_walk *walk, const uint8_t *head)
{
    walk->frame = (struct h2_frame){
        .bytes = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2],
        .type = head[3],
        .flags = head[4],
        .stream =
            ((uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]) &
            0x7fffffff,
    };
    walk->left = walk->frame.bytes;
    walk->head_len = 0;
    walk->frame_count++;
    return look(walk, &walk->frame);
}

/* The preface, byte by byte (RFC 9113 section 3.4). */
static size_t walk_preface(struct h2_walk *walk, px_str bytes)
{
    size_t at = 0;

    while (at < bytes.len && walk->preface_len < H2_PREFACE_BYTES &&
           bytes.ptr[at] == H2_PREFACE[walk->preface_len]) {
        walk->preface_len++;
        at++;
    }
    return at;
}

px_err h2_walk_next(struct h2_walk *walk, px_str bytes, size_t *out_used, uint32_t *out_error)
{
    const uint8_t *head = (const uint8_t *)bytes.ptr;
    size_t at = 0;

    CHECK(walk->left == 0);
    *out_error = H2_NO_ERROR;
    if (PX_UNLIKELY(walk->preface_len < H2_PREFACE_BYTES)) {
        at = walk_preface(walk, bytes);
        if (at < bytes.len && walk->preface_len < H2_PREFACE_BYTES)
            *out_error = H2_PROTOCOL_ERROR;
        head += at;
    }
    size_t part = bytes.len - at;

    if (PX_UNLIKELY(walk->head_len > 0 || part < H2_HEAD_BYTES)) {
        if (part > H2_HEAD_BYTES - (size_t)walk->head_len)
            part = H2_HEAD_BYTES - (size_t)walk->head_len;
        memcpy(walk->head + walk->head_len, head, part);
        walk->head_len = (uint8_t)(walk->head_len + part);
        head = walk->head;
        if (walk->head_len < H2_HEAD_BYTES) {
            *out_used = at + part;
            return *out_error == H2_NO_ERROR ? PX_AGAIN : PX_ERR_MALFORMED;
        }
    } else {
        part = H2_HEAD_BYTES;
    }
    *out_used = at + part;
    if (PX_LIKELY(*out_error == H2_NO_ERROR))
        *out_error = look_head(walk, head);
    if (ASSERTS)
        h2_walk_check(walk);
    return *out_error == H2_NO_ERROR ? PX_OK : PX_ERR_MALFORMED;
}

uint32_t h2_walk_unfinished(const struct h2_walk *walk)
{
    if (walk->block_stream != 0)
        return walk->block_stream;
    if (walk->left > 0)
        return walk->frame.type == H2_DATA ? 0 : walk->frame_count | 1u << 31;
    return walk->head_len > 0 ? (walk->frame_count + 1) | 1u << 31 : 0;
}
