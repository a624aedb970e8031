/*
 * The limit of a route beside the limit that a handler names: the lower one holds, for content that
 * is collected, saved or a form, whether its length is declared or it comes in chunks.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"
#include "unit/server/client.h"

enum { ROUTE_BYTES_MAX = 200, BYTES_MAX = 420 };

enum framing { FRAMED_LENGTH, FRAMED_CHUNK, FRAMED_CHUNKS, FRAMINGS };

struct taking {
    uint64_t bytes_max; /* the handler's */
    int fd;
    px_err part;
};

static void collected(px_exchange *exchange, px_str content, void *context)
{
    (void)content;
    (void)context;
    px_respond_text(exchange, 200, "taken");
}

static void collect(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, ((struct taking *)context)->bytes_max, collected, context);
}

static void saved(px_exchange *exchange, const px_saved *saved, void *context)
{
    (void)context;
    if (exchange)
        px_respond_text(exchange, saved->status == PX_OK ? 200 : 507, "saved");
}

static void save(px_exchange *exchange, void *context)
{
    struct taking *taking = context;

    assert_int_equal(px_request_save(exchange, taking->fd, taking->bytes_max, saved, taking),
                     PX_OK);
}

static void part_saved(px_exchange *exchange, const px_saved *saved, void *context)
{
    (void)exchange;
    ((struct taking *)context)->part = saved->status;
}

static void on_part(px_exchange *exchange, const px_part_head *head, void *context)
{
    struct taking *taking = context;

    (void)head;
    assert_int_equal(px_part_save(exchange, taking->fd, taking->bytes_max, part_saved, taking),
                     PX_OK);
}

static void on_form_end(px_exchange *exchange, px_err result, void *context)
{
    (void)context;
    px_respond_text(exchange, result == PX_OK ? 200 : 400, "form");
}

static void form(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = {
        .struct_size = sizeof(callbacks), .on_part = on_part, .on_multipart_end = on_form_end};

    assert_int_equal(px_request_multipart(exchange, &callbacks, context), PX_OK);
}

static void send_chunk(struct client *client, const char *content, size_t bytes)
{
    char size[32];

    snprintf(size, sizeof(size), "%zx\r\n", bytes);
    client_send(client, px_str_of(size));
    client_send(client, px_str_make(content, bytes));
    client_send(client, px_str_of("\r\n"));
}

/* The status of the answer to so much content, framed so. */
static int put(const struct site *site, const char *target, const char *content, size_t bytes,
               enum framing framing)
{
    struct client client;
    char head[256], length[64] = "Transfer-Encoding: chunked";

    if (framing == FRAMED_LENGTH)
        snprintf(length, sizeof(length), "Content-Length: %zu", bytes);
    snprintf(head, sizeof(head),
             "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
             "%s\r\n\r\n",
             target, length);
    client_open(&client, site);
    client_send(&client, px_str_of(head));
    size_t piece = framing == FRAMED_CHUNKS ? 7 : bytes;

    if (framing == FRAMED_LENGTH)
        client_send(&client, px_str_make(content, bytes));
    for (size_t at = 0; framing != FRAMED_LENGTH && at < bytes; at += piece)
        send_chunk(&client, content + at, bytes - at < piece ? bytes - at : piece);
    if (framing != FRAMED_LENGTH)
        client_send(&client, px_str_of("0\r\n\r\n"));
    client_await(&client, site, 12);
    int status = (int)strtol(client.text + 9, NULL, 10);

    client_close(&client);
    return status;
}

static void site_make(struct site *site, struct taking *taking)
{
    site_open(site, NULL);
    *taking = (struct taking){.fd = memfd_create("saved", MFD_CLOEXEC)};
    assert_true(taking->fd >= 0);
    site_route_with(site, "PUT /collect", PX_CONTENT_STREAM, ROUTE_BYTES_MAX, collect, taking);
    site_route_with(site, "PUT /save", PX_CONTENT_STREAM, ROUTE_BYTES_MAX, save, taking);
    site_route_with(site, "PUT /form", PX_CONTENT_STREAM, ROUTE_BYTES_MAX, form, taking);
}

static void site_end(struct site *site, const struct taking *taking)
{
    close(taking->fd);
    site_close(site);
}

static void the_lower_limit_holds(void **state)
{
    static const struct {
        uint64_t bytes_max; /* the handler's */
        size_t bytes;
        int status;
    } cases[] = {
        {100, 100, 200},
        {100, 101, 413},
        {100, 201, 413},
        {200, 200, 200},
        {200, 201, 413},
        {400, 200, 200},
        {400, 201, 413},
        {400, 400, 413},
        {400, 401, 413},
        {PX_UNLIMITED_BYTES, 200, 200},
        {PX_UNLIMITED_BYTES, 201, 413},
        {0, 0, 200},
        {0, 1, 413},
    };
    static const char *const targets[] = {"/collect", "/save"};
    static char content[BYTES_MAX];
    struct site site;
    struct taking taking;
    uint32_t count = 0;

    (void)state;
    memset(content, 'x', sizeof(content));
    site_make(&site, &taking);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++)
        for (size_t target = 0; target < ARRAY_COUNT(targets); target++)
            for (int framing = 0; framing < FRAMINGS; framing++, count++) {
                taking.bytes_max = cases[index].bytes_max;
                int status =
                    put(&site, targets[target], content, cases[index].bytes, (enum framing)framing);

                if (status != cases[index].status)
                    fail_msg("%s, case %zu, framing %d: %d", targets[target], index, framing,
                             status);
            }
    assert_int_equal(count, 13 * 2 * 3);
    site_end(&site, &taking);
}

static void a_form_is_within_the_limit_of_its_route(void **state)
{
    static const struct {
        uint64_t bytes_max; /* of the part */
        size_t bytes;       /* of the part */
        int status;
        px_err part;
    } cases[] = {
        {50, 50, 200, PX_OK},
        {50, 51, 200, PX_ERR_LIMIT},
        {PX_UNLIMITED_BYTES, 100, 200, PX_OK},
        {PX_UNLIMITED_BYTES, 300, 413, PX_ERR_CLOSED},
        {50, 300, 413, PX_ERR_CLOSED},
    };
    struct site site;
    struct taking taking;
    uint32_t count = 0;

    (void)state;
    site_make(&site, &taking);
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++)
        for (int framing = 0; framing < FRAMINGS; framing++, count++) {
            char content[BYTES_MAX];
            int bytes = snprintf(content, sizeof(content),
                                 "--b\r\nContent-Disposition: form-data; name=f\r\n\r\n"
                                 "%0*d\r\n--b--\r\n",
                                 (int)cases[index].bytes, 0);

            taking.bytes_max = cases[index].bytes_max;
            taking.part = PX_OK;
            assert_int_equal(put(&site, "/form", content, (size_t)bytes, (enum framing)framing),
                             cases[index].status);
            /* Refused before its first byte, or in the middle: what was told of the part differs.
             */
            if (cases[index].status == 200)
                assert_int_equal(taking.part, cases[index].part);
        }
    assert_int_equal(count, 5 * 3);
    site_end(&site, &taking);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lower_limit_holds),
        cmocka_unit_test(a_form_is_within_the_limit_of_its_route),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
