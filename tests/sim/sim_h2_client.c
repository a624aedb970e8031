/*
 * The HTTP/2 client's life.  The library keeps the protocol; what is said in it is checked here.
 */
#include "sim_h2_client.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "sim_answer.h"
#include "sim_tls.h"
#include "sim_weather.h"

enum { TAG_BASE = 512 }; /* tags of these clients; the others' are below */

static struct sim_h2_lane *lane_of(nghttp2_session *session, int32_t stream)
{
    return nghttp2_session_get_stream_user_data(session, stream);
}

/* --- Saying ----------------------------------------------------------------------------------- */

static void garble(struct sim_h2_client *client, uint8_t *bytes, size_t count)
{
    if (!client->garbles || !sim_random_chance(&sim_world->random, 16384))
        return;
    bytes[sim_random_below(&sim_world->random, count)] =
        (uint8_t)sim_random_next(&sim_world->random);
    sim_sometimes("a client garbled its request");
}

/* Sends all that the library has to say. */
static void say(struct sim_h2_client *client)
{
    const uint8_t *bytes;

    while (client->peer.sock && client->session) {
        ssize_t count = nghttp2_session_mem_send(client->session, &bytes);

        if (count < 0)
            sim_fail("client %u: the library says %s", client->number,
                     nghttp2_strerror((int)count));
        if (count == 0)
            break;
        uint8_t *copy = malloc((size_t)count);

        if (!copy)
            abort();
        memcpy(copy, bytes, (size_t)count);
        garble(client, copy, (size_t)count);
        sim_peer_send(&client->peer, copy, (size_t)count);
        free(copy);
    }
}

static ssize_t on_content(nghttp2_session *session, int32_t stream, uint8_t *buf, size_t room,
                          uint32_t *flags, nghttp2_data_source *source, void *context)
{
    struct sim_h2_lane *lane = source->ptr;
    uint64_t left = lane->request.content - lane->sent;
    size_t count = left < room ? (size_t)left : room;

    (void)session;
    (void)stream;
    (void)context;
    if (lane->holds)
        return NGHTTP2_ERR_DEFERRED;
    if (count > 1)
        count = (size_t)sim_random_skewed(&sim_world->random, 1, count);
    for (size_t index = 0; index < count; index++)
        buf[index] = (uint8_t)sim_content_byte(lane->request.tag, lane->sent + index);
    lane->sent += count;
    if (lane->sent == lane->request.content)
        *flags = NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)count;
}

static nghttp2_nv field(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static void ask(struct sim_h2_client *client)
{
    struct sim_h2_lane *lane = &client->lanes[client->asked++];
    const struct sim_request *request = &lane->request;
    bool tunnel = request->route == SIM_ROUTE_TUNNEL;
    bool content = sim_route_takes_content(request->route) || tunnel;
    char path[128], length[32];
    nghttp2_nv fields[8];
    size_t count = 0;
    nghttp2_data_provider provider = {.source.ptr = lane, .read_callback = on_content};

    snprintf(path, sizeof(path), "/%s/%u/%llu%s", sim_route_name(request->route), request->tag,
             (unsigned long long)request->length, request->filtered ? "?filter" : "");
    snprintf(length, sizeof(length), "%llu", (unsigned long long)request->content);
    fields[count++] = field(":method", tunnel          ? "CONNECT"
                                       : content       ? "POST"
                                       : request->head ? "HEAD"
                                                       : "GET");
    fields[count++] = field(":scheme", "http");
    fields[count++] = field(":authority", "sim");
    fields[count++] = field(":path", path);
    if (tunnel)
        fields[count++] = field(":protocol", "sim");
    if (content && !tunnel && !request->chunked)
        fields[count++] = field("content-length", length);
    if (request->expects)
        fields[count++] = field("expect", "100-continue");
    if (sim_random_chance(&sim_world->random, 16384))
        fields[count++] = field("priority", "u=1, i");
    sim_trace("asks", request->tag, (int64_t)request->content);
    lane->stream = nghttp2_submit_request(client->session, NULL, fields, count,
                                          content ? &provider : NULL, lane);
    if (lane->stream < 0)
        sim_fail("client %u cannot ask: %s", client->number, nghttp2_strerror(lane->stream));
}

static void cancel_one(struct sim_h2_client *client)
{
    struct sim_h2_lane *lane = &client->lanes[sim_random_below(&sim_world->random, client->asked)];

    if (lane->over)
        return;
    lane->cancelled = true;
    sim_sometimes("a client cancelled a request");
    nghttp2_submit_rst_stream(client->session, NGHTTP2_FLAG_NONE, lane->stream, NGHTTP2_CANCEL);
}

/* Asks as much as it may now, or leaves. */
static void goes_on(struct sim_h2_client *client)
{
    if (!client->session || !client->peer.sock || client->leaving)
        return;
    if (client->over == client->count || (client->told_to_leave && client->over == client->asked)) {
        client->leaving = true;
        nghttp2_session_terminate_session(client->session, NGHTTP2_NO_ERROR);
        say(client);
        if (sim_random_chance(&sim_world->random, 32768))
            sim_peer_half_close(&client->peer);
        else
            sim_peer_close(&client->peer);
        if (!client->peer.sock)
            client->peer.ended = true;
        return;
    }
    while (client->asked < client->count && !client->told_to_leave &&
           client->asked - client->over < client->together)
        ask(client);
    if (client->cancels && sim_random_chance(&sim_world->random, 16384))
        cancel_one(client);
    say(client);
}

static void think_ends(struct sim_event *event)
{
    goes_on(CONTAINER_OF(event, struct sim_h2_client, think));
}

static void think(struct sim_h2_client *client)
{
    if (!sim_event_waits(&client->think))
        sim_event_start(&sim_world->clock, &client->think,
                        sim_random_skewed(&sim_world->random, 0, SIM_NS_PER_S), think_ends);
}

/* --- Hearing ---------------------------------------------------------------------------------- */

static void check_status(struct sim_h2_client *client, struct sim_h2_lane *lane)
{
    const struct sim_request *request = &lane->request;

    if (client->garbles || request->status == 200 || lane->cancelled)
        return;
    if (request->status == 404 && request->route == SIM_ROUTE_LOST)
        sim_sometimes("a request found no route");
    else if (!sim_client_may_be_refused(request->status))
        sim_fail("request %u got the status %u", request->tag, request->status);
    else
        sim_sometimes("a request was refused");
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *context)
{
    struct sim_h2_client *client = context;
    struct sim_h2_lane *lane = lane_of(session, frame->hd.stream_id);

    (void)flags;
    if (!lane || client->garbles)
        return 0;
    if (name_len == 7 && memcmp(name, ":status", 7) == 0)
        lane->request.status = (unsigned)strtoul((const char *)value, NULL, 10);
    if (name_len == 6 && memcmp(name, "x-site", 6) == 0)
        lane->site = (uint32_t)strtoul((const char *)value, NULL, 10);
    if (name_len == 8 && memcmp(name, "x-filter", 8) == 0)
        lane->filter = (uint32_t)strtoul((const char *)value, NULL, 10);
    if (name_len == 5 && memcmp(name, "x-tag", 5) == 0 &&
        strtoul((const char *)value, NULL, 10) != lane->request.tag)
        sim_fail("request %u got the answer of %.*s", lane->request.tag, (int)value_len, value);
    return 0;
}

static void heard_head(struct sim_h2_client *client, struct sim_h2_lane *lane)
{
    if (lane->request.status == 100) {
        sim_sometimes("a client was told to go on");
        lane->holds = false;
        nghttp2_session_resume_data(client->session, lane->stream);
        return;
    }
    lane->request.began = true;
    if (!client->garbles && lane->site != lane->filter && lane->site != 0 && lane->filter != 0)
        sim_fail("request %u: an answer of the sites %u and %u", lane->request.tag, lane->site,
                 lane->filter);
    if (lane->request.route == SIM_ROUTE_TUNNEL && lane->request.status == 200)
        sim_sometimes("a tunnel began");
    /* A final answer may come before the content that the client holds back. */
    if (lane->holds) {
        lane->holds = false;
        nghttp2_session_resume_data(client->session, lane->stream);
    }
    check_status(client, lane);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct sim_h2_client *client = context;
    struct sim_h2_lane *lane = frame->hd.stream_id ? lane_of(session, frame->hd.stream_id) : NULL;

    if (frame->hd.type == NGHTTP2_GOAWAY) {
        client->told_to_leave = true;
        if (frame->goaway.error_code != NGHTTP2_NO_ERROR && !client->garbles && !sim_weather_cuts())
            sim_fail("client %u was told to go with code %u", client->number,
                     frame->goaway.error_code);
        return 0;
    }
    if (!lane)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS)
        heard_head(client, lane);
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
        lane->request.whole = true;
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream, const uint8_t *bytes,
                   size_t count, void *context)
{
    struct sim_h2_client *client = context;
    struct sim_h2_lane *lane = lane_of(session, stream);

    (void)flags;
    if (!lane || client->garbles)
        return 0;
    if (lane->request.status == 200)
        for (size_t index = 0; index < count; index++)
            if ((char)bytes[index] != sim_answer_byte(&lane->request, lane->received + index))
                sim_fail("request %u: byte %llu of the answer is wrong", lane->request.tag,
                         (unsigned long long)(lane->received + index));
    lane->received += count;
    return 0;
}

static bool length_is_right(const struct sim_request *request, uint64_t bytes)
{
    return bytes == request->length ||
           (request->route == SIM_ROUTE_FOLDER && bytes < request->length &&
            sim_world->faults.injected[SIM_FILE_CUT] > 0);
}

static int on_stream_close(nghttp2_session *session, int32_t stream, uint32_t error, void *context)
{
    struct sim_h2_client *client = context;
    struct sim_h2_lane *lane = lane_of(session, stream);

    if (!lane)
        return 0;
    lane->over = true;
    lane->error = error;
    client->over++;
    if (lane->request.whole && lane->request.status == 200 && !lane->request.head &&
        !client->garbles && !length_is_right(&lane->request, lane->received))
        sim_fail("request %u: %llu bytes look complete, but %llu were due", lane->request.tag,
                 (unsigned long long)lane->received, (unsigned long long)lane->request.length);
    if (!lane->request.whole && lane->request.began)
        sim_sometimes("an answer was cut short, and visibly");
    sim_trace("answered", lane->request.tag, lane->request.status);
    think(client);
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *context)
{
    struct sim_h2_client *client = context;

    (void)session;
    if (!client->garbles)
        sim_fail("client %u received a frame of type %u that is invalid: %s", client->number,
                 frame->hd.type, nghttp2_strerror(error));
    return 0;
}

/* The library ends a connection on which the server broke a rule. */
static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    struct sim_h2_client *client = context;

    (void)session;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR &&
        !client->garbles)
        sim_fail("client %u found fault with the server: code %u, %.*s", client->number,
                 frame->goaway.error_code, (int)frame->goaway.opaque_data_len,
                 (const char *)frame->goaway.opaque_data);
    return 0;
}

/* --- Its connection --------------------------------------------------------------------------- */

static void session_make(struct sim_h2_client *client)
{
    struct sim_random *random = &sim_world->random;
    nghttp2_session_callbacks *callbacks;
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)sim_random_skewed(random, 512, 1 << 20)},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, (uint32_t)sim_random_skewed(random, 0, 4096)},
    };

    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        abort();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    if (nghttp2_session_client_new(&client->session, callbacks, client) != 0)
        abort();
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, settings,
                            sim_random_chance(random, 32768) ? 0 : 3);
}

static void client_connected(struct sim_peer *peer, int error)
{
    struct sim_h2_client *client = peer->context;

    if (error != 0)
        return;
    session_make(client);
    goes_on(client);
}

static void client_recv(struct sim_peer *peer)
{
    struct sim_h2_client *client = peer->context;
    size_t count = peer->received.len;

    if (count == 0 || !client->session)
        return;
    /* Without memory for what it has received the server does not know yet who is speaking. */
    if (peer->received_bytes == count && count < 9)
        return;
    if (sim_weather_cuts() && peer->received_bytes == count &&
        memcmp(sim_queue_front(&peer->received), "HTTP/1.1 ", 9) == 0) {
        sim_sometimes("a client was refused in the wrong language");
        client->garbles = true;
    }
    ssize_t rv = nghttp2_session_mem_recv(client->session,
                                          (const uint8_t *)sim_queue_front(&peer->received), count);

    if (rv < 0 && !client->garbles)
        sim_fail("client %u received what is no HTTP/2: %s", client->number,
                 nghttp2_strerror((int)rv));
    sim_queue_take(&peer->received, NULL, count);
    say(client);
    if (client->told_to_leave)
        think(client);
}

static void client_end(struct sim_peer *peer, int error)
{
    (void)error;
    sim_peer_close(peer);
}

static const struct sim_peer_events client_events = {client_connected, client_recv, client_end};

static struct sim_manners client_manners(struct sim_h2_client *client, bool mannerly)
{
    struct sim_random *random = &sim_world->random;
    struct sim_manners manners = sim_manners_any();

    if (mannerly)
        return manners;
    switch (sim_random_below(random, 5)) {
    case 0:
        manners.reset_at_sent = sim_random_skewed(random, 0, 2000);
        break;
    case 1:
        manners.reset_at_received = sim_random_skewed(random, 0, 200000);
        break;
    case 2:
        manners.silent_at_sent = sim_random_skewed(random, 0, 20000);
        break;
    case 3:
        manners.silent_at_received = sim_random_skewed(random, 0, 100000);
        break;
    case 4:
        client->garbles = true;
        break;
    }
    return manners;
}

static void request_choose(struct sim_h2_lane *lane, uint32_t tag)
{
    struct sim_random *random = &sim_world->random;
    struct sim_request *request = &lane->request;

    request->tag = tag;
    request->route = (enum sim_route)sim_random_below(random, SIM_ROUTE_COUNT);
    request->length = sim_random_skewed(random, 0, 200000);
    if (request->route == SIM_ROUTE_ABORT)
        request->length += 2;
    if (request->route == SIM_ROUTE_FOLDER)
        request->length = sim_folder_lengths[sim_random_below(random, SIM_FOLDER_FILES)];
    if (request->route == SIM_ROUTE_TUNNEL)
        request->content = request->length;
    if (sim_route_takes_content(request->route)) {
        request->content = sim_random_skewed(random, 0, 100000);
        request->chunked = sim_random_chance(random, 32768);
        request->expects = sim_random_chance(random, 8192);
        lane->holds = request->expects && request->content > 0 && sim_random_chance(random, 45000);
    } else if (request->route != SIM_ROUTE_TUNNEL && request->route != SIM_ROUTE_ABORT) {
        request->head = sim_random_chance(random, 6000);
    }
    request->filtered = request->route != SIM_ROUTE_LOST && request->route != SIM_ROUTE_TUNNEL &&
                        sim_random_chance(random, 12000);
}

static void client_starts(struct sim_event *event)
{
    struct sim_h2_client *client = CONTAINER_OF(event, struct sim_h2_client, start);
    struct sim_manners manners = client->peer.manners;

    client->started = true;
    sim_peer_start(&client->peer, &client_events, &manners, client->address, client->address_bytes,
                   client);
    if (client->tls)
        sim_tls_wear(client->tls, &client->peer, "h2", client->garbles);
}

void sim_h2_client_make(struct sim_h2_client *client, uint32_t number, const void *address,
                        uint32_t address_bytes, bool mannerly)
{
    struct sim_random *random = &sim_world->random;

    memset(client, 0, sizeof(*client));
    client->number = number;
    client->address = address;
    client->address_bytes = address_bytes;
    client->cancels = sim_random_chance(random, 12000);
    client->together = (uint32_t)sim_random_skewed(random, 1, SIM_H2_REQUESTS_MAX);
    client->peer.manners = client_manners(client, mannerly);
    client->count = (uint32_t)sim_random_between(random, 1, SIM_H2_REQUESTS_MAX);
    for (uint32_t index = 0; index < client->count; index++)
        request_choose(&client->lanes[index], TAG_BASE + number * SIM_H2_REQUESTS_MAX + index + 1);
    sim_event_start(&sim_world->clock, &client->start,
                    sim_random_skewed(random, 0, 3 * SIM_NS_PER_S), client_starts);
}

bool sim_h2_client_done(const struct sim_h2_client *client)
{
    return client->started && (client->peer.ended || client->peer.is_silent);
}

void sim_h2_client_judge(const struct sim_h2_client *client, bool excused)
{
    const struct sim_peer *peer = &client->peer;
    uint32_t answered = 0;

    if (excused || client->garbles || peer->has_reset || peer->is_silent)
        return;
    for (uint32_t index = 0; index < client->count; index++) {
        const struct sim_h2_lane *lane = &client->lanes[index];
        const struct sim_request *request = &lane->request;

        if (lane->cancelled)
            continue;
        if (request->route == SIM_ROUTE_ABORT && request->whole)
            sim_fail("request %u was aborted and yet looks whole", request->tag);
        if (request->route != SIM_ROUTE_ABORT && !request->whole)
            sim_fail("client %u behaved, but request %u (%s) was not answered (code %u)",
                     client->number, request->tag, sim_route_name(request->route), lane->error);
        answered++;
    }
    if (answered == client->count)
        sim_sometimes("a client got every answer");
}

void sim_h2_client_end(struct sim_h2_client *client)
{
    sim_event_stop(&sim_world->clock, &client->start);
    sim_event_stop(&sim_world->clock, &client->think);
    sim_peer_end(&client->peer);
    if (client->session)
        nghttp2_session_del(client->session);
}
