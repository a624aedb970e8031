/*
 * Content of answers: producers, pieces and files against their declared length; room; the brake.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/exchange/double.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const px_str no_type = {NULL, 0};

/* A producer that follows a script: digits write so many bytes, others are answers. */
struct script {
    const char *steps; /* '1'-'9': MORE with that many; 'L'ATER; 'E'ND; 'X': ERROR; 'M'ORE with
                          nothing; 'e': END with 2 bytes; 'O': claims more than there is room */
    uint64_t length;
    uint32_t pulls;
    uint32_t released;
    uint32_t written;
};

static void script_write(struct script *script, char *out, size_t room, size_t count,
                         size_t *out_bytes)
{
    assert_true(count <= room);
    for (size_t at = 0; at < count; at++)
        out[at] = (char)('a' + script->written++ % 26);
    *out_bytes = count;
}

static px_pull script_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                           void *context)
{
    struct script *script = context;
    char step = *script->steps;

    script->pulls++;
    assert_int_equal(script->released, 0);
    if (step)
        script->steps++;
    switch (step) {
    case 'L':
        return PX_PULL_LATER;
    case 'R': /* what it waits for comes before it has returned */
        px_resume(exchange);
        return PX_PULL_LATER;
    case 'X':
        return PX_PULL_ERROR;
    case 'M':
        return PX_PULL_MORE;
    case 'e':
        script_write(script, out, room, 2, out_bytes);
        return PX_PULL_END;
    case 'O':
        *out_bytes = room + 1;
        return PX_PULL_MORE;
    case 'E':
    case '\0':
        return PX_PULL_END;
    default:
        script_write(script, out, room, (size_t)(step - '0'), out_bytes);
        return PX_PULL_MORE;
    }
}

static void script_release(void *context)
{
    ((struct script *)context)->released++;
}

static void produce(px_exchange *exchange, void *context)
{
    struct script *script = context;
    const px_producer producer = {sizeof(px_producer), script_pull, script_release, script};

    px_respond_producer(exchange, 200, no_type, script->length, &producer);
}

static void producers_are_held_against_their_length(void **state)
{
    static const struct {
        const char *steps;
        uint64_t length;
        const char *content; /* NULL: broken */
    } cases[] = {
        {"3E", PX_LENGTH_UNKNOWN, "abc"},
        {"E", PX_LENGTH_UNKNOWN, ""},
        {"e", PX_LENGTH_UNKNOWN, "ab"},
        {"12e", PX_LENGTH_UNKNOWN, "abcde"},
        {"3E", 3, "abc"},
        {"1e", 3, "abc"},
        {"E", 0, ""},
        {"3E", 2, NULL}, /* too long */
        {"e", 1, NULL},
        {"2", 1, NULL},
        {"3E", 4, NULL}, /* too short */
        {"E", 1, NULL},
        {"e", 3, NULL},
        {"2X", PX_LENGTH_UNKNOWN, NULL},
        {"X", 0, NULL},
        {"2M", PX_LENGTH_UNKNOWN, NULL}, /* MORE with nothing */
        {"O", PX_LENGTH_UNKNOWN, NULL},  /* claims more than there was room for */
    };
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct script script = {.steps = cases[index].steps, .length = cases[index].length};

        assert_true(call_begin(&call, &stage, get, produce, &script));
        call_drive(&call);
        if (call.done != (cases[index].content != NULL))
            fail_msg("case %zu ends as %d", index, call.done);
        if (cases[index].content)
            assert_str_equal(call_content(&call), px_str_of(cases[index].content));
        assert_int_equal(call.length, cases[index].length);
        call_finish(&call);
        assert_int_equal(call.end, cases[index].content ? PX_END_COMPLETE : PX_END_ABORTED);
        assert_int_equal(script.released, 1);
    }
    stage_close(&stage);
}

static void later_waits_for_resume(void **state)
{
    struct stage stage;
    struct call call;
    struct script script = {.steps = "2L3LLE", .length = PX_LENGTH_UNKNOWN};

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, produce, &script));
    px_resume(call.exchange); /* it said nothing yet: nothing to resume */
    assert_int_equal(call.contents, 0);
    call_drive(&call);
    assert_int_equal(script.pulls, 2);
    call_drive(&call); /* not asked while it is LATER */
    assert_int_equal(script.pulls, 2);
    px_resume(call.exchange);
    assert_int_equal(script.pulls, 2); /* never calls it itself */
    assert_int_equal(call.contents, 1);
    px_resume(call.exchange);
    assert_int_equal(call.contents, 1);
    call_drive(&call);
    assert_int_equal(script.pulls, 4);
    px_resume(call.exchange);
    call_drive(&call);
    px_resume(call.exchange);
    call_drive(&call);
    assert_true(call.done);
    assert_str_equal(call_content(&call), LITERAL("abcde"));
    call_finish(&call);
    stage_close(&stage);
}

static int keep_head(px_exchange *exchange, void *context, void **out_state);
static int keep_content(px_exchange *exchange, px_filter_step *step, void *state);
static const px_filter keep = {
    .struct_size = sizeof(px_filter), .on_head = keep_head, .on_content = keep_content};

/* A resume from inside of the pull that says LATER is not lost. */
static void resume_inside_of_the_pull(void **state)
{
    (void)state;
    for (int filtered = 0; filtered < 2; filtered++) {
        struct stage stage;
        struct call call;
        struct script script = {.steps = "R2RR3E", .length = 5};

        stage_open(&stage, NULL);
        if (filtered)
            stage_filter(&stage, &keep, NULL);
        assert_true(call_begin(&call, &stage, get, produce, &script));
        for (int turn = 0; turn < 10; turn++)
            call_drive(&call);
        assert_true(call.done);
        assert_str_equal(call_content(&call), LITERAL("abcde"));
        call_finish(&call);
        stage_close(&stage);
    }
}

static void peer_leaves_a_waiting_producer(void **state)
{
    struct stage stage;
    struct call call;
    struct script script = {.steps = "2L", .length = PX_LENGTH_UNKNOWN};

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, produce, &script));
    call_drive(&call);
    px_exchange *exchange = call.exchange;

    call_end(&call, PX_END_PEER_GONE);
    /* Until on_end the exchange may be spoken to. */
    px_resume(exchange);
    px_response_add_trailer(exchange, LITERAL("A"), LITERAL("b"));
    px_request_resume(exchange);
    px_exchange_abort(exchange);
    px_respond_text(exchange, 200, "late");
    assert_null(px_exchange_peer(exchange).ptr);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_PEER_GONE);
    assert_int_equal(script.released, 1);
    stage_close(&stage);
}

/* --- Pieces ----------------------------------------------------------------------------------- */

struct pieces {
    uint64_t length;
    const char *const *texts; /* written at once; NULL ends */
    bool end;
};

static void write_pieces(px_exchange *exchange, void *context)
{
    const struct pieces *pieces = context;

    px_response_start(exchange, 200, no_type, pieces->length);
    for (const char *const *text = pieces->texts; *text; text++)
        px_response_write(exchange, px_str_of(*text));
    if (pieces->end)
        px_response_end(exchange);
}

static void pieces_are_held_against_their_length(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const two[] = {"ab", "", "cde", NULL};
    static const struct {
        uint64_t length;
        const char *const *texts;
        bool good;
    } cases[] = {{PX_LENGTH_UNKNOWN, two, true},  {5, two, true},  {4, two, false}, {6, two, false},
                 {PX_LENGTH_UNKNOWN, none, true}, {0, none, true}, {1, none, false}};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        struct pieces pieces = {cases[index].length, cases[index].texts, true};

        assert_true(call_begin(&call, &stage, get, write_pieces, &pieces));
        call_drive(&call);
        assert_int_equal(call.done, cases[index].good);
        if (cases[index].good && cases[index].texts == two)
            assert_str_equal(call_content(&call), LITERAL("abcde"));
        call_finish(&call);
        assert_int_equal(call.end, cases[index].good ? PX_END_COMPLETE : PX_END_ABORTED);
    }
    stage_close(&stage);
}

static void pieces_over_time(void **state)
{
    static const char *const first[] = {"one ", NULL};
    struct pieces pieces = {PX_LENGTH_UNKNOWN, first, false};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, write_pieces, &pieces));
    call_drive(&call);
    assert_str_equal(call_content(&call), LITERAL("one "));
    uint32_t contents = call.contents;

    px_response_write(call.exchange, LITERAL("two"));
    assert_int_equal(call.contents, contents + 1);
    call_drive(&call);
    px_response_add_trailer(call.exchange, LITERAL("Sum"), LITERAL("7"));
    px_response_end(call.exchange);
    call_drive(&call);
    assert_true(call.done);
    assert_str_equal(call_content(&call), LITERAL("one two"));
    assert_string_equal(call.trailers, "Sum: 7\n");
    call_finish(&call);
    stage_close(&stage);
}

static void start_only(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_start(exchange, 200, no_type, PX_LENGTH_UNKNOWN);
}

static void room_and_on_room(void **state)
{
    static char text[64 * 1024];
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, start_only, NULL));
    size_t room = px_response_room(call.exchange);

    assert_int_equal(room, sizeof(text));
    /* As much as there is room for, in two writes: nothing is lost. */
    px_response_write(call.exchange, px_str_make(text, 40000));
    assert_int_equal(px_response_room(call.exchange), room - 40000);
    px_response_write(call.exchange, px_str_make(text, room - 40000));
    assert_int_equal(px_response_room(call.exchange), 0);
    assert_int_equal(call.resets, 0);
    assert_int_equal(call.room_told, 0);
    call.pull_room = 10000;
    call_drive(&call);
    assert_int_equal(call.room_told, 1); /* once, when half is free */
    assert_int_equal(call.content_len, room);
    /* Not asked, not told. */
    px_response_write(call.exchange, px_str_make(text, 60000));
    call_drive(&call);
    assert_int_equal(call.room_told, 1);
    assert_int_equal(px_response_room(call.exchange), room);
    /* One byte more than there is room for. */
    px_response_write(call.exchange, px_str_make(text, room));
    px_response_write(call.exchange, px_str_make(text, 1));
    assert_int_equal(call.resets, 1);
    call_drive(&call);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_NO_MEMORY);
    stage_close(&stage);
}

/* --- Files ------------------------------------------------------------------------------------ */

struct file {
    px_file_range range;
    uint32_t released;
};

static void file_released(int fd, void *context)
{
    (void)fd;
    ((struct file *)context)->released++;
}

static void answer_file(px_exchange *exchange, void *context)
{
    struct file *file = context;

    file->range.struct_size = sizeof(file->range);
    file->range.release = file_released;
    file->range.context = file;
    px_respond_file(exchange, 200, no_type, &file->range);
}

static int keep_head(px_exchange *exchange, void *context, void **out_state)
{
    (void)exchange;
    (void)context;
    *out_state = NULL;
    return 1;
}

static int keep_content(px_exchange *exchange, px_filter_step *step, void *state)
{
    size_t count = step->in.len < step->room ? step->in.len : step->room;

    (void)exchange;
    (void)state;
    if (count > 0)
        memcpy(step->out, step->in.ptr, count);
    step->in_used = step->out_used = count;
    step->done = step->last && count == step->in.len;
    return 0;
}

/* Directly, and read for a filter: from the page cache or, where that cannot be asked (memfd), on a
 * helper thread. */
static void file_ranges_direct_and_filtered(void **state)
{
    static const struct {
        uint64_t offset;
        uint64_t length;
        bool good;
    } cases[] = {{0, 50000, true},  {0, 0, true},      {49999, 1, true}, {100, 40000, true},
                 {0, 50001, false}, {50000, 1, false}, {60000, 5, false}};
    char path[] = "source_XX"
                  "XXXX";
    int files[2] = {file_make(50000), mkstemp(path)};
    char *bytes = test_malloc(50000);

    (void)state;
    unlink(path);
    assert_int_equal(pread(files[0], bytes, 50000, 0), 50000);
    assert_int_equal(write(files[1], bytes, 50000), 50000);
    for (int how = 0; how < 4; how++) {
        struct stage stage;

        stage_open(&stage, NULL);
        if (how >= 2)
            stage_filter(&stage, &keep, NULL);
        for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
            struct file file = {{.fd = files[how % 2],
                                 .offset = cases[index].offset,
                                 .length = cases[index].length},
                                0};
            struct call call;
            uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

            assert_true(call_begin(&call, &stage, get, answer_file, &file));
            call.pull_room = 3000;
            call_drive(&call);
            while (call.exchange && pump_now_ms() < end) {
                pump_once(stage.loop, 10);
                call_drive(&call);
            }
            assert_int_equal(call.done, cases[index].good);
            if (cases[index].good) {
                assert_int_equal(call.content_len, cases[index].length);
                assert_memory_equal(call_content(&call).ptr, bytes + cases[index].offset,
                                    call.content_len);
            }
            call_finish(&call);
            assert_int_equal(call.end, cases[index].good ? PX_END_COMPLETE : PX_END_ABORTED);
            assert_int_equal(file.released, 1);
        }
        stage_close(&stage);
    }
    test_free(bytes);
    close(files[0]);
    close(files[1]);
}

/* The peer leaves while a helper thread reads into the exchange's memory. */
static void peer_leaves_while_a_file_is_read(void **state)
{
    struct file file = {{.fd = file_make(50000), .length = 50000}, 0};
    struct stage stage;
    struct call call;

    (void)state;
    for (int round = 0; round < 20; round++) {
        file.released = 0;
        stage_open(&stage, NULL);
        stage_filter(&stage, &keep, NULL);
        assert_true(call_begin(&call, &stage, get, answer_file, &file));
        call_drive(&call);
        if (call.exchange)
            call_end(&call, PX_END_PEER_GONE);
        call_finish(&call);
        assert_int_equal(call.ended, 1);
        pump_until(stage.loop, stage.service.exchanges.taken == 0);
        assert_int_equal(file.released, 1);
        stage_close(&stage);
    }
    close(file.range.fd);
}

static px_pull abort_and_end(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                             void *context)
{
    (void)room;
    memcpy(out, "half of it", 10);
    *out_bytes = 10;
    px_exchange_abort(exchange);
    return *(const px_pull *)context;
}

static void abort_answer(px_exchange *exchange, void *context)
{
    px_producer producer = {
        .struct_size = sizeof(px_producer), .pull = abort_and_end, .context = context};

    px_respond_producer(exchange, 200, px_str_of(NULL), PX_LENGTH_UNKNOWN, &producer);
}

/* Whatever a producer says after it gave up, its content is not whole. */
static void a_producer_that_aborts_is_never_whole(void **state)
{
    static const px_pull says[] = {PX_PULL_MORE, PX_PULL_LATER, PX_PULL_END, PX_PULL_ERROR};
    size_t ran = 0;

    (void)state;
    for (; ran < sizeof(says) / sizeof(says[0]); ran++) {
        struct stage stage;
        struct call call;
        px_pull say = says[ran];
        char room[64];
        size_t bytes = 0;

        stage_open(&stage, NULL);
        assert_true(
            call_begin(&call, &stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", abort_answer, &say));
        exchange_take_head(call.exchange);
        assert_int_equal(exchange_pull(call.exchange, room, sizeof(room), &bytes), PX_PULL_ERROR);
        assert_int_equal(call.resets, 1);
        assert_int_equal(exchange_log_status(call.exchange), 500);
        call_drive(&call);
        assert_false(call.done);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_ABORTED);
        stage_close(&stage);
    }
    assert_int_equal(ran, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_producer_that_aborts_is_never_whole),
        cmocka_unit_test(producers_are_held_against_their_length),
        cmocka_unit_test(later_waits_for_resume),
        cmocka_unit_test(resume_inside_of_the_pull),
        cmocka_unit_test(peer_leaves_a_waiting_producer),
        cmocka_unit_test(pieces_are_held_against_their_length),
        cmocka_unit_test(pieces_over_time),
        cmocka_unit_test(room_and_on_room),
        cmocka_unit_test(file_ranges_direct_and_filtered),
        cmocka_unit_test(peer_leaves_while_a_file_is_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
