/*
 * What is in effect where, what contradicts itself, and that the effective configuration as text
 * means the same.
 */
#include "config/settings.h"

#include <string.h>

#include "base/alloc.h"
#include "config/print.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "memory_reader.h"

enum { TEXT_BYTES = 8192 };

/* host a b @:80 { PATTERN: name(value) name?match(value) ... } for each. */
static void describe(const struct config_settings *settings, char *out)
{
    size_t len = 0;

#define SAY(...) len += (size_t)snprintf(out + len, TEXT_BYTES - len, __VA_ARGS__)
    for (const struct config_host *host = settings->hosts; host; host = host->next) {
        SAY("host");
        for (uint32_t index = 0; host->node && index < host->node->value_count; index++)
            SAY(" %s", host->node->values[index].text.ptr);
        for (const struct config_bind *bind = host->binds; bind; bind = bind->next)
            SAY(" @%s", bind->listen->address.ptr);
        SAY(" {");
        for (const struct config_route *route = host->routes; route; route = route->next) {
            SAY(" [%s:", route->pattern);
            for (uint32_t index = 0; index < route->step_count; index++) {
                const struct config_step *step = &route->steps[index];
                const struct config_node *node = step->node;

                SAY(" %s", node->row->name);
                if (step->match)
                    SAY("?%s", step->match->values[0].text.ptr);
                for (uint32_t value = 0; value < node->value_count; value++)
                    SAY("%s%s", value ? "," : "=", node->values[value].value->text.ptr);
            }
            SAY("]");
        }
        SAY(" }");
    }
    for (const struct config_listen *listen = settings->listens; listen; listen = listen->next)
        SAY(" %s%s%s", listen->address.ptr, listen->is_tls ? "+tls" : "",
            listen->is_shared ? "" : "-own");
#undef SAY
    assert_true(len < TEXT_BYTES);
}

static void load_text(struct config_load *load, const struct config_reader *reader,
                      const struct config_settings **out)
{
    *out = NULL;
    if (config_load_read(load, "a.conf") != PX_OK)
        return;
    const struct config_settings *settings = config_settings(load, config_check(load));

    if (!report_has_errors(&load->report))
        *out = settings;
    (void)reader;
}

/* The description, or the first line of the report. */
static void outcome(const char *text, char *out)
{
    struct memory_file files[] = {{"a.conf", text}, {NULL, NULL}};
    struct memory_reader memory = {files, NULL};
    struct config_reader reader = memory_reader(&memory);
    const struct config_settings *settings;
    struct config_load load;
    struct buf report;

    out[0] = '\0';
    config_load_init(&load, &reader, &alloc_libc);
    load_text(&load, &reader, &settings);
    if (settings) {
        describe(settings, out);
    } else {
        buf_init(&report, &alloc_libc, 65536);
        assert_int_equal(report_write(&load.report, &report), PX_OK);
        assert_int_equal(buf_append(&report, px_str_make("", 1)), PX_OK);
        snprintf(out, TEXT_BYTES, "%.*s", (int)strcspn(report.ptr, "\n"), report.ptr);
        buf_deinit(&report);
    }
    config_load_deinit(&load);
}

static const char *const cases[][2] = {
    {"respond", "host { [/: respond] } 0.0.0.0:8080"},
    {"listen :80\nlisten :81\nrespond a", "host { [/: respond=a] } :80 :81"},
    {"", "a.conf: the file has no answer: files, proxy, respond or redirect is missing"},
    {"host a { }", "a.conf:1:1: host has no answer: files, proxy, respond or redirect is missing"},
    {"route /x { header A b }",
     "a.conf:1:1: route has no answer: files, proxy, respond or redirect is missing"},
    /* Routes, their order, and the host's own answer behind them. */
    {"host a {\n respond x\n route /y { respond y }\n route GET /z { respond z }\n}",
     "host a { [/y: respond=y] [GET /z: respond=z] [/: respond=x] } 0.0.0.0:8080"},
    {"route /x { content_max 1k }\nrespond a",
     "host { [/x: content_max=1k respond=a] [/: respond=a] } 0.0.0.0:8080"},
    /* Phases, whatever the order in the file. */
    {"header A b; compress off; files www; rewrite /x; rate_limit k 1/s; deny all; "
     "request_header C d; strip_prefix /p; basic_auth r f; error_page 404 /e",
     "host { [/: deny=all rate_limit=k,1/s basic_auth=r,f rewrite=/x strip_prefix=/p "
     "request_header=C,d files=www error_page=404,/e compress=off header=A,b] } 0.0.0.0:8080"},
    /* A setting replaces, a list appends, and none empties. */
    {"charset a\nheader A 1\nhost h {\n charset b\n header B 2\n respond\n"
     " route /x { charset c; header C 3 }\n route /y { header none; header D 4 } }",
     "host h { [/x: charset=c respond header=A,1 header=B,2 header=C,3] "
     "[/y: charset=b respond header=D,4] [/: charset=b respond header=A,1 header=B,2] } "
     "0.0.0.0:8080"},
    {"deny 1.1.1.1\nhost h { allow 2.2.2.2; deny all; respond }",
     "host h { [/: deny=1.1.1.1 allow=2.2.2.2 deny=all respond] } 0.0.0.0:8080"},
    /* An inner answer replaces the outer one, with what waits for a match. */
    {"host h {\n match m { method GET }\n when m { respond 1 }\n respond 2\n"
     " route /x { respond 3 }\n route /y { when m { respond 4 } } }",
     "host h { [/x: respond=3] [/y: respond?m=4] [/: respond?m=1 respond=2] } 0.0.0.0:8080"},
    {"match m { path /x }\nroute /a { when m { header A 1; rewrite /b } rewrite /c; respond }",
     "host { [/a: rewrite?m=/b rewrite=/c respond header?m=A,1] } 0.0.0.0:8080"},
    {"redirect https\nlisten :1 tls\ntls c\nrespond x",
     "host { [/: redirect=https respond=x] } :1+tls"},
    {"route /a { when x { respond } }", "a.conf:1:17: match \"x\" is not defined"},
    {"match api { path /x }\nroute /a { when apu { respond } }",
     "a.conf:2:17: match \"apu\" is not defined; \"api\" is, at a.conf:1"},
    {"match a { path /x }\nmatch a { path /y }\nrespond",
     "a.conf:2:7: match \"a\" is already at a.conf:1"},
    /* Hosts and listeners. */
    {"host a b { respond }\nhost b { respond }", "a.conf:2:6: host \"b\" is already at a.conf:1"},
    {"host a A { respond }", "a.conf:1:8: host \"A\" is already at a.conf:1"},
    {"listen :1\nhost a { listen :2; respond x }\nhost a { respond y }",
     "host a @:2 { [/: respond=x] }host a { [/: respond=y] } :1 :2-own"},
    {"listen :1\nlisten :2\nhost a { listen :1; respond x }\nhost a { respond y }",
     "a.conf:4:6: host \"a\" is already at a.conf:3"},
    {"listen :1\nhost a { listen :1; listen :1; respond }",
     "a.conf:2:28: the host is bound to that address already"},
    {"listen :1\nlisten :1\nrespond", "a.conf:2:8: \":1\" is listened on already, at a.conf:1"},
    {"host a { respond }\nrespond", "a.conf:2:1: \"respond\" stands at the top only where there is "
                                    "no host; there is one at a.conf:1"},
    {"host a { respond }\nroute /x { respond }",
     "a.conf:2:1: \"route\" stands at the top only where there is no host; there is one at "
     "a.conf:1"},
    {"listen :1 tls\nrespond", "a.conf:1:1: no host at \":1\" has a certificate: tls is missing"},
    {"tls c k\nrespond", "a.conf:1:1: there is no address for TLS: add \"listen :443 tls\""},
    {"listen :1 tls\nlisten :2\nhost a { tls c; respond }", "host a { [/: respond] } :1+tls :2"},
};

static void what_is_in_effect_is_settled(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        char text[TEXT_BYTES];

        outcome(cases[index][0], text);
        assert_string_equal(text, cases[index][1]);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 27);
}

static void print_text(const char *text, struct buf *out)
{
    struct memory_file files[] = {{"a.conf", text},
                                  {"d/b.conf", "header B ${file:secret}\nfiles www"},
                                  {"d/secret", "s3cret"},
                                  {"d/e/f.conf", "header D \"${file:g}${file:/h}\""},
                                  {"d/e/g", "s3cret"},
                                  {"/h", "s3cret"},
                                  {NULL, NULL}};
    struct memory_reader memory = {files, NULL};
    struct config_reader reader = memory_reader(&memory);
    const struct config_settings *settings;
    struct config_load load;

    config_load_init(&load, &reader, &alloc_libc);
    load_text(&load, &reader, &settings);
    assert_non_null(settings);
    buf_init(out, &alloc_libc, 65536);
    assert_int_equal(config_print(settings, out), PX_OK);
    assert_int_equal(buf_append(out, px_str_make("", 1)), PX_OK);
    config_load_deinit(&load);
}

static void the_effective_text_says_where_each_line_is_from(void **state)
{
    struct buf out;

    (void)state;
    print_text("include d/b.conf\nlimits { head 16k }", &out);
    assert_non_null(strstr(out.ptr, "header B ${file:d/secret} # d/b.conf:1\n"));
    assert_null(strstr(out.ptr, "s3cret"));
    assert_non_null(strstr(out.ptr, "files d/www # d/b.conf:2\n"));
    assert_non_null(strstr(out.ptr, "limits { # a.conf:2\n    head 16k # a.conf:2\n"));
    assert_non_null(strstr(out.ptr, "    fields 100 # default\n"));
    assert_non_null(strstr(out.ptr, "workers auto # default\n"));
    assert_non_null(strstr(out.ptr, "listen 0.0.0.0:8080 # default\n"));
    assert_non_null(strstr(out.ptr, "timeouts { # default\n    head 10s # default\n"));
    buf_deinit(&out);
    print_text(
        "include d/e/f.conf\nrespond \"200\"\nroute /x { limits { content 5 } respond 404 x }",
        &out);
    assert_non_null(strstr(out.ptr, "header D \"${file:d/e/g}${file:/h}\" # d/e/f.conf:1\n"));
    assert_null(strstr(out.ptr, "s3cret"));
    /* A status in quotes is a text, and a block in a route says what it says. */
    assert_non_null(strstr(out.ptr, "respond \"200\" # a.conf:2\n"));
    assert_non_null(strstr(out.ptr, "limits { # a.conf:3\n        content 5 # a.conf:3\n    }\n"));
    buf_deinit(&out);
}

static void the_effective_text_means_the_same(void **state)
{
    static const char *const texts[] = {
        "respond 200 \"a {client} b\\n\"",
        "workers 2\nlimits { head 1k }\nlisten :1 backlog=7\nhost a *.b { route /x/{rest...} { "
        "when m { header -X } files www } match m { header X \"a b\" c } }",
        "log json x.log\ntrusted_proxies 10.0.0.0/8 field=forwarded\nfiles \"a b\"\nerror_page 404 "
        "410 /e.html",
    };

    (void)state;
    for (size_t index = 0; index < sizeof(texts) / sizeof(texts[0]); index++) {
        char before[TEXT_BYTES], after[TEXT_BYTES];
        struct buf once;

        print_text(texts[index], &once);
        outcome(once.ptr, after);
        outcome(texts[index], before);
        /* Defaults that are written down act in each route too: they are compared without. */
        assert_non_null(strstr(after, "host"));
        assert_true(strlen(after) >= strlen(before));
        buf_deinit(&once);
    }
}

static void settle_once(const px_allocator *allocator, void *context)
{
    static const struct memory_file files[] = {
        {"a.conf", "listen :1\nheader A b\nhost a { listen :2; match m { path /x } "
                   "when m { respond 1 } route GET /x { files www } respond }"},
        {NULL, NULL}};
    struct memory_reader memory = {files, NULL};
    struct config_reader reader = memory_reader(&memory);
    const struct config_settings *settings;
    struct config_load load;

    (void)context;
    config_load_init(&load, &reader, allocator);
    load_text(&load, &reader, &settings);
    assert_true(settings || load.report.out_of_memory);
    config_load_deinit(&load);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("config_settings", settle_once, NULL) >= 2);
}

/* Ten thousand hosts with a route each are settled in linear work. */
static void ten_thousand_hosts_are_settled(void **state)
{
    enum { HOSTS = 10000, HOST_BYTES = 64 };
    char *text = test_malloc(HOSTS * HOST_BYTES), *at = text;
    struct memory_file files[] = {{"a.conf", text}, {NULL, NULL}};
    struct memory_reader memory = {files, NULL};
    struct config_reader reader = memory_reader(&memory);
    const struct config_settings *settings;
    struct config_load load;

    (void)state;
    for (int host = 0; host < HOSTS; host++)
        at += snprintf(at, HOST_BYTES, "host h%d.example { route /x { respond } }\n", host);
    config_load_init(&load, &reader, &alloc_libc);
    load_text(&load, &reader, &settings);
    assert_non_null(settings);
    assert_int_equal(settings->host_count, HOSTS);
    print_message("%u bytes of configuration take %u bytes\n", (unsigned)(at - text),
                  load.arena.bytes_taken);
    assert_true(load.arena.bytes_taken < 40U * 1024 * 1024);
    config_load_deinit(&load);
    test_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_effect_is_settled),
        cmocka_unit_test(the_effective_text_says_where_each_line_is_from),
        cmocka_unit_test(the_effective_text_means_the_same),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(ten_thousand_hosts_are_settled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
