/*
 * The fields of a request on their way to a server, byte for byte: what is dropped, passed on and
 * added; what steers; and no memory at each allocation.
 */
#include "proxy/request_head.h"

#include "lib/fault_alloc.h"
#include "lib/test.h"

#define PEER "192.0.2.7"
#define ADDED                       \
    "X-Forwarded-For: " PEER "\n"   \
    "X-Forwarded-Proto: http\n"     \
    "X-Forwarded-Host: a.example\n" \
    "Via: 1.1 pollux\n"

enum { TRUSTED = 1, FORWARDED = 2, UNDERSCORES = 4, HOPS = 8, NO_PEER = 16, HTTP2 = 32, V6 = 64 };

static const struct {
    unsigned flags;
    const char *in; /* a field a line */
    const char *out;
} cases[] = {
    {0, "", ADDED},
    {0, "Accept: */*\nCookie: a=b\n", "Accept: */*\nCookie: a=b\n" ADDED},
    /* RFC 9110 section 7.6.1 */
    {0, "Connection: close, X-A\nX-A: 1\nx-b: 2\n", "x-b: 2\n" ADDED},
    {0, "Connection: X-A\nConnection: x-B , ,X-C\nX-A: 1\nX-B: 2\nX-C: 3\nX-D: 4\n",
     "X-D: 4\n" ADDED},
    {0, "Connection: X-Forwarded-For, Via, X-Forwarded-Proto\n", ADDED},
    {0, "Keep-Alive: timeout=5\nProxy-Connection: x\nTE: trailers\nTrailer: X\nUpgrade: h2c\n",
     ADDED},
    {0, "Transfer-Encoding: chunked\nContent-Length: 3\nHost: b\nExpect: 100-continue\n", ADDED},
    {0, "Proxy-Authorization: x\nProxy-Authenticate: y\nHTTP2-Settings: z\nProxy: w\nProxyX: v\n",
     "ProxyX: v\n" ADDED},
    /* What names a client is believed of trusted peers alone. */
    {0, "X-Forwarded-For: 1.2.3.4\nx-forwarded-for: 5.6.7.8\n", ADDED},
    {0, "X-Forwarded-Proto: https\nX-Forwarded-Host: evil\nX-Forwarded-Port: 1\nForwarded: for=x\n",
     ADDED},
    {TRUSTED, "X-Forwarded-For: 1.2.3.4\n",
     "X-Forwarded-For: 1.2.3.4, " PEER "\nX-Forwarded-Proto: http\n"
     "X-Forwarded-Host: a.example\nVia: 1.1 pollux\n"},
    {TRUSTED, "X-Forwarded-For: 1.2.3.4, 5.6.7.8\nX-Forwarded-For: 9.9.9.9\n",
     "X-Forwarded-For: 1.2.3.4, 5.6.7.8, 9.9.9.9, " PEER "\nX-Forwarded-Proto: http\n"
     "X-Forwarded-Host: a.example\nVia: 1.1 pollux\n"},
    {TRUSTED, "X-Forwarded-Proto: https\nX-Forwarded-Host: b\nX-Forwarded-Port: 1\n",
     "X-Forwarded-Proto: https\nX-Forwarded-Host: b\nX-Forwarded-Port: 1\n"
     "X-Forwarded-For: " PEER "\nVia: 1.1 pollux\n"},
    {TRUSTED, "Connection: X-Forwarded-For\nX-Forwarded-For: 1.2.3.4\n", ADDED},
    {TRUSTED, "Forwarded: for=1.2.3.4\n",
     "Forwarded: for=1.2.3.4\nX-Forwarded-For: " PEER "\nX-Forwarded-Proto: http\n"
     "X-Forwarded-Host: a.example\nForwarded: for=" PEER ";host=\"a.example\";proto=http\n"
     "Via: 1.1 pollux\n"},
    {FORWARDED, "Forwarded: for=1.2.3.4\n",
     "X-Forwarded-For: " PEER "\nX-Forwarded-Proto: http\nX-Forwarded-Host: a.example\n"
     "Forwarded: for=" PEER ";host=\"a.example\";proto=http\nVia: 1.1 pollux\n"},
    {FORWARDED | V6, "",
     "X-Forwarded-For: 2001:db8::1\nX-Forwarded-Proto: http\nX-Forwarded-Host: a.example\n"
     "Forwarded: for=\"[2001:db8::1]\";host=\"a.example\";proto=http\nVia: 1.1 pollux\n"},
    {NO_PEER, "X-Forwarded-For: 1.2.3.4\nForwarded: for=x\n",
     "X-Forwarded-Proto: http\nX-Forwarded-Host: a.example\nVia: 1.1 pollux\n"},
    {NO_PEER | TRUSTED, "X-Forwarded-For: 1.2.3.4\n",
     "X-Forwarded-For: 1.2.3.4\nX-Forwarded-Proto: http\nX-Forwarded-Host: a.example\n"
     "Via: 1.1 pollux\n"},
    {NO_PEER | FORWARDED, "",
     "X-Forwarded-Proto: http\nX-Forwarded-Host: a.example\n"
     "Forwarded: for=unknown;host=\"a.example\";proto=http\nVia: 1.1 pollux\n"},
    /* Names that others take for others. */
    {0, "X_Forwarded_For: 1\nRemote_User: a\n_: b\nX-Y: c\n", "X-Y: c\n" ADDED},
    {UNDERSCORES, "Remote_User: a\n", "Remote_User: a\n" ADDED},
    /* RFC 9110 section 7.6.3: ours is the last. */
    {0, "Via: 1.0 fred\n", "Via: 1.0 fred\n" ADDED},
    {HTTP2, "",
     "X-Forwarded-For: " PEER "\nX-Forwarded-Proto: http\nX-Forwarded-Host: a.example\n"
     "Via: 2.0 pollux\n"},
    /* RFC 9110 section 7.6.2 */
    {HOPS, "Max-Forwards: 10\n",
     "X-Forwarded-For: " PEER "\nX-Forwarded-Proto: http\nX-Forwarded-Host: a.example\n"
     "Max-Forwards: 9\nVia: 1.1 pollux\n"},
    {0, "Max-Forwards: 10\n", "Max-Forwards: 10\n" ADDED},
    {HOPS, "Max-Forwards: x\n", ADDED},
};

enum { CASE_COUNT = 27, FIELDS_MAX = 32, FIRST_BYTES = 4096 };

static size_t fields_read(const char *lines, px_field *fields)
{
    size_t count = 0;

    while (*lines) {
        const char *colon = strchr(lines, ':'), *end = strchr(lines, '\n');

        assert_true(colon && end && count < FIELDS_MAX);
        fields[count++] = (px_field){px_str_make(lines, (size_t)(colon - lines)),
                                     px_str_make(colon + 2, (size_t)(end - colon - 2))};
        lines = end + 1;
    }
    return count;
}

static struct request_head head_make(unsigned flags, const px_field *fields, size_t count)
{
    return (struct request_head){
        .fields = fields,
        .field_count = count,
        .version = flags & HTTP2 ? 20 : 11,
        .peer =
            flags & NO_PEER ? px_str_make(NULL, 0) : px_str_of(flags & V6 ? "2001:db8::1" : PEER),
        .scheme = px_str_of("http"),
        .authority = px_str_of("a.example"),
        .via_name = px_str_of("pollux"),
        .trusted = flags & TRUSTED,
        .forwarded = flags & FORWARDED,
        .underscores = flags & UNDERSCORES,
        .counts_hops = flags & HOPS,
    };
}

static px_err write_case(size_t index, const px_allocator *allocator, uint32_t first_bytes,
                         char *out, size_t room)
{
    px_field fields[FIELDS_MAX], *made;
    struct request_head head =
        head_make(cases[index].flags, fields, fields_read(cases[index].in, fields));
    struct arena arena;
    size_t count;
    char first[FIRST_BYTES];

    arena_init(&arena, allocator, first, first_bytes, 1 << 20);
    px_err err = request_head_write(&head, &arena, &made, &count);

    for (size_t at = 0; err == PX_OK && at < count; at++) {
        int len = snprintf(out, room, "%.*s: %.*s\n", (int)made[at].name.len, made[at].name.ptr,
                           (int)made[at].value.len, made[at].value.ptr);

        assert_true(len > 0 && (size_t)len < room);
        out += len;
        room -= (size_t)len;
    }
    arena_reset(&arena);
    return err;
}

static void request_head_is_written(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        char out[4096] = "";

        assert_int_equal(write_case(index, &alloc_libc, 0, out, sizeof(out)), PX_OK);
        assert_string_equal(out, cases[index].out);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), CASE_COUNT);
}

/* The lent block is longer each time, so that the first allocation is another one's, and fails. */
static void request_head_survives_no_memory(void **state)
{
    unsigned failed = 0;

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        px_err err = PX_ERR_MEMORY;

        for (uint32_t bytes = 0; err != PX_OK; bytes += 8) {
            struct fault_alloc faults;
            char out[4096] = "";

            assert_true(bytes <= FIRST_BYTES);
            fault_alloc_init(&faults);
            faults.fail_at = 1;
            faults.fail_on = true;
            err = write_case(index, &faults.allocator, bytes, out, sizeof(out));
            assert_true(err == PX_OK || err == PX_ERR_MEMORY);
            if (err == PX_OK)
                assert_string_equal(out, cases[index].out);
            failed += err != PX_OK;
            fault_alloc_assert_empty(&faults);
        }
    }
    print_message("%u times without memory\n", failed);
    assert_true(failed > 10 * CASE_COUNT);
}

static void request_head_bounds_connection(void **state)
{
    px_field fields[2] = {
        {px_str_of("Connection"), px_str_of("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,close,keep-alive,te")},
        {px_str_of("Connection"), px_str_of("q")}};
    struct connection_names names;

    (void)state;
    assert_int_equal(connection_names_read(fields, 1, &names), PX_OK);
    assert_int_equal(names.count, CONNECTION_NAMES_MAX);
    assert_true(connection_names_have(&names, px_str_of("P")));
    assert_false(connection_names_have(&names, px_str_of("q")));
    assert_int_equal(connection_names_read(fields, 2, &names), PX_ERR_LIMIT);
}

static const struct {
    const char *via;
    bool loops;
} vias[] = {
    {"1.1 pollux", true},
    {"1.0 fred, 1.1 pollux", true},
    {"1.1 POLLUX (comment)", true},
    {"HTTP/1.1\tpollux", true},
    {"1.1 pollux2", false},
    {"1.1 fred (pollux)", false},
    {"pollux", false},
    {"", false},
    {"1.1 pollux.example", false},
};

static void request_head_finds_loops(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(vias) / sizeof(vias[0]); index++) {
        px_field field = {px_str_of("via"), px_str_of(vias[index].via)};
        struct request_head head = head_make(0, &field, 1);

        assert_int_equal(request_head_loops(&head), vias[index].loops);
    }
    assert_int_equal(sizeof(vias) / sizeof(vias[0]), 9);
}

static const struct {
    const char *te;
    bool wanted;
} tes[] = {
    {"trailers", true},
    {"trailers, gzip", true},
    {"gzip, Trailers", true},
    {"trailers;q=0.5", false},
    {"gzip", false},
    {"", false},
    {"deflate;q=0.5, trailers", true},
};

static void request_head_reads_te(void **state)
{
    (void)state;
    for (size_t index = 0; index < sizeof(tes) / sizeof(tes[0]); index++) {
        px_field field = {px_str_of("TE"), px_str_of(tes[index].te)};

        assert_int_equal(fields_want_trailers(&field, 1), tes[index].wanted);
    }
    assert_int_equal(sizeof(tes) / sizeof(tes[0]), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_head_is_written),
        cmocka_unit_test(request_head_survives_no_memory),
        cmocka_unit_test(request_head_bounds_connection),
        cmocka_unit_test(request_head_finds_loops),
        cmocka_unit_test(request_head_reads_te),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
