/*
 * Requests that are changed: another target, a prefix taken off, fields; and pages of errors as
 * they are named.
 */
#include "pollux/reshape.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "unit/exchange/double.h"

/* What a handler behind the middleware sees. */
struct seen {
    px_rewrite *rewrite;
    px_request_headers *headers;
    char text[1024];
};

static void handle(px_exchange *exchange, void *context)
{
    struct seen *seen = context;
    size_t count, len = 0;

    if (seen->rewrite && px_rewrite_run(exchange, seen->rewrite) == PX_STOP)
        return;
    if (seen->headers)
        (void)px_request_headers_run(exchange, seen->headers);
    const px_field *fields = px_request_fields(exchange, &count);
    px_str path = px_request_raw_path(exchange), query = px_request_query(exchange);

    len += (size_t)snprintf(seen->text, sizeof(seen->text), "%.*s%s%.*s", (int)path.len, path.ptr,
                            query.ptr ? "?" : "", (int)query.len, query.ptr ? query.ptr : "");
    for (size_t index = 0; seen->headers && index < count; index++)
        len += (size_t)snprintf(seen->text + len, sizeof(seen->text) - len, "|%s: %s",
                                fields[index].name.ptr, fields[index].value.ptr);
    px_respond_text(exchange, 200, "");
}

/* The status. */
static unsigned ask(struct seen *seen, const char *target)
{
    struct stage stage;
    struct call call;
    char head[1024];

    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\n\r\n",
             target);
    seen->text[0] = '\0';
    assert_true(stage_open(&stage, NULL));
    assert_true(call_begin(&call, &stage, head, handle, seen));
    call_drive(&call);
    unsigned status = call.taken ? call.status : 0;

    call_finish(&call);
    stage_close(&stage);
    return status;
}

static const struct {
    const char *rewrite; /* a target's template; with "-" in front a prefix */
    const char *target;
    const char *seen;
} cases[] = {
    {"/x", "/a?b", "/x?b"},
    {"/x?c", "/a?b", "/x?c"},
    {"/x?", "/a?b", "/x?"},
    {"/x{path}", "/a%20b/c", "/x/a%20b/c"},
    {"/u?q={query.q}", "/a?q=1%262", "/u?q=1%262"},
    {"{uri}", "/a?b", "/a?b"},
    {"/{rawpath}", "/a", "/a"},
    {"-/s", "/s/x?q", "/x?q"},
    {"-/s", "/s", "/"},
    {"-/s/", "/s/", "/"},
    {"-/s", "/sx", "/sx"},
    {"-/s", "/%73/x", "/x"},
    {"-/s/t", "/s%2Ft/x", "/s%2Ft/x"},
    {"-/s/t", "/s/t/%2F", "/%2F"},
    {"-/s", "/S/x", "/S/x"},
    {"-/", "/x", "/x"},
    {"-/a b", "/a%20b/c", "/c"},
};

static void targets_are_rewritten(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_rewrite_options options = PX_REWRITE_OPTIONS_DEFAULT;
        bool is_prefix = cases[index].rewrite[0] == '-';
        struct seen seen = {.headers = NULL};

        if (is_prefix)
            options.prefix = cases[index].rewrite + 1;
        else
            options.target = cases[index].rewrite;
        seen.rewrite = px_rewrite_create(&options, NULL);
        assert_non_null(seen.rewrite);
        assert_int_equal(ask(&seen, cases[index].target), 200);
        assert_string_equal(seen.text, cases[index].seen);
        px_rewrite_destroy(seen.rewrite);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 17);
    px_rewrite_destroy(NULL);
}

static void what_is_no_target_is_an_error(void **state)
{
    px_rewrite_options options = PX_REWRITE_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    struct seen seen = {.headers = NULL};

    (void)state;
    assert_null(px_rewrite_create(&options, &error)); /* neither */
    assert_int_equal(error.code, PX_ERR_INVALID);
    options.target = "/x", options.prefix = "/y";
    assert_null(px_rewrite_create(&options, &error)); /* both */
    options.target = NULL, options.prefix = "y";
    assert_null(px_rewrite_create(&options, &error));
    options.prefix = NULL, options.target = "{nothing}";
    assert_null(px_rewrite_create(&options, &error));
    options.target = "x{path}"; /* seen when it is written */
    seen.rewrite = px_rewrite_create(&options, &error);
    assert_non_null(seen.rewrite);
    assert_int_equal(ask(&seen, "/a"), 500);
    px_rewrite_destroy(seen.rewrite);
}

static void matchers_are_asked(void **state)
{
    px_rewrite_options options = PX_REWRITE_OPTIONS_DEFAULT;
    px_matcher *matcher = px_matcher_create(NULL, NULL);
    px_str path = px_str_of("/a*");
    struct seen seen = {.headers = NULL};

    (void)state;
    assert_int_equal(px_matcher_add(matcher, PX_MATCH_PATH, &path, 1, NULL, NULL), PX_OK);
    options.target = "/x";
    options.when = matcher;
    seen.rewrite = px_rewrite_create(&options, NULL);
    px_matcher_destroy(matcher);
    assert_int_equal(ask(&seen, "/ab"), 200);
    assert_string_equal(seen.text, "/x");
    assert_int_equal(ask(&seen, "/b"), 200);
    assert_string_equal(seen.text, "/b");
    px_rewrite_destroy(seen.rewrite);
}

static void fields_are_changed(void **state)
{
    struct seen seen = {.headers = px_request_headers_create(NULL, NULL)};
    px_error error = PX_ERROR_INIT;

    (void)state;
    assert_int_equal(px_request_headers_add(seen.headers, PX_HEADER_REMOVE, px_str_of("X-A"),
                                            px_str_of(NULL), NULL, &error),
                     PX_OK);
    assert_int_equal(px_request_headers_add(seen.headers, PX_HEADER_SET, px_str_of("X-B"),
                                            px_str_of("{path}"), NULL, &error),
                     PX_OK);
    assert_int_equal(px_request_headers_add(seen.headers, PX_HEADER_ADD, px_str_of("X-C"),
                                            px_str_of("{query.q}"), NULL, &error),
                     PX_OK);
    assert_int_equal(px_request_headers_add(seen.headers, PX_HEADER_SET, px_str_of("hOst"),
                                            px_str_of("b"), NULL, &error),
                     PX_ERR_INVALID);
    assert_int_equal(ask(&seen, "/p?q=a%0d%0aX-D:b"), 200);
    assert_string_equal(seen.text, "/p?q=a%0d%0aX-D:b|Host: a|X-B: /p|X-C: a  X-D:b");
    px_request_headers_destroy(seen.headers);
    px_request_headers_destroy(NULL);
}

static void pages_are_named(void **state)
{
    px_error_pages *pages = px_error_pages_create(NULL, NULL);
    px_error error = PX_ERROR_INIT;

    (void)state;
    assert_int_equal(px_error_pages_add(pages, 404, px_str_of("/404"), &error), PX_OK);
    assert_int_equal(px_error_pages_add(pages, 404, px_str_of("/405"), &error), PX_OK);
    assert_int_equal(px_error_pages_add(pages, 399, px_str_of("/404"), &error), PX_ERR_INVALID);
    assert_int_equal(px_error_pages_add(pages, 600, px_str_of("/404"), &error), PX_ERR_INVALID);
    assert_int_equal(px_error_pages_add(pages, 404, px_str_of("404"), &error), PX_ERR_INVALID);
    assert_int_equal(px_error_pages_add(pages, 404, px_str_of(NULL), &error), PX_ERR_INVALID);
    px_error_pages_destroy(pages);
    px_error_pages_destroy(NULL);
}

static void make_once(const px_allocator *allocator, void *context)
{
    px_rewrite_options options = PX_REWRITE_OPTIONS_DEFAULT;
    px_error_pages *pages = px_error_pages_create(allocator, NULL);
    px_request_headers *headers = px_request_headers_create(allocator, NULL);
    px_error error = PX_ERROR_INIT;

    (void)context;
    options.allocator = allocator;
    options.target = "/x";
    px_rewrite *rewrite = px_rewrite_create(&options, &error);

    assert_int_equal(error.code, rewrite ? PX_OK : PX_ERR_MEMORY);
    if (pages && px_error_pages_add(pages, 404, px_str_of("/404"), &error) != PX_OK)
        assert_int_equal(error.code, PX_ERR_MEMORY);
    if (headers && px_request_headers_add(headers, PX_HEADER_SET, px_str_of("X"), px_str_of("a"),
                                          NULL, &error) != PX_OK)
        assert_int_equal(error.code, PX_ERR_MEMORY);
    px_error_pages_destroy(pages);
    px_request_headers_destroy(headers);
    px_rewrite_destroy(rewrite);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("reshape", make_once, NULL), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets_are_rewritten), cmocka_unit_test(what_is_no_target_is_an_error),
        cmocka_unit_test(matchers_are_asked),    cmocka_unit_test(fields_are_changed),
        cmocka_unit_test(pages_are_named),       cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
