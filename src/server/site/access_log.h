/*
 * The access log: lines for what was answered, handed over whole at the end of each tick.
 *
 * Control bytes and bytes from 0x7f are written \xHH, so that a peer can neither forge a line nor
 * drive a terminal.
 */
#ifndef PX_SERVER_ACCESS_LOG_H
#define PX_SERVER_ACCESS_LOG_H

#include "server/session/session.h"

/* An exchange has ended, as `end` says (combined and json). */
void access_log_exchange(struct session *session, const px_exchange *exchange, px_end end);

/* A request was refused before there was an exchange (combined and json); `bytes` of content were
 * answered. */
void access_log_refusal(struct session *session, unsigned version, unsigned status, uint64_t bytes);

/* A head was accepted (request). */
void access_log_head(px_server *server, px_str head);

/* The same of a head that did not come as text. */
void access_log_request(px_server *server, const px_exchange *exchange);

/* Hands the lines over. */
void access_log_flush(px_server *server);

#endif
