/*
 * WebSockets of a whole server: up to 64 talkers of every manner, an echo that holds its peers back
 * and a topic whose policy is seeded, and a server that is destroyed, drained, or left to finish.
 *
 * The oracle: what comes back is what was sent, in order; messages of the topic are in order;
 * each WebSocket that was opened ends once; a talker that behaved in a run that cut nothing gets
 * every echo and a Close; no block and no descriptor is left.
 */
#include <stdlib.h>
#include <string.h>

#include "pollux/server.h"
#include "pollux/topic.h"
#include "scenarios.h"
#include "sim_drive.h"
#include "sim_memory.h"
#include "sim_talker.h"
#include "sim_weather.h"

enum { TALKERS_MAX = 64 };

enum talk_end { TALK_FINISHES, TALK_IS_DESTROYED, TALK_IS_DRAINED };

struct talk {
    struct sim_place place;
    struct sim_memory memory;
    struct sim_talker talkers[TALKERS_MAX];
    uint32_t talker_count;
    px_server *server;
    px_loop *loop; /* owned */
    px_topic *topic;
    px_websocket_options options;
    enum talk_end end;
    uint64_t end_at_ns;
    uint64_t published;
    uint32_t opened;
    uint32_t closed;
    bool drained;
};

/* --- The program ------------------------------------------------------------------------------ */

static void on_echo(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    px_err err = px_websocket_send(socket, kind, message);

    (void)context;
    /* A full backlog holds its peer back, so that nothing comes that finds it so. */
    if (err == PX_FULL)
        sim_fail("a message came while the backlog was full");
}

static void on_publish(px_websocket *socket, px_websocket_kind kind, px_str message, void *context)
{
    struct talk *talk = context;
    char text[400];
    size_t len =
        (size_t)snprintf(text, sizeof(text), "%llu ", (unsigned long long)++talk->published);

    (void)socket;
    while (len < sizeof(text) && len < message.len)
        text[len++] = 'x';
    (void)px_topic_publish(talk->topic, kind, px_str_make(text, len));
}

static void on_open(px_websocket *socket, void *context)
{
    struct talk *talk = context;

    (void)socket;
    talk->opened++;
}

static void on_topic_open(px_websocket *socket, void *context)
{
    struct talk *talk = context;

    talk->opened++;
    if (px_topic_subscribe(talk->topic, socket) != PX_OK)
        sim_sometimes("no memory to subscribe");
}

static void on_close(px_websocket *socket, unsigned code, px_str reason, int clean, void *context)
{
    struct talk *talk = context;

    (void)reason;
    talk->closed++;
    if (!px_websocket_exchange(socket))
        sim_sometimes("one whose exchange had ended");
    if (clean)
        sim_sometimes("both said Close");
    else if (code == 1006)
        sim_sometimes("an end without Close");
}

static const px_websocket_events echo_events = {
    .struct_size = sizeof(echo_events),
    .on_message = on_echo,
    .on_open = on_open,
    .on_close = on_close,
};
static const px_websocket_events topic_events = {
    .struct_size = sizeof(topic_events),
    .on_message = on_publish,
    .on_open = on_topic_open,
    .on_close = on_close,
};

static void echo(px_exchange *exchange, void *context)
{
    struct talk *talk = context;
    px_websocket_options options = talk->options;

    options.backlog = PX_BACKLOG_PAUSE;
    options.detach = talk->opened % 2;
    (void)px_websocket_accept(exchange, &options, &echo_events, talk);
}

static void topic(px_exchange *exchange, void *context)
{
    struct talk *talk = context;
    px_websocket_options options = talk->options;

    options.detach = talk->opened % 2;
    (void)px_websocket_accept(exchange, &options, &topic_events, talk);
}

static void on_drained(px_server *server, void *context)
{
    struct talk *talk = context;

    (void)server;
    talk->drained = true;
}

/* --- The run ---------------------------------------------------------------------------------- */

static px_counters counters_of(const struct talk *talk)
{
    px_counters counters = {.struct_size = sizeof(counters)};

    px_server_counters(talk->server, &counters);
    return counters;
}

static uint64_t open_count(const struct talk *talk)
{
    return counters_of(talk).open;
}

static bool talk_done(void *context)
{
    const struct talk *talk = context;

    if (talk->end != TALK_FINISHES && sim_world->clock.now_ns >= talk->end_at_ns)
        return true;
    for (uint32_t index = 0; index < talk->talker_count; index++)
        if (!sim_talker_done(&talk->talkers[index]))
            return false;
    return open_count(talk) == 0;
}

static bool talk_drained(void *context)
{
    const struct talk *talk = context;

    return talk->drained;
}

static void server_make(struct talk *talk)
{
    struct sim_random *random = &sim_world->random;
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_loop_options loop_options = PX_LOOP_OPTIONS_DEFAULT;
    px_error error;

    sim_memory_init(&talk->memory);
    loop_options.allocator = &talk->memory.allocator;
    talk->loop = px_loop_create(&loop_options, &error);
    options.loop = talk->loop;
    talk->options = PX_WEBSOCKET_OPTIONS_DEFAULT;
    talk->options.backlog_bytes_max = (uint32_t)sim_random_skewed(random, 1, 1000000);
    talk->options.backlog = (uint32_t)sim_random_below(random, 3);
    talk->options.ping_ms = (uint32_t)sim_random_skewed(random, 10, 60000);
    talk->server = px_server_create(&options, &error);
    talk->topic = px_topic_create(talk->loop, NULL, &error);
    if (!talk->server || !talk->topic ||
        px_server_route(talk->server, "GET /echo", echo, talk, &error) != PX_OK ||
        px_server_route(talk->server, "GET /topic", topic, talk, &error) != PX_OK ||
        px_server_listen(talk->server, talk->place.text, &error) != PX_OK)
        sim_fail("the server does not start: %s", error.text);
    px_server_on_drained(talk->server, on_drained, talk);
}

static void talkers_make(struct talk *talk)
{
    struct sim_random *random = &sim_world->random;
    bool all_mannerly = sim_random_chance(random, 32768);

    talk->talker_count = (uint32_t)sim_random_skewed(random, 1, TALKERS_MAX);
    for (uint32_t index = 0; index < talk->talker_count; index++) {
        sim_talker_make(&talk->talkers[index], index, talk->place.storage, talk->place.bytes,
                        all_mannerly || sim_random_chance(random, 40000));
        talk->talkers[index].stays = talk->end != TALK_FINISHES && sim_random_chance(random, 32768);
    }
}

static void talk_finish(struct talk *talk)
{
    px_drain_options options = PX_DRAIN_OPTIONS_DEFAULT;

    if (talk->end == TALK_IS_DRAINED) {
        options.deadline_ms = (uint32_t)sim_random_between(&sim_world->random, 1, 40) * 1000;
        if (px_server_drain_with(talk->server, &options) != PX_OK)
            sim_fail("a drain was refused");
        sim_drive(talk->loop, talk_drained, talk);
        if (open_count(talk) != 0)
            sim_fail("drained, but a connection is open");
    }
    if (sim_random_chance(&sim_world->random, 32768)) {
        px_topic_destroy(talk->topic);
        talk->topic = NULL;
    }
    px_server_destroy(talk->server);
    px_topic_destroy(talk->topic);
    if (talk->opened != talk->closed)
        sim_fail("%u WebSockets were opened, %u ended", talk->opened, talk->closed);
    if (px_loop_handle_count(talk->loop) != 0)
        sim_fail("%u handles are left on the loop", px_loop_handle_count(talk->loop));
    px_loop_destroy(talk->loop);
    sim_world->faults.stopped = true;
}

static void talk_run(void)
{
    struct talk *talk = calloc(1, sizeof(*talk));
    struct sim_random *random = &sim_world->random;
    struct sim_weather weather;

    if (!talk)
        abort();
    sim_weather_wire();
    /* Not so slow that an honest peer would miss a minimum rate. */
    if (sim_world->wire.segment_bytes_max < 512)
        sim_world->wire.segment_bytes_max = 512;
    sim_place_choose(&talk->place);
    sim_world->faults.stopped = true;
    server_make(talk);
    talk->end = (enum talk_end)(sim_random_chance(random, 32768) ? TALK_FINISHES
                                                                 : 1 + sim_random_below(random, 2));
    talk->end_at_ns = sim_world->clock.now_ns + sim_random_skewed(random, 0, 8 * SIM_NS_PER_S);
    sim_world->faults.stopped = false;
    sim_world->faults.rate[SIM_MEMORY] /= 2;
    talkers_make(talk);
    sim_weather_begin(&weather, 60, 900);
    sim_drive(talk->loop, talk_done, talk);
    /* One that was closed to make room had said nothing, as far as the server could know. */
    bool excused = sim_weather_cuts() || talk->end != TALK_FINISHES || counters_of(talk).shed > 0;

    talk_finish(talk);
    for (uint32_t index = 0; index < talk->talker_count; index++) {
        sim_talker_judge(&talk->talkers[index], excused);
        sim_talker_end(&talk->talkers[index]);
    }
    sim_weather_end(&weather);
    sim_memory_check(&talk->memory);
    free(talk);
}

const struct sim_scenario scenario_talk = {
    .name = "talk",
    .what = "WebSockets and a topic, of a whole server",
    .run = talk_run,
    .faults = {SIM_SHORT_RECV, SIM_LATE_RECV, SIM_SHORT_SEND, SIM_LATE_SEND, SIM_INTERRUPT,
               SIM_WAIT_INTERRUPT, SIM_WAIT_PARTIAL, SIM_WAIT_LATE, SIM_STALL, SIM_ACCEPT_ABORTED,
               SIM_ACCEPT_INTERRUPT, SIM_WIRE_RESET, SIM_WIRE_TIMEOUT, SIM_CLOCK_FORWARD,
               SIM_CLOCK_BACK, SIM_MEMORY},
    .fault_count = 16,
    .states = {"a WebSocket opened", "a talker got everything", "a message of the topic came",
               "a drain said 1001", "a slow one was told 1013", "a broken rule was told",
               "both said Close", "an end without Close", "one whose exchange had ended", NULL},
};
