/* What must hold of upstreams and of proxies between ticks: in builds for tests, called at each. */
#include "base/check.h"
#include "proxy/passage.h"

static void server_check(const px_upstream *upstream, const struct server *server)
{
    ASSERT(server->url && server->health);
    ASSERT(server->weight > 0 && server->weight <= SERVER_WEIGHT_MAX);
    ASSERT(server->busy <= server->requests_max);
    ASSERT(server->busy <= server->requests);
    ASSERT(server->failures <= server->requests);
    ASSERT((server->check != NULL) == (upstream->checker != NULL));
}

static void queue_check(const struct queue *queue)
{
    ASSERT(!queue->is_serving);
    ASSERT(queue->count == list_check(&queue->waiters));
    for (const struct list *at = queue->waiters.next; at != &queue->waiters; at = at->next) {
        const struct waiter *waiter = LIST_ENTRY(at, const struct waiter, node);

        /* Else one would wait past its time. */
        ASSERT(waiter->call && waiter->due_ms >= queue->due_ms);
    }
}

void upstream_check(const px_upstream *upstream)
{
    uint64_t busy = 0;

    ASSERT(upstream->uses > 0 && upstream->uses >= upstream->proxies);
    ASSERT(upstream->client && upstream->server_count > 0);
    ASSERT(upstream->retry_tokens <= RETRY_REQUESTS_MAX);
    ASSERT(upstream->queue.count <= upstream->options.queue_max);
    for (uint32_t index = 0; index < upstream->server_count; index++) {
        server_check(upstream, &upstream->servers[index]);
        busy += upstream->servers[index].busy;
    }
    ASSERT(busy == upstream->busy);
    queue_check(&upstream->queue);
}

static void flow_check(const struct flow *flow)
{
    buf_check(&flow->kept);
    ASSERT(flow->at <= flow->kept.len && flow->kept.len <= flow->kept.bytes_max);
}

static void passage_check(void *object, void *context)
{
    const struct passage *passage = object;
    uint32_t *busy = context;
    bool waits = list_linked(&passage->waiter.node);

    ASSERT(passage->item.generation & 1);
    ASSERT(passage->stage <= PASSAGE_REFUSED);
    ASSERT(passage->exchange || passage->fetch);
    ASSERT((passage->fetch != NULL) == (passage->server != NULL));
    ASSERT(!waits || (passage->exchange && !passage->fetch && passage->stage == PASSAGE_TRYING));
    /* Else nothing would ever come of the request. */
    ASSERT(passage->stage != PASSAGE_TRYING || passage->fetch || waits);
    ASSERT(passage->stage != PASSAGE_TUNNEL || passage->ask.upgrade.len > 0);
    ASSERT(passage->tried.count <= passage->tries);
    ASSERT(!passage->leaving || passage->leave);
    ASSERT(!passage->is_websocket || passage->ask.upgrade.len > 0);
    ASSERT(passage->frames[TO_SERVER].head_len < WS_HEAD_BYTES_MAX);
    ASSERT(passage->frames[TO_CLIENT].head_len < WS_HEAD_BYTES_MAX);
    ASSERT(!list_linked(&passage->place.node) || passage->fetch);
    ASSERT(passage->place.waiting == waits);
    flow_check(&passage->request);
    flow_check(&passage->answer);
    arena_check(&passage->arena);
    *busy += passage->server != NULL;
}

void proxy_check(px_proxy *proxy)
{
    uint32_t busy = 0;

    ASSERT(proxy->upstream && proxy->upstream->loop == proxy->loop && proxy->name);
    ASSERT(proxy->upstream->proxies > 0);
    ASSERT(!proxy->closing || proxy->passages.taken > 0);
    pool_check(&proxy->passages);
    pool_each(&proxy->passages, passage_check, &busy);
    ASSERT(proxy->upstream->proxies > 1 ? busy <= proxy->upstream->busy
                                        : busy == proxy->upstream->busy);
}
