/*
 * Server names and protocol lists of a client's hello: what is found lies inside of what was given,
 * and reading it again finds the same.
 */
#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "tls/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void within(px_str inner, px_str outer)
{
    CHECK(inner.ptr >= outer.ptr && inner.ptr + inner.len <= outer.ptr + outer.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);
    px_str name = {NULL, 0}, again = {NULL, 0};
    char folded[TLS_NAME_BYTES_MAX], twice[TLS_NAME_BYTES_MAX];

    if (tls_hello_name(input, &name) == PX_OK && name.ptr) {
        within(name, input);
        CHECK(name.len > 0 && name.len <= TLS_NAME_BYTES_MAX);
        CHECK(!memchr(name.ptr, '\0', name.len));
        CHECK(tls_hello_name(input, &again) == PX_OK && px_str_equal(name, again));
        size_t count = tls_hello_fold(name, folded);

        CHECK(count <= name.len && count + 1 >= name.len);
        /* What is folded stays as it is, but for one more dot at its end. */
        size_t more = tls_hello_fold(px_str_make(folded, count), twice);

        CHECK(more <= count && memcmp(folded, twice, more) == 0);
    }
    px_str with = tls_hello_protocol(input, true), without = tls_hello_protocol(input, false);

    if (with.ptr) {
        within(with, input);
        CHECK(px_str_equal(with, px_str_of("h2")) || px_str_equal(with, without));
    }
    if (without.ptr) {
        within(without, input);
        CHECK(px_str_equal(without, px_str_of("http/1.1")) && with.ptr);
    }
    return 0;
}
