/*
 * Reading an option struct of a caller who may have been built against another version.
 */
#ifndef PX_BASE_OPTIONS_H
#define PX_BASE_OPTIONS_H

#include "pollux/error.h"
#include "pollux/options.h"

/* Copies the caller's struct (which begins with its size_t struct_size) into `out_options` of
 * `known_bytes` bytes; what the caller's version lacks is zero.  `options` may be NULL: all zero.
 * PX_OK, or PX_ERR_INVALID when struct_size is too small or an unknown tail is not zero. */
PX_MUST_CHECK px_err options_read(void *out_options, size_t known_bytes, const void *options);

#endif
