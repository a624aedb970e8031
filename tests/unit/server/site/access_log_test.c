/*
 * Log lines byte for byte, in each format, with everything that could forge one escaped.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/check.h"
#include "server/site/log_template.h"
#include "unit/server/client.h"

struct lines {
    char text[65536];
    size_t len;
    uint32_t calls;
};

static void take_lines(px_str lines, void *context)
{
    struct lines *taken = context;

    /* Whole lines. */
    assert_true(lines.len > 0 && lines.ptr[lines.len - 1] == '\n');
    assert_true(taken->len + lines.len < sizeof(taken->text));
    memcpy(taken->text + taken->len, lines.ptr, lines.len);
    taken->len += lines.len;
    taken->text[taken->len] = '\0';
    taken->calls++;
}

static void hello(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "Hello, world!");
}

static void hold(px_exchange *exchange, void *context)
{
    (void)exchange;
    *(uint32_t *)context += 1;
}

static void site_make(struct site *site, uint32_t format, struct lines *lines)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;

    memset(lines, 0, sizeof(*lines));
    options.log_format = format;
    options.on_log = take_lines;
    options.log_context = lines;
    site_open(site, &options);
    site_route(site, "/{rest...}", hello, NULL);
}

/* Sends it, waits for the first bytes of an answer and for the log. */
static void request(struct site *site, const char *text)
{
    struct client client;

    client_open(&client, site);
    client_send(&client, px_str_of(text));
    client_await(&client, site, 20);
    pump_quietly(site->loop, 3);
    client_close(&client);
    pump_until(site->loop, site_counters(site).open == 0);
}

/* Puts the peer's address and the time, which is cut out, in front. */
static void combined_is(struct lines *lines, const char *expected)
{
    char stamp[64];
    time_t now = time(NULL);
    struct tm parts;

    assert_memory_equal(lines->text, "127.0.0.1 - - [", 15);
    gmtime_r(&now, &parts);
    strftime(stamp, sizeof(stamp), "%d/%b/%Y:%H:", &parts);
    assert_memory_equal(lines->text + 15, stamp, strlen(stamp) - 4);
    char *rest = strchr(lines->text, ']');

    assert_int_equal(rest - lines->text, 15 + 26);
    assert_memory_equal(rest - 6, " +0000", 6);
    assert_string_equal(rest + 2, expected);
    lines->len = 0;
    lines->text[0] = '\0';
}

static void combined_lines(void **state)
{
    static const struct {
        const char *request;
        const char *line;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\"GET / HTTP/1.1\" 200 13 \"-\" \"-\"\n"},
        {"GET /a?b=c HTTP/1.0\r\nReferer: http://x/\r\nUser-Agent: curl/7 (x)\r\n\r\n",
         "\"GET /a?b=c HTTP/1.0\" 200 13 \"http://x/\" \"curl/7 (x)\"\n"},
        {"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "\"HEAD / HTTP/1.1\" 200 0 \"-\" \"-\"\n"},
        {"GET /\"\\x HTTP/1.1\r\nHost: a\r\nUser-Agent: a\"b\\c\r\n\r\n", NULL},
        {"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: a\"b\\c\r\nReferer: \xc3\xbc\t!\r\n\r\n",
         "\"GET / HTTP/1.1\" 200 13 \"\\xC3\\xBC\\x09!\" \"a\\x22b\\x5Cc\"\n"},
        {"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent:\r\n\r\n",
         "\"GET / HTTP/1.1\" 200 13 \"-\" \"-\"\n"},
        {"BAD\r\n\r\n", "\"BAD\" 400 16 \"-\" \"-\"\n"},
        {"GET /%zz\"x HTTP/1.1\r\nUser-Agent: a\\b\r\nReferer: r\r\n\r\n",
         "\"GET /%zz\\x22x HTTP/1.1\" 400 16 \"r\" \"a\\x5Cb\"\n"},
        {"GET / HTTP/3.0\r\n\r\n", "\"GET / HTTP/3.0\" 505 31 \"-\" \"-\"\n"},
    };
    struct site site;
    static struct lines lines;

    (void)state;
    site_make(&site, PX_LOG_COMBINED, &lines);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        if (!cases[index].line)
            continue;
        request(&site, cases[index].request);
        combined_is(&lines, cases[index].line);
    }
    site_close(&site);
}

/* Pipelined answers of one tick are handed over together. */
static void lines_of_a_tick_come_together(void **state)
{
    struct site site;
    static struct lines lines;
    char requests[50 * 40] = "";
    size_t len = 0, count = 0;

    (void)state;
    site_make(&site, PX_LOG_COMBINED, &lines);
    for (int number = 0; number < 50; number++)
        len += (size_t)snprintf(requests + len, sizeof(requests) - len,
                                "GET /%d HTTP/1.1\r\nHost: a\r\n\r\n", number);
    request(&site, requests);
    for (char *at = lines.text; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    assert_int_equal(count, 50);
    assert_true(lines.calls <= 5);
    site_close(&site);
}

static void peer_that_left_is_499(void **state)
{
    struct site site;
    struct client client;
    static struct lines lines;
    uint32_t held = 0;

    (void)state;
    site_make(&site, PX_LOG_COMBINED, &lines);
    site_route(&site, "GET /hold", hold, &held);
    client_open(&client, &site);
    client_send(&client, LITERAL("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"));
    pump_until(site.loop, held == 1);
    peer_reset(client.fd);
    client.fd = -1;
    pump_until(site.loop, lines.len > 0);
    combined_is(&lines, "\"GET /hold HTTP/1.1\" 499 0 \"-\" \"-\"\n");
    client_close(&client);
    site_close(&site);
}

static void json_lines(void **state)
{
    struct site site;
    static struct lines lines;

    (void)state;
    site_make(&site, PX_LOG_JSON, &lines);
    request(&site,
            "GET /a?b HTTP/1.1\r\nHost: h:1\r\nUser-Agent: a\"b\\c\x80\r\nReferer: r\r\n\r\n");
    assert_memory_equal(lines.text, "{\"time\":", 8);
    char *rest = strstr(lines.text, ",\"peer\":");

    assert_non_null(rest);
    char *duration = strstr(rest, ",\"duration_ms\":");

    assert_non_null(duration);
    assert_str_equal(px_str_make(rest, (size_t)(duration - rest)),
                     LITERAL(",\"peer\":\"127.0.0.1\",\"method\":\"GET\",\"target\":\"/a?b\","
                             "\"host\":\"h:1\",\"version\":1.1,\"protocol\":\"HTTP/1.1\","
                             "\"status\":200,\"bytes\":13,\"ended\":\"complete\""));
    assert_non_null(strstr(duration, ",\"first_byte_ms\":0,\"handler_ms\":0,"));
    /* What there is none of is left out. */
    assert_null(strstr(lines.text, "upstream"));
    assert_null(strstr(lines.text, "tries"));
    assert_null(strstr(lines.text, "tls_"));
    assert_non_null(
        strstr(duration, ",\"referer\":\"r\",\"user_agent\":\"a\\\"b\\\\c\\u0080\"}\n"));
    site_close(&site);
}

/* Names of Elastic Common Schema, versions as text, the date as RFC 3339 has it. */
static void ecs_lines(void **state)
{
    struct site site;
    static struct lines lines;

    (void)state;
    site_make(&site, PX_LOG_ECS, &lines);
    request(&site, "GET /a?b HTTP/1.1\r\nHost: h:1\r\nUser-Agent: a\"b\r\n\r\n");
    assert_memory_equal(lines.text, "{\"ecs.version\":\"8.11.0\",\"pollux.time\":", 37);
    char *date = strstr(lines.text, ",\"@timestamp\":\"20");

    assert_non_null(date);
    assert_memory_equal(date + 34, "Z\",\"source.address\":\"127.0.0.1\",", 32);
    assert_non_null(strstr(lines.text, ",\"http.request.method\":\"GET\",\"url.original\":\"/a?b\","
                                       "\"url.domain\":\"h:1\",\"http.version\":\"1.1\","));
    assert_non_null(strstr(lines.text, ",\"http.response.status_code\":200,"));
    assert_non_null(strstr(lines.text, ",\"user_agent.original\":\"a\\\"b\"}\n"));
    site_close(&site);
}

/* --- Templates -------------------------------------------------------------------------------- */

/* The line of a request, by a template; the site is made anew for each. */
static void template_is(const char *text, const char *sent, const char *expected)
{
    static struct lines lines;
    static const char *const all[] = {"*"};
    px_site_options options = PX_SITE_OPTIONS_DEFAULT;
    struct site site;
    px_host *host;
    px_error error;
    px_template *template_ = px_log_template_create(px_str_of(text), NULL, NULL, &error);

    assert_non_null(template_);
    options.log_format = PX_LOG_TEMPLATE;
    assert_null(px_site_create(&options, &error));
    options.log_template = template_;
    px_site *served = px_site_create(&options, &error);

    assert_non_null(served);
    assert_int_equal(px_site_host(served, all, 1, NULL, &host, &error), PX_OK);
    assert_int_equal(px_host_route(host, "/{rest...}", NULL, hello, NULL, &error), PX_OK);
    site_make(&site, PX_LOG_OFF, &lines);
    assert_int_equal(px_server_set_site(site.server, served, &error), PX_OK);
    px_site_destroy(served);
    request(&site, sent);
    assert_string_equal(lines.text, expected);
    site_close(&site);
    px_template_destroy(template_);
}

static void template_lines(void **state)
{
    static const struct {
        const char *text;
        const char *request;
        const char *line;
    } cases[] = {
        {"{{{method} {path}?{query}}} {status} {bytes} {duration_ms}",
         "GET /a%20b?c=d HTTP/1.1\r\nHost: h\r\n\r\n", "{GET /a b?c=d} 200 13 0\n"},
        {"{client}|{host}|{version}|{ended}|{route}|{bytes_in}",
         "GET / HTTP/1.1\r\nHost: h:1\r\n\r\n", "127.0.0.1|h|1.1|complete|/{rest...}|0\n"},
        /* What there is none of. */
        {"{header.x-y} {cookie.a} {upstream} {tls_version} {reason} \"{user_agent}\"",
         "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "- - - - - \"-\"\n"},
        /* Nothing that a peer sends ends a line or a quoted part, decoded or not. */
        {"{path} {uri} {target}", "GET /%0Ax%22y%5C%C3%BC%7F HTTP/1.1\r\nHost: h\r\n\r\n",
         "/\\x0Ax\\x22y\\x5C\\xC3\\xBC\\x7F /%0Ax%22y%5C%C3%BC%7F /%0Ax%22y%5C%C3%BC%7F\n"},
        {"\"{header.User-Agent}\" \"{user_agent}\" {query.a} {param.rest}",
         "GET /r%0a?a=%0d%0a%22 HTTP/1.1\r\nHost: h\r\nUser-Agent: a\"b\\\t\xff\r\n\r\n",
         "\"a\\x22b\\x5C\\x09\\xFF\" \"a\\x22b\\x5C\\x09\\xFF\" \\x0D\\x0A\\x22 r\\x0A\n"},
        /* Of what is refused before it is a request there is less. */
        {"{client} {method} {host} {status} {bytes} {reason} {path} {referer}",
         "GET /%zz HTTP/1.1\r\nHost: h\r\nReferer: r\r\n\r\n",
         "127.0.0.1 GET h 400 16 bad byte in the target - r\n"},
        {"constant\tline", "BAD\r\n\r\n", "constant\tline\n"},
        {"", "BAD\r\n\r\n", "\n"},
    };

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++)
        template_is(cases[index].text, cases[index].request, cases[index].line);
    assert_int_equal(ARRAY_COUNT(cases), 8);
}

/* Each field of a JSON line is a placeholder, once and sixty-four times, with texts at their
 * longest: the room that is made is enough. */
static void template_lines_of_every_field(void **state)
{
    char sent[8192], text[2048];

    (void)state;
    memset(sent, '\x01', sizeof(sent));
    for (uint32_t field = 0; field < LOG_FIELD_COUNT; field++) {
        struct log_entry entry = {.peer = LITERAL("peer"),
                                  .method = px_str_make(sent, 512),
                                  .target = px_str_make(sent, sizeof(sent)),
                                  .referer = px_str_make(sent, sizeof(sent)),
                                  .agent = px_str_make(sent, sizeof(sent)),
                                  .host = px_str_make(sent, sizeof(sent)),
                                  .reason = "reason",
                                  .unix_time = INT64_MAX / 2000000000,
                                  .duration_ms = UINT64_MAX,
                                  .bytes = UINT64_MAX,
                                  .status = 999,
                                  .version = 11};
        px_str texts[TEMPLATE_PIECES_MAX];
        px_error error;
        size_t len = 0;

        for (uint32_t piece = 0; piece < TEMPLATE_PIECES_MAX; piece++)
            len +=
                (size_t)snprintf(text + len, sizeof(text) - len, "{%.*s}",
                                 (int)log_fields[field].json.len, log_fields[field].json.text + 2);
        px_template *template_ = px_log_template_create(px_str_make(text, len), NULL, NULL, &error);

        assert_non_null(template_);
        size_t bytes = log_template_read(template_, &entry, texts);
        char *room = malloc(bytes * TEXT_ESCAPE_FACTOR);
        struct log_line line = {room};

        assert_non_null(room);
        log_put_template(&line, template_, &entry, texts);
        assert_true(line.at > room && (size_t)(line.at - room) <= bytes * TEXT_ESCAPE_FACTOR);
        assert_null(memchr(room, '\x01', (size_t)(line.at - room)));
        free(room);
        px_template_destroy(template_);
    }
}

static void template_that_is_wrong(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        const char *says;
    } cases[] = {
        {"a\nb", 1, "a log line has no control bytes"},
        {"{status}\x1b", 8, "a log line has no control bytes"},
        {"{status}\x7f", 8, "a log line has no control bytes"},
        {"x {nope}", 2, "there is no placeholder {nope}"},
        {"{status", 0, "a brace that is not closed; write {{ for a brace"},
        {"{statusx}", 0, "there is no placeholder {statusx}"},
    };

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        px_error error;
        size_t at = 99;

        assert_null(px_log_template_create(px_str_of(cases[index].text), NULL, &at, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
        assert_string_equal(error.text, cases[index].says);
        assert_int_equal(at, cases[index].at);
    }
    assert_int_equal(ARRAY_COUNT(cases), 6);
}

static void json_lines_of_what_is_refused(void **state)
{
    struct site site;
    static struct lines lines;

    (void)state;
    site_make(&site, PX_LOG_JSON, &lines);
    request(&site, "GET /a%zz HTTP/1.0\r\nHost: h\r\nUser-Agent: \"u\r\n\r\n");
    char *rest = strstr(lines.text, ",\"peer\":");

    assert_non_null(rest);
    assert_string_equal(
        rest,
        ",\"peer\":\"127.0.0.1\",\"method\":\"GET\",\"target\":\"/a%zz\","
        "\"host\":\"h\",\"version\":1.0,\"protocol\":\"HTTP/1.0\","
        "\"status\":400,\"bytes\":16,\"ended\":\"refused\",\"reason\":\"bad byte in the target\","
        "\"duration_ms\":0,\"referer\":\"\",\"user_agent\":\"\\\"u\"}\n");
    site_close(&site);
}

static void answer_twice(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "once");
    px_respond_text(exchange, 200, "twice");
}

static void count_fault(px_exchange *exchange, const char *what, void *context)
{
    assert_ptr_equal(px_exchange_fault(exchange), what);
    *(uint32_t *)context += 1;
}

/* It was the program, and the line says what it did. */
static void json_lines_name_broken_rules(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    static struct lines lines;
    struct site site;
    uint32_t faults = 0;

    (void)state;
    memset(&lines, 0, sizeof(lines));
    options.log_format = PX_LOG_JSON;
    options.on_log = take_lines;
    options.log_context = &lines;
    options.on_fault = count_fault;
    options.fault_context = &faults;
    site_open(&site, &options);
    site_route(&site, "/twice", answer_twice, NULL);
    request(&site, "GET /twice HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(faults, 1);
    assert_non_null(strstr(lines.text, "\"status\":500,\"bytes\":26,\"ended\":\"aborted\","
                                       "\"reason\":\"a second answer\""));
    site_close(&site);
}

/* Some of its content, and no more. */
static px_pull some_and_no_more(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                                void *context)
{
    uint32_t *pulls = context;

    if (++*pulls > 1) {
        px_exchange_abort(exchange);
        return PX_PULL_LATER;
    }
    assert_true(room > 0);
    out[0] = 'a';
    *out_bytes = 1;
    return PX_PULL_MORE;
}

static void answer_in_part(px_exchange *exchange, void *context)
{
    const px_producer producer = {sizeof(px_producer), some_and_no_more, NULL, context};

    px_respond_producer(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN, &producer);
}

static void take_metrics(px_str text, void *context)
{
    struct lines *taken = context;

    assert_true(taken->len + text.len < sizeof(taken->text));
    memcpy(taken->text + taken->len, text.ptr, text.len);
    taken->len += text.len;
    taken->text[taken->len] = '\0';
}

/* What a program cut after its head was out is its failure in the log, in metrics and in counters.
 */
static void what_a_program_cuts_is_500_everywhere(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    static struct lines lines, text;
    struct site site;
    uint32_t pulls = 0;
    px_error error;

    (void)state;
    memset(&lines, 0, sizeof(lines));
    memset(&text, 0, sizeof(text));
    px_metrics *metrics = px_metrics_create(NULL, &error);
    assert_non_null(metrics);
    options.log_format = PX_LOG_JSON;
    options.on_log = take_lines;
    options.log_context = &lines;
    options.metrics = metrics;
    site_open(&site, &options);
    site_route(&site, "/cut", answer_in_part, &pulls);
    request(&site, "GET /cut HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(pulls, 2);
    assert_non_null(strstr(lines.text, "\"status\":500,"));
    assert_int_equal(site_counters(&site).responses[5], 1);
    assert_int_equal(site_counters(&site).responses[2], 0);
    assert_int_equal(px_metrics_write(metrics, PX_METRICS_PROMETHEUS, take_metrics, &text), PX_OK);
    assert_non_null(strstr(text.text, "http_response_status_code=\"500\""));
    assert_null(strstr(text.text, "http_response_status_code=\"200\""));
    site_close(&site);
    px_metrics_destroy(metrics);
}

static void request_format_prints_accepted_heads(void **state)
{
    struct site site;
    static struct lines lines;
    static const char dashes[] = "----------------------------------------\n";
    char expected[512];

    (void)state;
    site_make(&site, PX_LOG_REQUEST, &lines);
    request(&site, "\r\nGET /\"q\" HTTP/1.1\r\nHost: a\r\nX: \xff\t.\r\n\r\n");
    snprintf(expected, sizeof(expected), "%sGET /\"q\" HTTP/1.1\r\nHost: a\r\nX: \\xFF\\x09.\r\n\n",
             dashes);
    if (lines.len == 0) { /* a quote in the target is refused */
        request(&site, "\r\nGET /q HTTP/1.1\r\nHost: a\r\nX: \xff\t\".\r\n\r\n");
        snprintf(expected, sizeof(expected),
                 "%sGET /q HTTP/1.1\r\nHost: a\r\nX: \\xFF\\x09\".\r\n\n", dashes);
    }
    assert_string_equal(lines.text, expected);
    lines.len = 0;
    request(&site, "BAD\r\n\r\n");
    assert_int_equal(lines.len, 0);
    site_close(&site);
}

static void no_log_without_a_taker(void **state)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    struct site site;

    (void)state;
    options.log_format = PX_LOG_COMBINED;
    site_open(&site, &options);
    site_route(&site, "/", hello, NULL);
    request(&site, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    site_close(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(combined_lines),
        cmocka_unit_test(lines_of_a_tick_come_together),
        cmocka_unit_test(peer_that_left_is_499),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(ecs_lines),
        cmocka_unit_test(template_lines),
        cmocka_unit_test(template_lines_of_every_field),
        cmocka_unit_test(template_that_is_wrong),
        cmocka_unit_test(json_lines_of_what_is_refused),
        cmocka_unit_test(json_lines_name_broken_rules),
        cmocka_unit_test(what_a_program_cuts_is_500_everywhere),
        cmocka_unit_test(request_format_prints_accepted_heads),
        cmocka_unit_test(no_log_without_a_taker),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
