/*
 * The PROXY protocol: more bytes never change an answer, a header ends inside of what was given,
 * and what follows it does not matter.
 */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "net/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);
    struct proxy_header whole, part;
    char text[ADDRESS_TEXT_BYTES];

    if (len > PROXY_HEADER_BYTES_MAX + 64)
        return 0;
    memset(&whole, 0, sizeof(whole));
    px_err err = proxy_header_parse(input, &whole);

    CHECK(err == PX_OK || err == PX_AGAIN || err == PX_ERR_MALFORMED || err == PX_ERR_LIMIT);
    if (err == PX_AGAIN)
        CHECK(len < PROXY_HEADER_BYTES_MAX);
    if (err == PX_OK) {
        CHECK(whole.bytes > 0 && whole.bytes <= len && whole.bytes <= PROXY_HEADER_BYTES_MAX);
        if (whole.has_peer)
            CHECK(address_format(&whole.source, text, sizeof(text)) < sizeof(text));
        CHECK(proxy_header_parse(px_str_make(input.ptr, whole.bytes), &part) == PX_OK);
        CHECK(memcmp(&whole, &part, sizeof(whole)) == 0);
    }
    for (size_t cut = 0; cut < len; cut += 1 + cut / 64) {
        px_err before = proxy_header_parse(px_str_make(input.ptr, cut), &part);

        CHECK(before == PX_AGAIN || before == err);
        if (before == PX_OK)
            CHECK(cut >= whole.bytes);
    }
    return 0;
}
