/*
 * Response filters: identity, doubling, shrinking, several steps, errors, chains; over every kind
 * of content; and every filter's state is ended once.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit/exchange/double.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const px_str no_type = {NULL, 0};

/* A filter that does what its letter says. */
struct odd {
    char what; /* 'i'dentity, 'd'ouble, 's'hrink (every 100th byte), 't'railer text, 'n': head only,
                  'x': error at once, 'y': error after 10 bytes, 'z': no progress, 'q': quits after
                  10 bytes, 'o': one byte a step, 'g'reedy: takes all, gives one byte at the end */
    uint32_t heads;
    uint32_t begun;
    uint32_t ended;
    uint64_t seen;
};

static int odd_head(px_exchange *exchange, void *context, void **out_state)
{
    struct odd *odd = context;
    char text[2] = {odd->what, 0};

    odd->heads++;
    odd->seen = 0;
    assert_true(px_response_status(exchange) >= 200);
    px_response_add_field(exchange, LITERAL("X-Filter"), px_str_of(text));
    if (odd->what == 'n')
        return 0;
    odd->begun++;
    *out_state = odd;
    return 1;
}

static void odd_copy(px_filter_step *step, size_t count)
{
    if (count > step->in.len)
        count = step->in.len;
    if (count > step->room)
        count = step->room;
    if (count > 0)
        memcpy(step->out, step->in.ptr, count);
    step->in_used = step->out_used = count;
    step->done = step->last && count == step->in.len;
}

static void odd_shrink(struct odd *odd, px_filter_step *step)
{
    while (step->in_used < step->in.len && step->out_used < step->room) {
        if (odd->seen++ % 100 == 0)
            step->out[step->out_used++] = step->in.ptr[step->in_used];
        step->in_used++;
    }
    step->done = step->last && step->in_used == step->in.len;
}

static int odd_content(px_exchange *exchange, px_filter_step *step, void *state)
{
    struct odd *odd = state;

    (void)exchange;
    assert_true(step->room > 0);
    switch (odd->what) {
    case 'i':
        odd_copy(step, SIZE_MAX);
        return 0;
    case 'o':
        odd_copy(step, 1);
        return 0;
    case 'd':
        /* Needs room for two; one is left for the next time. */
        while (step->in_used < step->in.len && step->out_used + 2 <= step->room) {
            step->out[step->out_used++] = step->in.ptr[step->in_used];
            step->out[step->out_used++] = step->in.ptr[step->in_used++];
        }
        step->done = step->last && step->in_used == step->in.len;
        return 0;
    case 's':
        odd_shrink(odd, step);
        return 0;
    case 't':
        odd_copy(step, SIZE_MAX);
        if (!step->done)
            return 0;
        step->done = step->room - step->out_used >= 4;
        if (step->done) {
            memcpy(step->out + step->out_used, "tail", 4);
            step->out_used += 4;
        }
        return 0;
    case 'x':
        return -1;
    case 'y':
        odd->seen += step->in.len;
        if (odd->seen > 10)
            return -1;
        odd_copy(step, SIZE_MAX);
        return 0;
    case 'q':
        odd_copy(step, 10);
        step->done = 1;
        return 0;
    case 'g':
        step->in_used = step->in.len;
        if (step->last) {
            step->out[0] = '!';
            step->out_used = 1;
            step->done = 1;
        }
        return 0;
    default:
        return 0; /* 'z' */
    }
}

static void odd_end(px_exchange *exchange, void *state)
{
    (void)exchange;
    ((struct odd *)state)->ended++;
}

static const px_filter odd_filter = {.struct_size = sizeof(px_filter),
                                     .on_head = odd_head,
                                     .on_content = odd_content,
                                     .on_end = odd_end};

/* What the filters should make of the content. */
static size_t expected_of(const char *filters, const char *in, size_t len, char *out)
{
    char *from = malloc(2 * CALL_ROOM);

    memcpy(out, in, len);
    for (; *filters; filters++) {
        size_t made = 0;

        memcpy(from, out, len);
        switch (*filters) {
        case 'd':
            for (size_t at = 0; at < len; at++) {
                out[made++] = from[at];
                out[made++] = from[at];
            }
            break;
        case 's':
            for (size_t at = 0; at < len; at += 100)
                out[made++] = from[at];
            break;
        case 't':
            memcpy(out + len, "tail", 4);
            made = len + 4;
            break;
        case 'q':
            made = len < 10 ? len : 10;
            break;
        case 'g':
            out[0] = '!';
            made = 1;
            break;
        default:
            made = len;
        }
        len = made;
    }
    free(from);
    return len;
}

struct content {
    int how; /* 0: copied, 1: body, 2: file, 3: producer, 4: pieces */
    char *bytes;
    size_t len;
    size_t at;
    int file;
};

static px_pull content_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                            void *context)
{
    struct content *content = context;
    size_t count = content->len - content->at;

    (void)exchange;
    count = count < room ? count : room;
    count = count < 777 ? count : 777;
    memcpy(out, content->bytes + content->at, count);
    content->at += count;
    *out_bytes = count;
    return content->at == content->len ? PX_PULL_END : PX_PULL_MORE;
}

static void answer_content(px_exchange *exchange, void *context)
{
    struct content *content = context;
    px_str bytes = px_str_make(content->bytes, content->len);
    px_body body = {sizeof(px_body), bytes, NULL, NULL};
    px_file_range range = {
        .struct_size = sizeof(px_file_range), .fd = content->file, .length = content->len};
    px_producer producer = {sizeof(px_producer), content_pull, NULL, content};

    content->at = 0;
    switch (content->how) {
    case 0:
        px_respond(exchange, 200, no_type, bytes);
        break;
    case 1:
        px_respond_body(exchange, 200, no_type, &body);
        break;
    case 2:
        px_respond_file(exchange, 200, no_type, &range);
        break;
    case 3:
        px_respond_producer(exchange, 200, no_type, content->len, &producer);
        break;
    case 4:
        px_response_start(exchange, 200, no_type, PX_LENGTH_UNKNOWN);
        for (size_t at = 0; at < content->len; at += 1000)
            px_response_write(exchange,
                              px_str_make(content->bytes + at,
                                          content->len - at < 1000 ? content->len - at : 1000));
        px_response_end(exchange);
        break;
    }
}

/* Runs one answer through `filters`; returns whether it was whole. */
static bool filtered_run(const char *filters, struct content *content, const char *head,
                         size_t pull_room, struct call *call)
{
    struct odd odds[FILTERS_MAX];
    struct stage stage;
    uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;
    char fields[256] = "";

    stage_open(&stage, NULL);
    for (size_t index = 0; filters[index]; index++) {
        size_t len = strlen(fields);

        odds[index] = (struct odd){.what = filters[index]};
        stage_filter(&stage, &odd_filter, &odds[index]);
        snprintf(fields + len, sizeof(fields) - len, "X-Filter: %c\n", filters[index]);
    }
    assert_true(call_begin(call, &stage, head, answer_content, content));
    call->pull_room = pull_room;
    call_drive(call);
    while (call->exchange && pump_now_ms() < end) {
        pump_once(stage.loop, 5);
        call_drive(call);
    }
    assert_null(call->exchange);
    /* The first registered is nearest to the handler: it saw the head first. */
    assert_string_equal(call->head, fields);
    char *copy = NULL;

    if (call->content) {
        copy = malloc(CALL_ROOM);
        memcpy(copy, call->content, call->content_len);
    }
    call_finish(call);
    call->content = copy;
    for (size_t index = 0; filters[index]; index++) {
        assert_int_equal(odds[index].heads, 1);
        assert_int_equal(odds[index].ended, odds[index].begun);
    }
    stage_close(&stage);
    return call->done;
}

static void filters_over_every_kind_of_content(void **state)
{
    static const char *const chains[] = {"i",  "d",  "s",  "t",  "o",  "q",  "n",   "g",       "id",
                                         "dd", "sd", "ds", "dt", "td", "gd", "nin", "tttttttt"};
    static const size_t sizes[] = {0, 1, 99, 4096, 4097, 30000};
    struct content content = {.bytes = malloc(30000)};
    char *expected = malloc(2 * CALL_ROOM);
    uint32_t runs = 0;

    (void)state;
    for (size_t at = 0; at < 30000; at++)
        content.bytes[at] = (char)file_byte(at);
    content.file = file_make(30000);
    for (size_t chain = 0; chain < ARRAY_COUNT(chains); chain++) {
        for (size_t size = 0; size < ARRAY_COUNT(sizes); size++) {
            for (content.how = 0; content.how < 5; content.how++) {
                struct call call;

                content.len = sizes[size];
                bool whole = filtered_run(chains[chain], &content, get,
                                          content.how % 2 ? 1023 : 4096, &call);
                size_t len = expected_of(chains[chain], content.bytes, content.len, expected);

                if (!whole || len != call.content_len ||
                    (len > 0 && memcmp(expected, call.content, len) != 0))
                    fail_msg("chain %s, %zu bytes, kind %d: %zu bytes, %zu expected", chains[chain],
                             content.len, content.how, call.content_len, len);
                assert_int_equal(call.end, PX_END_COMPLETE);
                free(call.content);
                runs++;
            }
        }
    }
    print_message("%u filtered answers\n", runs);
    close(content.file);
    free(content.bytes);
    free(expected);
}

static void filters_that_fail_abort(void **state)
{
    static const char *const chains[] = {"x", "y", "z", "ix", "xi", "iy", "zi", "dz"};
    struct content content = {.bytes = calloc(1, 30000), .len = 30000};

    (void)state;
    for (size_t chain = 0; chain < ARRAY_COUNT(chains); chain++) {
        struct call call;

        if (filtered_run(chains[chain], &content, get, 1024, &call))
            fail_msg("chain %s came out whole", chains[chain]);
        assert_int_equal(call.end, PX_END_ABORTED);
        free(call.content);
    }
    free(content.bytes);
}

/* A filter that takes much before it gives anything, as a compressor does. */
static void greedy_filter_over_much_content(void **state)
{
    struct content content = {.how = 1, .bytes = calloc(1, 2 << 20), .len = 2 << 20};
    struct call call;

    (void)state;
    assert_true(filtered_run("g", &content, get, 1024, &call));
    assert_int_equal(call.content_len, 1);
    free(call.content);
    assert_true(filtered_run("gi", &content, get, 1024, &call));
    assert_int_equal(call.content_len, 1);
    free(call.content);
    free(content.bytes);
}

/* P7: the length that was declared still holds the producer to its word. */
static void declared_length_is_checked_before_filters(void **state)
{
    struct content content = {.how = 3, .bytes = calloc(1, 1000), .len = 1000};

    (void)state;
    for (int longer = 0; longer < 3; longer++) {
        struct stage stage;
        struct call call;
        struct odd odd = {.what = 'i'};

        stage_open(&stage, NULL);
        stage_filter(&stage, &odd_filter, &odd);
        assert_true(call_make(&call, &stage, get));
        px_producer producer = {sizeof(px_producer), content_pull, NULL, &content};

        content.at = 0;
        px_respond_producer(call.exchange, 200, no_type, 999 + (uint64_t)longer, &producer);
        call_drive(&call);
        assert_int_equal(call.length, PX_LENGTH_UNKNOWN);
        assert_int_equal(call.done, longer == 1);
        call_finish(&call);
        assert_int_equal(call.end, longer == 1 ? PX_END_COMPLETE : PX_END_ABORTED);
        assert_int_equal(odd.ended, 1);
        stage_close(&stage);
    }
    free(content.bytes);
}

static void head_has_no_content_to_filter(void **state)
{
    struct content content = {.bytes = calloc(1, 1000), .len = 1000};
    struct call call;

    (void)state;
    assert_true(filtered_run("id", &content, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 1024, &call));
    assert_int_equal(call.content_len, 0);
    free(call.content);
    free(content.bytes);
}

static int change_head(px_exchange *exchange, void *context, void **out_state)
{
    (void)out_state;
    if (context) {
        px_exchange_abort(exchange);
        return 0;
    }
    px_response_set_status(exchange, 404);
    px_response_set_field(exchange, LITERAL("Content-Type"), LITERAL("x/y"));
    return 0;
}

static const px_filter change = {.struct_size = sizeof(px_filter), .on_head = change_head};

static void filter_changes_or_breaks_the_head(void **state)
{
    struct content content = {.bytes = calloc(1, 10), .len = 10};

    (void)state;
    for (int breaks = 0; breaks < 2; breaks++) {
        struct stage stage;
        struct call call;

        stage_open(&stage, NULL);
        stage_filter(&stage, &change, breaks ? &stage : NULL);
        assert_true(call_begin(&call, &stage, get, answer_content, &content));
        call_drive(&call);
        assert_int_equal(call.taken, !breaks);
        if (!breaks) {
            assert_int_equal(call.status, 404);
            assert_int_equal(call.length, 10);
            assert_string_equal(call.head, "Content-Type: x/y\n");
        }
        call_finish(&call);
        assert_int_equal(call.end, breaks ? PX_END_ABORTED : PX_END_COMPLETE);
        stage_close(&stage);
    }
    free(content.bytes);
}

/* --- What a filter is told of the content, and other content ---------------------------------- */

struct look {
    px_source source;
    uint64_t length;
    int fd;
    int filtered;
    bool replaces;
    uint32_t released;
};

static void look_release(void *context)
{
    ((struct look *)context)->released++;
}

static int look_head(px_exchange *exchange, void *context, void **out_state)
{
    struct look *look = context;

    (void)out_state;
    look->source = px_response_source(exchange);
    look->length = px_response_length(exchange);
    look->fd = px_response_fd(exchange);
    look->filtered = px_response_is_filtered(exchange);
    if (look->replaces)
        px_response_replace(exchange,
                            &(px_body){sizeof(px_body), LITERAL("other"), look_release, look});
    return 0;
}

static const px_filter look_filter = {.struct_size = sizeof(px_filter), .on_head = look_head};

static void content_is_described_and_replaced(void **state)
{
    static const px_source sources[] = {PX_SOURCE_BYTES, PX_SOURCE_BYTES, PX_SOURCE_FILE,
                                        PX_SOURCE_PRODUCER, PX_SOURCE_PIECES};

    (void)state;
    for (int how = 0; how < (int)ARRAY_COUNT(sources); how++) {
        for (int replaces = 0; replaces < 2; replaces++) {
            struct content content = {.how = how, .bytes = calloc(1, 10), .len = 10};
            struct look look = {.replaces = replaces != 0};
            struct stage stage;
            struct call call;

            content.file = memfd_create("content", 0);
            assert_int_equal(write(content.file, content.bytes, 10), 10);
            stage_open(&stage, NULL);
            stage_filter(&stage, &look_filter, &look);
            assert_true(call_begin(&call, &stage, get, answer_content, &content));
            assert_int_equal(px_response_source(call.exchange), sources[how]);
            call_drive(&call);
            if (replaces)
                assert_str_equal(call_content(&call), LITERAL("other"));
            call_finish(&call);
            assert_int_equal(call.end, PX_END_COMPLETE);
            assert_int_equal(look.source, sources[how]);
            assert_int_equal(look.length, how == 4 ? PX_LENGTH_UNKNOWN : 10);
            assert_int_equal(look.fd, how == 2 ? content.file : -1);
            assert_int_equal(look.filtered, 0);
            assert_int_equal(look.released, replaces);
            stage_close(&stage);
            close(content.file);
            free(content.bytes);
        }
    }
}

/* Too late, or behind a filter that has the content: the body is released all the same. */
static void content_is_not_replaced_out_of_turn(void **state)
{
    struct content content = {.bytes = calloc(1, 10), .len = 10};
    struct look look = {.replaces = true};
    struct odd odd = {.what = 'i'};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    stage_filter(&stage, &odd_filter, &odd);
    stage_filter(&stage, &look_filter, &look);
    assert_true(call_begin(&call, &stage, get, answer_content, &content));
    call_drive(&call);
    call_finish(&call);
    assert_int_equal(look.filtered, 1);
    assert_int_equal(look.released, 1);
    assert_int_equal(call.end, PX_END_ABORTED);
    assert_int_equal(odd.ended, odd.begun);
    stage_close(&stage);
    free(content.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_over_every_kind_of_content),
        cmocka_unit_test(filters_that_fail_abort),
        cmocka_unit_test(greedy_filter_over_much_content),
        cmocka_unit_test(declared_length_is_checked_before_filters),
        cmocka_unit_test(head_has_no_content_to_filter),
        cmocka_unit_test(filter_changes_or_breaks_the_head),
        cmocka_unit_test(content_is_described_and_replaced),
        cmocka_unit_test(content_is_not_replaced_out_of_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
