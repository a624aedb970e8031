/*
 * The protocol of a connection from a trusted proxy, up to the end of its PROXY header.
 */
#ifndef PX_SERVER_PROXIED_H
#define PX_SERVER_PROXIED_H

#include "server/session/conn.h"

extern const struct session_protocol proxied_protocol;

#endif
