/*
 * OpenSSL's error queue, put into a px_error.
 *
 * The queue belongs to the thread and is cleared here and before each call that looks at it, so
 * that what one connection left behind is never taken for another's.
 */
#include "tls/tls_error.h"

#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

px_err tls_error(px_error *out_error, px_err code, const char *format, ...)
{
    unsigned long first = ERR_peek_error();
    char text[PX_ERROR_TEXT_BYTES];
    const char *reason = NULL;
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (first != 0)
        reason = ERR_reason_error_string(first);
    if (first != 0 && ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE)
        code = PX_ERR_MEMORY;
    ERR_clear_error();
    return reason ? error_set(out_error, code, 0, "%s: %s", text, reason)
                  : error_set(out_error, code, 0, "%s", text);
}

px_err tls_error_open(px_error *out_error, const char *what, const char *path)
{
    unsigned long first = ERR_peek_error();
    int sys_errno = first != 0 && ERR_SYSTEM_ERROR(first) ? ERR_GET_REASON(first) : 0;

    ERR_clear_error();
    if (sys_errno == 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "cannot read %s %s", what, path);
    px_err code = error_category(sys_errno);

    return error_set(
        out_error, code, sys_errno, "cannot read %s %s: %s%s", what, path, strerror(sys_errno),
        code == PX_ERR_PERMISSION ? " (it must be readable by the user that starts)" : "");
}
