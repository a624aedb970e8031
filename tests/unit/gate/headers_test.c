/*
 * Fields of answers that are changed on their way: set, added, removed, by templates, when a
 * matcher says so, and on errors too.
 */
#include "pollux/headers.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "unit/exchange/double.h"

static void handle(px_exchange *exchange, void *context)
{
    px_response_add_field(exchange, px_str_of("X-Old"), px_str_of("1"));
    px_response_add_field(exchange, px_str_of("X-Old"), px_str_of("2"));
    if (context)
        px_respond_error(exchange, 404);
    else
        px_respond(exchange, 200, px_str_of("text/plain"), px_str_of("x"));
}

static void ask(px_headers *headers, const char *method, bool is_error, bool is_https,
                char out_head[8192])
{
    struct stage stage;
    struct call call;
    char head[256];

    snprintf(head, sizeof(head), "%s /p%%0d%%0aq?n=%%0d%%0aX:y HTTP/1.1\r\nHost: a\r\n\r\n",
             method);
    assert_true(stage_open(&stage, NULL));
    stage_filter(&stage, px_headers_filter(), headers);
    assert_true(call_make(&call, &stage, head));
    call.exchange->arrival.scheme_https = is_https;
    call_handler(&call, handle, is_error ? headers : NULL);
    call_drive(&call);
    memcpy(out_head, call.head, 8192);
    call_finish(&call);
    stage_close(&stage);
}

static void add(px_headers *headers, px_header_edit edit, const char *name, const char *value,
                px_matcher *when)
{
    px_error error = PX_ERROR_INIT;

    assert_int_equal(px_headers_add(headers, edit, px_str_of(name), px_str_of(value), when, &error),
                     PX_OK);
}

static void fields_are_changed(void **state)
{
    px_headers *headers = px_headers_create(NULL, NULL);
    px_matcher *post = px_matcher_create(NULL, NULL);
    px_str method = px_str_of("POST");
    char head[8192];

    (void)state;
    assert_int_equal(px_matcher_add(post, PX_MATCH_METHOD, &method, 1, NULL, NULL), PX_OK);
    add(headers, PX_HEADER_SET, "X-Set", "{status} {host}", NULL);
    add(headers, PX_HEADER_SET, "X-Set", "{status} {method}", NULL);
    add(headers, PX_HEADER_ADD, "x-old", "3", NULL);
    add(headers, PX_HEADER_ADD, "X-Line", "{query.n}|{path}", NULL);
    add(headers, PX_HEADER_SET, "X-Post", "yes", post);
    add(headers, PX_HEADER_SET, "Content-Type", "text/x", NULL);
    px_matcher_destroy(post);
    ask(headers, "GET", false, false, head);
    assert_string_equal(head, "Content-Type: text/x\nX-Old: 1\nX-Old: 2\nX-Set: 200 GET\nx-old: 3\n"
                              "X-Line: X:y|/p  q\n");
    ask(headers, "POST", true, false, head);
    assert_non_null(strstr(head, "X-Set: 404 POST\n"));
    assert_non_null(strstr(head, "X-Post: yes\n"));
    add(headers, PX_HEADER_REMOVE, "X-OLD", NULL, NULL);
    ask(headers, "GET", false, false, head);
    assert_null(strstr(head, "X-Old"));
    assert_null(strstr(head, "x-old"));
    px_headers_destroy(headers);
    px_headers_destroy(NULL);
}

static void hsts_is_for_https(void **state)
{
    px_headers *headers = px_headers_create(NULL, NULL);
    char head[8192];

    (void)state;
    assert_int_equal(px_headers_add_hsts(headers, 31536000, 1, NULL, NULL), PX_OK);
    ask(headers, "GET", false, false, head);
    assert_null(strstr(head, "Strict"));
    ask(headers, "GET", true, true, head);
    assert_non_null(
        strstr(head, "Strict-Transport-Security: max-age=31536000; includeSubDomains\n"));
    assert_int_equal(px_headers_add_hsts(headers, 0, 0, NULL, NULL), PX_OK);
    ask(headers, "GET", false, true, head);
    assert_non_null(strstr(head, "Strict-Transport-Security: max-age=0\n"));
    px_headers_destroy(headers);
}

static const struct {
    px_header_edit edit;
    const char *name, *value;
} wrongs[] = {
    {PX_HEADER_SET, "X Y", "a"},          {PX_HEADER_SET, "", "a"},
    {PX_HEADER_SET, "X:", "a"},           {PX_HEADER_SET, "Content-Length", "1"},
    {PX_HEADER_REMOVE, "Connection", ""}, {PX_HEADER_ADD, "transfer-encoding", "chunked"},
    {PX_HEADER_ADD, "X", "{nothing}"},    {PX_HEADER_ADD, "X", "{"},
    {(px_header_edit)7, "X", "a"},
};

static void wrong_changes_are_told(void **state)
{
    px_headers *headers = px_headers_create(NULL, NULL);
    px_error error = PX_ERROR_INIT;

    (void)state;
    for (size_t index = 0; index < sizeof(wrongs) / sizeof(wrongs[0]); index++) {
        assert_int_equal(px_headers_add(headers, wrongs[index].edit, px_str_of(wrongs[index].name),
                                        px_str_of(wrongs[index].value), NULL, &error),
                         PX_ERR_INVALID);
        assert_true(error.text[0] != '\0');
    }
    assert_int_equal(sizeof(wrongs) / sizeof(wrongs[0]), 9);
    for (uint32_t count = 0; count < FIELD_EDITS_MAX; count++)
        add(headers, PX_HEADER_SET, "X", "a", NULL);
    assert_int_equal(
        px_headers_add(headers, PX_HEADER_SET, px_str_of("X"), px_str_of("a"), NULL, &error),
        PX_ERR_LIMIT);
    px_headers_destroy(headers);
}

static void make_once(const px_allocator *allocator, void *context)
{
    px_headers *headers = px_headers_create(allocator, NULL);
    px_error error = PX_ERROR_INIT;

    (void)context;
    if (headers) {
        px_err err =
            px_headers_add(headers, PX_HEADER_SET, px_str_of("X"), px_str_of("a"), NULL, &error);

        assert_int_equal(err, error.code);
    }
    assert_true(error.code == PX_OK || error.code == PX_ERR_MEMORY);
    px_headers_destroy(headers);
}

/* A value that the exchange has no memory for is not left out: the answer breaks. */
static void answer_once(const px_allocator *allocator, void *context)
{
    struct stage stage;
    struct call call;

    if (!stage_open(&stage, allocator))
        return;
    stage_filter(&stage, px_headers_filter(), context);
    if (call_begin(&call, &stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", handle, NULL))
        call_drive(&call);
    assert_true(!call.taken || call.status != 200 || strstr(call.head, "X-Long: aaaa"));
    call_finish(&call);
    stage_close(&stage);
}

static void each_allocation_may_fail(void **state)
{
    px_headers *headers = px_headers_create(NULL, NULL);
    char *value = malloc(4097);

    (void)state;
    memset(value, 'a', 4096);
    value[4096] = '\0';
    add(headers, PX_HEADER_SET, "X-Long", value, NULL);
    assert_int_equal(fault_alloc_each("headers", make_once, NULL), 3);
    assert_true(fault_alloc_each("an answer with a long field", answer_once, headers) >= 4);
    px_headers_destroy(headers);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_changed),
        cmocka_unit_test(hsts_is_for_https),
        cmocka_unit_test(wrong_changes_are_told),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
