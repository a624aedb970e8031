/*
 * Forwarded and X-Forwarded-For: the walk from the right ends, what it hands out lies in the input
 * and is what a node may be, and what a client wrote before the last comma does not change what
 * the last proxy added.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/fields/forwarded.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_inside(px_str piece, px_str whole)
{
    if (piece.ptr)
        CHECK(piece.ptr >= whole.ptr && piece.ptr + piece.len <= whole.ptr + whole.len);
}

static void check_walk(px_str input, enum forwarded_syntax syntax)
{
    struct forwarded_hop hop;
    px_str list = input;

    for (;;) {
        size_t before = list.len;
        px_err err = forwarded_take_last(&list, syntax, &hop);

        if (err == PX_ERR_NOT_FOUND)
            break;
        CHECK(list.len < before);
        if (err != PX_OK)
            continue;
        check_inside(hop.host, input);
        check_inside(hop.proto, input);
        CHECK(!hop.host.ptr || (hop.host.len > 0 && !memchr(hop.host.ptr, ',', hop.host.len)));
    }
    CHECK(list.len == 0);
}

static void check_added(px_str input, enum forwarded_syntax syntax)
{
    static const char added[] = ", for=\"[2001:db8::1]:80\";proto=https";
    px_str tail = syntax == FORWARDED_RFC7239 ? px_str_of(added) : px_str_of(", 2001:db8::1");
    char *text = malloc(input.len + tail.len);
    struct forwarded_hop hop;

    CHECK(text);
    if (input.len > 0)
        memcpy(text, input.ptr, input.len);
    memcpy(text + input.len, tail.ptr, tail.len);
    px_str list = px_str_make(text, input.len + tail.len);

    CHECK(forwarded_take_last(&list, syntax, &hop) == PX_OK);
    CHECK(px_str_equal(hop.host, px_str_of("2001:db8::1")));
    CHECK(list.len == input.len);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);

    if (len > 4096)
        return 0;
    check_walk(input, FORWARDED_RFC7239);
    check_walk(input, FORWARDED_PLAIN);
    check_added(input, FORWARDED_RFC7239);
    check_added(input, FORWARDED_PLAIN);
    return 0;
}
