/*
 * A summary of an exchange that is over: what the program would else gather by itself.
 *
 * Happy path: it is made of what the exchange and its session know, handed out and forgotten.
 */
#include "server/site/summary.h"

void summary_tell(struct session *session, px_exchange *exchange, px_end end)
{
    const px_server *server = session->server;
    struct exchange_outcome outcome;
    uint32_t handler_ms = UINT32_MAX, first_byte_ms = UINT32_MAX;

    exchange_outcome(exchange, &outcome);
    if (!exchange_handler_ms(exchange, &handler_ms))
        handler_ms = UINT32_MAX;
    if (!exchange_first_byte_ms(exchange, &first_byte_ms))
        first_byte_ms = UINT32_MAX;
    ASSERT(outcome.started_ms <= server->loop->now_ms);
    const px_summary summary = {
        .struct_size = sizeof(summary),
        .end = exchange_end_of(exchange, end),
        .status = exchange_log_status(exchange),
        .pattern = outcome.pattern,
        .connection = (uint64_t)session->item.generation << 32 | session->item.slot,
        .bytes_in = outcome.received,
        .bytes_out = outcome.sent,
        .duration_ms = (uint32_t)(server->loop->now_ms - outcome.started_ms),
        .handler_ms = handler_ms,
        .first_byte_ms = first_byte_ms,
    };

    server->options.on_done(exchange, &summary, server->options.done_context);
}
