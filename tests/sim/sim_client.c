/*
 * The client's life: which requests it makes, when, and what it is owed in the end.
 */
#include "sim_client.h"

#include <errno.h>
#include <string.h>

#include "sim_answer.h"
#include "sim_tls.h"
#include "sim_weather.h"

const char *sim_route_name(enum sim_route route)
{
    static const char *const names[] = {
#define SIM_ROUTE_NAME(name, text, content) text,
        SIM_ROUTES(SIM_ROUTE_NAME)
#undef SIM_ROUTE_NAME
    };

    return names[route];
}

bool sim_route_takes_content(enum sim_route route)
{
    static const bool takes[] = {
#define SIM_ROUTE_CONTENT(name, text, content) content,
        SIM_ROUTES(SIM_ROUTE_CONTENT)
#undef SIM_ROUTE_CONTENT
    };

    return takes[route];
}

/* --- Making requests -------------------------------------------------------------------------- */

/* Whether nothing can follow this request on its connection. */
static bool request_is_last(const struct sim_request *request)
{
    if (request->close || (request->old && !request->keep))
        return true;
    if (request->route == SIM_ROUTE_ABORT || request->route == SIM_ROUTE_EARLY ||
        request->route == SIM_ROUTE_TUNNEL)
        return true;
    /* HTTP/1.0 knows no chunks: the end of the connection is the end of the content. */
    return request->old && (request->route == SIM_ROUTE_CHUNKED ||
                            request->route == SIM_ROUTE_PIECES || request->filtered);
}

static void request_choose(struct sim_request *request, uint32_t tag, bool last)
{
    struct sim_random *random = &sim_world->random;

    memset(request, 0, sizeof(*request));
    request->tag = tag;
    do
        request->route = (enum sim_route)sim_random_below(random, SIM_ROUTE_COUNT);
    while (!last && (request->route == SIM_ROUTE_ABORT || request->route == SIM_ROUTE_EARLY ||
                     request->route == SIM_ROUTE_TUNNEL));
    request->length = sim_random_skewed(random, 0, 200000);
    if (request->route == SIM_ROUTE_ABORT)
        request->length += 2;
    if (request->route == SIM_ROUTE_FOLDER)
        request->length = sim_folder_lengths[sim_random_below(random, SIM_FOLDER_FILES)];
    if (sim_route_takes_content(request->route)) {
        request->content = sim_random_skewed(random, 0, 100000);
        /* Small, so that it can be read while the server lingers. */
        if (request->route == SIM_ROUTE_EARLY)
            request->length = request->length % 2000;
        request->chunked = sim_random_chance(random, 32768);
        request->expects = sim_random_chance(random, 8192);
    }
    request->head = !sim_route_takes_content(request->route) && request->route != SIM_ROUTE_ABORT &&
                    sim_random_chance(random, 6000);
    request->filtered = request->route != SIM_ROUTE_LOST && sim_random_chance(random, 12000);
    request->old = !request->chunked && !request->expects &&
                   sim_random_chance(random, request->route == SIM_ROUTE_ABORT ? 32768 : 6000);
    if (request->route == SIM_ROUTE_TUNNEL) {
        request->content = request->length;
        request->head = false;
        request->old = false;
        request->filtered = false;
    }
    request->keep = request->old && !last;
    request->close = last && request->route != SIM_ROUTE_TUNNEL && sim_random_chance(random, 32768);
}

static void chunks_write(struct sim_queue *out, const char *content, uint64_t left)
{
    char line[32];

    while (left > 0) {
        uint64_t size = sim_random_skewed(&sim_world->random, 1, left);
        int count =
            snprintf(line, sizeof(line),
                     sim_random_chance(&sim_world->random, 4096) ? "%llx;a=b\r\n" : "%llX\r\n",
                     (unsigned long long)size);

        sim_queue_put(out, line, (size_t)count);
        sim_queue_put(out, content, size);
        sim_queue_put(out, "\r\n", 2);
        content += size;
        left -= size;
    }
    sim_queue_put(out, "0\r\n\r\n", 5);
}

static void content_write(struct sim_queue *out, const struct sim_request *request)
{
    static char content[200001];

    for (uint64_t index = 0; index < request->content; index++)
        content[index] = sim_content_byte(request->tag, index);
    if (request->chunked)
        chunks_write(out, content, request->content);
    else
        sim_queue_put(out, content, request->content);
}

static void head_write(struct sim_queue *out, const struct sim_request *request)
{
    char text[512];
    bool content = sim_route_takes_content(request->route);
    const char *method = content ? "POST" : request->head ? "HEAD" : "GET";
    int count =
        snprintf(text, sizeof(text), "%s /%s/%u/%llu%s HTTP/1.%d\r\nHost: sim\r\n", method,
                 sim_route_name(request->route), request->tag, (unsigned long long)request->length,
                 request->filtered ? "?filter" : "", request->old ? 0 : 1);

    if (content && request->chunked)
        count +=
            snprintf(text + count, sizeof(text) - (size_t)count, "Transfer-Encoding: chunked\r\n");
    else if (content)
        count += snprintf(text + count, sizeof(text) - (size_t)count, "Content-Length: %llu\r\n",
                          (unsigned long long)request->content);
    if (request->expects)
        count += snprintf(text + count, sizeof(text) - (size_t)count, "Expect: 100-continue\r\n");
    if (request->close || request->keep)
        count += snprintf(text + count, sizeof(text) - (size_t)count, "Connection: %s\r\n",
                          request->close ? "close" : "keep-alive");
    if (request->route == SIM_ROUTE_TUNNEL)
        count += snprintf(text + count, sizeof(text) - (size_t)count,
                          "Connection: upgrade\r\nUpgrade: sim\r\n");
    count += snprintf(text + count, sizeof(text) - (size_t)count, "\r\n");
    sim_queue_put(out, text, (size_t)count);
}

/* Changes one byte of what is sent from here on. */
static void garble(struct sim_queue *out)
{
    if (out->len == 0 || !sim_random_chance(&sim_world->random, 32768))
        return;
    size_t at = (size_t)sim_random_below(&sim_world->random, out->len);

    out->ptr[out->head + at] = (char)sim_random_next(&sim_world->random);
    sim_sometimes("a client garbled its request");
}

static void client_asks(struct sim_client *client)
{
    struct sim_request *request = &client->requests[client->asked];
    struct sim_queue out = {0};

    client->asked++;
    sim_trace("asks", request->tag, (int64_t)request->content);
    head_write(&out, request);
    if (request->expects && !client->peer.manners.half_close &&
        sim_random_chance(&sim_world->random, 45000)) {
        sim_sometimes("a client held its content back");
        client->holds_content = true;
    } else if (sim_route_takes_content(request->route)) {
        content_write(&out, request);
    }
    if (client->garbles)
        garble(&out);
    sim_peer_send(&client->peer, sim_queue_front(&out), out.len);
    sim_queue_end(&out);
}

void sim_client_continue(struct sim_client *client)
{
    struct sim_queue out = {0};

    if (!client->holds_content)
        return;
    client->holds_content = false;
    content_write(&out, &client->requests[client->asked - 1]);
    if (out.len > 0)
        sim_peer_send(&client->peer, sim_queue_front(&out), out.len);
    sim_queue_end(&out);
}

void sim_client_tunnels(struct sim_client *client)
{
    struct sim_queue out = {0};

    sim_sometimes("a tunnel began");
    if (client->peer.shut) {
        /* It has ended its side already: nothing will come back. */
        client->requests[client->asked - 1].length = 0;
        return;
    }
    content_write(&out, &client->requests[client->asked - 1]);
    if (out.len > 0)
        sim_peer_send(&client->peer, sim_queue_front(&out), out.len);
    sim_queue_end(&out);
    sim_peer_half_close(&client->peer);
}

/* Asks as much as it may now. */
static void client_goes_on(struct sim_client *client)
{
    while (client->peer.sock && client->asked < client->count && !client->holds_content &&
           (client->pipelines || client->answered == client->asked))
        client_asks(client);
}

static void think_ends(struct sim_event *event)
{
    client_goes_on(CONTAINER_OF(event, struct sim_client, think));
}

void sim_client_next(struct sim_client *client)
{
    if (client->answered == client->count) {
        if (sim_random_chance(&sim_world->random, 32768))
            sim_peer_half_close(&client->peer);
        else
            sim_peer_close(&client->peer);
        if (!client->peer.sock)
            client->peer.ended = true;
        return;
    }
    if (client->asked < client->count)
        sim_event_start(&sim_world->clock, &client->think,
                        sim_random_skewed(&sim_world->random, 0, SIM_NS_PER_S), think_ends);
}

/* --- Its connection --------------------------------------------------------------------------- */

static void client_connected(struct sim_peer *peer, int error)
{
    struct sim_client *client = peer->context;

    if (error == 0)
        client_goes_on(client);
}

static void client_recv(struct sim_peer *peer)
{
    sim_answer_read(peer->context);
}

static void client_end(struct sim_peer *peer, int error)
{
    sim_answer_end(peer->context, error);
    sim_peer_close(peer);
}

static const struct sim_peer_events client_events = {client_connected, client_recv, client_end};

static struct sim_manners client_manners(struct sim_client *client, bool mannerly)
{
    struct sim_random *random = &sim_world->random;
    struct sim_manners manners = sim_manners_any();

    if (mannerly)
        return manners;
    switch (sim_random_below(random, 6)) {
    case 0:
        manners.reset_at_sent = sim_random_skewed(random, 0, 2000);
        break;
    case 1:
        manners.reset_at_received = sim_random_skewed(random, 0, 200000);
        break;
    case 2:
        manners.silent_at_sent = sim_random_skewed(random, 0, 20000);
        break;
    case 5:
        manners.silent_at_received = sim_random_skewed(random, 0, 100000);
        break;
    case 3:
        manners.half_close = true; /* as soon as what it has is sent */
        break;
    case 4:
        client->garbles = true;
        break;
    }
    return manners;
}

static void client_starts(struct sim_event *event)
{
    struct sim_client *client = CONTAINER_OF(event, struct sim_client, start);
    struct sim_manners manners = client->peer.manners;

    client->started = true;
    sim_peer_start(&client->peer, &client_events, &manners, client->address, client->address_bytes,
                   client);
    if (client->tls)
        sim_tls_wear(client->tls, &client->peer, "http/1.1", client->garbles);
}

void sim_client_make(struct sim_client *client, uint32_t number, const void *address,
                     uint32_t address_bytes, bool mannerly)
{
    struct sim_random *random = &sim_world->random;

    memset(client, 0, sizeof(*client));
    client->number = number;
    client->address = address;
    client->address_bytes = address_bytes;
    client->pipelines = sim_random_chance(random, 32768);
    client->peer.manners = client_manners(client, mannerly);
    /* Who ends its side when it has sent what it has must have everything by then. */
    if (client->peer.manners.half_close)
        client->pipelines = true;
    uint32_t wanted = (uint32_t)sim_random_between(random, 1, SIM_CLIENT_REQUESTS_MAX);

    while (client->count < wanted) {
        struct sim_request *request = &client->requests[client->count];

        request_choose(request, number * SIM_CLIENT_REQUESTS_MAX + client->count + 1,
                       client->count + 1 == wanted);
        client->count++;
        if (request_is_last(request))
            break;
    }
    sim_event_start(&sim_world->clock, &client->start,
                    sim_random_skewed(random, 0, 3 * SIM_NS_PER_S), client_starts);
}

bool sim_client_done(const struct sim_client *client)
{
    return client->started && (client->peer.ended || client->peer.is_silent);
}

void sim_client_judge(const struct sim_client *client, bool excused)
{
    const struct sim_peer *peer = &client->peer;

    if (excused || client->garbles || peer->has_reset || peer->is_silent)
        return;
    if (client->answered == client->count)
        sim_sometimes("a client got every answer");
    for (uint32_t index = 0; index < client->count; index++) {
        const struct sim_request *request = &client->requests[index];

        if (request->route == SIM_ROUTE_ABORT) {
            if (request->whole && !request->old)
                sim_fail("request %u was aborted and yet looks whole", request->tag);
            break;
        }
        /* The reset that ends an aborted answer may overtake the one before it. */
        if (!request->whole && peer->error == ECONNRESET && client->asked == client->count &&
            client->requests[client->count - 1].route == SIM_ROUTE_ABORT)
            break;
        if (!request->whole)
            sim_fail("client %u behaved, but request %u (%s) was not answered (error %d)",
                     client->number, request->tag, sim_route_name(request->route), peer->error);
    }
}

void sim_client_end(struct sim_client *client)
{
    sim_event_stop(&sim_world->clock, &client->start);
    sim_event_stop(&sim_world->clock, &client->think);
    sim_peer_end(&client->peer);
}

bool sim_client_may_be_refused(unsigned status)
{
    /* Without memory or descriptors a handler or pollux answers so. */
    return (status == 500 || status == 503) &&
           (sim_weather_cuts() || sim_world->fd_peak >= sim_world->fd_limit);
}
