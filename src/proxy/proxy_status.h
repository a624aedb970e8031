/*
 * Proxy-Status (RFC 9209): what went wrong between us and a server, for the client, where the proxy
 * is to say it.
 *
 * Happy path: an error of ours is about to be answered; a field says its kind by one of the RFC's
 * names, and no more: neither the server's address nor a text.  Without memory it is left out.
 */
#ifndef PX_PROXY_PROXY_STATUS_H
#define PX_PROXY_PROXY_STATUS_H

#include "proxy/passage.h"

/* The kind of what a fetch ended with (section 2.3). */
const char *proxy_status_of(const px_error *error, const px_fetch_facts *facts);

/* Adds the field to the answer that follows. */
void proxy_status_add(const px_proxy *proxy, px_exchange *exchange, const char *error);

#endif
