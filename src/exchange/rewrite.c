/*
 * Changing a request on its way to the handler, and asking for another path in its place.
 *
 * Happy path: a middleware exchanges target, fields or client, and what comes behind reads them as
 * if they had come so.  px_respond_from does that and has dispatch look the route up once more,
 * from the loop, once.  What cannot be is returned and changes nothing.
 */
#include <string.h>

#include "exchange/exchange_private.h"
#include "http/fields/field.h"
#include "http/message/uri.h"

enum { CLIENT_BYTES_MAX = 64 };

/* Where the path of an origin-form target ends; 0: it is none. */
static size_t target_path(px_str target)
{
    const struct scan_table *scan = scan_table_best();

    if (target.len == 0 || target.ptr[0] != '/')
        return 0;
    size_t path = uri_path_end(target, 0, scan), end = path;

    if (path < target.len && target.ptr[path] == '?')
        end = uri_query_end(target, path + 1, scan);
    return end == target.len ? path : 0;
}

static px_err target_take(px_exchange *exchange, px_str target)
{
    struct http_request *request = &exchange->arrival.request;
    size_t len = target_path(target);
    px_str path, query = px_str_make(NULL, 0);

    if (len == 0)
        return PX_ERR_INVALID;
    path = arena_copy(&exchange->arena, px_str_make(target.ptr, len));
    if (len < target.len)
        query =
            arena_copy(&exchange->arena, px_str_make(target.ptr + len + 1, target.len - len - 1));
    if (!path.ptr || (len < target.len && !query.ptr))
        return PX_ERR_MEMORY;
    request->raw_path = path;
    request->query = query;
    exchange->arrival.path = px_str_make(NULL, 0); /* decoded on demand */
    return PX_OK;
}

px_err px_request_rewrite(px_exchange *exchange, px_str target)
{
    px_err err = exchange->transport ? target_take(exchange, target) : PX_ERR_CLOSED;

    /* A route that is found later has a pattern for this one. */
    if (err == PX_OK)
        exchange->handling.is_aside = exchange->handling.pattern != NULL;
    return err;
}

px_err px_request_set_client(px_exchange *exchange, px_str address)
{
    if (!exchange->transport)
        return PX_ERR_CLOSED;
    if (address.len == 0 || address.len > CLIENT_BYTES_MAX)
        return PX_ERR_INVALID;
    for (size_t at = 0; at < address.len; at++)
        if (address.ptr[at] <= ' ' || address.ptr[at] > '~')
            return PX_ERR_INVALID;
    px_str client = arena_copy(&exchange->arena, address);

    if (!client.ptr)
        return PX_ERR_MEMORY;
    exchange->arrival.client = client;
    return PX_OK;
}

/* --- Fields ----------------------------------------------------------------------------------- */

/* Fields that frame the message were read already, and the host has chosen the rules. */
static px_err field_check(const px_exchange *exchange, px_str name, px_str value)
{
    if (!exchange->transport)
        return PX_ERR_CLOSED;
    return field_name_valid(name) && field_value_valid(value) && !field_is_framing(name) &&
                   !field_name_is(name, "host")
               ? PX_OK
               : PX_ERR_INVALID;
}

/* Room for one more, and a copy of it; nothing is changed but the room. */
static px_err field_make(px_exchange *exchange, px_str name, px_str value, px_field *out_field)
{
    struct http_request *request = &exchange->arrival.request;
    uint32_t count = request->field_count;

    if (count >= FIELD_COUNT_LIMIT)
        return PX_ERR_LIMIT;
    *out_field =
        (px_field){arena_copy(&exchange->arena, name), arena_copy(&exchange->arena, value)};
    if (!out_field->name.ptr || !out_field->value.ptr)
        return PX_ERR_MEMORY;
    if (count < exchange->arrival.field_room)
        return PX_OK;
    uint32_t room = count * 2 + 4;
    px_field *grown = arena_take(&exchange->arena, room * sizeof(*grown));

    if (!grown)
        return PX_ERR_MEMORY;
    if (count > 0)
        memcpy(grown, request->fields, count * sizeof(*grown));
    request->fields = grown;
    exchange->arrival.field_room = room;
    return PX_OK;
}

static void fields_remove(struct http_request *request, px_str name)
{
    uint32_t kept = 0;

    for (uint32_t index = 0; index < request->field_count; index++)
        if (!field_text_equal(request->fields[index].name, name))
            request->fields[kept++] = request->fields[index];
    request->field_count = kept;
}

px_err px_request_add_field(px_exchange *exchange, px_str name, px_str value)
{
    struct http_request *request = &exchange->arrival.request;
    px_field field;
    px_err err = field_check(exchange, name, value);

    if (err == PX_OK)
        err = field_make(exchange, name, value, &field);
    if (err == PX_OK)
        request->fields[request->field_count++] = field;
    return err;
}

px_err px_request_set_field(px_exchange *exchange, px_str name, px_str value)
{
    struct http_request *request = &exchange->arrival.request;
    px_field field;
    px_err err = field_check(exchange, name, value.ptr ? value : px_str_make("", 0));

    if (err == PX_OK && value.ptr)
        err = field_make(exchange, name, value, &field);
    if (err != PX_OK)
        return err;
    fields_remove(request, name);
    if (value.ptr)
        request->fields[request->field_count++] = field;
    return PX_OK;
}

/* --- Another path ----------------------------------------------------------------------------- */

/* A request for a page under a status of another: whole, whatever the client has of it. */
static void conditions_remove(struct http_request *request)
{
    static const char *const names[] = {"If-Match",          "If-None-Match",
                                        "If-Modified-Since", "If-Unmodified-Since",
                                        "If-Range",          "Range"};

    for (size_t index = 0; index < ARRAY_COUNT(names); index++)
        fields_remove(request, px_str_of(names[index]));
}

/* The handler of before has nothing more to do with the content, and hears of the end. */
static px_err handler_leave(px_exchange *exchange)
{
    struct exchange_handling *handling = &exchange->handling;

    if (handling->callbacks && TABLE_MEMBER(handling->callbacks, on_end)) {
        struct end_hook *hook = arena_take(&exchange->arena, sizeof(*hook));

        if (!hook)
            return PX_ERR_MEMORY;
        *hook = (struct end_hook){.next = handling->ends,
                                  .callbacks = handling->callbacks,
                                  .context = handling->callbacks_context,
                                  .user_data = handling->user_data};
        handling->ends = hook;
    }
    handling->callbacks = NULL;
    handling->callbacks_context = NULL;
    exchange->input.sink = SINK_DROP;
    exchange->input.paused = false;
    if (exchange->input.more)
        exchange->input.more->collecting = false;
    return PX_OK;
}

px_err px_respond_from(px_exchange *exchange, unsigned status, px_str target)
{
    struct exchange_arrival *arrival = &exchange->arrival;
    struct exchange_handling *handling = &exchange->handling;
    px_err err;

    if (!exchange_alive(exchange))
        return PX_ERR_CLOSED;
    if (handling->detour != DETOUR_NONE)
        return PX_ERR_LIMIT;
    if (exchange->answer.state != ANSWER_NONE)
        return PX_ERR_CONFLICT;
    if (arrival->method == METHOD_CONNECT || (status != 0 && (status < 200 || status > 599)))
        return PX_ERR_INVALID;
    err = target_take(exchange, target);
    if (err == PX_OK)
        err = handler_leave(exchange);
    if (err != PX_OK)
        return err;
    if (status != 0)
        conditions_remove(&arrival->request);
    if (arrival->method != METHOD_HEAD && arrival->method != METHOD_GET) {
        arrival->method_received = arrival->request.method;
        arrival->request.method = px_str_make("GET", 3);
        arrival->method = METHOD_GET;
    }
    arrival->asks_upgrade = false;
    exchange->answer.type = px_str_make(NULL, 0);
    handling->param_count = 0;
    handling->detour = DETOUR_AHEAD;
    handling->detour_status = (uint16_t)status;
    handling->progress = HANDLER_AHEAD;
    handling->dispatch = (struct exchange_dispatch){.stage = DISPATCH_LOOK};
    if (!list_linked(&exchange->node))
        list_append(&exchange->service->waiting, &exchange->node);
    loop_task_add(exchange->service->loop, &exchange->service->resume);
    return PX_OK;
}
