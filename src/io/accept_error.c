/*
 * Errors of accept.  It hands on errors of the network that were pending on the new connection
 * (accept(2), "Error handling"): those say nothing about the next one.
 */
#include <errno.h>

#include "io/engine.h"

bool accept_error_passes(int sys_errno)
{
    switch (sys_errno) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
    case EPERM:
    case ETIMEDOUT:
        return true;
    }
    return false;
}
