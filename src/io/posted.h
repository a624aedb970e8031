/*
 * Calls that wait on a loop for their time; see posted.c.
 */
#ifndef PX_IO_POSTED_H
#define PX_IO_POSTED_H

#include "pollux/loop.h"

/* The loop ends: what waits is told, cancelled. */
void posted_cancel_all(px_mailbox *mailbox);

#endif
