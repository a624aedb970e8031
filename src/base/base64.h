/*
 * Base64 (RFC 4648 section 4).
 *
 * Happy path: base64_write into room that was made before; base64_read of a whole text.  It can
 * fail by saying no: another alphabet, padding that does not fit, more than there is room for.
 */
#ifndef PX_BASE_BASE64_H
#define PX_BASE_BASE64_H

#include <stdbool.h>

#include "pollux/str.h"

/* The bytes that so many bytes need, with padding. */
static inline size_t base64_room(size_t bytes)
{
    return (bytes + 2) / 3 * 4;
}

/* Writes `bytes` with padding, base64_room of them; returns one past the end. */
char *base64_write(char *out, px_str bytes);

/* The value of a digit, or -1. */
int base64_digit(char byte);

/* Decodes all of it; padding may be left out, and bits behind the last byte may be anything.  False
 * when it is none, or there is too much. */
bool base64_read(px_str text, char *out, size_t room, size_t *out_len);

#endif
