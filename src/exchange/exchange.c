/*
 * The life of an exchange: made by a transport, ended by it once, freed at the end of that tick.
 *
 * An exchange is freed when the transport has let go (exchange_finish) and on_end has returned;
 * both happen in this file alone.  Breaking a rule from inside a handler only tells the transport,
 * which ends it from the loop.
 */
#include "exchange/exchange.h"

#include <string.h>

#include "io/mailbox.h"

enum { EXCHANGE_SLAB_OBJECTS = 16, STATUS_PEER_GONE = 499 /* in the log alone */ };

void exchange_free(px_exchange *exchange)
{
    source_release(exchange);
    if (exchange->input) {
        form_data_release(exchange);
        buf_deinit(&exchange->input->collected);
    }
    if (exchange->output)
        buf_deinit(&exchange->output->pieces);
    arena_reset(&exchange->arena);
    pool_put(&exchange->service->exchanges, exchange);
}

/* A helper thread still reads into the exchange's memory: it is freed when that has ended. */
static bool exchange_reading_file(const px_exchange *exchange)
{
    return exchange->output && exchange->output->reading;
}

/* At the end of a tick: on_end for what ended in it, then the memory. */
static void service_run_ends(struct loop_hook *hook)
{
    struct exchange_service *service = CONTAINER_OF(hook, struct exchange_service, ends);
    struct list now;

    if (PX_LIKELY(list_empty(&service->ended)))
        return;
    list_init(&now);
    list_splice(&now, &service->ended);
    while (!list_empty(&now)) {
        px_exchange *exchange = LIST_ENTRY(now.next, px_exchange, node);

        list_remove(&exchange->node);
        if (exchange->output && exchange->output->stage_count > 0)
            filters_end(exchange);
        if (exchange_tells_end(exchange))
            exchange->callbacks->on_end(exchange, (px_end)exchange->end,
                                        exchange->callbacks_context);
        if (exchange_reading_file(exchange))
            exchange->output->ended = true;
        else
            exchange_free(exchange);
    }
}

static void service_resume(struct loop_task *task)
{
    struct exchange_service *service = CONTAINER_OF(task, struct exchange_service, resume);
    struct list now;

    list_init(&now);
    list_splice(&now, &service->waiting);
    while (!list_empty(&now)) {
        px_exchange *exchange = LIST_ENTRY(now.next, px_exchange, node);

        list_remove(&exchange->node);
        if (exchange->answer != ANSWER_NONE || !exchange_alive(exchange)) {
            exchange->handler_called = true; /* answered, or broken, since it asked to go on */
            exchange->transport->give_credit(exchange);
            continue;
        }
        service->dispatch(exchange);
        if (exchange->content_ended)
            exchange_receive_end(exchange);
        exchange->transport->give_credit(exchange);
    }
}

void exchange_service_init(struct exchange_service *service, px_loop *loop,
                           uint32_t exchange_count_max)
{
    memset(service, 0, sizeof(*service));
    service->loop = loop;
    service->id = loop_tenant_add(loop, &service->tenant);
    pool_init(&service->exchanges, &loop->allocator, sizeof(px_exchange), EXCHANGE_SLAB_OBJECTS,
              exchange_count_max);
    list_init(&service->ended);
    list_init(&service->waiting);
    service->ends.run = service_run_ends;
    loop_hook_add(loop, LOOP_ENDS, &service->ends);
    loop_task_init(&service->resume, service_resume);
}

void exchange_service_deinit(struct exchange_service *service)
{
    list_remove(&service->tenant.node);
    list_remove(&service->ends.node);
    list_remove(&service->resume.node);
    pool_deinit(&service->exchanges);
}

px_exchange *exchange_create(struct exchange_service *service,
                             const struct exchange_transport *transport, void *carrier)
{
    px_exchange *exchange = pool_take(&service->exchanges);

    if (!exchange)
        return NULL;
    exchange->service = service;
    exchange->transport = transport;
    exchange->carrier = carrier;
    list_init(&exchange->node);
    memset(&exchange->callbacks, 0,
           offsetof(px_exchange, arena) - offsetof(px_exchange, callbacks));
    arena_init(&exchange->arena, &service->loop->allocator, exchange->first,
               sizeof(exchange->first), service->exchange_bytes_max);
    exchange->started_ms = service->loop->now_ms;
    return exchange;
}

void exchange_finish(px_exchange *exchange, px_end end)
{
    struct exchange_service *service = exchange->service;

    CHECK(exchange->transport);
    exchange->transport = NULL;
    exchange->answer = ANSWER_DONE;
    exchange->end = (uint8_t)(exchange->broken || exchange->failed ? exchange->end : end);
    if (exchange->end != PX_END_COMPLETE)
        service->aborted++;
    list_remove(&exchange->node);
    if (exchange_tells_end(exchange) || exchange->output)
        list_append(&service->ended, &exchange->node);
    else
        exchange_free(exchange);
}

/* Ends it visibly broken. */
static void exchange_reset(px_exchange *exchange, px_end end)
{
    exchange->broken = true;
    exchange->end = (uint8_t)end;
    exchange->transport->reset(exchange);
}

void exchange_break(px_exchange *exchange, px_end end)
{
    if (!exchange_alive(exchange))
        return;
    if (exchange->answer >= ANSWER_TAKEN) {
        exchange_reset(exchange, end);
        return;
    }
    /* Nothing is out: the peer is told (RFC 9110 section 15.6). */
    exchange->failed = true;
    exchange->end = (uint8_t)end;
    answer_replace(exchange, end == PX_END_NO_MEMORY ? 503 : 500);
}

unsigned exchange_log_status(const px_exchange *exchange)
{
    if (exchange->broken)
        return 500;
    return exchange->status != 0 ? exchange->status : STATUS_PEER_GONE;
}

struct exchange_input *exchange_input(px_exchange *exchange)
{
    if (exchange->input)
        return exchange->input;
    struct exchange_input *input = arena_take(&exchange->arena, sizeof(*input));

    if (!input) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return NULL;
    }
    memset(input, 0, sizeof(*input));
    buf_init(&input->collected, &exchange->service->loop->allocator, SIZE_MAX / 2);
    exchange->input = input;
    return input;
}

struct exchange_output *exchange_output(px_exchange *exchange)
{
    if (exchange->output)
        return exchange->output;
    struct exchange_output *output = arena_take(&exchange->arena, sizeof(*output));

    if (!output) {
        exchange_break(exchange, PX_END_NO_MEMORY);
        return NULL;
    }
    memset(output, 0, sizeof(*output));
    buf_init(&output->pieces, &exchange->service->loop->allocator,
             exchange->service->output_bytes_max);
    exchange->output = output;
    return output;
}

/* --- Public ----------------------------------------------------------------------------------- */

void px_exchange_set_callbacks(px_exchange *exchange, const px_exchange_callbacks *callbacks,
                               void *context)
{
    if (callbacks && callbacks->struct_size < sizeof(callbacks->struct_size)) {
        exchange_break(exchange, PX_END_ABORTED); /* a table that says nothing of its size */
        return;
    }
    exchange->callbacks = callbacks;
    exchange->callbacks_context = context;
}

void px_exchange_set_user_data(px_exchange *exchange, void *user_data)
{
    exchange->user_data = user_data;
}

void *px_exchange_user_data(const px_exchange *exchange)
{
    return exchange->user_data;
}

void *px_exchange_alloc(px_exchange *exchange, size_t bytes)
{
    return arena_take(&exchange->arena, bytes);
}

void px_exchange_abort(px_exchange *exchange)
{
    if (exchange_alive(exchange))
        exchange_reset(exchange, PX_END_ABORTED);
}

px_loop *px_exchange_loop(const px_exchange *exchange)
{
    return exchange->service->loop;
}

void px_exchange_next(px_exchange *exchange)
{
    struct exchange_service *service = exchange->service;

    if (!exchange_alive(exchange) || exchange->answer != ANSWER_NONE ||
        list_linked(&exchange->node))
        return;
    list_append(&service->waiting, &exchange->node);
    loop_task_add(service->loop, &service->resume);
}

typedef void (*address_fn)(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);

static px_str exchange_address(px_exchange *exchange, address_fn write)
{
    char text[128];
    size_t len = 0;

    write(exchange, text, sizeof(text), &len);
    return arena_copy(&exchange->arena, px_str_make(text, len));
}

px_str px_exchange_peer(px_exchange *exchange)
{
    if (!exchange->peer.ptr && exchange->transport)
        exchange->peer = exchange_address(exchange, exchange->transport->peer);
    return exchange->peer;
}

px_str px_exchange_local(px_exchange *exchange)
{
    return exchange->transport ? exchange_address(exchange, exchange->transport->local)
                               : px_str_make(NULL, 0);
}

/* --- References ------------------------------------------------------------------------------- */

struct ref_post {
    px_ref ref; /* a reference of its own */
    px_ref_fn call;
    void *context;
};

px_ref px_exchange_ref(px_exchange *exchange)
{
    px_ref ref = {px_loop_mailbox(exchange->service->loop), exchange->service->id,
                  exchange->item.slot, exchange->item.generation};

    return ref;
}

px_exchange *px_ref_get(const px_ref *ref)
{
    px_loop *loop = ref->mailbox ? mailbox_loop(ref->mailbox) : NULL;
    struct loop_tenant *tenant = loop ? loop_tenant_find(loop, ref->server) : NULL;

    if (!tenant)
        return NULL;
    struct exchange_service *service = CONTAINER_OF(tenant, struct exchange_service, tenant);
    px_exchange *exchange = pool_find(&service->exchanges, ref->slot, ref->generation);

    return exchange && exchange->transport ? exchange : NULL;
}

void px_ref_release(px_ref *ref)
{
    px_mailbox_release(ref->mailbox);
    ref->mailbox = NULL;
}

static void ref_run(px_err status, void *context)
{
    struct ref_post post = *(struct ref_post *)context;
    px_exchange *exchange = status == PX_OK ? px_ref_get(&post.ref) : NULL;

    mailbox_free(post.ref.mailbox, context);
    post.call(exchange, status == PX_OK && !exchange ? PX_ERR_CLOSED : status, post.context);
    px_ref_release(&post.ref);
}

px_err px_ref_post(const px_ref *ref, px_ref_fn call, void *context)
{
    struct ref_post *post = mailbox_alloc(ref->mailbox, sizeof(*post));

    if (!post)
        return PX_ERR_MEMORY;
    post->ref = *ref;
    post->call = call;
    post->context = context;
    px_mailbox_retain(ref->mailbox);
    px_err err = px_mailbox_post(ref->mailbox, ref_run, post);

    if (err != PX_OK) {
        mailbox_free(ref->mailbox, post);
        px_mailbox_release(ref->mailbox);
    }
    return err;
}
