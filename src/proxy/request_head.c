/*
 * The fields of a request on its way to a server.
 *
 * What names a client (X-Forwarded-*, Forwarded) is believed of trusted peers alone: theirs is
 * added to, that of others is replaced.  What can be mistaken for another field (a name with "_",
 * which CGI cannot tell from one with "-") is dropped.
 */
#include "proxy/request_head.h"

#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "base/text.h"
#include "http/fields/field.h"
#include "http/message/trailer.h"
#include "pollux/request.h"

enum {
    /* X-Forwarded-For, -Proto, -Host, Forwarded, Via, Max-Forwards, Sec-WebSocket-Key,
     * X-Request-Id, traceparent, tracestate */
    FIELDS_ADDED_MAX = 10,
    VERSION_BYTES = 4, /* "1.1 " */
};

static bool name_begins(px_str name, const char *prefix)
{
    size_t len = strlen(prefix);

    return name.len >= len && field_name_is(px_str_make(name.ptr, len), prefix);
}

/* --- Connection ------------------------------------------------------------------------------- */

px_err connection_names_read(const px_field *fields, size_t field_count,
                             struct connection_names *out_names)
{
    px_str element;

    out_names->count = 0;
    for (size_t index = 0; index < field_count; index++) {
        px_str list = fields[index].value;

        if (!field_name_is(fields[index].name, "connection"))
            continue;
        while (field_list_next(&list, &element)) {
            /* Nearly all there ever is: none of them is a field, or one that goes anyway. */
            if (field_name_is(element, "close") || field_is_framing(element))
                continue;
            if (out_names->count == CONNECTION_NAMES_MAX)
                return PX_ERR_LIMIT;
            out_names->names[out_names->count++] = element;
        }
    }
    return PX_OK;
}

bool connection_names_have(const struct connection_names *names, px_str name)
{
    ASSERT(names->count <= CONNECTION_NAMES_MAX);
    for (size_t index = 0; index < names->count; index++)
        if (field_text_equal(names->names[index], name))
            return true;
    return false;
}

/* --- What steers ------------------------------------------------------------------------------ */

/* RFC 9110 section 7.6.3: received-protocol, received-by, and perhaps a comment. */
static bool via_has(px_str list, px_str name)
{
    px_str element;

    while (field_list_next(&list, &element)) {
        size_t at = 0, end;

        while (at < element.len && !text_is_blank(element.ptr[at]))
            at++;
        while (at < element.len && text_is_blank(element.ptr[at]))
            at++;
        for (end = at; end < element.len && !text_is_blank(element.ptr[end]); end++)
            continue;
        if (field_text_equal(px_str_make(element.ptr + at, end - at), name))
            return true;
    }
    return false;
}

bool request_head_loops(const struct request_head *head)
{
    for (size_t index = 0; index < head->field_count; index++)
        if (field_name_is(head->fields[index].name, "via") &&
            via_has(head->fields[index].value, head->via_name))
            return true;
    return false;
}

bool fields_want_trailers(const px_field *fields, size_t field_count)
{
    for (size_t index = 0; index < field_count; index++)
        if (field_name_is(fields[index].name, "te") &&
            field_list_has(fields[index].value, "trailers"))
            return true;
    return false;
}

uint64_t request_head_hops(const struct request_head *head)
{
    px_str value = field_find_value(head->fields, (uint32_t)head->field_count, "max-forwards");
    uint64_t hops;

    return value.ptr && number_read(value, UINT32_MAX, &hops) ? hops : UINT64_MAX;
}

/* --- What goes on ----------------------------------------------------------------------------- */

static bool is_of_client(px_str name)
{
    return field_name_is(name, "forwarded") || name_begins(name, "x-forwarded-");
}

/* Those that are written anew below. */
static bool is_ours(const struct request_head *head, px_str name)
{
    return field_name_is(name, "x-forwarded-for") || field_name_is(name, "x-request-id") ||
           field_name_is(name, "traceparent") || field_name_is(name, "tracestate") ||
           (head->websocket_key.ptr && field_name_is(name, "sec-websocket-key")) ||
           (head->counts_hops && field_name_is(name, "max-forwards"));
}

/* Those that are of this connection, or could be mistaken for others. */
static bool goes_no_further(const struct connection_names *names, px_str name, bool underscores)
{
    return field_is_framing(name) || field_name_is(name, "host") || field_name_is(name, "expect") ||
           field_name_is(name, "http2-settings") || name_begins(name, "proxy-") ||
           field_name_is(name, "proxy") || /* CGI would take that for HTTP_PROXY, the way out */
           (!underscores && memchr(name.ptr, '_', name.len)) || connection_names_have(names, name);
}

static bool is_passed(const struct request_head *head, const struct connection_names *names,
                      px_str name)
{
    if (goes_no_further(names, name, head->underscores))
        return false;
    return !is_ours(head, name) && (head->trusted || !is_of_client(name));
}

bool request_trailer_passes(const struct connection_names *names, px_str name, bool underscores)
{
    const struct request_head none = {.trusted = false};

    return !goes_no_further(names, name, underscores) && !is_of_client(name) &&
           !is_ours(&none, name) && !trailer_is_dropped(name);
}

struct writing {
    const struct request_head *head;
    const struct connection_names *names;
    struct arena *arena;
    px_field *fields;
    size_t count;
    bool failed;
};

static void add(struct writing *writing, const char *name, px_str value)
{
    if (!value.ptr)
        writing->failed = true;
    else
        writing->fields[writing->count++] = (px_field){px_str_of(name), value};
}

static bool has(const struct writing *writing, const char *name)
{
    return field_find(writing->fields, (uint32_t)writing->count, name) != NULL;
}

/* What a trusted peer said, all of it one list, with one more element: absent without memory. */
static px_str list_joined(const struct writing *writing, const char *name, px_str more)
{
    const struct request_head *head = writing->head;
    bool taken = head->trusted && !connection_names_have(writing->names, px_str_of(name));
    size_t bytes = more.len;

    for (size_t index = 0; taken && index < head->field_count; index++)
        if (field_name_is(head->fields[index].name, name))
            bytes += head->fields[index].value.len + 2;
    char *text = arena_take_text(writing->arena, bytes + 1), *at = text;

    if (!text)
        return px_str_make(NULL, 0);
    for (size_t index = 0; taken && index < head->field_count; index++) {
        if (!field_name_is(head->fields[index].name, name))
            continue;
        at = text_write_str(at, head->fields[index].value);
        at = text_write(at, ", ", 2);
    }
    at = text_write_str(at, more);
    if (more.len == 0 && at > text)
        at -= 2;
    return px_str_make(text, (size_t)(at - text));
}

static void add_for(struct writing *writing)
{
    px_str value = list_joined(writing, "X-Forwarded-For", writing->head->peer);

    /* A peer without an address, as that of a unix socket, adds nothing. */
    if (!value.ptr || value.len > 0)
        add(writing, "X-Forwarded-For", value);
}

/* RFC 7239 section 4; an address of IPv6 stands in brackets and quotes (section 6). */
static px_str forwarded_element(const struct writing *writing)
{
    const struct request_head *head = writing->head;
    size_t room = head->peer.len + head->authority.len + head->scheme.len + 40;
    char *memory = arena_take_text(writing->arena, room);
    bool is_v6 = head->peer.len > 0 && memchr(head->peer.ptr, ':', head->peer.len);
    struct text text;

    if (!memory)
        return px_str_make(NULL, 0);
    text_init(&text, memory, room);
    text_put_words(&text, is_v6 ? "for=\"[" : "for=");
    text_put(&text, head->peer.len > 0 ? head->peer : px_str_of("unknown"));
    text_put_words(&text, is_v6 ? "]\"" : "");
    if (head->authority.ptr && head->authority.len > 0 &&
        !memchr(head->authority.ptr, '"', head->authority.len) &&
        !memchr(head->authority.ptr, '\\', head->authority.len)) {
        text_put_words(&text, ";host=\"");
        text_put(&text, head->authority);
        text_put_byte(&text, '"');
    }
    text_put_words(&text, ";proto=");
    text_put(&text, head->scheme);
    CHECK(!text.cut);
    return text_str(&text);
}

px_str via_element(struct arena *arena, unsigned version, px_str name)
{
    char *memory = arena_take_text(arena, VERSION_BYTES + name.len + 1);

    CHECK(version >= 10 && version < 100);
    if (!memory)
        return px_str_make(NULL, 0);
    memory[0] = (char)('0' + version / 10);
    memory[1] = '.';
    memory[2] = (char)('0' + version % 10);
    memory[3] = ' ';
    text_write_str(memory + VERSION_BYTES, name);
    return px_str_make(memory, VERSION_BYTES + name.len);
}

static void add_hops(struct writing *writing)
{
    uint64_t hops = request_head_hops(writing->head);
    char *memory;

    if (!writing->head->counts_hops || hops == UINT64_MAX)
        return;
    memory = arena_take_text(writing->arena, TEXT_NUMBER_BYTES);
    size_t len = memory ? (size_t)(text_write_number(memory, hops > 0 ? hops - 1 : 0) - memory) : 0;

    add(writing, "Max-Forwards", px_str_make(memory, len));
}

/* What the request is called here (W3C Trace Context section 4.3: the trace goes on with a parent
 * of our own, or begins anew, without its state). */
static void add_names(struct writing *writing)
{
    const struct request_head *head = writing->head;

    if (head->request_id.ptr)
        add(writing, "X-Request-Id", head->request_id);
    if (head->traceparent.ptr)
        add(writing, "traceparent", head->traceparent);
    if (head->traceparent.ptr && head->tracestate.len > 0)
        add(writing, "tracestate", head->tracestate);
}

void request_head_names(struct request_head *head, px_exchange *exchange)
{
    head->request_id = px_request_id(exchange);
    head->traceparent = px_request_traceparent(exchange);
    head->tracestate = px_request_tracestate(exchange);
}

px_err request_head_write(const struct request_head *head, struct arena *arena,
                          px_field **out_fields, size_t *out_count)
{
    struct connection_names names;
    struct writing writing = {.head = head, .names = &names, .arena = arena};

    CHECK(head->via_name.len > 0 && head->version > 0);
    if (connection_names_read(head->fields, head->field_count, &names) != PX_OK)
        return PX_ERR_LIMIT;
    writing.fields =
        arena_take(arena, (head->field_count + FIELDS_ADDED_MAX) * sizeof(*writing.fields));
    if (!writing.fields)
        return PX_ERR_MEMORY;
    for (size_t index = 0; index < head->field_count; index++)
        if (is_passed(head, &names, head->fields[index].name))
            writing.fields[writing.count++] = head->fields[index];
    add_for(&writing);
    /* Where a trusted peer has said it, the client's own scheme and host are what it said. */
    if (!has(&writing, "X-Forwarded-Proto"))
        add(&writing, "X-Forwarded-Proto", head->scheme);
    if (!has(&writing, "X-Forwarded-Host") && head->authority.ptr)
        add(&writing, "X-Forwarded-Host", head->authority);
    if (head->forwarded || has(&writing, "Forwarded"))
        add(&writing, "Forwarded", forwarded_element(&writing));
    add_hops(&writing);
    add_names(&writing);
    if (head->websocket_key.ptr)
        add(&writing, "Sec-WebSocket-Key", head->websocket_key);
    add(&writing, "Via", via_element(arena, head->version, head->via_name));
    CHECK(writing.count <= head->field_count + FIELDS_ADDED_MAX);
    if (writing.failed)
        return PX_ERR_MEMORY;
    *out_fields = writing.fields;
    *out_count = writing.count;
    return PX_OK;
}
