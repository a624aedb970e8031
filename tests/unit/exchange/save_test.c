/*
 * Content that is written to a descriptor: whole, held back, at every split, in parts of a form;
 * what fails, what ends before, and memory that runs out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pollux/save.h"
#include "unit/exchange/double.h"

#define POST(fields) "POST / HTTP/1.1\r\nHost: h\r\n" fields "\r\n"
#define CHUNKED POST("Transfer-Encoding: chunked\r\n")
#define FORM                                                 \
    POST("Content-Type: multipart/form-data; boundary=b\r\n" \
         "Transfer-Encoding: chunked\r\n")

struct saving {
    int fd;
    uint64_t bytes_max;
    px_err begun;
    uint32_t told;
    bool had_exchange;
    px_saved saved;
    char log[256]; /* of a form */
};

static void saving_open(struct saving *saving, uint64_t bytes_max)
{
    memset(saving, 0, sizeof(*saving));
    saving->fd = memfd_create("saved", MFD_CLOEXEC);
    assert_true(saving->fd >= 0);
    saving->bytes_max = bytes_max;
}

static void note(struct saving *saving, const char *text)
{
    strncat(saving->log, text, sizeof(saving->log) - strlen(saving->log) - 1);
}

static void on_saved(px_exchange *exchange, const px_saved *saved, void *context)
{
    struct saving *saving = context;

    saving->told++;
    saving->had_exchange = exchange != NULL;
    saving->saved = *saved;
    note(saving, "s");
    if (exchange && !px_response_status(exchange) && saving->begun == PX_OK && !saving->log[1])
        px_respond_text(exchange, saved->status == PX_OK ? 200 : 507, "saved");
}

static void save(px_exchange *exchange, void *context)
{
    struct saving *saving = context;

    exchange->input.bytes_max = PX_UNLIMITED_BYTES; /* as its route's option would */
    saving->begun = px_request_save(exchange, saving->fd, saving->bytes_max, on_saved, saving);
    if (saving->begun != PX_OK)
        px_respond_error(exchange, 503);
}

/* What is in the file is `text`. */
static void saved_is(const struct saving *saving, px_str text)
{
    char *found = malloc(text.len + 1);

    assert_non_null(found);
    assert_int_equal(pread(saving->fd, found, text.len + 1, 0), text.len);
    assert_memory_equal(found, text.ptr, text.len);
    free(found);
}

static char *text_make(size_t bytes)
{
    char *text = malloc(bytes);

    assert_non_null(text);
    for (size_t at = 0; at < bytes; at++)
        text[at] = (char)('a' + at % 23);
    return text;
}

/* All of it, as a transport gives it: what is not used comes again. */
static void receive_all(struct call *call, px_str bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.len;) {
        size_t left = bytes.len - at < piece ? bytes.len - at : piece;

        pump_until(call->stage->loop, exchange_takes_content(call->exchange));
        at += call_receive(call, px_str_make(bytes.ptr + at, left));
    }
    pump_until(call->stage->loop, exchange_takes_content(call->exchange));
    call_receive_end(call);
}

static void content_is_saved(void **state)
{
    static const struct {
        size_t bytes, piece;
    } cases[] = {{1, 1}, {40, 1}, {5000, 1400}, {300000, 32768}, {1000000, 200000}};
    struct stage stage;
    struct call call;
    struct saving saving;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        char *text = text_make(cases[index].bytes);

        saving_open(&saving, 1000000);
        assert_true(call_begin(&call, &stage, CHUNKED, save, &saving));
        assert_int_equal(saving.begun, PX_OK);
        receive_all(&call, px_str_make(text, cases[index].bytes), cases[index].piece);
        pump_until(stage.loop, saving.told > 0);
        assert_int_equal(saving.told, 1);
        assert_true(saving.had_exchange);
        assert_int_equal(saving.saved.status, PX_OK);
        assert_int_equal(saving.saved.sys_errno, 0);
        assert_int_equal(saving.saved.struct_size, sizeof(px_saved));
        assert_true(saving.saved.bytes == cases[index].bytes);
        saved_is(&saving, px_str_make(text, cases[index].bytes));
        call_drive(&call);
        assert_int_equal(call.status, 200);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_COMPLETE);
        assert_int_equal(saving.told, 1);
        close(saving.fd);
        free(text);
    }
    assert_int_equal(ARRAY_COUNT(cases), 5);
    stage_close(&stage);
}

static void nothing_is_saved_at_once(void **state)
{
    struct stage stage;
    struct call call;
    struct saving saving;

    (void)state;
    stage_open(&stage, NULL);
    saving_open(&saving, 10);
    assert_true(call_begin(&call, &stage, POST(""), save, &saving));
    call_drive(&call);
    call_drive(&call);
    assert_int_equal(saving.told, 1);
    assert_int_equal(saving.saved.status, PX_OK);
    assert_true(saving.saved.bytes == 0);
    assert_int_equal(call.status, 200);
    call_finish(&call);
    close(saving.fd);
    stage_close(&stage);
}

/* While a write goes on no more than so much is taken, and a pause of the program's stays one. */
static void the_peer_is_held_back(void **state)
{
    enum { BYTES = 1000000 };
    struct stage stage;
    struct call call;
    struct saving saving;
    char *text = text_make(BYTES);
    int pipes[2];
    size_t at = 0;

    (void)state;
    stage_open(&stage, NULL);
    saving_open(&saving, BYTES);
    close(saving.fd);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    saving.fd = pipes[1]; /* its helper waits for a reader */
    assert_true(call_begin(&call, &stage, CHUNKED, save, &saving));
    for (int turn = 0; turn < 50; turn++) {
        if (exchange_takes_content(call.exchange))
            at += call_receive(&call, px_str_make(text + at, 200000));
        pump_quietly(stage.loop, 1);
    }
    assert_in_range(at, 64 * 1024, 65536 * 3);
    assert_false(exchange_takes_content(call.exchange));
    px_request_resume(call.exchange); /* it is not the program that holds it */
    assert_false(exchange_takes_content(call.exchange));
    px_request_pause(call.exchange);

    char *found = malloc(BYTES);
    size_t got = 0;

    assert_non_null(found);
    while (got < at) {
        got += (size_t)read(pipes[0], found + got, BYTES - got);
        pump_once(stage.loop, 1);
    }
    pump_quietly(stage.loop, 5);
    assert_false(exchange_takes_content(call.exchange));
    px_request_resume(call.exchange);
    assert_true(exchange_takes_content(call.exchange));
    assert_memory_equal(found, text, at);
    call_receive_end(&call);
    pump_until(stage.loop, saving.told > 0);
    assert_true(saving.saved.bytes == at);
    call_drive(&call);
    call_finish(&call);
    close(pipes[0]);
    close(pipes[1]);
    free(found);
    free(text);
    stage_close(&stage);
}

static void a_write_fails(void **state)
{
    struct stage stage;
    struct call call;
    struct saving saving;
    char *text = text_make(100000);

    (void)state;
    stage_open(&stage, NULL);
    saving_open(&saving, 1000000);
    close(saving.fd);
    saving.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(saving.fd >= 0);
    assert_true(call_begin(&call, &stage, CHUNKED, save, &saving));
    call_receive(&call, px_str_make(text, 30000));
    pump_until(stage.loop, saving.told > 0);
    assert_int_equal(saving.saved.status, PX_ERR_SYSTEM);
    assert_int_equal(saving.saved.sys_errno, ENOSPC);
    assert_true(saving.saved.bytes == 0);
    assert_true(saving.had_exchange);
    receive_all(&call, px_str_make(text, 100000), 30000); /* the rest is dropped */
    call_drive(&call);
    assert_int_equal(call.status, 507);
    call_finish(&call);
    assert_int_equal(saving.told, 1);
    close(saving.fd);
    free(text);
    stage_close(&stage);
}

/* The peer leaves before the first byte, between two writes, and while one goes on. */
static void the_exchange_ends_before(void **state)
{
    struct stage stage;
    struct call call;
    struct saving saving;
    char *text = text_make(300000);

    (void)state;
    stage_open(&stage, NULL);
    for (int when = 0; when < 3; when++) {
        saving_open(&saving, 1000000);
        assert_true(call_begin(&call, &stage, CHUNKED, save, &saving));
        if (when > 0)
            call_receive(&call, px_str_make(text, 1000));
        if (when == 1)
            pump_quietly(stage.loop, 20);
        call_end(&call, PX_END_PEER_GONE);
        call_finish(&call);
        pump_until(stage.loop, saving.told > 0);
        assert_int_equal(saving.told, 1);
        assert_false(saving.had_exchange);
        assert_int_equal(saving.saved.status, PX_ERR_CLOSED);
        assert_true(saving.saved.bytes == (when == 0 ? 0 : 1000));
        close(saving.fd);
    }
    free(text);
    stage_close(&stage);
}

static void more_than_the_limit(void **state)
{
    struct stage stage;
    struct call call;
    struct saving saving;

    (void)state;
    stage_open(&stage, NULL);
    saving_open(&saving, 10);
    assert_true(call_begin(&call, &stage, CHUNKED, save, &saving));
    call_receive(&call, LITERAL("0123456789"));
    call_receive(&call, LITERAL("0"));
    assert_null(call.exchange);
    call_finish(&call);
    pump_until(stage.loop, saving.told > 0);
    assert_int_equal(call.end, PX_END_REFUSED);
    assert_int_equal(saving.saved.status, PX_ERR_CLOSED);
    assert_false(saving.had_exchange);
    close(saving.fd);
    stage_close(&stage);
}

static void rules(px_exchange *exchange, void *context)
{
    struct saving *saving = context;

    assert_int_equal(px_part_save(exchange, saving->fd, 9, on_saved, saving), PX_ERR_INVALID);
    save(exchange, saving);
    assert_int_equal(px_request_save(exchange, saving->fd, 9, on_saved, saving), PX_ERR_CONFLICT);
}

static void wrong_calls(void **state)
{
    struct stage stage;
    struct call call;
    struct saving saving;

    (void)state;
    stage_open(&stage, NULL);
    saving_open(&saving, 10);
    assert_true(call_begin(&call, &stage, CHUNKED, rules, &saving));
    call_receive(&call, LITERAL("0123"));
    assert_int_equal(px_request_save(call.exchange, 1, 9, on_saved, NULL), PX_ERR_CONFLICT);
    call_receive_end(&call);
    pump_until(stage.loop, saving.told > 0);
    assert_int_equal(px_request_save(call.exchange, 1, 9, on_saved, NULL), PX_ERR_INVALID);
    px_exchange_abort(call.exchange);
    assert_int_equal(px_request_save(call.exchange, 1, 9, on_saved, NULL), PX_ERR_CLOSED);
    assert_int_equal(px_part_save(call.exchange, 1, 9, on_saved, NULL), PX_ERR_CLOSED);
    call_drive(&call);
    call_finish(&call);
    assert_int_equal(saving.told, 1);
    close(saving.fd);
    stage_close(&stage);
}

/* --- Parts ------------------------------------------------------------------------------------ */

static void on_part(px_exchange *exchange, const px_part_head *head, void *context)
{
    struct saving *saving = context;

    note(saving, "[");
    if (head->filename.ptr)
        assert_int_equal(px_part_save(exchange, saving->fd, saving->bytes_max, on_saved, saving),
                         PX_OK);
}

static void on_part_content(px_exchange *exchange, px_str bytes, void *context)
{
    char text[32];

    (void)exchange;
    snprintf(text, sizeof(text), "%.*s", (int)bytes.len, bytes.ptr);
    note(context, text);
}

static void on_part_end(px_exchange *exchange, void *context)
{
    (void)exchange;
    note(context, "]");
}

static void on_multipart_end(px_exchange *exchange, px_err result, void *context)
{
    note(context, result == PX_OK ? "." : "!");
    px_respond_text(exchange, 200, "form");
}

static void read_form(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = {sizeof(callbacks), on_part, on_part_content,
                                                     on_part_end, on_multipart_end};

    exchange->input.bytes_max = PX_UNLIMITED_BYTES; /* as its route's option would */
    assert_int_equal(px_request_multipart(exchange, &callbacks, context), PX_OK);
}

#define PART(name, content) \
    "--b\r\nContent-Disposition: form-data; name=\"f\"" name "\r\n\r\n" content "\r\n"
#define FILE_PART(content) PART("; filename=\"x\"", content)

/* Whatever the split: a saved part is told before its end, and the next one after that. */
static void parts_are_saved(void **state)
{
    static const char form[] =
        PART("", "1") FILE_PART("hello ") PART("", "2") FILE_PART("") FILE_PART("world") "--b--";
    struct stage stage;
    struct call call;
    struct saving saving;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t piece = 1; piece < sizeof(form); piece += piece < 8 ? 1 : 41) {
        saving_open(&saving, 10);
        assert_true(call_begin(&call, &stage, FORM, read_form, &saving));
        receive_all(&call, px_str_of(form), piece);
        assert_string_equal(saving.log, "[1][s][2][s][s].");
        assert_int_equal(saving.told, 3);
        saved_is(&saving, LITERAL("hello world"));
        call_drive(&call);
        assert_int_equal(call.status, 200);
        call_finish(&call);
        close(saving.fd);
    }
    stage_close(&stage);
}

static void a_part_is_too_long(void **state)
{
    static const char form[] = FILE_PART("0123456789a") PART("", "2") "--b--";
    struct stage stage;
    struct call call;
    struct saving saving;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t piece = 1; piece < sizeof(form); piece += piece < 8 ? 1 : 41) {
        saving_open(&saving, 10);
        assert_true(call_begin(&call, &stage, FORM, read_form, &saving));
        receive_all(&call, px_str_of(form), piece);
        assert_string_equal(saving.log, "[s][2].");
        assert_int_equal(saving.saved.status, PX_ERR_LIMIT);
        assert_true(saving.saved.bytes <= 10);
        call_drive(&call);
        call_finish(&call);
        close(saving.fd);
    }
    stage_close(&stage);
}

static void a_large_part(void **state)
{
    enum { BYTES = 1000000 };
    static const char before[] = PART("; filename=\"x\"", "");
    struct stage stage;
    struct call call;
    struct saving saving;
    char *text = text_make(BYTES);

    (void)state;
    memcpy(text, before, sizeof(before) - 3);
    memcpy(text + BYTES - 9, "\r\n--b--\r\n", 9);
    stage_open(&stage, NULL);
    saving_open(&saving, BYTES);
    assert_true(call_begin(&call, &stage, FORM, read_form, &saving));
    receive_all(&call, px_str_make(text, BYTES), 200000);
    assert_string_equal(saving.log, "[s].");
    assert_int_equal(saving.saved.status, PX_OK);
    saved_is(&saving, px_str_make(text + sizeof(before) - 3, BYTES - 9 - (sizeof(before) - 3)));
    call_drive(&call);
    call_finish(&call);
    close(saving.fd);
    free(text);
    stage_close(&stage);
}

/* Without memory at any point: it is told once, or it did not begin. */
static void memory_runs_out(void **state)
{
    char *text = text_make(100000);
    unsigned begun = 0, failed = 0;

    (void)state;
    for (uint32_t fail_at = 1; fail_at < 20; fail_at++) {
        struct stage stage;
        struct call call;
        struct saving saving;

        stage_open(&stage, NULL);
        saving_open(&saving, 1000000);
        assert_true(call_make(&call, &stage, CHUNKED));
        stage.fault.fail_at = atomic_load(&stage.fault.calls) + fail_at;
        call_handler(&call, save, &saving);
        for (size_t at = 0; call.exchange && saving.begun == PX_OK && at < 100000;) {
            pump_until(stage.loop, !call.exchange || exchange_takes_content(call.exchange));
            at += call_receive(&call, px_str_make(text + at, 100000 - at));
        }
        pump_quietly(stage.loop, 2);
        stage.fault.fail_at = 0;
        if (call.exchange)
            call_receive_end(&call);
        pump_until(stage.loop, saving.told == (saving.begun == PX_OK));
        begun += saving.begun == PX_OK;
        failed += saving.begun == PX_OK && saving.saved.status == PX_ERR_MEMORY;
        call_drive(&call);
        call_finish(&call);
        close(saving.fd);
        stage_close(&stage);
    }
    assert_true(begun > 5 && begun < 39 && failed > 0);
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_saved),
        cmocka_unit_test(nothing_is_saved_at_once),
        cmocka_unit_test(the_peer_is_held_back),
        cmocka_unit_test(a_write_fails),
        cmocka_unit_test(the_exchange_ends_before),
        cmocka_unit_test(more_than_the_limit),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(parts_are_saved),
        cmocka_unit_test(a_part_is_too_long),
        cmocka_unit_test(a_large_part),
        cmocka_unit_test(memory_runs_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
