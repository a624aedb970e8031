/*
 * Our client against our server, in memory, with bytes cut anywhere.
 */
#include "tls/tls_trust.h"

#include <openssl/err.h>
#include <string.h>

#include "authority.h"
#include "base/limits.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "tls/tls.h"
#include "tls/tls_session.h"

static struct authority authority, stranger;

#define PATH(name) authority_path(&authority, name)

/* One end. */
struct end {
    struct pool pool; /* of tls_block */
    struct tls_session session;
    px_err err;
    char received[64 * 1024];
    size_t received_len;
};

static struct end client, server; /* large */

static int begin(void **state)
{
    (void)state;
    authority_init(&authority);
    authority_init(&stranger);
    authority_issue(&authority, "a", "a.test,*.wild.test", EVP_PKEY_EC, 30);
    authority_issue(&authority, "old", "a.test", EVP_PKEY_EC, -1);
    authority_issue(&authority, "client", "client.test", EVP_PKEY_EC, 30);
    authority_issue(&stranger, "client", "client.test", EVP_PKEY_EC, 30);
    return 0;
}

static int finish(void **state)
{
    (void)state;
    authority_deinit(&authority);
    authority_deinit(&stranger);
    return 0;
}

static px_tls *tls_make(const px_tls_options *options, const char *stem)
{
    px_tls *tls = px_tls_create(options, NULL);
    char certificate[32], key[32];

    assert_non_null(tls);
    snprintf(certificate, sizeof(certificate), "%s.pem", stem);
    snprintf(key, sizeof(key), "%s.key", stem);
    assert_int_equal(px_tls_add_certificate(tls, PATH(certificate), PATH(key), NULL), PX_OK);
    return tls;
}

static px_tls_trust *trust_make(px_tls_trust_options *options)
{
    px_tls_trust_options plain = PX_TLS_TRUST_OPTIONS_DEFAULT;
    px_tls_trust *trust;

    options = options ? options : &plain;
    if (!options->ca_file && options->verify == PX_TLS_VERIFY)
        options->ca_file = PATH("ca.pem");
    trust = px_tls_trust_create(options, NULL);
    assert_non_null(trust);
    return trust;
}

static void ends_open(px_tls *tls, px_tls_trust *trust, const char *host, enum tls_offer offer)
{
    struct end *ends[] = {&client, &server};

    for (int i = 0; i < 2; i++) {
        memset(ends[i], 0, sizeof(*ends[i]));
        pool_init(&ends[i]->pool, &alloc_libc, sizeof(struct tls_block), 2, 64);
        ends[i]->err = PX_AGAIN;
    }
    assert_int_equal(tls_session_init(&server.session, tls, &server.pool), PX_OK);
    assert_int_equal(
        tls_session_connect(&client.session, trust, &client.pool, px_str_of(host), offer), PX_OK);
}

static void ends_close(void)
{
    tls_session_deinit(&client.session);
    tls_session_deinit(&server.session);
    pool_deinit(&client.pool);
    pool_deinit(&server.pool);
}

static void end_turn(struct end *end)
{
    struct tls_session *session = &end->session;

    if (!session->established && !session->failed) {
        end->err = tls_session_handshake(session);
        if (end->err != PX_OK)
            return;
    }
    while (!session->failed) {
        size_t bytes = 0, room = sizeof(end->received) - end->received_len;

        end->err = tls_session_read(session, end->received + end->received_len, room, &bytes);
        if (end->err != PX_OK)
            return;
        end->received_len += bytes;
    }
}

/* What one end has to say goes to the other, at most `piece` bytes at once. */
static bool carry(struct end *from, struct end *to, size_t piece)
{
    px_part parts[TLS_BLOCKS_MAX];
    uint32_t queued;
    char bytes[64 * 1024];

    if (tls_queue_parts(&from->session.out, parts, &queued) == 0 || queued == 0)
        return false;
    size_t count = parts[0].bytes.len < piece ? parts[0].bytes.len : piece;

    memcpy(bytes, parts[0].bytes.ptr, count);
    tls_queue_drop(&from->session.out, (uint32_t)count);
    to->session.in = px_str_make(bytes, count);
    end_turn(to);
    to->session.in = px_str_make(NULL, 0);
    return true;
}

static bool shake(size_t piece)
{
    bool moved = true;

    end_turn(&client);
    while (moved) {
        moved = carry(&client, &server, piece);
        moved = carry(&server, &client, piece) || moved;
    }
    return client.session.established && server.session.established;
}

static void say(struct end *from, struct end *to, const char *text, size_t piece)
{
    size_t used, before = to->received_len;

    assert_int_equal(tls_session_write(&from->session, px_str_of(text), &used), PX_OK);
    assert_int_equal(used, strlen(text));
    while (carry(from, to, piece))
        ;
    assert_int_equal(to->received_len - before, strlen(text));
    assert_memory_equal(to->received + before, text, strlen(text));
}

/* --- What holds ------------------------------------------------------------------------------- */

static void content_goes_both_ways(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 5, 7, 100, 16384};
    px_tls *tls = tls_make(NULL, "a");
    px_tls_trust *trust = trust_make(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        ends_open(tls, trust, i % 2 ? "A.Test." : "x.wild.test", TLS_OFFER_HTTP1);
        assert_true(shake(pieces[i]));
        say(&client, &server, "hello", pieces[i]);
        say(&server, &client, "world", pieces[i]);
        assert_string_equal(tls_session_reason(&client.session), "");
        assert_string_equal(server.session.name, i % 2 ? "a.test" : "x.wild.test");
        tls_session_close(&client.session);
        while (carry(&client, &server, pieces[i]))
            ;
        assert_int_equal(server.err, PX_ERR_CLOSED);
        say(&server, &client, "indeed", pieces[i]);
        tls_session_close(&server.session);
        while (carry(&server, &client, pieces[i]))
            ;
        assert_int_equal(client.err, PX_ERR_CLOSED);
        assert_true(client.session.peer_closed);
        ends_close();
    }
    px_tls_trust_destroy(trust);
    px_tls_destroy(tls);
}

/* Every split of what comes first: it is cut once, at each offset. */
static void a_flight_cut_anywhere(void **state)
{
    px_tls *tls = tls_make(NULL, "a");
    px_tls_trust_options options = PX_TLS_TRUST_OPTIONS_DEFAULT;
    size_t runs = 0;

    (void)state;
    options.sessions_max = PX_OFF;
    px_tls_trust *trust = trust_make(&options);

    for (size_t at = 1;; at++, runs++) {
        ends_open(tls, trust, "a.test", TLS_OFFER_BOTH);
        end_turn(&client);
        while (carry(&client, &server, SIZE_MAX))
            ;
        bool there = server.session.out.bytes > at;

        carry(&server, &client, at);
        assert_true(shake(SIZE_MAX));
        ends_close();
        if (!there)
            break;
    }
    assert_true(runs > 500);
    px_tls_trust_destroy(trust);
    px_tls_destroy(tls);
}

static void protocols(void **state)
{
    static const struct {
        bool http2;
        enum tls_offer offer;
        bool fine, chosen;
    } cases[] = {
        {true, TLS_OFFER_BOTH, true, true},     {false, TLS_OFFER_BOTH, true, false},
        {true, TLS_OFFER_HTTP1, true, false},   {true, TLS_OFFER_HTTP2, true, true},
        {false, TLS_OFFER_HTTP2, false, false}, {true, TLS_OFFER_NONE, true, false},
    };
    px_tls *tls = tls_make(NULL, "a");
    px_tls_trust *trust = trust_make(NULL);

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 6);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        tls->http2 = cases[i].http2;
        ends_open(tls, trust, "a.test", cases[i].offer);
        assert_int_equal(shake(SIZE_MAX), cases[i].fine);
        if (cases[i].fine)
            assert_int_equal(client.session.http2, cases[i].chosen);
        else
            assert_non_null(strstr(tls_session_reason(&client.session), "no application protocol"));
        ends_close();
    }
    px_tls_trust_destroy(trust);
    px_tls_destroy(tls);
}

static void sessions_are_resumed(void **state)
{
    px_tls *tls = tls_make(NULL, "a");
    px_tls_trust_options options = PX_TLS_TRUST_OPTIONS_DEFAULT;

    (void)state;
    options.sessions_max = 2;
    px_tls_trust *trust = trust_make(&options);
    static const struct {
        const char *host;
        bool resumed;
    } steps[] = {
        {"a.test", false},     {"a.test", true},       {"x.wild.test", false},
        {"x.wild.test", true}, {"y.wild.test", false}, /* the oldest, a.test, gives way */
        {"x.wild.test", true}, {"a.test", false},
    };

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        ends_open(tls, trust, steps[i].host, TLS_OFFER_BOTH);
        assert_true(shake(SIZE_MAX));
        say(&server, &client, "x", SIZE_MAX);
        if (client.session.resumed != steps[i].resumed)
            fail_msg("step %zu: resumed %d", i, client.session.resumed);
        assert_true(trust->kept_count <= 2);
        tls_session_close(&client.session); /* what is cut short is not resumed */
        ends_close();
    }
    /* What is open outlives its trust. */
    ends_open(tls, trust, "a.test", TLS_OFFER_BOTH);
    px_tls_trust_destroy(trust);
    assert_true(shake(SIZE_MAX));
    ends_close();
    px_tls_destroy(tls);
}

/* --- What does not ---------------------------------------------------------------------------- */

static void servers_that_are_not_believed(void **state)
{
    static const struct {
        const char *host;
        const char *ca;
        bool off, fine;
        const char *reason;
    } cases[] = {
        {"a.test", "ca.pem", false, true, ""},
        {"b.test", "ca.pem", false, false, "hostname mismatch"},
        {"wild.test", "ca.pem", false, false, "hostname mismatch"},
        {"x.y.wild.test", "ca.pem", false, false, "hostname mismatch"},
        {"192.0.2.2", "ca.pem", false, false, "IP address mismatch"},
        {"2001:db8::1", "ca.pem", false, false, "IP address mismatch"},
        {"a.test", NULL, false, false, ""},
        {"b.test", "ca.pem", true, true, ""},
        {"192.0.2.2", NULL, true, true, ""},
    };
    px_tls *tls = tls_make(NULL, "a");

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 9);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_tls_trust_options options = PX_TLS_TRUST_OPTIONS_DEFAULT;

        options.ca_file = cases[i].ca ? PATH(cases[i].ca) : authority_path(&stranger, "client.pem");
        options.verify = cases[i].off ? PX_TLS_VERIFY_OFF : PX_TLS_VERIFY;
        px_tls_trust *trust = trust_make(&options);

        ends_open(tls, trust, cases[i].host, TLS_OFFER_NONE);
        bool fine = shake(SIZE_MAX);

        if (fine != cases[i].fine || !strstr(tls_session_reason(&client.session), cases[i].reason))
            fail_msg("case %zu: %s", i, tls_session_reason(&client.session));
        if (!fine)
            assert_int_equal(client.err, PX_ERR_MALFORMED);
        assert_int_equal(ERR_peek_error(), 0);
        ends_close();
        px_tls_trust_destroy(trust);
    }
    px_tls_destroy(tls);
}

static void clients_that_are_asked(void **state)
{
    static const struct {
        uint32_t rule;
        const char *stem; /* the authority's; "!": the stranger's */
        bool fine;
    } cases[] = {
        {PX_TLS_CLIENT_OFF, "client", true},      {PX_TLS_CLIENT_OPTIONAL, NULL, true},
        {PX_TLS_CLIENT_OPTIONAL, "client", true}, {PX_TLS_CLIENT_OPTIONAL, "!", false},
        {PX_TLS_CLIENT_REQUIRED, "client", true}, {PX_TLS_CLIENT_REQUIRED, NULL, false},
        {PX_TLS_CLIENT_REQUIRED, "!", false},
    };
    char subject[64];

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 7);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_tls_options asks = PX_TLS_OPTIONS_DEFAULT;
        px_tls_trust_options shows = PX_TLS_TRUST_OPTIONS_DEFAULT;
        struct authority *from = cases[i].stem && *cases[i].stem == '!' ? &stranger : &authority;

        asks.client = cases[i].rule;
        asks.client_ca_file = PATH("ca.pem");
        shows.certificate_file = cases[i].stem ? authority_path(from, "client.pem") : NULL;
        shows.key_file = cases[i].stem ? authority_path(from, "client.key") : NULL;
        px_tls *tls = tls_make(&asks, "a");
        px_tls_trust *trust = trust_make(&shows);

        ends_open(tls, trust, "a.test", TLS_OFFER_BOTH);
        shake(SIZE_MAX);
        /* In TLS 1.3 the client is done before the server has looked. */
        if (server.session.established != cases[i].fine)
            fail_msg("case %zu: %s", i, tls_session_reason(&server.session));
        if (!cases[i].fine)
            assert_true(client.session.failed);
        else if (cases[i].rule != PX_TLS_CLIENT_OFF && cases[i].stem)
            assert_true(tls_session_subject(&server.session, subject, sizeof(subject)) > 0);
        ends_close();
        px_tls_trust_destroy(trust);
        px_tls_destroy(tls);
    }
}

static void an_expired_server(void **state)
{
    px_tls *tls = tls_make(NULL, "old");
    px_tls_trust *trust = trust_make(NULL);

    (void)state;
    ends_open(tls, trust, "a.test", TLS_OFFER_NONE);
    assert_false(shake(SIZE_MAX));
    assert_non_null(strstr(tls_session_reason(&client.session), "expired"));
    ends_close();
    px_tls_trust_destroy(trust);
    px_tls_destroy(tls);
}

static void hosts_that_are_none(void **state)
{
    static char long_name[TLS_NAME_BYTES_MAX + 2];
    px_tls_trust *trust = trust_make(NULL);
    struct pool pool;

    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    const px_str hosts[] = {{"", 0}, {"a\0b", 3}, {long_name, sizeof(long_name) - 1}};

    pool_init(&pool, &alloc_libc, sizeof(struct tls_block), 2, 64);
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        struct tls_session session;

        assert_int_equal(tls_session_connect(&session, trust, &pool, hosts[i], TLS_OFFER_NONE),
                         PX_ERR_INVALID);
        tls_session_deinit(&session);
    }
    pool_deinit(&pool);
    px_tls_trust_destroy(trust);
}

static void options_that_are_wrong(void **state)
{
    px_error error;

    (void)state;
    for (int which = 0; which < 6; which++) {
        px_tls_trust_options options = PX_TLS_TRUST_OPTIONS_DEFAULT;
        px_err expected = PX_ERR_INVALID;

        options.ca_file = PATH("ca.pem");
        switch (which) {
        case 0:
            options.struct_size = 0;
            break;
        case 1:
            options.verify = 7;
            break;
        case 2:
            options.ca_file = PATH("nothing.pem");
            expected = PX_ERR_NOT_FOUND;
            break;
        case 3:
            options.ca_file = PATH("a.key");
            break;
        case 4:
            options.key_file = PATH("a.key");
            break;
        case 5:
            options.certificate_file = PATH("a.pem");
            options.key_file = PATH("client.key");
            break;
        }
        assert_null(px_tls_trust_create(&options, &error));
        if (error.code != expected || error.text[0] == '\0')
            fail_msg("case %d: %d %s", which, (int)error.code, error.text);
        assert_null(px_tls_trust_create(&options, NULL));
    }
    px_tls_trust_destroy(NULL);
}

static void without_memory(const px_allocator *allocator, void *context)
{
    px_tls *tls = context;
    px_tls_trust_options options = PX_TLS_TRUST_OPTIONS_DEFAULT;

    options.allocator = allocator;
    options.ca_file = PATH("ca.pem");
    px_tls_trust *trust = px_tls_trust_create(&options, NULL);

    if (!trust)
        return;
    memset(&client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
    pool_init(&client.pool, allocator, sizeof(struct tls_block), 2, 64);
    pool_init(&server.pool, &alloc_libc, sizeof(struct tls_block), 2, 64);
    assert_int_equal(tls_session_init(&server.session, tls, &server.pool), PX_OK);
    if (tls_session_connect(&client.session, trust, &client.pool, px_str_of("a.test"),
                            TLS_OFFER_BOTH) == PX_OK)
        shake(SIZE_MAX);
    ends_close();
    px_tls_trust_destroy(trust);
}

static void allocations_fail(void **state)
{
    px_tls *tls = tls_make(NULL, "a");

    (void)state;
    assert_true(fault_alloc_each("a client's handshake", without_memory, tls) >= 4);
    px_tls_destroy(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_goes_both_ways),
        cmocka_unit_test(a_flight_cut_anywhere),
        cmocka_unit_test(protocols),
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(servers_that_are_not_believed),
        cmocka_unit_test(clients_that_are_asked),
        cmocka_unit_test(an_expired_server),
        cmocka_unit_test(hosts_that_are_none),
        cmocka_unit_test(options_that_are_wrong),
        cmocka_unit_test(allocations_fail),
    };

    return cmocka_run_group_tests(tests, begin, finish);
}
