/*
 * What a caller reads of an answer, and of how far its fetch is.
 */
#include "base/error.h"
#include "base/options.h"
#include "client/link.h"
#include "http/fields/field.h"

unsigned px_fetch_status(const px_fetch *fetch)
{
    return fetch->answer.status;
}

unsigned px_fetch_version(const px_fetch *fetch)
{
    return fetch->answer.major * 10U + fetch->answer.minor;
}

px_str px_fetch_field(const px_fetch *fetch, const char *name)
{
    return field_find_value(fetch->answer.fields, fetch->answer.field_count, name);
}

const px_field *px_fetch_fields(const px_fetch *fetch, size_t *out_count)
{
    *out_count = fetch->answer.field_count;
    return fetch->answer.fields;
}

const px_field *px_fetch_trailers(const px_fetch *fetch, size_t *out_count)
{
    *out_count = fetch->trailer_count;
    return fetch->trailers;
}

uint64_t px_fetch_content_length(const px_fetch *fetch)
{
    return fetch->content_length;
}

int px_fetch_is_tunnel(const px_fetch *fetch)
{
    return fetch->tunnel;
}

void px_fetch_tell(const px_fetch *fetch, px_fetch_facts *out_facts)
{
    px_fetch_facts facts = PX_FETCH_FACTS_INIT;

    facts.content_sent = fetch->content_sent;
    facts.tries = fetch->tries;
    facts.unprocessed = fetch->facts.unprocessed;
    facts.answered = fetch->begun;
    facts.reused = fetch->facts.reused;
    facts.connect_ms = fetch->dialled_ms;
    facts.stale = fetch->facts.stale;
    facts.wants_http1 = fetch->facts.over_http1;
    options_give(out_facts, &facts, sizeof(facts));
}

size_t px_fetch_peer(const px_fetch *fetch, char *out_text, size_t room)
{
    if (fetch->link && fetch->link->stream)
        return px_stream_peer(fetch->link->stream, out_text, room);
    if (room > 0)
        out_text[0] = '\0';
    return 0;
}
