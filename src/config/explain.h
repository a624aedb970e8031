/*
 * What a request would meet: its host, its route, what acts on it and what answers.
 */
#ifndef PX_CONFIG_EXPLAIN_H
#define PX_CONFIG_EXPLAIN_H

#include "base/buf.h"
#include "config/config.h"
#include "pollux/matcher.h"

/* Writes it, a line each with its place.  `request` has at least a method, a scheme, an authority
 * and a path.  PX_OK, PX_ERR_MEMORY or PX_ERR_LIMIT. */
PX_MUST_CHECK px_err config_explain(struct config *config, const px_match_request *request,
                                    struct buf *out);

#endif
