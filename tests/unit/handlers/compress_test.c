/*
 * Compressing answers: every coding over every kind of content and any room, what is coded and what
 * is not, the fields, If-None-Match, flushing, running out of memory.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/compress/compress.h"
#include "unit/exchange/double.h"
#include "unit/handlers/decode.h"

enum { CONTENT_BYTES_MAX = 300 * 1024 };

static const char text_html[] = "text/html; charset=utf-8";

/* Text that shrinks by a third or so, different at each place. */
static px_str make_content(size_t len)
{
    static char content[CONTENT_BYTES_MAX];
    uint32_t seed = 7;

    for (size_t index = 0; index < len; index++) {
        seed = seed * 1664525 + 1013904223;
        content[index] = "abcdefghij klmnopqrstuvwxyz\n<div>"[(seed >> 24) % (seed >> 31 ? 33 : 4)];
    }
    return px_str_make(content, len);
}

/* --- Handlers --------------------------------------------------------------------------------- */

struct reply {
    char how; /* 'b'ytes, 'f'ile, 'p'roducer, 'l'ength-declaring producer, 'w'riter */
    unsigned status;
    const char *type;
    const char *name; /* a further field */
    const char *value;
    px_str content;
    size_t at;
    int fd;
};

static px_pull reply_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                          void *context)
{
    struct reply *reply = context;
    size_t left = reply->content.len - reply->at;
    size_t len = left < room ? left : room;

    (void)exchange;
    len = len < 777 ? len : 777;
    if (len > 0)
        memcpy(out, reply->content.ptr + reply->at, len);
    reply->at += len;
    *out_bytes = len;
    return len == left ? PX_PULL_END : PX_PULL_MORE;
}

static void reply_handler(px_exchange *exchange, void *context)
{
    struct reply *reply = context;
    px_str type = px_str_of(reply->type);
    px_producer producer = {sizeof(px_producer), reply_pull, NULL, reply};
    px_body body = {sizeof(px_body), reply->content, NULL, NULL};
    px_file_range range = {
        .struct_size = sizeof(px_file_range), .fd = reply->fd, .length = reply->content.len};

    reply->at = 0;
    if (reply->name)
        px_response_add_field(exchange, px_str_of(reply->name), px_str_of(reply->value));
    switch (reply->how) {
    case 'b':
        px_respond_body(exchange, reply->status, type, &body);
        break;
    case 'f':
        px_respond_file(exchange, reply->status, type, &range);
        break;
    case 'p':
        px_respond_producer(exchange, reply->status, type, PX_LENGTH_UNKNOWN, &producer);
        break;
    case 'l':
        px_respond_producer(exchange, reply->status, type, reply->content.len, &producer);
        break;
    default:
        px_response_start(exchange, reply->status, type, PX_LENGTH_UNKNOWN);
        break;
    }
}

static struct reply reply_of(char how, size_t len)
{
    return (struct reply){
        .how = how, .status = 200, .type = text_html, .content = make_content(len), .fd = -1};
}

/* --- A server of one filter ------------------------------------------------------------------- */

struct bench {
    struct stage stage;
    struct px_compress *compress;
};

static void bench_open(struct bench *bench, const px_compress_options *options)
{
    px_error error;

    assert_true(stage_open(&bench->stage, NULL));
    bench->compress = compress_create(&bench->stage.loop->allocator, options, &error);
    assert_non_null(bench->compress);
    assert_int_equal(error.code, PX_OK);
    stage_filter(&bench->stage, &compress_filter, bench->compress);
}

static void bench_close(struct bench *bench)
{
    assert_int_equal(bench->compress->memory_bytes, 0);
    px_compress_destroy(bench->compress);
    stage_close(&bench->stage);
}

static const char *request(const char *accept, const char *more)
{
    static char head[1024];

    snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s%s%s%s\r\n",
             accept ? "Accept-Encoding: " : "", accept ? accept : "", accept ? "\r\n" : "", more);
    return head;
}

static bool head_has(const struct call *call, const char *line)
{
    for (const char *at = strstr(call->head, line); at; at = strstr(at + 1, line)) {
        if ((at == call->head || at[-1] == '\n') && at[strlen(line)] == '\n')
            return true;
    }
    return false;
}

static bool is_coded(const struct call *call)
{
    return strstr(call->head, "Content-Encoding: ") != NULL;
}

static void assert_decodes(const struct call *call, enum coding coding, px_str content)
{
    bool whole;
    px_str decoded = decode(coding, call_content(call), &whole);

    assert_true(whole);
    assert_int_equal(decoded.len, content.len);
    assert_memory_equal(decoded.ptr, content.ptr, content.len);
    free((void *)(uintptr_t)decoded.ptr);
}

/* --- Content ---------------------------------------------------------------------------------- */

static void round_trip(struct bench *bench, enum coding coding, char how, size_t len, size_t room)
{
    struct reply reply = reply_of(how, len);
    struct call call;
    char line[64];
    FILE *file = NULL;

    if (how == 'f') {
        file = tmpfile();
        assert_non_null(file);
        assert_int_equal(fwrite(reply.content.ptr, 1, len, file), len);
        assert_int_equal(fflush(file), 0);
        reply.fd = fileno(file);
    }
    assert_true(call_begin(&call, &bench->stage, request(coding_name(coding).ptr, ""),
                           reply_handler, &reply));
    call.pull_room = room;
    for (int turn = 0; turn < 100 && !call.done; turn++) {
        call_drive(&call);
        pump_once(bench->stage.loop, 10);
    }
    assert_true(call.done);
    snprintf(line, sizeof(line), "Content-Encoding: %s", coding_name(coding).ptr);
    assert_true(head_has(&call, line));
    assert_true(head_has(&call, "Vary: Accept-Encoding"));
    assert_true(call.length == PX_LENGTH_UNKNOWN);
    assert_true(call_content(&call).len < len);
    assert_decodes(&call, coding, reply.content);
    call_finish(&call);
    assert_int_equal(call.end, PX_END_COMPLETE);
    if (file)
        fclose(file);
}

static void content_comes_back(void **state)
{
    static const size_t lengths[] = {1024, 4096, 4097, 50000, CONTENT_BYTES_MAX};
    static const size_t rooms[] = {1, 2, 13, 1024, 65536};
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (enum coding coding = CODING_GZIP; coding < CODING_COUNT; coding++) {
        for (const char *how = "bfpl"; *how; how++) {
            for (size_t length = 0; length < 5; length++)
                round_trip(&bench, coding, *how, lengths[length], 16384);
            for (size_t room = 0; room < 5; room++)
                round_trip(&bench, coding, *how, 9000, rooms[room]);
        }
    }
    bench_close(&bench);
}

/* Content of unknown length may be short, and empty. */
static void short_streams_come_back(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (enum coding coding = CODING_GZIP; coding < CODING_COUNT; coding++) {
        for (size_t len = 0; len < 40; len += 13) {
            for (size_t room = 1; room < 100; room += 50) {
                struct reply reply = reply_of('p', len);
                struct call call;

                assert_true(call_begin(&call, &bench.stage, request(coding_name(coding).ptr, ""),
                                       reply_handler, &reply));
                call.pull_room = room;
                call_drive(&call);
                assert_true(call.done);
                assert_decodes(&call, coding, reply.content);
                call_finish(&call);
            }
        }
    }
    bench_close(&bench);
}

/* All that was written is readable when the writer pauses, again and again. */
static void a_pause_flushes(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (enum coding coding = CODING_GZIP; coding < CODING_COUNT; coding++) {
        for (size_t room = 1; room < 5000; room += 1666) {
            struct reply reply = reply_of('w', 20000);
            struct call call;
            size_t written = 0;

            reply.type = "text/event-stream";
            assert_true(call_begin(&call, &bench.stage, request(coding_name(coding).ptr, ""),
                                   reply_handler, &reply));
            call.pull_room = room;
            for (size_t len = 1; written + len < 8000; len *= 2) {
                bool whole;

                px_response_write(call.exchange, px_str_make(reply.content.ptr + written, len));
                written += len;
                call_drive(&call);
                size_t before = call_content(&call).len;

                call_drive(&call); /* nothing new: nothing is sent */
                assert_int_equal(call_content(&call).len, before);
                px_str decoded = decode(coding, call_content(&call), &whole);

                assert_false(whole);
                assert_int_equal(decoded.len, written);
                assert_memory_equal(decoded.ptr, reply.content.ptr, written);
                free((void *)(uintptr_t)decoded.ptr);
            }
            px_response_end(call.exchange);
            call_drive(&call);
            assert_true(call.done);
            assert_decodes(&call, coding, px_str_make(reply.content.ptr, written));
            call_finish(&call);
        }
    }
    bench_close(&bench);
}

/* --- Heads ------------------------------------------------------------------------------------ */

static void what_is_fit_is_coded(void **state)
{
    static const struct {
        unsigned status;
        const char *type;
        size_t len;
        const char *name;
        const char *value;
        bool vary; /* it could be coded */
    } cases[] = {
        {200, text_html, 1024, NULL, NULL, true},
        {200, text_html, 1023, NULL, NULL, false},
        {404, text_html, 2000, NULL, NULL, true},
        {206, text_html, 2000, "Content-Range", "bytes 0-1999/3000", false},
        {200, text_html, 2000, "Content-Range", "bytes 0-1999/3000", false},
        {204, text_html, 2000, NULL, NULL, false},
        {304, text_html, 2000, NULL, NULL, false},
        {200, "image/png", 2000, NULL, NULL, false},
        {200, "application/json", 2000, NULL, NULL, true},
        {200, NULL, 2000, NULL, NULL, false},
        {200, text_html, 2000, "Content-Encoding", "br", false},
        {200, text_html, 2000, "content-encoding", "identity", false},
        {200, text_html, 2000, "Cache-Control", "public, No-Transform", false},
        {200, text_html, 2000, "Cache-Control", "public", true},
        {200, text_html, 2000, "Content-Digest", "sha-256=:AA==:", false},
        {200, text_html, 2000, "Repr-Digest", "sha-256=:AA==:", false},
        {200, text_html, 2000, "Accept-Ranges", "bytes", true},
    };
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        for (int with = 0; with < 2; with++) {
            struct reply reply = reply_of('b', cases[index].len);
            struct call call;

            reply.status = cases[index].status;
            reply.type = cases[index].type;
            reply.name = cases[index].name;
            reply.value = cases[index].value;
            assert_true(call_begin(&call, &bench.stage,
                                   request(with ? "gzip, br;q=0.9, zstd;q=0.9" : "identity", ""),
                                   reply_handler, &reply));
            call_drive(&call);
            assert_true(call.done);
            assert_int_equal(head_has(&call, "Vary: Accept-Encoding"), cases[index].vary);
            assert_int_equal(head_has(&call, "Content-Encoding: gzip"), with && cases[index].vary);
            if (with && cases[index].vary) {
                assert_decodes(&call, CODING_GZIP, reply.content);
                assert_null(strstr(call.head, "Accept-Ranges"));
            } else {
                assert_true(call.length == reply.content.len);
            }
            call_finish(&call);
        }
    }
    bench_close(&bench);
}

static void vary_is_said_once(void **state)
{
    static const struct {
        const char *value;
        bool added;
    } cases[] = {
        {"Origin", true},           {"*", false},
        {"accept-encoding", false}, {"Origin, Accept-Encoding", false},
        {"Accept-Encodings", true},
    };
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct reply reply = reply_of('b', 2000);
        struct call call;

        reply.name = "Vary";
        reply.value = cases[index].value;
        assert_true(call_begin(&call, &bench.stage, request("br", ""), reply_handler, &reply));
        call_drive(&call);
        assert_int_equal(head_has(&call, "Vary: Accept-Encoding"), cases[index].added);
        call_finish(&call);
    }
    bench_close(&bench);
}

static void clients_choose(void **state)
{
    static const struct {
        const char *accept;
        const char *line; /* NULL: as it is */
    } cases[] = {
        {"gzip, deflate, br, zstd", "Content-Encoding: zstd"},
        {"gzip, deflate, br", "Content-Encoding: br"},
        {"gzip", "Content-Encoding: gzip"},
        {"*", "Content-Encoding: gzip"},
        {"gzip, br;q=0.5, zstd;q=0.1", "Content-Encoding: gzip"},
        {"identity;q=0, br", "Content-Encoding: br"},
        {"identity, gzip;q=0.5", NULL},
        {"identity;q=0", NULL}, /* nothing is acceptable: it is sent all the same */
        {"*;q=0", NULL},
        {"deflate", NULL},
        {"", NULL},
        {NULL, NULL},
    };
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct reply reply = reply_of('b', 2000);
        struct call call;

        assert_true(call_begin(&call, &bench.stage, request(cases[index].accept, ""), reply_handler,
                               &reply));
        call_drive(&call);
        assert_true(call.done);
        if (cases[index].line)
            assert_true(head_has(&call, cases[index].line));
        else
            assert_false(is_coded(&call));
        call_finish(&call);
    }
    /* Two field lines are one list; HTTP/1.0 gets its length. */
    struct reply reply = reply_of('b', 2000);
    struct call call;

    assert_true(call_begin(&call, &bench.stage, request("gzip;q=0.1", "accept-encoding: zstd\r\n"),
                           reply_handler, &reply));
    call_drive(&call);
    assert_true(head_has(&call, "Content-Encoding: zstd"));
    call_finish(&call);
    assert_true(call_begin(&call, &bench.stage, "GET / HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n",
                           reply_handler, &reply));
    call_drive(&call);
    assert_false(is_coded(&call));
    assert_true(head_has(&call, "Vary: Accept-Encoding"));
    assert_int_equal(call.length, 2000);
    call_finish(&call);
    bench_close(&bench);
}

static void a_head_is_that_of_get(void **state)
{
    static const char *const methods[] = {"GET", "HEAD"};
    char heads[2][sizeof(((struct call *)NULL)->head)];
    px_compress_options options = PX_COMPRESS_OPTIONS_DEFAULT;
    struct bench bench;

    (void)state;
    options.cache_bytes_max = PX_OFF; /* what is kept has a length */
    bench_open(&bench, &options);
    for (int index = 0; index < 2; index++) {
        struct reply reply = reply_of('b', 2000);
        struct call call;
        char head[256];

        reply.name = "ETag";
        reply.value = "\"abc\"";
        snprintf(head, sizeof(head), "%s / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
                 methods[index]);
        assert_true(call_begin(&call, &bench.stage, head, reply_handler, &reply));
        call_drive(&call);
        assert_true(call.done);
        assert_true(call.length == PX_LENGTH_UNKNOWN);
        assert_int_equal(call_content(&call).len > 0, index == 0);
        memcpy(heads[index], call.head, sizeof(heads[index]));
        call_finish(&call);
    }
    assert_string_equal(heads[0], heads[1]);
    assert_non_null(strstr(heads[0], "ETag: \"abc-gzip\"\n"));
    bench_close(&bench);
}

static void tags_name_the_coded_content(void **state)
{
    static const struct {
        const char *tag;
        const char *match; /* If-None-Match, NULL: none */
        const char *line;
        unsigned status;
    } cases[] = {
        {"\"abc\"", NULL, "ETag: \"abc-br\"", 200},
        {"\"\"", NULL, "ETag: \"-br\"", 200},
        {"W/\"abc\"", NULL, "ETag: W/\"abc\"", 200},
        {"abc", NULL, "ETag: abc", 200},
        {"\"abc\"", "\"abc-br\"", "ETag: \"abc-br\"", 304},
        {"\"abc\"", "\"x\", W/\"abc-br\"", "ETag: \"abc-br\"", 304},
        {"\"abc\"", "\"a,b\", \"abc-gzip\"", "ETag: \"abc-gzip\"", 304},
        {"\"abc\"", "\"abc-zstd\"", "ETag: \"abc-br\"", 200}, /* not acceptable */
        {"\"abc\"", "\"abc-b\"", "ETag: \"abc-br\"", 200},
        {"\"abc\"", "abc-br", "ETag: \"abc-br\"", 200},
        {"W/\"abc\"", "W/\"abc-br\"", "ETag: W/\"abc\"", 200},
    };
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct reply reply = reply_of('b', 2000);
        struct call call;
        char more[256] = "";

        if (cases[index].match)
            snprintf(more, sizeof(more), "If-None-Match: %s\r\n", cases[index].match);
        reply.name = "ETag";
        reply.value = cases[index].tag;
        assert_true(
            call_begin(&call, &bench.stage, request("gzip, br", more), reply_handler, &reply));
        call_drive(&call);
        assert_true(call.done);
        assert_int_equal(call.status, cases[index].status);
        assert_true(head_has(&call, cases[index].line));
        assert_true(head_has(&call, "Vary: Accept-Encoding"));
        assert_int_equal(is_coded(&call), call.status == 200);
        assert_int_equal(call_content(&call).len > 0, call.status == 200);
        call_finish(&call);
    }
    bench_close(&bench);
}

/* --- The cache -------------------------------------------------------------------------------- */

/* An answer with an ETag, asked for by `head`; its length, or PX_LENGTH_UNKNOWN when it was coded
 * just now.  It must decode. */
static uint64_t ask_kept(struct bench *bench, const char *head, struct reply *reply)
{
    struct call call;

    assert_true(call_begin(&call, &bench->stage, head, reply_handler, reply));
    call_drive(&call);
    assert_true(call.done);
    assert_true(is_coded(&call));
    if (call_content(&call).len > 0) {
        enum coding coding = head_has(&call, "Content-Encoding: br") ? CODING_BROTLI : CODING_GZIP;

        assert_decodes(&call, coding, reply->content);
    }
    uint64_t length = call.length;

    if (length != PX_LENGTH_UNKNOWN && call_content(&call).len > 0)
        assert_int_equal(length, call_content(&call).len);
    call_finish(&call);
    return length;
}

static struct reply tagged_reply(char how, size_t len, const char *tag)
{
    struct reply reply = reply_of(how, len);

    reply.name = "ETag";
    reply.value = tag;
    return reply;
}

static void what_was_coded_is_kept(void **state)
{
    static const char get[] = "GET /a?b HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    static const char *const others[] = {
        "GET /a?c HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
        "GET /a?b HTTP/1.1\r\nHost: b\r\nAccept-Encoding: gzip\r\n\r\n",
        "GET /a?b HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n",
    };
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (const char *how = "bf"; *how; how++) {
        struct reply reply = tagged_reply(*how, 20000, *how == 'b' ? "\"1\"" : "\"2\"");
        FILE *file = tmpfile();

        assert_non_null(file);
        assert_int_equal(fwrite(reply.content.ptr, 1, reply.content.len, file), reply.content.len);
        assert_int_equal(fflush(file), 0);
        reply.fd = fileno(file);
        assert_true(ask_kept(&bench, get, &reply) == PX_LENGTH_UNKNOWN);
        uint64_t length = ask_kept(&bench, get, &reply);

        assert_in_range(length, 100, 19999);
        assert_true(ask_kept(&bench, get, &reply) == length);
        /* A HEAD knows the length as well. */
        char head[128];

        snprintf(head, sizeof(head), "HEAD%s", get + 3);
        assert_true(ask_kept(&bench, head, &reply) == length);
        for (size_t index = 0; index < sizeof(others) / sizeof(others[0]); index++)
            assert_true(ask_kept(&bench, others[index], &reply) == PX_LENGTH_UNKNOWN);
        reply.value = *how == 'b' ? "\"3\"" : "\"4\"";
        assert_true(ask_kept(&bench, get, &reply) == PX_LENGTH_UNKNOWN);
        fclose(file);
    }
    bench_close(&bench);
}

static void what_has_no_name_is_not_kept(void **state)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (int round = 0; round < 2; round++) {
        struct reply untagged = reply_of('b', 5000);
        struct reply weak = tagged_reply('b', 5000, "W/\"1\"");
        struct reply producer = tagged_reply('l', 5000, "\"2\"");
        struct reply missing = tagged_reply('b', 5000, "\"3\"");

        missing.status = 404;
        assert_true(ask_kept(&bench, get, &untagged) == PX_LENGTH_UNKNOWN);
        assert_true(ask_kept(&bench, get, &weak) == PX_LENGTH_UNKNOWN);
        assert_true(ask_kept(&bench, get, &producer) == PX_LENGTH_UNKNOWN);
        assert_true(ask_kept(&bench, get, &missing) == PX_LENGTH_UNKNOWN);
    }
    bench_close(&bench);
}

/* Coders and results that nobody needs for a while are let go. */
static void what_is_not_used_is_let_go(void **state)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n";
    struct reply reply = tagged_reply('b', 20000, "\"1\"");
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    struct loop_cache *old = &bench.compress->old;
    const struct coder_shelf *shelf = &bench.compress->shelves[CODING_GZIP];

    assert_true(ask_kept(&bench, get, &reply) == PX_LENGTH_UNKNOWN);
    assert_true(old->holds);
    assert_int_equal(shelf->idle_count, 1);
    assert_int_equal(old->age(old), 0);
    assert_true(ask_kept(&bench, get, &reply) != PX_LENGTH_UNKNOWN);
    assert_int_equal(old->age(old), 1); /* the coder: what it made was asked for */
    assert_int_equal(shelf->idle_count, 0);
    assert_true(old->holds);
    assert_int_equal(old->age(old), 1);
    assert_false(old->holds);
    assert_true(ask_kept(&bench, get, &reply) == PX_LENGTH_UNKNOWN);
    assert_true(old->holds);
    bench_close(&bench);
}

/* Little room: the longest unused goes, also while an answer still sends it. */
static void the_cache_is_bounded(void **state)
{
    px_compress_options options = PX_COMPRESS_OPTIONS_DEFAULT;
    struct reply reply = tagged_reply('b', 4000, "\"1\"");
    struct bench bench;
    struct call call;
    char head[128];

    (void)state;
    options.cache_bytes_max = 64 * 1024;
    bench_open(&bench, &options);
    for (int round = 0; round < 60; round++) {
        snprintf(head, sizeof(head), "GET /%d HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n",
                 round % 30);
        (void)ask_kept(&bench, head, &reply);
    }
    assert_true(ask_kept(&bench, head, &reply) != PX_LENGTH_UNKNOWN); /* the last is there */
    assert_true(call_begin(&call, &bench.stage, head, reply_handler, &reply));
    exchange_take_head(call.exchange);
    assert_true(call.exchange->output.length != PX_LENGTH_UNKNOWN);
    for (int round = 0; round < 29; round++) {
        char other[128];

        snprintf(other, sizeof(other),
                 "GET /%d HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", round);
        (void)ask_kept(&bench, other, &reply);
    }
    call_drive(&call);
    assert_true(call.done);
    assert_decodes(&call, CODING_GZIP, reply.content);
    call_finish(&call);
    assert_true(ask_kept(&bench, head, &reply) == PX_LENGTH_UNKNOWN);
    /* More than an eighth of the cache is not kept. */
    reply = tagged_reply('b', 60000, "\"2\"");
    assert_true(ask_kept(&bench, head, &reply) == PX_LENGTH_UNKNOWN);
    assert_true(ask_kept(&bench, head, &reply) == PX_LENGTH_UNKNOWN);
    bench_close(&bench);
}

/* --- Limits ----------------------------------------------------------------------------------- */

static void without_memory_it_goes_as_it_is(void **state)
{
    px_compress_options options = PX_COMPRESS_OPTIONS_DEFAULT;
    struct bench bench;
    struct reply reply = reply_of('w', 2000);
    struct call calls[4];

    (void)state;
    /* Room for one by zstd and one by gzip. */
    options.memory_bytes_max = coder_zstd->memory_bytes + coder_gzip->memory_bytes;
    bench_open(&bench, &options);
    for (int index = 0; index < 4; index++) {
        assert_true(call_begin(&calls[index], &bench.stage, request("zstd, gzip", ""),
                               reply_handler, &reply));
        px_response_write(calls[index].exchange, reply.content);
        px_response_end(calls[index].exchange);
        calls[index].pull_room = 16;
        if (index < 3)
            exchange_take_head(calls[index].exchange);
    }
    /* The fourth begins when the others have ended. */
    for (int index = 0; index < 3; index++) {
        static const char *const codings[] = {"zstd", "gzip", NULL};
        px_str coding = px_response_field(calls[index].exchange, "Content-Encoding");

        assert_str_equal(coding, px_str_of(codings[index]));
        call_drive(&calls[index]);
        assert_true(calls[index].done);
        call_finish(&calls[index]);
    }
    call_drive(&calls[3]);
    assert_true(head_has(&calls[3], "Content-Encoding: zstd"));
    call_finish(&calls[3]);
    bench_close(&bench);
}

/* A client that goes away in the middle leaves nothing. */
static void a_peer_that_leaves_is_forgotten(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    for (enum coding coding = CODING_GZIP; coding < CODING_COUNT; coding++) {
        struct reply reply = reply_of('w', 2000);
        struct call call;

        assert_true(call_begin(&call, &bench.stage, request(coding_name(coding).ptr, ""),
                               reply_handler, &reply));
        px_response_write(call.exchange, reply.content);
        call_drive(&call);
        assert_false(call.done);
        assert_true(bench.compress->memory_bytes > 0);
        call_finish(&call);
        assert_int_equal(call.end, PX_END_PEER_GONE);
        assert_int_equal(bench.compress->memory_bytes, 0);
    }
    bench_close(&bench);
}

static void options_are_checked(void **state)
{
    px_compress_options options = PX_COMPRESS_OPTIONS_DEFAULT;
    px_error error;
    struct px_compress *compress;

    (void)state;
    assert_int_equal(px_compress_codings(), PX_CODING_GZIP | PX_CODING_BROTLI | PX_CODING_ZSTD);
    options.codings = 1;
    assert_null(compress_create(&alloc_libc, &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    options.codings = PX_CODING_GZIP;
    options.struct_size = 3;
    assert_null(compress_create(&alloc_libc, &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    options.struct_size = sizeof(options);
    compress = compress_create(&alloc_libc, &options, &error);
    assert_non_null(compress);
    assert_int_equal(compress->offered, 1U << CODING_GZIP);
    px_compress_destroy(compress);
    px_compress_destroy(NULL);
}

/* --- Coders alone ----------------------------------------------------------------------------- */

/* malloc, with what it has handed out and how often. */
struct meter {
    size_t bytes;
    size_t peak;
    uint32_t calls;
};

static void *meter_allocate(size_t bytes, void *context)
{
    struct meter *meter = context;
    size_t *block = malloc(bytes + 16);

    assert_non_null(block);
    *block = bytes;
    meter->bytes += bytes;
    meter->calls++;
    meter->peak = meter->bytes > meter->peak ? meter->bytes : meter->peak;
    return (char *)block + 16;
}

static void meter_release(void *ptr, void *context)
{
    struct meter *meter = context;

    if (!ptr)
        return;
    size_t *block = (size_t *)(void *)((char *)ptr - 16);

    meter->bytes -= *block;
    free(block);
}

static void fill(char *content, size_t len, int how)
{
    uint32_t seed = 5;

    for (size_t index = 0; index < len; index++) {
        seed = seed * 1664525 + 1013904223;
        switch (how) {
        case 0:
            content[index] = 'a';
            break;
        case 1:
            content[index] = (char)(seed >> 24);
            break;
        case 2:
            content[index] = "the quick brown fox jumps, over "[(index % 32) ^ (seed >> 24) % 3];
            break;
        default: /* long matches of every distance */
            content[index] = index < 70000 || (seed >> 20) % 97 == 0
                                 ? (char)(seed >> 24)
                                 : content[index - 1 - index % 69999];
            break;
        }
    }
}

/* Megabytes of what compresses best and worst, in one coder after the other. */
static void a_coder_takes_what_it_says(void **state)
{
    enum { LEN = 3 * 1024 * 1024 };
    static const struct coder_kind *const *const kinds[] = {&coder_gzip, &coder_brotli,
                                                            &coder_zstd};
    char *content = malloc(LEN);
    static char out[16384];

    (void)state;
    assert_non_null(content);
    for (size_t index = 0; index < 3; index++) {
        const struct coder_kind *kind = *kinds[index];
        struct meter meter = {0};
        px_allocator allocator = {meter_allocate, NULL, meter_release, &meter};
        void *coder = kind->create(&allocator);

        for (int how = 0; how < 4; how++) {
            px_str rest = px_str_make(content, LEN);
            bool done = false;

            fill(content, LEN, how);
            assert_int_equal(kind->begin(coder, how % 2 ? LEN : PX_LENGTH_UNKNOWN), PX_OK);
            while (!done) {
                size_t len = rest.len < 4096 ? rest.len : 4096;
                px_filter_step step = {
                    .in = px_str_make(rest.ptr, len), .out = out, .room = sizeof(out)};

                assert_int_equal(
                    kind->step(coder, &step, len == rest.len ? CODER_FINISH : CODER_GO_ON, &done),
                    PX_OK);
                done = done && len == rest.len;
                rest = px_str_make(rest.ptr + step.in_used, rest.len - step.in_used);
            }
        }
        if (kind->coding == CODING_BROTLI)
            assert_int_equal(meter.calls, 2); /* its heap sufficed */
        else
            assert_in_range(meter.peak, kind->memory_bytes / 2, kind->memory_bytes);
        kind->destroy(coder);
        assert_int_equal(meter.bytes, 0);
    }
    free(content);
}

/* Whatever allocation fails: the content comes whole, coded or not, or the exchange is broken. */
static void run_with_failures(const px_allocator *allocator, void *context)
{
    enum coding coding = *(const enum coding *)context;
    struct stage stage;

    if (!stage_open(&stage, allocator))
        return;
    struct px_compress *compress = compress_create(&stage.loop->allocator, NULL, NULL);

    if (compress) {
        struct reply reply = tagged_reply('b', 20000, "\"1\"");

        stage_filter(&stage, &compress_filter, compress);
        for (int round = 0; round < 2; round++) {
            struct call call;

            if (call_begin(&call, &stage, request(coding_name(coding).ptr, ""), reply_handler,
                           &reply)) {
                call_drive(&call);
                if (call.done && is_coded(&call))
                    assert_decodes(&call, coding, reply.content);
                else if (call.done && call.status != 503)
                    assert_str_equal(call_content(&call), reply.content);
                else
                    assert_true(call.status == 503 || call.resets > 0 || !call.exchange);
            }
            call_finish(&call);
        }
        px_compress_destroy(compress);
    }
    stage_close(&stage);
}

static void allocations_may_fail(void **state)
{
    (void)state;
    for (enum coding coding = CODING_GZIP; coding < CODING_COUNT; coding++)
        assert_true(fault_alloc_each(coding_name(coding).ptr, run_with_failures, &coding) >= 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_comes_back),
        cmocka_unit_test(short_streams_come_back),
        cmocka_unit_test(a_pause_flushes),
        cmocka_unit_test(what_is_fit_is_coded),
        cmocka_unit_test(vary_is_said_once),
        cmocka_unit_test(clients_choose),
        cmocka_unit_test(a_head_is_that_of_get),
        cmocka_unit_test(tags_name_the_coded_content),
        cmocka_unit_test(what_was_coded_is_kept),
        cmocka_unit_test(what_has_no_name_is_not_kept),
        cmocka_unit_test(what_is_not_used_is_let_go),
        cmocka_unit_test(the_cache_is_bounded),
        cmocka_unit_test(without_memory_it_goes_as_it_is),
        cmocka_unit_test(a_peer_that_leaves_is_forgotten),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_coder_takes_what_it_says),
        cmocka_unit_test(allocations_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
