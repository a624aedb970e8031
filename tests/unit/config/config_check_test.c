/*
 * What may stand where, and with which values: each wrong line with what is said of it.
 */
#include "config/check.h"

#include <string.h>

#include "base/alloc.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "memory_reader.h"

/* The first line of what is said of a text, or "". */
static void first_line(const char *text, char *out, size_t room)
{
    struct memory_file files[] = {{"a.conf", text}, {"secret", "s3cret"}, {NULL, NULL}};
    struct memory_reader memory = {files, NULL};
    struct config_reader reader = memory_reader(&memory);
    struct config_load load;
    struct buf report;

    config_load_init(&load, &reader, &alloc_libc);
    if (config_load_read(&load, "a.conf") == PX_OK)
        (void)config_check(&load);
    buf_init(&report, &alloc_libc, 65536);
    assert_int_equal(report_write(&load.report, &report), PX_OK);
    assert_int_equal(buf_append(&report, px_str_make("", 1)), PX_OK);
    snprintf(out, room, "%.*s", (int)strcspn(report.ptr, "\n"), report.ptr);
    buf_deinit(&report);
    config_load_deinit(&load);
}

static const char *const cases[][2] = {
    {"respond", ""},
    {"procy x", "a.conf:1:1: unknown directive \"procy\" in the file; did you mean \"proxy\"?"},
    {"respondd",
     "a.conf:1:1: unknown directive \"respondd\" in the file; did you mean \"respond\"?"},
    {"route / {\n  respnd\n}",
     "a.conf:2:3: unknown directive \"respnd\" in route; did you mean \"respond\"?"},
    {"route / { workers 2 }", "a.conf:1:11: \"workers\" stands in the file itself, not in route"},
    {"route / { route /x { } }",
     "a.conf:1:11: \"route\" stands in the file itself or host, not in route"},
    {"head 5s", "a.conf:1:1: \"head\" stands in limits or timeouts, not in the file"},
    {"workers", "a.conf:1:1: \"workers\" needs a value: workers N"},
    {"workers 1 2", "a.conf:1:11: \"workers\" takes at most 1 value"},
    {"workers x", "a.conf:1:9: \"x\" is not a number, or auto"},
    {"workers 1025", "a.conf:1:9: \"1025\" is not from 0 to 1024"},
    {"workers -1", "a.conf:1:9: \"-1\" is not a number, or auto"},
    {"workers 99999999999999999999",
     "a.conf:1:9: \"99999999999999999999\" is not a number, or auto"},
    {"workers auto", ""},
    {"workers 0", ""},
    {"workers 1\nworkers 2", "a.conf:2:1: \"workers\" is already at a.conf:1"},
    {"sandbox of", "a.conf:1:9: \"of\" is not one of on, off or require; did you mean \"on\"?"},
    {"log json x y z", "a.conf:1:14: \"log\" takes at most 3 values"},
    {"log xml", "a.conf:1:5: \"xml\" is not one of off, combined, json, request or template"},
    {"listen :80 bakclog=5", "a.conf:1:12: \"bakclog\" is no option of \"listen\"; did you mean "
                             "\"backlog\"?"},
    {"listen :80 backlog=x", "a.conf:1:12: \"x\" is not a number"},
    {"listen :80 tls tls", "a.conf:1:16: \"tls\" is there twice"},
    {"listen :80 tls backlog=5", ""},
    {"limits { head 16x }", "a.conf:1:15: \"16x\" is not a size; write 16k, 1m or 2g"},
    {"limits { head 0 }", "a.conf:1:15: \"0\" is not from 256 to 1048576"},
    {"limits { content off; inbox unlimited; head 16K }", ""},
    {"limits { head off }", "a.conf:1:15: \"off\" is not a size; write 16k, 1m or 2g"},
    {"limits", "a.conf:1:1: \"limits\" needs a block: { ... }"},
    {"limits x { }", "a.conf:1:8: \"limits\" takes no value"},
    {"workers 2 { }", "a.conf:1:11: \"workers\" has no block"},
    {"timeouts { head 5 idle 1 }", "a.conf:1:19: \"head\" takes at most 1 value"},
    {"timeouts { head 1.5s; idle 2m; total off; drain 500ms; linger 1h; handshake 3 }", ""},
    {"timeouts { head 5x }",
     "a.conf:1:17: \"5x\" is not a time; write 500ms, 10s, 2m or 1h, or off"},
    {"timeouts { head 1.s }",
     "a.conf:1:17: \"1.s\" is not a time; write 500ms, 10s, 2m or 1h, or off"},
    {"timeouts { head ms }",
     "a.conf:1:17: \"ms\" is not a time; write 500ms, 10s, 2m or 1h, or off"},
    {"timeouts { head 9999999h }",
     "a.conf:1:17: \"9999999h\" is not a time; write 500ms, 10s, 2m or 1h, or off"},
    {"drain_spread on", "a.conf:1:14: \"on\" is not a time; write 500ms, 10s, 2m or 1h, or off"},
    {"host { }", "a.conf:1:1: \"host\" needs a value: host NAME"},
    {"host a..b { }", "a.conf:1:6: \"a..b\" is not a host; write example.org, *.example.org or *"},
    {"host a.*.b { }",
     "a.conf:1:6: \"a.*.b\" is not a host; write example.org, *.example.org or *"},
    {"host * *.a.b a_b [::1] 127.0.0.1 { respond }", ""},
    {"host a { host b { } }",
     "a.conf:1:10: \"host\" stands in the file itself, match or proxy, not in host"},
    {"rate_limit {client} 20", "a.conf:1:21: \"20\" is not a rate; write 20/s or 100/m"},
    {"rate_limit {client} 0/s", "a.conf:1:21: \"0/s\" is not a rate; write 20/s or 100/m"},
    {"rate_limit {client} 20/d", "a.conf:1:21: \"20/d\" is not a rate; write 20/s or 100/m"},
    {"rate_limit {client} 20/s burst=40", ""},
    {"log json a sample=1/100 errors=all", ""},
    {"log combined sample=1/1000000 errors=sampled", ""},
    {"log json sample=1/0", "a.conf:1:10: \"1/0\" is not a share; write 1/100: one of a hundred"},
    {"log json sample=2/3", "a.conf:1:10: \"2/3\" is not a share; write 1/100: one of a hundred"},
    {"log json sample=1/1000001",
     "a.conf:1:10: \"1/1000001\" is not a share; write 1/100: one of a hundred"},
    {"log json sample=1/", "a.conf:1:10: \"1/\" is not a share; write 1/100: one of a hundred"},
    {"rate_limit {client}",
     "a.conf:1:1: \"rate_limit\" needs RATE behind \"{client}\": rate_limit KEY RATE"},
    {"rate_limit none", ""},
    {"respond\nfiles x", "a.conf:2:1: a second answer; \"respond\" is at a.conf:1"},
    {"redirect https\nrespond", ""},
    {"redirect https\nredirect https", "a.conf:2:1: \"redirect\" is already at a.conf:1"},
    {"respond 200 a b", "a.conf:1:15: \"respond\" takes at most 2 values; quote what has blanks"},
    {"cache_control /a/* max-age=1, immutable",
     "a.conf:1:31: \"cache_control\" takes at most 2 values; quote what has blanks"},
    {"rate_limit {client} 5/s burst", "a.conf:1:25: write burst=N"},
    {"upstream a { sticky cookie }",
     "a.conf:1:14: \"sticky\" needs NAME behind \"cookie\": sticky HOW "
     "NAME"},
    {"server_name a.test",
     "a.conf:1:1: unknown directive \"server_name\" in the file; here it is \"host "
     "NAME { ... }\""},
    {"host a.test { proxy_pass http://a }",
     "a.conf:1:15: unknown directive \"proxy_pass\" in host; here it is \"proxy\""},
    {"server { listen 80 }",
     "a.conf:1:1: unknown directive \"server\" in the file; here it is \"host NAME "
     "{ ... }\""},
    {"root /x", "a.conf:1:1: unknown directive \"root\" in the file; here it is \"files\""},
    {"timeouts { foo 1s }", "a.conf:1:12: unknown directive \"foo\" in timeouts"},
    {"trusted_proxies all field=xff",
     "a.conf:1:21: \"xff\" is not one of either, forwarded, x-forwarded-for or off"},
    {"header \"X Y\" a", "a.conf:1:8: \"X Y\" is not a field's name"},
    {"header +X a; header -Y; header Z b; header none", ""},
    {"files \"\"", "a.conf:1:7: \"\" is not a path"},
    {"fallback x", "a.conf:1:10: \"x\" is not a path that begins with /"},
    {"error_page 404 /x; error_page none", ""},
    {"error_page 404",
     "a.conf:1:1: \"error_page\" needs PATH behind \"404\": error_page STATUS... PATH"},
    {"error_page 404 410 x", "a.conf:1:20: \"x\" is not a path that begins with /"},
    {"header X", "a.conf:1:1: \"header\" needs VALUE behind \"X\": header NAME VALUE"},
    {"basic_auth off", ""},
    {"error_page 200 /x", "a.conf:1:12: \"200\" is not from 400 to 599"},
    {"listing maybe", "a.conf:1:9: \"maybe\" is not one of on or off"},
    {"listing", ""},
    {"match a b { }", "a.conf:1:9: \"match\" takes at most 1 value"},
    {"match \"a b\" { }", "a.conf:1:7: \"a b\" is not a name of letters, digits, - and _"},
    {"match a { path x }", "a.conf:1:16: \"x\" is not a path like /v1/*"},
    {"match a { method \"G T\" }", "a.conf:1:18: \"G T\" is not a method"},
    {"upstream u {\n rate_limit {client} 1/s\n}",
     "a.conf:2:2: \"rate_limit\" stands in the file itself, host, route or when, not in upstream"},
    {"upstream u {\n rate_limt {client} 1/s\n}",
     "a.conf:2:2: unknown directive \"rate_limt\" in upstream; did you mean \"rate_limit\", which "
     "stands in the file itself, host, route or when?"},
    {"inclde x", "a.conf:1:1: unknown directive \"inclde\" in the file; did you mean \"include\"?"},
    {"route / {\n us x\n}", "a.conf:2:2: unknown directive \"us\" in route; did you mean \"use\"?"},
    {"workers ${file:secret}", "a.conf:1:9: \"${file:secret}\" is not a number, or auto"},
    {"match a { method get }", "a.conf:1:18: warning: methods have a case, and no client sends "
                               "\"get\"; did you mean \"GET\"?"},
    {"route \"Get /x\" { respond }",
     "a.conf:1:7: warning: methods have a case, and no client sends "
     "\"Get\"; did you mean \"GET\"?"},
    {"route GET /get { respond }", ""},
    {"cache_control none", ""},
    {"timeouts { idle 0 }", "a.conf:1:17: \"0\" is less than 1ms; write off"},
    {"drain_delay 0ms", "a.conf:1:13: \"0ms\" is less than 1ms; write off"},
    {"redirect https /x", "a.conf:1:16: \"redirect https\" takes no other value"},
    {"header -X y", "a.conf:1:11: \"header -X\" takes no other value"},
    {"header none y", "a.conf:1:13: \"header none\" takes no other value"},
    {"allow none 10.0.0.0/8", "a.conf:1:12: \"allow none\" takes no other value"},
    {"log off x", "a.conf:1:9: \"log off\" takes no other value"},
    {"basic_auth off x", "a.conf:1:16: \"basic_auth off\" takes no other value"},
    {"redirect https port=0", "a.conf:1:16: \"0\" is not from 1 to 65535"},
    {"match a { scheme htps }",
     "a.conf:1:18: \"htps\" is not one of http or https; did you mean \"https\"?"},
    {"match a { scheme https http }", ""},
    {"limits { connections x }", "a.conf:1:22: \"x\" is not a number, or off"},
    {"respond\nworkers x y", "a.conf:2:9: \"x\" is not a number, or auto"},
    {"http { server { listen 80; } }",
     "a.conf:1:1: unknown directive \"http\" in the file; leave the line and its \"}\" out: what "
     "is inside stands in the file itself"},
    {"events { worker_connections 5; }", "a.conf:1:1: unknown directive \"events\" in the file; "
                                         "leave the block out: there is nothing to set"},
    {"example.org { respond }", "a.conf:1:1: unknown directive \"example.org\" in the file; a site "
                                "begins so: host NAME { ... }, and an address is: listen ADDR"},
    {"localhost:8080 { respond }",
     "a.conf:1:1: unknown directive \"localhost:8080\" in the file; a site begins so: host NAME { "
     "... }, and an address is: listen ADDR"},
    {":8080 { respond }", "a.conf:1:1: unknown directive \":8080\" in the file; an address is "
                          "listened on so, without a block: listen :PORT"},
    {"host a { @api path /x }",
     "a.conf:1:10: unknown directive \"@api\" in host; conditions are named so: match NAME { path "
     "/x/* }, and used with when NAME { ... }"},
    {"route / { fastcgi_pass unix:/s }",
     "a.conf:1:11: unknown directive \"fastcgi_pass\" in route; here it is \"proxy, to a server "
     "that speaks HTTP\""},
    {"route / { proxy_read_timeout 60s }",
     "a.conf:1:11: unknown directive \"proxy_read_timeout\" in route; here it is \"proxy ADDR { "
     "timeouts silence=TIME }\""},
    {"listen :443 ssl", "a.conf:1:13: \"listen\" has no \"ssl\"; write tls"},
    {"listen :80 default_server", "a.conf:1:12: \"listen\" has no \"default_server\"; leave it "
                                  "out: host * { ... } takes what no other host does"},
    {"header X-Frame-Options DENY always", "a.conf:1:29: \"header\" has no \"always\"; leave "
                                           "\"always\" out: answers of every status get the field"},
    {"files x\ncache_control *.css 1y",
     "a.conf:2:21: warning: \"1y\" says nothing to a cache; write max-age=SECONDS"},
    {"cache_control *.css max",
     "a.conf:1:21: warning: \"max\" says nothing to a cache; write max-age=SECONDS"},
    {"server_tokens off", "a.conf:1:1: unknown directive \"server_tokens\" in the file; leave it "
                          "out: the version is not said"},
    {"when a { respond }", "a.conf:1:1: \"when\" stands in host or route, not in the file"},
};

static void each_wrong_line_has_its_words(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        char line[512];

        first_line(cases[index][0], line, sizeof(line));
        assert_string_equal(line, cases[index][1]);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 120);
}

/* A row that is not documented, or whose example does not load, would be a directive of which the
 * manual knows nothing. */
static void every_row_has_a_line_of_help_and_an_example_that_loads(void **state)
{
    uint32_t count = 0;

    (void)state;
    for (size_t table = 0; schema_tables[table]; table++) {
        for (const struct config_directive *row = schema_tables[table]; row->name; row++) {
            char line[512];

            count++;
            assert_non_null(row->help);
            assert_true(row->where != 0);
            assert_non_null(row->example);
            assert_non_null(strstr(row->example, row->name));
            first_line(row->example, line, sizeof(line));
            assert_string_equal(line, "");
        }
    }
    print_message("%u directives\n", count);
    assert_true(count >= 70);
}

static void check_once(const px_allocator *allocator, void *context)
{
    static const struct memory_file files[] = {
        {"a.conf",
         "listen :80 backlog=5\nhost a { route /x { header X y; files www; error_page 404 /e } }"},
        {NULL, NULL}};
    struct memory_reader memory = {files, NULL};
    struct config_reader reader = memory_reader(&memory);
    struct config_load load;

    (void)context;
    config_load_init(&load, &reader, allocator);
    if (config_load_read(&load, "a.conf") == PX_OK) {
        const struct config_node *list = config_check(&load);

        assert_true(load.report.out_of_memory || node_find(list, "host") != NULL);
        assert_int_equal(load.report.error_count, 0);
    }
    config_load_deinit(&load);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("config_check", check_once, NULL) >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_wrong_line_has_its_words),
        cmocka_unit_test(every_row_has_a_line_of_help_and_an_example_that_loads),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
