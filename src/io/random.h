/*
 * Random bytes from the kernel, for keys that a peer must not guess.
 */
#ifndef PX_IO_RANDOM_H
#define PX_IO_RANDOM_H

#include <stddef.h>

#include "pollux/error.h"

/* Fills `out` with `bytes` random bytes: PX_OK, or PX_ERR_SYSTEM where the kernel has no getrandom.
 * Blocks only while the kernel's pool is not initialised, early in the boot. */
PX_MUST_CHECK px_err random_bytes(void *out, size_t bytes);

#endif
