/*
 * The table of methods that have a number.
 */
#include "http/message/method.h"

#include <string.h>

#include "base/check.h"

uint8_t http_method_of(const char *text, size_t len)
{
    static const struct {
        uint8_t len;
        uint8_t method;
        char text[8];
    } methods[] = {
        {3, METHOD_GET, "GET"},         {4, METHOD_HEAD, "HEAD"},
        {4, METHOD_POST, "POST"},       {3, METHOD_PUT, "PUT"},
        {6, METHOD_DELETE, "DELETE"},   {7, METHOD_CONNECT, "CONNECT"},
        {7, METHOD_OPTIONS, "OPTIONS"}, {5, METHOD_TRACE, "TRACE"},
        {5, METHOD_PATCH, "PATCH"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        if (methods[i].len == len && memcmp(text, methods[i].text, len) == 0)
            return methods[i].method;
    }
    return METHOD_OTHER;
}

bool http_method_is_idempotent(uint8_t method)
{
    switch (method) {
    case METHOD_GET:
    case METHOD_HEAD:
    case METHOD_PUT:
    case METHOD_DELETE:
    case METHOD_OPTIONS:
    case METHOD_TRACE:
        return true;
    }
    return false;
}
