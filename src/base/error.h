/*
 * Filling in a px_error.  Setup calls are the only ones that take one; each writes it exactly once.
 */
#ifndef PX_BASE_ERROR_H
#define PX_BASE_ERROR_H

#include "pollux/error.h"

/* Writes category, errno and a formatted line (cut at its size) and returns the category, so that a
 * failing call ends in `return error_set(...)`.  `out_error` may be NULL. */
px_err error_set(px_error *out_error, px_err code, int sys_errno, const char *format, ...)
    PX_PRINTF(4, 5);

/* Copies an error for a caller that may not want it, and returns its category. */
px_err error_copy(px_error *out_error, const px_error *error);

/* Writes PX_OK and an empty text, and returns PX_OK. */
px_err error_clear(px_error *out_error);

/* The category of an errno. */
px_err error_category(int sys_errno);

#endif
