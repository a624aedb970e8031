/*
 * A fetch from its start to its end.
 *
 * Happy path: its options are read and copied, it waits at its origin, a connection takes it and
 * tells what comes, its end is noted and told at the end of the tick.  What can go wrong: its
 * connection breaks (it waits again, once, where that is safe), it takes too long, it is given up.
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "client/link.h"
#include "http/message/method.h"

/* --- Deadlines -------------------------------------------------------------------------------- */

static uint64_t later(uint64_t from_ms, uint32_t duration_ms)
{
    return duration_ms == PX_OFF ? UINT64_MAX : from_ms + duration_ms;
}

/* Whether it is our turn: then it is the server's silence that counts, or its slow reading. */
static bool server_is_due(const px_fetch *fetch)
{
    return fetch->link->sending || !fetch->paused;
}

/* When it is given up if nothing moves. */
static uint64_t due_of(const px_fetch *fetch)
{
    switch ((enum fetch_stage)fetch->stage) {
    case FETCH_WAITING:
        return later(fetch->active_ms, fetch->wait_ms);
    case FETCH_SENT:
        if (fetch_writing(fetch) == WRITE_HELD)
            return fetch->active_ms + CLIENT_CONTINUE_MS;
        if (fetch_writing(fetch) < WRITE_DONE || fetch->link->sending)
            return later(fetch->active_ms, fetch->silence_ms);
        return later(fetch->active_ms, fetch->first_byte_ms);
    case FETCH_ANSWERED:
        return later(fetch->active_ms, fetch->silence_ms);
    case FETCH_FINISHED:
    case FETCH_AGAIN:
        break;
    }
    return UINT64_MAX;
}

/* The timer is moved forward only: where it goes off too early, it is set anew. */
void fetch_wait(px_fetch *fetch)
{
    uint64_t due_ms = due_of(fetch);

    if (fetch->total_due_ms < due_ms)
        due_ms = fetch->total_due_ms;
    if (due_ms == UINT64_MAX || (timer_started(&fetch->timer) && fetch->timer.due_ms <= due_ms))
        return;
    timer_start(&fetch->client->loop->timers, &fetch->timer, due_ms);
}

void fetch_moved(px_fetch *fetch)
{
    fetch->active_ms = loop_now_ms(fetch->client->loop);
    fetch_wait(fetch);
}

void fetch_timer_check(const px_fetch *fetch)
{
    uint64_t due_ms = due_of(fetch), next_ms = fetch->client->loop->now_ms + 1;

    /* A send that reports sets it anew. */
    if (!fetch_is_live(fetch) || (fetch->link && fetch->link->sending))
        return;
    due_ms = due_ms < fetch->total_due_ms ? due_ms : fetch->total_due_ms;
    /* Else it would end late; what is overdue fires in the next tick. */
    ASSERT(due_ms == UINT64_MAX || (timer_started(&fetch->timer) &&
                                    fetch->timer.due_ms <= (due_ms > next_ms ? due_ms : next_ms)));
}

static const char *due_reason(const px_fetch *fetch)
{
    switch ((enum fetch_stage)fetch->stage) {
    case FETCH_WAITING:
        return "no connection came about in time";
    case FETCH_SENT:
        return "the server did not answer in time";
    case FETCH_ANSWERED:
    case FETCH_FINISHED:
    case FETCH_AGAIN:
        break;
    }
    return "the server fell silent";
}

static void on_due(struct io_timer *timer)
{
    px_fetch *fetch = CONTAINER_OF(timer, px_fetch, timer);
    uint64_t now_ms = fetch->client->loop->now_ms;
    struct link *link = fetch->link;

    if (!fetch_is_live(fetch))
        return;
    if (now_ms >= fetch->total_due_ms) {
        fetch_end(fetch, PX_ERR_TIMEOUT, "it took too long as a whole");
        return;
    }
    /* A slow server may take one send for a long time: as long as it takes, it is alive. */
    if (link && link->sending) {
        uint64_t sent = conduit_sent_bytes(&link->conduit);

        if (sent != link->sent_seen)
            fetch->active_ms = now_ms;
        link->sent_seen = sent;
    }
    /* Where the caller does not want bytes, or gives none, silence is its own. */
    if (link && !link->sending && (!server_is_due(fetch) || fetch_writing(fetch) == WRITE_LATER))
        fetch->active_ms = now_ms;
    if (now_ms < due_of(fetch)) {
        fetch_wait(fetch);
        return;
    }
    if (link && fetch_writing(fetch) == WRITE_HELD) {
        /* RFC 9110 section 10.1.1: it need not wait for ever. */
        if (link->h2)
            h2_link_release(link, fetch);
        else
            link->writing = WRITE_CONTENT;
        fetch_moved(fetch);
        loop_task_add(fetch->client->loop, &link->wake);
        return;
    }
    fetch_end(fetch, PX_ERR_TIMEOUT, due_reason(fetch));
}

/* --- The end ---------------------------------------------------------------------------------- */

void fetch_free(px_fetch *fetch)
{
    px_client *client = fetch->client;
    struct origin *origin = fetch->origin;

    CHECK(!fetch->link && !list_linked(&fetch->waiting));
    timer_deinit(&client->loop->timers, &fetch->timer);
    budget_give(&client->loop->memory, BUDGET_INBOX, fetch->held.len);
    if (fetch->held.allocator)
        buf_deinit(&fetch->held);
    arena_reset(&fetch->arena);
    pool_put(&client->fetches, fetch);
    if (origin)
        origin_put(origin);
}

void fetch_left(px_fetch *fetch)
{
    fetch->link = NULL;
    if (fetch->stage == FETCH_AGAIN) {
        fetch->stage = FETCH_WAITING;
        fetch->paused = false;
        fetch->content_sent = 0;
        fetch->request.trailer_count = 0;
        origin_wait(fetch->origin, fetch);
        fetch_moved(fetch);
        return;
    }
    CHECK(fetch->stage == FETCH_FINISHED);
    client_note_end(fetch->client, fetch);
}

void fetch_end_with(px_fetch *fetch, const px_error *error)
{
    CHECK(fetch->stage != FETCH_AGAIN || error->code != PX_OK);
    if (fetch->stage == FETCH_FINISHED)
        return;
    bool waiting = fetch->stage == FETCH_WAITING;

    fetch->stage = FETCH_FINISHED;
    fetch->error = *error;
    list_remove(&fetch->all);
    timer_stop(&fetch->client->loop->timers, &fetch->timer);
    if (waiting) {
        origin_leave(fetch->origin, fetch);
        origin_rest(fetch->origin);
    }
    if (fetch->link && fetch->link->h2)
        h2_link_leave(fetch->link, fetch);
    else if (fetch->link)
        link_part(fetch->link);
    else
        fetch_left(fetch);
}

void fetch_end(px_fetch *fetch, px_err code, const char *why)
{
    px_error error;

    if (fetch->stage == FETCH_FINISHED)
        return;
    if (code == PX_OK)
        error_clear(&error);
    else
        error_set(&error, code, 0, "%s: %s", fetch->origin->address, why);
    fetch_end_with(fetch, &error);
}

bool fetch_length_holds(const px_fetch *fetch, size_t bytes, bool over)
{
    uint64_t length = fetch->request.pull_length;

    CHECK(length == PX_LENGTH_UNKNOWN || fetch->tunnel || fetch->content_sent <= length);
    if (length == PX_LENGTH_UNKNOWN || fetch->tunnel)
        return true;
    if (bytes > length - fetch->content_sent)
        return false;
    return !over || fetch->content_sent + bytes == length;
}

/* RFC 9110 section 9.2.2: where it cannot be known whether the server has acted on a request, only
 * one that may be repeated is. */
bool fetch_may_repeat(const px_fetch *fetch)
{
    const struct fetch_request *request = &fetch->request;

    if (fetch->again || fetch->begun || (request->flags & PX_FETCH_ONCE) ||
        fetch->stage != FETCH_SENT || (fetch_pulls(fetch) && fetch->content_sent > 0))
        return false;
    return fetch->facts.unprocessed ||
           (fetch->facts.kept && http_method_is_idempotent(request->method_id));
}

/* --- What a caller does ----------------------------------------------------------------------- */

static uint32_t chosen(uint32_t own, uint32_t fallback)
{
    return own != 0 ? own : fallback;
}

static void timeouts_read(px_fetch *fetch, const px_fetch_options *options)
{
    const px_client_options *fallback = &fetch->client->options;
    uint64_t now_ms = loop_now_ms(fetch->client->loop);

    fetch->connect_ms = chosen(options->connect_timeout_ms, fallback->connect_timeout_ms);
    fetch->wait_ms = chosen(options->wait_timeout_ms, fallback->wait_timeout_ms);
    fetch->first_byte_ms = chosen(options->first_byte_timeout_ms, fallback->first_byte_timeout_ms);
    fetch->silence_ms = chosen(options->silence_timeout_ms, fallback->silence_timeout_ms);
    fetch->total_due_ms =
        later(now_ms, chosen(options->total_timeout_ms, fallback->total_timeout_ms));
}

/* An empty one, or NULL. */
static px_fetch *fetch_make(px_client *client, const px_fetch_callbacks *callbacks, void *context,
                            px_error *out_error)
{
    px_fetch *fetch = pool_take(&client->fetches);

    if (!fetch) {
        bool full = client->fetches.taken >= client->options.fetches_max;

        error_set(out_error, full ? PX_ERR_LIMIT : PX_ERR_MEMORY, 0,
                  full ? "too many requests at once" : "out of memory");
        return NULL;
    }
    memset(&fetch->all, 0, offsetof(px_fetch, first) - offsetof(px_fetch, all));
    list_init(&fetch->all);
    list_init(&fetch->waiting);
    list_init(&fetch->on_link);
    list_init(&fetch->ready);
    fetch->client = client;
    fetch->callbacks = callbacks;
    fetch->context = context;
    fetch->facts.unprocessed = true;
    if (timer_init(&client->loop->timers, &fetch->timer, on_due) != PX_OK) {
        pool_put(&client->fetches, fetch);
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    arena_init(&fetch->arena, &client->loop->allocator, fetch->first, sizeof(fetch->first),
               CLIENT_FETCH_BYTES_MAX);
    return fetch;
}

px_fetch *px_fetch_start(px_client *client, const px_fetch_options *given,
                         const px_fetch_callbacks *callbacks, void *context, px_error *out_error)
{
    px_fetch_options options;
    struct origin_key key;
    px_error error;

    error_clear(out_error);
    if (!client || !callbacks || callbacks->struct_size < sizeof(callbacks->struct_size)) {
        error_set(out_error, PX_ERR_INVALID, 0,
                  "a fetch has a client, and a table of callbacks with its struct_size");
        return NULL;
    }
    if (client->closing || options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "fetch options: unknown or missing struct_size");
        return NULL;
    }
    px_fetch *fetch = fetch_make(client, callbacks, context, out_error);

    if (!fetch)
        return NULL;
    px_err err = fetch_read_options(fetch, &options, &key, &error);

    if (err == PX_OK && (err = origin_take(client, &key, &fetch->origin)) != PX_OK)
        error_set(&error, err, 0,
                  err == PX_ERR_INVALID ? "an address that is too long" : "out of memory");
    if (err != PX_OK) {
        error_copy(out_error, &error);
        fetch_free(fetch);
        return NULL;
    }
    fetch->facts.over_http1 = (options.flags & PX_FETCH_OVER_HTTP1) != 0;
    timeouts_read(fetch, &options);
    list_append(&client->all, &fetch->all);
    origin_wait(fetch->origin, fetch);
    fetch_moved(fetch);
    return fetch;
}

void px_fetch_cancel(px_fetch *fetch)
{
    fetch_end(fetch, PX_ERR_CANCELLED, "cancelled");
}

void px_fetch_resume(px_fetch *fetch)
{
    if (!fetch_is_live(fetch) || !fetch->link)
        return;
    fetch->paused = false;
    if (fetch_writing(fetch) == WRITE_LATER) {
        fetch->writing = WRITE_CONTENT;
        if (!fetch->link->h2)
            fetch->link->writing = WRITE_CONTENT;
    }
    if (fetch->link->h2 && !list_linked(&fetch->ready))
        list_append(&fetch->link->ready, &fetch->ready);
    fetch_moved(fetch);
    loop_task_add(fetch->client->loop, &fetch->link->wake);
}
