/*
 * Methods of RFC 9110 section 9 and RFC 5789, by what becomes of them.  They have a case.
 */
#include "config/methods.h"

#include <string.h>

#include "base/check.h"
#include "pollux/request.h"
#include "pollux/response.h"

bool methods_are_answered(px_exchange *exchange)
{
    static const char *const refused[] = {"TRACE", "CONNECT"};
    static const char *const answered[] = {"HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"};
    px_str method = px_request_method(exchange);

    CHECK(method.len > 0);
    /* Nearly all of them. */
    if (method.len == 3 && memcmp(method.ptr, "GET", 3) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_COUNT(answered); i++)
        if (px_str_equal(method, px_str_of(answered[i])))
            return true;
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        if (!px_str_equal(method, px_str_of(refused[i])))
            continue;
        px_response_add_field(exchange, px_str_of("Allow"),
                              px_str_of("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS"));
        px_respond_error(exchange, 405);
        return false;
    }
    px_respond_error(exchange, 501);
    return false;
}
