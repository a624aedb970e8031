/*
 * Handlers that read requests in every way there is: fields, content whole and in pieces, with the
 * brake on, dropped, forms, tunnels.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gallery.h"

#define LINES_BYTES 16384

struct lines {
    char text[LINES_BYTES];
    size_t len;
};

static void lines_add(struct lines *lines, const char *name, px_str value)
{
    int len = snprintf(lines->text + lines->len, LINES_BYTES - lines->len, "%s=%.*s\n", name,
                       (int)value.len, value.ptr ? value.ptr : "");

    if (len > 0 && (size_t)len < LINES_BYTES - lines->len)
        lines->len += (size_t)len;
}

static void lines_add_fields(struct lines *lines, const char *before, const px_field *fields,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char name[256];

        snprintf(name, sizeof(name), "%s%.*s", before, (int)fields[i].name.len, fields[i].name.ptr);
        for (char *c = name; *c; c++)
            *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
        lines_add(lines, name, fields[i].value);
    }
}

/* What a handler can know of a request, a line each; names in lower case, as versions differ. */
void gallery_fields(px_exchange *exchange, void *context)
{
    struct lines lines = {"", 0};
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    (void)context;
    lines_add(&lines, ".method", px_request_method(exchange));
    lines_add(&lines, ".path", px_request_path(exchange));
    lines_add(&lines, ".raw", px_request_raw_path(exchange));
    lines_add(&lines, ".query", px_request_query(exchange));
    lines_add(&lines, ".authority", px_request_authority(exchange));
    lines_add(&lines, ".scheme", px_request_scheme(exchange));
    lines_add(&lines, ".id", px_request_param(exchange, "id"));
    lines_add(&lines, ".cookie-b", px_request_cookie(exchange, "b"));
    lines_add(&lines, ".peer", px_str_of(px_exchange_peer(exchange).len > 0 ? "known" : "unknown"));
    lines_add_fields(&lines, "", fields, count);
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(lines.text, lines.len));
}

/* Its route collects the content. */
void gallery_echo(px_exchange *exchange, void *context)
{
    px_str type = px_request_field(exchange, "Content-Type");

    (void)context;
    px_respond(exchange, 200, type.ptr ? type : px_str_of("text/plain"),
               px_request_content(exchange));
}

static void stream_content(px_exchange *exchange, px_str bytes, void *context)
{
    (void)context;
    px_response_write(exchange, bytes);
    if (px_response_room(exchange) < 128 * 1024)
        px_request_pause(exchange);
}

static void stream_end(px_exchange *exchange, void *context)
{
    size_t count;
    const px_field *trailers = px_request_trailers(exchange, &count);

    (void)context;
    for (size_t i = 0; i < count; i++)
        px_response_add_trailer(exchange, trailers[i].name, trailers[i].value);
    px_response_end(exchange);
}

static void stream_room(px_exchange *exchange, void *context)
{
    (void)context;
    px_request_resume(exchange);
}

/* Sends back what comes while it comes; who does not read is not read from. */
void gallery_stream(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_content = stream_content,
                                                    .on_content_end = stream_end,
                                                    .on_room = stream_room};

    (void)context;
    px_exchange_set_callbacks(exchange, &callbacks, NULL);
    px_response_start(exchange, 200, px_str_of("application/octet-stream"), PX_LENGTH_UNKNOWN);
}

struct count {
    uint64_t bytes;
    uint32_t sum;
    px_exchange *exchange;
    px_timer *timer; /* owned: goes on after a pause */
};

static void count_again(px_timer *timer, void *context)
{
    (void)timer;
    px_request_resume(((struct count *)context)->exchange);
}

static void count_content(px_exchange *exchange, px_str bytes, void *context)
{
    struct count *count = context;

    for (size_t i = 0; i < bytes.len; i++)
        count->sum = count->sum * 31 + (unsigned char)bytes.ptr[i];
    count->bytes += bytes.len;
    if (count->timer) {
        px_request_pause(exchange);
        px_timer_start(count->timer, 1);
    }
}

static void count_end(px_exchange *exchange, void *context)
{
    struct count *count = context;
    struct lines lines = {"", 0};
    size_t trailer_count;
    const px_field *trailers = px_request_trailers(exchange, &trailer_count);
    char text[64];

    snprintf(text, sizeof(text), "%llu %u", (unsigned long long)count->bytes, count->sum);
    lines_add(&lines, ".content", px_str_of(text));
    lines_add_fields(&lines, "trailer ", trailers, trailer_count);
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(lines.text, lines.len));
}

static void count_over(px_exchange *exchange, px_end end, void *context)
{
    (void)exchange;
    (void)end;
    px_timer_destroy(((struct count *)context)->timer);
    free(context);
}

/* [?slow=1]: counts and sums the content, and names the trailers. */
void gallery_count(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_content = count_content,
                                                    .on_content_end = count_end,
                                                    .on_end = count_over};
    struct count *count = calloc(1, sizeof(*count));

    (void)context;
    if (!count) {
        px_respond_error(exchange, 503);
        return;
    }
    count->exchange = exchange;
    if (gallery_number(exchange, "slow", 0) != 0)
        count->timer = px_timer_create(px_exchange_loop(exchange), count_again, count);
    px_exchange_set_callbacks(exchange, &callbacks, count);
}

/* Answers at the head, whatever content follows. */
void gallery_early(px_exchange *exchange, void *context)
{
    (void)context;
    gallery_say(exchange, "early\n");
}

/* Its route collects the content. */
void gallery_form(px_exchange *exchange, void *context)
{
    struct lines lines = {"", 0};
    size_t count;
    const px_field *pairs = px_request_form(exchange, &count);

    (void)context;
    if (!pairs) {
        px_respond_error(exchange, 415);
        return;
    }
    lines_add_fields(&lines, "", pairs, count);
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(lines.text, lines.len));
}

struct parts {
    unsigned count;
    size_t bytes;
};

static void parts_begin(px_exchange *exchange, const px_part_head *head, void *context)
{
    (void)exchange;
    (void)head;
    ((struct parts *)context)->count++;
}

static void parts_content(px_exchange *exchange, px_str bytes, void *context)
{
    (void)exchange;
    ((struct parts *)context)->bytes += bytes.len;
}

static void parts_over(px_exchange *exchange, px_err result, void *context)
{
    struct parts *parts = context;
    char text[64];

    snprintf(text, sizeof(text), "%u parts, %zu bytes\n", parts->count, parts->bytes);
    px_respond_text(exchange, result == PX_OK ? 200 : 400, text);
}

void gallery_parts(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = {sizeof(callbacks), parts_begin, parts_content,
                                                     NULL, parts_over};
    struct parts *parts = px_exchange_alloc(exchange, sizeof(*parts));

    (void)context;
    if (parts)
        *parts = (struct parts){0, 0};
    if (!parts || px_request_multipart(exchange, &callbacks, parts) != PX_OK)
        px_respond_error(exchange, parts ? 415 : 503);
}

static void tunnel_end(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_end(exchange);
}

/* Two-way bytes: an upgrade in HTTP/1.1, extended CONNECT in HTTP/2 (RFC 8441). */
void gallery_tunnel(px_exchange *exchange, void *context)
{
    static const px_tunnel_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                  .on_receive = stream_content,
                                                  .on_receive_end = tunnel_end,
                                                  .on_room = stream_room};

    (void)context;
    px_respond_tunnel(exchange, px_str_of("echo"), &callbacks, NULL);
}
