/*
 * The one layout of a configuration file: four blanks a block, one statement a line, comments kept,
 * at most one empty line in a row.
 */
#ifndef PX_CONFIG_FORMAT_H
#define PX_CONFIG_FORMAT_H

#include "base/buf.h"
#include "config/report.h"
#include "config/tree.h"

/* Writes the file's text anew.  Writing what came out once more changes nothing.  PX_OK, or
 * PX_ERR_MALFORMED with a report, PX_ERR_MEMORY, PX_ERR_LIMIT. */
PX_MUST_CHECK px_err config_format(const struct config_file *file, struct config_report *report,
                                   struct buf *out);

/* Writes a value so that it is read as `text` again: bare where it can be, else in quotes.  PX_OK,
 * PX_ERR_MEMORY or PX_ERR_LIMIT. */
PX_MUST_CHECK px_err config_write_value(struct buf *out, px_str text);

/* The same, always in quotes: a status, say, is none there. */
PX_MUST_CHECK px_err config_write_quoted(struct buf *out, px_str text);

#endif
