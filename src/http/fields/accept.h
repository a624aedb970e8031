/*
 * What a client says it takes: Accept-Encoding and Accept, with weights (RFC 9110 section 12.5).
 *
 * Happy path: init, one `add` for each field line of that name, then ask.  A line that a client
 * repeats is one list (RFC 9110 section 5.3).  Nothing allocates and nothing fails: an element that
 * is malformed is skipped, as no client gains from an answer that refuses a preference.  Of an
 * element that stands there twice the first counts.
 */
#ifndef PX_HTTP_ACCEPT_H
#define PX_HTTP_ACCEPT_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/field.h"

enum { WEIGHT_MAX = 1000 }; /* thousandths (RFC 9110 section 12.4.2) */

/* Content codings, those worth least first. */
enum coding { CODING_IDENTITY, CODING_GZIP, CODING_BROTLI, CODING_ZSTD, CODING_COUNT };

/* The name of a coding as in Content-Encoding, static. */
px_str coding_name(enum coding coding);

/* What a file holding content in that coding is called beyond its own name (".gz", ".br", ".zst"),
 * static; empty for identity.  A server that finds such a sidecar sends it with coding_name as
 * Content-Encoding, the media type of the name without it, an ETag of its own, and Vary:
 * Accept-Encoding; the order to look in is accept_coding_order. */
px_str coding_suffix(enum coding coding);

struct accept_coding {
    uint16_t weights[CODING_COUNT];
    uint16_t any;    /* the weight of "*" */
    uint8_t named;   /* bits 1 << coding of what is listed */
    bool any_listed; /* "*" is */
    bool present;    /* there is such a field, be it empty */
};

void accept_coding_init(struct accept_coding *accept);

/* One field line. */
void accept_coding_add(struct accept_coding *accept, px_str value);

/* All of a request's: init, and add for each Accept-Encoding among the fields. */
void accept_coding_read(struct accept_coding *accept, const px_field *fields, size_t count);

/* The weight of a coding, 0 when it is not acceptable.  Without the field every coding is
 * acceptable (RFC 9110 section 12.5.3), yet nothing says that the client knows it: 0 for all but
 * identity, which is acceptable unless it is refused. */
uint32_t accept_coding_weight(const struct accept_coding *accept, enum coding coding);

/* Writes the codings to try before identity, best first, and returns how many.  `offered` are bits
 * 1 << coding of what there is.  Higher weights go first; of equal ones those that are listed by
 * name, and of these zstd, br, gzip.  Of what only "*" allows gzip goes first: every client has it.
 */
uint32_t accept_coding_order(const struct accept_coding *accept, uint32_t offered,
                             enum coding out_codings[CODING_COUNT]);

/* --- Media types ---------------------------------------------------------------------------- */

/* How much a client likes one media type. */
struct accept_type {
    px_str type;
    px_str subtype;
    uint16_t weight;
    uint8_t precision; /* of the range that `weight` is from: 0 none, 1 all, 2 type,
                           3 subtype with parameters, 4 subtype */
    bool present;
};

/* `type` and `subtype` are borrowed. */
void accept_type_init(struct accept_type *accept, const char *type, const char *subtype);

/* One field line.  The most precise range counts (RFC 9110 section 12.5.1). */
void accept_type_add(struct accept_type *accept, px_str value);

/* All of a request's: add for each Accept among the fields. */
void accept_type_read(struct accept_type *accept, const px_field *fields, size_t count);

/* Whether the type itself is listed, and not only a range that it is in. */
static inline bool accept_type_is_named(const struct accept_type *accept)
{
    return accept->precision >= 3;
}

/* Without the field everything is welcome. */
uint32_t accept_type_weight(const struct accept_type *accept);

#endif
