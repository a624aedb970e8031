/*
 * Answering: now, twice, never, too late; what is released; fields, cookies, redirects, error
 * pages, informational responses.
 */
#include <string.h>
#include <unistd.h>

#include "unit/exchange/double.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const px_str no_type = {NULL, 0};

/* The peer was told 500, or the program gave up before anything was out. */
static bool is_broken(const struct call *call)
{
    return call->resets == 0 ? call->taken && call->status == 500 : !call->taken;
}

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

/* Runs one exchange whole. */
static void run(struct call *call, struct stage *stage, const char *head, px_handler handler,
                void *context)
{
    assert_true(call_begin(call, stage, head, handler, context));
    call_drive(call);
}

static void answer_text(px_exchange *exchange, void *context)
{
    px_respond_text(exchange, 200, context);
}

static void answer_now(void **state)
{
    struct stage stage;
    struct call call;
    char text[] = "copied";

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, answer_text, text));
    assert_int_equal(call.heads, 1);
    assert_int_equal(px_response_status(call.exchange), 200);
    memset(text, 'x', sizeof(text)); /* it was copied */
    call_drive(&call);
    assert_true(call.done);
    assert_int_equal(call.status, 200);
    assert_int_equal(call.length, 6);
    assert_string_equal(call.head, "Content-Type: text/plain; charset=utf-8\n");
    assert_str_equal(call_content(&call), LITERAL("copied"));
    assert_int_equal(call.ended, 0); /* at the end of the tick */
    call_finish(&call);
    assert_int_equal(call.ended, 1);
    assert_int_equal(call.end, PX_END_COMPLETE);
    assert_int_equal(stage.service.aborted, 0);
    stage_close(&stage);
}

static void answer_never(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

static void never_answered_ends_with_its_peer(void **state)
{
    static const px_end ends[] = {PX_END_PEER_GONE, PX_END_TIMEOUT, PX_END_SERVER_CLOSED};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(ends); index++) {
        run(&call, &stage, get, answer_never, NULL);
        assert_false(call.taken);
        call_end(&call, ends[index]);
        call_finish(&call);
        assert_int_equal(call.end, ends[index]);
    }
    assert_int_equal(stage.service.aborted, 3);
    stage_close(&stage);
}

/* --- What is released ------------------------------------------------------------------------- */

struct released {
    uint32_t count;
    int fd;
    int how;
};

static void release_body(void *context)
{
    ((struct released *)context)->count++;
}

static void release_file(int fd, void *context)
{
    struct released *released = context;

    assert_int_equal(fd, released->fd);
    released->count++;
}

static px_pull pull_end(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                        void *context)
{
    (void)exchange;
    (void)out;
    (void)room;
    (void)context;
    *out_bytes = 0;
    return PX_PULL_END;
}

static void give(px_exchange *exchange, struct released *released)
{
    px_body body = {sizeof(px_body), LITERAL("static"), release_body, released};
    px_producer producer = {sizeof(px_producer), pull_end, release_body, released};
    px_file_range file = {.struct_size = sizeof(px_file_range),
                          .fd = released->fd,
                          .length = 3,
                          .release = release_file,
                          .context = released};

    switch (released->how % 3) {
    case 0:
        px_respond_body(exchange, 200, px_str_make(NULL, 0), &body);
        break;
    case 1:
        px_respond_producer(exchange, 200, px_str_make(NULL, 0), PX_LENGTH_UNKNOWN, &producer);
        break;
    case 2:
        px_respond_file(exchange, 200, px_str_make(NULL, 0), &file);
        break;
    }
}

static void give_once(px_exchange *exchange, void *context)
{
    give(exchange, context);
}

static void give_after_an_answer(px_exchange *exchange, void *context)
{
    px_respond_text(exchange, 200, "first");
    give(exchange, context);
}

static void give_after_abort(px_exchange *exchange, void *context)
{
    px_exchange_abort(exchange);
    give(exchange, context);
}

static void give_then_abort(px_exchange *exchange, void *context)
{
    give(exchange, context);
    px_exchange_abort(exchange);
}

static void give_with_bad_status(px_exchange *exchange, void *context)
{
    struct released *released = context;
    px_body body = {sizeof(px_body), LITERAL("x"), release_body, released};
    px_producer producer = {sizeof(px_producer), pull_end, release_body, released};
    px_file_range file = {.struct_size = sizeof(px_file_range),
                          .fd = released->fd,
                          .length = 3,
                          .release = release_file,
                          .context = released};

    switch (released->how % 3) {
    case 0:
        px_respond_body(exchange, 199, px_str_make(NULL, 0), &body);
        break;
    case 1:
        px_respond_producer(exchange, 600, px_str_make(NULL, 0), 0, &producer);
        break;
    case 2:
        px_respond_file(exchange, 200, LITERAL("bad\r\ntype"), &file);
        break;
    }
}

/* `release` is called exactly once in every path. */
static void release_is_called_once(void **state)
{
    static const px_handler handlers[] = {give_once, give_after_an_answer, give_after_abort,
                                          give_then_abort, give_with_bad_status};
    struct stage stage;
    struct call call;
    struct released released = {.fd = file_make(3)};

    (void)state;
    stage_open(&stage, NULL);
    for (size_t handler = 0; handler < ARRAY_COUNT(handlers); handler++) {
        for (released.how = 0; released.how < 9; released.how++) {
            released.count = 0;
            const char *head = released.how / 3 == 1 ? "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" : get;

            assert_true(call_begin(&call, &stage, head, handlers[handler], &released));
            if (released.how / 3 == 2)
                call_end(&call, PX_END_PEER_GONE); /* left before it could be sent */
            else
                call_drive(&call);
            call_finish(&call);
            assert_int_equal(released.count, 1);
            assert_int_equal(call.ended, 1);
            if (handler == 0 && released.how < 6)
                assert_int_equal(call.end, PX_END_COMPLETE);
            if (handler > 0)
                assert_int_equal(call.end, PX_END_ABORTED);
        }
    }
    close(released.fd);
    stage_close(&stage);
}

/* --- Rules that can be broken ----------------------------------------------------------------- */

static void twice(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "one");
    px_respond_text(exchange, 200, "two");
}

static void twice_by_tunnel(px_exchange *exchange, void *context)
{
    static const px_tunnel_callbacks tunnel = {.struct_size = sizeof(tunnel)};

    (void)context;
    px_respond_text(exchange, 200, "one");
    px_respond_tunnel(exchange, LITERAL("echo"), &tunnel, NULL);
}

static void twice_by_pieces(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_start(exchange, 200, px_str_make(NULL, 0), PX_LENGTH_UNKNOWN);
    px_response_start(exchange, 200, px_str_make(NULL, 0), PX_LENGTH_UNKNOWN);
}

static void twice_by_error(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_error(exchange, 404);
    px_respond_error(exchange, 500);
}

static void write_without_start(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_write(exchange, LITERAL("x"));
}

static void end_without_start(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_end(exchange);
}

static void write_after_end(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_start(exchange, 200, px_str_make(NULL, 0), PX_LENGTH_UNKNOWN);
    px_response_end(exchange);
    px_response_write(exchange, LITERAL("x"));
}

static void redirect_bad_status(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_redirect(exchange, 200, LITERAL("/"));
}

static void redirect_bad_location(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_redirect(exchange, 302, LITERAL("/\r\nSet-Cookie: x=y"));
}

static void error_bad_status(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_error(exchange, 200);
}

static void inform_101(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_inform(exchange, 101, px_str_make(NULL, 0), px_str_make(NULL, 0));
}

static void inform_200(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_inform(exchange, 200, px_str_make(NULL, 0), px_str_make(NULL, 0));
}

static void inform_after_the_answer(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "x");
    px_response_inform(exchange, 103, LITERAL("Link"), LITERAL("</a>"));
}

static void status_too_low(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "x");
    px_response_set_status(exchange, 199);
}

static void abort_twice(px_exchange *exchange, void *context)
{
    (void)context;
    px_exchange_abort(exchange);
    px_exchange_abort(exchange);
    px_respond_text(exchange, 200, "x");
    px_response_add_field(exchange, LITERAL("A"), LITERAL("b"));
    px_response_start(exchange, 200, px_str_make(NULL, 0), 0);
    px_response_write(exchange, LITERAL("x"));
    px_response_end(exchange);
    px_respond_error(exchange, 500);
    px_respond_redirect(exchange, 302, LITERAL("/"));
    px_response_inform(exchange, 103, px_str_make(NULL, 0), px_str_make(NULL, 0));
    assert_int_equal(px_response_room(exchange), 0);
}

static void broken_rules_abort(void **state)
{
    static const px_handler handlers[] = {twice,
                                          twice_by_tunnel,
                                          twice_by_pieces,
                                          twice_by_error,
                                          write_without_start,
                                          end_without_start,
                                          write_after_end,
                                          redirect_bad_status,
                                          redirect_bad_location,
                                          error_bad_status,
                                          inform_101,
                                          inform_200,
                                          inform_after_the_answer,
                                          status_too_low,
                                          abort_twice};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(handlers); index++) {
        run(&call, &stage, get, handlers[index], NULL);
        if (!is_broken(&call))
            fail_msg("handler %zu broke a rule and was neither told nor reset", index);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_ABORTED);
    }
    assert_int_equal(stage.service.aborted, ARRAY_COUNT(handlers));
    stage_close(&stage);
}

/* --- Fields ----------------------------------------------------------------------------------- */

struct one_field {
    px_str name;
    px_str value;
    int how; /* 0: add, 1: set, 2: trailer, 3: inform */
};

static void set_one_field(px_exchange *exchange, void *context)
{
    const struct one_field *field = context;

    switch (field->how) {
    case 0:
        px_response_add_field(exchange, field->name, field->value);
        break;
    case 1:
        px_response_set_field(exchange, field->name, field->value);
        break;
    case 2:
        px_response_add_trailer(exchange, field->name, field->value);
        break;
    case 3:
        px_response_inform(exchange, 103, field->name, field->value);
        break;
    }
    px_respond_text(exchange, 200, "x");
}

static void invalid_and_framing_fields_are_refused(void **state)
{
    const struct one_field fields[] = {
        {LITERAL("Bad\r\n"), LITERAL("x"), 0},
        {LITERAL("X"), LITERAL("a\r\nSet-Cookie: b"), 0},
        {LITERAL("X"), LITERAL("a\nb"), 0},
        {LITERAL("X"), LITERAL("a\rb"), 0},
        {LITERAL("X"), LITERAL("a\0b"), 0},
        {LITERAL("X"), LITERAL("a\x7f"), 0},
        {LITERAL("X"), LITERAL("a\x01"), 0},
        {LITERAL(""), LITERAL("x"), 0},
        {LITERAL("a b"), LITERAL("x"), 0},
        {LITERAL("a:"), LITERAL("x"), 0},
        {LITERAL("Content-Length"), LITERAL("5"), 0},
        {LITERAL("content-length"), LITERAL("5"), 0},
        {LITERAL("Transfer-Encoding"), LITERAL("chunked"), 0},
        {LITERAL("Connection"), LITERAL("close"), 0},
        {LITERAL("Keep-Alive"), LITERAL("x"), 0},
        {LITERAL("Upgrade"), LITERAL("x"), 0},
        {LITERAL("TE"), LITERAL("trailers"), 0},
        {LITERAL("Trailer"), LITERAL("x"), 0},
    };
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(fields); index++) {
        for (int how = 0; how < 4; how++) {
            struct one_field field = fields[index];

            field.how = how;
            run(&call, &stage, get, set_one_field, &field);
            if (!is_broken(&call))
                fail_msg("field %zu was taken (%d)", index, how);
            call_finish(&call);
            assert_int_equal(call.end, PX_END_ABORTED);
        }
    }
    stage_close(&stage);
}

static void fields_of_all_kinds(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_add_field(exchange, LITERAL("X-One"), LITERAL("1"));
    px_response_add_field(exchange, LITERAL("x-one"), LITERAL("2"));
    px_response_add_field(exchange, LITERAL("X-Two"), LITERAL(""));
    assert_str_equal(px_response_field(exchange, "X-ONE"), LITERAL("1"));
    px_response_set_field(exchange, LITERAL("X-ONE"), LITERAL("3"));
    assert_str_equal(px_response_field(exchange, "x-one"), LITERAL("3"));
    px_response_add_field(exchange, LITERAL("X-Gone"), LITERAL("4"));
    px_response_set_field(exchange, LITERAL("x-gone"), px_str_make(NULL, 0));
    assert_null(px_response_field(exchange, "X-Gone").ptr);
    px_response_set_field(exchange, LITERAL("X-Never"), px_str_make(NULL, 0));
    px_response_set_field(exchange, LITERAL("Content-Type"), LITERAL("a/b"));
    assert_str_equal(px_response_field(exchange, "content-type"), LITERAL("a/b"));
    px_response_add_field(exchange, LITERAL("X-Obs"), LITERAL("\xe4\xf6"));
    px_respond(exchange, 200, px_str_make(NULL, 0), LITERAL(""));
    /* Until the head is taken. */
    px_response_add_field(exchange, LITERAL("X-Late"), LITERAL("5"));
}

static void add_set_replace_remove(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    run(&call, &stage, get, fields_of_all_kinds, NULL);
    assert_string_equal(call.head, "Content-Type: a/b\nX-Two: \nX-ONE: 3\nX-Obs: \xe4\xf6\n"
                                   "X-Late: 5\n");
    call_finish(&call);
    assert_int_equal(call.end, PX_END_COMPLETE);
    stage_close(&stage);
}

/* --- Kept fields ------------------------------------------------------------------------------ */

static void kept_fields(px_exchange *exchange, void *context)
{
    size_t count;

    px_response_lend(exchange, context);
    px_response_fields(exchange, &count);
    if (count > 0) {
        /* What changes does so in a copy. */
        px_response_add_field(exchange, LITERAL("X-More"), LITERAL("1"));
        px_response_set_field(exchange, LITERAL("X-Kept"), px_str_make(NULL, 0));
    }
    px_respond(exchange, 200, px_str_make(NULL, 0), LITERAL("x"));
}

static void kept_fields_are_lent(void **state)
{
    px_field fields[2] = {{{"X-Kept", 6}, {"a", 1}}, {{"X-Other", 7}, {"b", 1}}};
    px_kept_fields kept = {.type = {"a/b", 3}, .fields = fields, .count = 2};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (int again = 0; again < 2; again++) {
        run(&call, &stage, get, kept_fields, &kept);
        assert_string_equal(call.head, "Content-Type: a/b\nX-Other: b\nX-More: 1\n");
        assert_int_equal(kept.checked, 1);
        assert_str_equal(fields[0].name, px_str_of("X-Kept"));
        call_finish(&call);
    }
    stage_close(&stage);
}

static void kept_fields_that_cannot_be_sent_abort(void **state)
{
    static const px_field bad[] = {{{"X-Kept", 6}, {"a\r\nb", 4}},
                                   {{"X Kept", 6}, {"a", 1}},
                                   {{"Content-Length", 14}, {"1", 1}},
                                   {{"content-type", 12}, {"a/b", 3}},
                                   {{"Date", 4}, {"1", 1}},
                                   {{"server", 6}, {"1", 1}}};
    px_kept_fields kept[ARRAY_COUNT(bad) + 2] = {{.type = {"a\nb", 3}}};
    static px_field many[1001];
    struct stage stage;
    struct call call;

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(bad); index++)
        kept[index + 1] = (px_kept_fields){.fields = &bad[index], .count = 1};
    for (size_t index = 0; index < ARRAY_COUNT(many); index++)
        many[index] = (px_field){{"x", 1}, {"y", 1}};
    kept[ARRAY_COUNT(bad) + 1] = (px_kept_fields){.fields = many, .count = ARRAY_COUNT(many)};
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(kept); index++) {
        run(&call, &stage, get, kept_fields, &kept[index]);
        assert_int_equal(call.status, 500);
        assert_int_equal(kept[index].checked, 0);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_ABORTED);
    }
    stage_close(&stage);
}

static void own_date_and_server(px_exchange *exchange, void *context)
{
    const int *how = context;

    if (*how == 1) {
        px_response_set_field(exchange, LITERAL("Date"), LITERAL("long ago"));
        px_response_set_field(exchange, LITERAL("server"), LITERAL("mine"));
    } else if (*how == 2) {
        px_response_set_field(exchange, LITERAL("date"), px_str_make(NULL, 0));
        px_response_set_field(exchange, LITERAL("Server"), px_str_make(NULL, 0));
    }
    px_respond_text(exchange, 200, "x");
    assert_int_equal(exchange->answer.no_date, *how != 0);
    assert_int_equal(exchange->answer.no_server, *how != 0);
}

static void date_and_server_can_be_replaced_and_removed(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (int how = 0; how < 3; how++) {
        run(&call, &stage, get, own_date_and_server, &how);
        assert_int_equal(strstr(call.head, "Date: long ago") != NULL, how == 1);
        assert_int_equal(strstr(call.head, "server: mine") != NULL, how == 1);
        call_finish(&call);
    }
    stage_close(&stage);
}

static void late_field(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_start(exchange, 200, px_str_make(NULL, 0), PX_LENGTH_UNKNOWN);
}

static void fields_behind_the_head_abort(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (int how = 0; how < 4; how++) {
        run(&call, &stage, get, late_field, NULL);
        assert_true(call.taken);
        switch (how) {
        case 0:
            px_response_add_field(call.exchange, LITERAL("A"), LITERAL("b"));
            break;
        case 1:
            px_response_set_field(call.exchange, LITERAL("A"), px_str_make(NULL, 0));
            break;
        case 2:
            px_response_set_status(call.exchange, 404);
            break;
        case 3: {
            const px_cookie cookie = {
                .struct_size = sizeof(px_cookie), .name = LITERAL("a"), .value = LITERAL("b")};

            px_response_add_cookie(call.exchange, &cookie);
            break;
        }
        }
        assert_int_equal(call.resets, 1);
        call_drive(&call);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_ABORTED);
    }
    stage_close(&stage);
}

static void too_many_fields(px_exchange *exchange, void *context)
{
    (void)context;
    for (int count = 0; count < 5000; count++)
        px_response_add_field(exchange, LITERAL("Name"), LITERAL("value"));
    px_respond_text(exchange, 200, "x");
}

static void fields_have_a_limit(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    run(&call, &stage, get, too_many_fields, NULL);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_NO_MEMORY);
    stage_close(&stage);
}

/* --- Cookies, redirects, error pages, 1xx ----------------------------------------------------- */

static void cookies(px_exchange *exchange, void *context)
{
    const px_cookie first = {
        .struct_size = sizeof(px_cookie), .name = LITERAL("id"), .value = LITERAL("42")};
    const px_cookie second = {.struct_size = sizeof(px_cookie),
                              .name = LITERAL("s"),
                              .value = LITERAL("t"),
                              .path = LITERAL("/"),
                              .domain = LITERAL("example.org"),
                              .same_site = LITERAL("lax"),
                              .max_age_s = 60,
                              .secure = 1,
                              .http_only = 1};
    const px_cookie gone = {.struct_size = sizeof(px_cookie),
                            .name = LITERAL("old"),
                            .value = LITERAL(""),
                            .max_age_s = -1};

    (void)context;
    px_response_add_cookie(exchange, &first);
    px_response_add_cookie(exchange, &second);
    px_response_add_cookie(exchange, &gone);
    px_respond(exchange, 204, px_str_make(NULL, 0), LITERAL(""));
}

static void bad_cookie(px_exchange *exchange, void *context)
{
    px_response_add_cookie(exchange, context);
    px_respond_text(exchange, 200, "x");
}

static void cookies_are_written_and_checked(void **state)
{
    const px_cookie bad[] = {
        {.name = LITERAL("a b"), .value = LITERAL("x")},
        {.name = LITERAL("a"), .value = LITERAL("x;y")},
        {.name = LITERAL("a"), .value = LITERAL("x\r\n")},
        {.name = LITERAL("a"), .value = LITERAL("x"), .path = LITERAL("/;x")},
        {.name = LITERAL("a"), .value = LITERAL("x"), .same_site = LITERAL("Maybe")},
        {.name = LITERAL(""), .value = LITERAL("x")},
    };
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    run(&call, &stage, get, cookies, NULL);
    assert_int_equal(call.status, 204);
    assert_non_null(strstr(call.head, "Set-Cookie: id=42\n"));
    assert_non_null(strstr(call.head, "Set-Cookie: s=t; "));
    assert_non_null(strstr(call.head, "; Max-Age=60"));
    assert_non_null(strstr(call.head, "; SameSite=Lax"));
    assert_non_null(strstr(call.head, "; Secure"));
    assert_non_null(strstr(call.head, "; HttpOnly"));
    assert_non_null(strstr(call.head, "Set-Cookie: old=; Max-Age=0\n"));
    call_finish(&call);
    for (size_t index = 0; index < ARRAY_COUNT(bad); index++) {
        run(&call, &stage, get, bad_cookie, (void *)(uintptr_t)&bad[index]);
        if (!is_broken(&call))
            fail_msg("cookie %zu was taken: %s", index, call.head);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_ABORTED);
    }
    stage_close(&stage);
}

static void redirect(px_exchange *exchange, void *context)
{
    px_respond_redirect(exchange, *(unsigned *)context, LITERAL("/there?x=1"));
}

static void redirects(void **state)
{
    static const unsigned statuses[] = {301, 302, 303, 307, 308};
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    for (size_t index = 0; index < ARRAY_COUNT(statuses); index++) {
        unsigned status = statuses[index];

        run(&call, &stage, get, redirect, &status);
        assert_int_equal(call.status, status);
        assert_string_equal(call.head, "Location: /there?x=1\n");
        assert_int_equal(call.length, 0);
        call_finish(&call);
    }
    stage_close(&stage);
}

struct page {
    int how;
    uint32_t calls;
};

static void error_page(px_exchange *exchange, unsigned status, void *context)
{
    struct page *page = context;

    page->calls++;
    switch (page->how) {
    case 0: /* leaves it to pollux, with a field */
        px_response_add_field(exchange, LITERAL("X-Page"), LITERAL("seen"));
        break;
    case 1:
        px_respond(exchange, status, LITERAL("text/html"), LITERAL("<h1>no</h1>"));
        break;
    case 2: /* an error in the error page */
        px_respond_error(exchange, 500);
        break;
    case 3:
        px_exchange_abort(exchange);
        break;
    }
}

static void fail_404(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_error(exchange, 404);
}

static void error_pages_and_their_recursion(void **state)
{
    struct stage stage;
    struct call call;
    struct page page = {0};

    (void)state;
    stage_open(&stage, NULL);
    run(&call, &stage, get, fail_404, NULL);
    assert_str_equal(call_content(&call), LITERAL("404 Not Found\n"));
    call_finish(&call);
    stage.rules.on_error_page = error_page;
    stage.rules.error_page_context = &page;
    for (page.how = 0; page.how < 4; page.how++) {
        page.calls = 0;
        run(&call, &stage, get, fail_404, NULL);
        assert_int_equal(page.calls, 1);
        switch (page.how) {
        case 0:
            assert_str_equal(call_content(&call), LITERAL("404 Not Found\n"));
            assert_non_null(strstr(call.head, "X-Page: seen\n"));
            break;
        case 1:
            assert_str_equal(call_content(&call), LITERAL("<h1>no</h1>"));
            assert_string_equal(call.head, "Content-Type: text/html\n");
            break;
        case 2:
            assert_int_equal(call.status, 500);
            assert_str_equal(call_content(&call), LITERAL("500 Internal Server Error\n"));
            break;
        case 3:
            assert_false(call.taken);
            break;
        }
        call_finish(&call);
        assert_int_equal(call.end, page.how == 3 ? PX_END_ABORTED : PX_END_COMPLETE);
    }
    stage_close(&stage);
}

static void hints(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_inform(exchange, 103, LITERAL("Link"), LITERAL("</style.css>"));
    px_response_inform(exchange, 102, px_str_make(NULL, 0), px_str_make(NULL, 0));
    px_respond_text(exchange, 200, "x");
}

static void informational_responses(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    run(&call, &stage, get, hints, NULL);
    assert_string_equal(call.inform, "103 Link: </style.css>\n102 : \n");
    call_finish(&call);
    assert_int_equal(call.end, PX_END_COMPLETE);
    /* RFC 9110 section 15.2: not to a client of HTTP/1.0. */
    run(&call, &stage, "GET / HTTP/1.0\r\n\r\n", hints, NULL);
    assert_string_equal(call.inform, "");
    assert_true(call.done);
    call_finish(&call);
    stage_close(&stage);
}

/* The arena of an exchange has a hard cap. */
static void take_all(px_exchange *exchange, void *context)
{
    size_t got = 0;

    (void)context;
    for (void *ptr; (ptr = px_exchange_alloc(exchange, 1000)) != NULL; got += 1000) {
        assert_int_equal((uintptr_t)ptr & 7, 0);
        memset(ptr, 1, 1000);
        assert_true(got < 1024 * 1024);
    }
    assert_true(got > 200 * 1024);
    assert_null(px_exchange_alloc(exchange, SIZE_MAX));
    px_respond_text(exchange, 200, "0123456789012345678901234567890123456789");
    for (int count = 0; count < 200; count++)
        px_response_add_field(exchange, LITERAL("Name"), LITERAL("value that needs some room"));
}

static void arena_is_capped(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    run(&call, &stage, get, take_all, NULL);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_NO_MEMORY);
    stage_close(&stage);
}

static void released(void *context)
{
    ++*(uint32_t *)context;
}

/* What was recorded is taken back, and the peer is told; the program hears that it was its fault.
 */
static void what_breaks_before_it_is_out_is_a_500(void **state)
{
    static const char *const ways[] = {"twice", "field", "status", "pieces", "type"};
    size_t ran = 0;

    (void)state;
    for (; ran < sizeof(ways) / sizeof(ways[0]); ran++) {
        struct stage stage;
        struct call call;
        uint32_t count = 0;
        px_body body = {sizeof(px_body), LITERAL("content"), released, &count};

        stage_open(&stage, NULL);
        assert_true(call_begin(&call, &stage, get, nothing, NULL));
        px_response_add_field(call.exchange, LITERAL("X-Secret"), LITERAL("1"));
        px_response_add_field(call.exchange, LITERAL("Server"), LITERAL("mine"));
        px_respond_body(call.exchange, 200, no_type, &body);
        switch (ran) {
        case 0:
            px_respond_text(call.exchange, 200, "again");
            break;
        case 1:
            px_response_add_field(call.exchange, LITERAL("X"), LITERAL("a\r\nb: c"));
            break;
        case 2:
            px_response_set_status(call.exchange, 99);
            break;
        case 3:
            px_response_write(call.exchange, LITERAL("a piece of nothing"));
            break;
        default:
            px_response_add_field(call.exchange, LITERAL("Content-Length"), LITERAL("1"));
            break;
        }
        px_respond_text(call.exchange, 200, "does nothing");
        assert_int_equal(call.resets, 0);
        assert_int_equal(count, 1);
        call_drive(&call);
        assert_int_equal(call.status, 500);
        assert_string_equal(call.head, "Content-Type: text/plain; charset=utf-8\n");
        assert_str_equal(call_content(&call), LITERAL("500 Internal Server Error\n"));
        call_finish(&call);
        assert_int_equal(call.end, PX_END_ABORTED);
        assert_int_equal(count, 1);
        stage_close(&stage);
    }
    assert_int_equal(ran, 5);
}

/* What has begun is not replaced, and what a program gives up by itself is not either. */
static void what_is_out_or_given_up_ends_broken(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++) {
        struct stage stage;
        struct call call;

        stage_open(&stage, NULL);
        assert_true(call_begin(&call, &stage, get, nothing, NULL));
        if (begun) {
            px_response_start(call.exchange, 200, no_type, PX_LENGTH_UNKNOWN);
            call_drive(&call);
            px_response_add_field(call.exchange, LITERAL("Late"), LITERAL("1"));
        } else {
            px_exchange_abort(call.exchange);
        }
        assert_int_equal(call.resets, 1);
        assert_int_equal(exchange_log_status(call.exchange), 500);
        call_drive(&call);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_ABORTED);
        stage_close(&stage);
    }
}

/* Content beyond the arena's cap has memory of its own, up to a bound each and in sum. */
static void large_content_is_copied(void **state)
{
    static char content[96 * 1024];
    struct stage stage;
    struct call calls[RESPOND_COPIES_MAX + 1];

    (void)state;
    memset(content, 'c', sizeof(content));
    stage_open(&stage, NULL);
    stage.service.exchange_bytes_max = 32 * 1024;
    stage.service.respond_bytes_max = sizeof(content);
    for (size_t index = 0; index <= RESPOND_COPIES_MAX; index++) {
        assert_true(call_begin(&calls[index], &stage, get, nothing, NULL));
        px_respond(calls[index].exchange, 200, no_type, px_str_make(content, sizeof(content)));
    }
    assert_int_equal(stage.service.copied_bytes, RESPOND_COPIES_MAX * sizeof(content));
    for (size_t index = 0; index <= RESPOND_COPIES_MAX; index++) {
        call_drive(&calls[index]);
        assert_int_equal(calls[index].status, index < RESPOND_COPIES_MAX ? 200 : 503);
        if (index < RESPOND_COPIES_MAX)
            assert_str_equal(call_content(&calls[index]), px_str_make(content, sizeof(content)));
        call_finish(&calls[index]);
    }
    assert_int_equal(stage.service.copied_bytes, 0);
    stage.service.respond_bytes_max = sizeof(content) - 1;
    assert_true(call_begin(&calls[0], &stage, get, nothing, NULL));
    px_respond(calls[0].exchange, 200, no_type, px_str_make(content, sizeof(content)));
    call_drive(&calls[0]);
    assert_int_equal(calls[0].status, 503);
    call_finish(&calls[0]);
    assert_int_equal(calls[0].end, PX_END_NO_MEMORY);
    stage_close(&stage);
}

static void an_end_may_be_said_twice(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    stage_open(&stage, NULL);
    assert_true(call_begin(&call, &stage, get, nothing, NULL));
    px_response_start(call.exchange, 200, no_type, PX_LENGTH_UNKNOWN);
    px_response_write(call.exchange, LITERAL("piece"));
    px_response_end(call.exchange);
    px_response_end(call.exchange);
    call_drive(&call);
    assert_str_equal(call_content(&call), LITERAL("piece"));
    call_finish(&call);
    assert_int_equal(call.end, PX_END_COMPLETE);
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_breaks_before_it_is_out_is_a_500),
        cmocka_unit_test(what_is_out_or_given_up_ends_broken),
        cmocka_unit_test(large_content_is_copied),
        cmocka_unit_test(an_end_may_be_said_twice),
        cmocka_unit_test(answer_now),
        cmocka_unit_test(never_answered_ends_with_its_peer),
        cmocka_unit_test(release_is_called_once),
        cmocka_unit_test(broken_rules_abort),
        cmocka_unit_test(invalid_and_framing_fields_are_refused),
        cmocka_unit_test(add_set_replace_remove),
        cmocka_unit_test(kept_fields_are_lent),
        cmocka_unit_test(kept_fields_that_cannot_be_sent_abort),
        cmocka_unit_test(date_and_server_can_be_replaced_and_removed),
        cmocka_unit_test(fields_behind_the_head_abort),
        cmocka_unit_test(fields_have_a_limit),
        cmocka_unit_test(cookies_are_written_and_checked),
        cmocka_unit_test(redirects),
        cmocka_unit_test(error_pages_and_their_recursion),
        cmocka_unit_test(informational_responses),
        cmocka_unit_test(arena_is_capped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
