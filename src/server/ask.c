/*
 * Asking a server from a test, in one call: the client's end of a pair of sockets.
 *
 * Happy path: the request is written, the server's loop is run until its end of the pair closes,
 * and what came is parsed as a client's connection would.  What can go wrong is said in words; all
 * that was received is in one buffer, bounded.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/error.h"
#include "http/fields/field.h"
#include "http/h1/h1_body.h"
#include "http/h1/h1_parse.h"
#include "http/scan/scan.h"
#include "net/own_pair.h"
#include "pollux/test.h"
#include "server/server.h"

enum {
    ASK_BYTES_MAX = 64 * 1024 * 1024,
    ASK_CHUNK_BYTES = 16 * 1024,
    ASK_FIELDS_MAX = 1000,
    ASK_WAIT_MS = 10 * 1000,
    ASK_TICK_MS = 10
};

struct ask {
    px_test_answer shown;
    struct arena arena; /* all that is shown but the content */
    struct buf request;
    struct buf received;
    struct buf content;
    struct http_field_span spans[ASK_FIELDS_MAX];
};

static px_err put(struct buf *out, const char *text)
{
    return buf_append(out, px_str_of(text));
}

/* Whether one of the lines is a field of that name. */
static bool has_line(px_str lines, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = lines.ptr; at < lines.ptr + lines.len; at++) {
        bool begins = at == lines.ptr || at[-1] == '\n';

        if (begins && (size_t)(lines.ptr + lines.len - at) > len && at[len] == ':' &&
            field_text_equal(px_str_make(at, len), px_str_make(name, len)))
            return true;
    }
    return false;
}

static px_err request_write(struct ask *ask, const char *request, px_str content)
{
    const char *end = strchr(request, '\n');
    px_str line = px_str_make(request, end ? (size_t)(end - request) : strlen(request));
    px_str rest = px_str_of(end ? end + 1 : "");
    char length[64];
    px_err err = buf_append(&ask->request, line);

    if (err == PX_OK)
        err = put(&ask->request, " HTTP/1.1\r\n");
    for (px_str at = rest; err == PX_OK && at.len > 0;) {
        const char *next = memchr(at.ptr, '\n', at.len);
        size_t len = next ? (size_t)(next - at.ptr) : at.len;

        err = buf_append(&ask->request, px_str_make(at.ptr, len));
        if (err == PX_OK)
            err = put(&ask->request, "\r\n");
        at = px_str_make(at.ptr + len + (next != NULL), at.len - len - (next != NULL));
    }
    snprintf(length, sizeof(length), "Content-Length: %zu\r\n", content.len);
    if (err == PX_OK && !has_line(rest, "Host"))
        err = put(&ask->request, "Host: test\r\n");
    if (err == PX_OK && content.ptr && !has_line(rest, "Content-Length"))
        err = put(&ask->request, length);
    if (err == PX_OK && !has_line(rest, "Connection"))
        err = put(&ask->request, "Connection: close\r\n");
    if (err == PX_OK)
        err = put(&ask->request, "\r\n");
    return err == PX_OK ? buf_append(&ask->request, content) : err;
}

/* Takes what has come: PX_AGAIN while there may be more. */
static px_err receive(struct ask *ask, int fd)
{
    px_err err = buf_reserve(&ask->received, ASK_CHUNK_BYTES);
    size_t bytes = 0;

    if (err == PX_OK)
        err = own_pair_recv(fd, ask->received.ptr + ask->received.len, ASK_CHUNK_BYTES, &bytes);
    ask->received.len += bytes;
    return err;
}

/* Runs the loop until the server has closed its end. */
static px_err talk(struct ask *ask, px_loop *loop, int fd, px_error *out_error)
{
    uint64_t end_ms = loop_now_ms(loop) + ASK_WAIT_MS;
    size_t sent = 0;

    for (;;) {
        px_str left = px_str_make(ask->request.ptr + sent, ask->request.len - sent);
        px_err err;

        if (left.len > 0)
            sent += own_pair_send(fd, left);
        if (px_loop_wait(loop, ASK_TICK_MS, out_error) != PX_OK)
            return PX_ERR_SYSTEM;
        while ((err = receive(ask, fd)) == PX_OK)
            continue;
        if (err == PX_ERR_CLOSED)
            return PX_OK;
        if (err != PX_AGAIN)
            return error_set(out_error, err, 0, "the answer is more than can be kept");
        if (loop_now_ms(loop) >= end_ms)
            return error_set(out_error, PX_ERR_TIMEOUT, 0, "no whole answer in %d seconds",
                             ASK_WAIT_MS / 1000);
    }
}

static px_err malformed(px_error *out_error, const char *why)
{
    return error_set(out_error, PX_ERR_MALFORMED, 0, "%s", why);
}

static px_err content_read(struct ask *ask, struct h1_body *body, px_str bytes, px_error *out_error)
{
    px_err err = PX_AGAIN;
    px_str content;
    size_t used;

    while (err == PX_AGAIN && bytes.len > 0) {
        err = h1_body_read(body, bytes, &used, &content);
        if (err != PX_OK && err != PX_AGAIN)
            return malformed(out_error, body->reason ? body->reason : "the content is malformed");
        bytes = px_str_make(bytes.ptr + used, bytes.len - used);
        if (buf_append(&ask->content, content) != PX_OK)
            return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    }
    if (err == PX_AGAIN && h1_body_eof(body) != PX_OK)
        return malformed(out_error, "the answer ends before its content does");
    return PX_OK;
}

static px_err body_read(struct ask *ask, const struct h1_parser *parser, px_str bytes,
                        px_error *out_error)
{
    uint32_t count = 0;
    px_field *trailers = NULL;
    struct h1_body body;
    px_err err;

    if (parser->framing == H1_FRAMING_NONE ||
        (parser->framing == H1_FRAMING_LENGTH && parser->content_length == 0))
        return PX_OK;
    h1_body_init(&body, (enum h1_framing)parser->framing, parser->content_length,
                 ask->arena.allocator);
    body.response = true;
    err = content_read(ask, &body, bytes, out_error);
    if (err == PX_OK && body.trailer.len > 0 &&
        h1_body_trailers(&body, &ask->arena, &trailers, &count) != PX_OK)
        err = error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    ask->shown.trailers = trailers;
    ask->shown.trailer_count = count;
    h1_body_deinit(&body);
    return err;
}

/* Takes the answer apart: informational ones, then the final one. */
static px_err answer_read(struct ask *ask, bool head_only, px_error *out_error)
{
    const struct http_limits limits = {.head_bytes_max = ASK_BYTES_MAX,
                                       .target_bytes_max = ASK_BYTES_MAX,
                                       .field_count_max = ASK_FIELDS_MAX};
    px_str bytes = buf_str(&ask->received);
    struct http_response response;
    struct h1_parser parser;

    do {
        h1_parser_init(&parser, H1_RESPONSE, scan_table_best(), &limits, ask->spans);
        parser.head_response = head_only;
        px_err err = bytes.len > 0 ? h1_parse(&parser, bytes.ptr, bytes.len) : PX_AGAIN;

        if (err == PX_AGAIN)
            return malformed(out_error, "the connection ended without a whole head");
        if (err != PX_OK)
            return malformed(out_error, parser.reason);
        if (h1_response_take(&parser, bytes.ptr, &ask->arena, &response) != PX_OK)
            return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        bytes = px_str_make(bytes.ptr + parser.head_bytes, bytes.len - parser.head_bytes);
    } while (response.kind == HTTP_RESPONSE_INFORMATIONAL);
    ask->shown.status = response.status;
    ask->shown.fields = response.fields;
    ask->shown.field_count = response.field_count;
    return body_read(ask, &parser, bytes, out_error);
}

static struct ask *ask_make(void)
{
    struct ask *ask = alloc_take_zeroed(&alloc_libc, sizeof(*ask));

    if (!ask)
        return NULL;
    ask->shown.struct_size = sizeof(ask->shown);
    arena_init(&ask->arena, &alloc_libc, NULL, 0, ASK_BYTES_MAX);
    buf_init(&ask->request, &alloc_libc, SIZE_MAX / 2);
    buf_init(&ask->received, &alloc_libc, ASK_BYTES_MAX + ASK_CHUNK_BYTES);
    buf_init(&ask->content, &alloc_libc, ASK_BYTES_MAX);
    return ask;
}

static px_err ask_run(struct ask *ask, px_server *server, const char *request, px_str content,
                      px_error *out_error)
{
    bool head_only = strncmp(request, "HEAD ", 5) == 0;
    int fds[2];
    px_err err = request_write(ask, request, content);

    if (err != PX_OK)
        return error_set(out_error, err, 0, "out of memory");
    err = own_pair_open(fds, out_error);
    if (err != PX_OK)
        return err;
    err = px_server_adopt(server, fds[0], NULL, out_error);
    if (err != PX_OK)
        own_pair_close(fds[0]);
    else
        err = talk(ask, server->loop, fds[1], out_error);
    own_pair_close(fds[1]);
    if (err == PX_OK)
        err = answer_read(ask, head_only, out_error);
    if (err == PX_OK && buf_reserve(&ask->content, 1) != PX_OK)
        err = error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    if (err != PX_OK)
        return err;
    ask->content.ptr[ask->content.len] = '\0';
    ask->shown.content = buf_str(&ask->content);
    return PX_OK;
}

px_test_answer *px_test_ask(px_server *server, const char *request, px_str content,
                            px_error *out_error)
{
    struct ask *ask = ask_make();

    CHECK_RULE(!server->loop->ticking, "px_test_ask was called from a callback of the loop");
    error_clear(out_error);
    if (!ask) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    if (ask_run(ask, server, request, content, out_error) == PX_OK)
        return &ask->shown;
    px_test_answer_free(&ask->shown);
    return NULL;
}

px_test_answer *px_test_handle(px_handler handler, void *context, const char *request,
                               px_str content, px_error *out_error)
{
    px_server *server = px_server_create(NULL, out_error);
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_test_answer *answer = NULL;

    route.content_mode = PX_CONTENT_COLLECT;
    if (server && px_server_route_with(server, "/", &route, handler, context, out_error) == PX_OK)
        answer = px_test_ask(server, request, content, out_error);
    px_server_destroy(server);
    return answer;
}

px_str px_test_field(const px_test_answer *answer, const char *name)
{
    return field_find_value(answer->fields, (uint32_t)answer->field_count, name);
}

void px_test_answer_free(px_test_answer *answer)
{
    struct ask *ask = answer ? CONTAINER_OF(answer, struct ask, shown) : NULL;

    if (!ask)
        return;
    arena_reset(&ask->arena);
    buf_deinit(&ask->request);
    buf_deinit(&ask->received);
    buf_deinit(&ask->content);
    alloc_put(&alloc_libc, ask);
}
