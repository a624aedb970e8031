/*
 * `pollux respond`: one answer to every request.
 */
#ifndef PX_MAIN_RESPOND_H
#define PX_MAIN_RESPOND_H

#include "main/flags/options.h"
#include "pollux/server.h"

/* Registers its routes.  `options` is borrowed: outlives the server. */
PX_MUST_CHECK px_err respond_register(px_server *server, const struct options *options,
                                      px_error *out_error);

#endif
