/*
 * Log lines of an own format: a template, whose placeholders are those of every template, and the
 * fields of a JSON line by their names.
 *
 * What a request does not have is "-".  Texts are escaped as in a combined line, within quotes or
 * not, so that no peer can end a line or a quoted part of it.
 */
#ifndef PX_SERVER_LOG_TEMPLATE_H
#define PX_SERVER_LOG_TEMPLATE_H

#include "gate/template.h"
#include "server/site/log_fields.h"

/* Reads what a line is made of: a text for each piece, of the exchange's memory or the entry's; of
 * a field that is a number an absent one.  Returns the bytes of the line before escapes. */
size_t log_template_read(const px_template *template_, const struct log_entry *entry,
                         px_str texts[TEMPLATE_PIECES_MAX]);

/* Writes the line, without its end; the room was made before. */
void log_put_template(struct log_line *line, const px_template *template_,
                      const struct log_entry *entry, const px_str texts[TEMPLATE_PIECES_MAX]);

#endif
