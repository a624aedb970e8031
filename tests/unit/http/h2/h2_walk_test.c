/*
 * The walk over frame heads: what it lets through and what it ends, with the code, at every split
 * of its input; each budget at its number and one above, and as time passes.
 */
#include "http/h2/h2_walk.h"

#include <string.h>

#include "base/limits.h"
#include "lib/splits.h"
#include "lib/test.h"
#include "lib/walk_feed.h"

enum { INPUT_MAX = 256 * 1024, HEAD_BYTES = 32 * 1024 };

/* Frames as they are written one behind the other. */
struct script {
    size_t len;
    char bytes[INPUT_MAX];
};

static struct script script;

static void put(const void *bytes, size_t len)
{
    assert_true(script.len + len <= INPUT_MAX);
    if (len > 0)
        memcpy(script.bytes + script.len, bytes, len);
    script.len += len;
}

static void frame(uint8_t type, uint8_t flags, uint32_t stream, const char *payload, size_t len)
{
    const uint8_t head[H2_HEAD_BYTES] = {
        (uint8_t)(len >> 16),
        (uint8_t)(len >> 8),
        (uint8_t)len,
        type,
        flags,
        (uint8_t)(stream >> 24),
        (uint8_t)(stream >> 16),
        (uint8_t)(stream >> 8),
        (uint8_t)stream,
    };

    put(head, sizeof(head));
    put(payload, len);
}

/* What every connection begins with. */
static void begin(void)
{
    script.len = 0;
    put(H2_PREFACE, H2_PREFACE_BYTES);
    frame(H2_SETTINGS, 0, 0, "", 0);
}

static void request(uint32_t stream, bool ends)
{
    frame(H2_HEADERS, (uint8_t)(H2_FLAG_END_HEADERS | (ends ? H2_FLAG_END_STREAM : 0)), stream, "x",
          1);
}

/* --- Running ---------------------------------------------------------------------------------- */

struct outcome {
    struct h2_walk walk;
    px_err err;
    uint32_t error;
    size_t used; /* of all that was fed */
};

static struct outcome result, expected;

static void run_begin(void *context)
{
    struct outcome *out = context;

    h2_walk_init(&out->walk, HEAD_BYTES);
    out->err = PX_OK;
    out->error = H2_NO_ERROR;
    out->used = 0;
}

static size_t run_feed(px_str bytes, void *context)
{
    struct outcome *out = context;
    size_t used = 0;

    if (out->err == PX_OK) {
        out->err = walk_feed(&out->walk, 5000, bytes, &used, &out->error);
        assert_true(out->err != PX_OK || used == bytes.len);
        assert_true(used <= bytes.len);
        out->used += used;
    }
    return bytes.len;
}

static void run_end(size_t left, const char *split, void *context)
{
    const struct outcome *out = context;

    (void)left;
    if (out->err != expected.err || out->error != expected.error)
        fail_msg("%s: error %u, and whole %u", split, out->error, expected.error);
}

/* Walks over the script, whole and at every split, and asserts the code. */
static void assert_error(uint32_t error)
{
    const struct split_reader reader = {run_begin, run_feed, run_end, &result};

    run_begin(&expected);
    run_feed(px_str_make(script.bytes, script.len), &expected);
    assert_int_equal(expected.error, error);
    assert_int_equal(expected.err, error == H2_NO_ERROR ? PX_OK : PX_ERR_MALFORMED);
    if (script.len < 2000)
        splits_each(px_str_make(script.bytes, script.len), &reader);
}

/* --- Beginnings ------------------------------------------------------------------------------- */

static void walk_takes_a_good_connection(void **state)
{
    (void)state;
    begin();
    request(1, true);
    request(3, false);
    frame(H2_DATA, 0, 3, "abc", 3);
    frame(H2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
    frame(H2_HEADERS, H2_FLAG_END_STREAM, 3, "x", 1);
    frame(H2_CONTINUATION, H2_FLAG_END_HEADERS, 3, "y", 1);
    frame(H2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
    frame(H2_PING, 0, 0, "12345678", 8);
    frame(H2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
    assert_error(H2_NO_ERROR);
    assert_int_equal(expected.used, script.len);
    assert_int_equal(expected.walk.last_stream, 3);
}

static void walk_wants_the_preface(void **state)
{
    (void)state;
    for (size_t at = 0; at < H2_PREFACE_BYTES; at++) {
        begin();
        script.bytes[at] ^= 1;
        run_begin(&result);
        run_feed(px_str_make(script.bytes, script.len), &result);
        assert_int_equal(result.error, H2_PROTOCOL_ERROR);
        assert_int_equal(result.used, 0);
    }
    begin();
    script.bytes[5] = 'x';
    assert_error(H2_PROTOCOL_ERROR);
}

static void walk_wants_settings_first(void **state)
{
    (void)state;
    script.len = 0;
    put(H2_PREFACE, H2_PREFACE_BYTES);
    request(1, true);
    assert_error(H2_PROTOCOL_ERROR);
    script.len = 0;
    put(H2_PREFACE, H2_PREFACE_BYTES);
    frame(H2_SETTINGS, H2_FLAG_ACK, 0, "", 0);
    assert_error(H2_PROTOCOL_ERROR);
}

static void walk_hides_the_frame_at_fault(void **state)
{
    size_t before;

    (void)state;
    begin();
    request(5, true);
    before = script.len;
    request(3, true);
    request(7, true);
    assert_error(H2_PROTOCOL_ERROR);
    assert_int_equal(expected.used, before);
}

static void walk_limits_frames(void **state)
{
    static char payload[H2_FRAME_BYTES_MAX + 1];

    (void)state;
    begin();
    request(1, false);
    frame(H2_DATA, 0, 1, payload, H2_FRAME_BYTES_MAX);
    assert_error(H2_NO_ERROR);
    begin();
    request(1, false);
    frame(H2_DATA, 0, 1, payload, sizeof(payload));
    assert_error(H2_FRAME_SIZE_ERROR);
}

/* --- Streams ---------------------------------------------------------------------------------- */

static void walk_knows_what_was_passed_over(void **state)
{
    (void)state;
    begin();
    request(1, false);
    request(9, true);
    request(1, true); /* its trailers */
    assert_error(H2_NO_ERROR);
    begin();
    request(1, false);
    request(9, true);
    request(5, true);
    assert_error(H2_PROTOCOL_ERROR);
}

static void walk_knows_what_has_ended(void **state)
{
    static const struct {
        uint8_t type;
        uint8_t flags;
        uint32_t error;
    } cases[] = {
        {H2_DATA, 0, H2_STREAM_CLOSED},     {H2_HEADERS, H2_FLAG_END_HEADERS, H2_STREAM_CLOSED},
        {H2_WINDOW_UPDATE, 0, H2_NO_ERROR}, {H2_PRIORITY, 0, H2_NO_ERROR},
        {H2_RST_STREAM, 0, H2_NO_ERROR},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        begin();
        request(1, true);
        request(3, false);
        frame(cases[index].type, cases[index].flags, 1, "abcde", 5);
        assert_error(cases[index].error);
        begin();
        request(1, false);
        frame(H2_RST_STREAM, 0, 1, "\0\0\0\x08", 4);
        frame(cases[index].type, cases[index].flags, 1, "abcde", 5);
        assert_error(cases[index].error);
    }
}

/* It remembers as many streams as can be open, and some; those before are the library's to judge.
 */
static void walk_remembers_many_streams(void **state)
{
    uint32_t last = 2 * 64 * H2_USED_WORDS + 1;

    (void)state;
    begin();
    for (uint32_t stream = 1; stream < last; stream += 2)
        request(stream, stream != 3);
    frame(H2_DATA, 0, 3, "x", 1);
    assert_error(H2_NO_ERROR);
    frame(H2_DATA, 0, 1, "x", 1);
    assert_error(H2_STREAM_CLOSED);
    begin();
    request(1, true);
    request(last + 2, true);
    frame(H2_DATA, 0, 1, "x", 1);
    assert_error(H2_NO_ERROR);
    begin();
    request(1, true);
    request(0x7fffffff, true);
    request(0x7ffffffd, true);
    assert_error(H2_PROTOCOL_ERROR);
}

static void walk_keeps_header_blocks_whole(void **state)
{
    (void)state;
    begin();
    frame(H2_HEADERS, 0, 1, "x", 1);
    frame(H2_PING, 0, 0, "12345678", 8);
    assert_error(H2_PROTOCOL_ERROR);
    begin();
    frame(H2_HEADERS, 0, 1, "x", 1);
    frame(H2_CONTINUATION, 0, 3, "x", 1);
    assert_error(H2_PROTOCOL_ERROR);
    begin();
    frame(H2_HEADERS, 0, 1, "x", 1);
    assert_error(H2_NO_ERROR);
    assert_int_equal(expected.walk.block_stream, 1);
    frame(H2_CONTINUATION, H2_FLAG_END_HEADERS, 1, "x", 1);
    assert_error(H2_NO_ERROR);
    assert_int_equal(expected.walk.block_stream, 0);
}

static void walk_looks_at_priorities(void **state)
{
    (void)state;
    begin();
    frame(H2_PRIORITY, 0, 0, "abcde", 5);
    assert_error(H2_PROTOCOL_ERROR);
    begin();
    frame(H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\1u=1", 7);
    assert_error(H2_NO_ERROR);
    begin();
    frame(H2_PRIORITY_UPDATE, 0, 1, "\0\0\0\1u=1", 7);
    assert_error(H2_PROTOCOL_ERROR);
    begin();
    frame(H2_PRIORITY_UPDATE, 0, 0, "\0\0\0", 3);
    assert_error(H2_FRAME_SIZE_ERROR);
}

/* --- Budgets ---------------------------------------------------------------------------------- */

struct flood {
    uint8_t type;
    uint8_t flags;
    uint32_t stream;
    const char *payload;
    size_t len;
};

static void flood(const struct flood *one, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++)
        frame(one->type, one->flags, one->stream, one->payload, one->len);
}

static void walk_ends_floods(void **state)
{
    static const struct flood floods[] = {
        {H2_PING, 0, 0, "12345678", 8},
        {H2_PING, H2_FLAG_ACK, 0, "12345678", 8},
        {H2_PRIORITY, 0, 3, "abcde", 5},
        {H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\3", 4},
        {H2_DATA, 0, 1, "", 0},
        {H2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8},
        {0x77, 0, 0, "", 0},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(floods) / sizeof(floods[0]); index++) {
        begin();
        request(1, false);
        flood(&floods[index], H2_FRAMES_MAX);
        assert_error(H2_NO_ERROR);
        flood(&floods[index], 1);
        assert_error(H2_ENHANCE_YOUR_CALM);
    }
}

static void walk_ends_floods_of_settings(void **state)
{
    static const struct flood one = {H2_SETTINGS, 0, 0, "\0\4\0\0\0\1", 6};

    (void)state;
    begin(); /* has one already */
    flood(&one, H2_FRAMES_MAX - 1);
    assert_error(H2_NO_ERROR);
    flood(&one, 1);
    assert_error(H2_ENHANCE_YOUR_CALM);
}

static void walk_takes_data_that_carries_something(void **state)
{
    static const struct flood one = {H2_DATA, H2_FLAG_PADDED, 1, "\1x\0", 3};

    (void)state;
    begin();
    request(1, false);
    flood(&one, 3 * H2_FRAMES_MAX);
    assert_error(H2_NO_ERROR);
}

static void walk_ends_rapid_resets(void **state)
{
    (void)state;
    begin();
    for (uint32_t index = 0; index < H2_RESETS_MAX; index++) {
        request(2 * index + 1, true);
        frame(H2_RST_STREAM, 0, 2 * index + 1, "\0\0\0\x08", 4);
    }
    assert_error(H2_NO_ERROR);
    request(2 * H2_RESETS_MAX + 1, true);
    frame(H2_RST_STREAM, 0, 2 * H2_RESETS_MAX + 1, "\0\0\0\x08", 4);
    assert_error(H2_ENHANCE_YOUR_CALM);
}

/* What we ask a server for it may reset, all of it; but it says nothing of priorities. */
static void walk_lets_servers_reset(void **state)
{
    struct h2_walk walk;
    uint32_t error = H2_NO_ERROR;
    size_t used;

    (void)state;
    h2_walk_init(&walk, 8192);
    h2_walk_answers(&walk);
    script.len = 0;
    frame(H2_SETTINGS, 0, 0, "", 0);
    for (uint32_t index = 0; index < 8 * H2_RESETS_MAX; index++)
        frame(H2_RST_STREAM, 0, 2 * index + 1, "\0\0\0\0", 4);
    frame(H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\1u=1", 7);
    h2_walk_tick(&walk, 1000);
    for (size_t at = 0; at < script.len; at += used) {
        px_str rest = px_str_make((const char *)script.bytes + at, script.len - at);

        used = 0;
        if (walk.left > 0) {
            used = walk.left;
            h2_walk_pass(&walk, walk.left);
        } else if (h2_walk_next(&walk, rest, &used, &error) != PX_OK && error != H2_NO_ERROR) {
            break;
        }
    }
    assert_int_equal(error, H2_PROTOCOL_ERROR);
    assert_int_equal(walk.frame.type, H2_PRIORITY_UPDATE);
}

static void walk_lets_browsers_cancel(void **state)
{
    (void)state;
    begin();
    for (uint32_t stream = 1; stream < 8 * H2_RESETS_MAX; stream += 4) {
        request(stream, true);
        request(stream + 2, true);
        frame(H2_RST_STREAM, 0, stream, "\0\0\0\x08", 4);
    }
    assert_error(H2_NO_ERROR);
}

static void walk_counts_resets_that_were_forced(void **state)
{
    struct h2_walk walk;

    (void)state;
    h2_walk_init(&walk, HEAD_BYTES);
    for (uint32_t index = 0; index < H2_RESETS_MAX; index++)
        h2_walk_count(&walk, H2_BUDGET_RESETS);
    assert_false(walk.resets_over);
    h2_walk_count(&walk, H2_BUDGET_RESETS);
    assert_true(walk.resets_over);
}

static void walk_limits_continuations(void **state)
{
    static const struct flood empty = {H2_CONTINUATION, 0, 1, "", 0};
    static const struct flood small = {H2_CONTINUATION, 0, 1, "x", 1};
    static char payload[H2_FRAME_BYTES_MAX];
    const struct flood large = {H2_CONTINUATION, 0, 1, payload, sizeof(payload)};

    (void)state;
    begin();
    frame(H2_HEADERS, 0, 1, "x", 1);
    flood(&empty, H2_EMPTY_CONTINUATIONS_MAX);
    assert_error(H2_NO_ERROR);
    flood(&empty, 1);
    assert_error(H2_ENHANCE_YOUR_CALM);
    begin();
    frame(H2_HEADERS, 0, 1, "x", 1);
    flood(&small, H2_CONTINUATIONS_MAX);
    assert_error(H2_NO_ERROR);
    flood(&small, 1);
    assert_error(H2_ENHANCE_YOUR_CALM);
    begin();
    frame(H2_HEADERS, 0, 1, "", 0);
    flood(&large, HEAD_BYTES / H2_FRAME_BYTES_MAX + 1);
    assert_error(H2_NO_ERROR);
    flood(&small, 1);
    assert_error(H2_ENHANCE_YOUR_CALM);
}

static void walk_holds_windows_against_what_was_sent(void **state)
{
    static const struct flood one = {H2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4};
    size_t used;
    uint32_t error;

    (void)state;
    begin();
    flood(&one, H2_FRAMES_MAX);
    assert_error(H2_NO_ERROR);
    flood(&one, 1);
    assert_error(H2_ENHANCE_YOUR_CALM);
    run_begin(&result);
    for (uint32_t index = 0; index < H2_FRAMES_MAX; index++)
        h2_walk_count(&result.walk, H2_BUDGET_SENT);
    assert_int_equal(
        walk_feed(&result.walk, 0, px_str_make(script.bytes, script.len), &used, &error), PX_OK);
}

static void walk_forgets_in_ten_seconds(void **state)
{
    static const struct flood one = {H2_PING, 0, 0, "12345678", 8};
    struct h2_walk walk;
    size_t used;
    uint32_t error;

    (void)state;
    h2_walk_init(&walk, HEAD_BYTES);
    begin();
    flood(&one, H2_FRAMES_MAX);
    px_str first = px_str_make(script.bytes, script.len);

    assert_int_equal(walk_feed(&walk, 1000, first, &used, &error), PX_OK);
    script.len = 0;
    flood(&one, 1);
    px_str more = px_str_make(script.bytes, script.len);
    struct h2_walk early = walk;

    /* Nine seconds and a bit later it is still one too many, eleven later it is not. */
    assert_int_equal(walk_feed(&early, 10999, more, &used, &error), PX_ERR_MALFORMED);
    assert_int_equal(error, H2_ENHANCE_YOUR_CALM);
    assert_int_equal(walk_feed(&walk, 12000, more, &used, &error), PX_OK);
    /* A clock that goes back starts no new time. */
    assert_int_equal(walk_feed(&walk, 1000, more, &used, &error), PX_OK);
    assert_int_equal(walk.sums[H2_BUDGET_PING], 2);
}

/* Each unfinished thing has a name; another one has another. */
static void walk_names_what_is_unfinished(void **state)
{
    static const char hello[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    static const char ping[] = "\0\0\10\6\0\0\0\0\0"
                               "12345678";
    static const char content[] = "\0\0\5\0\0\0\0\0\1"
                                  "hello";
    static const char block[] = "\0\0\1\1\0\0\0\0\1"
                                "\x82";
    struct h2_walk walk;
    uint32_t error, first, second;
    size_t used;

    (void)state;
    h2_walk_init(&walk, HEAD_BYTES);
    assert_int_equal(walk_feed(&walk, 1, px_str_make(hello, sizeof(hello) - 1), &used, &error),
                     PX_OK);
    assert_int_equal(h2_walk_unfinished(&walk), 0);

    /* One frame has one name from its first byte to its last but one. */
    assert_int_equal(walk_feed(&walk, 1, px_str_make(ping, 1), &used, &error), PX_OK);
    first = h2_walk_unfinished(&walk);
    assert_int_not_equal(first, 0);
    for (size_t at = 1; at < sizeof(ping) - 2; at++) {
        assert_int_equal(walk_feed(&walk, 1, px_str_make(ping + at, 1), &used, &error), PX_OK);
        assert_int_equal(h2_walk_unfinished(&walk), first);
    }
    assert_int_equal(walk_feed(&walk, 1, px_str_make(ping + sizeof(ping) - 2, 1), &used, &error),
                     PX_OK);
    assert_int_equal(h2_walk_unfinished(&walk), 0);
    assert_int_equal(walk_feed(&walk, 1, px_str_make(ping, 12), &used, &error), PX_OK);
    second = h2_walk_unfinished(&walk);
    assert_int_not_equal(second, 0);
    assert_int_not_equal(second, first);
    assert_int_equal(walk_feed(&walk, 1, px_str_make(ping + 12, sizeof(ping) - 13), &used, &error),
                     PX_OK);

    /* A block that goes on has its stream's; content has none. */
    assert_int_equal(walk_feed(&walk, 1, px_str_make(block, sizeof(block) - 1), &used, &error),
                     PX_OK);
    assert_int_equal(h2_walk_unfinished(&walk), 1);
    walk.block_stream = 0;
    assert_int_equal(walk_feed(&walk, 1, px_str_make(content, 11), &used, &error), PX_OK);
    assert_int_equal(h2_walk_unfinished(&walk), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walk_takes_a_good_connection),
        cmocka_unit_test(walk_wants_the_preface),
        cmocka_unit_test(walk_wants_settings_first),
        cmocka_unit_test(walk_hides_the_frame_at_fault),
        cmocka_unit_test(walk_limits_frames),
        cmocka_unit_test(walk_knows_what_was_passed_over),
        cmocka_unit_test(walk_knows_what_has_ended),
        cmocka_unit_test(walk_remembers_many_streams),
        cmocka_unit_test(walk_keeps_header_blocks_whole),
        cmocka_unit_test(walk_looks_at_priorities),
        cmocka_unit_test(walk_ends_floods),
        cmocka_unit_test(walk_ends_floods_of_settings),
        cmocka_unit_test(walk_takes_data_that_carries_something),
        cmocka_unit_test(walk_ends_rapid_resets),
        cmocka_unit_test(walk_lets_servers_reset),
        cmocka_unit_test(walk_lets_browsers_cancel),
        cmocka_unit_test(walk_counts_resets_that_were_forced),
        cmocka_unit_test(walk_limits_continuations),
        cmocka_unit_test(walk_holds_windows_against_what_was_sent),
        cmocka_unit_test(walk_forgets_in_ten_seconds),
        cmocka_unit_test(walk_names_what_is_unfinished),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
