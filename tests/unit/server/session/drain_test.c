/*
 * The graceful end: what waits is taken, what is idle gets its time, a later call can only hasten.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/server/client.h"

static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
static const char answer[] = ANSWER_TEXT("200 OK", "x", "1", "");
static const char last[] = ANSWER_TEXT("200 OK", "x", "1", "Connection: close\r\n");

static void text(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_text(exchange, 200, "x");
}

static void note_drained(px_server *server, void *context)
{
    (void)server;
    ++*(int *)context;
}

struct scene {
    struct site site;
    int drained;
};

static void scene_open(struct scene *scene)
{
    scene->drained = 0;
    site_open(&scene->site, NULL);
    site_route(&scene->site, "/", text, NULL);
    px_server_on_drained(scene->site.server, note_drained, &scene->drained);
}

static void drain(struct scene *scene, uint32_t delay_ms, uint32_t idle_ms, uint32_t deadline_ms)
{
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    options.delay_ms = delay_ms;
    options.idle_ms = idle_ms;
    options.deadline_ms = deadline_ms;
    assert_int_equal(px_server_drain_with(scene->site.server, &options), PX_OK);
    assert_int_equal(px_server_is_draining(scene->site.server), 1);
}

static void step_until_drained(struct scene *scene)
{
    px_error error;

    for (int i = 0; scene->drained == 0; i++) {
        assert_true(i < 5000);
        assert_int_equal(px_loop_step(scene->site.loop, &error), PX_OK);
        usleep(1000);
    }
    assert_int_equal(scene->drained, 1);
}

/* Connections that the loop has not seen when the drain begins, more than one tick accepts. */
static void what_waits_is_taken(void **state)
{
    enum { WAITING = 200 };
    struct scene scene;
    static struct client clients[WAITING];

    (void)state;
    scene_open(&scene);
    for (int i = 0; i < WAITING; i++) {
        client_open(&clients[i], &scene.site);
        client_send(&clients[i], px_str_of(get));
    }
    drain(&scene, 0, 2000, 0);
    for (int i = 0; i < WAITING; i++)
        client_expect(&clients[i], &scene.site, last);
    step_until_drained(&scene);
    assert_int_equal(site_counters(&scene.site).accepted, WAITING);
    for (int i = 0; i < WAITING; i++)
        client_close(&clients[i]);
    site_close(&scene.site);
}

static void idle_connections_stay_until_their_next_answer(void **state)
{
    struct scene scene;
    struct client asks, waits;

    (void)state;
    scene_open(&scene);
    client_open(&asks, &scene.site);
    client_send(&asks, px_str_of(get));
    client_expect(&asks, &scene.site, answer);
    client_open(&waits, &scene.site);
    client_send(&waits, px_str_of(get));
    client_expect(&waits, &scene.site, answer);
    drain(&scene, 0, PX_UNLIMITED, PX_UNLIMITED);
    for (int i = 0; i < 20; i++) {
        client_pump(&asks, &scene.site);
        client_pump(&waits, &scene.site);
    }
    assert_int_equal(asks.state, CLIENT_OPEN);
    client_forget(&asks);
    client_send(&asks, px_str_of(get));
    client_await_end(&asks, &scene.site);
    assert_string_equal(asks.text, last);
    assert_int_equal(waits.state, CLIENT_OPEN);
    assert_int_equal(scene.drained, 0);
    /* Hastened, the other one goes too. */
    drain(&scene, 0, 0, 1000);
    client_forget(&waits);
    client_await_end(&waits, &scene.site);
    assert_int_equal(waits.len, 0);
    step_until_drained(&scene);
    client_close(&asks);
    client_close(&waits);
    site_close(&scene.site);
}

static void a_delay_lets_newcomers_in_until_it_is_hastened(void **state)
{
    struct scene scene;
    struct client client;

    (void)state;
    scene_open(&scene);
    assert_int_equal(px_server_is_draining(scene.site.server), 0);
    drain(&scene, PX_UNLIMITED, 0, 0);
    client_open(&client, &scene.site);
    client_send(&client, px_str_of(get));
    client_expect(&client, &scene.site, answer);
    /* A longer time changes nothing. */
    drain(&scene, PX_UNLIMITED, PX_UNLIMITED, PX_UNLIMITED);
    drain(&scene, 0, 0, 0);
    client_forget(&client);
    client_await_end(&client, &scene.site);
    step_until_drained(&scene);
    client_close(&client);
    site_close(&scene.site);
}

static void silent(px_exchange *exchange, void *context)
{
    *(px_exchange **)context = exchange;
}

static void the_deadline_ends_the_rest(void **state)
{
    struct scene scene;
    struct client client;
    px_exchange *exchange = NULL;

    (void)state;
    scene_open(&scene);
    site_route(&scene.site, "/silent", silent, &exchange);
    client_open(&client, &scene.site);
    client_send(&client, LITERAL("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
    while (!exchange)
        client_pump(&client, &scene.site);
    drain(&scene, 0, 0, PX_UNLIMITED);
    for (int i = 0; i < 20; i++)
        client_pump(&client, &scene.site);
    assert_int_equal(client.state, CLIENT_OPEN);
    drain(&scene, 0, 0, 50);
    client_await_end(&client, &scene.site);
    step_until_drained(&scene);
    client_close(&client);
    site_close(&scene.site);
}

/* A socket that two listeners share, as two processes would. */
static void a_listener_is_given_up_alone(void **state)
{
    struct scene scene;
    struct client client;
    px_error error;
    px_listener *listener = px_listener_open("127.0.0.1:0", NULL, &error);

    (void)state;
    scene_open(&scene);
    assert_non_null(listener);
    px_listener *other = px_listener_clone(listener, &error);

    if (!other)
        fail_msg("%s", error.text);
    assert_int_equal(px_server_serve(scene.site.server, listener, &error), PX_OK);
    client_open(&client, &scene.site);
    client_send(&client, px_str_of(get));
    client_expect(&client, &scene.site, answer);
    px_server_unserve(scene.site.server, listener);
    px_server_unserve(scene.site.server, other); /* is not served here */
    int fd = peer_connect(px_listener_address(other));

    peer_send(fd, px_str_of(get));
    for (int i = 0; i < 20; i++)
        client_pump(&client, &scene.site);
    assert_int_equal(site_counters(&scene.site).accepted, 1);
    /* What waits there goes to whoever serves it next. */
    assert_int_equal(px_server_serve(scene.site.server, other, &error), PX_OK);
    while (site_counters(&scene.site).accepted < 2)
        client_pump(&client, &scene.site);
    close(fd);
    client_close(&client);
    site_close(&scene.site);
}

/* A second signal ends a server in its drain: nothing of the drain comes while the rest ends. */
static void a_server_is_destroyed_in_its_drain(void **state)
{
    (void)state;
    for (int is_delayed = 0; is_delayed < 2; is_delayed++) {
        px_exchange *exchange = NULL;
        struct scene scene;
        struct client client;

        scene_open(&scene);
        site_route(&scene.site, "/silent", silent, &exchange);
        client_open(&client, &scene.site);
        client_send(&client, LITERAL("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n"));
        while (!exchange)
            client_pump(&client, &scene.site);
        drain(&scene, is_delayed ? 60000 : 0, PX_UNLIMITED, 60000);
        client_pump(&client, &scene.site);
        site_close(&scene.site);
        assert_int_equal(scene.drained, 0);
        client_close(&client);
    }
}

static void a_draining_server_serves_nothing_new(void **state)
{
    struct scene scene;
    px_error error;
    px_drain_options wrong = {.struct_size = 1};
    px_listener *listener = px_listener_open("127.0.0.1:0", NULL, &error);

    (void)state;
    scene_open(&scene);
    assert_non_null(listener);
    assert_int_equal(px_server_drain_with(scene.site.server, &wrong), PX_ERR_INVALID);
    assert_int_equal(px_server_is_draining(scene.site.server), 0);
    assert_int_equal(px_server_drain_with(scene.site.server, NULL), PX_OK);
    step_until_drained(&scene);
    assert_int_equal(px_server_serve(scene.site.server, listener, &error), PX_ERR_CLOSED);
    assert_int_equal(px_server_drain_with(scene.site.server, NULL), PX_OK);
    px_listener_close(listener);
    site_close(&scene.site);
}

static void drain_and_dawdle(px_exchange *exchange, void *context)
{
    (void)exchange;
    px_server_drain(context, 0, 20);
    usleep(60 * 1000);
}

/* A tick that takes longer than the drain's time: nothing is left waiting for a timer that is over,
 * and a handler that never answers does not hold it. */
static void a_deadline_that_is_over_at_the_beginning(void **state)
{
    struct scene scene;
    struct client client;

    (void)state;
    scene_open(&scene);
    site_route(&scene.site, "/slow", drain_and_dawdle, scene.site.server);
    client_open(&client, &scene.site);
    client_send(&client, LITERAL("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"));
    step_until_drained(&scene);
    client_close(&client);
    site_close(&scene.site);
}

/* Called by a foreign loop long after the last tick, a drain has its time all the same. */
static void a_drain_asked_for_outside_of_a_tick(void **state)
{
    struct scene scene;
    struct client client;
    px_error error;

    (void)state;
    scene_open(&scene);
    client_open(&client, &scene.site);
    client_send(&client, px_str_of(get));
    client_expect(&client, &scene.site, answer);
    usleep(100 * 1000);
    drain(&scene, 60, PX_UNLIMITED, 60);
    assert_in_range(px_loop_timeout_ms(scene.site.loop), 30, 60);
    assert_int_equal(px_loop_step(scene.site.loop, &error), PX_OK);
    assert_int_equal(scene.drained, 0);
    step_until_drained(&scene);
    client_close(&client);
    site_close(&scene.site);
}

static void destroy_inside(px_exchange *exchange, void *context)
{
    (void)exchange;
    px_server_destroy(context);
}

static void destroyed_by_a_handler(void)
{
    struct scene scene;
    struct client client;

    scene_open(&scene);
    site_route(&scene.site, "/end", destroy_inside, scene.site.server);
    client_open(&client, &scene.site);
    client_send(&client, LITERAL("GET /end HTTP/1.1\r\nHost: a\r\n\r\n"));
    step_until_drained(&scene);
}

static void a_handler_cannot_destroy_its_server(void **state)
{
    char output[512];

    (void)state;
    assert_int_equal(test_signal_of(destroyed_by_a_handler, output, sizeof(output)), SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_taken),
        cmocka_unit_test(idle_connections_stay_until_their_next_answer),
        cmocka_unit_test(a_delay_lets_newcomers_in_until_it_is_hastened),
        cmocka_unit_test(the_deadline_ends_the_rest),
        cmocka_unit_test(a_deadline_that_is_over_at_the_beginning),
        cmocka_unit_test(a_drain_asked_for_outside_of_a_tick),
        cmocka_unit_test(a_handler_cannot_destroy_its_server),
        cmocka_unit_test(a_listener_is_given_up_alone),
        cmocka_unit_test(a_draining_server_serves_nothing_new),
        cmocka_unit_test(a_server_is_destroyed_in_its_drain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
