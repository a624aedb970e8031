/*
 * getrandom, until everything is filled: it may be interrupted and give less than was asked for.
 */
#include "io/random.h"

#include <errno.h>
#include <sys/random.h>

px_err random_bytes(void *out, size_t bytes)
{
    char *at = out;

    while (bytes > 0) {
        ssize_t count = getrandom(at, bytes, 0);

        if (count > 0) {
            at += count;
            bytes -= (size_t)count;
        } else if (count < 0 && errno != EINTR) {
            return PX_ERR_SYSTEM;
        }
    }
    return PX_OK;
}
