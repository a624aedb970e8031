/*
 * TLS of the program: made of its flags before the workers are forked, so that keys are read by
 * whoever may read them and session tickets are good for all workers.
 */
#ifndef PX_MAIN_SECURE_H
#define PX_MAIN_SECURE_H

#include "main/exit_code.h"
#include "main/options.h"

/* Whether an address asks for TLS. */
bool options_are_secure(const struct options *options);

/* Makes it, where an address asks for it: CODE_OK with *out_tls (owned by the caller, NULL where
 * none does), else what went wrong was said on stderr. */
enum exit_code secure_open(const struct options *options, px_tls **out_tls);

/* Registers what is said on answers over TLS: PX_OK, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err secure_register(px_server *server, const struct options *options,
                                     px_error *out_error);

#endif
