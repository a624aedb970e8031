/*
 * HTTP/2 on a client's connection: many fetches at once, one driver.
 *
 * Happy path: a fetch is asked on a stream of its own, frames are rendered into a block and sent,
 * what comes is fed to the session, which tells heads and content.  What a caller does not use is
 * kept with its fetch, within the stream's window, and its sender is given no credit for it.  What
 * can go wrong: a stream is reset or refused (that fetch ends, or is asked elsewhere), the server
 * says good-bye (those it has not begun are asked elsewhere), the connection breaks (all end).
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/options.h"
#include "client/link.h"
#include "http/message/method.h"

static px_fetch *fetch_of(struct h2_call *call)
{
    return CONTAINER_OF(call, px_fetch, call);
}

static bool is_on(const struct link *link, const px_fetch *fetch)
{
    return fetch->link == link && fetch_is_live(fetch);
}

/* --- Coming and going ------------------------------------------------------------------------- */

/* Whether the connection is offered to others depends on its room, and on its use. */
static void link_settle(struct link *link)
{
    if (link->stage != LINK_OPEN || link->driving)
        return;
    if (list_empty(&link->fetches) &&
        (link->unclean || h2_client_room(link->h2) == 0 || h2_client_is_over(link->h2))) {
        if (link->peer_ended || (!h2_client_has_output(link->h2) && !link->sending))
            link_close(link, false);
        return;
    }
    if (link->unclean || h2_client_room(link->h2) == 0) {
        list_remove(&link->idle);
        return;
    }
    if (list_empty(&link->fetches) && !list_linked(&link->aged))
        link_free(link);
    else if (!list_linked(&link->idle))
        origin_offer(link->origin, link);
}

void h2_link_leave(struct link *link, px_fetch *fetch)
{
    CHECK(fetch->link == link && list_linked(&fetch->on_link));
    list_remove(&fetch->on_link);
    list_remove(&fetch->ready);
    h2_client_forget(link->h2, &fetch->call);
    fetch_left(fetch);
    link->served++;
    if (link->stage == LINK_OPEN)
        loop_task_add(link->client->loop, &link->wake);
}

/* The server has not begun it, or that cannot be known. */
static void fetch_broken(px_fetch *fetch, px_err reason, const char *why)
{
    if (reason == PX_ERR_CLOSED && fetch_may_repeat(fetch)) {
        struct link *link = fetch->link;

        fetch->stage = FETCH_AGAIN;
        fetch->again = true;
        h2_link_leave(link, fetch);
        return;
    }
    fetch_end(fetch, reason, why);
}

void h2_link_lost(struct link *link, px_err reason, const char *why)
{
    struct list *next;

    for (struct list *node = link->fetches.next; node != &link->fetches; node = next) {
        px_fetch *fetch = LIST_ENTRY(node, px_fetch, on_link);

        next = node->next;
        if (fetch->over)
            continue;
        fetch->facts.stale = fetch->facts.kept && !fetch->begun && reason == PX_ERR_CLOSED;
        fetch_broken(fetch, reason, why);
    }
    link->unclean = true;
    link->peer_ended = true;
    list_remove(&link->idle);
    /* Answers that are whole, and not used up, need no connection any more: it closes behind them.
     */
    if (list_empty(&link->fetches))
        link_close(link, true);
    else
        conduit_recv_stop(&link->conduit);
}

void h2_link_take(struct link *link, px_fetch *fetch)
{
    const struct fetch_request *request = &fetch->request;
    bool whole = request->content.len > 0;
    bool pulls = whole || fetch_pulls(fetch);

    CHECK(!list_linked(&fetch->on_link) && !list_linked(&fetch->ready));
    list_append(&link->fetches, &fetch->on_link);
    buf_init(&fetch->held, &link->client->loop->allocator, H2_STREAM_WINDOW);
    fetch->over = false;
    fetch->writing = !pulls                             ? WRITE_DONE
                     : request->flags & PX_FETCH_EXPECT ? WRITE_HELD
                                                        : WRITE_CONTENT;
    fetch->call.no_content = request->method_id == METHOD_HEAD;
    px_err err = h2_client_ask(link->h2, &fetch->call, &request->head,
                               link->origin->trust ? "https" : "http", pulls);

    if (err == PX_ERR_CLOSED) {
        fetch->facts.unprocessed = true;
        fetch_broken(fetch, PX_ERR_CLOSED, "the connection takes no more requests");
    } else if (err != PX_OK) {
        fetch_end(fetch, err,
                  err == PX_ERR_LIMIT ? "the connection has no room for such a head"
                                      : "out of memory");
    }
}

/* --- What the session tells ------------------------------------------------------------------- */

static void fields_take(px_fetch *fetch, const px_field *from, uint32_t count,
                        px_field **out_fields)
{
    px_field *fields = arena_take(&fetch->arena, count * sizeof(*fields));

    for (uint32_t index = 0; fields && index < count; index++) {
        fields[index].name = arena_copy(&fetch->arena, from[index].name);
        fields[index].value = arena_copy(&fetch->arena, from[index].value);
        if (!fields[index].name.ptr || !fields[index].value.ptr)
            fields = NULL;
    }
    *out_fields = fields;
}

void h2_link_release(struct link *link, px_fetch *fetch)
{
    if (fetch->writing != WRITE_HELD)
        return;
    fetch->writing = WRITE_CONTENT;
    h2_client_resume(link->h2, &fetch->call);
    fetch_moved(fetch);
}

static void inform(px_fetch *fetch, const struct http_response *answer, struct link *link)
{
    for (uint32_t index = 0; index < answer->field_count; index++)
        fetch->informs.bytes +=
            (uint32_t)(answer->fields[index].name.len + answer->fields[index].value.len);
    if (++fetch->informs.count > CLIENT_INFORM_COUNT_MAX ||
        fetch->informs.bytes > link->client->limits.head_bytes_max)
        fetch_end(fetch, PX_ERR_LIMIT, "too many informational answers");
    else if (answer->status == 100)
        h2_link_release(link, fetch);
    else if (TABLE_MEMBER(fetch->callbacks, on_inform))
        fetch->callbacks->on_inform(fetch, answer->status, answer->fields, answer->field_count,
                                    fetch->context);
}

static void on_head(struct h2_call *call, const struct http_response *answer, void *context)
{
    struct link *link = context;
    px_fetch *fetch = fetch_of(call);

    fetch->begun = true;
    fetch->facts.unprocessed = false;
    if (answer->kind == HTTP_RESPONSE_INFORMATIONAL) {
        inform(fetch, answer, link);
        return;
    }
    fetch->answer = *answer;
    fields_take(fetch, answer->fields, answer->field_count, &fetch->answer.fields);
    if (!fetch->answer.fields) {
        fetch_end(fetch, PX_ERR_MEMORY, "out of memory");
        return;
    }
    fetch->stage = FETCH_ANSWERED;
    if (fetch->writing == WRITE_HELD)
        fetch->writing = WRITE_CLOSED; /* RFC 9110 section 10.1.1: the content is not wanted */
    fetch->content_length =
        call->stream.content_left == UINT64_MAX ? PX_LENGTH_UNKNOWN : call->stream.content_left;
    fetch_moved(fetch);
    if (TABLE_MEMBER(fetch->callbacks, on_head))
        fetch->callbacks->on_head(fetch, fetch->context);
}

/* Shows content: how much of it was used. */
static size_t show(px_fetch *fetch, px_str bytes)
{
    if (!TABLE_MEMBER(fetch->callbacks, on_content))
        return bytes.len;
    size_t used = fetch->callbacks->on_content(fetch, bytes, fetch->context);

    CHECK_RULE(used <= bytes.len, "on_content used more bytes than it was shown");
    if (used < bytes.len)
        fetch->paused = true;
    return used;
}

/* What the caller does not use is kept beside what streams keep in their inboxes: the stream's
 * window bounds each, and the sum is the loop's, whatever the answers that have ended. */
static bool hold(px_fetch *fetch, px_str bytes)
{
    px_loop *loop = fetch->client->loop;

    if (!inbox_share_take(loop, fetch->held.len + bytes.len, bytes.len))
        return false;
    if (buf_append(&fetch->held, bytes) == PX_OK)
        return true;
    budget_give(&loop->memory, BUDGET_INBOX, bytes.len);
    return false;
}

static void on_content(struct h2_call *call, px_str bytes, void *context)
{
    struct link *link = context;
    px_fetch *fetch = fetch_of(call);
    size_t used = 0;

    fetch_moved(fetch);
    if (!fetch->paused && fetch->held.len == 0)
        used = show(fetch, bytes);
    if (!is_on(link, fetch))
        return;
    h2_client_give(link->h2, call, (uint32_t)used);
    if (used < bytes.len && !hold(fetch, px_str_make(bytes.ptr + used, bytes.len - used)))
        fetch_end(fetch, PX_ERR_MEMORY, "no room for content that is not used");
}

static void finish(struct link *link, px_fetch *fetch)
{
    if (TABLE_MEMBER(fetch->callbacks, on_content_end))
        fetch->callbacks->on_content_end(fetch, fetch->context);
    if (is_on(link, fetch))
        fetch_end(fetch, PX_OK, NULL);
}

static void on_ended(struct h2_call *call, const px_field *trailers, uint32_t count, void *context)
{
    struct link *link = context;
    px_fetch *fetch = fetch_of(call);

    if (count > 0) {
        fields_take(fetch, trailers, count, &fetch->trailers);
        if (!fetch->trailers) {
            fetch_end(fetch, PX_ERR_MEMORY, "out of memory");
            return;
        }
        fetch->trailer_count = count;
    }
    fetch->over = true;
    if (fetch->held.len == 0)
        finish(link, fetch);
}

/* Content that the caller gave whole. */
static px_pull pull_whole(px_fetch *fetch, char *out, size_t room, size_t *out_bytes)
{
    px_str content = fetch->request.content;
    size_t left = content.len - (size_t)fetch->content_sent;
    size_t count = left < room ? left : room;

    CHECK(fetch->content_sent <= content.len);
    memcpy(out, content.ptr + fetch->content_sent, count);
    *out_bytes = count;
    return count == left ? PX_PULL_END : PX_PULL_MORE;
}

static px_pull on_pull(struct h2_call *call, char *out, size_t room, size_t *out_bytes,
                       void *context)
{
    const struct link *link = context;
    px_fetch *fetch = fetch_of(call);
    size_t bytes = 0;
    px_pull pull;

    if (fetch->writing == WRITE_HELD || fetch->writing == WRITE_CLOSED)
        return PX_PULL_LATER;
    if (fetch->request.content.len > 0)
        pull = pull_whole(fetch, out, room, &bytes);
    else
        pull = fetch->callbacks->pull(fetch, out, room, &bytes, fetch->context);
    if (!is_on(link, fetch))
        return PX_PULL_ERROR;
    CHECK_RULE(bytes <= room, "pull wrote more than there was room for");
    if (pull == PX_PULL_LATER)
        bytes = 0;
    if (pull == PX_PULL_ERROR) {
        fetch_end(fetch, PX_ERR_CANCELLED, "the content of the request broke off");
        return PX_PULL_ERROR;
    }
    if (fetch_pulls(fetch) && !fetch_length_holds(fetch, bytes, pull == PX_PULL_END)) {
        fetch_end(fetch, PX_ERR_INVALID, "the content has another length than was said");
        return PX_PULL_ERROR;
    }
    fetch->content_sent += bytes;
    fetch->writing = pull == PX_PULL_END     ? WRITE_DONE
                     : pull == PX_PULL_LATER ? WRITE_LATER
                                             : WRITE_CONTENT;
    fetch_moved(fetch); /* what it waits for may have changed */
    call->trailers = fetch->request.trailers;
    call->trailer_count = fetch->request.trailer_count;
    *out_bytes = bytes;
    return pull;
}

/* RFC 9113 section 7: the server has not begun the request, and will not over HTTP/2.  That is no
 * failure to be tried again but the way to ask it.  The origin remembers it once it has answered
 * so: one that speaks HTTP/2 alone is asked as before. */
static void ask_over_http1(px_fetch *fetch, const char *why)
{
    struct link *link = fetch->link;

    fetch->facts.unprocessed = true;
    fetch->facts.over_http1 = true;
    if (fetch->again || (fetch_pulls(fetch) && fetch->content_sent > 0)) {
        fetch_end(fetch, PX_ERR_CLOSED, why);
        return;
    }
    fetch->stage = FETCH_AGAIN;
    fetch->again = true;
    h2_link_leave(link, fetch);
}

/* What a reset means: `call->stream.dead` where it was ours, for what has come. */
static px_err reset_reason(const struct h2_call *call, uint32_t error)
{
    if (!call->stream.dead)
        return PX_ERR_CLOSED;
    return error == H2_ENHANCE_YOUR_CALM ? PX_ERR_LIMIT : PX_ERR_MALFORMED;
}

static void on_closed_stream(struct h2_call *call, uint32_t error, void *context)
{
    px_fetch *fetch = fetch_of(call);
    char why[64];

    (void)context;
    if (!fetch->link || fetch->over)
        return; /* whole, and not used up yet */
    snprintf(why, sizeof(why), "the stream was reset (0x%x)", error);
    if (error == H2_HTTP_1_1_REQUIRED && !call->stream.dead && !fetch->begun) {
        ask_over_http1(fetch, why);
        return;
    }
    if (error != H2_REFUSED_STREAM) {
        fetch_end(fetch, reset_reason(call, error), why);
        return;
    }
    fetch->facts.unprocessed = true; /* RFC 9113 section 8.7: whatever its method is */
    fetch_broken(fetch, PX_ERR_CLOSED, why);
}

static const struct h2_client_events session_events = {
    .head = on_head,
    .content = on_content,
    .ended = on_ended,
    .pull = on_pull,
    .closed = on_closed_stream,
};

/* --- The driver ------------------------------------------------------------------------------- */

/* Shows what was kept, and asks again for content. */
static void fetch_go_on(struct link *link, px_fetch *fetch)
{
    if (!fetch->paused && fetch->held.len > 0) {
        size_t used = show(fetch, buf_str(&fetch->held));

        if (!is_on(link, fetch))
            return;
        buf_consume(&fetch->held, used);
        budget_give(&fetch->client->loop->memory, BUDGET_INBOX, used);
        h2_client_give(link->h2, &fetch->call, (uint32_t)used);
    }
    if (fetch->over && fetch->held.len == 0) {
        finish(link, fetch);
        return;
    }
    if (fetch->writing == WRITE_CONTENT)
        h2_client_resume(link->h2, &fetch->call);
}

/* Renders and sends: false while a send is in flight, or without memory. */
static bool rendered_send(struct link *link)
{
    struct link_out *out = link->out;

    CHECK(!link->sending);
    if (!out && !(out = link->out = pool_take(&link->client->outs))) {
        h2_link_lost(link, PX_ERR_MEMORY, "out of memory");
        return false;
    }
    size_t bytes = h2_client_render(link->h2, out->bytes, sizeof(out->bytes));

    if (bytes == 0) {
        h1_link_out_release(link);
        return false;
    }
    out->len = (uint32_t)bytes;
    out->part_count = 1;
    out->parts[0] = (px_part){.bytes = px_str_make(out->bytes, bytes)};
    link->sending = conduit_send(&link->conduit, out->parts, out->part_count) == PX_SENT_PENDING;
    if (!link->sending)
        h1_link_out_release(link);
    return !link->sending;
}

void h2_link_advance(struct link *link)
{
    uint32_t budget = SEND_TURN_BYTES / OUT_BYTES;

    if (link->driving || link->stage != LINK_OPEN)
        return;
    link->driving = true;
    while (!list_empty(&link->ready)) {
        px_fetch *fetch = LIST_ENTRY(link->ready.next, px_fetch, ready);

        list_remove(&fetch->ready);
        fetch_go_on(link, fetch);
    }
    while (link->stage == LINK_OPEN && !link->peer_ended && !link->sending &&
           h2_client_has_output(link->h2) && budget-- > 0)
        if (!rendered_send(link))
            break;
    link->driving = false;
    if (link->stage == LINK_OPEN && budget == UINT32_MAX)
        loop_task_add(link->client->loop, &link->wake);
    if (link->stage == LINK_OPEN && !link->peer_ended && h2_client_is_over(link->h2) &&
        !link->sending)
        h2_link_lost(link, PX_ERR_CLOSED, "the HTTP/2 connection has ended");
    link_settle(link);
}

/* --- Events ----------------------------------------------------------------------------------- */

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct link *link = context;

    (void)stream;
    link->driving = true;
    h2_client_feed(link->h2, link->client->loop->now_ms, bytes);
    link->driving = false;
    h2_link_advance(link);
    return bytes.len;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    (void)stream;
    h2_link_lost(context, reason == PX_OK ? PX_ERR_CLOSED : reason, "the connection ended");
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct link *link = context;

    (void)stream;
    link->sending = false;
    h1_link_out_release(link);
    if (link->stage == LINK_CLOSING)
        return;
    /* What was sent may have been the last of any: from now on it is the server's turn. */
    for (struct list *at = link->fetches.next; at != &link->fetches; at = at->next)
        fetch_wait(LIST_ENTRY(at, px_fetch, on_link));
    if (result != PX_OK)
        h2_link_lost(link, result, "the connection broke");
    else
        h2_link_advance(link);
}

static void on_closed(px_stream *stream, void *context)
{
    (void)stream;
    link_freed(context);
}

static const px_stream_events h2_events = {on_recv, on_recv_end, on_sent, on_closed};

px_err h2_link_open(struct link *link)
{
    const struct h2_client_options options = {.allocator = &link->client->loop->allocator,
                                              .events = &session_events,
                                              .limits = &link->client->limits,
                                              .budget = &link->client->loop->memory};
    px_err err = h2_client_open(&options, link, &link->h2);

    conduit_attach(&link->conduit, &h2_events, link);
    if (err != PX_OK)
        return err;
    list_init(&link->fetches);
    list_init(&link->ready);
    conduit_recv_start(&link->conduit);
    loop_task_add(link->client->loop, &link->wake);
    return PX_OK;
}
