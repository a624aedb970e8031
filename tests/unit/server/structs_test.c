/*
 * Every public struct that begins with its size, without one: no call is silent about it.  And
 * handles that are NULL, where a call that failed has given them.
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "pollux/pollux.h"
#include "unit/server/client.h"

/* In place of the library's. */
void px_on_fatal(const char *file, int line, const char *condition)
{
    (void)file;
    (void)line;
    fprintf(stderr, "%s\n", condition);
}

/* --- Calls with an error ---------------------------------------------------------------------- */

struct world {
    px_loop *loop;
    px_server *server;
    px_site *site;
    px_client *client;
    px_metrics *metrics;
    px_upstream *upstream;
    px_tls *tls;
    px_fetch *fetch;
    const char *heard; /* of on_fault */
};

#define MADE(call) return (call) ? PX_OK : error->code

static px_err access_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_access_create(&(px_access_options){0}, error));
}

static px_err basic_auth_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_basic_auth_create(&(px_basic_auth_options){0}, error));
}

static px_err client_try(struct world *world, px_error *error)
{
    MADE(px_client_create(world->loop, &(px_client_options){0}, error));
}

static px_err fetch_try(struct world *world, px_error *error)
{
    static const px_fetch_callbacks callbacks = PX_FETCH_CALLBACKS_INIT;
    px_fetch_options options = {.url = px_str_of("http://127.0.0.1:1/")};

    MADE(px_fetch_start(world->client, &options, &callbacks, NULL, error));
}

static px_err fetch_callbacks_try(struct world *world, px_error *error)
{
    static const px_fetch_callbacks callbacks = {0};
    px_fetch_options options = PX_FETCH_OPTIONS_INIT;

    options.url = px_str_of("http://127.0.0.1:1/");
    MADE(px_fetch_start(world->client, &options, &callbacks, NULL, error));
}

static px_err compress_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_compress_create(&(px_compress_options){0}, error));
}

static px_err connection_limit_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_connection_limit_create(&(px_connection_limit_options){.count = 1}, error));
}

static px_err files_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_files_create("/", &(px_files_options){0}, error));
}

static px_err files_with(px_files_options *options, px_error *error)
{
    options->struct_size = sizeof(*options);
    MADE(px_files_create("/", options, error));
}

static px_err files_rule_try(struct world *world, px_error *error)
{
    static const px_files_rule rule = {0};

    (void)world;
    return files_with(&(px_files_options){.rules = &rule, .rule_count = 1}, error);
}

static px_err files_type_try(struct world *world, px_error *error)
{
    static const px_files_type type = {.extension = "x", .type = "text/x"};

    (void)world;
    return files_with(&(px_files_options){.types = &type, .type_count = 1}, error);
}

static px_err files_page_try(struct world *world, px_error *error)
{
    static const px_files_page page = {.status = 404};

    (void)world;
    return files_with(&(px_files_options){.pages = &page, .page_count = 1}, error);
}

static px_err filter_try(struct world *world, px_error *error)
{
    static const px_filter filter = {0};

    return px_server_filter(world->server, &filter, NULL, NULL, error);
}

static px_err forward_auth_try(struct world *world, px_error *error)
{
    px_forward_auth_options options = {.loop = world->loop, .url = "http://127.0.0.1:1/"};

    MADE(px_forward_auth_create(&options, error));
}

static px_err hub_redis_try(struct world *world, px_error *error)
{
    MADE(px_hub_create_redis(world->loop, &(px_hub_redis_options){0}, error));
}

static px_err loop_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_loop_create(&(px_loop_options){0}, error));
}

static px_err metrics_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_metrics_create(&(px_metrics_options){0}, error));
}

static px_err metric_try(struct world *world, px_error *error)
{
    px_metric_options options = {.name = "a_total", .help = "a"};
    px_metric metric;

    return px_metric_define(world->metrics, &options, &metric, error);
}

static px_err upstream_try(struct world *world, px_error *error)
{
    MADE(px_upstream_create(&(px_upstream_options){.loop = world->loop}, error));
}

static px_err upstream_server_try(struct world *world, px_error *error)
{
    static const px_upstream_server server = {.url = "http://127.0.0.1:1"};
    px_upstream_options options = PX_UPSTREAM_OPTIONS_INIT;

    options.loop = world->loop, options.servers = &server, options.server_count = 1;
    MADE(px_upstream_create(&options, error));
}

static px_err upstream_check_try(struct world *world, px_error *error)
{
    static const px_upstream_check check = {.path = "/"};
    static const px_upstream_server server = {.struct_size = sizeof(server),
                                              .url = "http://127.0.0.1:1"};
    px_upstream_options options = PX_UPSTREAM_OPTIONS_INIT;

    options.loop = world->loop, options.servers = &server, options.server_count = 1,
    options.check = &check;
    MADE(px_upstream_create(&options, error));
}

static px_err proxy_try(struct world *world, px_error *error)
{
    MADE(px_proxy_create(&(px_proxy_options){.upstream = world->upstream}, error));
}

static px_err rate_table_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_rate_table_create(&(px_rate_table_options){0}, error));
}

static px_err rate_limit_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_rate_limit_create(&(px_rate_limit_options){0}, error));
}

static px_err rewrite_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_rewrite_create(&(px_rewrite_options){.target = "/"}, error));
}

static px_err server_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_server_create(&(px_server_options){0}, error));
}

static px_err serve_try(struct world *world, px_error *error)
{
    return px_server_adopt(world->server, 0, &(px_serve_options){0}, error);
}

static px_err counters_memory_try(struct world *world, px_error *error)
{
    static px_counters counters;
    px_server_options options = PX_SERVER_OPTIONS_INIT;

    (void)world;
    options.counters_memory = &counters;
    MADE(px_server_create(&options, error));
}

static px_err site_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_site_create(&(px_site_options){0}, error));
}

static px_err host_try(struct world *world, px_error *error)
{
    static const char *name = "a.test";
    px_host *host;

    return px_site_host(world->site, &name, 1, &(px_host_options){0}, &host, error);
}

static px_err log_try(struct world *world, px_error *error)
{
    static const px_log_options log = {.format = PX_LOG_JSON};
    static const char *name = "a.test";
    px_host_options options = PX_HOST_OPTIONS_INIT;
    px_host *host;

    options.log = &log;
    return px_site_host(world->site, &name, 1, &options, &host, error);
}

static void nothing(px_exchange *exchange, void *context)
{
    (void)exchange, (void)context;
}

static px_err route_try(struct world *world, px_error *error)
{
    return px_server_route_with(world->server, "/x", &(px_route_options){0}, nothing, NULL, error);
}

static px_err listen_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_listener_open("127.0.0.1:0", &(px_listen_options){0}, error));
}

static void on_dialled(px_stream *stream, const px_error *result, void *context)
{
    (void)stream, (void)result, (void)context;
}

static px_err dial_try(struct world *world, px_error *error)
{
    MADE(px_dial_start(world->loop, "127.0.0.1:1", &(px_dial_options){0}, on_dialled, NULL, error));
}

static px_err tls_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_tls_create(&(px_tls_options){0}, error));
}

static px_err tls_trust_try(struct world *world, px_error *error)
{
    (void)world;
    MADE(px_tls_trust_create(&(px_tls_trust_options){0}, error));
}

static px_err topic_try(struct world *world, px_error *error)
{
    MADE(px_topic_create(world->loop, &(px_topic_options){0}, error));
}

static px_err drain_try(struct world *world, px_error *error)
{
    /* It has no error to say it with. */
    error->code = px_server_drain_with(world->server, &(px_drain_options){0});
    snprintf(error->text, sizeof(error->text), "struct_size");
    return error->code;
}

static const struct {
    const char *name;
    px_err (*try)(struct world *world, px_error *error);
} calls[] = {
    {"px_access_options", access_try},
    {"px_basic_auth_options", basic_auth_try},
    {"px_client_options", client_try},
    {"px_fetch_options", fetch_try},
    {"px_fetch_callbacks", fetch_callbacks_try},
    {"px_compress_options", compress_try},
    {"px_connection_limit_options", connection_limit_try},
    {"px_files_options", files_try},
    {"px_files_rule", files_rule_try},
    {"px_files_type", files_type_try},
    {"px_files_page", files_page_try},
    {"px_filter", filter_try},
    {"px_forward_auth_options", forward_auth_try},
    {"px_hub_redis_options", hub_redis_try},
    {"px_loop_options", loop_try},
    {"px_metrics_options", metrics_try},
    {"px_metric_options", metric_try},
    {"px_upstream_options", upstream_try},
    {"px_upstream_server", upstream_server_try},
    {"px_upstream_check", upstream_check_try},
    {"px_proxy_options", proxy_try},
    {"px_rate_table_options", rate_table_try},
    {"px_rate_limit_options", rate_limit_try},
    {"px_rewrite_options", rewrite_try},
    {"px_server_options", server_try},
    {"px_serve_options", serve_try},
    {"px_counters", counters_memory_try},
    {"px_site_options", site_try},
    {"px_host_options", host_try},
    {"px_log_options", log_try},
    {"px_route_options", route_try},
    {"px_listen_options", listen_try},
    {"px_dial_options", dial_try},
    {"px_tls_options", tls_try},
    {"px_tls_trust_options", tls_trust_try},
    {"px_topic_options", topic_try},
    {"px_drain_options", drain_try},
};

/* --- In a handler ----------------------------------------------------------------------------- */

static void callbacks_give(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {0};

    (void)context;
    px_exchange_set_callbacks(exchange, &callbacks, NULL);
}

static void multipart_give(px_exchange *exchange, void *context)
{
    static const px_multipart_callbacks callbacks = {0};

    (void)context;
    assert_int_equal(px_request_multipart(exchange, &callbacks, NULL), PX_ERR_INVALID);
}

static void body_give(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_body(exchange, 200, px_str_of("text/plain"), &(px_body){.bytes = px_str_of("x")});
}

static void file_give(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_file(exchange, 200, px_str_of("text/plain"), &(px_file_range){.fd = 0});
}

static void producer_give(px_exchange *exchange, void *context)
{
    (void)context;
    px_respond_producer(exchange, 200, px_str_of("text/plain"), 1, &(px_producer){0});
}

static void cookie_give(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_add_cookie(exchange, &(px_cookie){.name = px_str_of("a"), .value = px_str_of("b")});
}

static void tunnel_give(px_exchange *exchange, void *context)
{
    static const px_tunnel_callbacks callbacks = {0};

    (void)context;
    px_respond_tunnel(exchange, px_str_of("echo"), &callbacks, NULL);
}

static void events_give(px_exchange *exchange, void *context)
{
    (void)context;
    assert_null(px_events_accept(exchange, &(px_events_options){0}));
}

static void websocket_give(px_exchange *exchange, void *context)
{
    static const px_websocket_events events = PX_WEBSOCKET_EVENTS_INIT;

    (void)context;
    assert_null(px_websocket_accept(exchange, &(px_websocket_options){0}, &events, NULL));
}

static void websocket_events_give(px_exchange *exchange, void *context)
{
    static const px_websocket_events events = {0};

    (void)context;
    assert_null(px_websocket_accept(exchange, NULL, &events, NULL));
}

static const struct {
    const char *name;
    px_handler give;
} handlers[] = {
    {"px_exchange_callbacks", callbacks_give},
    {"px_multipart_callbacks", multipart_give},
    {"px_body", body_give},
    {"px_file_range", file_give},
    {"px_producer", producer_give},
    {"px_cookie", cookie_give},
    {"px_tunnel_callbacks", tunnel_give},
    {"px_events_options", events_give},
    {"px_websocket_options", websocket_give},
    {"px_websocket_events", websocket_events_give},
};

/* --- To be filled in -------------------------------------------------------------------------- */

static void fetch_facts_fill(struct world *world)
{
    px_fetch_tell(world->fetch, &(px_fetch_facts){0});
}

static void upstream_facts_fill(struct world *world)
{
    px_upstream_tell(world->upstream, 0, &(px_upstream_facts){0});
}

static void tls_certificate_fill(struct world *world)
{
    px_tls_certificate certificate = {0};

    assert_int_equal(px_tls_certificate_at(world->tls, 0, &certificate), PX_OK);
    assert_int_equal(certificate.struct_size, sizeof(certificate));
}

static void counters_fill(struct world *world)
{
    px_server_counters(world->server, &(px_counters){0});
}

static void metrics_counters_fill(struct world *world)
{
    assert_int_equal(px_metrics_counters(world->metrics, &(px_counters){0}), PX_OK);
}

static void match_request_fill(struct world *world)
{
    px_matcher *matcher = px_matcher_create(NULL, NULL);

    (void)world;
    assert_int_equal(px_matcher_matches_request(matcher, &(px_match_request){0}), 0);
    px_matcher_destroy(matcher);
}

/* Those that were filled in or taken whole before, and are. */
static const struct {
    const char *name;
    void (*call)(struct world *world);
} lenient[] = {{"px_tls_certificate", tls_certificate_fill},
               {"px_match_request", match_request_fill}};

static const struct {
    const char *name;
    void (*fill)(struct world *world);
} fills[] = {
    {"px_fetch_facts", fetch_facts_fill},
    {"px_upstream_facts", upstream_facts_fill},
    {"px_counters", counters_fill},
    {"px_counters", metrics_counters_fill},
};

/* --- Tests ------------------------------------------------------------------------------------ */

static void on_fault(px_exchange *exchange, const char *what, void *context)
{
    (void)exchange;
    ((struct world *)context)->heard = what;
}

static void on_fetched(px_fetch *fetch, const px_error *result, void *context)
{
    (void)fetch, (void)result, (void)context;
}

static void world_open(struct world *world)
{
    static const px_upstream_server server = {.struct_size = sizeof(server),
                                              .url = "http://127.0.0.1:1"};
    static const px_fetch_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                 .on_end = on_fetched};
    px_fetch_options fetch = PX_FETCH_OPTIONS_INIT;
    px_upstream_options upstream = PX_UPSTREAM_OPTIONS_INIT;
    px_server_options options = PX_SERVER_OPTIONS_INIT;

    memset(world, 0, sizeof(*world));
    world->loop = px_loop_create(NULL, NULL);
    options.loop = world->loop, options.on_fault = on_fault, options.fault_context = world;
    fetch.url = px_str_of("http://127.0.0.1:1/");
    upstream.loop = world->loop, upstream.servers = &server, upstream.server_count = 1;
    world->server = px_server_create(&options, NULL);
    world->site = px_site_create(NULL, NULL);
    world->client = px_client_create(world->loop, NULL, NULL);
    world->metrics = px_metrics_create(NULL, NULL);
    world->upstream = px_upstream_create(&upstream, NULL);
    world->tls = px_tls_create(NULL, NULL);
    assert_int_equal(px_tls_add_self_signed(world->tls, "a.test", NULL), PX_OK);
    world->fetch = px_fetch_start(world->client, &fetch, &callbacks, NULL, NULL);
    assert_true(world->server && world->site && world->metrics && world->upstream && world->fetch);
}

static void world_close(struct world *world)
{
    px_client_destroy(world->client);
    px_server_destroy(world->server);
    px_upstream_destroy(world->upstream);
    px_site_destroy(world->site);
    px_metrics_destroy(world->metrics);
    px_tls_destroy(world->tls);
    px_loop_destroy(world->loop);
}

static void a_call_says_which_struct_has_no_size(void **state)
{
    struct world world;

    (void)state;
    world_open(&world);
    for (size_t index = 0; index < ARRAY_COUNT(calls); index++) {
        px_error error = PX_ERROR_INIT;

        if (calls[index].try(&world, &error) != PX_ERR_INVALID ||
            !strstr(error.text, "struct_size"))
            fail_msg("%s: %d '%s'", calls[index].name, error.code, error.text);
    }
    world_close(&world);
}

static void what_was_taken_without_a_size_still_is(void **state)
{
    struct world world;

    (void)state;
    world_open(&world);
    for (size_t index = 0; index < ARRAY_COUNT(lenient); index++)
        lenient[index].call(&world);
    world_close(&world);
}

static void a_handler_without_a_size_is_at_fault(void **state)
{
    struct world world;
    char pattern[64];

    (void)state;
    world_open(&world);
    for (size_t index = 0; index < ARRAY_COUNT(handlers); index++) {
        snprintf(pattern, sizeof(pattern), "/%s", handlers[index].name);
        assert_int_equal(px_server_route(world.server, pattern, handlers[index].give, NULL, NULL),
                         PX_OK);
    }
    for (size_t index = 0; index < ARRAY_COUNT(handlers); index++) {
        world.heard = NULL;
        snprintf(pattern, sizeof(pattern), "GET /%s", handlers[index].name);
        px_test_answer *answer = px_test_ask(world.server, pattern, px_str_of(NULL), NULL);

        if (!answer || answer->status != 500 || !world.heard || !strstr(world.heard, "struct_size"))
            fail_msg("%s: %u '%s'", handlers[index].name, answer ? answer->status : 0, world.heard);
        px_test_answer_free(answer);
    }
    world_close(&world);
}

/* What a process says of itself as it dies. */
static void fatal_text(struct world *world, void (*fill)(struct world *world), char *out_text,
                       size_t room)
{
    int fds[2], status = 0;
    size_t len = 0;

    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();

    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], STDERR_FILENO);
        fill(world);
        _exit(0);
    }
    close(fds[1]);
    for (ssize_t count;
         len + 1 < room && (count = read(fds[0], out_text + len, room - 1 - len)) > 0;)
        len += (size_t)count;
    out_text[len] = '\0';
    close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static void what_is_to_be_filled_in_has_a_size(void **state)
{
    struct world world;
    char text[1024];

    (void)state;
    world_open(&world);
    for (size_t index = 0; index < ARRAY_COUNT(fills); index++) {
        fatal_text(&world, fills[index].fill, text, sizeof(text));
        if (!strstr(text, "begins with its"))
            fail_msg("%s: '%s'", fills[index].name, text);
    }
    world_close(&world);
}

/* One of an older header is shorter: what it lacks is not written. */
static void what_is_shorter_is_filled_in_as_far_as_it_goes(void **state)
{
    struct world world;
    px_upstream_facts facts;

    (void)state;
    world_open(&world);
    memset(&facts, 7, sizeof(facts));
    facts.struct_size = offsetof(px_upstream_facts, failures);
    px_upstream_tell(world.upstream, 0, &facts);
    assert_int_equal(facts.requests, 0);
    assert_int_equal(facts.failures & 0xff, 7);
    assert_int_equal(facts.struct_size, offsetof(px_upstream_facts, failures));
    world_close(&world);
}

/* What was never written: the size of no struct, behind which nothing is looked at. */
static void a_size_that_was_never_written_is_refused(void **state)
{
    px_loop_options options = PX_LOOP_OPTIONS_INIT;
    px_error error;

    (void)state;
    memset(&options.struct_size, 0xa5, sizeof(options.struct_size));
    assert_null(px_loop_create(&options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
}

static void handles_that_are_null(void **state)
{
    static const px_filter filter = PX_FILTER_INIT;
    static const px_fetch_callbacks callbacks = PX_FETCH_CALLBACKS_INIT;
    const px_str text = {"x", 1};
    px_loop *loop = px_loop_create(NULL, NULL);
    px_topic *topic = px_topic_create(loop, NULL, NULL);
    px_error error = PX_ERROR_INIT;

    (void)state;
    assert_non_null(topic);
    assert_null(px_topic_create(NULL, NULL, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_int_equal(px_topic_publish(NULL, PX_WEBSOCKET_TEXT, text), PX_ERR_INVALID);
    assert_int_equal(px_topic_subscribe(NULL, NULL), PX_ERR_INVALID);
    assert_int_equal(px_topic_subscribe(topic, NULL), PX_ERR_INVALID);
    assert_int_equal(px_topic_subscribe_events(topic, NULL), PX_ERR_INVALID);
    assert_int_equal(px_topic_subscribe_events(NULL, NULL), PX_ERR_INVALID);
    assert_int_equal(px_topic_last(topic, NULL, 1), PX_ERR_INVALID);
    px_topic_unsubscribe(topic, NULL);
    px_topic_unsubscribe_events(topic, NULL);
    assert_int_equal(px_websocket_send(NULL, PX_WEBSOCKET_TEXT, text), PX_ERR_INVALID);
    assert_int_equal(px_websocket_send_piece(NULL, PX_WEBSOCKET_TEXT, text, 1), PX_ERR_INVALID);
    assert_int_equal(px_websocket_close(NULL, 1000, text), PX_ERR_INVALID);
    assert_int_equal(px_events_send(NULL, text, text, text), PX_ERR_INVALID);
    px_events_close(NULL);
    assert_int_equal(px_server_route(NULL, "/", nothing, NULL, &error), PX_ERR_INVALID);
    assert_non_null(strstr(error.text, "no server"));
    assert_int_equal(px_server_filter(NULL, &filter, NULL, NULL, &error), PX_ERR_INVALID);
    assert_int_equal(px_server_use(NULL, NULL, NULL, NULL, &error), PX_ERR_INVALID);
    assert_int_equal(px_server_listen(NULL, "127.0.0.1:0", &error), PX_ERR_INVALID);
    assert_int_equal(px_server_run(NULL, &error), PX_ERR_INVALID);
    assert_null(px_fetch_start(NULL, NULL, &callbacks, NULL, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    px_topic_destroy(topic);
    px_loop_destroy(loop);
}

/* tests/tools/structs_test.py compares the names with the headers'. */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_says_which_struct_has_no_size),
        cmocka_unit_test(what_was_taken_without_a_size_still_is),
        cmocka_unit_test(a_handler_without_a_size_is_at_fault),
        cmocka_unit_test(what_is_to_be_filled_in_has_a_size),
        cmocka_unit_test(what_is_shorter_is_filled_in_as_far_as_it_goes),
        cmocka_unit_test(a_size_that_was_never_written_is_refused),
        cmocka_unit_test(handles_that_are_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
