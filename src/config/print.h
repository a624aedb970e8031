/*
 * The effective configuration as text: includes in place, defaults filled in, and behind each line
 * where it is from.  It can be loaded again, and means the same.
 */
#ifndef PX_CONFIG_PRINT_H
#define PX_CONFIG_PRINT_H

#include "base/buf.h"
#include "config/settings.h"

/* Writes it.  What came out of a ${file:...} is written as it was spelled, not as what it is.
 * PX_OK, PX_ERR_MEMORY or PX_ERR_LIMIT. */
PX_MUST_CHECK px_err config_print(const struct config_settings *settings, struct buf *out);

#endif
