/*
 * A stream of events, as topics see it.
 */
#ifndef PX_REALTIME_EVENTS_H
#define PX_REALTIME_EVENTS_H

#include "pollux/events.h"
#include "realtime/subscriber.h"

/* NULL when it is ending. */
struct subscriber *events_subscriber(px_events *stream);

#endif
