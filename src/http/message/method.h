/*
 * Methods by number, so that nothing that is done for each request compares strings (RFC 9110
 * section 9.3, RFC 5789).  Nothing here can fail: a method without a number is METHOD_OTHER.
 */
#ifndef PX_HTTP_METHOD_H
#define PX_HTTP_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method {
    METHOD_OTHER, /* any other token */
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_DELETE,
    METHOD_CONNECT,
    METHOD_OPTIONS,
    METHOD_TRACE,
    METHOD_PATCH
};

/* The number of a method; METHOD_OTHER when it has none.  Methods are case-sensitive (section 9.1).
 */
uint8_t http_method_of(const char *text, size_t len);

/* Whether asking twice means the same as asking once (RFC 9110 section 9.2.2). */
bool http_method_is_idempotent(uint8_t method);

#endif
