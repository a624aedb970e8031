/*
 * What must hold of an HTTP/2 connection and its requests between two ticks; for tests.
 */
#include "server/h2/h2.h"

static void request_check(const struct h2_conn *h2, const struct h2_request *request)
{
    ASSERT(request->item.generation & 1);
    ASSERT(request->h2 == h2);
    ASSERT(request->kind <= REQUEST_EXTENDED && request->content <= CONTENT_END_HELD);
    ASSERT(!request->exchange || exchange_carrier(request->exchange) == request);
    ASSERT(!request->exchange ||
           exchange_transport_of(request->exchange) == &h2_transport.exchange);
    ASSERT(request->refusal == 0 || (request->refusal >= 400 && request->refusal < 600));
    ASSERT(request->begun_ms <= h2->conn.session.server->loop->now_ms);
    ASSERT(request->stream.unread <= H2_STREAM_WINDOW);
    ASSERT(request->stream.head_done || !request->stream.responded);
    ASSERT(!request->stream.waiting || request->stream.responded);
    buf_check(&request->held);
}

void h2_check(const struct session *session)
{
    const struct h2_conn *h2 = CONTAINER_OF(session, const struct h2_conn, conn.session);
    uint32_t count = 0, head_bytes = 0, streams = 0;

    conn_check(&h2->conn);
    ASSERT(h2->session || list_empty(&h2->requests));
    ASSERT(list_check(&h2->requests) == h2->request_count);
    ASSERT(list_check(&h2->ready) <= h2->request_count);
    for (const struct list *at = h2->requests.next; at != &h2->requests; at = at->next) {
        const struct h2_request *request = LIST_ENTRY(at, const struct h2_request, node);

        request_check(h2, request);
        head_bytes += request->head_bytes;
        count += request->rendered;
        streams += request->stream.id != 0;
    }
    ASSERT(head_bytes == h2->head_bytes);
    if (h2->session && !h2_session_has_failed(h2->session))
        h2_session_check(h2->session, streams);
    ASSERT(count >= h2->rendered_count || h2->conn.sending);
    ASSERT(session->state != SESSION_CLOSING || h2->conn.sending || count == 0);
}
