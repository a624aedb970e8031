/*
 * Templates: what is known and where a wrong text is wrong; what each placeholder writes for a
 * request, in each use; what cannot come out.
 */
#include "pollux/template.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "gate/template.h"
#include "unit/exchange/double.h"

static const struct {
    const char *text;
    int is_constant; /* -1: wrong */
    size_t at;       /* where */
} cases[] = {
    {"", 1, 0},
    {"plain", 1, 0},
    {"{{x}}", 1, 0},
    {"{client}", 0, 0},
    {"a{path}b{query.x}c{header.X-A}{cookie.c}{param.id}", 0, 0},
    {"{tls.version} {tls.subject}", 0, 0},
    {"{", -1, 0},
    {"ab{client", -1, 2},
    {"ab}", -1, 2},
    {"{nothing}", -1, 0},
    {"{client} {Client}", -1, 9},
    {"{query.}", -1, 0},
    {"{}", -1, 0},
    {"{query.a\tb}", -1, 0},
    {"x{header.{client}}", -1, 1},
};

static void texts_are_taken_apart(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_error error = PX_ERROR_INIT;
        size_t at = 0;
        px_template *made =
            px_template_create(px_str_of(cases[index].text), &alloc_libc, &at, &error);

        if (cases[index].is_constant >= 0) {
            assert_non_null(made);
            assert_int_equal(px_template_is_constant(made), cases[index].is_constant);
        } else {
            assert_null(made);
            assert_int_equal(error.code, PX_ERR_INVALID);
            assert_int_equal(at, cases[index].at);
            assert_true(error.text[0] != '\0');
        }
        px_template_destroy(made);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 15);
}

/* --- Writing ---------------------------------------------------------------------------------- */

static const char request[] = "GET /a%20b/c?x=1%2F2&y=a+b&z=%0d%0aq HTTP/1.1\r\n"
                              "Host: Example.org:8080\r\nX-A:  one \r\n"
                              "Cookie: c=\"d/e\"; f=g\r\n\r\n";

static const struct {
    const char *text;
    px_template_use use;
    const char *expected;
} written[] = {
    {"", PX_TEMPLATE_PLAIN, ""},
    {"{{x}}", PX_TEMPLATE_PLAIN, "{x}"},
    {"{method}", PX_TEMPLATE_PLAIN, "GET"},
    {"{scheme}", PX_TEMPLATE_PLAIN, "https"},
    {"{host}", PX_TEMPLATE_PLAIN, "Example.org"},
    {"{port}", PX_TEMPLATE_PLAIN, "8080"},
    {"{path}", PX_TEMPLATE_PLAIN, "/a b/c"},
    {"{rawpath}", PX_TEMPLATE_PLAIN, "/a%20b/c"},
    {"{query}", PX_TEMPLATE_PLAIN, "x=1%2F2&y=a+b&z=%0d%0aq"},
    {"{uri}", PX_TEMPLATE_PLAIN, "/a%20b/c?x=1%2F2&y=a+b&z=%0d%0aq"},
    {"{version}", PX_TEMPLATE_PLAIN, "1.1"},
    {"{status}", PX_TEMPLATE_PLAIN, ""},
    {"{client}", PX_TEMPLATE_PLAIN, "192.0.2.1"},
    {"{peer}", PX_TEMPLATE_PLAIN, "192.0.2.1:80"},
    {"{peer}", PX_TEMPLATE_KEY, "192.0.2.1"},
    {"{local}", PX_TEMPLATE_PLAIN, "[2001:db8::1]:8080"},
    {"{tls.version}", PX_TEMPLATE_PLAIN, "TLSv1.3"},
    {"{tls.cipher}", PX_TEMPLATE_PLAIN, "SUITE"},
    {"{tls.subject}", PX_TEMPLATE_PLAIN, "CN=me,O=a b"},
    {"{tls.server_name}", PX_TEMPLATE_PLAIN, "example.org"},
    {"{query.x}", PX_TEMPLATE_PLAIN, "1/2"},
    {"{query.y}", PX_TEMPLATE_PLAIN, "a b"},
    {"{query.none}", PX_TEMPLATE_PLAIN, ""},
    {"{param.id}", PX_TEMPLATE_PLAIN, "p/q r"},
    {"{param.other}", PX_TEMPLATE_PLAIN, ""},
    {"{header.X-A}", PX_TEMPLATE_PLAIN, "one"},
    {"{header.x-a}|{header.X-B}", PX_TEMPLATE_PLAIN, "one|"},
    {"{cookie.c}", PX_TEMPLATE_PLAIN, "d/e"},
    {"{cookie.f}{cookie.h}", PX_TEMPLATE_PLAIN, "g"},
    /* In a field nothing ends the line, and no blank is left at an end. */
    {"{query.z}", PX_TEMPLATE_PLAIN, "\r\nq"},
    {"a{query.z}", PX_TEMPLATE_FIELD, "a  q"},
    {"{query.z} ", PX_TEMPLATE_FIELD, "q"},
    {" \r\n\t ", PX_TEMPLATE_FIELD, ""},
    /* What comes out of one is not read again. */
    {"{{method}}{method}", PX_TEMPLATE_PLAIN, "{method}GET"},
    /* Targets. */
    {"https://{host}{uri}", PX_TEMPLATE_TARGET,
     "https://Example.org/a%20b/c?x=1%2F2&y=a+b&z=%0d%0aq"},
    {"/x{path}", PX_TEMPLATE_TARGET, "/x/a%20b/c"},
    {"/u/{param.id}.html", PX_TEMPLATE_TARGET, "/u/p/q%20r.html"},
    {"/?next={query.x}&z={query.z}", PX_TEMPLATE_TARGET, "/?next=1%2F2&z=%0D%0Aq"},
    {"/a b\"<>\\^`{{|}}#f", PX_TEMPLATE_TARGET, "/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D#f"},
    {"https://[{local}", PX_TEMPLATE_TARGET, "https://[[2001:db8::1]:8080"},
    {"{cookie.c}", PX_TEMPLATE_TARGET, "d%2Fe"},
    {"/{param.away}", PX_TEMPLATE_TARGET, "/evil.example/x"},
    {"{param.away}", PX_TEMPLATE_TARGET, "/evil.example/x"},
    {"//cdn.example/{param.id}", PX_TEMPLATE_TARGET, "//cdn.example/p/q%20r"},
    {"{param.script}", PX_TEMPLATE_TARGET, "javascript%3Ax"},
};

static size_t secure_fact(px_exchange *exchange, enum exchange_fact fact, char *out_text,
                          size_t room)
{
    static const char *const facts[] = {[FACT_SERVER_NAME] = "example.org",
                                        [FACT_CLIENT_SUBJECT] = "CN=me,O=a b",
                                        [FACT_TLS_VERSION] = "TLSv1.3",
                                        [FACT_TLS_CIPHER] = "SUITE"};

    (void)exchange;
    return (size_t)snprintf(out_text, room, "%s", facts[fact]);
}

static struct exchange_transport secure; /* as the double's, of a secure connection */

static const px_str param_names[] = {{"id", 2}, {"away", 4}, {"script", 6}};
static px_str param_values[] = {{"p%2Fq%20r", 9}, {"/evil.example/x", 15}, {"javascript:x", 12}};

static void think(px_exchange *exchange, void *context)
{
    (void)exchange;
    (void)context;
}

static bool begin(struct call *call, struct stage *stage)
{
    if (!call_make(call, stage, request))
        return false;
    secure = *call->exchange->transport;
    secure.secure = secure_fact;
    call->exchange->transport = &secure;
    call->exchange->arrival.https = true;
    call->exchange->arrival.scheme_https = true;
    call->exchange->handling.param_names = param_names;
    call->exchange->handling.param_values = param_values;
    call->exchange->handling.param_count = 3;
    call_handler(call, think, NULL);
    return true;
}

static void end(struct call *call)
{
    if (call->exchange)
        px_respond_text(call->exchange, 200, "");
    call_drive(call);
    call_finish(call);
}

static void each_placeholder_is_written(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    assert_true(begin(&call, &stage));
    for (size_t index = 0; index < sizeof(written) / sizeof(written[0]); index++) {
        px_error error = PX_ERROR_INIT;
        px_template *made = px_template_create(px_str_of(written[index].text), NULL, NULL, &error);

        assert_non_null(made);
        px_str text = px_template_text(made, call.exchange, written[index].use);

        assert_str_equal(text, px_str_of(written[index].expected));
        assert_int_equal(text.ptr[text.len], 0);
        px_template_destroy(made);
    }
    assert_int_equal(sizeof(written) / sizeof(written[0]), 45);
    end(&call);
    stage_close(&stage);
}

/* A client of IPv6 is known by its first 64 bits; one of IPv4, or in IPv6's clothes, by all. */
static void keys_are_of_networks(void **state)
{
    static const struct {
        const char *client, *key;
    } clients[] = {
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"2001:db8:1:2:ffff::", "2001:db8:1:2::"},
        {"192.0.2.77", "192.0.2.77"},
        {"::ffff:192.0.2.77", "::ffff:192.0.2.77"},
        {"unix:", "unix:"},
    };
    struct stage stage;
    struct call call;
    px_template *made = px_template_create(px_str_of("{client}"), NULL, NULL, NULL);

    (void)state;
    assert_non_null(made);
    assert_true(stage_open(&stage, NULL));
    assert_true(begin(&call, &stage));
    for (size_t index = 0; index < sizeof(clients) / sizeof(clients[0]); index++) {
        call.exchange->arrival.client = px_str_of(clients[index].client);
        assert_str_equal(px_template_text(made, call.exchange, PX_TEMPLATE_KEY),
                         px_str_of(clients[index].key));
        assert_str_equal(px_template_text(made, call.exchange, PX_TEMPLATE_PLAIN),
                         px_str_of(clients[index].client));
    }
    end(&call);
    stage_close(&stage);
    px_template_destroy(made);
}

/* 64 KiB of text are the most, also where the exchange could hold more. */
static void texts_are_bounded(void **state)
{
    struct stage stage;
    struct call call;
    size_t most = TEMPLATE_BYTES_MAX - 1;
    char *text = malloc(most + 1);

    (void)state;
    assert_non_null(text);
    memset(text, 'a', most + 1);
    px_template *fits = px_template_create(px_str_make(text, most), NULL, NULL, NULL);
    px_template *above = px_template_create(px_str_make(text, most + 1), NULL, NULL, NULL);

    assert_true(stage_open(&stage, NULL));
    assert_true(begin(&call, &stage));
    assert_int_equal(px_template_text(fits, call.exchange, PX_TEMPLATE_PLAIN).len, most);
    assert_null(px_template_text(above, call.exchange, PX_TEMPLATE_PLAIN).ptr);
    end(&call);
    stage_close(&stage);
    px_template_destroy(fits);
    px_template_destroy(above);
    free(text);
}

static void pieces_are_bounded(void **state)
{
    char text[(TEMPLATE_PIECES_MAX + 1) * 8];
    px_error error = PX_ERROR_INIT;

    (void)state;
    for (size_t at = 0; at < sizeof(text); at += 8)
        memcpy(text + at, "{client}", 8);
    px_template *made = px_template_create(px_str_make(text, sizeof(text) - 8), NULL, NULL, &error);

    assert_non_null(made);
    px_template_destroy(made);
    assert_null(px_template_create(px_str_make(text, sizeof(text)), NULL, NULL, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void make_once(const px_allocator *allocator, void *context)
{
    px_error error = PX_ERROR_INIT;
    px_template *made = px_template_create(px_str_of("a {client} b"), allocator, NULL, &error);

    (void)context;
    assert_int_equal(error.code, made ? PX_OK : PX_ERR_MEMORY);
    px_template_destroy(made);
}

static void write_once(const px_allocator *allocator, void *context)
{
    px_template *made = context;
    struct stage stage;
    struct call call;

    if (!stage_open(&stage, allocator))
        return;
    if (begin(&call, &stage)) {
        px_str text = px_template_text(made, call.exchange, PX_TEMPLATE_PLAIN);

        assert_true(!text.ptr || text.len >= 4096);
        end(&call);
    } else {
        call_finish(&call);
    }
    stage_close(&stage);
}

static void each_allocation_may_fail(void **state)
{
    char text[4096 + 32];

    (void)state;
    assert_true(fault_alloc_each("template", make_once, NULL) >= 1);
    memset(text, 'a', 4096);
    memcpy(text + 4096, "{uri}{query.x}{peer}", sizeof("{uri}{query.x}{peer}"));
    px_template *made = px_template_create(px_str_of(text), NULL, NULL, NULL);

    assert_non_null(made);
    assert_true(fault_alloc_each("a template's text", write_once, made) >= 4);
    px_template_destroy(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_taken_apart), cmocka_unit_test(each_placeholder_is_written),
        cmocka_unit_test(keys_are_of_networks),  cmocka_unit_test(texts_are_bounded),
        cmocka_unit_test(pieces_are_bounded),    cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
