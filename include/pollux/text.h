/*
 * Text as HTTP has it, taken apart and written: queries, percent-encoding, base64, dates, lists,
 * media types, blocks of addresses.  These are what pollux itself uses.
 *
 * Nothing here allocates or keeps anything: results are slices of what is given, or are written
 * where the caller says.  Any thread.
 */
#ifndef PX_TEXT_H
#define PX_TEXT_H

#include <stdint.h>

#include "pollux/error.h"
#include "pollux/str.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Takes the next pair off a query or a form's content (WHATWG URL section 5.1); empty pairs are
 *  skipped.  The parts are still encoded: px_form_decode.
 *  @param rest moved behind the pair.  @param out_value absent where there is no "=".
 *  @return 1, or 0 when none is left. */
int px_query_next(px_str *rest, px_str *out_name, px_str *out_value);

/** Decodes a name or a value of a query or form: "+" is a blank, %XX a byte, and a "%" without two
 *  digits stands for itself.
 *  @param out room for `text.len` bytes; may be where `text` is.
 *  @return how many bytes were written; they may be any, NUL too. */
size_t px_form_decode(char *out, px_str text);

/** Decodes %XX (RFC 3986 section 2.1), and nothing else, once.
 *  @param out room for `text.len + 1` bytes; ends in NUL.
 *  @return PX_OK, or PX_ERR_MALFORMED: a "%" without two digits, or NUL in it. */
PX_MUST_CHECK px_err px_percent_decode(char *out, px_str text, px_str *out_text);

/** Encodes all but RFC 3986's unreserved characters as %XX: a segment of a path, or a name or value
 *  of a query.
 *  @param out room for `3 * text.len` bytes.  @return how many were written. */
size_t px_percent_encode(char *out, px_str text);

/** The bytes that px_base64_encode writes for so many. */
#define PX_BASE64_BYTES(bytes) (((size_t)(bytes) + 2) / 3 * 4)

/** Writes base64 with padding (RFC 4648 section 4).
 *  @param out room for PX_BASE64_BYTES(bytes.len).  @return how many were written. */
size_t px_base64_encode(char *out, px_str bytes);

/** Reads base64; its padding may be left out.
 *  @param room 3 bytes for each 4 of the text are always enough.
 *  @return PX_OK, or PX_ERR_MALFORMED: it is none, or has more than `room` bytes. */
PX_MUST_CHECK px_err px_base64_decode(char *out, size_t room, px_str text, size_t *out_bytes);

/** Room for a date of HTTP, its NUL included. */
#define PX_HTTP_DATE_BYTES 30

/** Writes a date as HTTP has it ("Sun, 06 Nov 1994 08:49:37 GMT", RFC 9110 section 5.6.7), and a
 *  NUL.  What lies outside of the years 1 to 9999 is written as the nearest that does not. */
void px_http_date(int64_t unix_seconds, char out_text[PX_HTTP_DATE_BYTES]);

/** Reads a date of HTTP, in any of its three forms.
 *  @param now decides the century of a year with two digits; Unix seconds.
 *  @return PX_OK or PX_ERR_MALFORMED. */
PX_MUST_CHECK px_err px_http_date_read(px_str text, int64_t now, int64_t *out_unix_seconds);

/** Takes the next element off a comma-separated list (RFC 9110 section 5.6.1): commas in quoted
 *  strings do not count, empty elements are skipped, blanks around are dropped.
 *  @return 1, or 0 when none is left. */
int px_list_next(px_str *list, px_str *out_element);

/** Compares without regard to the case of ASCII letters: names of fields, hosts, tokens.
 *  @return 1 or 0. */
int px_str_equal_case(px_str left, px_str right);

/** The media type of a file of that name: by what follows its last dot, in any case.
 *  @return static text; "application/octet-stream" for what is not known. */
px_str px_media_type(px_str file_name);

/** Whether an address is in a block: "192.0.2.0/24", "192.0.2.1", "2001:db8::/32"; an IPv4 address
 *  in an IPv6 one is the IPv4 address.
 *  @param address without a port, as px_request_client gives it.
 *  @return 1; 0, also for what is no address; -1: `block` is none. */
int px_address_block_has(const char *block, px_str address);

#ifdef __cplusplus
}
#endif

#endif
