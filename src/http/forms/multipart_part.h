/*
 * The fields of one part of a form: lines into fields, Content-Disposition into names.
 *
 * It works in place on a part's collected head, whose blanks and line ends become the NULs that its
 * strings end in.  It can fail by a refusal with a static reason.
 */
#ifndef PX_HTTP_MULTIPART_PART_H
#define PX_HTTP_MULTIPART_PART_H

#include "http/forms/multipart.h"

/* Parses `head`, which ends in CR LF CR LF (or is one CR LF), into `fields`, of which there are
 * MULTIPART_FIELDS_MAX.  The names are unescaped behind the head in its buffer.  PX_OK,
 * PX_ERR_MALFORMED, PX_ERR_LIMIT (*out_reason says of what), or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err multipart_part_parse(struct buf *head, px_field *fields,
                                          struct multipart_part *out_part, const char **out_reason);

#endif
