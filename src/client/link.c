/*
 * Connections of a client: from dialling over the TLS handshake to the protocol, and their end.
 *
 * Happy path: an address is dialled, what every connection begins with is sent, TLS is spoken where
 * it is asked for, the protocol opens and the first fetch that waits is given to it.  What can go
 * wrong: no server is there, the handshake fails, the server closes.  A connection is freed when
 * its stream has closed, and nowhere else.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "client/link.h"

/* Longer than it is kept, where a request waits that may take it. */
enum { MAY_BE_TAKEN_MS = 1000 };

/* --- Its end ---------------------------------------------------------------------------------- */

void link_freed(struct link *link)
{
    px_client *client = link->client;
    struct origin *origin = link->origin;

    CHECK(!list_linked(&link->idle) && !list_linked(&link->aged));
    timer_deinit(&client->loop->timers, &link->timer);
    list_remove(&link->wake.node);
    list_remove(&link->node);
    CHECK(!link->fetch && link_is_unused(link) && (link->h2 || !link->work));
    h1_link_out_release(link);
    h2_client_close(link->h2);
    pool_put(&client->links, link);
    /* Where there was no room, there is some now; and the fetch that was to have this one needs
     * another. */
    if (origin->waiting_count > origin->opening_count)
        origin_want(origin);
    else if (!list_empty(&client->wanting))
        loop_task_add(client->loop, &client->serve);
    origin_put(origin);
}

static void idle_leave(struct link *link)
{
    list_remove(&link->idle);
    if (!list_linked(&link->aged))
        return;
    list_remove(&link->aged);
    CHECK(link->origin->idle_count > 0);
    link->origin->idle_count--;
}

void link_part(struct link *link)
{
    px_fetch *fetch = link->fetch;

    /* What was cut short never looks complete. */
    if (link->stage != LINK_CLOSING)
        link_close(link, !fetch || fetch->error.code != PX_OK);
    if (!fetch || link->sending || link->driving)
        return; /* a send uses its memory, or a callback the block: their end comes first */
    h1_link_out_release(link);
    h1_link_work_release(link);
    link->fetch = NULL;
    fetch_left(fetch);
}

void link_close(struct link *link, bool reset)
{
    if (link->stage == LINK_CLOSING)
        return;
    CHECK(!link->fetch || !fetch_is_live(link->fetch));
    if (link->stage < LINK_OPEN)
        link->origin->opening_count--;
    CHECK(link->origin->link_count > 0);
    link->origin->link_count--;
    idle_leave(link);
    link->stage = LINK_CLOSING;
    list_remove(&link->wake.node);
    timer_stop(&link->client->loop->timers, &link->timer);
    if (link->dial)
        px_dial_cancel(link->dial);
    else if (link->stream && reset)
        conduit_reset(&link->conduit);
    else if (link->stream)
        conduit_close(&link->conduit);
}

/* Where TLS has broken, what it says is more than that the connection has. */
static const char *lost_reason(const struct link *link, const char *why, char *text, size_t room)
{
    const struct tls_session *session = &tls_conduit_of(&link->conduit)->session;

    if (!conduit_is_tls(&link->conduit) || !session->failed)
        return why;
    snprintf(text, room, "TLS failed: %s", tls_session_reason(session));
    return text;
}

void link_lost(struct link *link, px_err reason, const char *why)
{
    char text[PX_ERROR_TEXT_BYTES];
    px_fetch *fetch = link->fetch;

    if (!fetch || !fetch_is_live(fetch)) {
        link_close(link, true);
        return;
    }
    if (fetch->stage == FETCH_SENT && conduit_sent_bytes(&link->conduit) == link->sent_base)
        fetch->facts.unprocessed = true;
    fetch->facts.stale = fetch->facts.kept && !fetch->begun && reason == PX_ERR_CLOSED;
    if (reason == PX_ERR_CLOSED && fetch_may_repeat(fetch)) {
        fetch->stage = FETCH_AGAIN;
        fetch->again = true;
        link_part(link);
        return;
    }
    fetch_end(fetch, reason, lost_reason(link, why, text, sizeof(text)));
}

/* --- Opening ---------------------------------------------------------------------------------- */

/* It has not come about. */
static void link_failed(struct link *link, const px_error *error)
{
    if (link->stage == LINK_CLOSING)
        return;
    link_close(link, true);
    origin_refuse(link->origin, error);
}

/* What ALPN has settled, or what was known before. */
static bool speaks_h2(const struct link *link)
{
    if (conduit_is_tls(&link->conduit))
        return tls_conduit_of(&link->conduit)->session.http2;
    return link->origin->protocol == PX_FETCH_HTTP2 && !link->http1;
}

static void link_opened(struct link *link)
{
    struct origin *origin = link->origin;
    px_error error;

    CHECK(link->stage == LINK_HANDSHAKE && origin->opening_count > 0);
    if (!speaks_h2(link)) {
        if (origin->protocol == PX_FETCH_HTTP2 && !link->http1) {
            error_set(&error, PX_ERR_MALFORMED, 0, "%s: the server does not speak HTTP/2",
                      origin->address);
            link_failed(link, &error);
            return;
        }
        if (!link->http1)
            origin->only_http1 = true;
        h1_link_open(link);
    } else if (h2_link_open(link) != PX_OK) {
        error_set(&error, PX_ERR_MEMORY, 0, "%s: out of memory", origin->address);
        link_failed(link, &error);
        return;
    }
    link->origin->opening_count--;
    link->stage = LINK_OPEN;
    link->made_ms = (uint32_t)(link->client->loop->now_ms - link->due_ms);
    timer_stop(&link->client->loop->timers, &link->timer);
    link_free(link);
}

static void on_due(struct io_timer *timer)
{
    struct link *link = CONTAINER_OF(timer, struct link, timer);
    px_error error;

    if (link->stage < LINK_OPEN) {
        error_set(&error, PX_ERR_TIMEOUT, 0, "%s: the TLS handshake took too long",
                  link->origin->address);
        link_failed(link, &error);
        return;
    }
    if (!list_linked(&link->aged) || link->due_ms == UINT64_MAX)
        return; /* it is set anew when the connection is kept again */
    uint64_t due_ms = link->due_ms + (link->origin->waiting_count > 0 ? MAY_BE_TAKEN_MS : 0);

    if (link->client->loop->now_ms < due_ms)
        timer_start(&link->client->loop->timers, timer, due_ms);
    else
        link_close(link, false);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void on_opened(struct tls_conduit *tls, void *context)
{
    (void)tls;
    link_opened(context);
}

static void on_failed(struct tls_conduit *tls, px_err reason, void *context)
{
    struct link *link = context;
    px_error error;
    px_err code = tls_session_distrusts(&tls->session) ? PX_ERR_PERMISSION : reason;

    error_set(&error, code, 0, "%s: %s%s", link->origin->address,
              code == PX_ERR_PERMISSION ? "its certificate is not trusted: " : "TLS failed: ",
              reason == PX_ERR_MALFORMED ? tls_session_reason(&tls->session)
              : reason == PX_ERR_MEMORY  ? "out of memory"
                                         : "the connection was closed");
    link_failed(link, &error);
}

static void on_dropped(struct tls_conduit *tls, size_t bytes, void *context)
{
    (void)tls;
    (void)bytes;
    (void)context;
}

/* A server that has not read our close_notify has nothing to lose by it. */
static bool on_linger(struct tls_conduit *tls, void *context)
{
    (void)tls;
    (void)context;
    return false;
}

static void on_parted(struct tls_conduit *tls, void *context)
{
    (void)tls;
    (void)context;
}

static void on_gone(struct tls_conduit *tls, void *context)
{
    (void)tls;
    link_freed(context);
}

static const struct tls_owner tls_owner = {
    .opened = on_opened,
    .failed = on_failed,
    .dropped = on_dropped,
    .linger = on_linger,
    .parted = on_parted,
    .gone = on_gone,
};

static void on_closed(px_stream *stream, void *context)
{
    (void)stream;
    link_freed(context);
}

static const px_stream_events no_conduit_events = {NULL, NULL, NULL, on_closed};

static enum tls_offer offer_of(const struct link *link)
{
    uint8_t protocol = link->origin->protocol;

    if (link->http1)
        return TLS_OFFER_HTTP1;
    if (protocol == PX_FETCH_HTTP2)
        return TLS_OFFER_HTTP2;
    return protocol == PX_FETCH_AUTO && h2_client_is_there() ? TLS_OFFER_BOTH : TLS_OFFER_HTTP1;
}

static void tls_begin(struct link *link)
{
    struct origin *origin = link->origin;
    struct tls_shared *shared = client_tls(link->client);
    uint32_t handshake_ms = tls_trust_handshake_ms(origin->trust);
    px_error error;

    if (handshake_ms != PX_OFF)
        timer_start(&link->client->loop->timers, &link->timer,
                    link->client->loop->now_ms + handshake_ms);
    if (shared && tls_conduit_connect(shared, &link->conduit, link->stream, origin->trust,
                                      origin->name, offer_of(link), &tls_owner, link))
        return;
    px_stream_attach(link->stream, &no_conduit_events, link);
    error_set(&error, PX_ERR_MEMORY, 0, "%s: out of memory", origin->address);
    link_failed(link, &error);
}

/* --- Dialling --------------------------------------------------------------------------------- */

static void link_secure(struct link *link)
{
    link->stage = LINK_HANDSHAKE;
    if (link->origin->trust)
        tls_begin(link);
    else
        link_opened(link);
}

static void on_preamble_end(px_stream *stream, px_err reason, void *context)
{
    struct link *link = context;
    px_error error;

    (void)stream;
    (void)reason;
    error_set(&error, PX_ERR_CLOSED, 0, "%s: the connection was closed", link->origin->address);
    link_failed(link, &error);
}

static void on_preamble_sent(px_stream *stream, px_err result, void *context)
{
    if (result == PX_OK)
        link_secure(context);
    else if (result != PX_ERR_CANCELLED)
        on_preamble_end(stream, result, context);
}

static const px_stream_events preamble_events = {NULL, on_preamble_end, on_preamble_sent,
                                                 on_closed};

static void on_dialled(px_stream *stream, const px_error *error, void *context)
{
    struct link *link = context;
    struct origin *origin = link->origin;

    link->dial = NULL;
    if (!stream) {
        link_failed(link, error);
        link_freed(link);
        return;
    }
    link->stream = stream;
    conduit_plain_init(&link->conduit, stream);
    px_stream_set_inbox(stream, link->client->options.head_bytes_max + RECV_CHUNK_BYTES);
    px_stream_attach(stream, &preamble_events, link);
    if (link->stage == LINK_CLOSING) {
        px_stream_close(stream);
        return;
    }
    link->preamble.bytes = origin->preamble;
    if (origin->preamble.len == 0 || px_stream_send(stream, &link->preamble, 1) == PX_SENT_DONE)
        link_secure(link);
}

px_err link_open(struct origin *origin, const px_fetch *first, px_error *out_error)
{
    px_client *client = origin->client;
    px_dial_options options = PX_DIAL_OPTIONS_DEFAULT;
    struct link *link = pool_take(&client->links);

    if (!link)
        return error_set(out_error, PX_ERR_MEMORY, 0, "%s: out of memory", origin->address);
    memset(&link->node, 0, sizeof(*link) - offsetof(struct link, node));
    if (timer_init(&client->loop->timers, &link->timer, on_due) != PX_OK) {
        pool_put(&client->links, link);
        return error_set(out_error, PX_ERR_MEMORY, 0, "%s: out of memory", origin->address);
    }
    link->client = client;
    link->origin = origin;
    link->http1 = origin_takes_http1(origin, first);
    link->due_ms = client->loop->now_ms;
    list_init(&link->idle);
    list_init(&link->aged);
    loop_task_init(&link->wake, h1_link_wake);
    options.address_timeout_ms = first->connect_ms;
    options.timeout_ms = first->connect_ms <= UINT32_MAX / 2 ? 2 * first->connect_ms : UINT32_MAX;
    link->dial = dial_start_named(client->loop, origin->address, &options, &client->names,
                                  on_dialled, link, out_error);
    if (!link->dial) {
        timer_deinit(&client->loop->timers, &link->timer);
        pool_put(&client->links, link);
        return out_error->code;
    }
    list_append(&client->open, &link->node);
    origin->uses++;
    origin->link_count++;
    origin->opening_count++;
    return PX_OK;
}

/* --- With a fetch, and without ---------------------------------------------------------------- */

void link_take(struct link *link, px_fetch *fetch)
{
    CHECK(link->stage == LINK_OPEN && !link->fetch && !fetch->link);
    CHECK(fetch->origin == link->origin && fetch->stage == FETCH_WAITING);
    idle_leave(link);
    if (link->h2)
        link->unclean |= (fetch->request.flags & PX_FETCH_FRESH) != 0;
    fetch->link = link;
    fetch->stage = FETCH_SENT;
    fetch->facts.reused = link->served > 0;
    fetch->facts.kept = link->served > 0 || link->kept;
    fetch->dialled_ms = fetch->facts.reused ? 0 : link->made_ms;
    fetch->facts.unprocessed = false;
    fetch->facts.stale = false;
    fetch->tries++;
    if (link->h2) {
        h2_link_take(link, fetch);
        if (fetch->link)
            fetch_moved(fetch);
        loop_task_add(link->client->loop, &link->wake);
        return;
    }
    link->fetch = fetch;
    link->reading = READ_HEAD;
    link->writing = WRITE_HEAD;
    link->chunked = false;
    link->unclean = (fetch->request.flags & PX_FETCH_FRESH) != 0;
    link->sent_base = conduit_sent_bytes(&link->conduit);
    link->sent_seen = link->sent_base;
    fetch_moved(fetch);
    loop_task_add(link->client->loop, &link->wake);
}

void link_free(struct link *link)
{
    px_client *client = link->client;
    uint32_t keep_ms = client->options.keep_timeout_ms;

    CHECK(link->stage == LINK_OPEN && !link->fetch);
    link->reading = READ_NOTHING;
    link->writing = WRITE_NOTHING;
    if (link->keep_ms != 0 && link->keep_ms < keep_ms)
        keep_ms = link->keep_ms;
    if (keep_ms == PX_OFF) {
        link->due_ms = UINT64_MAX;
    } else {
        link->due_ms = loop_now_ms(client->loop) + keep_ms;
        if (!timer_started(&link->timer) || link->timer.due_ms > link->due_ms)
            timer_start(&client->loop->timers, &link->timer, link->due_ms);
    }
    origin_keep(link->origin, link);
}
