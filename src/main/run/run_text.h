/*
 * Texts about a configuration, on their way out: reports, the effective configuration, a file in
 * its one layout.
 */
#ifndef PX_MAIN_RUN_TEXT_H
#define PX_MAIN_RUN_TEXT_H

#include "base/buf.h"
#include "config/report.h"
#include "main/exit_code.h"

enum { RUN_TEXT_BYTES_MAX = 256 * 1024 * 1024 };

/* Writes all that a report says to stderr, or to the error log that it is, a line each; and appends
 * it to a text (NULL: none). */
void run_text_report(const struct config_report *report, struct buf *text);

/* Writes a text to stdout. */
enum exit_code run_text_print(const struct buf *text);

/* Replaces a file by a text: readers see the old one or the new one. */
enum exit_code run_text_store(const char *path, const struct buf *text);

#endif
