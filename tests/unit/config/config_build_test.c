/*
 * From a file to a site: which route answers, what is wrong where, and that no allocation that
 * fails leaves anything behind.
 */
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "config/config.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "memory_reader.h"

static struct config *open_text(const char *text, const px_allocator *allocator)
{
    const struct memory_file files[] = {{"a.conf", text}, {0}};
    struct memory_reader memory = {.files = files};
    static struct config_reader reader;
    static struct config_shared shared;

    reader = memory_reader(&memory);
    return config_open(&reader, "a.conf", allocator, &shared);
}

static const char hosts[] = "listen :80\nlisten :81\n"
                            "host a.test *.b.test {\n"
                            "    redirect https\n    header X-A {host}\n    hsts\n"
                            "    match m {\n        path /m/*\n        not { method GET }\n    }\n"
                            "    when m {\n        deny all\n        header X-M m\n    }\n"
                            "    allow 10.0.0.0/8\n    rate_limit {client} 1/s\n"
                            "    connection_limit {client} 3\n    request_header X-B {path}\n"
                            "    error_page 404 /x/e\n    compress off\n"
                            "    route /x/{name} { respond \"hello {param.name}\" }\n"
                            "    route GET /y { redirect 301 /x/{query.q} }\n"
                            "    respond 404\n"
                            "}\n"
                            "host c.test {\n    listen :82\n    files /\n    index a b\n"
                            "    cache_control *.css no-cache\n    type wasm a/b\n}\n"
                            "health /up\nlimits { content 5 }\n"
                            "log template \"{client} {status} {bytes}\" /log sample=1/2\n";

/* The status that a path gets without a route; 0: a route answers. */
static unsigned find(const struct config *config, uint32_t listener, const char *method,
                     const char *host, const char *path)
{
    void *context = NULL;
    unsigned status = 0;

    if (px_site_find(config->site, listener, px_str_of(method), px_str_of(host), px_str_of(path),
                     &context, &status) == PX_OK)
        return 0;
    return status;
}

static void routes_are_where_the_file_says(void **state)
{
    struct config *config = open_text(hosts, &alloc_libc);

    (void)state;
    assert_non_null(config);
    assert_true(config_is_good(config));
    assert_int_equal(find(config, 0, "GET", "a.test", "/x/1"), 0);
    assert_int_equal(find(config, 1, "POST", "d.b.test", "/any"), 0);
    assert_int_equal(find(config, 2, "GET", "a.test", "/x/1"), 404); /* listens at shared ones */
    assert_int_equal(find(config, 2, "GET", "c.test", "/"), 0);
    assert_int_equal(find(config, 0, "GET", "c.test", "/"), 404);
    assert_int_equal(find(config, 0, "GET", "b.test", "/"), 404);
    config_close(config);
}

/* What is wrong can only be told by what the site is built of. */
static void errors_are_at_their_places(void **state)
{
    static const struct {
        const char *text;
        uint32_t line;
        uint32_t column;
        const char *says;
    } cases[] = {
        {"respond {nope}", 1, 9, "there is no placeholder {nope}"},
        {"respond 199 x", 1, 9, "199 is not a status from 200 to 599"},
        {"respond abc x", 1, 9, "\"abc\" is not a status from 200 to 599"},
        {"redirect 200 /", 1, 10, "\"200\" is not one of 301, 302, 303, 307 or 308"},
        {"files /nowhere-at-all", 1, 7, "cannot serve /nowhere-at-all: No such file or directory"},
        {"header TE x\nrespond", 1, 8, NULL},
        {"route /{a} {\nrespond\n}\nroute /{b} {\nrespond\n}", 4, 7,
         "\"/{b}\" and \"/{a}\" match the same, such as /a; the other is at a.conf:1"},
        {"route x {\nrespond\n}", 1, 7, NULL},
        {"respond\ntrace x", 2, 7, "\"x\" is not one of off or otlp"},
        {"allow 10.0.0.0/33\nrespond", 1, 7, NULL},
        {"rewrite x\nrespond", 1, 9, "\"x\" is not a path that begins with /"},
        {"fallback /x\nfiles /", 1, 10, NULL},
        {"route GET x {\nrespond\n}", 1, 11, NULL},
        {"route G@T /x {\nrespond\n}", 1, 7, NULL},
        {"files /\nindex /a", 2, 7, NULL},
        {"type .css text/css\nfiles /", 1, 6, NULL},
        {"charset \"a b\"\nfiles /", 1, 9, NULL},
        {"upstream u { server 10.0.0.1:99999 }\nproxy u", 1, 21, NULL},
        {"proxy http://10.0.0.1:0", 1, 7, NULL},
        {"rate_limit {nope} 1/s\nrespond", 1, 12, NULL},
        {"log combined ecs\nrespond", 1, 1, "ecs is a spelling of json"},
        {"log request sample=1/2\nrespond", 1, 1,
         "a sample is one of answers: of combined and json"},
        {"log template\nrespond", 1, 1,
         "a template has a text: log template \"{client} {status}\" PATH"},
        {"log template \"{client} {nope}\"\nrespond", 1, 24, "there is no placeholder {nope}"},
        {"header X-A \"a {client}{nope}\"\nrespond", 1, 23, "there is no placeholder {nope}"},
        {"rate_limit {client}{nope} 1/s\nrespond", 1, 20, "there is no placeholder {nope}"},
        {"respond 200 `{\"path\": \"{param.rest}\"}`", 1, 14,
         "a brace that begins no placeholder; write {{ for a brace"},
        {"respond `{{\n \"a\": {nope}}}`", 2, 7, "there is no placeholder {nope}"},
        {"respond \"\\x7b {{}} }\"", 1, 9, NULL},
        {"respond \"{{ \\\"a\\\" }\"", 1, 19, "a brace that closes nothing; write }} for a brace"},
        {"header X `{\"a\": 1}`\nrespond", 1, 11,
         "a brace that begins no placeholder; write {{ for a brace"},
        {"log json a b\nrespond", 1, 1, "a log goes to one file"},
        {"log json errors=all\nrespond", 1, 1,
         "errors says what a sample leaves out: give sample too"},
        {"basic_auth a nowhere\nrespond", 1, 14, NULL},
        {"match a {\nclient x\n}\nhost b {\nwhen a {\nheader A b\n}\nrespond\n}", 2, 8, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = open_text(cases[i].text, &alloc_libc);

        assert_non_null(config);
        assert_false(config_is_good(config));
        assert_int_equal(config->load.report.entry_count, 1);
        const struct report_entry *entry = &config->load.report.entries[0];

        if (cases[i].says)
            assert_string_equal(entry->text, cases[i].says);
        assert_int_equal(entry->place.line, cases[i].line);
        assert_int_equal(entry->place.column, cases[i].column);
        config_close(config);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 35);
}

/* One error hides no other, and makes none that would go with it: each text with the places of
 * what is said of it, in the order in which it is said. */
static void all_is_told_at_once(void **state)
{
    static const struct {
        const char *text;
        const char *places;
    } cases[] = {
        {"procy x\nrespond {nope}\nhost a..b { }", "1:1 2:9 3:6"},
        {"route /a { procy }\nroute /b { }", "1:12 2:1"},
        {"upstream u { servr 10.0.0.1:1 }\nproxy v", "1:14 2:7"},
        {"respond \"\\q\"\nprocy", "1:10 2:1"},
        {"respond \"abc\nprocy", "1:9 2:1"},
        {"respond \"abc ${X\nprocy", "1:9 2:1"},
        {"include none.conf\nproxy v\nprocy", "1:9 3:1"},
        {"use none\nroute / { when x { respond } }\nprocy", "1:5 3:1"},
        {"host a { respond {no} }\nhost a { respond {nope}; procy }", "1:18 2:6 2:18 2:26"},
        /* What blocks are in cannot be told any more. */
        {"host \"a {\n procy\n}\nprocy", "1:6"},
        {"host a {\n procy\n", "1:8"},
        {"respond `abc\nprocy }", "1:9"},
        {"respond; } procy", "1:10"},
        {"{ procy }", "1:1"},
        {"log off x\nlog json", "1:9"},
        {"match m { client x }\nredirect https /x\nrespond", "1:18 2:16"},
        {"", "0:0"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = open_text(cases[i].text, &alloc_libc);
        char places[256] = "";
        size_t len = 0;

        assert_non_null(config);
        assert_false(config_is_good(config));
        const struct config_report *report = &config->load.report;

        for (uint32_t entry = 0; entry < report->entry_count; entry++)
            len += (size_t)snprintf(places + len, sizeof(places) - len, "%s%u:%u",
                                    entry > 0 ? " " : "", report->entries[entry].place.line,
                                    report->entries[entry].place.column);
        if (strcmp(places, cases[i].places) != 0)
            print_message("%s\n", cases[i].text);
        assert_string_equal(places, cases[i].places);
        config_close(config);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 17);
}

/* What is no error, and most likely not what was meant. */
static void warnings_are_told(void **state)
{
    static const struct {
        const char *text;
        uint32_t column; /* 0: none */
    } cases[] = {
        {"rate_limit x 1/s\nrespond", 12},         {"rate_limit {client} 1/s\nrespond", 0},
        {"rate_limit \"{{x}}\" 1/s\nrespond", 12}, {"connection_limit \"a b\" 3\nrespond", 18},
        {"rate_limit a{path}b 1/s\nrespond", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = open_text(cases[i].text, &alloc_libc);
        const struct config_report *report = &config->load.report;

        assert_true(config_is_good(config));
        assert_int_equal(report->warning_count, cases[i].column != 0);
        assert_int_equal(report->entry_count, report->warning_count);
        if (cases[i].column != 0)
            assert_int_equal(report->entries[0].place.column, cases[i].column);
        config_close(config);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 5);
}

/* Variables of nginx are no placeholders, and each is told with what is written here. */
static void variables_of_nginx_are_told(void **state)
{
    static const struct {
        const char *text;
        const char *says; /* columns, and the ends of texts */
    } cases[] = {
        {"redirect 301 https://$host$request_uri", "22 write {host}\n27 write {uri}\n"},
        {"header X-Y $remote_addr\nrespond", "12 write {client}\n"},
        {"respond \"a $uri.\"", "12 write {path}\n"},
        {"rewrite /x$1\nrespond", "11 write {param.name}\n"},
        {"respond \"$1, and $10 or $name\"", ""},
        {"request_header A $http_x_forwarded_for\nrespond", "18 write {header.x-forwarded-for}\n"},
        {"header A $cookie_a_b$arg_q\nrespond", "10 write {cookie.a_b}\n21 write {query.q}\n"},
        {"respond $http_host$hosts$time_local", "9 write {host}\n25 as it stands\n"},
        {"respond \"${A:-$uri} $uri $uri\"", "15 write {path}\n21 write {path}\n26 write {path}\n"},
        {"respond `${host} {host}`", ""},
        {"log template \"$remote_addr {status}\" a\nrespond", "15 write {client}\n"},
        {"route /$host {\nfiles /\n}", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = open_text(cases[i].text, &alloc_libc);
        const struct config_report *report = &config->load.report;
        char said[256] = "";
        size_t len = 0;

        assert_true(config_is_good(config));
        for (uint32_t entry = 0; entry < report->entry_count; entry++) {
            const char *text = report->entries[entry].text, *end = strstr(text, "write");

            len += (size_t)snprintf(said + len, sizeof(said) - len, "%u %s\n",
                                    report->entries[entry].place.column,
                                    end ? end : strstr(text, "as it stands"));
        }
        assert_string_equal(said, cases[i].says);
        config_close(config);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 12);
}

static void a_host_has_so_many_addresses(void **state)
{
    char text[4096];
    int len = snprintf(text, sizeof(text), "host a {\n");

    (void)state;
    for (int port = 1; port <= 65; port++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "listen :%d\n", port);
    snprintf(text + len, sizeof(text) - (size_t)len, "respond\n}\n");
    struct config *config = open_text(text, &alloc_libc);

    assert_false(config_is_good(config));
    assert_string_equal(config->load.report.entries[0].text,
                        "a host is served at 64 addresses at most");
    config_close(config);
}

/* A text that is its template alone is not read as one for each request. */
static void braces_are_doubled(void **state)
{
    struct config *config = open_text("respond \"{{}}\"", &alloc_libc);

    (void)state;
    assert_true(config_is_good(config));
    config_close(config);
}

/* CPU milliseconds of so many hosts, each with directives of its own. */
static double build_many(unsigned count)
{
    enum { HOST_BYTES = 400 };
    char *text = test_malloc((size_t)count * HOST_BYTES), *at = text;
    struct timespec begin, end;

    for (unsigned i = 0; i < count; i++)
        at += snprintf(at, HOST_BYTES,
                       "upstream u%u { server 10.0.0.1:80 }\n"
                       "host h%u.example {\n header X-A b\n rate_limit {client} 1/s\n"
                       " match m { path /y }\n error_page 404 /e\n"
                       " route /x { when m { header X-B c }; rewrite /z; respond }\n"
                       " route /p { proxy u%u }\n}\n",
                       i, i, i);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    struct config *config = open_text(text, &alloc_libc);

    assert_true(config && config_is_good(config));
    config_close(config);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    test_free(text);
    return (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
}

/* Eight times as many take eight times as long, and not sixty-four times. */
static void hosts_are_built_in_linear_work(void **state)
{
    double few = build_many(500), many = build_many(4000);

    (void)state;
    print_message("500 hosts %.0f ms, 4,000 hosts %.0f ms\n", few, many);
    assert_true(many < few * 24);
}

static void open_once(const px_allocator *allocator, void *context)
{
    struct config *config = open_text(hosts, allocator);

    (void)context;
    if (config && !config_is_good(config))
        assert_true(report_has_errors(&config->load.report));
    config_close(config);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("config_open", open_once, NULL) >= 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_where_the_file_says),
        cmocka_unit_test(errors_are_at_their_places),
        cmocka_unit_test(all_is_told_at_once),
        cmocka_unit_test(warnings_are_told),
        cmocka_unit_test(variables_of_nginx_are_told),
        cmocka_unit_test(a_host_has_so_many_addresses),
        cmocka_unit_test(braces_are_doubled),
        cmocka_unit_test(hosts_are_built_in_linear_work),
        cmocka_unit_test(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
