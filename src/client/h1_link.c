/*
 * HTTP/1.1 on a client's connection: the driver, its events, the end of an answer.
 *
 * Every event (bytes, room to write, a fetch that was given to it, px_fetch_resume) is recorded and
 * ends up in h1_link_advance, which is never re-entered.  Happy path: the request is rendered and
 * sent, the answer's head and content are told as they come, and the connection is free again.
 * What can go wrong ends in link_lost (it broke) or fetch_end (the answer cannot stand).
 */
#include "client/link.h"

void h1_link_out_release(struct link *link)
{
    if (link->out)
        pool_put(&link->client->outs, link->out);
    link->out = NULL;
}

void h1_link_work_release(struct link *link)
{
    if (link->h2 || !link->work)
        return;
    if (link->work->content)
        h1_body_deinit(&link->work->body);
    pool_put(&link->client->works, link->work);
    link->work = NULL;
}

/* --- The driver ------------------------------------------------------------------------------- */

static bool is_driven(const struct link *link)
{
    return link->stage == LINK_OPEN && link->fetch && fetch_is_live(link->fetch);
}

/* Nothing more can be done now. */
static void link_rest(struct link *link)
{
    if (h1_link_wants_bytes(link))
        conduit_recv_start(&link->conduit);
    else
        conduit_recv_stop(&link->conduit);
}

void h1_link_advance(struct link *link)
{
    if (link->driving)
        return;
    link->driving = true;
    for (uint32_t budget = CLIENT_STEPS_PER_TURN; is_driven(link); budget--) {
        if (budget == 0) {
            /* Others go on first; bytes that are left bring no event of their own. */
            conduit_recv_stop(&link->conduit);
            loop_task_add(link->client->loop, &link->wake);
            break;
        }
        px_err err = h1_link_write(link);

        if (err == PX_AGAIN)
            err = h1_link_read(link);
        if (err == PX_OK)
            continue;
        if (err == PX_AGAIN)
            link_rest(link);
        else
            CHECK(!is_driven(link));
        break;
    }
    link->driving = false;
    if (link->fetch && !fetch_is_live(link->fetch))
        link_part(link);
}

void h1_link_wake(struct loop_task *task)
{
    struct link *link = CONTAINER_OF(task, struct link, wake);

    if (link->h2)
        h2_link_advance(link);
    else
        h1_link_advance(link);
}

/* --- Events ----------------------------------------------------------------------------------- */

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    struct link *link = context;

    (void)stream;
    if (!link->fetch) {
        /* No request was sent: whatever it is, it is no answer. */
        link_close(link, false);
        return bytes.len;
    }
    if (!fetch_is_live(link->fetch))
        return bytes.len;
    fetch_moved(link->fetch);
    link->in = bytes;
    link->in_used = 0;
    h1_link_advance(link);
    size_t used = link->in_used;

    link->in = px_str_make(NULL, 0);
    link->in_used = 0;
    /* What a kept connection has brought too much. */
    if (link->stage == LINK_OPEN && !link->fetch && used < bytes.len)
        link_close(link, false);
    return link->stage == LINK_OPEN ? used : bytes.len;
}

static void on_recv_end(px_stream *stream, px_err reason, void *context)
{
    struct link *link = context;

    (void)stream;
    if (!link->fetch || !fetch_is_live(link->fetch)) {
        link_close(link, false);
        return;
    }
    if (reason != PX_OK) {
        /* That is no fault of the server's. */
        if (reason == PX_ERR_LIMIT && budget_is_short(&link->client->loop->memory, BUDGET_INBOX))
            fetch_end(link->fetch, PX_ERR_MEMORY, "no memory for what came");
        else if (reason == PX_ERR_LIMIT)
            fetch_end(link->fetch, PX_ERR_LIMIT, "its bytes found no room");
        else
            link_lost(link, reason, "the connection was reset");
        return;
    }
    link->peer_ended = true;
    h1_link_advance(link);
}

static void on_sent(px_stream *stream, px_err result, void *context)
{
    struct link *link = context;

    (void)stream;
    link->sending = false;
    h1_link_out_release(link);
    if (link->stage == LINK_CLOSING) {
        link_part(link);
        return;
    }
    if (!link->fetch)
        return;
    if (result != PX_OK && link->fetch->tunnel) {
        link_lost(link, result, "the connection broke");
        return;
    }
    /* The server may have answered before it closed: its answer is read as long as one comes. */
    if (result != PX_OK)
        link->writing = WRITE_CLOSED;
    fetch_moved(link->fetch);
    h1_link_advance(link);
}

static void on_closed(px_stream *stream, void *context)
{
    (void)stream;
    link_freed(context);
}

static const px_stream_events h1_events = {on_recv, on_recv_end, on_sent, on_closed};

void h1_link_open(struct link *link)
{
    conduit_attach(&link->conduit, &h1_events, link);
    if (!link->origin->trust)
        link->stream->handle.flags |= STREAM_FRUGAL;
    conduit_recv_start(&link->conduit);
}
