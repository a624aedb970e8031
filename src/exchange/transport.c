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
    if (PX_UNLIKELY(exchange->site->has_filters) && exchange->output.kind != CONTENT_TUNNEL)
        filters_take_head(exchange);
    exchange->answer.state = ANSWER_TAKEN;
    if (exchange->output.filtered) {
        exchange->output.more->source_length = exchange->output.length;
        exchange->output.length = PX_LENGTH_UNKNOWN;
    }
    /* RFC 9110 section 15.3.6: 205 has no content, and says so. */
    if (exchange->answer.status == 205)
        exchange->output.length = 0;
    /* RFC 9110 sections 9.3.2, 15.3.5 and 15.4.5. */
    exchange->answer.head_only = exchange->arrival.method == METHOD_HEAD ||
                                 exchange->answer.status == 204 || exchange->answer.status == 205 ||
                                 exchange->answer.status == 304;
}

px_pull exchange_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes)
{
    px_pull pull = exchange->output.filtered ? filters_pull(exchange, out, room, out_bytes)
                                             : source_pull(exchange, out, room, out_bytes);

    /* What a producer or a filter gave up while it was asked is not whole, whatever it says. */
    if (PX_UNLIKELY(exchange->broken))
        return PX_PULL_ERROR;
    if (PX_UNLIKELY(pull == PX_PULL_ERROR)) {
        exchange->broken = true; /* the transport is told by the result */
        exchange->end = PX_END_ABORTED;
        return pull;
    }
    exchange->output.passed += *out_bytes;
    return pull;
}

uint32_t exchange_take_work(px_exchange *exchange)
{
    uint32_t bytes = 0;

    if (exchange->output.filtered) {
        bytes = exchange->output.more->filtered_bytes;
        exchange->output.more->filtered_bytes = 0;
    }
    return bytes;
}
