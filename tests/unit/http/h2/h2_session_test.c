/*
 * A session, bytes in and bytes out: what it offers, how it says good-bye, what it costs, and that
 * it lives through each allocation that fails, ours and the library's.
 */
#include "http/h2/h2_session.h"

#include <stdlib.h>
#include <string.h>

#include "http/h2/h2_server.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"

enum { OUT_MAX = 256 * 1024, BLOCK_TEXT_BYTES = 2048 };

/* What a session cost when this was written, with some room; docs/HTTP.md says it too. */
enum { IDLE_BYTES_MAX = 2 * 1024, STREAM_BYTES_MAX = 256 };

static const struct http_limits limits = {
    .head_bytes_max = 8192, .target_bytes_max = 1000, .field_count_max = 20};

/* The owner of a session: answers every request with as much content as its path has bytes. */
struct site {
    struct h2_session *session;
    struct h2_stream streams[256];
    uint32_t begun;
    uint32_t closed;
    uint32_t refused;
    uint32_t answered;
    uint32_t last_error;
    bool silent; /* does not answer */
    bool keeps;  /* content, and gives no window for it */
    bool
        informs; /* streams have trailers, and the first of them tells the second something first */
    bool exact;  /* a request has its three fields */
    size_t out_len;
    char out[OUT_MAX];
};

static struct site site;

static struct h2_stream *on_begin(void *context)
{
    struct site *owner = context;

    return &owner->streams[owner->begun++];
}

static void answer(struct h2_stream *stream, unsigned status)
{
    const struct h2_response response = {
        .status = (uint16_t)status, .has_length = true, .length = 5, .type = LITERAL("text/plain")};

    if (!site.silent && h2_session_respond(site.session, stream, &response) != PX_OK)
        h2_session_reset(site.session, stream, H2_INTERNAL_ERROR);
}

static void on_request(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    struct site *owner = context;

    if (owner->exact)
        assert_int_equal(head->field_count, 3);
    if (!owner->informs || (stream - owner->streams) % 2 == 0)
        answer(stream, 200);
}

static void on_refuse(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    struct site *owner = context;

    owner->refused++;
    answer(stream, head->status);
}

static void on_content(struct h2_stream *stream, px_str bytes, void *context)
{
    const struct site *owner = context;

    if (!owner->keeps)
        h2_session_give(site.session, stream, (uint32_t)bytes.len);
}

static void on_end(struct h2_stream *stream, const struct h2_head *trailers, void *context)
{
    (void)stream;
    (void)trailers;
    (void)context;
}

static px_pull on_pull(struct h2_stream *stream, char *out, size_t room, size_t *out_bytes,
                       void *context)
{
    const px_field link = {LITERAL("link"), LITERAL("</style.css>; rel=preload")};
    struct site *owner = context;

    assert_true(room >= 5);
    if (owner->informs)
        h2_session_inform(owner->session, stream + 1, 103, &link, 1);
    memcpy(out, "hello", 5);
    *out_bytes = 5;
    return PX_PULL_END;
}

static const px_field *on_trailers(struct h2_stream *stream, uint32_t *out_count, void *context)
{
    static px_field sum;
    struct site *owner = context;

    (void)stream;
    sum = (px_field){LITERAL("x-sum"), LITERAL("0123456789abcdef")};
    *out_count = owner->informs;
    return owner->informs ? &sum : NULL;
}

static void on_sent(struct h2_stream *stream, void *context)
{
    struct site *owner = context;

    (void)stream;
    owner->answered++;
}

static void on_closed(struct h2_stream *stream, uint32_t error, void *context)
{
    struct site *owner = context;

    (void)stream;
    owner->closed++;
    owner->last_error = error;
}

static void on_gave_way(void *context)
{
    (void)context;
}

static const struct h2_events events = {on_begin, on_request,  on_refuse, on_content,  on_end,
                                        on_pull,  on_trailers, on_sent,   on_gave_way, on_closed};

/* --- Talking ---------------------------------------------------------------------------------- */

static void render(void)
{
    while (h2_session_has_output(site.session) && site.out_len + 4096 <= OUT_MAX) {
        size_t len = h2_session_render(site.session, site.out + site.out_len, 4096);

        if (len == 0)
            break;
        site.out_len += len;
    }
}

static void say(const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;)
        at += h2_session_feed(site.session, 1000, px_str_make(bytes + at, len - at));
    render();
}

#define SAY(literal) say(literal, sizeof(literal) - 1)

/* GET / of http://a, by indices of the static table and one literal. */
#define GET_BLOCK          \
    "\x82\x84\x86\x01\x01" \
    "a"
#define GET(id) "\0\0\6\1\5\0\0\0" id GET_BLOCK
#define OPEN(id)                                 \
    "\0\0\6\1\4\0\0\0" id "\x83\x84\x86\x01\x01" \
    "a"
#define BEGINNING H2_PREFACE "\0\0\0\4\0\0\0\0\0"

/* How many frames of that type were said, and where the last one is. */
static uint32_t frames_of(uint8_t type, const char **out_last)
{
    uint32_t count = 0;

    for (size_t at = 0; at + H2_HEAD_BYTES <= site.out_len;) {
        const uint8_t *head = (const uint8_t *)site.out + at;

        if (head[3] == type) {
            count++;
            *out_last = site.out + at;
        }
        at += H2_HEAD_BYTES + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
    }
    return count;
}

static uint32_t number_at(const char *at)
{
    const uint8_t *bytes = (const uint8_t *)at;

    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static struct h2_shared *shared;

static int setup(void **state)
{
    const struct h2_options options = {&alloc_libc, &events, &limits, &scan_plain, 8, NULL};

    (void)state;
    memset(&site, 0, sizeof(site));
    assert_int_equal(h2_shared_create(&options, &shared), PX_OK);
    assert_int_equal(h2_session_open(shared, &site, &site.session), PX_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_session_close(site.session);
    h2_shared_destroy(shared);
    return 0;
}

/* --- Tests ------------------------------------------------------------------------------------ */

static void session_offers_what_is_documented(void **state)
{
    static const struct {
        uint16_t id;
        uint32_t value;
    } offered[] = {{3, H2_STREAMS_MAX}, {4, H2_STREAM_WINDOW}, {6, 8192}, {8, 1}, {9, 1}};
    const char *frame;

    (void)state;
    render();
    assert_int_equal(frames_of(H2_SETTINGS, &frame), 1);
    assert_ptr_equal(frame, site.out); /* RFC 9113 section 3.4: first of all */
    assert_int_equal(frame[2], 6 * (int)(sizeof(offered) / sizeof(offered[0])));
    for (size_t index = 0; index < sizeof(offered) / sizeof(offered[0]); index++) {
        const char *at = frame + H2_HEAD_BYTES + 6 * index;

        assert_int_equal(at[1], offered[index].id);
        assert_int_equal(number_at(at + 2), offered[index].value);
    }
}

static void session_answers(void **state)
{
    const char *frame;

    (void)state;
    SAY(BEGINNING GET("\1") GET("\3"));
    assert_int_equal(site.answered, 2);
    assert_int_equal(site.closed, 2);
    assert_int_equal(site.last_error, H2_NO_ERROR);
    assert_int_equal(frames_of(H2_DATA, &frame), 2);
    assert_memory_equal(frame + H2_HEAD_BYTES, "hello", 5);
    assert_int_equal(frame[4], H2_FLAG_END_STREAM);
}

/* DATA of 16 KiB on a stream. */
static void say_data(uint32_t id)
{
    static char frame[H2_HEAD_BYTES + H2_FRAME_BYTES_MAX];
    static const char head[H2_HEAD_BYTES] = {0, 0x40, 0, H2_DATA};

    memcpy(frame, head, sizeof(head));
    frame[8] = (char)id;
    say(frame, sizeof(frame));
}

/* While what some streams have sent is kept, others may have no window either: since when they have
 * one is known, and that others had their turn is not counted. */
static void a_session_knows_when_it_is_open(void **state)
{
    uint32_t since_ms = 1;

    (void)state;
    site.silent = site.keeps = true;
    SAY(BEGINNING OPEN("\1") OPEN("\3") OPEN("\5") OPEN("\7"));
    h2_session_note_reading(site.session, true, 500);
    assert_true(h2_session_is_open(site.session, &since_ms));
    assert_int_equal(since_ms, 0);
    assert_int_equal(h2_session_unread(site.session), 0);
    h2_session_note_reading(site.session, false, 1000);
    assert_false(h2_session_is_open(site.session, &since_ms));
    h2_session_note_reading(site.session, true, 1050);
    assert_true(h2_session_is_open(site.session, &since_ms));
    assert_int_equal(since_ms, 0);
    for (uint32_t index = 0; index < H2_CONN_WINDOW / H2_FRAME_BYTES_MAX; index++) {
        say_data(1 + 2 * (index % 4));
        h2_session_note_reading(site.session, true, 2000 + index);
        assert_int_equal(h2_session_unread(site.session), (index + 1) * H2_FRAME_BYTES_MAX);
    }
    assert_false(h2_session_is_open(site.session, &since_ms));
    h2_session_give(site.session, &site.streams[0], H2_STREAM_WINDOW);
    h2_session_give(site.session, &site.streams[1], H2_STREAM_WINDOW);
    h2_session_note_reading(site.session, true, 9000);
    assert_true(h2_session_is_open(site.session, &since_ms));
    assert_int_equal(since_ms, 9000);
}

static void session_refuses_streams_above_its_limit(void **state)
{
    const char *frame;
    char text[] = OPEN("\1");

    (void)state;
    site.silent = true;
    SAY(BEGINNING);
    for (int index = 0; index <= H2_STREAMS_MAX; index++) {
        text[8] = (char)(2 * index + 1);
        say(text, sizeof(text) - 1);
    }
    assert_int_equal(site.begun, H2_STREAMS_MAX);
    assert_int_equal(frames_of(H2_RST_STREAM, &frame), 1);
    assert_int_equal(number_at(frame + H2_HEAD_BYTES), H2_REFUSED_STREAM);
    assert_false(h2_session_is_over(site.session));
}

static void session_says_good_bye_in_two_steps(void **state)
{
    const char *frame;
    char ack[] = "\0\0\x08\6\1\0\0\0\0"
                 "12345678";

    (void)state;
    SAY(BEGINNING GET("\1"));
    h2_session_drain(site.session);
    render();
    assert_int_equal(frames_of(H2_GOAWAY, &frame), 1);
    assert_int_equal(number_at(frame + H2_HEAD_BYTES), 0x7fffffff);
    assert_int_equal(frames_of(H2_PING, &frame), 1);
    assert_false(h2_session_is_over(site.session));
    /* What was on its way is served. */
    SAY(GET("\3"));
    assert_int_equal(site.answered, 2);
    memcpy(ack + H2_HEAD_BYTES, frame + H2_HEAD_BYTES, 8);
    say(ack, sizeof(ack) - 1);
    assert_int_equal(frames_of(H2_GOAWAY, &frame), 2);
    assert_int_equal(number_at(frame + H2_HEAD_BYTES), 3);
    assert_int_equal(number_at(frame + H2_HEAD_BYTES + 4), H2_NO_ERROR);
    assert_true(h2_session_is_over(site.session));
    assert_false(h2_session_has_output(site.session));
}

static void session_gives_windows_when_content_was_read(void **state)
{
    static char data[H2_HEAD_BYTES + H2_FRAME_BYTES_MAX] = "\0\x40\0\0\0\0\0\0\1";
    const char *frame;
    uint32_t before;

    (void)state;
    site.silent = true;
    SAY(BEGINNING OPEN("\1"));
    before = frames_of(H2_WINDOW_UPDATE, &frame);
    for (int index = 0; index < 2 * H2_STREAM_WINDOW / H2_FRAME_BYTES_MAX; index++)
        say(data, sizeof(data));
    assert_false(h2_session_is_over(site.session));
    assert_true(frames_of(H2_WINDOW_UPDATE, &frame) >= before + 3);
}

static void session_ends_with_the_code(void **state)
{
    const char *frame;

    (void)state;
    SAY(BEGINNING GET("\5") GET("\3"));
    assert_int_equal(frames_of(H2_GOAWAY, &frame), 1);
    assert_int_equal(number_at(frame + H2_HEAD_BYTES), 5);
    assert_int_equal(number_at(frame + H2_HEAD_BYTES + 4), H2_PROTOCOL_ERROR);
    assert_true(h2_session_is_over(site.session));
    SAY(GET("\7"));
    assert_int_equal(site.begun, 1);
}

/* Payloads that end a connection, and how many of them it takes. */
static void session_looks_at_payloads(void **state)
{
    static const struct {
        const char *frame;
        size_t len;
        uint32_t count;
        uint32_t error;
    } rows[] = {
        {"\0\0\7\x10\0\0\0\0\0\0\0\0\0u=1", 16, 1, H2_PROTOCOL_ERROR},
        {"\0\0\7\x10\0\0\0\0\0\0\0\0\2u=1", 16, 1, H2_PROTOCOL_ERROR},
        {"\0\0\1\0\x08\0\0\0\1\0", 10, H2_FRAMES_MAX + 1, H2_ENHANCE_YOUR_CALM},
        {"\0\0\4\0\x08\0\0\0\1\3\0\0\0", 13, H2_FRAMES_MAX + 1, H2_ENHANCE_YOUR_CALM},
        {"\0\0\1\0\x08\0\0\0\1\1", 10, 1, H2_PROTOCOL_ERROR},
        {"\0\0\4\x08\0\0\0\0\0\0\0\0\0", 13, 1, H2_PROTOCOL_ERROR},
        {"\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff", 13, 1, H2_FLOW_CONTROL_ERROR},
        {"\0\0\1\1\5\0\0\0\3\x80", 10, 1, H2_COMPRESSION_ERROR},
        {"\0\0\2\1\5\0\0\0\3\x40\1", 11, 1, H2_COMPRESSION_ERROR},
        {"\0\0\6\4\0\0\0\0\0\0\4\x80\0\0\0", 15, 1, H2_FLOW_CONTROL_ERROR},
    };
    const char *frame = site.out;

    site.silent = true;
    for (size_t row = 0; row < ARRAY_COUNT(rows); row++) {
        SAY(BEGINNING OPEN("\1"));
        for (uint32_t index = 1; index < rows[row].count; index++)
            say(rows[row].frame, rows[row].len);
        assert_int_equal(frames_of(H2_GOAWAY, &frame), 0);
        say(rows[row].frame, rows[row].len);
        assert_int_equal(frames_of(H2_GOAWAY, &frame), 1);
        assert_int_equal(number_at(frame + H2_HEAD_BYTES + 4), rows[row].error);
        h2_session_check(site.session, site.begun - site.closed);
        teardown(state);
        setup(state);
        site.silent = true;
    }
    assert_int_equal(ARRAY_COUNT(rows), 10);
}

/* What a block says, as "name: value, ". */
static bool block_note(void *context, px_str name, px_str value, uint16_t *note)
{
    char *text = context;

    (void)note;
    size_t len = strlen(text);

    snprintf(text + len, BLOCK_TEXT_BYTES - len, "%.*s: %.*s, ", (int)name.len, name.ptr,
             (int)value.len, value.ptr);
    return true;
}

/* A field that repeats is put into the peer's table by the block that was encoded first: so the
 * peer must read that one first. */
static void session_sends_blocks_as_it_encodes_them(void **state)
{
    struct hpack_decoder decoder;
    struct hpack_scratch scratch = {.room = hpack_scratch_bytes(8192)};
    struct h2_spares spares;
    struct h2_memory memory;
    char text[BLOCK_TEXT_BYTES] = "";
    uint32_t blocks = 0;

    (void)state;
    scratch.ptr = malloc(scratch.room);
    h2_spares_init(&spares, &alloc_libc, NULL);
    h2_memory_init(&memory, &spares, 65536);
    hpack_decoder_init(&decoder, &memory, &scratch, 8192);
    SAY(BEGINNING);
    site.informs = true;
    for (char turn = 0; turn < 4; turn++) {
        char pair[] = GET("\1") GET("\3");

        pair[8] = (char)(4 * turn + 1);
        pair[sizeof(GET("\1")) - 1 + 8] = (char)(4 * turn + 3);
        say(pair, sizeof(pair) - 1);
    }
    for (size_t at = 0; at + H2_HEAD_BYTES <= site.out_len;) {
        const uint8_t *head = (const uint8_t *)site.out + at;
        size_t bytes = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2], used;

        at += H2_HEAD_BYTES;
        if (head[3] == H2_HEADERS) {
            blocks++;
            text[0] = '\0';
            hpack_decode_begin(&decoder);
            assert_int_equal(
                hpack_decode(&decoder, px_str_make(site.out + at, bytes), block_note, text, &used),
                PX_OK);
            assert_int_equal(used, bytes);
            if (strncmp(text, ":status: 200, ", 14) == 0)
                assert_non_null(strstr(text, "content-length: 5, "));
            else if (strncmp(text, ":status: 103, ", 14) == 0)
                assert_string_equal(text, ":status: 103, link: </style.css>; rel=preload, ");
            else
                assert_string_equal(text, "x-sum: 0123456789abcdef, ");
        }
        at += bytes;
    }
    assert_int_equal(blocks, 4 * 3);
    hpack_decoder_deinit(&decoder);
    h2_memory_deinit(&memory);
    h2_spares_deinit(&spares);
    free(scratch.ptr);
}

/* Thousands of windows in a frame cost what the frame has bytes, not streams times that. */
static void session_moves_windows_once_a_frame(void **state)
{
    static char settings[H2_HEAD_BYTES + 6 * 2730];
    char text[] = OPEN("\1");

    (void)state;
    site.silent = true;
    SAY(BEGINNING);
    for (int index = 0; index < H2_STREAMS_MAX; index++) {
        text[8] = (char)(2 * index + 1);
        say(text, sizeof(text) - 1);
    }
    settings[0] = 0;
    settings[1] = (char)((sizeof(settings) - H2_HEAD_BYTES) >> 8);
    settings[2] = (char)(sizeof(settings) - H2_HEAD_BYTES);
    settings[3] = H2_SETTINGS;
    for (int index = 0; index < 2730; index++) {
        settings[H2_HEAD_BYTES + 6 * index + 1] = 4;
        settings[H2_HEAD_BYTES + 6 * index + 4] = (char)(index & 127);
    }
    (void)h2_session_take_work(site.session);
    say(settings, sizeof(settings));
    assert_in_range(h2_session_take_work(site.session), 16, 20);
    assert_int_equal(site.session->engine.stream_window, (2729 & 127) << 8);
    for (int index = 0; index < H2_STREAMS_MAX; index++)
        assert_int_equal(site.streams[index].send_window, (2729 & 127) << 8);
}

/* What docs/HTTP.md promises of memory. */
static void session_costs_what_is_documented(void **state)
{
    char text[] = OPEN("\1");
    size_t idle, open;

    (void)state;
    site.silent = true;
    SAY(BEGINNING);
    idle = sizeof(struct h2_session) + site.session->engine.memory.bytes;
    for (int index = 0; index < H2_STREAMS_MAX; index++) {
        text[8] = (char)(2 * index + 1);
        say(text, sizeof(text) - 1);
    }
    open = site.session->engine.memory.bytes + sizeof(struct h2_session) - idle +
           H2_STREAMS_MAX * sizeof(struct h2_stream);
    print_message("an idle session has %zu bytes, an open stream %zu\n", idle,
                  open / H2_STREAMS_MAX);
    assert_in_range(idle, 1, IDLE_BYTES_MAX);
    assert_in_range(open / H2_STREAMS_MAX, 1, STREAM_BYTES_MAX);
    assert_null(site.session->head);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void talk(const px_allocator *allocator, void *context)
{
    const struct h2_options options = {allocator, &events, &limits, &scan_plain, 2, NULL};
    struct h2_shared *own;

    (void)context;
    memset(&site, 0, sizeof(site));
    if (h2_shared_create(&options, &own) != PX_OK)
        return;
    if (h2_session_open(own, &site, &site.session) == PX_OK) {
        SAY(BEGINNING GET("\1") OPEN("\3") "\0\0\2\0\0\0\0\0\3hi");
        SAY(GET("\5") "\0\0\7\x10\0\0\0\0\0\0\0\0\5u=1"
                      "\0\0\0\0\1\0\0\0\3");
        h2_session_drain(site.session);
        render();
        SAY("\0\0\4\3\0\0\0\0\3\0\0\0\x08" GET("\7") GET("\3"));
        assert_true(site.closed <= site.begun);
        h2_session_close(site.session);
    }
    h2_shared_destroy(own);
}

/* Three fields of 140 bytes that are to be indexed: the table grows with the last of them, at the
 * end of the block, which comes whole or in pieces that end within fields. */
static void ask(const px_allocator *allocator, void *context)
{
    const struct h2_options options = {allocator, &events, &limits, &scan_plain, 2, NULL};
    char head[H2_HEAD_BYTES + 5 + 2 + 3 * (5 + 140)] = "\0\0\0\1\5\0\0\0\1\x82\x84\x86\x01\x01"
                                                       "a";
    size_t at = H2_HEAD_BYTES + 6, len = sizeof(head);
    struct h2_shared *own;

    const size_t *piece = context;

    memset(&site, 0, sizeof(site));
    site.exact = true;
    for (int field = 0; field < 3; field++) {
        memcpy(head + at, "\x40\1x\x7f\x0d", 5);
        memset(head + at + 5, 'a' + field, 140);
        at += 5 + 140;
    }
    len = at;
    head[1] = (char)((len - H2_HEAD_BYTES) >> 8);
    head[2] = (char)(len - H2_HEAD_BYTES);
    if (h2_shared_create(&options, &own) != PX_OK)
        return;
    if (h2_session_open(own, &site, &site.session) == PX_OK) {
        SAY(BEGINNING);
        for (size_t part = 0; part < len; part += *piece)
            say(head + part, len - part < *piece ? len - part : *piece);
        h2_session_close(site.session);
    }
    h2_shared_destroy(own);
}

/* A request that lacks a field is another request: If-Match, for one. */
static void session_tells_no_part_of_a_head(void **state)
{
    size_t pieces[] = {1000, 100};

    (void)state;
    for (int index = 0; index < 2; index++) {
        assert_true(fault_alloc_each("h2_ask", ask, &pieces[index]) >= 6);
        assert_int_equal(site.answered, 1); /* the last round lacks nothing */
    }
}

static void session_lives_without_memory(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("h2_session", talk, NULL) >= 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(session_offers_what_is_documented, setup, teardown),
        cmocka_unit_test_setup_teardown(session_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_knows_when_it_is_open, setup, teardown),
        cmocka_unit_test_setup_teardown(session_refuses_streams_above_its_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(session_says_good_bye_in_two_steps, setup, teardown),
        cmocka_unit_test_setup_teardown(session_gives_windows_when_content_was_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(session_ends_with_the_code, setup, teardown),
        cmocka_unit_test_setup_teardown(session_looks_at_payloads, setup, teardown),
        cmocka_unit_test_setup_teardown(session_costs_what_is_documented, setup, teardown),
        cmocka_unit_test_setup_teardown(session_sends_blocks_as_it_encodes_them, setup, teardown),
        cmocka_unit_test_setup_teardown(session_moves_windows_once_a_frame, setup, teardown),
        cmocka_unit_test(session_tells_no_part_of_a_head),
        cmocka_unit_test(session_lives_without_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
