/*
 * Where frames of a WebSocket end: at every split, with and without a stop.
 */
#include "proxy/frames.h"

#include <string.h>

#include "base/check.h"
#include "lib/test.h"

/* A masked text, an empty ping, a text of 126 bytes by a length of 16 bits, a Close. */
static size_t stream_make(char *out, size_t ends[4])
{
    char *at = out;

    memcpy(at, "\x81\x83mask123", 9);
    at += 9;
    ends[0] = (size_t)(at - out);
    memcpy(at, "\x89\x00", 2);
    at += 2;
    ends[1] = (size_t)(at - out);
    memcpy(at, "\x82\x7e\x00\x7e", 4);
    memset(at + 4, 'x', 126);
    at += 130;
    ends[2] = (size_t)(at - out);
    memcpy(at, "\x88\x02\x03\xe8", 4);
    at += 4;
    ends[3] = (size_t)(at - out);
    return (size_t)(at - out);
}

static void ends_are_found_at_every_split(void **state)
{
    char bytes[256];
    size_t ends[4], len = stream_make(bytes, ends);

    (void)state;
    for (size_t split = 0; split <= len; split++) {
        struct frames frames = {0};

        assert_int_equal(frames_follow(&frames, px_str_make(bytes, split), false), split);
        bool at_end = split == 0;

        for (size_t index = 0; index < ARRAY_COUNT(ends); index++)
            at_end = at_end || split == ends[index];
        assert_int_equal(frames_are_between(&frames), at_end);
        assert_int_equal(frames.closed, split >= ends[2] + 2);
        assert_int_equal(frames_follow(&frames, px_str_make(bytes + split, len - split), false),
                         len - split);
        assert_true(frames_are_between(&frames) && frames.closed);
    }
}

static void a_stop_is_at_the_next_end(void **state)
{
    char bytes[256];
    size_t ends[4], len = stream_make(bytes, ends);

    (void)state;
    for (size_t split = 0; split <= len; split++) {
        struct frames frames = {0};
        size_t next = 0;

        while (next < ARRAY_COUNT(ends) && split > 0 && ends[next] < split)
            next++;
        size_t end = split == 0 ? 0 : ends[next];

        assert_int_equal(frames_follow(&frames, px_str_make(bytes, split), false), split);
        assert_int_equal(frames_follow(&frames, px_str_make(bytes + split, len - split), true),
                         end - split);
        assert_true(frames_are_between(&frames));
    }
}

static void what_is_no_frame_has_no_ends(void **state)
{
    struct frames frames = {0};
    px_str bytes = LITERAL("\x81\x7e\x00\x01x and more"); /* a length that is not minimal */

    (void)state;
    assert_int_equal(frames_follow(&frames, bytes, false), bytes.len);
    assert_true(frames.lost && !frames_are_between(&frames));
    assert_int_equal(frames_follow(&frames, bytes, true), bytes.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_found_at_every_split),
        cmocka_unit_test(a_stop_is_at_the_next_end),
        cmocka_unit_test(what_is_no_frame_has_no_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
