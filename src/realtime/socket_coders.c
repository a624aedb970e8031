/*
 * What compression takes: a share of the loop's budget for all WebSockets.
 *
 * The peer's window is its own to keep, so ours for it is set aside with the handshake; where that
 * would leave less than a part of the share it is told to keep none.  Our window is ours to drop at
 * any time, since a message that refers to nothing is always right: it is kept between messages as
 * spare, and the one that was not used for longest goes first.  What inflates a message that stands
 * for itself is held until that is whole: what has been held for longest gives way there.
 */
#include "realtime/socket.h"

enum { CODERS_REST_PART = 4 /* of the share, for messages that stand for themselves */ };

static struct budget *memory_of(const px_websocket *socket)
{
    return &socket->loop->memory;
}

/* Has spare windows go until `bytes` are left; false: they are not. */
static bool spare_drop(struct budget *memory, uint64_t bytes)
{
    struct list *spare = &memory->spare[BUDGET_SOCKET_CODERS];

    while (budget_left(memory, BUDGET_SOCKET_CODERS) < bytes && !list_empty(spare)) {
        struct budget_holder *holder = LIST_ENTRY(spare->next, struct budget_holder, node);

        holder->give_way(holder);
    }
    return budget_left(memory, BUDGET_SOCKET_CODERS) >= bytes;
}

static uint64_t rest_bytes(const struct budget *memory)
{
    return memory->shares[BUDGET_SOCKET_CODERS].bytes_max / CODERS_REST_PART;
}

/* --- Holding ---------------------------------------------------------------------------------- */

static void window_drop(struct socket_coders *coders)
{
    budget_release(&coders->window);
    if (!coders->deflate)
        return;
    ws_deflate_destroy(coders->deflate);
    coders->deflate = NULL;
    budget_give(memory_of(coders->socket), BUDGET_SOCKET_CODERS,
                ws_deflate_bytes(coders->terms.server_bits));
}

static void window_gives_way(struct budget_holder *holder)
{
    window_drop(CONTAINER_OF(holder, struct socket_coders, window));
}

static void inflater_gives_way(struct budget_holder *holder)
{
    px_websocket *socket = CONTAINER_OF(holder, struct socket_coders, inflater)->socket;

    half_drop(socket);
    socket_doom_any(socket, WS_CODE_TRY_LATER);
}

/* --- For a message ---------------------------------------------------------------------------- */

struct ws_deflate *coders_deflate(px_websocket *socket)
{
    struct socket_coders *coders = socket->coders;
    struct budget *memory = memory_of(socket);
    size_t bytes = ws_deflate_bytes(coders->terms.server_bits);

    budget_release(&coders->window);
    if (coders->deflate)
        return coders->deflate;
    if (!spare_drop(memory, bytes) || !budget_take(memory, BUDGET_SOCKET_CODERS, bytes))
        return NULL;
    coders->deflate = ws_deflate_create(&socket->loop->allocator, socket->terms->deflate_level,
                                        coders->terms.server_bits);
    if (!coders->deflate)
        budget_give(memory, BUDGET_SOCKET_CODERS, bytes);
    return coders->deflate;
}

void coders_deflated(px_websocket *socket, bool is_sent)
{
    struct socket_coders *coders = socket->coders;
    struct budget *memory = memory_of(socket);

    if (!is_sent || coders->terms.server_no_takeover) {
        window_drop(coders);
        return;
    }
    budget_spare(memory, BUDGET_SOCKET_CODERS, &coders->window,
                 ws_deflate_bytes(coders->terms.server_bits), loop_now_ms(socket->loop));
    (void)spare_drop(memory, rest_bytes(memory));
}

void coders_moved(px_websocket *socket)
{
    if (socket->coders->deflate)
        ws_deflate_reset(socket->coders->deflate);
}

static bool inflater_take(px_websocket *socket, size_t bytes)
{
    uint64_t now_ms = loop_now_ms(socket->loop);
    struct budget_asker asker = {.more_bytes = bytes, .since_ms = now_ms, .now_ms = now_ms};
    struct budget *memory = memory_of(socket);

    while (!budget_take(memory, BUDGET_SOCKET_CODERS, bytes)) {
        if (!budget_press(memory, BUDGET_SOCKET_CODERS, &asker))
            return false;
    }
    return true;
}

struct ws_inflate *coders_inflate(px_websocket *socket)
{
    struct socket_coders *coders = socket->coders;
    bool is_reserved = coders->reserved_bytes > 0;
    size_t bytes = ws_inflate_bytes(coders->terms.client_bits);

    if (coders->inflate)
        return coders->inflate;
    if (!is_reserved && !inflater_take(socket, bytes))
        return NULL;
    coders->inflate = ws_inflate_create(&socket->loop->allocator, coders->terms.client_bits);
    coders->seen_bytes = 0;
    if (is_reserved)
        return coders->inflate;
    if (coders->inflate)
        budget_hold(memory_of(socket), BUDGET_SOCKET_CODERS, &coders->inflater, bytes, 0,
                    loop_now_ms(socket->loop));
    else
        budget_give(memory_of(socket), BUDGET_SOCKET_CODERS, bytes);
    return coders->inflate;
}

void coders_inflated(px_websocket *socket)
{
    struct socket_coders *coders = socket->coders;

    if (!coders || coders->reserved_bytes > 0 || !coders->inflate)
        return;
    budget_release(&coders->inflater);
    ws_inflate_destroy(coders->inflate);
    coders->inflate = NULL;
    budget_give(memory_of(socket), BUDGET_SOCKET_CODERS,
                ws_inflate_bytes(coders->terms.client_bits));
}

void coders_come(px_websocket *socket, uint64_t bytes, bool starved)
{
    struct socket_coders *coders = socket->coders;
    uint64_t now_ms = loop_now_ms(socket->loop);

    ASSERT(bytes >= coders->seen_bytes || coders->reserved_bytes > 0);
    if (starved)
        budget_touch(memory_of(socket), BUDGET_SOCKET_CODERS, &coders->inflater, now_ms);
    else
        budget_move(memory_of(socket), BUDGET_SOCKET_CODERS, &coders->inflater,
                    bytes - coders->seen_bytes, coders->inflater.bytes, now_ms);
    coders->seen_bytes = bytes;
}

/* --- From the handshake to the end ------------------------------------------------------------ */

px_err coders_create(px_websocket *socket, const struct ws_deflate_terms *terms)
{
    struct socket_coders *coders = socket_alloc(socket->loop, sizeof(*coders));
    struct budget *memory = memory_of(socket);
    size_t bytes = ws_inflate_bytes(terms->client_bits);

    if (!coders)
        return PX_ERR_MEMORY;
    *coders = (struct socket_coders){.socket = socket, .terms = *terms};
    list_init(&coders->window.node);
    coders->window.give_way = window_gives_way;
    list_init(&coders->inflater.node);
    coders->inflater.give_way = inflater_gives_way;
    socket->coders = coders;
    /* A peer that is let in can go on; one that keeps no window any peer must be (RFC 7692 section
     * 7.1.1.2). */
    if (!terms->client_no_takeover && spare_drop(memory, bytes + rest_bytes(memory)) &&
        budget_take(memory, BUDGET_SOCKET_CODERS, bytes))
        coders->reserved_bytes = bytes;
    else
        coders->terms.client_no_takeover = true;
    return PX_OK;
}

void coders_destroy(px_websocket *socket)
{
    struct socket_coders *coders = socket->coders;

    if (!coders)
        return;
    slices_drop(socket);
    coders_inflated(socket);
    window_drop(coders);
    ws_inflate_destroy(coders->inflate);
    budget_give(memory_of(socket), BUDGET_SOCKET_CODERS, coders->reserved_bytes);
    socket_free(socket->loop, coders, sizeof(*coders));
    socket->coders = NULL;
}

void coders_check(const px_websocket *socket)
{
    const struct socket_coders *coders = socket->coders;

    if (!coders)
        return;
    ASSERT(coders->socket == socket);
    ASSERT((coders->reserved_bytes == 0) == coders->terms.client_no_takeover);
    ASSERT(!list_linked(&coders->window.node) || coders->deflate);
    ASSERT(list_linked(&coders->inflater.node) == (coders->inflate && coders->reserved_bytes == 0));
}
