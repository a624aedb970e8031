/*
 * The fields of a head that mean something to the connection itself: Host, Content-Length,
 * Transfer-Encoding, Connection, Expect, Upgrade.  Used by h1_parse.c alone.
 */
#ifndef PX_HTTP_H1_FIELD_H
#define PX_HTTP_H1_FIELD_H

#include "http/h1/h1_parse.h"

/* Lengths of the names above; a field of another length needs no look. */
enum { H1_FIELD_LENGTHS = 1 << 4 | 1 << 6 | 1 << 7 | 1 << 10 | 1 << 14 | 1 << 17 };

bool h1_field_note_known(struct h1_parser *parser, const char *head, struct http_span name,
                         struct http_span value);

/* Looks at a field whose line has ended.  False: refused, status and reason are set. */
static inline bool h1_field_note(struct h1_parser *parser, const char *head, struct http_span name,
                                 struct http_span value)
{
    if (name.len > 17 || !(H1_FIELD_LENGTHS >> name.len & 1))
        return true;
    return h1_field_note_known(parser, head, name, value);
}

/* Sets status and reason, and returns false. */
bool h1_field_refuse(struct h1_parser *parser, uint16_t status, const char *reason);

#endif
