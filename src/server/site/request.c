/*
 * Requests as every protocol begins, refuses and finishes them.
 *
 * Happy path: a protocol makes an exchange and takes the head into it; it is counted here, told how
 * its connection came, and dispatched; when its answer is out it is counted by its status and
 * logged.  What can go wrong is answered without a handler.
 */
#include "server/site/request.h"

#include "server/session/facts.h"
#include "server/site/access_log.h"
#include "server/site/dispatch.h"
#include "server/site/measure.h"
#include "server/site/refusal_text.h"
#include "server/site/summary.h"

/* Why a request is refused, by what it is told. */
static enum metric_refusal refusal_of(unsigned status)
{
    switch (status) {
    case 400:
        return REFUSAL_SYNTAX;
    case 413:
        return REFUSAL_CONTENT;
    case 414:
        return REFUSAL_TARGET;
    case 431:
        return REFUSAL_HEAD;
    case 501:
        return REFUSAL_METHOD;
    case 503:
        return REFUSAL_RESOURCES;
    case 505:
        return REFUSAL_VERSION;
    }
    return REFUSAL_OTHER;
}

void request_begin(struct session *session, px_exchange *exchange, bool expect_unknown)
{
    session->server->count.cells->requests++;
    bool https = session_carrier(session)->is_secure(session);

    exchange_set_https(exchange, https, https || session->proxied_tls);
    server_dispatch_host(exchange, session->listener);
    if (PX_LIKELY(!expect_unknown)) {
        server_dispatch_begin(exchange, session_redirect_port(session));
        if (PX_UNLIKELY(session->server->phase == SERVER_DRAINING))
            drain_tell(session->server, exchange); /* it came behind those that were told */
        return;
    }
    exchange_set_refused(exchange, "unknown expectation");
    px_respond_error(exchange, 417);
}

void request_finish(struct session *session, px_exchange *exchange, px_end end)
{
    px_server *server = session->server;

    unsigned status = exchange_counted_status(exchange);

    work_count(&server->loop->work, WORK_END);
    if (status >= 200)
        server->count.cells->responses[status / 100 - 1]++;
    if (server->options.on_log || PX_UNLIKELY(server->has_logs))
        access_log_exchange(session, exchange, end);
    if (PX_UNLIKELY(server->options.on_done != NULL))
        summary_tell(session, exchange, end);
    /* Behind what names it: a trace that was made for the log or for a span is shown beside it. */
    if (server->options.metrics)
        measure_request(server, exchange, exchange_end_of(exchange, end));
    exchange_finish(exchange, end);
}

void request_note_refusal(struct session *session, const struct request_refusal *refusal)
{
    px_server *server = session->server;
    char text[REFUSAL_TEXT_BYTES];

    server->count.cells->responses[refusal->status / 100 - 1]++;
    if (!server->options.on_log || !refusal->glimpse)
        return;
    const struct log_refusal entry = {
        .glimpse = refusal->glimpse,
        .reason = refusal->reason,
        .since_ms = refusal->since_ms,
        .bytes = refusal_text(refusal->status, refusal->hint, text),
        .status = refusal->status,
        .end = request_refused_end(refusal->status),
    };

    access_log_refusal(session, &entry);
}

bool request_refuse(struct session *session, px_exchange *exchange,
                    const struct request_refusal *refusal)
{
    char text[REFUSAL_TEXT_BYTES];

    session->server->count.cells->refused[refusal_of(refusal->status)]++;
    if (!exchange) {
        request_note_refusal(session, refusal);
        return true;
    }
    exchange_set_refused(exchange, refusal->reason);
    return exchange_refuse(exchange, refusal->status,
                           refusal_text(refusal->status, refusal->hint, text));
}
