/*
 * Turning a newcomer away: the protocol of a connection that was accepted above the limit.
 */
#ifndef PX_SERVER_REFUSAL_H
#define PX_SERVER_REFUSAL_H

#include "server/session/conn.h"

extern const struct session_protocol refusal_protocol;

#endif
