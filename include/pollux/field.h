/*
 * A field of a head or of a trailer section (RFC 9110 section 5).
 */
#ifndef PX_FIELD_H
#define PX_FIELD_H

#include "pollux/str.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A field line: a name and a value.  In what pollux hands out both end in NUL (not counted in
 *  their lengths), the name is as the peer wrote it (compare without regard to case), and the value
 *  has no blanks at its ends. */
typedef struct px_field {
    px_str name;  /**< Field name, a token. */
    px_str value; /**< Field value; may be empty, and may hold bytes from 0x80 (obs-text). */
} px_field;

#ifdef __cplusplus
}
#endif

#endif
