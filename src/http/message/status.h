/*
 * Status codes and their reason phrases.
 */
#ifndef PX_HTTP_STATUS_H
#define PX_HTTP_STATUS_H

#include "pollux/str.h"

/* The reason phrase of a status code in IANA's registry, static; empty (not absent) for any other,
 * also for those that are registered as unused (306, 418): a status line may end after its blank
 * (RFC 9112 section 4). */
px_str status_reason(unsigned status);

/* The longest: "511 Network Authentication Required". */
enum { STATUS_TEXT_BYTES = 48 };

/* "400 Bad Request": the code, a blank, and the reason phrase; its length.  `status` has three
 * digits. */
size_t status_text(unsigned status, char out_text[STATUS_TEXT_BYTES]);

#endif
