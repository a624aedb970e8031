/*
 * From argv to options: a table of command lines, with what must come out or which line refuses it.
 */
#include "main/flags/options.h"

#include <string.h>

#include "lib/test.h"

enum { ARGUMENTS_MAX = 24 };

struct result {
    px_err err;
    struct options options;
    px_error error;
};

/* Splits at blanks, so that a table of command lines can be read; '~' stands for a blank. */
static struct result *parse(const char *line, const char *port)
{
    static struct result result;
    static char text[512];
    char *argv[ARGUMENTS_MAX + 1] = {0};
    int argc = 0;

    snprintf(text, sizeof(text), "%s", line);
    for (char *at = text; *at; argc++) {
        assert_true(argc < ARGUMENTS_MAX);
        argv[argc] = at;
        at += strcspn(at, " ");
        if (*at)
            *at++ = '\0';
        for (char *byte = argv[argc]; *byte; byte++)
            if (*byte == '~')
                *byte = ' ';
    }
    memset(&result, 0x5a, sizeof(result));
    result.err = options_parse(&result.options, argc, argv, port, &result.error);
    assert_int_equal(result.err, result.error.code);
    return &result;
}

static const struct options *good(const char *line)
{
    const struct result *result = parse(line, NULL);

    if (result->err != PX_OK)
        fail_msg("%s: %s", line, result->error.text);
    return &result->options;
}

static void bad(const char *line, const char *needle)
{
    const struct result *result = parse(line, NULL);

    if (result->err == PX_OK || !strstr(result->error.text, needle))
        fail_msg("%s: %s", line, result->error.text);
}

static void defaults(void **state)
{
    const struct options *options = good("pollux");

    (void)state;
    assert_int_equal(options->command, COMMAND_RESPOND);
    assert_int_equal(options->listen_count, 1);
    assert_string_equal(options->listen[0], "0.0.0.0:8080");
    assert_false(options->process.workers_given || options->quiet);
    assert_null(options->log_file);
    assert_null(options->process.pid_file);
    assert_int_equal(options->server.struct_size, sizeof(px_server_options));
    assert_int_equal(options->server.log_format, PX_LOG_REQUEST);
    assert_int_equal(options->server.head_timeout_ms, 0);
    assert_int_equal(options->respond.status, 200);
    assert_str_equal(options->respond.text, px_str_of("Hello, world!"));
    assert_str_equal(options->respond.type, px_str_of("text/plain"));
    assert_int_equal(good("pollux respond")->server.log_format, PX_LOG_COMBINED);
    assert_int_equal(good("pollux --log off")->server.log_format, PX_LOG_OFF);
    assert_int_equal(good("pollux respond --log request")->server.log_format, PX_LOG_REQUEST);
    assert_int_equal(good("pollux --log=json")->server.log_format, PX_LOG_JSON);
}

static void words(void **state)
{
    (void)state;
    assert_str_equal(good("pollux respond text")->respond.text, px_str_of("text"));
    assert_str_equal(good("pollux respond --status 404 text -q")->respond.text, px_str_of("text"));
    assert_true(good("pollux respond text -q")->quiet);
    assert_str_equal(good("pollux respond -- -q")->respond.text, px_str_of("-q"));
    assert_string_equal(good("pollux healthcheck http://a/")->healthcheck.url, "http://a/");
    assert_int_equal(good("pollux healthcheck http://a/")->command, COMMAND_HEALTHCHECK);
    assert_int_equal(good("pollux run -q")->command, COMMAND_RUN);
    assert_null(good("pollux run -q")->run.file);
    assert_string_equal(good("pollux check -c a")->run.file, "a");
    assert_string_equal(good("pollux config --config=a")->run.file, "a");
    assert_string_equal(good("pollux fmt -w a")->run.file, "a");
    assert_true(good("pollux fmt -w a")->run.write);
    assert_int_equal(good("pollux healthcheck http://a/")->healthcheck.timeout_ms, 5000);
    assert_int_equal(good("pollux healthcheck --timeout 2 http://a/")->healthcheck.timeout_ms,
                     2000);
    assert_int_equal(good("pollux --help")->command, COMMAND_HELP);
    assert_int_equal(good("pollux respond -h")->command, COMMAND_HELP);
    assert_int_equal(good("pollux healthcheck -h")->command, COMMAND_HELP);
    assert_int_equal(good("pollux --version")->command, COMMAND_VERSION);
    assert_int_equal(good("pollux -w 3 --version --nonsense")->command, COMMAND_VERSION);
}

static void listening(void **state)
{
    const struct options *options =
        good("pollux -l 127.0.0.1:1 -l[::1]:1 --listen=unix:/a --listen fd:web");

    (void)state;
    assert_int_equal(options->listen_count, 4);
    assert_string_equal(options->listen[0], "127.0.0.1:1");
    assert_string_equal(options->listen[1], "[::1]:1");
    assert_string_equal(options->listen[2], "unix:/a");
    assert_string_equal(options->listen[3], "fd:web");
    assert_int_equal(good("pollux -l 127.0.0.1:0 -l 127.0.0.1:0")->listen_count, 2);
}

static void options_of_addresses(void **state)
{
    const struct options *options =
        good("pollux -l unix:/a,mode=0666,owner=0,group=77 -l :1,backlog=9,proxy -l :2 "
             "--trust-proxy unix: --listen=https://fd:web,proxy --tls-self-signed "
             "--https-redirect :3=443,backlog=5");
    const struct listen_options *of = options->listen_options;

    (void)state;
    assert_int_equal(options->listen_count, 5);
    assert_string_equal(options->listen[0], "unix:/a");
    assert_true(of[0].mode == 0666 && of[0].owner == 0 && of[0].group == 77 && !of[0].proxy);
    assert_string_equal(options->listen[1], ":1");
    assert_true(of[1].backlog == 9 && of[1].proxy && of[1].owner == LISTEN_ID_KEPT);
    assert_string_equal(options->listen[2], ":2");
    assert_true(of[2].backlog == 0 && of[2].mode == 0 && !of[2].proxy);
    assert_string_equal(options->listen[3], "https://fd:web");
    assert_true(of[3].proxy);
    assert_string_equal(options->listen[4], ":3");
    assert_ptr_equal(options->secure.redirect, options->listen[4]);
    assert_true(of[4].backlog == 5 && options->secure.redirect_port == 443);
    assert_int_equal(good("pollux -l unix:/a,owner=root,group=root")->listen_options[0].owner, 0);
}

static void the_environment(void **state)
{
    static const char *const bad[] = {"x", "65536", "-1", "80 80", "8080x", "0x50", "+1"};

    (void)state;
    assert_string_equal(parse("pollux", "9000")->options.listen[0], "0.0.0.0:9000");
    assert_string_equal(parse("pollux", "0")->options.listen[0], "0.0.0.0:0");
    assert_string_equal(parse("pollux", "65535")->options.listen[0], "0.0.0.0:65535");
    assert_string_equal(parse("pollux", "")->options.listen[0], "0.0.0.0:8080");
    /* Flags win, even over nonsense. */
    assert_string_equal(parse("pollux -l :1", "9000")->options.listen[0], ":1");
    assert_int_equal(parse("pollux -l :1", "x")->err, PX_OK);
    assert_int_equal(parse("pollux healthcheck http://a/", "x")->err, PX_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse("pollux", bad[i])->err, PX_ERR_INVALID);
        assert_non_null(strstr(parse("pollux", bad[i])->error.text, "PORT="));
    }
}

static void the_answer(void **state)
{
    const struct options *options =
        good("pollux respond --status=503 --type a/b -H A:~b -H a:c --header=Empty:");

    (void)state;
    assert_int_equal(options->respond.status, 503);
    assert_str_equal(options->respond.type, px_str_of("a/b"));
    assert_int_equal(options->respond.header_count, 3);
    assert_str_equal(options->respond.headers[0].name, px_str_of("A"));
    assert_str_equal(options->respond.headers[0].value, px_str_of("b"));
    assert_str_equal(options->respond.headers[1].name, px_str_of("a"));
    assert_str_equal(options->respond.headers[2].name, px_str_of("Empty"));
    assert_str_equal(options->respond.headers[2].value, px_str_of(""));
    /* One answer has one type. */
    options = good("pollux respond --type a/b -H Content-Type:~c/d");
    assert_str_equal(options->respond.type, px_str_of("c/d"));
    assert_int_equal(options->respond.header_count, 0);
    assert_str_equal(good("pollux respond -H content-type:c/d --type a/b")->respond.type,
                     px_str_of("a/b"));
}

static void what_files_are_answered_with(void **state)
{
    const struct options *options =
        good("pollux files -H A:~b --type md=text/markdown --type=q=a/b "
             "--charset iso-8859-1");

    (void)state;
    assert_int_equal(options->respond.header_count, 1);
    assert_str_equal(options->respond.headers[0].value, px_str_of("b"));
    assert_int_equal(options->files.type_count, 2);
    assert_string_equal(options->files.types[0], "md=text/markdown");
    assert_string_equal(options->files.charset, "iso-8859-1");
    assert_null(good("pollux files")->files.charset);
    assert_string_equal(good("pollux files --charset off")->files.charset, "");
    bad("pollux files --charset a;b", "--charset a;b: it is the name of one");
    bad("pollux files --charset=", "--charset : it is the name of one");
    bad("pollux files --type text/plain", "--type text/plain: write it as md=text/markdown");
    bad("pollux files --type .md=text/markdown", "write it as md=text/markdown");
    bad("pollux files --type =a/b", "write it as md=text/markdown");
    bad("pollux files --type md=", "write it as md=text/markdown");
    bad("pollux files -H Content-Length:1", "pollux frames messages itself");
    bad("pollux files -H location:/x", "--header location:/x: files say that of themselves");
    bad("pollux files -H ETag:1", "--header ETag:1: files say that of themselves");
    bad("pollux files -H Content-Type:a/b", "see --type and --charset");
    bad("pollux --charset utf-8", "--charset is a flag of pollux files, not of pollux respond");
}

static void the_process(void **state)
{
    const struct options *options = good(
        "pollux -w 3 -q --log-file /a/b --pid-file=c --timeout-drain 2500ms --drain-spread=2s");

    (void)state;
    assert_int_equal(options->process.workers, 3);
    assert_true(options->process.workers_given && options->quiet);
    assert_string_equal(options->log_file, "/a/b");
    assert_string_equal(options->process.pid_file, "c");
    assert_int_equal(options->process.drain_timeout_ms, 2500);
    assert_int_equal(options->process.drain_spread_ms, 2000);
    assert_true(good("pollux -w0")->process.workers_given);
    assert_int_equal(good("pollux -w0")->process.workers, 0);
    assert_int_equal(good("pollux --workers=1024")->process.workers, 1024);
    assert_null(good("pollux")->process.user);
    assert_string_equal(good("pollux --user www:www")->process.user, "www:www");
    assert_int_equal(good("pollux")->process.sandbox, sandbox_mode_default);
    assert_int_equal(good("pollux --sandbox=on")->process.sandbox, SANDBOX_ON);
    assert_int_equal(good("pollux --sandbox off")->process.sandbox, SANDBOX_OFF);
    assert_int_equal(good("pollux --sandbox=require")->process.sandbox, SANDBOX_REQUIRE);
}

static void http2_in_the_clear(void **state)
{
    (void)state;
    assert_int_equal(good("pollux")->server.http2_clear, 0);
    assert_int_equal(good("pollux --h2c=on")->server.http2_clear, 0);
    assert_int_equal(good("pollux --h2c off")->server.http2_clear, PX_OFF);
    assert_int_equal(good("pollux --h2c off --http2 on")->server.http2_clear, PX_OFF);
    assert_int_equal(good("pollux --http2 on --h2c off")->server.http2_clear, PX_OFF);
}

static void limits(void **state)
{
    const px_server_options *server =
        &good("pollux --max-connections 7 --max-fields 8 --max-pipeline 9 --max-head 10 "
              "--max-target 2k --max-content 3m --max-exchange 4k --max-output 5k")
             ->server;

    (void)state;
    assert_int_equal(server->connections_max, 7);
    assert_int_equal(server->field_count_max, 8);
    assert_int_equal(server->pipeline_count_max, 9);
    assert_int_equal(server->head_bytes_max, 10);
    assert_int_equal(server->target_bytes_max, 2048);
    assert_int_equal(server->content_bytes_max, 3145728);
    assert_int_equal(server->exchange_bytes_max, 4096);
    assert_int_equal(server->output_bytes_max, 5120);
    server = &good("pollux --timeout-head 1 --timeout-idle 2s --timeout-total 3m "
                   "--timeout-linger 4ms --rate-window 1.5s --rate-content 6 --rate-send off")
                  ->server;
    assert_int_equal(server->head_timeout_ms, 1000);
    assert_int_equal(server->idle_timeout_ms, 2000);
    assert_int_equal(server->total_timeout_ms, 180000);
    assert_int_equal(server->linger_timeout_ms, 4);
    assert_int_equal(server->rate_window_ms, 1500);
    assert_int_equal(server->content_rate_min, 6);
    assert_int_equal(server->send_rate_min, PX_OFF);
    assert_true(good("pollux --max-inbox 8g")->inbox_bytes_max == 8589934592U);
    server = &good("pollux --max-connections off --max-content off --timeout-idle=off")->server;
    assert_int_equal(server->connections_max, PX_UNLIMITED);
    assert_true(server->content_bytes_max == PX_UNLIMITED_BYTES);
    assert_int_equal(server->idle_timeout_ms, PX_OFF);
}

static void proxies(void **state)
{
    const struct options *options = good("pollux --trust-proxy 10.0.0.0/8 --proxy-protocol "
                                         "--trust-proxy=unix: --proxy-header x-forwarded-for");

    (void)state;
    assert_true(options->proxy.protocol);
    assert_int_equal(options->server.trusted_proxy_count, 2);
    assert_string_equal(options->server.trusted_proxies[0], "10.0.0.0/8");
    assert_string_equal(options->server.trusted_proxies[1], "unix:");
    assert_int_equal(options->server.forwarded, PX_FORWARDED_PLAIN);
    assert_true(good("pollux healthcheck -q --insecure https://a/")->healthcheck.insecure);
    assert_int_equal(good("pollux --proxy-header off")->server.forwarded, PX_FORWARDED_NONE);
}

static void refusals(void **state)
{
    static const struct {
        const char *line;
        const char *says;
    } cases[] = {
        {"pollux nonsense", "'nonsense' is not a command (see pollux --help)"},
        {"pollux Respond", "'Respond' is not a command: did you mean respond? (see pollux --help)"},
        {"pollux files a b", "b: there is one DIR already; serve several from one above them"},
        {"pollux files --index a/b", "--index a/b: it is the name of a file, without a slash"},
        {"pollux files --index .a", "--index .a: it is the name of a file, without a slash"},
        {"pollux files --cache-control *.css", "--cache-control *.css: write it as "
                                               "'*.css=max-age=3600'"},
        {"pollux files --cache-control =x", "--cache-control =x: write it as '*.css=max-age=3600'"},
        {"pollux files --error-page 404", "--error-page 404: write it as 404=404.html, with a code "
                                          "from 400 to 599"},
        {"pollux files --error-page 200=x", "--error-page 200=x: write it as 404=404.html, with a "
                                            "code from 400 to 599"},
        {"pollux files --error-page 404=a --error-page 404=b",
         "--error-page 404=b: there is a page for that code already"},
        {"pollux files --status 200",
         "--status is a flag of pollux respond, not of pollux files (see pollux files --help)"},
        {"pollux respond --listing",
         "--listing is a flag of pollux files, not of pollux respond (see pollux respond --help)"},
        {"pollux proxy", "proxy needs a URL at least, like http://127.0.0.1:3000"},
        {"pollux proxy http://a/b",
         "http://a/b: a server is http://host[:port], https://host[:port], h2c://host[:port] or "
         "unix:/path, without a path of its own"},
        {"pollux proxy http://a --balance x",
         "--balance x: it is one of roundrobin, least, random, hash, hash=TEMPLATE"},
        {"pollux proxy http://a --tries 0", "--tries 0: it is a number from 1 to 100"},
        {"pollux run x", "x: a file is named with -c x"},
        {"pollux fmt a b", "b: there is one FILE already"},
        {"pollux --user=", "--user: name a user, or give a number, as www-data or 1000:1000"},
        {"pollux --user", "--user needs a value (see pollux respond --help)"},
        {"pollux respond --sandbox", "--sandbox needs a value (see pollux respond --help)"},
        {"pollux --sandbox=yes", "--sandbox yes: it is one of on, off, require"},
        {"pollux healthcheck --user x http://a/",
         "--user is a flag of pollux respond, not of pollux healthcheck (see pollux healthcheck "
         "--help)"},
        {"pollux --nonsense", "unknown flag --nonsense (see pollux respond --help)"},
        {"pollux --nonsense=x", "unknown flag --nonsense=x (see pollux respond --help)"},
        {"pollux -x", "unknown flag -x (see pollux respond --help)"},
        {"pollux -qx", "unknown flag -x (see pollux respond --help)"},
        {"pollux -w", "--workers needs a value (see pollux respond --help)"},
        {"pollux --log", "--log needs a value (see pollux respond --help)"},
        {"pollux --quiet=yes", "--quiet takes no value (see pollux respond --help)"},
        {"pollux --timeout 5",
         "--timeout is a flag of pollux healthcheck, not of pollux respond (see pollux "
         "respond --help)"},
        {"pollux healthcheck -w 1 http://a/",
         "--workers is a flag of pollux respond, not of pollux healthcheck (see pollux healthcheck "
         "--help)"},
        {"pollux healthcheck", "healthcheck needs one URL, like http://localhost:8080/"},
        {"pollux healthcheck a b", "healthcheck needs one URL, like http://localhost:8080/"},
        {"pollux respond one two", "two: there is one TEXT already; quote blanks"},
        {"pollux -l :1 files spa", "files: the command comes first: pollux files [FLAGS] [DIR]"},
        {"pollux -q proxy", "proxy: the command comes first: pollux proxy [FLAGS] URL..."},
        {"pollux -q run", "run: the command comes first: pollux run [FLAGS]"},
        {"pollux -q text", "text: the command comes first: pollux respond [FLAGS] [TEXT]"},
        {"pollux -l https://:443",
         "--listen https://:443: TLS needs --tls-cert and --tls-key, or --tls-self-signed"},
        {"pollux -l http://:80",
         "--listen http://:80: an address is host:port, or https://host:port"},
        {"pollux --tls-self-signed",
         "a certificate is given and no address for it: add -l https://:8443"},
        {"pollux --tls-cert a --tls-cert b --tls-key c -l https://:443",
         "there are 2 of --tls-cert and 1 of --tls-key: give one for each"},
        {"pollux --tls-cert=\x01", "--tls-cert \x01: it is a path of a file"},
        {"pollux --tls-client optional --tls-self-signed -l https://:443",
         "--tls-client needs --tls-client-ca: the authorities of client certificates"},
        {"pollux --tls-client maybe", "--tls-client maybe: it is one of off, optional, required"},
        {"pollux --tls-profile old", "--tls-profile old: it is one of intermediate, modern"},
        {"pollux -l :1 -l https://:1 --tls-self-signed",
         "--listen https://:1: the same address twice; give it once"},
        {"pollux -l :1 -l :1", "--listen :1: the same address twice; give it once"},
        {"pollux -l :1,backlog=2 -l :1", "--listen :1: the same address twice; give it once"},
        {"pollux -l :1,nonsense=2",
         "--listen :1,nonsense=2: 'nonsense' is no option of an address; there are mode=, owner=, "
         "group=, proxy and backlog="},
        {"pollux -l :1,", "--listen :1,: '' is no option of an address; there are mode=, owner=, "
                          "group=, proxy and backlog="},
        {"pollux -l :1,mode=0666", "--listen :1,mode=0666: mode is for unix:/path alone"},
        {"pollux -l fd:a,owner=root", "--listen fd:a,owner=root: owner is for unix:/path alone"},
        {"pollux -l fd:a,backlog=1",
         "--listen fd:a,backlog=1: backlog is for what is opened here, and fd: is inherited"},
        {"pollux -l unix:/a,mode=888",
         "--listen unix:/a,mode=888: mode: it is an octal number from 1 to 0777"},
        {"pollux -l unix:/a,mode=1777",
         "--listen unix:/a,mode=1777: mode: it is an octal number from 1 to 0777"},
        {"pollux -l unix:/a,mode", "--listen unix:/a,mode: mode: it is an octal number from 1 to "
                                   "0777"},
        {"pollux -l unix:/a,owner=no-such-user",
         "--listen unix:/a,owner=no-such-user: owner: there is no such user"},
        {"pollux -l unix:/a,group=no-such-group",
         "--listen unix:/a,group=no-such-group: group: there is no such group"},
        {"pollux -l :1,backlog=0", "--listen :1,backlog=0: backlog: it is a number from 1 on"},
        {"pollux -l :1,backlog=1,backlog=2",
         "--listen :1,backlog=1,backlog=2: backlog is there twice"},
        {"pollux -l :1,proxy=on", "--listen :1,proxy=on: proxy: it takes no value"},
        {"pollux -l :1,proxy", "--listen :1: proxy needs --trust-proxy: whose header is believed"},
        {"pollux --proxy-protocol",
         "--proxy-protocol needs --trust-proxy: whose header is believed"},
        {"pollux --trust-proxy localhost",
         "--trust-proxy 'localhost' is no address (write 192.0.2.0/24, 2001:db8::/32 or unix:)"},
        {"pollux --trust-proxy 10.1.2.3/8", "--trust-proxy '10.1.2.3/8' has bits behind its "
                                            "prefix: write the network, or a longer prefix"},
        {"pollux --proxy-header via",
         "--proxy-header via: it is one of forwarded, x-forwarded-for, either, off"},
        {"pollux -w -1", "--workers -1: it is a number from 0 to 1024"},
        {"pollux -w 1025", "--workers 1025: it is a number from 0 to 1024"},
        {"pollux --log nonsense", "--log nonsense: it is one of combined, json, ecs, request, off"},
        {"pollux --log-file=", "--log-file : it is a path of a file"},
        {"pollux --pid-file=\x01", "--pid-file \x01: it is a path of a file"},
        {"pollux --status 199", "--status 199: it is a number from 200 to 599"},
        {"pollux --status 600", "--status 600: it is a number from 200 to 599"},
        {"pollux --type=", "--type : write it as text/plain"},
        {"pollux --type a\r\nb:c", "--type a\r\nb:c: write it as text/plain"},
        {"pollux -H nonsense", "--header nonsense: write it as 'Name: value'"},
        {"pollux -H A:b\r\nC:d", "--header A:b\r\nC:d: write it as 'Name: value'"},
        {"pollux -H connection:close",
         "--header connection:close: pollux frames messages itself; leave it out"},
        {"pollux --max-connections 0", "--max-connections 0: it is a number from 1 on, or off"},
        {"pollux --max-connections 4294967295",
         "--max-connections 4294967295: it is a number from 1 on, or off"},
        {"pollux --max-head 0", "--max-head 0: it is a number of bytes from 1 on, like 64k or 2m"},
        {"pollux --max-head off",
         "--max-head off: it is a number of bytes from 1 on, like 64k or 2m"},
        {"pollux --max-head 4g",
         "--max-head 4g: it is a number of bytes from 1 on, like 64k or 2m"},
        {"pollux --max-content 0",
         "--max-content 0: it is a number of bytes from 1 on, like 64k or 2m, or off"},
        {"pollux --timeout-idle 0",
         "--timeout-idle 0: it is a time, like 10s, 500ms or 1m, or off"},
        {"pollux --timeout-idle never",
         "--timeout-idle never: it is a time, like 10s, 500ms or 1m, or off"},
        {"pollux --rate-send 0", "--rate-send 0: it is a number from 1 on, or off"},
        {"pollux fils", "'fils' is not a command: did you mean files? (see pollux --help)"},
        {"pollux healthchek http://a/",
         "'healthchek' is not a command: did you mean healthcheck? (see pollux --help)"},
        {"pollux files --lisen :1",
         "unknown flag --lisen: did you mean --listen? (see pollux files --help)"},
        {"pollux files --max-conections=5", "unknown flag --max-conections=5: did you mean "
                                            "--max-connections? (see pollux files --help)"},
        {"pollux respond --lis", "unknown flag --lis: did you mean --listen? (see pollux respond "
                                 "--help)"},
        {"pollux -l https://:443 --tls-self-signed --tls-cert x",
         "--tls-self-signed stands in for --tls-cert: leave one of them out"},
        {"pollux -l https://:443 --tls-cert x --tls-client-ca a --tls-client off",
         "--tls-client off asks for no certificate that --tls-client-ca could have signed: leave "
         "one of them out"},
        {"pollux -l https://:443 --tls-cert x --tls-client off --tls-client-ca a",
         "--tls-client off asks for no certificate that --tls-client-ca could have signed: leave "
         "one of them out"},
        {"pollux --hsts", "--hsts is for TLS, and no address speaks it: add -l https://:8443"},
        {"pollux --tls-modern --hsts",
         "--tls-modern is for TLS, and no address speaks it: add -l https://:8443"},
        {"pollux --max-handshakes 5",
         "--max-handshakes is for TLS, and no address speaks it: add -l https://:8443"},
        {"pollux --https-redirect :80",
         "--https-redirect :80: it needs -l https://... to redirect to"},
        {"pollux --https-redirect :80=0",
         "--https-redirect :80=0: it is one address without https, as :80, or with the port that "
         "clients are sent to, as :80=443"},
        {"pollux --https-redirect https://:80",
         "--https-redirect https://:80: it is one address without https, as :80, or with the port "
         "that clients are sent to, as :80=443"},
        {"pollux --max-workers 1 -w 2", "--max-workers 1: it is less than --workers 2"},
        {"pollux -w 0 --max-workers 4", "--max-workers 4: with --workers 0 there are none"},
        {"pollux --log off --log-file x",
         "--log off leaves nothing for --log-file: leave one of them out"},
        {"pollux --proxy-header forwarded",
         "--proxy-header needs --trust-proxy: whose field is believed"},
        {"pollux healthcheck --ca x --insecure https://a/",
         "--insecure looks at no certificate that --ca could have signed: leave one of them out"},
        {"pollux --tls-modern --tls-profile intermediate",
         "--tls-profile says both intermediate and modern: leave one of them out"},
        {"pollux --tls-profile intermediate --tls-modern",
         "--tls-profile says both intermediate and modern: leave one of them out"},
        {"pollux --http2 off --h2c on",
         "--http2 off leaves nothing for --h2c on: leave one of them out"},
        {"pollux --h2c on --http2 tls",
         "--http2 tls leaves nothing for --h2c on: leave one of them out"},
        {"pollux respond --status 204 hello",
         "--status 204: such an answer has no content; leave TEXT out"},
        {"pollux --drain-spread 60 --timeout-drain 5",
         "--drain-spread is longer than --timeout-drain (default 30s), which ends all: make it "
         "shorter"},
        {"pollux --drain-spread 31",
         "--drain-spread is longer than --timeout-drain (default 30s), which ends all: make it "
         "shorter"},
        {"pollux --accept shared -w 0",
         "--accept shared is for several workers: with --workers 0 there are none"},
        {"pollux proxy --upstream-ca x http://a",
         "--upstream-ca is for https:// servers, and there is none"},
        {"pollux proxy --upstream-cert x --upstream-key y http://a",
         "--upstream-cert is for https:// servers, and there is none"},
        {"pollux proxy --tries 1 --retry-disconnect http://a",
         "--tries 1 leaves nothing for --retry-disconnect: leave one of them out"},
        {"pollux proxy -l 127.0.0.1:81 http://127.0.0.1:81",
         "http://127.0.0.1:81: pollux itself listens there, and would ask itself over and over"},
        {"pollux check --from 192.0.2.1",
         "--from is for --explain METHOD URL: add it, or leave this one out"},
        {"pollux check -H A:b",
         "--header is for --explain METHOD URL: add it, or leave this one out"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct result *result = parse(cases[i].line, NULL);

        assert_int_equal(result->err, PX_ERR_INVALID);
        assert_string_equal(result->error.text, cases[i].says);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 122);
}

static void lists_have_an_end(void **state)
{
    static char *argv[2 * LISTEN_COUNT_MAX + 4];
    static char addresses[LISTEN_COUNT_MAX + 1][16];
    static char listen_flag[] = "-l", header_flag[] = "-H", program[] = "pollux";
    struct options options;
    px_error error;

    (void)state;
    for (int over = 0; over <= 1; over++) {
        int argc = 1;

        argv[0] = program;
        for (int i = 0; i < LISTEN_COUNT_MAX + over; i++) {
            snprintf(addresses[i], sizeof(addresses[i]), ":%d", i + 1);
            argv[argc++] = listen_flag;
            argv[argc++] = addresses[i];
        }
        argv[argc] = NULL;
        assert_int_equal(options_parse(&options, argc, argv, NULL, &error),
                         over ? PX_ERR_INVALID : PX_OK);
        argc = 1;
        for (int i = 0; i < HEADER_COUNT_MAX + over; i++) {
            snprintf(addresses[i], sizeof(addresses[i]), "A: %d", i);
            argv[argc++] = header_flag;
            argv[argc++] = addresses[i];
        }
        argv[argc] = NULL;
        assert_int_equal(options_parse(&options, argc, argv, NULL, &error),
                         over ? PX_ERR_INVALID : PX_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(words),
        cmocka_unit_test(listening),
        cmocka_unit_test(options_of_addresses),
        cmocka_unit_test(the_environment),
        cmocka_unit_test(the_answer),
        cmocka_unit_test(what_files_are_answered_with),
        cmocka_unit_test(the_process),
        cmocka_unit_test(http2_in_the_clear),
        cmocka_unit_test(limits),
        cmocka_unit_test(proxies),
        cmocka_unit_test(refusals),
        cmocka_unit_test(lists_have_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
