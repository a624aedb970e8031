/*
 * Requests that are held for other threads.
 *
 * Happy path: the head is copied into one block behind its px_held, collected content changes its
 * owner, and the last hold sends the block through the mailbox to the loop, whose budget it came
 * from.  What can go wrong: no memory; a loop that has gone, and then there is no budget to give
 * back to.
 */
#include "pollux/held.h"

#include <stdatomic.h>
#include <string.h>

#include "exchange/exchange_private.h"
#include "http/fields/field.h"
#include "io/mailbox.h"

struct held {
    px_held shown;
    struct mailbox_post post; /* takes it back to the loop */
    struct buf content;       /* owned; empty: there is none */
    size_t bytes;             /* of the block */
    atomic_uint holds;
    px_field fields[]; /* and the params, and all text */
};

/* The strings of a px_held but its content. */
static const size_t strings[] = {
    offsetof(px_held, method),   offsetof(px_held, target), offsetof(px_held, path),
    offsetof(px_held, raw_path), offsetof(px_held, query),  offsetof(px_held, authority),
    offsetof(px_held, scheme),   offsetof(px_held, peer),   offsetof(px_held, client),
    offsetof(px_held, pattern),
};

static px_str *string_at(px_held *held, size_t index)
{
    return (px_str *)(void *)((char *)held + strings[index]);
}

/* What there is to hold, where it lies; `params` are decoded. */
static void head_read(px_held *out_head, px_exchange *exchange, const px_field *params)
{
    size_t count;

    memset(out_head, 0, sizeof(*out_head));
    out_head->struct_size = sizeof(*out_head);
    out_head->method = px_request_method(exchange);
    out_head->target = px_request_target(exchange);
    out_head->path = px_request_path(exchange);
    out_head->raw_path = px_request_raw_path(exchange);
    out_head->query = px_request_query(exchange);
    out_head->authority = px_request_authority(exchange);
    out_head->scheme = px_request_scheme(exchange);
    out_head->peer = px_exchange_peer(exchange);
    out_head->client = px_request_client(exchange);
    out_head->pattern = px_str_of(px_request_pattern(exchange));
    out_head->version = px_request_version(exchange);
    out_head->fields = px_request_fields(exchange, &count);
    out_head->field_count = count;
    out_head->params = params;
    out_head->param_count = exchange->handling.param_count;
}

static size_t fields_bytes(const px_field *fields, size_t count)
{
    size_t bytes = count * sizeof(*fields);

    for (size_t index = 0; index < count; index++)
        bytes += fields[index].name.len + fields[index].value.len + 2;
    return bytes;
}

static size_t head_bytes(px_held *head)
{
    size_t bytes = fields_bytes(head->fields, head->field_count) +
                   fields_bytes(head->params, head->param_count);

    for (size_t index = 0; index < ARRAY_COUNT(strings); index++)
        bytes += string_at(head, index)->ptr ? string_at(head, index)->len + 1 : 0;
    return bytes;
}

static px_str text_put(char **at, px_str str)
{
    char *text = *at;

    if (str.len > 0)
        memcpy(text, str.ptr, str.len);
    text[str.len] = '\0';
    *at = text + str.len + 1;
    return px_str_make(text, str.len);
}

static const px_field *fields_put(char **at, px_field *room, const px_field *fields, size_t count)
{
    static const px_field none = {{NULL, 0}, {NULL, 0}};

    for (size_t index = 0; index < count; index++) {
        room[index].name = text_put(at, fields[index].name);
        room[index].value = text_put(at, fields[index].value);
    }
    return count > 0 ? room : &none;
}

/* Copies all of it into the block. */
static void head_put(struct held *held, px_held *head)
{
    size_t count = head->field_count + head->param_count;
    char *at = (char *)&held->fields[count];
    px_ref ref = held->shown.ref;

    held->shown = *head;
    held->shown.ref = ref;
    held->shown.fields = fields_put(&at, held->fields, head->fields, head->field_count);
    held->shown.params =
        fields_put(&at, held->fields + head->field_count, head->params, head->param_count);
    for (size_t index = 0; index < ARRAY_COUNT(strings); index++)
        if (string_at(head, index)->ptr)
            *string_at(&held->shown, index) = text_put(&at, *string_at(head, index));
    CHECK(at == (char *)held + held->bytes);
}

/* The parameters, decoded, in the exchange's arena; NULL without memory. */
static px_field *params_decode(px_exchange *exchange)
{
    uint32_t count = exchange->handling.param_count;
    px_field *params = arena_take(&exchange->arena, (count + 1) * sizeof(*params));

    for (uint32_t index = 0; params && index < count; index++) {
        px_str name = arena_copy(&exchange->arena, exchange->handling.param_names[index]);

        if (!name.ptr)
            return NULL;
        params[index] = (px_field){name, px_request_param(exchange, name.ptr)};
    }
    return params;
}

/* On the loop's thread, or on the one that destroys the loop. */
static void held_free(px_err status, void *context)
{
    struct held *held = context;
    px_mailbox *mailbox = held->shown.ref.mailbox;
    struct budget *memory = held->content.budget;

    (void)status;
    CHECK(atomic_load(&held->holds) == 0 && memory);
    buf_deinit(&held->content);
    budget_give(memory, BUDGET_EXCHANGES, held->bytes);
    mailbox_free(mailbox, held);
    px_mailbox_release(mailbox);
}

void held_drop(struct held *held)
{
    if (atomic_fetch_sub_explicit(&held->holds, 1, memory_order_acq_rel) != 1)
        return;
    px_mailbox *mailbox = held->shown.ref.mailbox;

    if (mailbox_push(mailbox, &held->post) == PX_OK)
        return;
    /* The loop has gone, and its budget with it. */
    mailbox_free(mailbox, held->content.ptr);
    mailbox_free(mailbox, held);
    px_mailbox_release(mailbox);
}

/* A block with room for so many bytes, or NULL. */
static struct held *held_make(px_exchange *exchange, size_t bytes)
{
    struct budget *memory = &exchange->service->loop->memory;
    px_mailbox *mailbox = px_loop_mailbox(exchange->service->loop);
    struct held *held = NULL;

    bytes += offsetof(struct held, fields);
    if (budget_take(memory, BUDGET_EXCHANGES, bytes)) {
        held = mailbox_alloc(mailbox, bytes);
        if (!held)
            budget_give(memory, BUDGET_EXCHANGES, bytes);
    }
    px_mailbox_release(mailbox);
    if (!held)
        return NULL;
    memset(held, 0, sizeof(*held));
    held->post = (struct mailbox_post){.call = held_free, .context = held};
    held->bytes = bytes;
    held->shown.ref = px_exchange_ref(exchange);
    held->content.budget = memory;
    held->content.kind = BUDGET_EXCHANGES;
    held->content.allocator = &exchange->service->loop->allocator;
    atomic_init(&held->holds, 1);
    return held;
}

/* Content that is whole goes along; the exchange, which may be asked for it yet, has a hold too. */
static void content_take(px_exchange *exchange, struct held *held)
{
    held->shown.content = px_request_content(exchange);
    if (!held->shown.content.ptr)
        return;
    CHECK(exchange->input.more && !exchange->input.more->held);
    held->content = exchange->input.more->collected;
    exchange->input.more->held = held;
    atomic_fetch_add_explicit(&held->holds, 1, memory_order_relaxed);
}

const px_held *px_request_hold(px_exchange *exchange)
{
    px_held head;

    if (!exchange->transport)
        return NULL;
    if (exchange->input.more && exchange->input.more->held) {
        struct held *again = exchange->input.more->held;

        atomic_fetch_add_explicit(&again->holds, 1, memory_order_relaxed);
        return &again->shown;
    }
    px_field *params = params_decode(exchange);

    if (!params)
        return NULL;
    head_read(&head, exchange, params);
    struct held *held = held_make(exchange, head_bytes(&head));

    if (!held)
        return NULL;
    head_put(held, &head);
    content_take(exchange, held);
    return &held->shown;
}

px_str px_held_field(const px_held *held, const char *name)
{
    return field_find_value(held->fields, (uint32_t)held->field_count, name);
}

px_str px_held_param(const px_held *held, const char *name)
{
    px_str wanted = px_str_of(name);

    for (size_t index = 0; index < held->param_count; index++)
        if (px_str_equal(held->params[index].name, wanted))
            return held->params[index].value;
    return px_str_make(NULL, 0);
}

void px_held_release(const px_held *held)
{
    if (held)
        held_drop((struct held *)(uintptr_t)held);
}
