/*
 * Items in a row: chunks that small frames are appended to, and holds of what is shared.
 */
#include "realtime/outbox.h"

#include <string.h>

#include "base/alloc.h"
#include "realtime/limits.h"

_Static_assert(SOCKET_CHUNK_FIRST_BYTES >= WS_HEAD_BYTES_MAX + WS_CONTROL_BYTES_MAX,
               "a control frame fits into a chunk");
_Static_assert(SOCKET_CHUNK_FIRST_BYTES <= SOCKET_CHUNK_BYTES, "behind others more may follow");

/* --- Memory ----------------------------------------------------------------------------------- */

/* What comes is refused before what goes out, but for one of those that wait: a message that was
 * taken can be answered. */
enum { REST_PART_IN = 2, REST_PART_OUT = BUDGET_RESERVE_PART };

/* Takes `bytes` from the share for what has `has_bytes` since `since_ms`. */
static bool share_take(px_loop *loop, uint64_t has_bytes, uint64_t bytes, uint64_t since_ms,
                       uint32_t rest_part)
{
    struct budget_asker asker = {.has_bytes = has_bytes,
                                 .more_bytes = bytes,
                                 .since_ms = since_ms,
                                 .now_ms = loop->now_ms,
                                 .rest_part = rest_part};

    return budget_take_pressing(&loop->memory, BUDGET_SOCKETS, &asker);
}

static void *take_for(px_loop *loop, uint64_t has_bytes, size_t bytes, uint64_t since_ms)
{
    if (!share_take(loop, has_bytes, bytes, since_ms, REST_PART_OUT))
        return NULL;
    void *ptr = alloc_take(&loop->allocator, bytes);

    if (!ptr)
        budget_give(&loop->memory, BUDGET_SOCKETS, bytes);
    return ptr;
}

void *socket_alloc(px_loop *loop, size_t bytes)
{
    return take_for(loop, 0, bytes, loop->now_ms);
}

void *socket_resize(px_loop *loop, void *ptr, size_t before, size_t bytes, uint64_t since_ms,
                    bool goes_on)
{
    CHECK((ptr != NULL) == (before > 0) && bytes > before);
    if (!share_take(loop, before, bytes - before, since_ms, goes_on ? REST_PART_OUT : REST_PART_IN))
        return NULL;
    void *moved =
        ptr ? alloc_resize(&loop->allocator, ptr, bytes) : alloc_take(&loop->allocator, bytes);

    if (!moved)
        budget_give(&loop->memory, BUDGET_SOCKETS, bytes - before);
    return moved;
}

void socket_free(px_loop *loop, void *ptr, size_t bytes)
{
    if (!ptr)
        return;
    budget_give(&loop->memory, BUDGET_SOCKETS, bytes);
    alloc_put(&loop->allocator, ptr);
}

/* --- Shared bytes ----------------------------------------------------------------------------- */

struct shared_bytes *shared_create(px_loop *loop, size_t len)
{
    size_t bytes = sizeof(struct shared_bytes) + len;
    struct shared_bytes *shared = len < SIZE_MAX / 2 ? socket_alloc(loop, bytes) : NULL;

    if (!shared)
        return NULL;
    *shared = (struct shared_bytes){.loop = loop, .holds = 1, .taken = bytes};
    shared->bytes = px_str_make(shared->room, len);
    return shared;
}

struct shared_bytes *shared_of(px_loop *loop, const px_body *body)
{
    struct shared_bytes *shared = shared_create(loop, 0);

    if (!shared) {
        if (body->release)
            body->release(body->context);
        return NULL;
    }
    shared->bytes = body->bytes;
    shared->release = body->release;
    shared->context = body->context;
    return shared;
}

struct shared_bytes *shared_hold(struct shared_bytes *shared)
{
    CHECK(shared->holds > 0 && shared->holds < UINT32_MAX);
    shared->holds++;
    return shared;
}

void shared_put(struct shared_bytes *shared)
{
    if (!shared)
        return;
    CHECK(shared->holds > 0);
    if (--shared->holds > 0)
        return;
    if (shared->release)
        shared->release(shared->context);
    socket_free(shared->loop, shared, shared->taken);
}

/* --- What it holds ---------------------------------------------------------------------------- */

/* A frame that many hold counts for each of them by its part.  The first that wait are looked at:
 * those are held by the fewest. */
static uint64_t outbox_weigh(const struct budget_holder *holder)
{
    const struct outbox *outbox = CONTAINER_OF(holder, const struct outbox, holder);
    uint64_t taken = 0, part = 0;
    uint32_t looked = 0;

    for (const struct outbox_item *item = outbox->head; item && looked < OUTBOX_LOOK_COUNT;
         item = item->next, looked++) {
        if (!item->shared)
            continue;
        taken += item->shared->taken;
        part += item->shared->taken / item->shared->holds;
    }
    if (taken == 0)
        return holder->bytes + holder->shared_bytes;
    return holder->bytes +
           (uint64_t)((double)holder->shared_bytes * ((double)part / (double)taken));
}

/* --- The row ---------------------------------------------------------------------------------- */

void outbox_init(struct outbox *outbox, px_loop *loop)
{
    *outbox = (struct outbox){.loop = loop};
    list_init(&outbox->holder.node);
}

void outbox_own(struct outbox *outbox, void *owner, void (*give_way)(struct budget_holder *holder))
{
    outbox->owner = owner;
    outbox->holder.give_way = give_way;
    outbox->holder.weigh = outbox_weigh;
}

static void held_more(struct outbox *outbox, uint64_t bytes, uint64_t shared_bytes)
{
    struct budget_holder *holder = &outbox->holder;

    bytes += holder->bytes;
    shared_bytes += holder->shared_bytes;
    if (holder->give_way) {
        budget_hold(&outbox->loop->memory, BUDGET_SOCKETS, holder, bytes, shared_bytes,
                    loop_now_ms(outbox->loop));
        return;
    }
    holder->bytes = bytes;
    holder->shared_bytes = shared_bytes;
}

static void held_less(struct outbox *outbox, uint64_t bytes, uint64_t shared_bytes)
{
    struct budget_holder *holder = &outbox->holder;

    CHECK(bytes <= holder->bytes && shared_bytes <= holder->shared_bytes);
    holder->bytes -= bytes;
    holder->shared_bytes -= shared_bytes;
    if (holder->bytes == 0)
        list_remove(&holder->node);
}

static void item_free(struct outbox *outbox, struct outbox_item *item)
{
    held_less(outbox, sizeof(*item) + item->cap, item->shared ? item->shared->taken : 0);
    shared_put(item->shared);
    socket_free(outbox->loop, item, sizeof(*item) + item->cap);
}

static void items_free(struct outbox *outbox, struct outbox_item *item)
{
    while (item) {
        struct outbox_item *next = item->next;

        outbox->bytes -= item->bytes.len - item->at;
        item_free(outbox, item);
        item = next;
    }
}

void outbox_clear(struct outbox *outbox)
{
    items_free(outbox, outbox->head);
    outbox->head = NULL;
    outbox->tail = NULL;
}

void outbox_give_way(struct outbox *outbox)
{
    outbox_clear(outbox);
    outbox->gave_way = true;
}

/* Takes a hold of `shared`, where it is not NULL. */
static struct outbox_item *item_append(struct outbox *outbox, size_t cap,
                                       struct shared_bytes *shared)
{
    const struct budget_holder *holder = &outbox->holder;
    uint64_t since_ms = list_linked(&holder->node) ? holder->since_ms : outbox->loop->now_ms;
    struct outbox_item *item =
        cap < SIZE_MAX / 2 && !outbox->gave_way
            ? take_for(outbox->loop, outbox_weigh(holder), sizeof(*item) + cap, since_ms)
            : NULL;

    if (!item)
        return NULL;
    if (outbox->gave_way) { /* with another one of its owner's */
        socket_free(outbox->loop, item, sizeof(*item) + cap);
        return NULL;
    }
    held_more(outbox, sizeof(*item) + cap, shared ? shared->taken : 0);
    *item = (struct outbox_item){.cap = cap};
    item->bytes = px_str_make(item->room, 0);
    if (shared) {
        item->shared = shared_hold(shared);
        item->bytes = shared->bytes;
        outbox->bytes += shared->bytes.len;
    }
    if (outbox->tail)
        outbox->tail->next = item;
    else
        outbox->head = item;
    outbox->tail = item;
    return item;
}

char *outbox_room(struct outbox *outbox, size_t len)
{
    struct outbox_item *tail = outbox->tail;

    if (outbox->gave_way)
        return NULL;
    if (tail && !tail->shared && tail->cap - tail->bytes.len >= len)
        return tail->room + tail->bytes.len;
    /* One frame that waits alone gets what it needs; behind others more may follow. */
    size_t cap = tail ? SOCKET_CHUNK_BYTES : SOCKET_CHUNK_FIRST_BYTES;

    tail = item_append(outbox, len > cap ? len : cap, NULL);
    return tail ? tail->room : NULL;
}

void outbox_add(struct outbox *outbox, size_t len)
{
    CHECK(outbox->tail && outbox->tail->cap - outbox->tail->bytes.len >= len);
    outbox->tail->bytes.len += len;
    outbox->bytes += len;
}

px_err outbox_frame(struct outbox *outbox, enum ws_opcode opcode, bool fin, uint8_t rsv,
                    px_str content)
{
    if (content.len >= SIZE_MAX / 2)
        return PX_ERR_MEMORY;
    char *out = outbox_room(outbox, WS_HEAD_BYTES_MAX + content.len);

    if (!out)
        return PX_ERR_MEMORY;
    size_t head = ws_head_write(out, opcode, fin, rsv, content.len, NULL);

    if (content.len > 0)
        memcpy(out + head, content.ptr, content.len);
    outbox_add(outbox, head + content.len);
    return PX_OK;
}

px_err outbox_share(struct outbox *outbox, struct shared_bytes *shared, bool follows)
{
    struct outbox_item *item = item_append(outbox, 0, shared);

    if (!item)
        return PX_ERR_MEMORY;
    item->follows = follows;
    return PX_OK;
}

void outbox_join(struct outbox *outbox, struct outbox *from)
{
    CHECK(outbox != from && outbox->loop == from->loop);
    if (!from->head)
        return;
    if (outbox->tail)
        outbox->tail->next = from->head;
    else
        outbox->head = from->head;
    outbox->tail = from->tail;
    outbox->bytes += from->bytes;
    held_more(outbox, from->holder.bytes, from->holder.shared_bytes);
    budget_release(&from->holder);
    from->head = NULL;
    from->tail = NULL;
    from->bytes = 0;
}

void outbox_drop(struct outbox *outbox)
{
    struct outbox_item *last = outbox->head;

    if (!last)
        return;
    if (last->at == 0 && !last->follows) {
        outbox_clear(outbox);
        return;
    }
    while (last->next && last->next->follows)
        last = last->next;
    items_free(outbox, last->next);
    last->next = NULL;
    outbox->tail = last;
}

static void head_free(struct outbox *outbox)
{
    struct outbox_item *item = outbox->head;

    outbox->head = item->next;
    if (!outbox->head)
        outbox->tail = NULL;
    item_free(outbox, item);
}

px_str outbox_first(const struct outbox *outbox)
{
    const struct outbox_item *item = outbox->head;

    return item ? px_str_make(item->bytes.ptr + item->at, item->bytes.len - item->at)
                : px_str_make(NULL, 0);
}

void outbox_pass(struct outbox *outbox)
{
    CHECK(outbox->head);
    outbox->bytes -= outbox->head->bytes.len - outbox->head->at;
    head_free(outbox);
}

void outbox_skip(struct outbox *outbox, size_t bytes)
{
    struct outbox_item *item = outbox->head;

    CHECK(item && bytes < item->bytes.len - item->at);
    budget_move(&outbox->loop->memory, BUDGET_SOCKETS, &outbox->holder, bytes, outbox->bytes,
                outbox->loop->now_ms);
    item->at += bytes;
    outbox->bytes -= bytes;
}

size_t outbox_pull(struct outbox *outbox, char *out, size_t room)
{
    size_t waited = outbox->bytes, wrote = 0;

    while (outbox->head && wrote < room) {
        struct outbox_item *item = outbox->head;
        size_t left = item->bytes.len - item->at;
        size_t count = left < room - wrote ? left : room - wrote;

        if (count > 0)
            memcpy(out + wrote, item->bytes.ptr + item->at, count);
        wrote += count;
        item->at += count;
        outbox->bytes -= count;
        if (item->at < item->bytes.len)
            break;
        head_free(outbox);
    }
    budget_move(&outbox->loop->memory, BUDGET_SOCKETS, &outbox->holder, wrote, waited,
                outbox->loop->now_ms);
    return wrote;
}

/* --- Checking --------------------------------------------------------------------------------- */

static void item_check(const struct outbox_item *item)
{
    ASSERT(item->at <= item->bytes.len);
    ASSERT(item->shared || (item->bytes.ptr == item->room && item->bytes.len <= item->cap));
    ASSERT(!item->shared || (item->cap == 0 && item->shared->holds > 0));
}

void outbox_check(const struct outbox *outbox)
{
    const struct outbox_item *last = NULL;
    uint64_t held = 0, shared = 0;
    size_t bytes = 0;

    for (const struct outbox_item *item = outbox->head; ASSERTS && item; item = item->next) {
        item_check(item);
        /* What was begun is in front: the rest of it goes out first. */
        ASSERT(item == outbox->head || item->at == 0);
        bytes += item->bytes.len - item->at;
        held += sizeof(*item) + item->cap;
        shared += item->shared ? item->shared->taken : 0;
        last = item;
    }
    ASSERT(outbox->tail == last);
    ASSERT(outbox->bytes == bytes && outbox->holder.bytes == held);
    ASSERT(outbox->holder.shared_bytes == shared && (!outbox->gave_way || !outbox->head));
    /* What can give way is found. */
    ASSERT(list_linked(&outbox->holder.node) == (outbox->head && outbox->holder.give_way));
}
