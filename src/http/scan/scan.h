/*
 * Finding the first byte that may not stand where it stands: the inner loops of the parser.
 *
 * Each function returns the index of the first byte at or after `from` that is outside its class,
 * or `len`.  The table is chosen once, when a loop or server is made (scan_table_best), and held by
 * it: plain C everywhere, wider instructions where the CPU has them.  All tables give the same
 * result for the same bytes; the unit tests compare them.  None reads past `len`, nor before `ptr`.
 */
#ifndef PX_HTTP_SCAN_H
#define PX_HTTP_SCAN_H

#include <stddef.h>
#include <stdint.h>

struct scan_table {
    /* Field values (RFC 9110 section 5.5): HTAB, SP, VCHAR, obs-text; stops at any other CTL. */
    size_t (*value)(const char *ptr, size_t from, size_t len);
    /* Tokens (RFC 9110 section 5.6.2). */
    size_t (*token)(const char *ptr, size_t from, size_t len);
    /* CHAR_PATH: stops at "%" too, whose two digits are the caller's to check, and at UTF-8. */
    size_t (*path)(const char *ptr, size_t from, size_t len);
    /* CHAR_QUERY: stops at UTF-8. */
    size_t (*query)(const char *ptr, size_t from, size_t len);
    const char *name; /* "plain", "avx2", ... */
};

extern const struct scan_table scan_plain;

/* The fastest table this CPU can run; never NULL. */
const struct scan_table *scan_table_best(void);

/* Every table this CPU can run, for the tests: fills at most `room` and returns how many. */
size_t scan_tables(const struct scan_table **out_tables, size_t room);

/* Character classes, one bit each, of every byte. */
enum {
    CHAR_TOKEN = 1,
    CHAR_PCHAR = 2, /* pchar and "/" without "%" (RFC 3986 section 3.3): what needs no encoding */
    CHAR_VALUE = 4,
    CHAR_DIGIT = 8,
    CHAR_HEX = 16,
    CHAR_PATH =
        32, /* visible ASCII without "#", "%" and "?": clients encode less than RFC 3986 asks */
    CHAR_QUERY = 64, /* visible ASCII without "#": a query passes as it is */
    CHAR_HOST = 128  /* reg-name without "%" and "," (RFC 3986 section 3.2.2) */
};
extern const uint8_t char_class[256];

/* Up to this many bytes the table is cheaper than a call. */
enum { SCAN_SHORT_BYTES = 16 };

/* The bytes of a class from `from` on by table: four at a time, so that there is no branch for
 * each. */
static inline size_t scan_short(const char *ptr, size_t from, size_t len, uint8_t class)
{
    const uint8_t *bytes = (const uint8_t *)ptr;

    while (len - from >= 4 && (char_class[bytes[from]] & char_class[bytes[from + 1]] &
                               char_class[bytes[from + 2]] & char_class[bytes[from + 3]] & class))
        from += 4;
    while (from < len && (char_class[bytes[from]] & class))
        from++;
    return from;
}

/* The same for pieces that are mostly short: what is left behind SCAN_SHORT_BYTES is for `wide`. */
static inline size_t scan_mixed(const char *ptr, size_t from, size_t len, uint8_t class,
                                size_t (*wide)(const char *ptr, size_t from, size_t len))
{
    size_t stop = len - from > SCAN_SHORT_BYTES ? from + SCAN_SHORT_BYTES : len;
    size_t at = scan_short(ptr, from, stop, class);

    return at == stop && stop < len ? wide(ptr, at, len) : at;
}

#endif
