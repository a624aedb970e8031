/*
 * Request heads: each form of target as it must be on the wire, and everything that is refused.
 * What is written is read back by the parser and must be the same request.
 */
#include "lib/test.h"

#include "base/check.h"
#include "http/h1/h1_request.h"

enum { FIELDS_MAX = 16 };

static const struct http_limits limits = {4096, 2048, FIELDS_MAX};

#define STR(text)              \
    {                          \
        text, sizeof(text) - 1 \
    }

struct good_case {
    struct h1_request_head head;
    const char *wire;
};

static const px_field plain_fields[] = {{STR("Accept"), STR("*/*")}, {STR("X"), STR("")}};

static const struct good_case good[] = {
    {{.method = STR("GET"), .target = STR("/"), .host = STR("a.example")},
     "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"},
    {{.method = STR("GET"),
      .target = STR("/p?q=%20&[x]|\\"),
      .host = STR("[::1]:81"),
      .fields = plain_fields,
      .field_count = 2},
     "GET /p?q=%20&[x]|\\ HTTP/1.1\r\nHost: [::1]:81\r\nAccept: */*\r\nX: \r\n\r\n"},
    {{.method = STR("GET"),
      .form = H1_TARGET_ABSOLUTE,
      .target = STR("http://a/b"),
      .host = STR("a"),
      .connection = H1_CONNECTION_CLOSE},
     "GET http://a/b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"},
    {{.method = STR("CONNECT"),
      .form = H1_TARGET_AUTHORITY,
      .target = STR("a:443"),
      .host = STR("a:443")},
     "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"},
    {{.method = STR("OPTIONS"), .form = H1_TARGET_ASTERISK, .host = STR("a")},
     "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"},
    {{.method = STR("POST"),
      .target = STR("/"),
      .host = STR("a"),
      .framing = H1_FRAMING_LENGTH,
      .length = 0},
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
    {{.method = STR("PUT"),
      .target = STR("/"),
      .host = STR("a"),
      .framing = H1_FRAMING_LENGTH,
      .length = INT64_MAX},
     "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n"},
    {{.method = STR("PUT"),
      .target = STR("/"),
      .host = STR("a"),
      .framing = H1_FRAMING_CHUNKED,
      .trailers = true},
     "PUT / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n"
     "Transfer-Encoding: chunked\r\n\r\n"},
    {{.method = STR("GET"),
      .target = STR("/"),
      .host = STR("a"),
      .connection = H1_CONNECTION_UPGRADE,
      .upgrade = STR("websocket"),
      .trailers = true},
     "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nTE: trailers\r\n"
     "Connection: Upgrade, TE\r\n\r\n"},
    {{.method = STR("M-SEARCH"),
      .target = STR("/"),
      .host = STR("a"),
      .connection = H1_CONNECTION_KEEP_ALIVE},
     "M-SEARCH / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"},
};

/* Writes into memory of exactly the room that was asked for, so that the sanitizer sees a byte past
 * it. */
static px_err write_head(const struct h1_request_head *head, char **out_wire, size_t *out_bytes)
{
    const char *reason = NULL;
    px_err err;

    *out_wire = test_malloc(h1_request_room(head));
    err = h1_check_request(head, &reason);
    assert_int_equal(err == PX_OK, reason == NULL);
    if (err == PX_OK)
        *out_bytes = (size_t)(h1_write_request(head, *out_wire) - *out_wire);
    return err;
}

static void requests_are_written(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_COUNT(good), 10);
    for (size_t index = 0; index < ARRAY_COUNT(good); index++) {
        const struct h1_request_head *head = &good[index].head;
        struct http_field_span fields[FIELDS_MAX];
        struct h1_parser parser;
        size_t bytes = 0;
        char *wire;

        assert_int_equal(write_head(head, &wire, &bytes), PX_OK);
        assert_str_equal(px_str_make(wire, bytes), px_str_of(good[index].wire));
        h1_parser_init(&parser, H1_REQUEST, scan_table_best(), &limits, fields);
        assert_int_equal(h1_parse(&parser, wire, bytes), PX_OK);
        assert_int_equal(parser.head_bytes, bytes);
        assert_int_equal(parser.target_form, head->form);
        assert_int_equal(parser.framing, head->framing);
        assert_int_equal(parser.keep_alive, head->connection != H1_CONNECTION_CLOSE);
        if (head->framing == H1_FRAMING_LENGTH)
            assert_int_equal(parser.content_length, head->length);
        test_free(wire);
    }
}

#define BASE .method = STR("GET"), .host = STR("a")
#define ROOT BASE, .target = STR("/")
#define FIELD(n, v) ROOT, .fields = (const px_field[]){{STR(n), STR(v)}}, .field_count = 1

static void doubtful_requests_are_refused(void **state)
{
    const struct h1_request_head bad[] = {
        /* The method. */
        {.host = STR("a"), .target = STR("/"), .method = STR("")},
        {.host = STR("a"), .target = STR("/"), .method = STR("GE T")},
        {.host = STR("a"), .target = STR("/"), .method = STR("GET\r\n")},
        {.host = STR("a"), .target = STR("/"), .method = STR("GET\0")},
        {.host = STR("a"), .target = STR("/"), .method = STR("GETGETGETGETGETGETGETGETGETGETGET")},
        /* The target. */
        {BASE, .target = STR("")},
        {BASE, .target = STR("x")},
        {BASE, .target = STR("*")},
        {BASE, .target = STR("/ HTTP/1.1\r\nX: y")},
        {BASE, .target = STR("/a b")},
        {BASE, .target = STR("/a\r")},
        {BASE, .target = STR("/a\n")},
        {BASE, .target = STR("/a\0b")},
        {BASE, .target = STR("/a\tb")},
        {BASE, .target = STR("/a\x7f")},
        {BASE, .target = STR("/\xc3\xa4")},
        {BASE, .target = STR("/a#b")},
        {BASE, .target = STR("http://a/")},
        {BASE, .form = H1_TARGET_ABSOLUTE, .target = STR("/")},
        {BASE, .form = H1_TARGET_ABSOLUTE, .target = STR("ftp://a/")},
        {BASE, .form = H1_TARGET_ABSOLUTE, .target = STR("http://")},
        {BASE, .form = H1_TARGET_AUTHORITY, .target = STR("a:443")},
        {BASE, .form = H1_TARGET_ASTERISK},
        {.host = STR("a"), .target = STR("/"), .method = STR("CONNECT")},
        {.host = STR("a"),
         .method = STR("CONNECT"),
         .form = H1_TARGET_AUTHORITY,
         .target = STR("a")},
        {.host = STR("a"),
         .method = STR("CONNECT"),
         .form = H1_TARGET_AUTHORITY,
         .target = STR("a:x")},
        {.host = STR("a"),
         .method = STR("CONNECT"),
         .form = H1_TARGET_AUTHORITY,
         .target = STR("a:443"),
         .framing = H1_FRAMING_CHUNKED},
        /* The host. */
        {.method = STR("GET"), .target = STR("/"), .host = STR("")},
        {.method = STR("GET"), .target = STR("/"), .host = STR("a\r\nX: y")},
        {.method = STR("GET"), .target = STR("/"), .host = STR("a b")},
        {.method = STR("GET"), .target = STR("/"), .host = STR("a/b")},
        {.method = STR("GET"), .target = STR("/"), .host = STR("u@a")},
        /* Fields. */
        {FIELD("", "y")},
        {FIELD("X Y", "y")},
        {FIELD("X:", "y")},
        {FIELD("X\r\nY", "y")},
        {FIELD("X\0", "y")},
        {FIELD("X", "y\r\nZ: a")},
        {FIELD("X", "y\n")},
        {FIELD("X", "y\0z")},
        {FIELD("X", " y")},
        {FIELD("X", "y\x01")},
        {FIELD("Content-Length", "3")},
        {FIELD("content-length", "3")},
        {FIELD("Transfer-Encoding", "chunked")},
        {FIELD("Connection", "close")},
        {FIELD("Keep-Alive", "timeout=5")},
        {FIELD("Proxy-Connection", "keep-alive")},
        {FIELD("Upgrade", "h2c")},
        {FIELD("TE", "trailers")},
        {FIELD("Trailer", "X")},
        {FIELD("Host", "b")},
        /* Framing and the connection. */
        {ROOT, .framing = H1_FRAMING_CLOSE},
        {ROOT, .framing = H1_FRAMING_LENGTH, .length = UINT64_MAX},
        {ROOT, .connection = H1_CONNECTION_UPGRADE},
        {ROOT, .connection = H1_CONNECTION_UPGRADE, .upgrade = STR("a\r\nX: y")},
    };

    (void)state;
    assert_int_equal(ARRAY_COUNT(bad), 56);
    for (size_t index = 0; index < ARRAY_COUNT(bad); index++) {
        size_t bytes = 77;
        char *wire;

        if (write_head(&bad[index], &wire, &bytes) != PX_ERR_INVALID)
            fail_msg("case %zu was written", index);
        assert_int_equal(bytes, 77);
        test_free(wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_written),
        cmocka_unit_test(doubtful_requests_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
