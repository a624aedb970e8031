/*
 * What must hold of an HTTP/1 connection between two ticks; for tests.
 */
#include "server/h1/h1.h"

static void work_check(const struct h1_conn *h1)
{
    const struct h1_work *work = h1->work;

    if (!work)
        return;
    ASSERT(work->item.generation & 1);
    ASSERT(work->content || h1->reading <= READ_HEAD || h1->reading == READ_CLOSED);
    ASSERT(!work->over || work->content);
    ASSERT(work->held == 0 || work->content);
    ASSERT(work->parser.role == H1_REQUEST);
    ASSERT(work->parser.limits == &h1->conn.session.server->parse_limits);
    ASSERT(work->parser.fields == work->spans);
    h1_parser_check(&work->parser);
    if (work->content)
        h1_body_check(&work->body);
}

void h1_check(const struct session *session)
{
    const struct h1_conn *h1 = CONTAINER_OF(session, const struct h1_conn, conn.session);

    conn_check(&h1->conn);
    work_check(h1);
    ASSERT(h1->reading <= READ_CLOSED && h1->writing <= WRITE_CLOSED && h1->after <= AFTER_LINGER);
    ASSERT(h1->reading != READ_CONTENT || h1->work || session->state == SESSION_CLOSING);
    ASSERT(!h1->exchange || exchange_transport_of(h1->exchange) == &h1_transport.exchange);
    ASSERT(!h1->exchange || exchange_carrier(h1->exchange) == h1);
    ASSERT(h1->writing != WRITE_CONTENT || h1->exchange);
    ASSERT(h1->writing != WRITE_LAST || h1->exchange);
    ASSERT(!h1->expecting || h1->reading == READ_CONTENT || h1->reading == READ_CLOSED);
    ASSERT(session->state != SESSION_CLOSING || h1->conn.sending || !h1->exchange);
    ASSERT(h1->refusal == 0 || (h1->refusal >= 400 && h1->refusal < 600));
    /* What was given up from a timer ends in the next tick, and behind answers that go out first.
     */
    ASSERT(!h1->broken || session->state != SESSION_OPEN || list_linked(&session->wake.node) ||
           h1->conn.sending);
}
