/*
 * The access log: lines for what was answered, handed over whole at the end of each tick.
 *
 * Control bytes and bytes from 0x7f are written \xHH, so that a peer can neither forge a line nor
 * drive a terminal.  Fields are cut at GLIMPSE_BYTES_MAX, and so is all that is told of a request
 * that was refused, so that a peer cannot fill the log with a few requests.
 */
#ifndef PX_SERVER_ACCESS_LOG_H
#define PX_SERVER_ACCESS_LOG_H

#include "http/message/glimpse.h"
#include "server/session/session.h"

/* A request that is refused before there is an exchange. */
struct log_refusal {
    const struct http_glimpse *glimpse; /* borrowed: what there was of it */
    const char *reason;                 /* static, in a few words */
    uint64_t since_ms;                  /* when it began */
    uint64_t bytes;                     /* of content that are answered */
    unsigned status;
    px_end end;
};

/* An exchange has ended, as `end` says (combined and json). */
void access_log_exchange(struct session *session, px_exchange *exchange, px_end end);

/* A request was refused (combined and json). */
void access_log_refusal(struct session *session, const struct log_refusal *refusal);

/* A head was accepted (request). */
void access_log_head(px_server *server, px_str head);

/* The same of a head that did not come as text. */
void access_log_request(px_server *server, const px_exchange *exchange);

/* Hands the lines over. */
void access_log_flush(px_server *server);

#endif
