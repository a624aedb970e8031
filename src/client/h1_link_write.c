/*
 * Writing a request on an HTTP/1.1 connection.
 *
 * Happy path: the head is rendered into a block and leaves in one send, with content that is short
 * behind it in the block and content that is long from where it lies.  Content that is pulled is
 * rendered into blocks as the caller gives it and the server takes it.  What can go wrong: the
 * caller gives another length than it said, or cannot go on.
 */
#include "client/link.h"

#include "base/check.h"

enum { CHUNK_END_BYTES = 2, CHUNK_LAST_BYTES = 5 };

static px_err out_take(struct link *link)
{
    if (link->out)
        return PX_OK;
    link->out = pool_take(&link->client->outs);
    if (!link->out) {
        fetch_end(link->fetch, PX_ERR_MEMORY, "out of memory");
        return PX_ERR_MEMORY;
    }
    link->out->len = 0;
    link->out->part_count = 0;
    return PX_OK;
}

static size_t out_room(const struct link_out *out)
{
    return sizeof(out->bytes) - out->len;
}

/* Hands the block, with what is in front of it and `content` behind, to the conduit: PX_OK when it
 * is out, PX_AGAIN while it is in flight. */
static px_err out_send(struct link *link, px_str content)
{
    struct link_out *out = link->out;

    CHECK(out && out->part_count < ARRAY_COUNT(out->parts) && !link->sending);
    if (out->len > 0)
        out->parts[out->part_count++] = (px_part){.bytes = px_str_make(out->bytes, out->len)};
    if (content.len > 0)
        out->parts[out->part_count++] = (px_part){.bytes = content};
    link->sending = conduit_send(&link->conduit, out->parts, out->part_count) == PX_SENT_PENDING;
    if (link->sending)
        return PX_AGAIN;
    h1_link_out_release(link);
    fetch_moved(link->fetch);
    return PX_OK;
}

/* --- The head --------------------------------------------------------------------------------- */

/* Renders the head into the block, or where it is too large into the fetch's arena. */
static px_err head_render(struct link *link)
{
    px_fetch *fetch = link->fetch;
    struct link_out *out = link->out;
    size_t room = h1_request_room(&fetch->request.head);
    bool fits = room <= out_room(out);
    char *at = fits ? out->bytes : arena_take_text(&fetch->arena, room);

    CHECK(out->len == 0 && out->part_count == 0);
    if (!at) {
        fetch_end(fetch, PX_ERR_MEMORY, "out of memory");
        return PX_ERR_MEMORY;
    }
    size_t bytes = (size_t)(h1_write_request(&fetch->request.head, at) - at);

    if (fits)
        out->len = (uint32_t)bytes;
    else
        out->parts[out->part_count++] = (px_part){.bytes = px_str_make(at, bytes)};
    return PX_OK;
}

static px_err write_head(struct link *link)
{
    px_fetch *fetch = link->fetch;
    const struct fetch_request *request = &fetch->request;
    bool expects = (request->flags & PX_FETCH_EXPECT) && request->head.framing != H1_FRAMING_NONE;
    px_str content = request->content;

    if (out_take(link) != PX_OK || head_render(link) != PX_OK)
        return PX_ERR_CANCELLED;
    link->chunked = request->head.framing == H1_FRAMING_CHUNKED;
    if (request->head.framing == H1_FRAMING_NONE) {
        link->writing = WRITE_DONE; /* what a tunnel brings comes when there is one */
        return out_send(link, px_str_make(NULL, 0));
    }
    if (expects) {
        link->writing = WRITE_HELD;
        return out_send(link, px_str_make(NULL, 0));
    }
    link->writing = WRITE_CONTENT;
    if (fetch_pulls(fetch))
        return PX_OK; /* it leaves with what is pulled */
    link->writing = WRITE_DONE;
    fetch->content_sent = content.len;
    if (content.len > OUT_COPY_BYTES_MAX || content.len > out_room(link->out))
        return out_send(link, content);
    text_write_str(link->out->bytes + link->out->len, content);
    link->out->len += (uint32_t)content.len;
    return out_send(link, px_str_make(NULL, 0));
}

/* --- Content ---------------------------------------------------------------------------------- */

static px_err content_fail(struct link *link, px_err code, const char *why)
{
    fetch_end(link->fetch, code, why);
    return code;
}

/* The last chunk and the trailer section behind it (RFC 9112 section 7.1.2), in the fetch's arena:
 * absent without memory. */
static px_str trailers_render(px_fetch *fetch)
{
    const struct fetch_request *request = &fetch->request;
    size_t bytes = CHUNK_LAST_BYTES;

    for (uint32_t index = 0; index < request->trailer_count; index++)
        bytes += request->trailers[index].name.len + request->trailers[index].value.len + 4;
    char *text = arena_take_text(&fetch->arena, bytes), *at = text;

    if (!text)
        return px_str_make(NULL, 0);
    at = TEXT_WRITE_LITERAL(at, "0\r\n");
    for (uint32_t index = 0; index < request->trailer_count; index++) {
        at = text_write_str(at, request->trailers[index].name);
        at = TEXT_WRITE_LITERAL(at, ": ");
        at = text_write_str(at, request->trailers[index].value);
        at = TEXT_WRITE_LITERAL(at, "\r\n");
    }
    at = TEXT_WRITE_LITERAL(at, "\r\n");
    CHECK((size_t)(at - text) == bytes);
    return px_str_make(text, bytes);
}

/* The last chunk (RFC 9112 section 7.1), or the end of our side of a tunnel. */
static px_err content_end(struct link *link)
{
    struct link_out *out = link->out;

    ASSERT(!link->chunked || out_room(out) >= CHUNK_LAST_BYTES);

    if (link->chunked && link->fetch->request.trailer_count > 0) {
        px_str text = trailers_render(link->fetch);

        if (!text.ptr)
            return content_fail(link, PX_ERR_MEMORY, "out of memory");
        link->writing = WRITE_DONE;
        return out_send(link, text);
    }
    if (link->chunked) {
        memcpy(out->bytes + out->len, "0\r\n\r\n", CHUNK_LAST_BYTES);
        out->len += CHUNK_LAST_BYTES;
    }
    link->writing = WRITE_DONE;
    if (out->len > 0 || out->part_count > 0)
        return out_send(link, px_str_make(NULL, 0));
    h1_link_out_release(link);
    fetch_moved(link->fetch); /* from now on it waits for the answer */
    return PX_OK;
}

static px_err pull_once(struct link *link)
{
    px_fetch *fetch = link->fetch;
    struct link_out *out = link->out;
    size_t head = link->chunked ? H1_CHUNK_HEAD_BYTES : 0;
    size_t tail = link->chunked ? CHUNK_END_BYTES + CHUNK_LAST_BYTES : 0;
    char *at = out->bytes + out->len + head;
    size_t bytes = 0;

    px_pull pull =
        fetch->callbacks->pull(fetch, at, out_room(out) - head - tail, &bytes, fetch->context);

    if (link->stage != LINK_OPEN || !fetch_is_live(fetch))
        return PX_ERR_CANCELLED;
    CHECK_RULE(bytes <= out_room(out) - head - tail, "pull wrote more than there was room for");
    if (pull == PX_PULL_ERROR)
        return content_fail(link, PX_ERR_CANCELLED, "the content of the request broke off");
    if (pull == PX_PULL_LATER)
        bytes = 0;
    if (!fetch_length_holds(fetch, bytes, pull == PX_PULL_END))
        return content_fail(link, PX_ERR_INVALID, "the content has another length than was said");
    fetch->content_sent += bytes;
    if (bytes > 0) {
        if (link->chunked) {
            h1_write_chunk_head(at - head, (uint32_t)bytes);
            memcpy(at + bytes, "\r\n", CHUNK_END_BYTES);
        }
        out->len += (uint32_t)(head + bytes + (link->chunked ? CHUNK_END_BYTES : 0));
    }
    if (pull == PX_PULL_END)
        return content_end(link);
    if (pull == PX_PULL_LATER) {
        link->writing = WRITE_LATER;
        return out->len > 0 || out->part_count > 0 ? out_send(link, px_str_make(NULL, 0)) : PX_OK;
    }
    return PX_OK;
}

static px_err write_content(struct link *link)
{
    px_fetch *fetch = link->fetch;

    if (out_take(link) != PX_OK)
        return PX_ERR_MEMORY;
    if (!fetch_pulls(fetch)) {
        link->writing = WRITE_DONE;
        fetch->content_sent = fetch->request.content.len;
        return out_send(link, fetch->request.content);
    }
    if (out_room(link->out) < OUT_BYTES / 4)
        return out_send(link, px_str_make(NULL, 0));
    return pull_once(link);
}

px_err h1_link_write(struct link *link)
{
    if (link->sending)
        return PX_AGAIN;
    switch ((enum link_writing)link->writing) {
    case WRITE_HEAD:
        return write_head(link);
    case WRITE_CONTENT:
        return write_content(link);
    case WRITE_DONE:
        if (!link->fetch->tunnel || !fetch_pulls(link->fetch))
            break;
        link->writing = WRITE_SHUT;
        conduit_shutdown(&link->conduit);
        return PX_OK;
    case WRITE_NOTHING:
    case WRITE_HELD:
    case WRITE_LATER:
    case WRITE_SHUT:
    case WRITE_CLOSED:
        break;
    }
    return PX_AGAIN;
}
