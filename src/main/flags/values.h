/*
 * The values of flags: numbers, sizes, durations, as text.
 */
#ifndef PX_MAIN_VALUES_H
#define PX_MAIN_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

/* A decimal number from `least` to `most`; digits and nothing else. */
bool value_count(const char *text, uint64_t least, uint64_t most, uint64_t *out_count);

/* Bytes: a number, with k, m or g for 1024, 1024^2, 1024^3. */
bool value_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *out_bytes);

/* Milliseconds: "500ms", "10s", "1m", "2h"; a plain number is seconds, with or without a fraction.
 */
bool value_duration(const char *text, uint64_t most_ms, uint64_t *out_ms);

/* "Name: value" of a response field (RFC 9110 section 5): a token, a colon, and a value without
 * controls, which is trimmed.  Slices of `text`. */
bool value_field(const char *text, px_str *out_name, px_str *out_value);

/* Whether a field says how a message is framed, and so is pollux's own. */
bool value_is_framing(px_str name);

/* Whether a slice has these letters, in either case. */
bool value_is_name(px_str name, const char *wanted);

#endif
