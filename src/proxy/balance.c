/*
 * Which server is next, and how servers fared.
 *
 * Happy path: of the servers that are up, have room, and were not tried for this request, the
 * balance chooses one.  Where there is none of those, conditions fall in that order: tried before,
 * without room, not up; a server that is not up is still asked where fewer than half are, since
 * then it is more likely us, or a burst, than them (Envoy's panic threshold).
 */
#include "base/check.h"
#include "base/siphash.h"
#include "proxy/upstream.h"

/* The servers that may be chosen. */
struct choice {
    px_upstream *upstream;
    const struct tried *tried;
    bool any_up;    /* panic: all count as up */
    bool any_room;  /* all are full */
    bool any_tried; /* all others cannot be had */
};

bool server_is_up(const px_upstream *upstream, const struct server *server)
{
    return server->out_ms <= px_loop_now_ms(upstream->loop);
}

static bool has_room(const px_upstream *upstream, const struct server *server)
{
    return server->busy < upstream->options.requests_max;
}

static bool was_tried(const struct choice *choice, const struct server *server)
{
    size_t index = (size_t)(server - choice->upstream->servers);

    for (size_t at = 0; at < choice->tried->count; at++)
        if (choice->tried->indexes[at] == index)
            return true;
    return false;
}

static bool may_have(const struct choice *choice, const struct server *server)
{
    return (choice->any_up || server_is_up(choice->upstream, server)) &&
           (choice->any_room || has_room(choice->upstream, server)) &&
           (choice->any_tried || !was_tried(choice, server));
}

static uint32_t count_of(const struct choice *choice)
{
    const px_upstream *upstream = choice->upstream;
    uint32_t count = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++)
        count += may_have(choice, &upstream->servers[index]);
    return count;
}

bool upstream_is_full(const px_upstream *upstream)
{
    for (uint32_t index = 0; index < upstream->server_count; index++)
        if (has_room(upstream, &upstream->servers[index]) &&
            server_is_up(upstream, &upstream->servers[index]))
            return false;
    return true;
}

static bool is_in_panic(const px_upstream *upstream)
{
    uint32_t up = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++)
        up += server_is_up(upstream, &upstream->servers[index]);
    return 2 * up < upstream->server_count || up == 0;
}

/* --- The balances ------------------------------------------------------------------------------
 */

/* Each gains its weight, the richest is taken and pays for all: turns by weight, spread over the
 * round. */
static struct server *choose_round_robin(const struct choice *choice)
{
    px_upstream *upstream = choice->upstream;
    struct server *best = NULL;
    int64_t total = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];

        if (!may_have(choice, server))
            continue;
        server->turn += server->weight;
        total += server->weight;
        if (!best || server->turn > best->turn)
            best = server;
    }
    if (best)
        best->turn -= total;
    return best;
}

/* left.busy / left.weight < right.busy / right.weight, with the request that is to come. */
static bool is_less_busy(const struct server *left, const struct server *right)
{
    return (uint64_t)(left->busy + 1) * right->weight < (uint64_t)(right->busy + 1) * left->weight;
}

static struct server *choose_least(const struct choice *choice)
{
    px_upstream *upstream = choice->upstream;
    struct server *best = NULL;
    int64_t total = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];

        if (!may_have(choice, server))
            continue;
        server->turn += server->weight;
        total += server->weight;
        if (!best || is_less_busy(server, best) ||
            (!is_less_busy(best, server) && server->turn > best->turn))
            best = server;
    }
    if (best)
        best->turn -= total;
    return best;
}

static uint64_t random_next(px_upstream *upstream)
{
    uint64_t value = upstream->random;

    value ^= value << 13;
    value ^= value >> 7;
    value ^= value << 17;
    upstream->random = value;
    return value;
}

static struct server *draw(const struct choice *choice, uint64_t weight_sum)
{
    px_upstream *upstream = choice->upstream;
    uint64_t at = random_next(upstream) % weight_sum;

    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];

        if (!may_have(choice, server))
            continue;
        if (at < server->weight)
            return server;
        at -= server->weight;
    }
    return NULL;
}

static struct server *choose_random(const struct choice *choice)
{
    const px_upstream *upstream = choice->upstream;
    uint64_t weight_sum = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++)
        if (may_have(choice, &upstream->servers[index]))
            weight_sum += upstream->servers[index].weight;
    if (weight_sum == 0)
        return NULL;
    struct server *left = draw(choice, weight_sum), *right = draw(choice, weight_sum);

    CHECK(left && right);
    return is_less_busy(right, left) ? right : left;
}

/* Rendezvous: the server whose hash with the key is highest has it; where one goes its keys alone
 * move.  One that has half as much again as its share is passed over. */
static struct server *choose_hash(const struct choice *choice, px_str key)
{
    px_upstream *upstream = choice->upstream;
    uint64_t key_hash = siphash(&upstream->key, key.ptr, key.len), best_rank = 0;
    uint64_t limit = ((uint64_t)upstream->busy + 1) * HASH_LOAD_MAX;
    struct server *best = NULL;
    uint64_t weight_sum = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++)
        weight_sum += upstream->servers[index].weight;
    for (int round = 0; round < 2 && !best; round++) {
        for (uint32_t index = 0; index < upstream->server_count; index++) {
            struct server *server = &upstream->servers[index];
            uint64_t both[2] = {key_hash, server->hash};
            uint64_t rank = siphash(&upstream->key, both, sizeof(both)) >> 12;
            bool loaded = (uint64_t)server->busy * 100 * weight_sum > limit * server->weight;

            rank = rank / SERVER_WEIGHT_MAX * server->weight;
            if (!may_have(choice, server) || (round == 0 && loaded))
                continue;
            if (!best || rank > best_rank) {
                best = server;
                best_rank = rank;
            }
        }
    }
    return best;
}

static struct server *choose(const struct choice *choice, px_exchange *exchange)
{
    switch ((px_balance)choice->upstream->options.balance) {
    case PX_BALANCE_RANDOM:
        return choose_random(choice);
    case PX_BALANCE_ROUND_ROBIN:
        return choose_round_robin(choice);
    case PX_BALANCE_LEAST:
        return choose_least(choice);
    case PX_BALANCE_HASH:
        return choose_hash(choice,
                           px_template_text(choice->upstream->hash_key, exchange, PX_TEMPLATE_KEY));
    }
    return NULL;
}

struct server *upstream_choose(px_upstream *upstream, px_exchange *exchange,
                               const struct tried *tried)
{
    struct choice choice = {.upstream = upstream, .tried = tried};
    uint64_t most = (uint64_t)upstream->server_count * upstream->options.requests_max +
                    upstream->options.queue_max;

    choice.any_up = is_in_panic(upstream);
    choice.any_tried = count_of(&choice) == 0;
    choice.any_room = choice.any_tried && count_of(&choice) == 0;
    if (upstream->busy >= most || (choice.any_room && upstream->options.queue_max == 0))
        return NULL;
    struct server *server = choose(&choice, exchange);

    if (!server)
        return NULL;
    server->busy++;
    server->requests++;
    upstream->busy++;
    upstream->retry_tokens += RETRY_GAIN_REQUEST;
    if (upstream->retry_tokens > RETRY_MAX)
        upstream->retry_tokens = RETRY_MAX;
    return server;
}

void tried_add(struct tried *tried, const px_upstream *upstream, const struct server *server)
{
    if (tried->count < TRIED_MAX)
        tried->indexes[tried->count++] = (uint16_t)(server - upstream->servers);
}

/* --- How they fared ----------------------------------------------------------------------------
 */

static void server_blame(px_upstream *upstream, struct server *server)
{
    const px_upstream_options *options = &upstream->options;
    uint64_t now_ms = px_loop_now_ms(upstream->loop);

    server->failures++;
    if (now_ms - server->fail_ms > options->fails_ms)
        server->fails = 0;
    server->fail_ms = now_ms;
    server->fails++;
    if (options->fails_max == PX_OFF || server->fails < options->fails_max ||
        !server_is_up(upstream, server))
        return;
    server->backoff_ms = server->backoff_ms == 0 ? options->backoff_ms : 2 * server->backoff_ms;
    if (server->backoff_ms > options->backoff_ms_max)
        server->backoff_ms = options->backoff_ms_max;
    server->out_ms = now_ms + server->backoff_ms;
    /* Back in, it shows with its first request whether it has recovered. */
    server->fails = options->fails_max - 1;
}

void server_done(px_upstream *upstream, struct server *server, enum server_result result)
{
    CHECK(server->busy > 0 && upstream->busy > 0);
    server->busy--;
    upstream->busy--;
    switch (result) {
    case SERVER_ANSWERED:
        server->fails = 0;
        server->backoff_ms = 0;
        break;
    case SERVER_FAILED:
        server_blame(upstream, server);
        break;
    case SERVER_LEFT:
        break;
    }
}

bool upstream_retry(px_upstream *upstream)
{
    uint64_t now_ms = px_loop_now_ms(upstream->loop);
    uint64_t gained = (now_ms - upstream->retry_ms) * RETRY_GAIN_SECOND / 1000;

    if (gained > 0) {
        gained += upstream->retry_tokens;
        upstream->retry_tokens = gained > RETRY_MAX ? RETRY_MAX : (uint32_t)gained;
        upstream->retry_ms = now_ms;
    }
    if (upstream->retry_tokens < RETRY_COST)
        return false;
    upstream->retry_tokens -= RETRY_COST;
    upstream->retries++;
    return true;
}
