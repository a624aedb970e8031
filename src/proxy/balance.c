/*
 * Which server is next, and how servers fared.
 *
 * Happy path: of the servers that are up, have room, and were not tried for this request, the
 * balance chooses one.  Where there is none of those, one that was tried before is asked again.
 * Where fewer than half are up all count as up, since then it is more likely us, or a burst, than
 * them (Envoy's panic threshold).  Backup servers stand in where none of the others is up.
 */
#include <stdio.h>

#include "base/check.h"
#include "base/siphash.h"
#include "proxy/upstream.h"

enum { CHANGE_BYTES = 512 };

/* The servers that may be chosen. */
struct choice {
    const px_upstream *upstream;
    const struct tried *tried; /* NULL: none was */
    bool backups;              /* backup servers, and no others */
    bool any_up;               /* panic: all count as up */
    bool any_tried;            /* all others cannot be had */
};

bool server_is_up(const px_upstream *upstream, const struct server *server)
{
    return health_is_up(server->health, px_loop_now_ms(upstream->loop));
}

static bool server_has_room(const struct server *server)
{
    return server->busy < server->requests_max;
}

/* Its weight, in shares: one that is back has few at first. */
static uint32_t weight_of(const px_upstream *upstream, const struct server *server)
{
    return server->weight *
           health_share(server->health, &upstream->rules, px_loop_now_ms(upstream->loop));
}

static bool was_tried(const struct choice *choice, const struct server *server)
{
    return choice->tried && tried_has(choice->tried, choice->upstream, server);
}

static bool may_have(const struct choice *choice, const struct server *server)
{
    return server->is_backup == choice->backups && server_has_room(server) &&
           (choice->any_up || server_is_up(choice->upstream, server)) &&
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

/* How many of those that count are up; with `*out_all` of them. */
static uint32_t count_up(const struct choice *choice, uint32_t *out_all)
{
    const px_upstream *upstream = choice->upstream;
    uint32_t up = 0;

    *out_all = 0;
    for (uint32_t index = 0; index < upstream->server_count; index++) {
        const struct server *server = &upstream->servers[index];

        if (server->is_backup != choice->backups)
            continue;
        ++*out_all;
        up += server_is_up(upstream, server);
    }
    return up;
}

/* Backup servers are asked when none of the others is up, and one of them is. */
static bool backups_are_due(const struct choice *choice)
{
    struct choice first = {.upstream = choice->upstream};
    struct choice second = {.upstream = choice->upstream, .backups = true};
    uint32_t all, others = count_up(&first, &all);

    return others == 0 && (all == 0 || count_up(&second, &all) > 0);
}

static bool is_in_panic(const struct choice *choice)
{
    uint32_t all, up = count_up(choice, &all);

    return 2 * up < all || up == 0;
}

/* The choices there are for a request that was not tried yet. */
static struct choice choice_of(const px_upstream *upstream, const struct tried *tried)
{
    struct choice choice = {.upstream = upstream, .tried = tried};

    choice.backups = backups_are_due(&choice);
    choice.any_up = is_in_panic(&choice);
    return choice;
}

bool upstream_has_room(const px_upstream *upstream)
{
    struct choice choice = choice_of(upstream, NULL);

    return count_of(&choice) > 0;
}

/* --- The balances ----------------------------------------------------------------------------- */

/* left.busy / left.weight < right.busy / right.weight, with the request that is to come. */
static bool is_less_busy(const px_upstream *upstream, const struct server *left,
                         const struct server *right)
{
    return (uint64_t)(left->busy + 1) * weight_of(upstream, right) <
           (uint64_t)(right->busy + 1) * weight_of(upstream, left);
}

/* Each gains its weight, the richest is taken and pays for all: turns by weight, spread over the
 * round.  By load the least busy is taken, and turns decide between those that are equally so. */
static struct server *choose_in_turn(const struct choice *choice, bool by_load)
{
    const px_upstream *upstream = choice->upstream;
    struct server *best = NULL;
    int64_t total = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];

        if (!may_have(choice, server))
            continue;
        uint32_t weight = weight_of(upstream, server);

        server->turn += weight;
        total += weight;
        bool is_tied = best && (!by_load || !is_less_busy(upstream, best, server));

        if (!best || (by_load && is_less_busy(upstream, server, best)) ||
            (is_tied && server->turn > best->turn))
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

static struct server *draw(const struct choice *choice, px_upstream *random, uint64_t weight_sum)
{
    const px_upstream *upstream = choice->upstream;
    uint64_t at = random_next(random) % weight_sum;

    CHECK(weight_sum > 0);
    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];

        if (!may_have(choice, server))
            continue;
        uint32_t weight = weight_of(upstream, server);

        if (at < weight)
            return server;
        at -= weight;
    }
    return NULL;
}

static struct server *choose_random(const struct choice *choice, px_upstream *upstream)
{
    uint64_t weight_sum = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++)
        if (may_have(choice, &upstream->servers[index]))
            weight_sum += weight_of(upstream, &upstream->servers[index]);
    if (weight_sum == 0)
        return NULL;
    struct server *left = draw(choice, upstream, weight_sum);
    struct server *right = draw(choice, upstream, weight_sum);

    CHECK(left && right);
    return is_less_busy(choice->upstream, right, left) ? right : left;
}

/* Rendezvous: the server whose hash with the key is highest has it; where one goes its keys alone
 * move.  One that has half as much again as its share is passed over. */
static struct server *choose_hash(const struct choice *choice, px_str key)
{
    const px_upstream *upstream = choice->upstream;
    uint64_t key_hash = siphash(&upstream->key, key.ptr, key.len), best_rank = 0;
    uint64_t limit = ((uint64_t)upstream->busy + 1) * HASH_LOAD_MAX;
    struct server *best = NULL;
    uint64_t weight_sum = 0;

    for (uint32_t index = 0; index < upstream->server_count; index++)
        weight_sum += upstream->servers[index].is_backup == choice->backups
                          ? upstream->servers[index].weight
                          : 0;
    for (int round = 0; round < 2 && !best; round++) {
        for (uint32_t index = 0; index < upstream->server_count; index++) {
            struct server *server = &upstream->servers[index];
            uint64_t both[2] = {key_hash, server->hash};
            uint64_t rank = siphash(&upstream->key, both, sizeof(both)) >> 12;
            bool loaded = (uint64_t)server->busy * 100 * weight_sum >= limit * server->weight;

            rank = rank / (SERVER_WEIGHT_MAX * HEALTH_SHARES) * weight_of(upstream, server);
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

static struct server *choose(const struct choice *choice, px_upstream *upstream,
                             px_exchange *exchange)
{
    switch ((px_balance)choice->upstream->options.balance) {
    case PX_BALANCE_RANDOM:
        return choose_random(choice, upstream);
    case PX_BALANCE_ROUND_ROBIN:
        return choose_in_turn(choice, false);
    case PX_BALANCE_LEAST:
        return choose_in_turn(choice, true);
    case PX_BALANCE_HASH:
        return choose_hash(choice,
                           px_template_text(choice->upstream->hash_key, exchange, PX_TEMPLATE_KEY));
    }
    return NULL;
}

/* All that are up were tried, or are full: backup servers, then those that are out and may be back
 * by now, and then those that were tried. */
static struct choice choice_again(const px_upstream *upstream, const struct tried *tried,
                                  struct choice tried_ones)
{
    const struct choice others[] = {
        {.upstream = upstream, .tried = tried, .backups = true},
        {.upstream = upstream, .tried = tried, .any_up = true},
    };

    for (size_t index = 0; index < ARRAY_COUNT(others); index++)
        if (count_of(&others[index]) > 0)
            return others[index];
    return tried_ones;
}

struct server *upstream_choose(px_upstream *upstream, px_exchange *exchange,
                               const struct tried *tried)
{
    struct choice choice = choice_of(upstream, tried);

    if (count_of(&choice) == 0 && tried->count > 0)
        choice = choice_again(upstream, tried, choice);
    choice.any_tried = count_of(&choice) == 0;
    struct server *server = upstream->sticky ? sticky_find(upstream, exchange) : NULL;

    if (!server || !may_have(&choice, server))
        server = choose(&choice, upstream, exchange);
    if (!server)
        return NULL;
    CHECK(server->busy < server->requests_max);
    server->busy++;
    server->requests++;
    upstream_counts_request(upstream, server);
    upstream_counts_active(upstream, server);
    upstream->busy++;
    upstream->retry_tokens += RETRY_GAIN_REQUEST;
    if (upstream->retry_tokens > RETRY_REQUESTS_MAX)
        upstream->retry_tokens = RETRY_REQUESTS_MAX;
    return server;
}

void tried_add(struct tried *tried, const px_upstream *upstream, const struct server *server)
{
    CHECK(server >= upstream->servers && server < upstream->servers + upstream->server_count);
    if (tried->count < TRIED_MAX)
        tried->indexes[tried->count] = (uint16_t)(server - upstream->servers);
    tried->count++;
}

void tried_drop(struct tried *tried)
{
    CHECK(tried->count > 0);
    tried->count--;
}

bool tried_has(const struct tried *tried, const px_upstream *upstream, const struct server *server)
{
    size_t index = (size_t)(server - upstream->servers);

    for (size_t at = 0; at < tried->count && at < TRIED_MAX; at++)
        if (tried->indexes[at] == index)
            return true;
    return false;
}

/* --- How they fared --------------------------------------------------------------------------- */

bool upstream_is_in_panic(const px_upstream *upstream)
{
    struct choice choice = {.upstream = upstream};

    choice.backups = backups_are_due(&choice);
    return is_in_panic(&choice);
}

void upstream_say(const px_upstream *upstream, const char *what, char *out, size_t room)
{
    const char *name = upstream ? upstream->options.name : NULL;
    bool is_said = !name || name[0] == '\0' || strstr(what, name);

    snprintf(out, room, "%s%s%s%s", is_said ? "" : "upstream ", is_said ? "" : name,
             is_said ? "" : ": ", what);
}

void upstream_tell_change(px_upstream *upstream, const struct server *server, const char *what)
{
    const px_upstream_options *options = &upstream->options;
    char line[CHANGE_BYTES], said[2 * CHANGE_BYTES];

    upstream_counts_show(upstream);
    if (!options->on_change)
        return;
    snprintf(line, sizeof(line), "%s %s%s", server->url, what,
             upstream_is_in_panic(upstream)
                 ? "; fewer than half of the servers are up: all are asked"
                 : "");
    upstream_say(upstream, line, said, sizeof(said));
    options->on_change(upstream, said, options->change_context);
}

void server_done(px_upstream *upstream, struct server *server, enum server_result result)
{
    CHECK(server->busy > 0 && upstream->busy > 0);
    CHECK(server >= upstream->servers && server < upstream->servers + upstream->server_count);
    server->busy--;
    upstream->busy--;
    upstream_counts_active(upstream, server);
    switch (result) {
    case SERVER_ANSWERED:
        if (health_answered(server->health))
            upstream_tell_change(upstream, server, "answers again");
        break;
    case SERVER_FAILED:
        server->failures++;
        upstream_counts_failure(upstream, server);
        if (health_failed(server->health, &upstream->rules, px_loop_now_ms(upstream->loop)))
            upstream_tell_change(upstream, server, "is out for failures");
        break;
    case SERVER_LEFT:
        break;
    }
}

static bool has_room(const void *context)
{
    return upstream_has_room(context);
}

void upstream_serve(px_upstream *upstream)
{
    queue_serve(&upstream->queue, has_room, place_is_fair, upstream);
}

bool upstream_retry(px_upstream *upstream)
{
    uint64_t now_ms = px_loop_now_ms(upstream->loop);
    uint64_t gained = (now_ms - upstream->retry_ms) * RETRY_GAIN_SECOND / 1000;

    CHECK(upstream->retry_tokens <= RETRY_REQUESTS_MAX);
    if (gained > 0) {
        gained += upstream->retry_tokens;
        if (upstream->retry_tokens < RETRY_SECONDS_MAX)
            upstream->retry_tokens =
                gained > RETRY_SECONDS_MAX ? RETRY_SECONDS_MAX : (uint32_t)gained;
        upstream->retry_ms = now_ms;
    }
    if (upstream->retry_tokens < RETRY_COST)
        return false;
    upstream->retry_tokens -= RETRY_COST;
    upstream->retries++;
    return true;
}
