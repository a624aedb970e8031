/*
 * Directives about other servers: upstreams, what is asked of them, where traces go.
 *
 * build_upstream.c takes them.
 */
#include "config/schema/schema.h"

static const char *const trace_words[] = {"off", "otlp", NULL};
static const char *const trace_sample_words[] = {"parent", NULL};
static const char *const untrusted_words[] = {"keep", "restart", NULL};

static const struct config_option trace_options[] = {
    {.name = "sample",
     .use = {TYPE_SHARE, "SHARE", .words = trace_sample_words, .may_be_word = true}},
    {.name = "untrusted", .use = {TYPE_WORD, "RULE", .words = untrusted_words}},
    {.name = "header", .use = {TYPE_TEXT, "'NAME: VALUE'"}},
    {0},
};

#define UPSTREAM_EXAMPLE(line) "upstream app {\n    " line "\n}\nproxy app"
#define PROXY_EXAMPLE(line) "proxy http://127.0.0.1:3000 {\n    " line "\n}"

static const char *const balance_words[] = {"random", "roundrobin", "least", "hash", NULL};
static const char *const sticky_words[] = {"cookie", NULL};
static const char *const version_words[] = {"v1", "v2", NULL};
static const char *const verify_words[] = {"on", "off", NULL};
static const char *const disconnect_words[] = {"disconnect", NULL};
static const char *const expect_words[] = {"own", "forward", NULL};
static const char *const underscores_words[] = {"drop", "keep", "reject", NULL};

static const struct config_option server_options[] = {
    {.name = "weight", .use = {TYPE_COUNT, "N", .least = 1, .most = 1000}},
    {.name = "max",
     .use = {TYPE_COUNT, "N", .least = 1, .most = UINT32_MAX - 1, .may_be_off = true}},
    {.name = "backup", .is_flag = true},
    {0},
};

static const struct config_option check_options[] = {
    {.name = "every", .use = {TYPE_DURATION, "TIME", .least = 10}},
    {.name = "timeout", .use = {TYPE_DURATION, "TIME", .least = 1}},
    {.name = "fall", .use = {TYPE_COUNT, "N", .least = 1, .most = 1000}},
    {.name = "rise", .use = {TYPE_COUNT, "N", .least = 1, .most = 1000}},
    {.name = "expect", .use = {TYPE_TEXT, "STATUS[-STATUS]"}},
    {.name = "host", .use = {TYPE_TEXT, "HOST"}},
    {0},
};

static const struct config_option fails_options[] = {
    {.name = "within", .use = {TYPE_DURATION, "TIME", .least = 1}},
    {.name = "backoff", .use = {TYPE_DURATION, "TIME", .least = 1}},
    {0},
};

static const struct config_option keepalive_options[] = {
    {.name = "idle", .use = {TYPE_DURATION, "TIME", .least = 1}},
    {0},
};

static const struct config_option tls_options[] = {
    {.name = "ca", .use = {TYPE_PATH, "FILE"}},
    {.name = "cert", .use = {TYPE_PATH, "FILE"}},
    {.name = "key", .use = {TYPE_PATH, "FILE"}},
    {.name = "verify", .use = {TYPE_WORD, "RULE", .words = verify_words}},
    {0},
};

static const struct config_option retry_options[] = {
    {.name = "on", .use = {TYPE_WORD, "RULE", .words = disconnect_words}},
    {.name = "within", .use = {TYPE_DURATION, "TIME", .least = 1}},
    {0},
};

static const struct config_option timeout_options[] = {
    {.name = "connect", .use = {TYPE_DURATION, "TIME", .least = 1, .may_be_off = true}},
    {.name = "first_byte", .use = {TYPE_DURATION, "TIME", .least = 1, .may_be_off = true}},
    {.name = "silence", .use = {TYPE_DURATION, "TIME", .least = 1, .may_be_off = true}},
    {0},
};

static const struct config_option buffer_options[] = {
    {.name = "replay",
     .use = {TYPE_BYTES, "SIZE", .least = 1, .most = 16777216, .may_be_off = true}},
    {0},
};

static const struct config_option auth_options[] = {
    {.name = "timeout", .use = {TYPE_DURATION, "TIME", .least = 1}},
    {0},
};

const struct config_directive schema_upstream[] = {
    {.name = "upstream",
     .where = IN_TOP,
     .kind = KIND_BLOCK,
     .block = IN_UPSTREAM,
     .needs_block = true,
     .uses = {{TYPE_NAME, "NAME"}},
     .values_min = 1,
     .values_max = 1,
     .help = "servers that requests are passed on to",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080")},
    {.name = "server",
     .where = IN_UPSTREAM,
     .kind = KIND_LIST,
     .uses = {{TYPE_TEXT, "ADDR"}},
     .values_min = 1,
     .values_max = 1,
     .options = server_options,
     .help = "one of them: host:port, unix:/path, http://, https:// or h2c:// and host:port; max: "
             "requests of a worker at once; backup: asked while none of the others is up",
     .example =
         UPSTREAM_EXAMPLE("server 10.0.0.1:8080 weight=2; server unix:/run/app.sock backup")},
    {.name = "balance",
     .where = IN_UPSTREAM,
     .uses = {{TYPE_WORD, "RULE", .words = balance_words}, {TYPE_TEMPLATE, "KEY"}},
     .values_min = 1,
     .values_max = 2,
     .defaults = "random",
     .help = "how one is chosen: the less busy of two, by turns, the least busy, or by a key",
     .example =
         UPSTREAM_EXAMPLE("server 10.0.0.1:8080; server 10.0.0.2:8080; balance hash {client}")},
    {.name = "sticky",
     .where = IN_UPSTREAM,
     .uses = {{TYPE_WORD, "HOW", .words = sticky_words}, {TYPE_FIELD, "NAME"}},
     .values_min = 2,
     .values_max = 2,
     .help = "a client stays with one of them, by a signed cookie of that name",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080; sticky cookie route")},
    {.name = "check",
     .where = IN_UPSTREAM,
     .uses = {{TYPE_TARGET, "PATH"}},
     .values_min = 0,
     .values_max = 1,
     .options = check_options,
     .help = "asks each for PATH (/) every 2s, from one worker of all; after fall=3 that are not "
             "200-399 it is down, after rise=2 that are it is up",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080; check /healthz every=2s fall=3 rise=2")},
    {.name = "fails",
     .where = IN_UPSTREAM,
     .uses = {{TYPE_COUNT, "N", .least = 1, .most = 1000, .may_be_off = true}},
     .values_min = 1,
     .values_max = 1,
     .options = fails_options,
     .defaults = "3",
     .help = "so many failures in a row, none of them later than within=10s after another, put one "
             "out for backoff=1s, and twice as long each time, up to a minute",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080; fails 5 within=30s")},
    {.name = "slow_start",
     .where = IN_UPSTREAM,
     .uses = {{TYPE_DURATION, "TIME", .least = 1, .may_be_off = true}},
     .values_min = 1,
     .values_max = 1,
     .defaults = "10s",
     .help = "until one that is back has its whole share",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080; slow_start 30s")},
    {.name = "keepalive",
     .where = IN_UPSTREAM,
     .uses = {{TYPE_COUNT, "N", .least = 1, .most = 65536, .may_be_off = true}},
     .values_min = 1,
     .values_max = 1,
     .options = keepalive_options,
     .defaults = "256",
     .help = "idle connections to each that a worker keeps, for idle=30s",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080; keepalive 32")},
    {.name = "queue",
     .where = IN_UPSTREAM,
     .uses = {{TYPE_COUNT, "N", .least = 1, .most = UINT32_MAX - 1, .may_be_off = true},
              {TYPE_DURATION, "TIME", .least = 1}},
     .values_min = 1,
     .values_max = 2,
     .defaults = "256 10s",
     .help = "requests of a worker that wait when all are busy, and how long",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080; queue 100 5s")},
    {.name = "tls",
     .where = IN_UPSTREAM,
     .values_min = 0,
     .values_max = 0,
     .options = tls_options,
     .help = "TLS is spoken to servers that do not say how; whose certificates are believed, and "
             "what is shown",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080; tls")},
    {.name = "proxy_protocol",
     .where = IN_UPSTREAM,
     .uses = {{TYPE_WORD, "VERSION", .words = version_words}},
     .values_min = 0,
     .values_max = 1,
     .help = "connections to them begin with a PROXY header (v2), and serve one request each",
     .example = UPSTREAM_EXAMPLE("server 10.0.0.1:8080; proxy_protocol v1")},
    {.name = "proxy",
     .where = IN_REQUEST,
     .kind = KIND_ANSWER,
     .phase = PHASE_ANSWER,
     .block = IN_PROXY,
     .uses = {{TYPE_TEXT, "UPSTREAM"}},
     .values_min = 1,
     .values_max = 1,
     .help = "answers with what an upstream answers: its name, or the address of a server",
     .example = "route /{rest...} {\n    proxy http://127.0.0.1:3000\n}"},
    {.name = "retry",
     .where = IN_PROXY,
     .uses = {{TYPE_COUNT, "TRIES", .least = 1, .most = 100, .may_be_off = true}},
     .values_min = 1,
     .values_max = 1,
     .options = retry_options,
     .defaults = "2",
     .help = "how often a request is given to a server; on=disconnect: also when a new connection "
             "ends without a byte",
     .example = PROXY_EXAMPLE("retry 3 on=disconnect within=10s")},
    {.name = "timeouts",
     .where = IN_PROXY,
     .values_min = 0,
     .values_max = 0,
     .options = timeout_options,
     .help = "how long servers may take: connect=5s for each address, first_byte=60s, silence=60s "
             "between two bytes",
     .example = PROXY_EXAMPLE("timeouts connect=2s first_byte=10s")},
    {.name = "host",
     .where = IN_PROXY,
     .uses = {{TYPE_TEXT, "HOST"}},
     .values_min = 1,
     .values_max = 1,
     .defaults = "pass",
     .help = "the Host of requests: pass, upstream, or a text",
     .example = PROXY_EXAMPLE("host example.org")},
    {.name = "buffer",
     .where = IN_PROXY,
     .uses = {{TYPE_BYTES, "SIZE", .least = 1024, .most = 16777216}},
     .values_min = 1,
     .values_max = 1,
     .options = buffer_options,
     .defaults = "16k",
     .help = "how much of an answer is taken ahead of its client; replay=64k: how much content is "
             "kept to be sent again",
     .example = PROXY_EXAMPLE("buffer 64k replay=256k")},
    {.name = "expect",
     .where = IN_PROXY,
     .uses = {{TYPE_WORD, "RULE", .words = expect_words}},
     .values_min = 1,
     .values_max = 1,
     .defaults = "own",
     .help =
         "which 100 (Continue) a client gets: ours, when there is a connection, or the server's",
     .example = PROXY_EXAMPLE("expect forward")},
    {.name = "websocket",
     .where = IN_PROXY,
     .uses = {{TYPE_SWITCH, "SWITCH"}},
     .values_min = 1,
     .values_max = 1,
     .defaults = "on",
     .help = "whether requests may switch protocols",
     .example = PROXY_EXAMPLE("websocket off")},
    {.name = "underscores",
     .where = IN_PROXY,
     .uses = {{TYPE_WORD, "RULE", .words = underscores_words}},
     .values_min = 1,
     .values_max = 1,
     .defaults = "drop",
     .help = "whether fields with _ in their names are passed on, or answered 400",
     .example = PROXY_EXAMPLE("underscores keep")},
    {.name = "forwarded",
     .where = IN_PROXY,
     .uses = {{TYPE_SWITCH, "SWITCH"}},
     .values_min = 1,
     .values_max = 1,
     .defaults = "off",
     .help = "whether a Forwarded field is written, too",
     .example = PROXY_EXAMPLE("forwarded on")},
    {.name = "via",
     .where = IN_PROXY,
     .uses = {{TYPE_FIELD, "NAME"}},
     .values_min = 1,
     .values_max = 1,
     .defaults = "pollux",
     .help = "our name in Via; a request that has it already is answered 508",
     .example = PROXY_EXAMPLE("via edge-1")},
    {.name = "proxy_status",
     .where = IN_PROXY,
     .uses = {{TYPE_SWITCH, "SWITCH"}},
     .values_min = 1,
     .values_max = 1,
     .defaults = "off",
     .help = "whether errors of the proxy say their kind in a Proxy-Status field (RFC 9209)",
     .example = PROXY_EXAMPLE("proxy_status on")},
    {.name = "forward_auth",
     .where = IN_REQUEST,
     .phase = PHASE_AUTH,
     .uses = {{TYPE_TEXT, "URL", .may_be_off = true}, {TYPE_FIELD, "NAME"}},
     .values_min = 1,
     .values_max = 33,
     .options = auth_options,
     .help = "asks another server whether a request is let in: 2xx does, and its fields of these "
             "names are added to the request; any other answer is the client's",
     .example = "forward_auth http://127.0.0.1:9091/verify Remote-User timeout=5s\nrespond"},
    {.name = "trace",
     .where = IN_TOP,
     .uses = {{TYPE_WORD, "HOW", .words = trace_words}, {TYPE_TEXT, "URL"}},
     .values_min = 1,
     .values_max = 2,
     .options = trace_options,
     .defaults = "off",
     .help = "sends a span of each request that is sampled to a collector, by OTLP over HTTP as "
             "JSON; a URL without a path means /v1/traces; sample: of traces that begin here one "
             "in so many (1/1), or parent: none; untrusted=restart: traces go on from "
             "trusted_proxies alone; header: a field of each message, in quotes as a whole, for "
             "collectors that want a token: \"header=Authorization: Bearer "
             "${file:/run/secrets/otlp}\"",
     .example = "trace otlp http://127.0.0.1:4318 sample=1/100\nrespond"},
    {.name = "resolver",
     .where = IN_TOP,
     .uses = {{TYPE_TEXT, "ADDR"}},
     .values_min = 1,
     .values_max = 3,
     .help = "the name servers that are asked for names of other servers, in place of the "
             "system's: an address, with or without a port",
     .example = "resolver 192.0.2.53 [2001:db8::53]:5353\nrespond"},
    {0},
};
