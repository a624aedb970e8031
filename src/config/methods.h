/*
 * Which methods an answer that is always the same is for.
 */
#ifndef PX_CONFIG_METHODS_H
#define PX_CONFIG_METHODS_H

#include <stdbool.h>

#include "pollux/exchange.h"

/* Whether such an answer is for the request's method; else the request is answered here: TRACE and
 * CONNECT by 405, what is no method of RFC 9110 or RFC 5789 by 501 (RFC 9110 section 9.1). */
bool methods_are_answered(px_exchange *exchange);

#endif
