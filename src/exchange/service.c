/*
 * The life of exchanges: made by a transport, ended by it once, freed at the end of that tick.
 *
 * An exchange is freed when the transport has let go (exchange_finish) and on_end has returned;
 * both happen in this file alone.  One whose file a helper thread still reads waits for that.
 */
#include <string.h>

#include "exchange/exchange_private.h"

#include "base/check.h"

enum { EXCHANGE_SLAB_OBJECTS = 16 };

static void exchange_free(px_exchange *exchange)
{
    struct exchange_service *service = exchange->service;
    struct exchange_site *site = exchange->site;

    ASSERT(!exchange->transport && site->holds > 0);
    exchange_release_content(exchange);
    if (exchange->input.more) {
        form_data_release(exchange);
        if (exchange->input.more->held)
            held_drop(exchange->input.more->held);
        else
            buf_deinit(&exchange->input.more->collected);
    }
    if (exchange->output.more)
        buf_deinit(&exchange->output.more->pieces);
    arena_reset(&exchange->arena);
    pool_put(&service->exchanges, exchange);
    if (--site->holds == 0)
        site->on_unused(site, service);
}

/* A helper thread still reads into the exchange's memory: it is freed when that has ended. */
static bool exchange_reading_file(const px_exchange *exchange)
{
    return exchange->output.more && exchange->output.more->reading;
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
        if (exchange->output.more && exchange->output.more->stage_count > 0)
            filters_end(exchange);
        if (exchange_tells_end(exchange))
            exchange_tell_end(exchange);
        if (exchange_reading_file(exchange))
            exchange->output.more->ended = true;
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
        if (PX_UNLIKELY(exchange->handling.detour == DETOUR_AHEAD))
            exchange->handling.detour = DETOUR_TAKEN;
        if (exchange->answer.state != ANSWER_NONE || !exchange_alive(exchange)) {
            exchange_call_none(exchange); /* answered, or broken, since it asked to go on */
            exchange->transport->give_credit(exchange);
            continue;
        }
        service->dispatch(exchange);
        if (exchange->input.ended)
            exchange_receive_end(exchange);
        exchange->transport->give_credit(exchange);
    }
}

size_t exchange_object_bytes(void)
{
    return sizeof(px_exchange);
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
    service->on_read_ended = exchange_free;
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
    ASSERT(transport && carrier && service->site);
    exchange->site = service->site;
    exchange->site->holds++;
    exchange->rules = service->rules;
    exchange->transport = transport;
    exchange->carrier = carrier;
    list_init(&exchange->node);
    memset(&exchange->arrival.path, 0,
           offsetof(px_exchange, arena) - offsetof(px_exchange, arrival.path));
    arena_init(&exchange->arena, &service->loop->allocator, exchange->first,
               sizeof(exchange->first), service->exchange_bytes_max);
    arena_use_budget(&exchange->arena, &service->loop->memory);
    exchange->arrival.started_ms = service->loop->now_ms;
    return exchange;
}

void exchange_finish(px_exchange *exchange, px_end end)
{
    struct exchange_service *service = exchange->service;

    CHECK(exchange->transport);
    ASSERT(end <= PX_END_SERVER_CLOSED);
    exchange->transport = NULL;
    exchange->answer.state = ANSWER_DONE;
    exchange->end = (uint8_t)exchange_end_of(exchange, end);
    if (exchange->end != PX_END_COMPLETE)
        service->aborted++;
    service->cut += exchange->end == PX_END_SERVER_CLOSED;
    list_remove(&exchange->node);
    if (exchange_tells_end(exchange) || exchange->output.more)
        list_append(&service->ended, &exchange->node);
    else
        exchange_free(exchange);
}
