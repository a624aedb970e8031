/*
 * Basic credentials: any value is read or refused; what is read is within the room, has no colon in
 * its name and no control byte, and is never longer than base64 can make it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/fields/basic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    size_t room = len > 0 ? data[0] : 0;
    px_str value = px_str_make((const char *)data + (len > 0), len > 0 ? len - 1 : 0);
    char *out = malloc(room + 1);
    struct basic_credentials credentials;

    must(out != NULL);
    if (basic_read(value, out, room, &credentials)) {
        must(credentials.user.ptr == out);
        must(credentials.password.ptr == out + credentials.user.len + 1);
        size_t all = credentials.user.len + 1 + credentials.password.len;

        must(all <= room && all <= value.len * 3 / 4);
        must(!memchr(out, ':', credentials.user.len));
        for (size_t at = 0; at < all; at++)
            must((unsigned char)out[at] >= 0x20 && out[at] != 0x7f);
    }
    free(out);
    return 0;
}
