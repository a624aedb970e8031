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
#include "server/site/refusal_text.h"

void request_begin(struct conn *conn, px_exchange *exchange, bool expect_unknown)
{
    conn->server->counters.requests++;
    exchange->https = conn_is_secure(conn);
    exchange->scheme_https = exchange->https || conn->proxied_tls;
    exchange->redirect_port = conn_redirect_port(conn);
    if (PX_UNLIKELY(expect_unknown))
        px_respond_error(exchange, 417);
    else
        server_dispatch(exchange);
}

void request_finish(struct conn *conn, px_exchange *exchange, px_end end)
{
    px_server *server = conn->server;

    if (exchange->status >= 200)
        server->counters.responses[exchange->status / 100]++;
    if (server->logging)
        access_log_exchange(conn, exchange);
    exchange_finish(exchange, end);
}

void request_note_refusal(struct conn *conn, unsigned version, unsigned status, const char *hint)
{
    px_server *server = conn->server;
    char text[REFUSAL_TEXT_BYTES];

    server->counters.responses[status / 100]++;
    if (server->logging)
        access_log_refusal(conn, version, status, refusal_text(status, hint, text));
}

bool request_refuse(struct conn *conn, px_exchange *exchange, unsigned version, unsigned status,
                    const char *hint)
{
    char text[REFUSAL_TEXT_BYTES];

    conn->server->counters.refused++;
    if (!exchange) {
        request_note_refusal(conn, version, status, hint);
        return true;
    }
    if (exchange->answer >= ANSWER_TAKEN)
        return false;
    exchange->status = (uint16_t)status;
    exchange->produced = refusal_text(status, hint, text);
    return true;
}
