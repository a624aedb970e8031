/*
 * Handlers that forget to answer, and those that only seem to; how much of an upload has come.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pollux/save.h"
#include "pollux/test.h"
#include "unit/server/client.h"

static const char fault[] = "no answer, and nothing kept to give one by: callbacks or a px_ref";

struct world {
    px_server *server;
    const char *heard;
    px_ref ref;
    px_timer *timer;
    uint64_t received[8];
    size_t count;
};

static void on_fault(px_exchange *exchange, const char *what, void *context)
{
    (void)exchange;
    ((struct world *)context)->heard = what;
}

/* --- What is forgotten ------------------------------------------------------------------------ */

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange, (void)context;
}

static void forget_collected(px_exchange *exchange, px_str content, void *context)
{
    (void)exchange, (void)content, (void)context;
}

static void collect(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, 100, forget_collected, context);
}

static void forget_form(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = PX_MULTIPART_CALLBACKS_INIT;

    (void)context;
    if (px_request_multipart(exchange, &callbacks, NULL) != PX_OK)
        px_respond_error(exchange, 415);
}

/* A field of the answer is none. */
static void only_a_field(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_add_field(exchange, px_str_of("A"), px_str_of("b"));
}

static px_verdict stop(px_exchange *exchange, void *context)
{
    (void)context;
    return px_str_equal(px_request_path(exchange), px_str_of("/stopped")) ? PX_STOP : PX_NEXT;
}

/* --- What only seems so ----------------------------------------------------------------------- */

static void answer_by_ref(px_timer *timer, void *context)
{
    struct world *world = context;
    px_exchange *exchange = px_ref_get(&world->ref);

    (void)timer;
    assert_non_null(exchange);
    px_respond_text(exchange, 200, "kept");
    px_ref_release(&world->ref);
}

static void answer_later(px_exchange *exchange, struct world *world)
{
    world->ref = px_exchange_ref(exchange);
    px_timer_start(world->timer, 1);
}

static void by_ref(px_exchange *exchange, void *context)
{
    answer_later(exchange, context);
}

static void answer_content_end(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "kept");
}

static void by_callbacks(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_content_end = answer_content_end};

    px_exchange_set_callbacks(exchange, &callbacks, context);
}

static void answer_collected(px_exchange *exchange, px_str content, void *context)
{
    (void)content, (void)context;
    px_respond_text(exchange, 200, "kept");
}

static void by_content(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, 100, answer_collected, context);
}

static void collected_by_ref(px_exchange *exchange, px_str content, void *context)
{
    (void)content;
    answer_later(exchange, context);
}

static void by_content_and_ref(px_exchange *exchange, void *context)
{
    px_request_collect(exchange, 100, collected_by_ref, context);
}

static void answer_saved(px_exchange *exchange, const px_saved *saved, void *context)
{
    (void)saved, (void)context;
    if (exchange)
        px_respond_text(exchange, 200, "kept");
}

static void by_saving(px_exchange *exchange, void *context)
{
    if (px_request_save(exchange, STDOUT_FILENO, 100, answer_saved, context) != PX_OK)
        px_respond_error(exchange, 503);
}

static const struct {
    const char *path;
    px_handler handler;
    bool is_forgotten;
} rows[] = {
    {"/nothing", nothing, true},
    {"/collect", collect, true},
    {"/form", forget_form, true},
    {"/field", only_a_field, true},
    {"/stopped", nothing, true},
    {"/ref", by_ref, false},
    {"/callbacks", by_callbacks, false},
    {"/content", by_content, false},
    {"/content_ref", by_content_and_ref, false},
    {"/saving", by_saving, false},
};

static void world_open(struct world *world)
{
    px_server_options options = PX_SERVER_OPTIONS_INIT;

    memset(world, 0, sizeof(*world));
    options.on_fault = on_fault, options.fault_context = world;
    world->server = px_server_create(&options, NULL);
    assert_non_null(world->server);
    world->timer = px_timer_create(px_server_loop(world->server), answer_by_ref, world);
}

static void world_close(struct world *world)
{
    px_timer_destroy(world->timer);
    px_server_destroy(world->server);
}

static void what_is_forgotten_is_answered(void **state)
{
    struct world world;

    (void)state;
    world_open(&world);
    assert_int_equal(px_server_use(world.server, stop, NULL, NULL, NULL), PX_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char request[128];

        assert_int_equal(px_server_route(world.server, rows[i].path, rows[i].handler, &world, NULL),
                         PX_OK);
        world.heard = NULL;
        snprintf(request, sizeof(request), "POST %s\nContent-Type: multipart/form-data; boundary=x",
                 rows[i].path);
        px_test_answer *answer = px_test_ask(world.server, request, px_str_of("--x--\r\n"), NULL);

        if (!answer || answer->status != (rows[i].is_forgotten ? 500U : 200U) ||
            !world.heard == rows[i].is_forgotten)
            fail_msg("%s: %u '%s'", rows[i].path, answer ? answer->status : 0, world.heard);
        if (world.heard)
            assert_string_equal(world.heard, fault);
        px_test_answer_free(answer);
    }
    world_close(&world);
}

/* --- How much has come ------------------------------------------------------------------------ */

static void note_content(px_exchange *exchange, px_str bytes, void *context)
{
    struct world *world = context;

    (void)bytes;
    world->received[world->count++] = px_request_received(exchange);
}

static void note_end(px_exchange *exchange, void *context)
{
    struct world *world = context;

    world->received[world->count++] = px_request_received(exchange);
    px_respond_text(exchange, 200, "whole");
}

static void upload(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {
        .struct_size = sizeof(callbacks), .on_content = note_content, .on_content_end = note_end};
    struct world *world = context;

    world->received[world->count++] = px_request_received(exchange);
    px_exchange_set_callbacks(exchange, &callbacks, context);
}

static void what_has_come_is_counted(void **state)
{
    static const char *const pieces[] = {
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n", "abc", "defg"};
    static const uint64_t wanted[] = {0, 0, 3, 7};
    px_loop *loop;
    struct world world;
    int fds[2];

    (void)state;
    world_open(&world);
    loop = px_server_loop(world.server);
    assert_int_equal(px_server_route(world.server, "/up", upload, &world, NULL), PX_OK);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_int_equal(px_server_adopt(world.server, fds[0], NULL, NULL), PX_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(write(fds[1], pieces[i], strlen(pieces[i])), strlen(pieces[i]));
        pump_quietly(loop, 5);
    }
    assert_int_equal(world.count, 4);
    assert_memory_equal(world.received, wanted, sizeof(wanted));
    close(fds[1]);
    pump_quietly(loop, 5);
    world_close(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_forgotten_is_answered),
        cmocka_unit_test(what_has_come_is_counted),
    };

    /* Else a program that keeps a bare address is let be, as h1_later_test has it. */
    setenv("POLLUX_CHECK_RULES", "1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
