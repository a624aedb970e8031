/*
 * Categories, their names, and the one line that explains a failure.
 */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

const char *px_err_name(px_err err)
{
    switch (err) {
    case PX_OK:
        return "ok";
    case PX_AGAIN:
        return "try again";
    case PX_ERR_MEMORY:
        return "out of memory";
    case PX_ERR_LIMIT:
        return "limit reached";
    case PX_ERR_INVALID:
        return "invalid use";
    case PX_ERR_MALFORMED:
        return "malformed input";
    case PX_ERR_CLOSED:
        return "closed";
    case PX_ERR_TIMEOUT:
        return "timed out";
    case PX_ERR_CANCELLED:
        return "cancelled";
    case PX_ERR_CONFLICT:
        return "conflict";
    case PX_ERR_NOT_FOUND:
        return "not found";
    case PX_ERR_PERMISSION:
        return "permission denied";
    case PX_ERR_ADDRESS_IN_USE:
        return "address in use";
    case PX_ERR_UNSUPPORTED:
        return "not supported";
    case PX_ERR_SYSTEM:
        return "system error";
    case PX_FULL:
        return "full";
    }
    return "unknown error";
}

static px_err error_write(px_error *out_error, px_err code, int sys_errno, const char *format,
                          va_list arguments) PX_PRINTF(4, 0);

static px_err error_write(px_error *out_error, px_err code, int sys_errno, const char *format,
                          va_list arguments)
{
    if (!out_error)
        return code;
    out_error->code = code;
    out_error->sys_errno = sys_errno;
    vsnprintf(out_error->text, sizeof(out_error->text), format, arguments);
    return code;
}

px_err error_set(px_error *out_error, px_err code, int sys_errno, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    error_write(out_error, code, sys_errno, format, arguments);
    va_end(arguments);
    return code;
}

px_err px_error_set(px_error *out_error, px_err code, int sys_errno, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    error_write(out_error, code, sys_errno, format, arguments);
    va_end(arguments);
    return code;
}

px_err error_copy(px_error *out_error, const px_error *error)
{
    if (out_error)
        *out_error = *error;
    return error->code;
}

px_err error_clear(px_error *out_error)
{
    if (out_error) {
        out_error->code = PX_OK;
        out_error->sys_errno = 0;
        out_error->text[0] = '\0';
    }
    return PX_OK;
}

px_err error_category(int sys_errno)
{
    switch (sys_errno) {
    case 0:
        return PX_OK;
    case EADDRINUSE:
        return PX_ERR_ADDRESS_IN_USE;
    case EACCES:
    case EPERM:
        return PX_ERR_PERMISSION;
    case ENOENT:
    case ENOTDIR:
        return PX_ERR_NOT_FOUND;
    case ENOMEM:
    case ENOBUFS:
        return PX_ERR_MEMORY;
    case EMFILE:
    case ENFILE:
        return PX_ERR_LIMIT;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
    case ECONNREFUSED:
    case ENOTCONN:
        return PX_ERR_CLOSED;
    case ETIMEDOUT:
        return PX_ERR_TIMEOUT;
    case EAFNOSUPPORT:
    case ENOSYS:
    case EOPNOTSUPP:
        return PX_ERR_UNSUPPORTED;
    case EINVAL:
        return PX_ERR_INVALID;
    }
    return PX_ERR_SYSTEM;
}
