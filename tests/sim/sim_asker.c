/*
 * The life of a request that the program makes.
 */
#include "sim_asker.h"

#include <stdlib.h>
#include <string.h>

#include "sim_answer.h"
#include "sim_client.h"
#include "sim_weather.h"

enum { FILTER_MASK = 0x5a };

static uint32_t some_ms(void)
{
    return (uint32_t)sim_random_skewed(&sim_world->random, 0, 300);
}

/* --- What comes ------------------------------------------------------------------------------- */

static char answer_byte(const struct sim_asker *asker, uint64_t offset)
{
    const struct sim_request *request = &asker->request;
    char byte;

    if (request->route == SIM_ROUTE_TUNNEL)
        return sim_content_byte(request->tag, offset);
    if (request->route == SIM_ROUTE_FOLDER)
        byte = sim_file_byte(sim_folder_tag(request->length), offset);
    else
        byte = sim_file_byte(request->tag, offset);
    return request->filtered ? (char)(byte ^ FILTER_MASK) : byte;
}

static void on_head(px_fetch *fetch, void *context)
{
    struct sim_asker *asker = context;

    if (asker->status != 0 || asker->over || fetch != asker->fetch)
        sim_fail("fetch %u: its head was told twice, or after its end", asker->request.tag);
    asker->status = px_fetch_status(fetch);
    asker->version = px_fetch_version(fetch);
    if (asker->version == 20)
        sim_sometimes("a fetch was answered over HTTP/2");
    sim_trace("head", asker->request.tag, asker->status);
    if (px_fetch_is_tunnel(fetch))
        sim_sometimes("a fetch became a tunnel");
}

static size_t on_content(px_fetch *fetch, px_str bytes, void *context)
{
    struct sim_asker *asker = context;
    size_t use = bytes.len;

    if (asker->status == 0 || asker->content_ended || asker->over || bytes.len == 0)
        sim_fail("fetch %u: content before its head or after its end", asker->request.tag);
    if (fetch != asker->fetch)
        sim_fail("fetch %u: content of another", asker->request.tag);
    if (sim_random_chance(&sim_world->random, 8192))
        use = (size_t)sim_random_skewed(&sim_world->random, 0, bytes.len);
    if (asker->status == 200 || asker->status == 101)
        for (size_t index = 0; index < use; index++)
            if (bytes.ptr[index] != answer_byte(asker, asker->received + index))
                sim_fail("fetch %u: byte %llu of its answer is wrong", asker->request.tag,
                         (unsigned long long)(asker->received + index));
    asker->received += use;
    if (use < bytes.len) {
        sim_sometimes("a fetch was held back");
        asker->held = true;
    }
    return use;
}

static void on_content_end(px_fetch *fetch, void *context)
{
    struct sim_asker *asker = context;

    (void)fetch;
    if (asker->content_ended || asker->status == 0)
        sim_fail("fetch %u: its content ended twice", asker->request.tag);
    asker->content_ended = true;
}

static px_pull pull(px_fetch *fetch, char *out, size_t room, size_t *out_bytes, void *context)
{
    struct sim_asker *asker = context;
    struct sim_random *random = &sim_world->random;
    uint64_t left = asker->request.content - asker->given;
    size_t count = left < room ? (size_t)left : room;

    (void)fetch;
    if (asker->over || room == 0)
        sim_fail("fetch %u: asked for content after its end", asker->request.tag);
    if (sim_random_chance(random, 8192)) {
        sim_sometimes("a fetch had nothing to give yet");
        asker->held = true;
        return PX_PULL_LATER;
    }
    if (count > 1024)
        count = (size_t)sim_random_between(random, 1024, count);
    for (size_t index = 0; index < count; index++)
        out[index] = sim_content_byte(asker->request.tag, asker->given + index);
    asker->given += count;
    *out_bytes = count;
    if (count > 0 && (count < left || sim_random_chance(random, 32768)))
        return PX_PULL_MORE;
    return PX_PULL_END;
}

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct sim_asker *asker = context;
    px_fetch_facts facts = {.struct_size = sizeof(facts)};

    if (asker->over || fetch != asker->fetch)
        sim_fail("fetch %u: its end was told twice", asker->request.tag);
    px_fetch_tell(fetch, &facts);
    sim_trace("ends", asker->request.tag, error->code);
    asker->over = true;
    asker->fetch = NULL;
    asker->result = error->code;
    asker->reused = facts.reused || facts.stale;
    if (facts.tries > 2)
        sim_fail("fetch %u: it was tried %u times", asker->request.tag, facts.tries);
    if (facts.tries == 2)
        sim_sometimes("a fetch was sent again");
    if (facts.reused && error->code == PX_OK)
        sim_sometimes("a kept connection served");
}

static const px_fetch_callbacks asker_callbacks = {.struct_size = sizeof(px_fetch_callbacks),
                                                   .on_head = on_head,
                                                   .on_content = on_content,
                                                   .on_content_end = on_content_end,
                                                   .pull = pull,
                                                   .on_end = on_end};

/* --- What it does ----------------------------------------------------------------------------- */

static void begin(struct sim_asker *asker)
{
    const struct sim_request *request = &asker->request;
    px_fetch_options options = PX_FETCH_OPTIONS_DEFAULT;
    char target[96], url[64];
    px_error error;

    asker->begun = true;
    if (!*asker->client) {
        asker->over = true;
        return;
    }
    if (request->route == SIM_ROUTE_FOLDER)
        snprintf(target, sizeof(target), "/folder/%u/%llu", request->tag,
                 (unsigned long long)request->length);
    else
        snprintf(target, sizeof(target), "/%s/%u/%llu%s", sim_route_name(request->route),
                 request->tag, (unsigned long long)request->length,
                 request->filtered ? "?filter" : "");
    snprintf(url, sizeof(url), "%s/", asker->url);
    options.url = px_str_of(url);
    options.target = px_str_of(target);
    options.address = px_str_of(asker->refused ? "127.0.0.1:9" : asker->address);
    options.method = px_str_of(request->head                             ? "HEAD"
                               : sim_route_takes_content(request->route) ? "POST"
                                                                         : "GET");
    options.protocol = asker->protocol;
    if (request->route == SIM_ROUTE_TUNNEL) {
        options.upgrade = px_str_of("sim");
        options.pull_length = PX_LENGTH_UNKNOWN;
    } else if (asker->content) {
        options.content = px_str_make(asker->content, request->content);
    } else if (sim_route_takes_content(request->route)) {
        options.pull_length = request->chunked ? PX_LENGTH_UNKNOWN : request->content;
    }
    options.flags = (request->expects ? PX_FETCH_EXPECT : 0) |
                    (asker->once ? PX_FETCH_ONCE | PX_FETCH_FRESH : 0);
    if (asker->hasty) {
        options.first_byte_timeout_ms = 1 + some_ms();
        options.silence_timeout_ms = 1 + some_ms();
        options.total_timeout_ms = 1 + 4 * some_ms();
    }
    sim_trace("asks", request->tag, (int64_t)request->content);
    asker->fetch = px_fetch_start(*asker->client, &options, &asker_callbacks, asker, &error);
    if (asker->fetch)
        return;
    if (!sim_weather_cuts())
        sim_fail("fetch %u: %s", request->tag, error.text);
    asker->over = true;
}

static void turn(px_timer *timer, void *context)
{
    struct sim_asker *asker = context;

    if (!asker->begun) {
        begin(asker);
    } else if (asker->fetch && asker->cancel_in > 0 && --asker->cancel_in == 0) {
        sim_sometimes("a fetch was cancelled");
        asker->cancelled = true;
        px_fetch_cancel(asker->fetch);
    } else if (asker->fetch && asker->held) {
        asker->held = false;
        px_fetch_resume(asker->fetch);
    }
    if (!asker->over)
        px_timer_start(timer, some_ms());
}

static void request_choose(struct sim_asker *asker, uint32_t tag)
{
    struct sim_random *random = &sim_world->random;
    struct sim_request *request = &asker->request;

    request->tag = tag;
    request->route = (enum sim_route)sim_random_below(random, SIM_ROUTE_COUNT);
    /* There a tunnel is HTTP/1.1's. */
    if (asker->protocol == PX_FETCH_HTTP2 && request->route == SIM_ROUTE_TUNNEL)
        request->route = SIM_ROUTE_BYTES;
    request->length = sim_random_skewed(random, 0, 200000);
    if (request->route == SIM_ROUTE_ABORT)
        request->length += 2;
    if (request->route == SIM_ROUTE_FOLDER)
        request->length = sim_folder_lengths[sim_random_below(random, SIM_FOLDER_FILES)];
    request->filtered = request->route != SIM_ROUTE_LOST && request->route != SIM_ROUTE_TUNNEL &&
                        request->route != SIM_ROUTE_FOLDER && sim_random_chance(random, 12000);
    request->head = !sim_route_takes_content(request->route) && request->route != SIM_ROUTE_ABORT &&
                    request->route != SIM_ROUTE_TUNNEL && sim_random_chance(random, 6000);
    if (request->route == SIM_ROUTE_TUNNEL)
        request->content = request->length;
    if (!sim_route_takes_content(request->route))
        return;
    request->content = sim_random_skewed(random, 0, 100000);
    request->chunked = sim_random_chance(random, 20000);
    request->expects = sim_random_chance(random, 8192);
    if (!request->chunked && sim_random_chance(random, 32768)) {
        asker->content = malloc(request->content + 1);
        if (!asker->content)
            abort();
        for (uint64_t index = 0; index < request->content; index++)
            asker->content[index] = sim_content_byte(tag, index);
    }
}

void sim_asker_make(struct sim_asker *asker, px_loop *loop, uint32_t tag)
{
    struct sim_random *random = &sim_world->random;

    request_choose(asker, tag);
    asker->once = sim_random_chance(random, 8192);
    asker->hasty = sim_random_chance(random, 5000);
    asker->refused = sim_random_chance(random, 3000);
    if (sim_random_chance(random, 10000))
        asker->cancel_in = (uint32_t)sim_random_skewed(random, 1, 20);
    asker->timer = px_timer_create(loop, turn, asker);
    if (!asker->timer)
        sim_fail("no timer");
    px_timer_start(asker->timer, (uint32_t)sim_random_skewed(random, 0, 5000));
}

/* --- Looking back ----------------------------------------------------------------------------- */

/* It says that the answer is whole: then it is. */
static void whole_check(const struct sim_asker *asker, bool excused)
{
    const struct sim_request *request = &asker->request;
    uint64_t expected = request->head ? 0 : request->length;

    if (asker->status == 404 && request->route == SIM_ROUTE_LOST)
        return;
    if (asker->status != (request->route == SIM_ROUTE_TUNNEL ? 101 : 200)) {
        if (!excused)
            sim_fail("fetch %u: its status is %u", request->tag, asker->status);
        return;
    }
    if (request->route == SIM_ROUTE_ABORT)
        sim_fail("fetch %u was aborted and yet looks whole", request->tag);
    /* A tunnel has no framing, and a unix socket no reset. */
    if (asker->received != expected && !(request->route == SIM_ROUTE_TUNNEL && excused))
        sim_fail("fetch %u looks whole after %llu of %llu bytes", request->tag,
                 (unsigned long long)asker->received, (unsigned long long)expected);
    sim_sometimes("a fetch got its answer");
}

void sim_asker_judge(const struct sim_asker *asker, bool excused)
{
    const struct sim_request *request = &asker->request;

    if (!asker->over)
        sim_fail("fetch %u never ended", request->tag);
    if (asker->result == PX_OK && asker->status != 0) {
        whole_check(asker, excused);
        return;
    }
    if (asker->result == PX_ERR_CLOSED && request->route == SIM_ROUTE_ABORT)
        sim_sometimes("a fetch was cut short, and knows");
    if (asker->result == PX_ERR_TIMEOUT && asker->hasty)
        sim_sometimes("a fetch timed out");
    if (asker->refused && asker->result == PX_ERR_CLOSED)
        sim_sometimes("a fetch was refused");
    if (excused || asker->cancelled || asker->hasty || asker->refused ||
        request->route == SIM_ROUTE_ABORT)
        return;
    /* A kept connection that ended under it: it may not be sent again. */
    if (asker->reused && asker->result == PX_ERR_CLOSED && asker->received == 0 &&
        sim_route_takes_content(request->route)) {
        sim_sometimes("a fetch met a kept connection's end");
        return;
    }
    sim_fail("fetch %u (%s) ended with %s", request->tag, sim_route_name(request->route),
             px_err_name(asker->result));
}

void sim_asker_end(struct sim_asker *asker)
{
    px_timer_destroy(asker->timer);
    free(asker->content);
}
