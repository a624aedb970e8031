/*
 * What a request is called: its id, and its place in a trace (W3C Trace Context).
 *
 * Happy path: the first that asks has it made, in the exchange's arena; most requests are never
 * asked. It can fail by memory: then it is absent.
 *
 * Ids are random and no secret: a generator of the service's own makes them, from the kernel's
 * random bytes once.
 */
#include <string.h>

#include "exchange/exchange_private.h"
#include "http/fields/field.h"
#include "http/fields/trace_context.h"
#include "io/random.h"

enum { REQUEST_ID_BYTES = 32, REQUEST_ID_BYTES_MAX = 128 };

/* In the arena. */
struct exchange_identity {
    px_str request_id;
    px_str trace_state; /* absent: none */
    px_str from;        /* absent: the trace begins here */
    bool sampled;
    char request[REQUEST_ID_BYTES + 1]; /* each ends in NUL */
    char trace[TRACE_ID_BYTES + 1];
    char span[SPAN_ID_BYTES + 1];
    char parent[TRACEPARENT_BYTES + 1];
    char asking[SPAN_ID_BYTES + 1];
};

static uint64_t rotate(uint64_t value, unsigned by)
{
    return value << by | value >> (64 - by);
}

/* xoshiro256++. */
static uint64_t random_next(struct exchange_random *random)
{
    uint64_t *state = random->state;
    uint64_t result = rotate(state[0] + state[3], 23) + state[0], third = state[1] << 17;

    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= third;
    state[3] = rotate(state[3], 45);
    return result;
}

static bool random_begin(struct exchange_random *random)
{
    if (!random->is_begun && random_bytes(random->state, sizeof(random->state)) == PX_OK)
        random->is_begun = true;
    return random->is_begun;
}

#define EACH_BYTE(byte) (0x0101010101010101u * (byte))

/* Writes 32 bits as eight digits: each half byte is spread to a byte of its own, and six more than
 * ten carries into the bit that tells a letter. */
static void hex_write(char out[8], uint32_t bits)
{
    uint64_t spread = bits;

    spread = (spread << 16 | spread) & 0x0000ffff0000ffffu;
    spread = (spread << 8 | spread) & 0x00ff00ff00ff00ffu;
    spread = (spread << 4 | spread) & EACH_BYTE(0x0f);
    uint64_t letters = (spread + EACH_BYTE(6)) >> 4 & EACH_BYTE(1);

    spread += EACH_BYTE('0') + letters * ('a' - '0' - 10);
    memcpy(out, &spread, sizeof(spread)); /* which half byte comes first is chance, too */
}

/* `digits` are 16 or 32, and never all 0. */
static void id_write(struct exchange_random *random, char *out, size_t digits)
{
    for (size_t at = 0; at < digits; at += 16) {
        uint64_t bits = random_next(random) | (at == 0);

        hex_write(out + at, (uint32_t)bits);
        hex_write(out + at + 8, (uint32_t)(bits >> 32));
    }
    out[digits] = '\0';
}

/* One that a trusted proxy has given, and that any log can hold. */
static px_str request_id_given(const px_exchange *exchange)
{
    const struct http_request *request = &exchange->arrival.request;
    px_str given = field_find_value(request->fields, request->field_count, "X-Request-Id");
    bool is_fit = exchange->arrival.trusted && given.len > 0 && given.len <= REQUEST_ID_BYTES_MAX;

    for (size_t index = 0; index < given.len && is_fit; index++)
        is_fit = given.ptr[index] > 0x20 && given.ptr[index] < 0x7f && given.ptr[index] != '"' &&
                 given.ptr[index] != '\\';
    return is_fit ? given : px_str_make(NULL, 0);
}

/* Section 4.3: a valid parent's trace goes on, and so does its state; else both begin anew. */
static void trace_settle(px_exchange *exchange, struct exchange_identity *identity)
{
    const struct http_request *request = &exchange->arrival.request;
    const struct exchange_service *service = exchange->service;
    struct exchange_random *random = &exchange->service->random;
    char state[TRACESTATE_BYTES_MAX];
    struct trace_context context;

    if ((service->trace_restart && !exchange->arrival.trusted) ||
        !trace_parent_find(request->fields, request->field_count, &context)) {
        id_write(random, identity->trace, TRACE_ID_BYTES);
        identity->sampled =
            service->trace_sample != 0 && random_next(random) % service->trace_sample == 0;
    } else {
        size_t len = trace_state_join(request->fields, request->field_count, state);

        memcpy(identity->trace, context.trace_id.ptr, TRACE_ID_BYTES);
        identity->sampled = context.sampled;
        memcpy(identity->asking, context.parent_id.ptr, SPAN_ID_BYTES);
        identity->from = px_str_make(identity->asking, SPAN_ID_BYTES);
        if (len > 0)
            identity->trace_state = arena_copy(&exchange->arena, px_str_make(state, len));
    }
    id_write(random, identity->span, SPAN_ID_BYTES);
}

uint64_t exchange_service_draw(struct exchange_service *service)
{
    return random_begin(&service->random) ? random_next(&service->random) : 0;
}

static struct exchange_identity *identity_of(px_exchange *exchange)
{
    struct exchange_identity *identity = exchange->arrival.identity;

    if (identity || !random_begin(&exchange->service->random))
        return identity;
    identity = arena_take(&exchange->arena, sizeof(*identity));
    if (!identity)
        return NULL;
    memset(identity, 0, sizeof(*identity));
    identity->request_id = request_id_given(exchange);
    if (!identity->request_id.ptr) {
        id_write(&exchange->service->random, identity->request, REQUEST_ID_BYTES);
        identity->request_id = px_str_make(identity->request, REQUEST_ID_BYTES);
    }
    trace_settle(exchange, identity);
    exchange->arrival.identity = identity;
    return identity;
}

px_str px_request_id(px_exchange *exchange)
{
    const struct exchange_identity *identity = identity_of(exchange);

    return identity ? identity->request_id : px_str_make(NULL, 0);
}

px_str px_request_trace_id(px_exchange *exchange)
{
    const struct exchange_identity *identity = identity_of(exchange);

    return identity ? px_str_make(identity->trace, TRACE_ID_BYTES) : px_str_make(NULL, 0);
}

px_str exchange_trace_sampled(const px_exchange *exchange)
{
    const struct exchange_identity *identity = exchange->arrival.identity;

    return identity && identity->sampled ? px_str_make(identity->trace, TRACE_ID_BYTES)
                                         : px_str_make(NULL, 0);
}

px_str px_request_span_id(px_exchange *exchange)
{
    const struct exchange_identity *identity = identity_of(exchange);

    return identity ? px_str_make(identity->span, SPAN_ID_BYTES) : px_str_make(NULL, 0);
}

px_str px_request_parent_span_id(px_exchange *exchange)
{
    const struct exchange_identity *identity = identity_of(exchange);

    return identity ? identity->from : px_str_make(NULL, 0);
}

int px_request_is_sampled(px_exchange *exchange)
{
    const struct exchange_identity *identity = identity_of(exchange);

    return identity && identity->sampled;
}

px_str px_request_traceparent(px_exchange *exchange)
{
    struct exchange_identity *identity = identity_of(exchange);

    if (identity && identity->parent[0] == '\0')
        trace_parent_write(px_str_make(identity->trace, TRACE_ID_BYTES),
                           px_str_make(identity->span, SPAN_ID_BYTES), identity->sampled,
                           identity->parent);
    return identity ? px_str_make(identity->parent, TRACEPARENT_BYTES) : px_str_make(NULL, 0);
}

px_str px_request_tracestate(px_exchange *exchange)
{
    const struct exchange_identity *identity = identity_of(exchange);

    return identity ? identity->trace_state : px_str_make(NULL, 0);
}
