/*
 * A request on its way through: the side of the fetch.
 *
 * Happy path: content is pulled, the head of the answer is written anew, its content is kept until
 * the client takes it.  What can go wrong is decided in fetch_ended, and nowhere else.
 */
#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "exchange/exchange.h"
#include "exchange/upstream.h"
#include "http/message/trailer.h"
#include "pollux/request.h"
#include "proxy/answer_head.h"
#include "proxy/passage.h"
#include "proxy/proxy_status.h"
#include "proxy/request_head.h"

/* --- Content of the request ------------------------------------------------------------------- */

/* The trailer section of the request goes on behind its content: false without memory. */
static bool trailers_pass(const struct passage *passage, px_fetch *fetch)
{
    bool underscores = passage->proxy->options.underscores == 1;
    struct connection_names names;
    size_t count, field_count;
    const px_field *trailers = px_request_trailers(passage->exchange, &count);
    const px_field *fields = px_request_fields(passage->exchange, &field_count);

    /* A head that names too much was refused. */
    if (count == 0 || connection_names_read(fields, field_count, &names) != PX_OK)
        return true;
    for (size_t index = 0; index < count; index++)
        if (request_trailer_passes(&names, trailers[index].name, underscores) &&
            px_fetch_add_trailer(fetch, trailers[index].name, trailers[index].value) ==
                PX_ERR_MEMORY)
            return false;
    return true;
}

static px_pull pull(px_fetch *fetch, char *out, size_t room, size_t *out_bytes, void *context)
{
    struct passage *passage = context;

    if (passage->held) {
        passage->held = false;
        px_request_resume(passage->exchange);
    }
    px_pull result = flow_take(&passage->request, out, room, out_bytes);

    kept_note(passage, *out_bytes);

    passage->starved = result == PX_PULL_LATER;
    if (passage->starved)
        place_note(passage, 0);
    if (flow_let_go(&passage->request) && passage->exchange)
        px_request_resume(passage->exchange);
    if (result == PX_PULL_END && passage->stage != PASSAGE_TUNNEL && passage->exchange &&
        !trailers_pass(passage, fetch))
        return PX_PULL_ERROR;
    return result;
}

/* --- The answer ------------------------------------------------------------------------------- */

/* RFC 9110 section 15.2: all but 100 go on. */
static void on_inform(px_fetch *fetch, unsigned status, const px_field *fields, size_t field_count,
                      void *context)
{
    struct passage *passage = context;

    (void)fetch;
    if (!passage->exchange)
        return;
    answer_inform(passage->exchange, status, fields, field_count);
}

/* Gives content to the exchange as it asks for it. */
static px_pull answer_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                           void *context)
{
    struct passage *passage = context;
    px_pull result = flow_take(&passage->answer, out, room, out_bytes);
    ASSERT(*out_bytes <= room);

    (void)exchange;
    if (flow_let_go(&passage->answer) && passage->fetch)
        px_fetch_resume(passage->fetch);
    flow_trim(&passage->answer);
    kept_note(passage, *out_bytes);
    place_note(passage, *out_bytes);
    return result;
}

/* What a HEAD says of content (RFC 9110 section 9.3.2), though none follows. */
static uint64_t length_of(const struct passage *passage)
{
    uint64_t length = px_fetch_content_length(passage->fetch);
    px_str text = px_fetch_field(passage->fetch, "Content-Length");

    if (!px_request_method_is(passage->exchange, "HEAD"))
        return length;
    return text.ptr && number_read(text, PX_LENGTH_UNKNOWN - 1, &length) ? length
                                                                         : PX_LENGTH_UNKNOWN;
}

/* RFC 9110 section 15.5.22: 426 says what to upgrade to; over HTTP/2 there is no such field. */
static void upgrade_offer(struct passage *passage)
{
    px_str wanted = px_fetch_field(passage->fetch, "Upgrade");

    if (!wanted.ptr || px_request_version(passage->exchange) != 11)
        return;
    px_str copy = arena_copy(&passage->arena, wanted);

    if (copy.ptr)
        exchange_offer_upgrade(passage->exchange, copy);
}

static void answer_begin(struct passage *passage)
{
    px_exchange *exchange = passage->exchange;
    unsigned status = px_fetch_status(passage->fetch);
    const px_producer producer = {
        .struct_size = sizeof(px_producer), .pull = answer_pull, .context = passage};
    size_t count;
    const px_field *fields = px_fetch_fields(passage->fetch, &count);

    CHECK(passage->stage == PASSAGE_TRYING);
    if (status > 599 || tunnel_is_faked(passage, status) ||
        answer_head_set(exchange, fields, count) != PX_OK) {
        px_fetch_cancel(passage->fetch);
        passage_refuse(passage, 502, "an answer that cannot be passed on", "http_protocol_error");
        return;
    }
    px_str via = via_element(&passage->arena, px_fetch_version(passage->fetch),
                             px_str_of(passage->proxy->name));

    if (via.ptr)
        px_response_add_field(exchange, px_str_of("Via"), via);
    if (passage->proxy->upstream->sticky)
        sticky_set(passage->proxy->upstream, passage->server, exchange);
    if (status == 426)
        upgrade_offer(passage);
    passage->stage = PASSAGE_ANSWERING;
    px_respond_producer(exchange, status, px_str_make(NULL, 0), length_of(passage), &producer);
}

static void on_head(px_fetch *fetch, void *context)
{
    struct passage *passage = context;

    if (!passage->exchange) {
        px_fetch_cancel(fetch);
        return;
    }
    exchange_upstream_answer(passage->exchange, px_fetch_status(fetch));
    upstream_counts_first_byte(passage->proxy->upstream,
                               px_loop_now_ms(passage->proxy->loop) - passage->started_ms);
    if (!px_fetch_is_tunnel(fetch)) {
        answer_begin(passage);
    } else if (tunnel_open(passage) != PX_OK) {
        px_fetch_cancel(fetch);
        passage_refuse(passage, 502, "a switch of protocols that was not agreed on",
                       "http_upgrade_failed");
    }
}

static size_t on_content(px_fetch *fetch, px_str bytes, void *context)
{
    struct passage *passage = context;
    size_t sent, used;

    if (!passage->exchange || passage->stage == PASSAGE_REFUSED)
        return bytes.len;
    if (passage->stage == PASSAGE_TUNNEL)
        return tunnel_send(passage, bytes);
    /* From where it lies, as far as the client takes it; what is left is kept for it. */
    sent = flow_len(&passage->answer) == 0 ? px_response_offer(passage->exchange, bytes) : 0;
    if (sent == bytes.len) {
        place_note(passage, sent);
        return sent;
    }
    if (kept_put(passage, &passage->answer, px_str_make(bytes.ptr + sent, bytes.len - sent),
                 &used) != PX_OK) {
        px_fetch_cancel(fetch);
        return bytes.len;
    }
    place_note(passage, sent);
    px_resume(passage->exchange);
    return sent + used;
}

static void trailers_add(struct passage *passage)
{
    size_t count;
    const px_field *fields = px_fetch_trailers(passage->fetch, &count);
    const struct connection_names none = {.count = 0};

    if (!passage->wants_trailers)
        return;
    for (size_t index = 0; index < count; index++)
        if (!trailer_is_dropped(fields[index].name) &&
            answer_field_passes(&none, fields[index].name))
            px_response_add_trailer(passage->exchange, fields[index].name, fields[index].value);
}

static void on_content_end(px_fetch *fetch, void *context)
{
    struct passage *passage = context;

    (void)fetch;
    if (!passage->exchange)
        return;
    if (passage->stage == PASSAGE_TUNNEL) {
        px_response_end(passage->exchange);
        return;
    }
    if (passage->stage != PASSAGE_ANSWERING)
        return;
    trailers_add(passage);
    passage->answer.ended = true;
    px_resume(passage->exchange);
}

/* --- The end ---------------------------------------------------------------------------------- */

static enum server_result result_of(const px_error *error)
{
    switch (error->code) {
    case PX_OK:
        return SERVER_ANSWERED;
    case PX_ERR_CANCELLED:
    case PX_ERR_MEMORY:
    case PX_ERR_INVALID:
        return SERVER_LEFT;
    default:
        return SERVER_FAILED;
    }
}

static unsigned status_of(const px_error *error)
{
    switch (error->code) {
    case PX_ERR_TIMEOUT:
        return 504;
    case PX_ERR_MEMORY:
        return 503;
    default:
        return 502;
    }
}

/* RFC 9112 section 9.3.1: a kept connection that the server closes as we use it is no failure of
 * the server, and no try: what follows is one on a new connection. */
static bool was_stale(const px_fetch_facts *facts)
{
    return facts->stale != 0;
}

/* Whether it may be sent again, to which server: docs/PROXY.md has this as a table. */
static bool may_repeat(struct passage *passage, const px_error *error, const px_fetch_facts *facts)
{
    const px_proxy_options *options = &passage->proxy->options;
    bool untouched = facts->unprocessed || facts->tries == 0;
    bool broke_off = error->code == PX_ERR_CLOSED && !facts->answered;

    uint32_t counted = passage->tries - (was_stale(facts) ? 1U : 0U);

    if (counted >= options->tries || result_of(error) != SERVER_FAILED || facts->answered)
        return false;
    if (passage->due_ms > 0 && px_loop_now_ms(passage->proxy->loop) >= passage->due_ms)
        return false;
    if (!untouched &&
        !(broke_off && passage->idempotent && (was_stale(facts) || options->retry_disconnect)))
        return false;
    if (!flow_rewind(&passage->request) ||
        !(was_stale(facts) || upstream_retry(passage->proxy->upstream)))
        return false;
    upstream_counts_retry(passage->proxy->upstream, facts->tries == 0    ? RETRY_UNSENT
                                                    : facts->unprocessed ? RETRY_UNPROCESSED
                                                    : was_stale(facts)   ? RETRY_REUSED
                                                                         : RETRY_DISCONNECT);
    return true;
}

static void repeat(struct passage *passage, const px_fetch_facts *facts)
{
    passage->comes_again = true;
    passage->ask.flags &= ~(uint32_t)PX_FETCH_FRESH;
    if (facts->wants_http1) {
        passage->ask.flags |= PX_FETCH_OVER_HTTP1;
        tried_drop(&passage->tried); /* that is what it has asked for */
    } else if (was_stale(facts)) {
        passage->ask.flags |= PX_FETCH_FRESH;
        tried_drop(&passage->tried); /* the same server may have it */
        passage->tries--;
    }
    passage_try(passage);
}

static void cut(struct passage *passage, const px_error *error)
{
    passage_tell(passage, 0, error->text);
    passage->answer.broken = true;
    exchange_upstream_break(passage->exchange);
    if (passage->stage == PASSAGE_TUNNEL)
        px_exchange_abort(passage->exchange);
    else
        px_resume(passage->exchange);
}

/* What follows for the client. */
static void go_on(struct passage *passage, const px_error *error, const px_fetch_facts *facts)
{
    if (!passage->exchange) {
        passage_settle(passage);
        return;
    }
    /* What is left of the request is not wanted any more. */
    if (passage->stage != PASSAGE_TRYING || error->code == PX_OK) {
        flow_drop(&passage->request);
        kept_note(passage, 0);
        px_request_resume(passage->exchange);
    }
    if (passage->stage == PASSAGE_REFUSED)
        return;
    if (passage->stage == PASSAGE_TRYING) {
        if (may_repeat(passage, error, facts))
            repeat(passage, facts);
        else
            passage_refuse(passage, status_of(error), error->text, proxy_status_of(error, facts));
    } else if (error->code != PX_OK) {
        cut(passage, error);
    }
}

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct passage *passage = context;
    px_fetch_facts facts = {.struct_size = sizeof(facts)};
    enum server_result result = result_of(error);

    CHECK(passage->fetch == fetch && passage->server);
    px_fetch_tell(fetch, &facts);
    passage->fetch = NULL;
    place_give(passage);
    if (result == SERVER_FAILED && was_stale(&facts))
        result = SERVER_LEFT;
    px_upstream *upstream = upstream_take(passage->proxy->upstream);

    if (facts.tries > 0)
        upstream_counts_connection(upstream, facts.reused != 0, facts.connect_ms);
    server_done(upstream, passage->server, result);
    passage->server = NULL;
    go_on(passage, error, &facts);
    upstream_serve(upstream);
    upstream_put(upstream);
}

const px_fetch_callbacks passage_fetch_callbacks = {.struct_size = sizeof(passage_fetch_callbacks),
                                                    .on_inform = on_inform,
                                                    .on_head = on_head,
                                                    .on_content = on_content,
                                                    .on_content_end = on_content_end,
                                                    .pull = pull,
                                                    .on_end = on_end};
