/*
 * The far end of a client, and a book of what a fetch has told.
 */
#include "unit/client/far.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/test.h"

void far_open(struct far *far)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t bytes = sizeof(address);

    far->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(far->fd, (struct sockaddr *)&address, bytes), 0);
    assert_int_equal(listen(far->fd, 16), 0);
    assert_int_equal(getsockname(far->fd, (struct sockaddr *)&address, &bytes), 0);
    snprintf(far->host, sizeof(far->host), "127.0.0.1:%u", ntohs(address.sin_port));
    snprintf(far->url, sizeof(far->url), "http://%s/", far->host);
}

void far_close(struct far *far)
{
    close(far->fd);
}

static bool is_readable(int fd)
{
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    return poll(&poller, 1, 0) > 0;
}

int far_accept(const struct far *far, px_loop *loop)
{
    pump_until(loop, is_readable(far->fd));
    int fd = accept(far->fd, NULL, NULL);

    assert_true(fd >= 0);
    return fd;
}

bool far_is_dialled(const struct far *far, px_loop *loop)
{
    pump_quietly(loop, 20);
    return is_readable(far->fd);
}

const char *far_read(int fd, px_loop *loop, const char *end)
{
    static char text[TELLER_BYTES_MAX];
    size_t len = 0;

    text[0] = '\0';
    while (!strstr(text, end)) {
        pump_until(loop, is_readable(fd));
        ssize_t count = recv(fd, text + len, sizeof(text) - 1 - len, 0);

        if (count <= 0)
            fail_msg("the client ended behind: %s", text);
        len += (size_t)count;
        text[len] = '\0';
    }
    return text;
}

void far_expect(int fd, px_loop *loop, const char *expected)
{
    static char text[TELLER_BYTES_MAX];
    size_t want = strlen(expected), len = 0;

    while (len < want) {
        pump_until(loop, is_readable(fd));
        ssize_t count = recv(fd, text + len, want - len, 0);

        assert_true(count > 0);
        len += (size_t)count;
    }
    text[len] = '\0';
    assert_string_equal(text, expected);
}

bool far_sees_end(int fd, px_loop *loop)
{
    char byte;

    pump_until(loop, is_readable(fd));
    return recv(fd, &byte, 1, 0) <= 0;
}

/* --- The book --------------------------------------------------------------------------------- */

static void cancel_at(px_fetch *fetch, const struct teller *teller, char moment)
{
    if (teller->cancel_at == moment)
        px_fetch_cancel(fetch);
}

static void on_inform(px_fetch *fetch, unsigned status, const px_field *fields, size_t field_count,
                      void *context)
{
    struct teller *teller = context;

    (void)fields;
    (void)field_count;
    assert_int_equal(teller->heads + teller->ends, 0);
    teller->informs++;
    teller->inform_status = status;
    cancel_at(fetch, teller, 'i');
}

static void on_head(px_fetch *fetch, void *context)
{
    struct teller *teller = context;

    assert_int_equal(teller->ends, 0);
    teller->heads++;
    teller->status = px_fetch_status(fetch);
    teller->version = px_fetch_version(fetch);
    teller->length = px_fetch_content_length(fetch);
    cancel_at(fetch, teller, 'h');
}

static size_t on_content(px_fetch *fetch, px_str bytes, void *context)
{
    struct teller *teller = context;
    size_t use = teller->hold ? 0 : bytes.len;

    assert_int_equal(teller->heads, 1);
    assert_int_equal(teller->content_ends + teller->ends, 0);
    assert_true(bytes.len > 0);
    if (teller->use > 0 && use > teller->use)
        use = teller->use;
    assert_true(teller->len + use <= TELLER_BYTES_MAX);
    memcpy(teller->bytes + teller->len, bytes.ptr, use);
    teller->len += use;
    teller->bytes[teller->len] = '\0';
    cancel_at(fetch, teller, 'c');
    return use;
}

static void on_content_end(px_fetch *fetch, void *context)
{
    struct teller *teller = context;
    size_t count;
    const px_field *trailers = px_fetch_trailers(fetch, &count);

    teller->content_ends++;
    teller->trailer_count = (uint32_t)count;
    if (count > 0)
        snprintf(teller->trailer, sizeof(teller->trailer), "%s", trailers[0].value.ptr);
    cancel_at(fetch, teller, 'e');
}

static px_pull pull(px_fetch *fetch, char *out, size_t room, size_t *out_bytes, void *context)
{
    struct teller *teller = context;
    size_t left = teller->pull_bytes - teller->pull_at;
    size_t count = left < room ? left : room;

    cancel_at(fetch, teller, 'p');
    if (teller->pull_piece > 0 && count > teller->pull_piece)
        count = teller->pull_piece;
    if (teller->pull_later && (teller->laters++ & 1) == 0)
        return PX_PULL_LATER;
    for (size_t index = 0; index < count; index++)
        out[index] = (char)file_byte(teller->pull_at + index);
    teller->pull_at += count;
    *out_bytes = count;
    if (teller->pull_short)
        return PX_PULL_END;
    return teller->pull_at == teller->pull_bytes ? PX_PULL_END : PX_PULL_MORE;
}

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct teller *teller = context;

    assert_ptr_equal(fetch, teller->fetch);
    teller->ends++;
    teller->error = *error;
    assert_int_equal(error->code == PX_OK, error->text[0] == '\0');
    teller->facts.struct_size = sizeof(teller->facts);
    px_fetch_tell(fetch, &teller->facts);
    px_fetch_cancel(fetch);
    px_fetch_resume(fetch);
    teller->fetch = NULL;
}

const px_fetch_callbacks teller_callbacks = {.struct_size = sizeof(teller_callbacks),
                                             .on_inform = on_inform,
                                             .on_head = on_head,
                                             .on_content = on_content,
                                             .on_content_end = on_content_end,
                                             .pull = pull,
                                             .on_end = on_end};

void teller_start(struct teller *teller, px_loop *loop, px_client *client,
                  const px_fetch_options *options)
{
    px_error error;

    teller->loop = loop;
    teller->fetch = px_fetch_start(client, options, &teller_callbacks, teller, &error);
    if (!teller->fetch)
        fail_msg("px_fetch_start: %s", error.text);
    assert_int_equal(teller->heads + teller->informs + teller->ends, 0);
}

void teller_wait(struct teller *teller)
{
    pump_until(teller->loop, teller->ends > 0);
    assert_int_equal(teller->ends, 1);
}

px_fetch_options teller_get(const char *url)
{
    px_fetch_options options = PX_FETCH_OPTIONS_DEFAULT;

    options.url = px_str_of(url);
    return options;
}
