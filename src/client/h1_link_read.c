/*
 * Reading an answer on an HTTP/1.1 connection, in place.
 *
 * Happy path: the head is parsed where it was received and copied once into the fetch's arena, the
 * content is told in slices of what was received, and behind its end the connection is free.  A
 * receiver that uses less than it is shown holds the server back: the rest stays with the stream.
 * What can go wrong: an answer that breaks the protocol or a limit, and one that is cut short.
 */
#include "base/check.h"
#include "base/number.h"
#include "base/options.h"
#include "client/link.h"
#include "http/fields/field.h"
#include "http/message/method.h"

bool h1_link_wants_bytes(const struct link *link)
{
    switch ((enum link_reading)link->reading) {
    case READ_NOTHING:
    case READ_HEAD:
        return true;
    case READ_CONTENT:
    case READ_TUNNEL:
        return !link->fetch || !link->fetch->paused;
    case READ_CLOSED:
        break;
    }
    return false;
}

static px_err refuse(struct link *link, px_err code, const char *why)
{
    fetch_end(link->fetch, code, why);
    return code;
}

/* Whether the fetch is still on the connection after a callback. */
static bool is_on(const struct link *link, const px_fetch *fetch)
{
    return link->stage == LINK_OPEN && link->fetch == fetch && fetch_is_live(fetch);
}

/* --- The end of an answer --------------------------------------------------------------------- */

/* RFC 9112 section 9.3: both ends must agree where this exchange ends. */
static bool may_be_kept(const struct link *link)
{
    return !link->unclean && link->writing == WRITE_DONE && !link->sending && !link->peer_ended &&
           !link->fetch->tunnel;
}

static px_err answer_end(struct link *link)
{
    px_fetch *fetch = link->fetch;
    void (*on_content_end)(px_fetch *, void *) = TABLE_MEMBER(fetch->callbacks, on_content_end);

    if (on_content_end)
        on_content_end(fetch, fetch->context);
    if (!is_on(link, fetch))
        return PX_ERR_CANCELLED;
    h1_link_work_release(link);
    link->served++;
    if (may_be_kept(link)) {
        link->fetch = NULL;
        fetch->link = NULL;
        fetch_end(fetch, PX_OK, NULL);
        conduit_recv_start(&link->conduit);
        link_free(link);
    } else {
        fetch_end(fetch, PX_OK, NULL); /* the connection closes */
    }
    return PX_ERR_CANCELLED; /* there is nothing more to drive */
}

/* --- The head --------------------------------------------------------------------------------- */

/* How long the server keeps the connection (the Keep-Alive field of RFC 2068 section 19.7.1). */
static void keep_alive_read(struct link *link, const struct http_response *answer)
{
    px_str list = field_find_value(answer->fields, answer->field_count, "keep-alive"), element;
    uint64_t seconds;

    while (list.ptr && field_list_next(&list, &element)) {
        const char *equals = memchr(element.ptr, '=', element.len);
        size_t len = equals ? (size_t)(equals - element.ptr) : 0;

        if (!equals || !field_name_is(field_trim(px_str_make(element.ptr, len)), "timeout"))
            continue;
        px_str digits = field_trim(px_str_make(equals + 1, element.len - len - 1));

        if (!number_read(digits, UINT32_MAX / 1000, &seconds))
            continue;
        if (seconds * 1000 <= CLIENT_KEEP_MARGIN_MS)
            link->unclean = true;
        else
            link->keep_ms = (uint32_t)seconds * 1000 - CLIENT_KEEP_MARGIN_MS;
    }
}

static px_err work_take(struct link *link)
{
    px_client *client = link->client;

    link->work = pool_take(&client->works);
    if (!link->work)
        return refuse(link, PX_ERR_MEMORY, "out of memory");
    link->work->content = false;
    link->work->over = false;
    link->work->held = 0;
    h1_parser_init(&link->work->parser, H1_RESPONSE, client->scan, &client->limits,
                   link->work->spans);
    link->work->parser.head_response = link->fetch->request.method_id == METHOD_HEAD;
    return PX_OK;
}

/* 1xx: the final answer is still to come. */
static px_err inform(struct link *link, const struct http_response *response)
{
    px_fetch *fetch = link->fetch;

    fetch->informs.bytes += link->work->parser.head_bytes;
    if (++fetch->informs.count > CLIENT_INFORM_COUNT_MAX ||
        fetch->informs.bytes > link->client->limits.head_bytes_max)
        return refuse(link, PX_ERR_LIMIT, "too many informational answers");
    h1_link_work_release(link);
    if (response->status == 100) {
        if (link->writing == WRITE_HELD)
            link->writing = WRITE_CONTENT;
        return PX_OK;
    }
    if (TABLE_MEMBER(fetch->callbacks, on_inform))
        fetch->callbacks->on_inform(fetch, response->status, response->fields,
                                    response->field_count, fetch->context);
    return is_on(link, fetch) ? PX_OK : PX_ERR_CANCELLED;
}

/* RFC 9110 section 7.8: to what was asked for, and nothing else. */
static bool switches_rightly(const px_fetch *fetch, const struct http_response *response)
{
    px_str to = field_find_value(response->fields, response->field_count, "upgrade");

    return fetch->request.head.connection == H1_CONNECTION_UPGRADE && response->has_upgrade &&
           field_text_equal(to, fetch->request.head.upgrade);
}

static bool opens_tunnel(const px_fetch *fetch, const struct http_response *response)
{
    return response->kind == HTTP_RESPONSE_SWITCHING ||
           (fetch->request.method_id == METHOD_CONNECT && response->status / 100 == 2);
}

static void framing_tell(px_fetch *fetch, const struct h1_parser *parser)
{
    switch ((enum h1_framing)parser->framing) {
    case H1_FRAMING_NONE:
        fetch->content_length = 0;
        break;
    case H1_FRAMING_LENGTH:
        fetch->content_length = parser->content_length;
        break;
    case H1_FRAMING_CHUNKED:
    case H1_FRAMING_CLOSE:
        fetch->content_length = PX_LENGTH_UNKNOWN;
        break;
    }
}

/* The final head is told; then content, a tunnel, or the end. */
static px_err answer_begin(struct link *link)
{
    px_fetch *fetch = link->fetch;
    struct h1_parser *parser = &link->work->parser;

    fetch->stage = FETCH_ANSWERED;
    fetch->tunnel = opens_tunnel(fetch, &fetch->answer);
    framing_tell(fetch, parser);
    if (!parser->keep_alive)
        link->unclean = true;
    if (link->writing == WRITE_HELD)
        link->writing = WRITE_CLOSED; /* RFC 9110 section 10.1.1: the content is not wanted */
    keep_alive_read(link, &fetch->answer);
    if (fetch->tunnel) {
        fetch->content_length = PX_LENGTH_UNKNOWN;
        link->writing = fetch_pulls(fetch) ? WRITE_CONTENT : WRITE_DONE;
        link->reading = READ_TUNNEL;
        fetch->content_sent = 0;
    } else {
        h1_body_init(&link->work->body, (enum h1_framing)parser->framing, parser->content_length,
                     &link->client->loop->allocator);
        link->work->body.response = true;
        link->work->content = true;
        link->work->over = parser->framing == H1_FRAMING_NONE ||
                           (parser->framing == H1_FRAMING_LENGTH && parser->content_length == 0);
        link->reading = READ_CONTENT;
    }
    fetch_moved(fetch);
    if (TABLE_MEMBER(fetch->callbacks, on_head))
        fetch->callbacks->on_head(fetch, fetch->context);
    return is_on(link, fetch) ? PX_OK : PX_ERR_CANCELLED;
}

static px_err head_take(struct link *link, const char *head)
{
    px_fetch *fetch = link->fetch;
    struct h1_parser *parser = &link->work->parser;
    struct http_response response;

    if (h1_response_take(parser, head, &fetch->arena, &response) != PX_OK)
        return refuse(link, PX_ERR_MEMORY, "out of memory");
    link->in_used += parser->head_bytes;
    if (response.kind == HTTP_RESPONSE_INFORMATIONAL)
        return inform(link, &response);
    if (response.kind == HTTP_RESPONSE_SWITCHING && !switches_rightly(fetch, &response))
        return refuse(link, PX_ERR_MALFORMED, "it switched to a protocol that was not asked for");
    fetch->answer = response;
    if (fetch->facts.over_http1)
        link->origin->http1_until_ms = loop_now_ms(link->client->loop) + CLIENT_HTTP1_MS;
    return answer_begin(link);
}

static px_err read_head(struct link *link, px_str bytes)
{
    px_fetch *fetch = link->fetch;

    if (bytes.len == 0 && !link->peer_ended)
        return PX_AGAIN;
    if (bytes.len == 0) {
        link_lost(link, PX_ERR_CLOSED, "the connection ended before an answer");
        return PX_ERR_CLOSED;
    }
    fetch->begun = true;
    fetch->facts.unprocessed = false;
    if (!link->work && work_take(link) != PX_OK)
        return PX_ERR_MEMORY;
    px_err err = h1_parse(&link->work->parser, bytes.ptr, bytes.len);

    if (err == PX_OK)
        return head_take(link, bytes.ptr);
    if (err == PX_AGAIN && link->peer_ended)
        return refuse(link, PX_ERR_CLOSED, "the connection ended inside the answer's head");
    if (err == PX_AGAIN)
        return PX_AGAIN;
    return refuse(link, link->work->parser.too_large ? PX_ERR_LIMIT : PX_ERR_MALFORMED,
                  link->work->parser.reason);
}

/* --- Content ---------------------------------------------------------------------------------- */

/* Shows bytes to the caller: how many of them it used. */
static px_err show(struct link *link, px_str bytes, size_t *out_used)
{
    px_fetch *fetch = link->fetch;

    *out_used = bytes.len;
    if (bytes.len == 0 || !TABLE_MEMBER(fetch->callbacks, on_content))
        return PX_OK;
    *out_used = fetch->callbacks->on_content(fetch, bytes, fetch->context);
    CHECK_RULE(*out_used <= bytes.len, "on_content used more bytes than it was shown");
    if (!is_on(link, fetch))
        return PX_ERR_CANCELLED;
    if (*out_used < bytes.len)
        fetch->paused = true;
    return PX_OK;
}

static px_err trailers_take(struct link *link)
{
    px_fetch *fetch = link->fetch;

    if (!link->work->content || link->work->body.trailer.len == 0)
        return PX_OK;
    if (h1_body_trailers(&link->work->body, &fetch->arena, &fetch->trailers,
                         &fetch->trailer_count) == PX_OK)
        return PX_OK;
    return refuse(link, PX_ERR_MEMORY, "out of memory");
}

/* Hands content over, the last of the bytes that were used; what the caller does not use is shown
 * again, and the end of it all waits behind that. */
static px_err content_hand(struct link *link, px_str content)
{
    struct link_work *work = link->work;
    size_t used;
    px_err err = show(link, content, &used);

    if (err != PX_OK)
        return err;
    work->held += (uint32_t)(content.len - used);
    link->in_used -= content.len - used;
    if (!work->over || work->held > 0)
        return PX_OK;
    err = trailers_take(link);
    return err == PX_OK ? answer_end(link) : err;
}

/* Content that was read before and not used: it lies at the front of the bytes at hand. */
static px_err read_held(struct link *link, px_str bytes)
{
    struct link_work *work = link->work;
    size_t count = work->held < bytes.len ? work->held : bytes.len;

    if (work->held > 0 && count == 0)
        return PX_AGAIN; /* it comes from the loop */
    work->held -= (uint32_t)count;
    link->in_used += count;
    return content_hand(link, px_str_make(bytes.ptr, count));
}

static px_err read_end(struct link *link)
{
    px_err err = h1_body_eof(&link->work->body);

    if (err != PX_OK)
        return refuse(link, PX_ERR_CLOSED, "the connection ended inside the answer's content");
    link->work->over = true;
    return content_hand(link, px_str_make(NULL, 0));
}

static px_err read_content(struct link *link, px_str bytes)
{
    struct link_work *work = link->work;
    px_str content = px_str_make(NULL, 0);
    size_t used = 0;

    if (link->fetch->paused)
        return PX_AGAIN;
    if (work->held > 0 || work->over)
        return read_held(link, bytes);
    if (bytes.len == 0)
        return link->peer_ended ? read_end(link) : PX_AGAIN;
    px_err err = h1_body_read(&work->body, bytes, &used, &content);

    if (err != PX_OK && err != PX_AGAIN)
        return refuse(link, err, work->body.reason ? work->body.reason : "out of memory");
    link->in_used += used;
    work->over = err == PX_OK;
    return content_hand(link, content);
}

/* --- Tunnels ---------------------------------------------------------------------------------- */

static px_err read_tunnel(struct link *link, px_str bytes)
{
    px_fetch *fetch = link->fetch;
    size_t used;

    if (fetch->paused)
        return PX_AGAIN;
    if (bytes.len == 0 && !link->peer_ended)
        return PX_AGAIN;
    if (bytes.len == 0) {
        link->reading = READ_CLOSED;
        if (TABLE_MEMBER(fetch->callbacks, on_content_end))
            fetch->callbacks->on_content_end(fetch, fetch->context);
        return is_on(link, fetch) ? PX_OK : PX_ERR_CANCELLED;
    }
    px_err err = show(link, bytes, &used);

    link->in_used += used;
    return err;
}

/* Both sides have ended. */
static px_err tunnel_end(struct link *link)
{
    if (link->sending || link->writing < WRITE_DONE)
        return PX_AGAIN;
    fetch_end(link->fetch, PX_OK, NULL);
    return PX_ERR_CANCELLED;
}

px_err h1_link_read(struct link *link)
{
    px_str bytes = px_str_make(link->in.ptr + link->in_used, link->in.len - link->in_used);

    ASSERT(link->in_used <= link->in.len);
    switch ((enum link_reading)link->reading) {
    case READ_HEAD:
        return read_head(link, bytes);
    case READ_CONTENT:
        return read_content(link, bytes);
    case READ_TUNNEL:
        return read_tunnel(link, bytes);
    case READ_CLOSED:
        return tunnel_end(link);
    case READ_NOTHING:
        break;
    }
    return PX_AGAIN;
}
