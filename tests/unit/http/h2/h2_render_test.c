/*
 * What leaves, and when: the end of content needs no window, what is pulled ahead to see it is sent
 * later and once, and what could not be rendered is not told as sent.
 */
#include "http/h2/h2_engine.h"

#include <string.h>

#include "http/h2/h2_session.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"

enum { OUT_MAX = 128 * 1024, STREAMS = 8 };

static const struct http_limits limits = {
    .head_bytes_max = 8192, .target_bytes_max = 1000, .field_count_max = 20};

/* An answer: `bytes` of content in pulls that fill their room, then an end of its own, unless it
 * comes with the last of them; or a pause in front of what follows. */
struct answer {
    struct h2_stream stream;
    uint32_t bytes;
    uint32_t pulled;
    uint32_t pulls;
    uint32_t pause_at; /* LATER there, once; 0: never */
    bool ends_with_last;
    bool breaks; /* ERROR instead of an end */
    bool has_length;
    bool sent;
    bool closed;
    uint32_t error;
};

static struct answer answers[STREAMS];
static uint32_t begun;
static struct h2_session *session;
static struct h2_shared *shared;
static struct fault_alloc fault;
static px_field large[1];
static char out[OUT_MAX];
static size_t out_len;

static struct answer *answer_of(struct h2_stream *stream)
{
    return CONTAINER_OF(stream, struct answer, stream);
}

static struct h2_stream *on_begin(void *context)
{
    (void)context;
    return &answers[begun++].stream;
}

static void on_request(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    const struct answer *answer = answer_of(stream);
    const struct h2_response response = {.status = 200,
                                         .has_length = answer->has_length,
                                         .length = answer->bytes,
                                         .fields = large,
                                         .field_count = large[0].name.len > 0,
                                         .ends = large[0].name.len > 0};

    (void)head;
    (void)context;
    assert_int_equal(h2_session_respond(session, stream, &response), PX_OK);
}

static void on_content(struct h2_stream *stream, px_str bytes, void *context)
{
    (void)context;
    h2_session_give(session, stream, (uint32_t)bytes.len);
}

static void on_end(struct h2_stream *stream, const struct h2_head *trailers, void *context)
{
    (void)stream;
    (void)trailers;
    (void)context;
}

static char byte_at(uint32_t at)
{
    return (char)('a' + at % 26);
}

static px_pull on_pull(struct h2_stream *stream, char *to, size_t room, size_t *out_bytes,
                       void *context)
{
    struct answer *answer = answer_of(stream);

    (void)context;
    assert_true(room > 0);
    answer->pulls++;
    *out_bytes = 0;
    if (answer->pause_at > 0 && answer->pulled == answer->pause_at) {
        answer->pause_at = 0;
        return PX_PULL_LATER;
    }
    while (room > 0 && answer->pulled < answer->bytes &&
           (answer->pause_at == 0 || answer->pulled < answer->pause_at)) {
        *to++ = byte_at(answer->pulled++);
        room--;
        ++*out_bytes;
    }
    if (answer->pulled == answer->bytes && (*out_bytes == 0 || answer->ends_with_last))
        return answer->breaks ? PX_PULL_ERROR : PX_PULL_END;
    return PX_PULL_MORE;
}

static const px_field *on_trailers(struct h2_stream *stream, uint32_t *out_count, void *context)
{
    (void)stream;
    (void)context;
    *out_count = 0;
    return NULL;
}

static void on_sent(struct h2_stream *stream, void *context)
{
    (void)context;
    assert_false(answer_of(stream)->sent);
    answer_of(stream)->sent = true;
}

static void on_closed(struct h2_stream *stream, uint32_t error, void *context)
{
    (void)context;
    answer_of(stream)->closed = true;
    answer_of(stream)->error = error;
}

static void on_gave_way(void *context)
{
    (void)context;
}

static const struct h2_events events = {on_begin, on_request,  on_request, on_content,  on_end,
                                        on_pull,  on_trailers, on_sent,    on_gave_way, on_closed};

/* --- Talking ---------------------------------------------------------------------------------- */

static void render(void)
{
    out_len = 0;
    while (h2_session_has_output(session)) {
        size_t len = h2_session_render(session, out + out_len, 4096);

        assert_true(out_len + 4096 <= OUT_MAX);
        out_len += len;
        if (len == 0)
            break;
    }
    assert_false(h2_session_has_output(session));
}

static void say(const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;)
        at += h2_session_feed(session, 1000, px_str_make(bytes + at, len - at));
    render();
}

#define SAY(literal) say(literal, sizeof(literal) - 1)
#define GET(id)                                  \
    "\0\0\6\1\5\0\0\0" id "\x82\x84\x86\x01\x01" \
    "a"
#define WINDOW(id, bytes) "\0\0\4\x08\0\0\0\0" id "\0\0\0" bytes
/* SETTINGS_INITIAL_WINDOW_SIZE of ten. */
#define BEGINNING H2_PREFACE "\0\0\6\4\0\0\0\0\0\0\4\0\0\0\x0a"

/* What of a stream was said last: its content, and "." where it ended. */
static void content_is(uint32_t id, const char *wanted)
{
    static char text[OUT_MAX];
    size_t len = 0;

    for (size_t at = 0; at < out_len;) {
        const uint8_t *head = (const uint8_t *)out + at;
        size_t bytes = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];

        if (head[3] == H2_DATA && head[8] == id) {
            assert_true(bytes > 0 || (head[4] & H2_FLAG_END_STREAM));
            memcpy(text + len, head + H2_HEAD_BYTES, bytes);
            len += bytes;
            if (head[4] & H2_FLAG_END_STREAM)
                text[len++] = '.';
        }
        at += H2_HEAD_BYTES + bytes;
    }
    text[len] = '\0';
    assert_string_equal(text, wanted);
}

static int setup(void **state)
{
    const struct h2_options options = {&fault.allocator, &events, &limits, &scan_plain, 8, NULL};

    (void)state;
    memset(answers, 0, sizeof(answers));
    memset(large, 0, sizeof(large));
    begun = 0;
    fault_alloc_init(&fault);
    assert_int_equal(h2_shared_create(&options, &shared), PX_OK);
    assert_int_equal(h2_session_open(shared, NULL, &session), PX_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_session_close(session);
    h2_shared_destroy(shared);
    fault_alloc_assert_empty(&fault);
    return 0;
}

/* --- Tests ------------------------------------------------------------------------------------ */

/* RFC 9113 section 6.9: an empty DATA frame with END_STREAM needs no window. */
static void an_end_needs_no_window(void **state)
{
    (void)state;
    answers[0].bytes = 10;
    SAY(BEGINNING GET("\1"));
    content_is(1, "abcdefghij.");
    assert_true(answers[0].sent && answers[0].closed);
    assert_int_equal(answers[0].error, H2_NO_ERROR);
}

/* The same where the window of the connection is what is exhausted, by another stream. */
static void an_end_needs_no_window_of_the_connection(void **state)
{
    (void)state;
    answers[0].bytes = answers[0].pause_at = 4;
    answers[1].bytes = 200000;
    SAY(H2_PREFACE "\0\0\6\4\0\0\0\0\0\0\4\0\1\0\0" GET("\1"));
    content_is(1, "abcd");
    SAY(GET("\3"));
    assert_int_equal(answers[1].pulled, 65535 - 4 + 1);
    assert_false(answers[0].sent);
    assert_int_equal(h2_session_resume(session, &answers[0].stream), PX_OK);
    render();
    content_is(1, ".");
    assert_true(answers[0].sent && answers[0].closed);
    assert_false(answers[1].sent);
}

/* What is there behind a window is asked for one byte, which is sent once, when there is one. */
static void a_byte_that_is_pulled_ahead_is_sent_once(void **state)
{
    (void)state;
    answers[0].bytes = 24;
    SAY(BEGINNING GET("\1"));
    content_is(1, "abcdefghij");
    assert_int_equal(answers[0].pulled, 11);
    assert_int_equal(answers[0].pulls, 2);
    SAY(WINDOW("\1", "\1"));
    content_is(1, "k");
    assert_int_equal(answers[0].pulled, 12);
    SAY(WINDOW("\1", "\5"));
    content_is(1, "lmnop");
    SAY(WINDOW("\1", "\x08"));
    content_is(1, "qrstuvwx.");
    assert_true(answers[0].closed);
}

/* Where the byte ahead is the last, its end goes with it and is not asked for again. */
static void the_last_byte_may_be_ahead(void **state)
{
    (void)state;
    answers[0].bytes = 11;
    answers[0].ends_with_last = true;
    SAY(BEGINNING GET("\1"));
    content_is(1, "abcdefghij");
    assert_int_equal(answers[0].pulls, 2);
    assert_false(answers[0].sent);
    SAY(WINDOW("\1", "\1"));
    content_is(1, "k.");
    assert_int_equal(answers[0].pulls, 2);
    assert_true(answers[0].closed);
}

static void a_pause_behind_a_window_is_looked_at_again(void **state)
{
    (void)state;
    answers[0].bytes = answers[0].pause_at = 10;
    SAY(BEGINNING GET("\1"));
    content_is(1, "abcdefghij");
    assert_int_equal(h2_session_resume(session, &answers[0].stream), PX_OK);
    render();
    content_is(1, ".");
    assert_true(answers[0].closed);
    /* The byte ahead may be all that there is for now. */
    answers[1].bytes = 12;
    answers[1].pause_at = 11;
    SAY(GET("\3"));
    content_is(3, "abcdefghij");
    SAY(WINDOW("\3", "\5"));
    content_is(3, "k");
    assert_int_equal(h2_session_resume(session, &answers[1].stream), PX_OK);
    render();
    content_is(3, "l.");
}

/* A peer that opens no window at all makes nobody work ahead, nor does one that knows the length.
 */
static void nothing_is_pulled_ahead_without_need(void **state)
{
    (void)state;
    answers[0].bytes = 10;
    SAY(H2_PREFACE "\0\0\6\4\0\0\0\0\0\0\4\0\0\0\0" GET("\1"));
    assert_int_equal(answers[0].pulls, 0);
    SAY(WINDOW("\1", "\x0a"));
    content_is(1, "abcdefghij.");
    answers[1].bytes = 11;
    answers[1].has_length = true;
    SAY(GET("\3"));
    SAY(WINDOW("\3", "\x0a"));
    content_is(3, "abcdefghij");
    assert_int_equal(answers[1].pulls, 1);
    SAY(WINDOW("\3", "\1"));
    content_is(3, "k.");
}

static void an_error_ahead_resets(void **state)
{
    (void)state;
    answers[0].bytes = 10;
    answers[0].breaks = true;
    SAY(BEGINNING GET("\1"));
    content_is(1, "abcdefghij");
    assert_true(answers[0].closed);
    assert_int_equal(answers[0].error, H2_INTERNAL_ERROR);
}

/* A head that is larger than a frame goes with the control frames: without memory nothing was sent,
 * whatever its content would be. */
static void a_head_that_is_not_rendered_is_not_sent(void **state)
{
    static char value[20000];

    (void)state;
    memset(value, 'v', sizeof(value));
    SAY(BEGINNING GET("\1"));
    assert_true(answers[0].sent);
    large[0] = (px_field){LITERAL("x"), px_str_make(value, sizeof(value))};
    fault.fail_on = true;
    fault.fail_at = fault.calls + 1;
    SAY(GET("\3"));
    assert_int_equal(begun, 2);
    assert_true(fault.failures > 0);
    assert_true(h2_session_has_failed(session));
    assert_false(answers[1].sent);
    fault.fail_at = 0;
}

/* RFC 7540 section 5.3.1, in both frames that can say it. */
static void a_stream_does_not_depend_on_itself(void **state)
{
    static const struct {
        const char *frame;
        size_t len;
        bool over;
    } rows[] = {
        {"\0\0\5\2\0\0\0\0\3\0\0\0\3\x10", 14, true},
        {"\0\0\5\2\0\0\0\0\3\x80\0\0\3\x10", 14, true},
        {"\0\0\5\2\0\0\0\0\3\0\0\0\1\x10", 14, false},
        {"\0\0\x0b\1\x25\0\0\0\3\0\0\0\3\x10\x82\x84\x86\x01\x01"
         "a",
         20, true},
        {"\0\0\x0b\1\x25\0\0\0\3\0\0\0\1\x10\x82\x84\x86\x01\x01"
         "a",
         20, false},
    };

    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        SAY(BEGINNING);
        say(rows[row].frame, rows[row].len);
        assert_int_equal(h2_session_is_over(session), rows[row].over);
        if (rows[row].over)
            assert_int_equal(out[out_len - 1], H2_PROTOCOL_ERROR);
        teardown(state);
        setup(state);
    }
    assert_int_equal(ARRAY_COUNT(rows), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_end_needs_no_window, setup, teardown),
        cmocka_unit_test_setup_teardown(an_end_needs_no_window_of_the_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(a_byte_that_is_pulled_ahead_is_sent_once, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_byte_may_be_ahead, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pause_behind_a_window_is_looked_at_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(nothing_is_pulled_ahead_without_need, setup, teardown),
        cmocka_unit_test_setup_teardown(an_error_ahead_resets, setup, teardown),
        cmocka_unit_test_setup_teardown(a_head_that_is_not_rendered_is_not_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_does_not_depend_on_itself, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
