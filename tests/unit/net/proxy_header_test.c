/*
 * The PROXY protocol: both versions in every split and at a guard page, what is refused and when,
 * the checksum, the longest header.
 */
#include "net/proxy_header.h"

#include "base/limits.h"
#include "lib/guard.h"
#include "lib/splits.h"
#include "lib/test.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define INET "\300\0\2\1\300\0\2\2\x12\x34\0\120"

/* One run: what came out, once something did. */
struct reading {
    px_err err;
    struct proxy_header header;
    size_t fed_max; /* the most that was presented while it said PX_AGAIN */
};

static void reading_begin(void *context)
{
    struct reading *reading = context;

    memset(reading, 0, sizeof(*reading));
    reading->err = PX_AGAIN;
}

static size_t reading_feed(px_str bytes, void *context)
{
    struct reading *reading = context;

    if (reading->err != PX_AGAIN)
        return bytes.len;
    reading->err = proxy_header_parse(bytes, &reading->header);
    if (reading->err == PX_OK)
        return reading->header.bytes;
    return 0;
}

/* A header, and what comes out of it. */
struct header_case {
    px_str bytes;
    const char *source; /* NULL: no peer */
    const char *destination;
    bool tls;
};

static const struct header_case *wanted;

static void reading_check(size_t left, const char *split, void *context)
{
    struct reading *reading = context;
    char text[ADDRESS_TEXT_BYTES];

    (void)left;
    (void)split;
    assert_int_equal(reading->err, PX_OK);
    assert_int_equal(reading->header.bytes, wanted->bytes.len - 3);
    assert_int_equal(reading->header.has_peer, wanted->source != NULL);
    assert_int_equal(reading->header.tls, wanted->tls);
    if (!wanted->source)
        return;
    address_format(&reading->header.source, text, sizeof(text));
    assert_string_equal(text, wanted->source);
    address_format(&reading->header.destination, text, sizeof(text));
    assert_string_equal(text, wanted->destination);
}

/* Each is followed by the first bytes of the connection. */
#define CASE(text, ...)                  \
    {                                    \
        LITERAL(text "GET"), __VA_ARGS__ \
    }

static void headers_are_read_in_every_split(void **state)
{
    static char unix_bytes[16 + 216 + 3] = SIGNATURE "\x21\x31\0\xd8/from";
    const struct header_case cases[] = {
        CASE("PROXY TCP4 192.0.2.1 192.0.2.2 4660 80\r\n", "192.0.2.1:4660", "192.0.2.2:80", false),
        CASE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535",
             "255.255.255.255:65535", false),
        CASE("PROXY TCP6 2001:db8::1 2001:db8::2 0 443\r\n", "[2001:db8::1]:0", "[2001:db8::2]:443",
             false),
        CASE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
             "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
             "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
             "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", false),
        CASE("PROXY UNKNOWN\r\n", NULL, NULL, false),
        CASE("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
             "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
             NULL, NULL, false),
        CASE(SIGNATURE "\x21\x11\0\x0c" INET, "192.0.2.1:4660", "192.0.2.2:80", false),
        CASE(SIGNATURE "\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                       "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\x12\x34\1\xbb",
             "[2001:db8::1]:4660", "[2001:db8::2]:443", false),
        {px_str_make(unix_bytes, sizeof(unix_bytes)), "unix:/from", "unix:", false},
        /* Datagrams and nothing: read and not used. */
        CASE(SIGNATURE "\x21\x12\0\x0c" INET, NULL, NULL, false),
        CASE(SIGNATURE "\x21\0\0\0", NULL, NULL, false),
        /* LOCAL: whatever the block holds. */
        CASE(SIGNATURE "\x20\0\0\0", NULL, NULL, false),
        CASE(SIGNATURE "\x20\x11\0\x0c" INET, NULL, NULL, false),
        CASE(SIGNATURE "\x20\xff\0\3abc", NULL, NULL, false),
        /* TLVs: an unknown one, TLS and not, ALPN, no value, a checksum. */
        CASE(SIGNATURE "\x21\x11\0\x13" INET "\xe0\0\4abcd", "192.0.2.1:4660", "192.0.2.2:80",
             false),
        CASE(SIGNATURE "\x21\x11\0\x17" INET "\x20\0\5\1\0\0\0\0\4\0\0", "192.0.2.1:4660",
             "192.0.2.2:80", true),
        CASE(SIGNATURE "\x21\x11\0\x14" INET "\x20\0\5\0\0\0\0\0", "192.0.2.1:4660", "192.0.2.2:80",
             false),
        CASE(SIGNATURE "\x21\x11\0\x13" INET "\3\0\4\x4e\x67\xed\x18", "192.0.2.1:4660",
             "192.0.2.2:80", false),
    };
    struct reading reading;
    const struct split_reader reader = {reading_begin, reading_feed, reading_check, &reading};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        wanted = &cases[i];
        splits_each(wanted->bytes, &reader);
    }
}

static void others_are_refused(void **state)
{
    const px_str cases[] = {
        LITERAL("GET / HTTP/1.1\r\n"),
        LITERAL("\x16\x03\x01"),
        LITERAL("PROXZ"),
        LITERAL("PROXY\tTCP4"),
        LITERAL("proxy tcp4"),
        LITERAL("PROXY \r\n"),
        LITERAL("PROXY TCP4\r\n"),
        LITERAL("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"),
        LITERAL("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"),
        LITERAL("PROXY UNKNOWNS\r\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"),
        LITERAL("PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n"),
        LITERAL("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n"),
        LITERAL("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n"),
        LITERAL("PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n"),
        LITERAL("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"),
        LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx"),
        LITERAL("PROXY UNKNOWN a\0b\r\n"),
        LITERAL(SIGNATURE "\x11"),
        LITERAL(SIGNATURE "\x22"),
        LITERAL(SIGNATURE "\x31"),
        LITERAL("\r\n\r\nG"),
        LITERAL(SIGNATURE "\x21\x11\0\x0b" INET),
        LITERAL(SIGNATURE "\x21\x41\0\x0c" INET),
        LITERAL(SIGNATURE "\x21\x13\0\x0c" INET),
        LITERAL(SIGNATURE "\x21\x21\0\x0c" INET),
        LITERAL(SIGNATURE "\x21\x11\0\x0e" INET "\4\0"),
        LITERAL(SIGNATURE "\x21\x11\0\x0f" INET "\4\0\1"),
        LITERAL(SIGNATURE "\x21\x11\0\x13" INET "\3\0\4\x4e\x67\xed\x19"),
        LITERAL(SIGNATURE "\x21\x11\0\x12" INET "\3\0\3\0\0\0"),
    };
    struct proxy_header header;
    struct guard guard;

    (void)state;
    guard_init(&guard, 256);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_err err = PX_AGAIN;

        /* Whatever the split: never accepted, and refused by the last byte at the latest. */
        for (size_t len = 0; len <= cases[i].len; len++) {
            err = proxy_header_parse(guard_at_end(&guard, px_str_make(cases[i].ptr, len)), &header);
            assert_true(err == PX_AGAIN || err == PX_ERR_MALFORMED);
        }
        if (err != PX_ERR_MALFORMED)
            print_error("case %zu\n", i);
        assert_int_equal(err, PX_ERR_MALFORMED);
    }
    guard_deinit(&guard);
}

static void length_is_limited(void **state)
{
    static char bytes[PROXY_HEADER_BYTES_MAX + 1] = SIGNATURE "\x20";
    struct proxy_header header;
    size_t len = PROXY_HEADER_BYTES_MAX - 16;

    (void)state;
    bytes[14] = (char)(len >> 8);
    bytes[15] = (char)len;
    assert_int_equal(proxy_header_parse(px_str_make(bytes, sizeof(bytes) - 2), &header), PX_AGAIN);
    assert_int_equal(proxy_header_parse(px_str_make(bytes, sizeof(bytes)), &header), PX_OK);
    assert_int_equal(header.bytes, PROXY_HEADER_BYTES_MAX);
    bytes[15]++;
    assert_int_equal(proxy_header_parse(px_str_make(bytes, 16), &header), PX_ERR_LIMIT);

    /* A line that does not end. */
    memset(bytes, 'x', 200);
    memcpy(bytes, "PROXY UNKNOWN ", 14);
    assert_int_equal(proxy_header_parse(px_str_make(bytes, 105), &header), PX_AGAIN);
    assert_int_equal(proxy_header_parse(px_str_make(bytes, 106), &header), PX_ERR_MALFORMED);
    memcpy(bytes + 105, "\r\n", 2);
    assert_int_equal(proxy_header_parse(px_str_make(bytes, 107), &header), PX_OK);
    assert_int_equal(header.bytes, 107);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read_in_every_split),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(length_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
