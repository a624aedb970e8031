/*
 * Listeners whose every request is sent to https.
 */
#ifndef PX_SERVER_REDIRECT_H
#define PX_SERVER_REDIRECT_H

#include "server/server.h"

/* A listener is to redirect: gives the index of its port in redirects.ports, from 1.  PX_OK,
 * PX_ERR_INVALID or PX_ERR_LIMIT. */
PX_MUST_CHECK px_err redirect_serve(px_server *server, const px_serve_options *options,
                                    uint16_t *out_index, px_error *out_error);

/* Answers with a redirect to the same target at https, on `port`. */
void redirect_answer(px_exchange *exchange, uint16_t port);

#endif
