/*
 * The fields of a head that mean something to the connection itself: Host, Content-Length,
 * Transfer-Encoding, Connection, Expect, Upgrade.  Used by h1_parse.c alone.
 */
#ifndef PX_HTTP_H1_FIELD_H
#define PX_HTTP_H1_FIELD_H

#include "http/h1_parse.h"

/* Looks at the field `field` whose line has ended.  False: refused, status and reason are set. */
bool h1_field_note(struct h1_parser *parser, const char *head, const struct h1_field_span *field);

/* Sets status and reason, and returns false. */
bool h1_field_refuse(struct h1_parser *parser, uint16_t status, const char *reason);

#endif
