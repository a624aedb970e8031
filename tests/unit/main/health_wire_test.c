/*
 * What healthcheck sends for a URL, and which answers it understands.
 */
#include "main/health_wire.h"

#include <string.h>

#include "lib/splits.h"
#include "lib/test.h"

static void urls(void **state)
{
    static const struct {
        const char *url;
        const char *address;
        const char *target;
        const char *host;
    } cases[] = {
        {"http://a/", "a:80", "/", "a"},
        {"http://a", "a:80", "/", "a"},
        {"http://a:8080", "a:8080", "/", "a:8080"},
        {"http://a:8080/x/y?z=1", "a:8080", "/x/y?z=1", "a:8080"},
        {"http://a?z", "a:80", "/?z", "a"},
        {"http://127.0.0.1:1/", "127.0.0.1:1", "/", "127.0.0.1:1"},
        {"http://[::1]/", "[::1]:80", "/", "[::1]"},
        {"http://[::1]:8080/", "[::1]:8080", "/", "[::1]:8080"},
        {"unix:/run/x.sock", "unix:/run/x.sock", "/", "localhost"},
        {"https://a/x", "a:443", "/x", "a"},
        {"https://a:8443?y", "a:8443", "/?y", "a:8443"},
        {"https://[::1]:8443/", "[::1]:8443", "/", "[::1]:8443"},
    };
    struct health_target target;
    char request[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(health_target_parse(cases[i].url, &target));
        assert_string_equal(target.address, cases[i].address);
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: pollux-healthcheck\r\n"
                 "Connection: close\r\n\r\n",
                 cases[i].target, cases[i].host);
        assert_string_equal(target.request, request);
    }
}

/* Whom a certificate must be for: neither port nor brackets. */
static void hosts(void **state)
{
    static const struct {
        const char *url;
        const char *host;
        bool is_secure;
    } cases[] = {
        {"https://a.test/", "a.test", true},
        {"https://a.test:8443/x", "a.test", true},
        {"https://127.0.0.1:1/", "127.0.0.1", true},
        {"https://[::1]/", "::1", true},
        {"https://[::1]:8443?x", "::1", true},
        {"http://a:80/", "a", false},
        {"unix:/run/x", "", false},
    };
    struct health_target target;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(health_target_parse(cases[i].url, &target));
        assert_string_equal(target.host, cases[i].host);
        assert_int_equal(target.is_secure, cases[i].is_secure);
    }
}

static void what_is_no_url(void **state)
{
    static const char *const urls[] = {
        "",
        "a",
        "a:80",
        "/",
        "http:",
        "http://",
        "http:///x",
        "http://?x",
        "http://:80/",
        "http://a:/",
        "http://a:0/",
        "http://a:65536/",
        "http://a:x/",
        "http://a:8080808080808080/",
        "http://u@a/",
        "http://a/#x",
        "http://a\\b/",
        "http://a/ b",
        "http://a/\r\nX: y",
        "http://a/\x7f",
        "http://gr\xc3\xbc\xc3\x9f/",
        "https://",
        "https://:443/",
        "https:/a/",
        "HTTP://a/",
        "ftp://a/",
        "unix:x",
        "unix:",
    };
    struct health_target target;
    char longest[HEALTH_URL_BYTES_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++)
        if (health_target_parse(urls[i], &target))
            fail_msg("%s was taken", urls[i]);
    for (size_t len = HEALTH_URL_BYTES_MAX - 40; len <= HEALTH_URL_BYTES_MAX; len++) {
        memset(longest, 'x', sizeof(longest));
        memcpy(longest, "http://a/", 9);
        longest[len] = '\0';
        if (health_target_parse(longest, &target))
            assert_non_null(strstr(target.request, "\r\nConnection: close\r\n\r\n"));
    }
    assert_false(health_target_parse(longest, &target));
}

static const struct {
    const char *bytes;
    px_err result;
    unsigned status;
} answers[] = {
    {"HTTP/1.1 200 OK\r\n", PX_OK, 200},
    {"HTTP/1.1 200 \r\n", PX_OK, 200},
    {"HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n", PX_OK, 404},
    {"HTTP/1.1 599 gr\xc3\xbc\xc3\x9f\tx\r\n", PX_OK, 599},
    {"HTTP/1.1 101 Switching Protocols\r\n", PX_OK, 101},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n", PX_OK, 204},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 503 No\r\n", PX_OK, 503},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n", PX_AGAIN, 0},
    {"HTTP/1.1 103 Early\r\nLink: x\r\n", PX_AGAIN, 0},
    {"HTTP/1.1 200 OK\r", PX_AGAIN, 0},
    {"HTTP/1.1 200 OK", PX_AGAIN, 0},
    {"HTTP", PX_AGAIN, 0},
    {"", PX_AGAIN, 0},
    {"HTTP/1.1 200 OK\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 200\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1  200 OK\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 20 OK!\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 2000 OK\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 099 OK\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 600 OK\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 2x0 OK\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 200 O\x01K\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 200 O\rK\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.2 200 OK\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/2.0 200 OK\r\n", PX_ERR_MALFORMED, 0},
    {"http/1.1 200 OK\r\n", PX_ERR_MALFORMED, 0},
    {"HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n", PX_ERR_MALFORMED, 0},
    {"\r\nHTTP/1.1 200 OK\r\n", PX_ERR_MALFORMED, 0},
    {"SSH-2.0-OpenSSH_9.2\r\n", PX_ERR_MALFORMED, 0},
    {"SSH-2.0-OpenSSH_9.2", PX_ERR_MALFORMED, 0},
    {"\n", PX_ERR_MALFORMED, 0},
};

/* It is shown everything each time, until it has made up its mind. */
struct reading {
    px_err result;
    unsigned status;
    size_t index; /* in answers */
};

static void reading_begin(void *context)
{
    struct reading *reading = context;

    reading->result = PX_AGAIN;
    reading->status = 0;
}

static size_t reading_feed(px_str bytes, void *context)
{
    struct reading *reading = context;

    if (reading->result == PX_AGAIN)
        reading->result = health_read_status(bytes, &reading->status);
    return 0;
}

static void reading_end(size_t left, const char *split, void *context)
{
    const struct reading *reading = context;

    (void)left;
    if (reading->result != answers[reading->index].result ||
        reading->status != answers[reading->index].status)
        fail_msg("answer %zu (%s): %s %u", reading->index, split, px_err_name(reading->result),
                 reading->status);
}

static void answers_at_every_split(void **state)
{
    struct reading reading;
    const struct split_reader reader = {reading_begin, reading_feed, reading_end, &reading};

    (void)state;
    for (reading.index = 0; reading.index < sizeof(answers) / sizeof(answers[0]); reading.index++)
        splits_each(px_str_of(answers[reading.index].bytes), &reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(hosts),
        cmocka_unit_test(what_is_no_url),
        cmocka_unit_test(answers_at_every_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
