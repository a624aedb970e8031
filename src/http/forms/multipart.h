/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1) as it arrives: bytes go in, events come out.
 *
 * Happy path: multipart_boundary on the Content-Type, multipart_init, multipart_feed for each piece
 * of content, multipart_finish at its end.  Content of parts is handed on where it was received;
 * only the fields of a part are copied, at most MULTIPART_HEAD_BYTES_MAX of them.  Any split of the
 * bytes gives the same events, but for where the slices of a part's content are cut.
 *
 * It can fail by a refusal: `reason` is set and the parser stays refused.  Content without its last
 * boundary is refused at the end, so that what was cut short never looks complete.
 */
#ifndef PX_HTTP_MULTIPART_H
#define PX_HTTP_MULTIPART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/limits.h"
#include "pollux/error.h"
#include "pollux/field.h"

/* What a part is.  Its strings end in NUL and live until on_part_end has returned. */
struct multipart_part {
    px_str name;            /* of the form's control; unescaped */
    px_str filename;        /* unescaped, as the peer sent it: never a path; absent without one */
    px_str content_type;    /* absent without the field, which means text/plain */
    const px_field *fields; /* all of them, as received; borrowed likewise */
    uint32_t field_count;
};

/* What is told, in this order: for each part a begin, its content in slices, an end; and on_end
 * when the form is whole.  A result other than PX_OK refuses the rest and is what multipart_feed
 * returns. A callback must not feed, finish or free the parser. */
struct multipart_events {
    px_err (*on_part_begin)(const struct multipart_part *part, void *context);
    /* At least one byte, borrowed until this returns. */
    px_err (*on_part_data)(px_str bytes, void *context);
    px_err (*on_part_end)(void *context);
    px_err (*on_end)(void *context);
};

struct multipart {
    const struct multipart_events *events; /* borrowed: outlives the parser */
    void *context;                         /* borrowed: likewise */
    struct buf head;                       /* owned: the fields of the part at hand */
    const char *reason;                    /* after a refusal: why, static, one line */
    px_err err;                            /* after a refusal: what every call returns */
    uint32_t part_count;
    uint8_t matched; /* bytes of the delimiter that were seen and not handed on */
    uint8_t
        matched_outside; /* of those, the ones that are no content if it turns out not to be one */
    uint8_t delimiter_len;
    bool paused;                                      /* by a callback of the feed at hand */
    uint8_t state;                                    /* private to multipart.c */
    char delimiter[MULTIPART_BOUNDARY_BYTES_MAX + 4]; /* CR LF "--" boundary */
    px_field fields[MULTIPART_FIELDS_MAX];            /* slices of `head` */
};

/* The boundary in the value of a Content-Type field, a slice of it: PX_OK, PX_ERR_UNSUPPORTED when
 * the type is another one or there is none (415), PX_ERR_MALFORMED when it has no boundary of 1 to
 * 70 bytes that may stand in one, or two. */
PX_MUST_CHECK px_err multipart_boundary(px_str content_type, px_str *out_boundary);

/* Makes ready.  `boundary` is copied; PX_OK or PX_ERR_INVALID, when it is not one.  `allocator`
 * serves the fields of a part. */
PX_MUST_CHECK px_err multipart_init(struct multipart *multipart, px_str boundary,
                                    const px_allocator *allocator,
                                    const struct multipart_events *events, void *context);
void multipart_deinit(struct multipart *multipart);

/* Takes the next bytes: PX_OK, PX_ERR_MALFORMED, PX_ERR_LIMIT (parts, or the fields of one),
 * PX_ERR_MEMORY, or what a callback returned.  *out_used, written on PX_OK, is all of them, or
 * where a callback called multipart_pause, those it was told of: the rest is fed again. */
PX_MUST_CHECK px_err multipart_feed(struct multipart *multipart, px_str bytes, size_t *out_used);

/* States what must hold between two feeds; for tests. */
void multipart_check(const struct multipart *multipart);

/* For a callback: nothing is told after it returns, until the next multipart_feed. */
void multipart_pause(struct multipart *multipart);

/* The content has ended: PX_OK after the last boundary (on_end was called), else as multipart_feed.
 * To be called once. */
PX_MUST_CHECK px_err multipart_finish(struct multipart *multipart);

#endif
