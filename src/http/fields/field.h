/*
 * Fields and their values (RFC 9110 section 5): finding them, taking lists, parameters and media
 * types apart, and checking what a handler wants to send.
 *
 * Nothing here allocates; what is handed out are slices of what came in.  Happy
 * path: field_find once for each field that is asked for.  Iterators take a piece off the
 * front of a slice and say whether there was one.
 */
#ifndef PX_HTTP_FIELD_H
#define PX_HTTP_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "pollux/error.h"
#include "pollux/field.h"

/* Compares without regard to the case of ASCII letters, and of those only. */
bool field_text_equal(px_str left, px_str right);

/* Whether a name is `literal`, without regard to case.  The lengths nearly always differ, and that
 * of a literal is known when this is compiled. */
static inline bool field_name_is(px_str name, const char *literal)
{
    size_t len = strlen(literal);

    return name.len == len && field_text_equal(name, px_str_make(literal, len));
}

/* The first field of that name, or NULL. */
const px_field *field_find(const px_field *fields, uint32_t count, const char *name);

/* The value of the first field of that name; absent when there is none. */
px_str field_find_value(const px_field *fields, uint32_t count, const char *name);

/* --- What a handler may send --------------------------------------------------------------- */

/* Without the blanks (SP, HTAB) at its ends. */
px_str field_trim(px_str value);

/* A token of at least one byte (RFC 9110 section 5.6.2). */
bool field_name_valid(px_str name);

/* Visible bytes, blanks inside and obs-text (RFC 9110 section 5.5); CR, LF, NUL, other control
 * bytes and blanks at the ends are refused.  Empty is fine. */
bool field_value_valid(px_str value);

/* Whether the name belongs to the framing of messages or to one connection (RFC 9110 section 7.6.1,
 * RFC 9113 section 8.2.2).  The server alone sets these, for it alone knows what it sends. */
bool field_is_framing(px_str name);

/* --- Lists (RFC 9110 section 5.6.1) --------------------------------------------------------- */

/* Takes the next element off a comma-separated list; commas in quoted strings do not count, empty
 * elements are skipped, blanks around are dropped.  False when none is left. */
bool field_list_next(px_str *list, px_str *out_element);

/* Whether a list has that token as an element, without regard to case. */
bool field_list_has(px_str list, const char *token);

/* The same of all lines of a field, which are one list (RFC 9110 section 5.3). */
bool field_lines_have(const px_field *fields, uint32_t count, const char *name, const char *token);

/* --- Parameters (RFC 9110 section 5.6.6) ---------------------------------------------------- */

struct field_param {
    px_str name;
    px_str value; /* a token, or what stands between the quotes, escapes included */
    bool quoted;
};

/* Takes the next parameter off `params`, which is empty or begins with a semicolon (blanks before
 * it are fine): PX_OK, PX_ERR_NOT_FOUND when none is left, PX_ERR_MALFORMED. */
PX_MUST_CHECK px_err field_param_next(px_str *params, struct field_param *out_param);

/* The parameter of that name, compared without regard to case: PX_OK, PX_ERR_NOT_FOUND, or
 * PX_ERR_MALFORMED when the parameters are, or when the name stands there twice. */
PX_MUST_CHECK px_err field_param_find(px_str params, const char *name,
                                      struct field_param *out_param);

/* --- Media types (RFC 9110 section 8.3.1) --------------------------------------------------- */

struct media_type {
    px_str type;
    px_str subtype;
    px_str params; /* for field_param_next; well-formed */
};

/* Takes a media type apart and checks all of its parameters: PX_OK or PX_ERR_MALFORMED. */
PX_MUST_CHECK px_err media_type_parse(px_str value, struct media_type *out_type);

/* Whether it is that type, without regard to case and parameters. */
bool media_type_is(const struct media_type *media_type, const char *type, const char *subtype);

#endif
