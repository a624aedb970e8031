/*
 * A request's content: streamed, paused, collected, read as a form or as multipart, tunnelled; and
 * the accessors of a request.
 */
#include <string.h>

#include "unit/exchange/double.h"

#define POST(fields) "POST /a%20b?q=1%2B1&empty HTTP/1.1\r\nHost: h:80\r\n" fields "\r\n"

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

static void accessors(void **state)
{
    struct stage stage;
    struct call call;
    size_t count;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(
        call_begin(&call, &stage, POST("Cookie: a=1; b=2\r\nX: \r\nx: second\r\n"), nothing, NULL));
    px_exchange *exchange = call.exchange;

    assert_str_equal(px_request_method(exchange), LITERAL("POST"));
    assert_str_equal(px_request_target(exchange), LITERAL("/a%20b?q=1%2B1&empty"));
    assert_str_equal(px_request_path(exchange), LITERAL("/a b"));
    assert_str_equal(px_request_raw_path(exchange), LITERAL("/a%20b"));
    assert_str_equal(px_request_query(exchange), LITERAL("q=1%2B1&empty"));
    assert_str_equal(px_request_query_param(exchange, "q"), LITERAL("1+1"));
    assert_str_equal(px_request_query_param(exchange, "empty"), LITERAL(""));
    assert_null(px_request_query_param(exchange, "Q").ptr);
    assert_str_equal(px_request_authority(exchange), LITERAL("h:80"));
    assert_str_equal(px_request_scheme(exchange), LITERAL("http"));
    assert_int_equal(px_request_version(exchange), 11);
    assert_str_equal(px_request_field(exchange, "hOST"), LITERAL("h:80"));
    assert_str_equal(px_request_field(exchange, "X"), LITERAL(""));
    assert_null(px_request_field(exchange, "Y").ptr);
    assert_non_null(px_request_fields(exchange, &count));
    assert_int_equal(count, 4);
    assert_str_equal(px_request_cookie(exchange, "b"), LITERAL("2"));
    assert_int_equal(px_request_cookie(exchange, "a").ptr[1], 0);
    assert_null(px_request_cookie(exchange, "c").ptr);
    assert_null(px_request_param(exchange, "id").ptr);
    assert_null(px_request_pattern(exchange));
    assert_int_equal(px_request_content_length(exchange), 0);
    assert_null(px_request_trailers(exchange, &count));
    assert_int_equal(count, 0);
    assert_str_equal(px_exchange_peer(exchange), LITERAL("192.0.2.1:80"));
    assert_ptr_equal(px_exchange_peer(exchange).ptr, px_exchange_peer(exchange).ptr);
    assert_str_equal(px_exchange_local(exchange), LITERAL("[2001:db8::1]:8080"));
    assert_ptr_equal(px_exchange_loop(exchange), stage.loop);
    assert_null(px_exchange_user_data(exchange));
    px_exchange_set_user_data(exchange, &stage);
    assert_ptr_equal(px_exchange_user_data(exchange), &stage);
    assert_int_equal(call.content_ended, 1);
    call_finish(&call);
    stage_close(&stage);
}

static void pause_at_five(px_exchange *exchange, px_str bytes, void *context)
{
    size_t *got = context;

    *got += bytes.len;
    px_request_pause(exchange);
}

static void content_is_streamed_and_paused(void **state)
{
    static const px_exchange_callbacks pausing = {.struct_size = sizeof(px_exchange_callbacks),
                                                  .on_content = pause_at_five};
    struct stage stage;
    struct call call;
    size_t got = 0;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, POST("Content-Length: 20\r\n"), nothing, NULL));
    assert_int_equal(px_request_content_length(call.exchange), 20);
    assert_int_equal(call_receive(&call, LITERAL("01234567890123456789")), 20);
    assert_int_equal(call.content_ended, 0);
    call_receive_end(&call);
    assert_int_equal(call.content_ended, 1);
    assert_str_equal(px_str_make(call.in, call.in_len), LITERAL("01234567890123456789"));
    call_finish(&call);

    assert_true(call_begin(&call, &stage, POST("Transfer-Encoding: chunked\r\n"), nothing, NULL));
    assert_int_equal(px_request_content_length(call.exchange), UINT64_MAX);
    px_exchange_set_callbacks(call.exchange, &pausing, &got);
    px_request_resume(call.exchange); /* it is not paused */
    assert_int_equal(call.credits, 0);
    assert_int_equal(call_receive(&call, LITERAL("01234567890123456789")), 7);
    assert_int_equal(call_receive(&call, LITERAL("7890123456789")), 0);
    px_request_resume(call.exchange);
    assert_int_equal(got, 7); /* never calls back itself */
    assert_int_equal(call.credits, 1);
    px_request_resume(call.exchange);
    assert_int_equal(call.credits, 1);
    assert_int_equal(call_receive(&call, LITERAL("7890123456789")), 7);
    px_request_pause(call.exchange);
    px_request_pause(call.exchange);
    px_request_resume(call.exchange);
    assert_int_equal(call_receive(&call, LITERAL("456789")), 6);
    assert_int_equal(got, 20);
    call_end(&call, PX_END_PEER_GONE);
    pump_until(stage.loop, stage.service.exchanges.taken == 0);
    stage_close(&stage);
}

static void content_passes_its_limit(void **state)
{
    static char text[5000];
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, POST("Transfer-Encoding: chunked\r\n"), nothing, NULL));
    memset(text, 'x', sizeof(text));
    assert_true(call_receive(&call, px_str_make(text, 4090)) == 4090);
    assert_true(call_receive(&call, px_str_make(text, 7)) == 7);
    assert_null(call.exchange);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_REFUSED);
    stage_close(&stage);
}

/* --- Collecting ------------------------------------------------------------------------------- */

struct collecting {
    uint64_t bytes_max;
    uint32_t told;
    char text[128];
    size_t len;
};

static void collected(px_exchange *exchange, px_str content, void *context)
{
    struct collecting *collecting = context;

    collecting->told++;
    assert_non_null(content.ptr);
    assert_int_equal(content.ptr[content.len], 0); /* ends in NUL */
    assert_ptr_equal(px_request_content(exchange).ptr, content.ptr);
    collecting->len = content.len;
    memcpy(collecting->text, content.ptr, content.len);
    px_respond_text(exchange, 200, "ok");
}

static void collect(px_exchange *exchange, void *context)
{
    struct collecting *collecting = context;

    px_request_collect(exchange, collecting->bytes_max, collected, collecting);
    assert_int_equal(collecting->told, 0); /* from the loop */
    assert_null(px_request_content(exchange).ptr);
}

static void collect_before_the_end(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (uint64_t bytes_max = 0; bytes_max < 25; bytes_max++) {
        struct collecting collecting = {.bytes_max = bytes_max};

        assert_true(
            call_begin(&call, &stage, POST("Content-Length: 20\r\n"), collect, &collecting));
        call_receive(&call, LITERAL("01234567890123456789"));
        if (call.exchange) {
            call_receive_end(&call);
            assert_int_equal(collecting.told, 1);
            assert_str_equal(px_str_make(collecting.text, collecting.len),
                             LITERAL("01234567890123456789"));
            call_drive(&call);
        }
        assert_int_equal(call.done, bytes_max >= 20);
        assert_int_equal(call.in_len, 0); /* on_content is not called any more */
        call_finish(&call);
        assert_int_equal(collecting.told, bytes_max >= 20 ? 1 : 0);
        assert_int_equal(call.end, bytes_max >= 20 ? PX_END_COMPLETE : PX_END_REFUSED);
    }
    stage_close(&stage);
}

static void collect_without_content_and_after_the_end(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (int late = 0; late < 2; late++) {
        struct collecting collecting = {.bytes_max = 100};

        assert_true(call_begin(&call, &stage, POST(""), late ? nothing : collect, &collecting));
        if (late) {
            px_request_collect(call.exchange, 100, collected, &collecting);
            assert_int_equal(collecting.told, 0);
            assert_int_equal(call.credits, 1); /* the transport asks */
        }
        call_drive(&call);
        call_drive(&call);
        assert_int_equal(collecting.told, 1);
        assert_int_equal(collecting.len, 0);
        assert_true(call.done);
        call_finish(&call);
    }
    stage_close(&stage);
}

static void collecting_ends_with_the_exchange(void **state)
{
    struct stage stage;
    struct call call;
    struct collecting collecting = {.bytes_max = 100};

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, POST("Content-Length: 20\r\n"), collect, &collecting));
    call_receive(&call, LITERAL("0123"));
    call_finish(&call);
    assert_int_equal(collecting.told, 0);
    assert_int_equal(call.end, PX_END_PEER_GONE);
    stage_close(&stage);
}

/* --- Forms ------------------------------------------------------------------------------------ */

static void form_check(px_exchange *exchange, px_str content, void *context)
{
    size_t count;

    (void)content;
    *(uint32_t *)context += 1;
    assert_str_equal(px_request_form_param(exchange, "name"), LITERAL("J\xc3\xbcrgen M"));
    assert_str_equal(px_request_form_param(exchange, "x"), LITERAL("1"));
    assert_null(px_request_form_param(exchange, "y").ptr);
    const px_field *pairs = px_request_form(exchange, &count);

    assert_int_equal(count, 3);
    assert_str_equal(pairs[2].value, LITERAL("2"));
    px_respond_text(exchange, 200, "ok");
}

static void form_absent(px_exchange *exchange, px_str content, void *context)
{
    size_t count = 7;

    (void)content;
    *(uint32_t *)context += 1;
    assert_null(px_request_form(exchange, &count));
    assert_int_equal(count, 0);
    assert_null(px_request_form_param(exchange, "name").ptr);
    px_respond_text(exchange, 200, "ok");
}

static void collect_form(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, 1000, form_check, context);
}

static void collect_other(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, 1000, form_absent, context);
}

static void url_encoded_forms(void **state)
{
    static const char text[] = "name=J%C3%BCrgen+M&x=1&x=2";
    struct stage stage;
    struct call call;
    uint32_t told = 0;

    (void)state;
    stage_open(&stage, NULL);
    for (int other = 0; other < 2; other++) {
        assert_true(call_begin(
            &call, &stage,
            other ? POST("Content-Type: text/plain\r\nContent-Length: 26\r\n")
                  : POST("Content-Type: application/X-www-form-urlencoded; charset=utf-8\r\n"
                         "Content-Length: 26\r\n"),
            other ? collect_other : collect_form, &told));
        assert_int_equal(call_receive(&call, LITERAL("name=J%C3%BCrgen+M&x=1&x=2")),
                         sizeof(text) - 1);
        call_receive_end(&call);
        call_drive(&call);
        assert_true(call.done);
        call_finish(&call);
    }
    assert_int_equal(told, 2);
    stage_close(&stage);
}

struct parts {
    char log[512];
    uint32_t ends;
    px_err result;
};

static void part_log(struct parts *parts, const char *text, px_str str)
{
    size_t len = strlen(parts->log);

    snprintf(parts->log + len, sizeof(parts->log) - len, "%s%.*s", text, (int)str.len,
             str.ptr ? str.ptr : "");
}

static void on_part(px_exchange *exchange, const px_part_head *head, void *context)
{
    (void)exchange;
    part_log(context, "[", head->name);
    if (head->filename.ptr)
        part_log(context, "|", head->filename);
    part_log(context, ":", px_str_make(NULL, 0));
}

static void on_part_content(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    part_log(context, "", bytes);
}

static void on_part_end(px_exchange *exchange, void *context)
{
    (void)exchange;
    part_log(context, "]", px_str_make(NULL, 0));
}

static void on_multipart_end(px_exchange *exchange, px_err result, void *context)
{
    struct parts *parts = context;

    parts->ends++;
    parts->result = result;
    px_respond_text(exchange, result == PX_OK ? 200 : 400, "done");
}

static void read_multipart(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = {
        sizeof(px_multipart_callbacks), on_part, on_part_content, on_part_end, on_multipart_end};

    assert_int_equal(px_request_multipart(exchange, &callbacks, context), PX_OK);
}

static void refuse_multipart(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = {.struct_size = sizeof(callbacks)};

    assert_int_equal(px_request_multipart(exchange, &callbacks, context), PX_ERR_INVALID);
    px_respond_error(exchange, 415);
}

static void multipart_forms(void **state)
{
    static const char good[] =
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n"
        "Content-Type: text/plain\r\n\r\n\r\n--b--\r\n";
    struct stage stage;
    struct call call;
    struct parts parts = {0};

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage,
                           POST("Content-Type: multipart/form-data; boundary=b\r\n"
                                "Transfer-Encoding: chunked\r\n"),
                           read_multipart, &parts));
    assert_int_equal(call_receive(&call, px_str_of(good)), sizeof(good) - 1);
    assert_int_equal(parts.ends, 0);
    call_receive_end(&call);
    assert_string_equal(parts.log, "[a:one][f|x.txt:]");
    assert_int_equal(parts.ends, 1);
    assert_int_equal(parts.result, PX_OK);
    call_drive(&call);
    call_finish(&call);
    /* Cut short, and broken: told once, at the byte. */
    for (int broken = 0; broken < 2; broken++) {
        memset(&parts, 0, sizeof(parts));
        assert_true(call_begin(&call, &stage,
                               POST("Content-Type: multipart/form-data; boundary=b\r\n"
                                    "Transfer-Encoding: chunked\r\n"),
                               read_multipart, &parts));
        call_receive(&call, broken ? LITERAL("--b\r\nno colon\r\n\r\n") : px_str_make(good, 60));
        call_receive(&call, LITERAL("and more of it"));
        call_receive_end(&call);
        assert_int_equal(parts.ends, 1);
        assert_int_equal(parts.result, PX_ERR_MALFORMED);
        call_drive(&call);
        assert_int_equal(call.status, 400);
        call_finish(&call);
    }
    assert_true(
        call_begin(&call, &stage, POST("Content-Type: text/plain\r\n"), refuse_multipart, NULL));
    call_drive(&call);
    call_finish(&call);
    stage_close(&stage);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

struct tunnel {
    char in[64];
    size_t in_len;
    uint32_t ended;
};

static void tunnel_receive(px_exchange *exchange, px_str bytes, void *context)
{
    struct tunnel *tunnel = context;

    memcpy(tunnel->in + tunnel->in_len, bytes.ptr, bytes.len);
    tunnel->in_len += bytes.len;
    px_response_write(exchange, bytes);
}

static void tunnel_receive_end(px_exchange *exchange, void *context)
{
    struct tunnel *tunnel = context;

    tunnel->ended++;
    px_response_end(exchange);
}

static void open_tunnel(px_exchange *exchange, void *context)
{
    static const px_tunnel_callbacks callbacks = {.struct_size = sizeof(px_tunnel_callbacks),
                                                  .on_receive = tunnel_receive,
                                                  .on_receive_end = tunnel_receive_end};

    px_respond_tunnel(exchange,
                      exchange->arrival.method == METHOD_CONNECT ? px_str_make(NULL, 0)
                                                                 : LITERAL("echo"),
                      &callbacks, context);
}

static void tunnels(void **state)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other, Echo\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (int connect = 0; connect < 2; connect++) {
        struct tunnel tunnel = {.in_len = 0};

        assert_true(call_begin(&call, &stage, heads[connect], open_tunnel, &tunnel));
        call_drive(&call);
        assert_int_equal(call.status, connect ? 200 : 101);
        assert_int_equal(call_receive(&call, LITERAL("hello there")), 11);
        call_drive(&call);
        assert_str_equal(call_content(&call), LITERAL("hello there"));
        call_receive_end(&call);
        assert_int_equal(tunnel.ended, 1);
        call_drive(&call);
        assert_true(call.done);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_COMPLETE);
    }
    stage_close(&stage);
}

static void requests_that_cannot_be_tunnels(void **state)
{
    static const char *const heads[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: echo\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(heads); index++) {
        struct tunnel tunnel = {.in_len = 0};

        assert_true(call_begin(&call, &stage, heads[index], open_tunnel, &tunnel));
        call_drive(&call);
        assert_int_equal(call.status, 400);
        assert_true(call.done);
        call_finish(&call);
    }
    stage_close(&stage);
}

/* Uses `step` bytes of what it is shown, at most. */
struct sipper {
    size_t step;
    size_t len;
    uint32_t calls;
    char text[64];
};

static size_t sip(px_exchange *exchange, px_str bytes, void *context)
{
    struct sipper *sipper = context;
    size_t count = bytes.len < sipper->step ? bytes.len : sipper->step;

    (void)exchange;
    sipper->calls++;
    memcpy(sipper->text + sipper->len, bytes.ptr, count);
    sipper->len += count;
    return count;
}

/* A receiver that uses a part is shown the rest again, after it has resumed, and nothing is lost.
 */
static void content_is_used_in_parts(void **state)
{
    static const px_exchange_callbacks sipping = {.struct_size = sizeof(sipping),
                                                  .on_content_some = sip};
    static const char content[] = "all of these bytes, in order";

    (void)state;
    for (size_t step = 1; step <= sizeof(content); step++) {
        struct stage stage;
        struct call call;
        struct sipper sipper = {.step = step};
        size_t at = 0;

        stage_open(&stage, NULL);
        assert_true(call_begin(&call, &stage, POST("Content-Length: 28\r\n"), nothing, NULL));
        px_exchange_set_callbacks(call.exchange, &sipping, &sipper);
        while (at < sizeof(content) - 1) {
            size_t used = call_receive(&call, px_str_make(content + at, sizeof(content) - 1 - at));

            at += used;
            assert_int_equal(sipper.len, at);
            if (at < sizeof(content) - 1) {
                assert_false(exchange_takes_content(call.exchange));
                px_request_resume(call.exchange);
            }
        }
        call_receive_end(&call);
        assert_memory_equal(sipper.text, content, sizeof(content) - 1);
        call_finish(&call);
        stage_close(&stage);
    }
}

static size_t use_too_much(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    (void)context;
    return bytes.len + 1;
}

static void content_is_not_used_beyond_its_end(void **state)
{
    static const px_exchange_callbacks wrong = {.struct_size = sizeof(wrong),
                                                .on_content_some = use_too_much};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, POST("Content-Length: 3\r\n"), nothing, NULL));
    px_exchange_set_callbacks(call.exchange, &wrong, NULL);
    call_receive(&call, LITERAL("abc"));
    call_drive(&call);
    assert_int_equal(call.status, 500);
    call_finish(&call);
    stage_close(&stage);
}

static void collected_is_told(px_exchange *exchange, px_str content, void *context)
{
    (void)exchange;
    (void)content;
    ++*(uint32_t *)context;
}

/* A part of the content is not given for the whole. */
static void collecting_too_late_aborts(void **state)
{
    struct stage stage;
    struct call call;
    uint32_t told = 0;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, POST("Content-Length: 20\r\n"), nothing, NULL));
    assert_int_equal(call_receive(&call, LITERAL("0123456789")), 10);
    px_request_collect(call.exchange, 100, collected_is_told, &told);
    call_receive(&call, LITERAL("0123456789"));
    call_receive_end(&call);
    call_drive(&call);
    assert_int_equal(told, 0);
    assert_int_equal(call.status, 500);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_ABORTED);
    stage_close(&stage);
}

/* Pauses in every call. */
struct pauser {
    bool paused;
    uint32_t calls;
    char order[32];
};

static void pauser_note(px_exchange *exchange, struct pauser *pauser, char what)
{
    assert_false(pauser->paused);
    pauser->order[pauser->calls++] = what;
    pauser->paused = true;
    px_request_pause(exchange);
}

static void pauser_part(px_exchange *exchange, const px_part_head *head, void *context)
{
    (void)head;
    pauser_note(exchange, context, 'p');
}

static void pauser_content(px_exchange *exchange, px_str bytes, void *context)
{
    (void)bytes;
    pauser_note(exchange, context, 'c');
}

static void pauser_part_end(px_exchange *exchange, void *context)
{
    pauser_note(exchange, context, 'e');
}

static void pauser_end(px_exchange *exchange, px_err result, void *context)
{
    assert_int_equal(result, PX_OK);
    pauser_note(exchange, context, '.');
}

/* Within one piece of content too, nothing is told between a pause and the resume. */
static void a_form_is_paused_between_any_two_calls(void **state)
{
    static const px_multipart_callbacks callbacks = {sizeof(callbacks), pauser_part, pauser_content,
                                                     pauser_part_end, pauser_end};
    static const char content[] = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\none\r\n"
                                  "--b\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n--b--";
    struct stage stage;
    struct call call;
    struct pauser pauser = {0};
    size_t at = 0;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage,
                           POST("Content-Type: multipart/form-data; boundary=b\r\n"
                                "Transfer-Encoding: chunked\r\n"),
                           nothing, NULL));
    assert_int_equal(px_request_multipart(call.exchange, &callbacks, &pauser), PX_OK);
    while (at < sizeof(content) - 1) {
        size_t used;

        assert_int_equal(exchange_receive(call.exchange,
                                          px_str_make(content + at, sizeof(content) - 1 - at),
                                          &used),
                         PX_OK);
        at += used;
        pauser.paused = false;
        px_request_resume(call.exchange);
    }
    call_receive_end(&call);
    assert_string_equal(pauser.order, "pcepe.");
    call_finish(&call);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_is_used_in_parts),
        cmocka_unit_test(content_is_not_used_beyond_its_end),
        cmocka_unit_test(collecting_too_late_aborts),
        cmocka_unit_test(a_form_is_paused_between_any_two_calls),
        cmocka_unit_test(accessors),
        cmocka_unit_test(content_is_streamed_and_paused),
        cmocka_unit_test(content_passes_its_limit),
        cmocka_unit_test(collect_before_the_end),
        cmocka_unit_test(collect_without_content_and_after_the_end),
        cmocka_unit_test(collecting_ends_with_the_exchange),
        cmocka_unit_test(url_encoded_forms),
        cmocka_unit_test(multipart_forms),
        cmocka_unit_test(tunnels),
        cmocka_unit_test(requests_that_cannot_be_tunnels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
