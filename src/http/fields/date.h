/*
 * Dates as HTTP writes them (RFC 9110 section 5.6.7) and as access logs do.
 *
 * Pure arithmetic on the proleptic Gregorian calendar, UTC, years 1 to 9999; nothing of the C
 * library's time functions and no locale.  Happy path: one date_format a second, copied into every
 * response.  Formatting cannot fail; parsing refuses what is none of the three forms.
 */
#ifndef PX_HTTP_DATE_H
#define PX_HTTP_DATE_H

#include <stdint.h>

#include "pollux/error.h"
#include "pollux/str.h"

enum {
    DATE_BYTES = 29,          /* "Sun, 06 Nov 1994 08:49:37 GMT" */
    DATE_INTERNET_BYTES = 20, /* "1994-11-06T08:49:37Z" */
    DATE_LOG_BYTES = 28       /* "[10/Oct/2000:13:55:36 +0000]" */
};

#define DATE_SECONDS_MIN (-INT64_C(62135596800)) /* 0001-01-01 00:00:00 */
#define DATE_SECONDS_MAX INT64_C(253402300799)   /* 9999-12-31 23:59:59 */

/* Writes DATE_BYTES bytes (no NUL) of IMF-fixdate.  A time outside of the years 1 to 9999, which no
 * form can express, is written as the nearest that can. */
void date_format(int64_t unix_seconds, char out_text[DATE_BYTES]);

/* Writes DATE_LOG_BYTES bytes (no NUL) as NCSA's combined log has it.  Clamped as date_format. */
void date_format_log(int64_t unix_seconds, char out_text[DATE_LOG_BYTES]);

/* Writes DATE_INTERNET_BYTES bytes (no NUL) as RFC 3339 has it, in UTC.  Clamped as date_format. */
void date_format_internet(int64_t unix_seconds, char out_text[DATE_INTERNET_BYTES]);

/* Parses IMF-fixdate, RFC 850 or asctime form into Unix seconds: PX_OK or PX_ERR_MALFORMED.  `now`
 * decides the century of a two-digit year.  The name of the day must be one, but need not be the
 * right one: it says nothing that the rest does not. */
PX_MUST_CHECK px_err date_parse(px_str text, int64_t now, int64_t *out_unix_seconds);

#endif
