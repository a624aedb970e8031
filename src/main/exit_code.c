/*
 * From a category of failure to an exit code.
 */
#include "main/exit_code.h"

enum exit_code exit_code_of(px_err err)
{
    switch (err) {
    case PX_OK:
        return CODE_OK;
    case PX_ERR_INVALID:
        return CODE_USAGE;
    case PX_ERR_NOT_FOUND:
        return CODE_NO_INPUT;
    case PX_ERR_ADDRESS_IN_USE:
        return CODE_UNAVAILABLE;
    case PX_ERR_PERMISSION:
        return CODE_PERMISSION;
    case PX_ERR_MEMORY:
    case PX_ERR_LIMIT:
    case PX_FULL:
    case PX_ERR_UNSUPPORTED:
    case PX_ERR_SYSTEM:
        return CODE_SYSTEM;
    case PX_AGAIN:
    case PX_ERR_MALFORMED:
    case PX_ERR_CLOSED:
    case PX_ERR_TIMEOUT:
    case PX_ERR_CANCELLED:
    case PX_ERR_CONFLICT:
        return CODE_SOFTWARE;
    }
    return CODE_SOFTWARE;
}
