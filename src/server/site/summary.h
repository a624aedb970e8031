/*
 * What became of an exchange, told to the program (px_server_options.on_done).
 */
#ifndef PX_SERVER_SUMMARY_H
#define PX_SERVER_SUMMARY_H

#include "server/session/session.h"

/* Where the program wants to hear of it. */
void summary_tell(struct session *session, px_exchange *exchange, px_end end);

#endif
