/*
 * Cookies (RFC 6265): reading what a user agent sends, writing what it may store.
 *
 * Reading is lenient, because one odd cookie of another application on the same host must not hide
 * the others.  Writing is strict: what a user agent would drop, or could be read as another
 * attribute, is refused.  Happy path: cookie_find on the Cookie field, cookie_build for Set-Cookie.
 */
#ifndef PX_HTTP_COOKIE_H
#define PX_HTTP_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "pollux/error.h"
#include "pollux/field.h"

struct cookie_pair {
    px_str name;
    px_str value; /* without the pair of quotes that may stand around it */
};

/* Takes the next pair off the value of a Cookie field.  Pieces without "=" or without a name are
 * skipped.  False when none is left. */
bool cookie_next(px_str *cookies, struct cookie_pair *out_pair);

/* The value of the first cookie of that name (with regard to case) in the value of a Cookie field;
 * absent when there is none. */
px_str cookie_find(px_str cookies, px_str name);

/* The same over all Cookie fields of a head: HTTP/2 splits them (RFC 9113 section 8.2.3). */
px_str cookie_find_field(const px_field *fields, uint32_t count, px_str name);

/* Whether other sites' requests carry the cookie (RFC 6265bis section 4.1.2.7). */
enum cookie_same_site {
    COOKIE_SAME_SITE_UNSET, /* no attribute: the user agent decides */
    COOKIE_SAME_SITE_STRICT,
    COOKIE_SAME_SITE_LAX,
    COOKIE_SAME_SITE_NONE /* needs `secure` */
};

/* A cookie to set.  Zero and absent values leave their attribute out. */
struct cookie {
    px_str name;   /* a token */
    px_str value;  /* cookie-octets: no controls, blanks, quotes, commas, semicolons, backslashes */
    px_str path;   /* begins with "/" */
    px_str domain; /* a host name without a leading dot */
    int64_t max_age; /* seconds from 0 on, when has_max_age; 0 deletes the cookie */
    int64_t expires; /* Unix seconds, when has_expires */
    bool has_max_age;
    bool has_expires;
    bool secure;
    bool http_only;
    enum cookie_same_site same_site;
};

/* Renders the value of a Set-Cookie field into `arena`, ending in NUL: PX_OK, PX_ERR_MEMORY,
 * PX_ERR_INVALID when a part is not as said above or user agents would drop the cookie
 * (SameSite=None and the prefix __Secure- without Secure, __Host- without Secure and Path=/ or with
 * a domain), or PX_ERR_LIMIT when it is longer than they store (COOKIE_BYTES_MAX,
 * COOKIE_ATTRIBUTE_BYTES_MAX). */
PX_MUST_CHECK px_err cookie_build(const struct cookie *cookie, struct arena *arena,
                                  px_str *out_value);

#endif
