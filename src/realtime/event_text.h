/*
 * Events as text (WHATWG HTML, section 9.2.5).
 */
#ifndef PX_REALTIME_EVENT_TEXT_H
#define PX_REALTIME_EVENT_TEXT_H

#include <stdbool.h>

#include "pollux/str.h"

/* Whether an id or a name can stand in an event: no CR, LF or NUL. */
bool event_word_valid(px_str word);

/* How long an event is, and the event itself: exactly as long.  Absent id or name: not written. */
size_t event_bytes(px_str id, px_str name, px_str data);
void event_write(char *out, px_str id, px_str name, px_str data);

#endif
