/*
 * How a transport takes an answer: its head, once the filters have seen it, and then its content as
 * there is room.
 *
 * It can fail in a filter, a producer or a file: the exchange is broken then, and the transport
 * ends the answer so that what is cut short never looks complete.
 */
#include "exchange/exchange.h"

void exchange_take_head(px_exchange *exchange)
{
    if (PX_UNLIKELY(exchange->site->has_filters) && exchange->kind != CONTENT_TUNNEL)
        filters_take_head(exchange);
    exchange->answer = ANSWER_TAKEN;
    if (exchange->filtered) {
        exchange->output->source_length = exchange->length;
        exchange->length = PX_LENGTH_UNKNOWN;
    }
    /* RFC 9110 section 15.3.6: 205 has no content, and says so. */
    if (exchange->status == 205)
        exchange->length = 0;
    /* RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5. */
    exchange->head_only = exchange->method == METHOD_HEAD || exchange->status == 204 ||
                          exchange->status == 205 || exchange->status == 304;
}

px_pull exchange_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    px_pull pull = exchange->filtered ? filters_pull(exchange, out, room, out_bytes)
                                      : source_pull(exchange, out, room, out_bytes);

    /* What a producer or a filter gave up while it was asked is not whole, whatever it says. */
    if (PX_UNLIKELY(exchange->broken))
        return PX_PULL_ERROR;
    if (PX_UNLIKELY(pull == PX_PULL_ERROR)) {
        exchange->broken = true; /* the transport is told by the result */
        exchange->end = PX_END_ABORTED;
        return pull;
    }
    exchange->passed += *out_bytes;
    return pull;
}

uint32_t exchange_take_work(px_exchange *exchange)
{
    uint32_t bytes = 0;

    if (exchange->filtered) {
        bytes = exchange->output->filtered_bytes;
        exchange->output->filtered_bytes = 0;
    }
    return bytes;
}
