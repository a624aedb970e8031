/*
 * HTTP/1 over real sockets, byte for byte: requests in, answers out, and how the connection goes on
 * or ends.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/server/client.h"

#define HELLO ANSWER_TEXT("200 OK", "Hello, world!", "13", "")

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

/* Answers with the path and what was collected. */
static void echo(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, 200, px_str_make(NULL, 0), px_request_content(exchange));
}

static void path_echo(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, 200, px_str_make(NULL, 0), px_request_path(exchange));
}

static void site_make(struct site *site, const px_server_options *options)
{
    site_open(site, options);
    site_route(site, "GET /{$}", hello, NULL);
    site_route(site, "GET /p/{rest...}", path_echo, NULL);
    site_route_with(site, "POST /echo", PX_CONTENT_COLLECT, 0, echo, NULL);
}

static void one_request(void **state)
{
    struct site site;

    (void)state;
    site_make(&site, NULL);
    site_exchange(&site, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", HELLO, CLIENT_OPEN);
    site_exchange(&site, "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", ANSWER_TEXT("200 OK", "", "13", ""),
                  CLIENT_OPEN);
    site_exchange(&site, "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", HELLO, CLIENT_OPEN);
    px_counters counters = site_counters(&site);

    assert_int_equal(counters.requests, 3);
    assert_int_equal(counters.responses[2], 3);
    assert_int_equal(counters.accepted, 3);
    assert_int_equal(counters.refused, 0);
    site_close(&site);
}

static void one_byte_at_a_time(void **state)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                  "\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
                                  "GET /p/next HTTP/1.1\r\nHost: a\r\n\r\n";
    struct site site;
    struct client client;

    (void)state;
    site_make(&site, NULL);
    client_open(&client, &site);
    for (size_t at = 0; at < sizeof(request) - 1; at++) {
        client_send(&client, px_str_make(request + at, 1));
        pump_once(site.loop, 1);
    }
    client_expect(&client, &site,
                  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"
                  "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n/p/next");
    assert_int_equal(client.dates, 2);
    client_close(&client);
    site_close(&site);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    enum { COUNT = 600 }; /* more than are answered in a row */
    struct site site;
    struct client client;
    char *requests = malloc(COUNT * 64), *expected = malloc(COUNT * 64);
    size_t in = 0, out = 0;

    (void)state;
    site_make(&site, NULL);
    for (int number = 0; number < COUNT; number++) {
        in +=
            (size_t)snprintf(requests + in, 64, "GET /p/%03d HTTP/1.1\r\nHost: a\r\n\r\n", number);
        out += (size_t)snprintf(expected + out, 64,
                                "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n/p/%03d", number);
    }
    client_open(&client, &site);
    client_send(&client, px_str_make(requests, in));
    client_expect(&client, &site, expected);
    assert_int_equal(client.dates, COUNT);
    assert_int_equal(site_counters(&site).requests, COUNT);
    client_close(&client);
    site_close(&site);
    free(requests);
    free(expected);
}

static void valid_then_invalid_are_both_answered(void **state)
{
    struct site site;

    (void)state;
    site_make(&site, NULL);
    site_exchange(
        &site, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost : a\r\n\r\nGET / HTT",
        HELLO ANSWER_TEXT("400 Bad Request", "400 Bad Request\n", "16", "Connection: close\r\n"),
        CLIENT_ENDED);
    assert_int_equal(site_counters(&site).refused, 1);
    assert_int_equal(site_counters(&site).responses[4], 1);
    site_close(&site);
}

/* --- Persistence ------------------------------------------------------------------------------ */

static void close_keep_alive_and_versions(void **state)
{
    static const struct {
        const char *request;
        const char *more;
        enum client_state state;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "Connection: close\r\n",
         CLIENT_ENDED},
        {"GET / HTTP/1.0\r\n\r\n", "Connection: close\r\n", CLIENT_ENDED},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "Connection: keep-alive\r\n",
         CLIENT_OPEN},
        {"GET / HTTP/1.0\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n",
         "Connection: close\r\n", CLIENT_ENDED},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "", CLIENT_OPEN},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "", CLIENT_OPEN},
    };
    struct site site;

    (void)state;
    site_make(&site, NULL);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        char expected[256];

        snprintf(expected, sizeof(expected),
                 "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n%s"
                 "Content-Length: 13\r\n\r\nHello, world!",
                 cases[index].more);
        site_exchange(&site, cases[index].request, expected, cases[index].state);
    }
    site_close(&site);
}

static void what_follows_close_is_not_answered(void **state)
{
    struct site site;

    (void)state;
    site_make(&site, NULL);
    site_exchange(&site,
                  "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                  ANSWER_TEXT("200 OK", "Hello, world!", "13", "Connection: close\r\n"),
                  CLIENT_ENDED);
    assert_int_equal(site_counters(&site).requests, 1);
    site_close(&site);
}

/* A request consumed whole is closed at once: we need not close first. */
static void consumed_whole_is_closed_at_once(void **state)
{
    struct site site;
    struct client client;

    (void)state;
    for (int pieces = 0; pieces < 2; pieces++) {
        site_make(&site, NULL);
        client_open(&client, &site);
        client_send(&client, LITERAL("GET / HTTP/1.1\r\nHost: a\r\nConnec"));
        if (pieces)
            pump_quietly(site.loop, 10);
        client_send(&client, LITERAL("tion: close\r\n\r\n"));
        client_await_end(&client, &site);
        assert_int_equal(client.state, CLIENT_ENDED);
        pump_quietly(site.loop, 10);
        assert_int_equal(site_counters(&site).open, 0);
        client_close(&client);
        site_close(&site);
    }
}

/* After a refusal bytes go on coming: the answer can be read, and is not lost to a reset. */
static void refusal_lingers(void **state)
{
    struct site site;
    struct client client;
    static char junk[100000];

    (void)state;
    memset(junk, 'x', sizeof(junk));
    site_make(&site, NULL);
    client_open(&client, &site);
    client_send(&client, LITERAL("BAD REQUEST LINE\r\n\r\n"));
    for (int count = 0; count < 5; count++) {
        client_send(&client, px_str_make(junk, sizeof(junk)));
        pump_quietly(site.loop, 5);
    }
    client_await_end(&client, &site);
    assert_int_equal(client.state, CLIENT_ENDED);
    assert_memory_equal(client.text, "HTTP/1.1 400 ", 13);
    /* Still there to read what we send, until we close. */
    assert_int_equal(site_counters(&site).open, 1);
    shutdown(client.fd, SHUT_WR);
    pump_until(site.loop, site_counters(&site).open == 0);
    client_close(&client);
    site_close(&site);
}

static void lingering_is_bounded(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    struct client client;
    static char junk[100000];
    size_t sent = 0;

    (void)state;
    /* In time... */
    options.linger_timeout_ms = 100;
    site_make(&site, &options);
    client_open(&client, &site);
    client_send(&client, LITERAL("BAD\r\n\r\n"));
    uint64_t before = pump_now_ms();

    pump_until(site.loop, site_counters(&site).accepted == 1);
    pump_until(site.loop, site_counters(&site).open == 0);
    assert_in_range(pump_now_ms() - before, 80, 2000);
    client_close(&client);
    site_close(&site);
    /* ... and in bytes. */
    site_make(&site, NULL);
    client_open(&client, &site);
    client_send(&client, LITERAL("BAD\r\n\r\n"));
    client_await_end(&client, &site);
    while (site_counters(&site).open == 1 && sent < (64 << 20)) {
        ssize_t count = send(client.fd, junk, sizeof(junk), MSG_DONTWAIT | MSG_NOSIGNAL);

        sent += count > 0 ? (size_t)count : 0;
        pump_once(site.loop, 1);
    }
    assert_true(sent < (64 << 20));
    client_close(&client);
    site_close(&site);
}

static void half_close_is_not_departure(void **state)
{
    struct site site;
    struct client client;

    (void)state;
    site_make(&site, NULL);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /p/2 HTTP/1.1\r\nHost: "
                                 "a\r\n\r\n"));
    shutdown(client.fd, SHUT_WR);
    client_expect(&client, &site, HELLO "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/p/2");
    client_await_end(&client, &site);
    assert_int_equal(client.state, CLIENT_ENDED);
    client_close(&client);
    /* In the middle of a head or of content it is a broken request. */
    static const char *const cut[] = {
        "GET / HTTP/1.1\r\nHos", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};

    for (size_t index = 0; index < 3; index++) {
        client_open(&client, &site);
        client_send(&client, px_str_of(cut[index]));
        shutdown(client.fd, SHUT_WR);
        client_await_end(&client, &site);
        assert_memory_equal(client.text, "HTTP/1.1 400 ", 13);
        client_close(&client);
    }
    /* Nothing at all is a good-bye. */
    client_open(&client, &site);
    shutdown(client.fd, SHUT_WR);
    client_await_end(&client, &site);
    assert_int_equal(client.len, 0);
    client_close(&client);
    pump_until(site.loop, site_counters(&site).open == 0);
    site_close(&site);
}

/* --- Content ---------------------------------------------------------------------------------- */

static void content_by_length_and_in_chunks(void **state)
{
    struct site site;

    (void)state;
    site_make(&site, NULL);
    site_exchange(&site,
                  "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /p/x "
                  "HTTP/1.1\r\nHost: a\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"
                  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n/p/x",
                  CLIENT_OPEN);
    site_exchange(&site, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", CLIENT_OPEN);
    site_exchange(&site, "POST /echo HTTP/1.1\r\nHost: a\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", CLIENT_OPEN);
    site_exchange(&site,
                  "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "a\r\n0123456789\r\n000\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", CLIENT_OPEN);
    /* What a route does not want is read and dropped. */
    site_exchange(&site,
                  "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345"
                  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                  HELLO HELLO, CLIENT_OPEN);
    site_close(&site);
}

static void content_above_its_limit_is_413(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;
    static const char refused[] = ANSWER_TEXT("413 Content Too Large", "413 Content Too Large\n",
                                              "22", "Connection: close\r\n");

    (void)state;
    options.content_bytes_max = 10;
    site_make(&site, &options);
    site_exchange(&site, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789",
                  "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789", CLIENT_OPEN);
    struct client client;
    static const char *const large[] = {
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n123456\r\n5\r\n"};

    for (size_t index = 0; index < 3; index++) {
        client_open(&client, &site);
        client_send(&client, px_str_of(large[index]));
        client_expect(&client, &site, refused);
        client_await_end(&client, &site);
        client_close(&client);
    }
    site_close(&site);
}

struct collecting {
    px_str content;
    uint32_t told;
};

static void collected(px_exchange *exchange, px_str content, void *context)
{
    struct collecting *collecting = context;

    collecting->told++;
    px_respond(exchange, 200, px_str_make(NULL, 0), content);
}

static void collect_from_the_handler(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, 8, collected, context);
}

static void expect_continue(void **state)
{
    struct site site;
    struct client client;
    struct collecting collecting = {0};

    (void)state;
    site_make(&site, NULL);
    site_route(&site, "PUT /collect", collect_from_the_handler, &collecting);
    /* The content is wanted: go on. */
    client_open(&client, &site);
    client_send(&client, LITERAL("PUT /collect HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n"
                                 "Content-Length: 4\r\n\r\n"));
    client_expect(&client, &site, "HTTP/1.1 100 Continue\r\n\r\n");
    client_send(&client, LITERAL("body"));
    client_expect(&client, &site,
                  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
    client_close(&client);
    /* It did not wait: no need to say so. */
    site_exchange(&site,
                  "PUT /collect HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                  "Content-Length: 4\r\n\r\nbody",
                  "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody", CLIENT_OPEN);
    /* Answered without: what follows could be content or not, so it is the last answer. */
    site_exchange(&site,
                  "GET /nowhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                  "Content-Length: 4\r\n\r\n",
                  ANSWER_TEXT("404 Not Found", "404 Not Found\n", "14", "Connection: close\r\n"),
                  CLIENT_ENDED);
    site_exchange(&site,
                  "PUT /collect HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                  "Content-Length: 0\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", CLIENT_OPEN);
    site_exchange(&site, "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
                  ANSWER_TEXT("200 OK", "Hello, world!", "13", "Connection: close\r\n"),
                  CLIENT_ENDED);
    site_exchange(&site, "GET / HTTP/1.1\r\nHost: a\r\nExpect: a-lot\r\n\r\n",
                  ANSWER_TEXT("417 Expectation Failed", "417 Expectation Failed\n", "23", ""),
                  CLIENT_OPEN);
    assert_int_equal(collecting.told, 3);
    site_close(&site);
}

static void collecting_has_a_limit_of_its_own(void **state)
{
    struct site site;
    struct collecting collecting = {0};

    (void)state;
    site_make(&site, NULL);
    site_route(&site, "PUT /collect", collect_from_the_handler, &collecting);
    site_exchange(&site, "PUT /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n12345678",
                  "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n12345678", CLIENT_OPEN);
    site_exchange(&site, "PUT /collect HTTP/1.1\r\nHost: a\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", CLIENT_OPEN);
    assert_int_equal(collecting.told, 2);
    struct client client;

    client_open(&client, &site);
    client_send(&client, LITERAL("PUT /collect HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"));
    client_await_end(&client, &site);
    assert_memory_equal(client.text, "HTTP/1.1 413 ", 13);
    client_close(&client);
    assert_int_equal(collecting.told, 2);
    site_close(&site);
}

/* --- Producers, framing of answers ------------------------------------------------------------ */

struct counting {
    uint32_t pulls;
    uint32_t pieces;
    uint32_t released;
    px_pull last; /* how it ends */
};

static px_pull counting_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                             void *context)
{
    struct counting *counting = context;

    (void)exchange;
    assert_true(room >= 2);
    out[0] = (char)('a' + counting->pulls % 26);
    *out_bytes = counting->pulls < counting->pieces;
    counting->pulls++;
    return counting->pulls <= counting->pieces ? PX_PULL_MORE : counting->last;
}

static void counting_release(void *context)
{
    struct counting *counting = context;

    counting->released++;
}

static void produce(px_exchange *exchange, void *context)
{
    struct counting *counting = context;
    px_producer producer = {sizeof(px_producer), counting_pull, counting_release, counting};

    counting->pulls = 0;
    px_response_add_trailer(exchange, LITERAL("Checksum"), LITERAL("1234"));
    px_respond_producer(exchange, 200, px_str_make(NULL, 0), PX_LENGTH_UNKNOWN, &producer);
}

static void unknown_length_by_version(void **state)
{
    struct site site;
    struct counting counting = {.pieces = 3, .last = PX_PULL_END};

    (void)state;
    site_make(&site, NULL);
    site_route(&site, "GET /produce", produce, &counting);
    site_exchange(&site, "GET /produce HTTP/1.1\r\nHost: a\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0001\r\na\r\n0001\r\nb\r\n"
                  "0001\r\nc\r\n0\r\nChecksum: 1234\r\n\r\n",
                  CLIENT_OPEN);
    site_exchange(&site, "GET /produce HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc", CLIENT_ENDED);
    site_exchange(&site, "HEAD /produce HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                  CLIENT_OPEN);
    assert_int_equal(counting.released, 3);
    assert_int_equal(counting.pulls, 0);
    site_close(&site);
}

/* P7: what is cut short never looks complete. */
static void broken_producers_are_reset(void **state)
{
    struct site site;
    struct client client;
    struct counting counting = {.pieces = 3, .last = PX_PULL_ERROR};

    (void)state;
    site_make(&site, NULL);
    site_route(&site, "GET /produce", produce, &counting);
    for (int version = 0; version < 2; version++) {
        client_open(&client, &site);
        client_send(&client, version ? LITERAL("GET /produce HTTP/1.1\r\nHost: a\r\n\r\n")
                                     : LITERAL("GET /produce HTTP/1.0\r\n\r\n"));
        client_await_end(&client, &site);
        assert_int_equal(client.state, CLIENT_RESET);
        assert_null(strstr(client.text, "0\r\n\r\n"));
        client_close(&client);
    }
    assert_int_equal(counting.released, 2);
    assert_int_equal(site_counters(&site).aborted, 2);
    site_close(&site);
}

static void status_only(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond(exchange, (unsigned)strtoul(px_request_param(exchange, "code").ptr, NULL, 10),
               px_str_make(NULL, 0), LITERAL("ignored"));
}

static void no_content_statuses(void **state)
{
    struct site site;

    (void)state;
    site_make(&site, NULL);
    site_route(&site, "GET /status/{code}", status_only, NULL);
    site_exchange(&site, "GET /status/204 HTTP/1.1\r\nHost: a\r\n\r\n",
                  "HTTP/1.1 204 No Content\r\n\r\n", CLIENT_OPEN);
    site_exchange(&site, "GET /status/304 HTTP/1.1\r\nHost: a\r\n\r\n",
                  "HTTP/1.1 304 Not Modified\r\n\r\n", CLIENT_OPEN);
    site_exchange(&site, "GET /status/599 HTTP/1.1\r\nHost: a\r\n\r\n",
                  "HTTP/1.1 599 \r\nContent-Length: 7\r\n\r\nignored", CLIENT_OPEN);
    site_close(&site);
}

/* --- Large answers and files ------------------------------------------------------------------ */

struct large {
    char *bytes;
    size_t len;
    int file;
    uint64_t file_length;
    uint32_t released;
    uint32_t ended;
    px_end end;
};

static void large_release(void *context)
{
    struct large *large = context;

    large->released++;
}

static void large_file_release(int fd, void *context)
{
    struct large *large = context;

    assert_int_equal(fd, large->file);
    large->released++;
}

static void large_end(px_exchange *exchange, px_end end, void *context)
{
    struct large *large = context;

    (void)exchange;
    large->ended++;
    large->end = end;
}

static const px_exchange_callbacks large_callbacks = {.struct_size = sizeof(px_exchange_callbacks),
                                                      .on_end = large_end};

static void large_body(px_exchange *exchange, void *context)
{
    struct large *large = context;
    px_body body = {sizeof(px_body), px_str_make(large->bytes, large->len), large_release, large};

    px_exchange_set_callbacks(exchange, &large_callbacks, large);
    px_respond_body(exchange, 200, px_str_make(NULL, 0), &body);
}

static void large_file(px_exchange *exchange, void *context)
{
    struct large *large = context;
    px_file_range range = {.struct_size = sizeof(px_file_range),
                           .fd = large->file,
                           .length = large->file_length,
                           .release = large_file_release,
                           .context = large};

    px_exchange_set_callbacks(exchange, &large_callbacks, large);
    px_respond_file(exchange, 200, px_str_make(NULL, 0), &range);
}

static void large_answers_arrive_whole(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 16384, 70000, 3000000};
    struct site site;
    struct client client;
    struct large large = {.bytes = malloc(3000000)};

    (void)state;
    for (size_t at = 0; at < 3000000; at++)
        large.bytes[at] = (char)file_byte(at);
    large.file = file_make(3000000);
    site_make(&site, NULL);
    site_route(&site, "GET /body", large_body, &large);
    site_route(&site, "GET /file", large_file, &large);
    for (size_t index = 0; index < sizeof(sizes) / sizeof(sizes[0]); index++) {
        for (int file = 0; file < 2; file++) {
            char head[128];
            size_t head_len = (size_t)snprintf(
                head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", sizes[index]);

            large.len = sizes[index];
            large.file_length = sizes[index];
            large.ended = large.released = 0;
            client_open(&client, &site);
            client_send(&client, px_str_of(file ? "GET /file HTTP/1.1\r\nHost: a\r\n\r\n"
                                                : "GET /body HTTP/1.1\r\nHost: a\r\n\r\n"));
            client_await(&client, &site, head_len + sizes[index]);
            pump_until(site.loop, large.ended == 1 && large.released == 1);
            client_pump(&client, &site);
            assert_int_equal(client.len, head_len + sizes[index]);
            assert_memory_equal(client.text, head, head_len);
            assert_memory_equal(client.text + head_len, large.bytes, sizes[index]);
            assert_int_equal(large.end, PX_END_COMPLETE);
            client_close(&client);
        }
    }
    close(large.file);
    free(large.bytes);
    site_close(&site);
}

static void file_shorter_than_declared_is_reset(void **state)
{
    struct site site;
    struct client client;
    struct large large = {.file = file_make(100000), .file_length = 100001};

    (void)state;
    site_make(&site, NULL);
    site_route(&site, "GET /file", large_file, &large);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /file HTTP/1.1\r\nHost: a\r\n\r\n"));
    client_await_end(&client, &site);
    assert_int_equal(client.state, CLIENT_RESET);
    pump_until(site.loop, large.ended == 1);
    assert_int_equal(large.end, PX_END_ABORTED);
    assert_int_equal(large.released, 1);
    client_close(&client);
    close(large.file);
    site_close(&site);
}

static void peer_that_leaves_in_the_middle(void **state)
{
    struct site site;
    struct client client;
    struct large large = {.bytes = calloc(1, 8 << 20), .len = 8 << 20};

    (void)state;
    large.file = file_make(8 << 20);
    large.file_length = 8 << 20;
    site_make(&site, NULL);
    site_route(&site, "GET /body", large_body, &large);
    site_route(&site, "GET /file", large_file, &large);
    for (int file = 0; file < 2; file++) {
        large.ended = large.released = 0;
        client_open(&client, &site);
        client_send(&client, px_str_of(file ? "GET /file HTTP/1.1\r\nHost: a\r\n\r\n"
                                            : "GET /body HTTP/1.1\r\nHost: a\r\n\r\n"));
        client_await(&client, &site, 100);
        peer_reset(client.fd);
        client.fd = -1;
        pump_until(site.loop, large.ended == 1);
        assert_int_equal(large.end, PX_END_PEER_GONE);
        pump_until(site.loop, large.released == 1);
        client_close(&client);
    }
    close(large.file);
    free(large.bytes);
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_request),
        cmocka_unit_test(one_byte_at_a_time),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(valid_then_invalid_are_both_answered),
        cmocka_unit_test(close_keep_alive_and_versions),
        cmocka_unit_test(what_follows_close_is_not_answered),
        cmocka_unit_test(consumed_whole_is_closed_at_once),
        cmocka_unit_test(refusal_lingers),
        cmocka_unit_test(lingering_is_bounded),
        cmocka_unit_test(half_close_is_not_departure),
        cmocka_unit_test(content_by_length_and_in_chunks),
        cmocka_unit_test(content_above_its_limit_is_413),
        cmocka_unit_test(expect_continue),
        cmocka_unit_test(collecting_has_a_limit_of_its_own),
        cmocka_unit_test(unknown_length_by_version),
        cmocka_unit_test(broken_producers_are_reset),
        cmocka_unit_test(no_content_statuses),
        cmocka_unit_test(large_answers_arrive_whole),
        cmocka_unit_test(file_shorter_than_declared_is_reset),
        cmocka_unit_test(peer_that_leaves_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
