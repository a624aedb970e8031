/*
 * Sessions against a client of OpenSSL's own, in memory, with bytes cut anywhere.
 */
#include "tls/tls_session.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authority.h"
#include "base/limits.h"
#include "lib/test.h"
#include "peer.h"
#include "tls/tls.h"
#include "tls/tls_context.h"

static struct authority authority;
static struct peer peer; /* large: it holds what it received */

#define PATH(name) authority_path(&authority, name)

static int begin(void **state)
{
    (void)state;
    authority_init(&authority);
    authority_issue(&authority, "a", "a.test,*.wild.test", EVP_PKEY_EC, 30);
    authority_issue(&authority, "a-rsa", "a.test", EVP_PKEY_RSA, 30);
    authority_issue(&authority, "b", "b.test", EVP_PKEY_ED25519, 30);
    authority_issue(&authority, "client", "client.test", EVP_PKEY_EC, 30);
    authority_vouch(&authority, "a", V_OCSP_CERTSTATUS_GOOD, 3);
    return 0;
}

static int end(void **state)
{
    (void)state;
    authority_deinit(&authority);
    return 0;
}

static px_tls *tls_make(const px_tls_options *options)
{
    px_tls *tls = px_tls_create(options, NULL);

    assert_non_null(tls);
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_certificate(tls, PATH("b.pem"), PATH("b.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_certificate(tls, PATH("a-rsa.pem"), PATH("a-rsa.key"), NULL),
                     PX_OK);
    return tls;
}

static SSL_CTX *ctx_of_version(int version)
{
    SSL_CTX *ctx = peer_context(PATH("ca.pem"));

    if (version) {
        SSL_CTX_set_min_proto_version(ctx, version);
        SSL_CTX_set_max_proto_version(ctx, version);
    }
    return ctx;
}

/* --- The whole of it, cut anywhere ------------------------------------------------------------ */

static void content_goes_both_ways(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static const size_t pieces[] = {0, 1, 2, 3, 5, 7, 100, 1000};
    char *large = malloc(200000);
    px_tls *tls = tls_make(NULL);

    (void)state;
    for (size_t i = 0; i < 200000; i++)
        large[i] = (char)(i * i >> 7);
    for (size_t v = 0; v < 2; v++) {
        SSL_CTX *ctx = ctx_of_version(versions[v]);

        for (size_t p = 0; p < sizeof(pieces) / sizeof(pieces[0]); p++) {
            peer_init(&peer, tls, ctx, "a.test", pieces[p]);
            assert_true(peer_shake(&peer));
            peer_ask(&peer, "hello", 5);
            peer_answer(&peer, "world", 5);
            peer_ask(&peer, large, 100000);
            peer_answer(&peer, large, 200000);
            assert_false(peer.session.resumed);
            assert_string_equal(tls_session_version(&peer.session), v ? "TLSv1.3" : "TLSv1.2");
            assert_non_null(strstr(tls_session_cipher(&peer.session), "AES"));
            /* close_notify, ours and theirs. */
            tls_session_close(&peer.session);
            tls_session_close(&peer.session);
            peer_pump(&peer);
            assert_int_equal(SSL_get_shutdown(peer.ssl), SSL_RECEIVED_SHUTDOWN);
            SSL_shutdown(peer.ssl);
            peer_pump(&peer);
            assert_int_equal(peer.err, PX_ERR_CLOSED);
            assert_true(peer.session.peer_closed);
            peer_deinit(&peer);
        }
        SSL_CTX_free(ctx);
    }
    px_tls_destroy(tls);
    free(large);
}

/* Content of a peer that has closed its side still finds an answer. */
static void half_closed(void **state)
{
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);

    (void)state;
    peer_init(&peer, tls, ctx, "a.test", 0);
    assert_true(peer_shake(&peer));
    assert_int_equal(SSL_write(peer.ssl, "bye", 3), 3);
    SSL_shutdown(peer.ssl);
    peer_pump(&peer);
    assert_memory_equal(peer.received, "bye", 3);
    assert_int_equal(peer.err, PX_ERR_CLOSED);
    peer_answer(&peer, "indeed", 6);
    peer_deinit(&peer);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

static void records_grow(void **state)
{
    static char large[256 * 1024];
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);

    (void)state;
    peer_init(&peer, tls, ctx, "a.test", 0);
    assert_true(peer_shake(&peer));
    peer.record_max = 0;
    peer.record_count = 0;
    peer_answer(&peer, large, TLS_BURST_BYTES);
    assert_true(peer.record_max > TLS_RECORD_FIRST_BYTES);
    assert_true(peer.record_max < TLS_RECORD_FIRST_BYTES + 64);
    assert_int_equal(peer.record_count, TLS_BURST_BYTES / TLS_RECORD_FIRST_BYTES);
    peer.record_count = 0;
    peer_answer(&peer, large, sizeof(large));
    assert_true(peer.record_max > TLS_RECORD_BYTES);
    assert_int_equal(peer.record_count, sizeof(large) / TLS_RECORD_BYTES);
    tls_session_pause(&peer.session);
    peer.record_max = 0;
    peer_answer(&peer, large, 10000);
    assert_true(peer.record_max < TLS_RECORD_FIRST_BYTES + 64);
    peer_deinit(&peer);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

/* --- Names, keys, protocols ------------------------------------------------------------------- */

static void shown(px_tls *tls, SSL_CTX *ctx, const char *name, const char *common, int type)
{
    char text[64];

    peer_init(&peer, tls, ctx, name, 0);
    if (!name || strcmp(common, name) != 0)
        SSL_set_verify(peer.ssl, SSL_VERIFY_NONE, NULL);
    assert_true(peer_shake(&peer));
    assert_string_equal(peer_shown(&peer, text, sizeof(text)), common);
    assert_int_equal(EVP_PKEY_get_base_id(X509_get0_pubkey(SSL_get0_peer_certificate(peer.ssl))),
                     type);
    peer_deinit(&peer);
}

static void certificates_by_name(void **state)
{
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);

    (void)state;
    shown(tls, ctx, "a.test", "a.test", EVP_PKEY_EC);
    shown(tls, ctx, "A.TEST", "a.test", EVP_PKEY_EC);
    shown(tls, ctx, "b.test", "b.test", EVP_PKEY_ED25519);
    shown(tls, ctx, "x.wild.test", "a.test", EVP_PKEY_EC);
    shown(tls, ctx, "nobody.test", "a.test", EVP_PKEY_EC);
    shown(tls, ctx, NULL, "a.test", EVP_PKEY_EC);
    /* Who cannot check ECDSA gets RSA, where there is one for the name. */
    SSL_CTX_set1_sigalgs_list(ctx, "RSA-PSS+SHA256:RSA+SHA256");
    shown(tls, ctx, "a.test", "a.test", EVP_PKEY_RSA);
    peer_init(&peer, tls, ctx, "b.test", 0);
    assert_false(peer_shake(&peer));
    assert_int_equal(peer.err, PX_ERR_MALFORMED);
    assert_int_equal(peer.alert, SSL_AD_HANDSHAKE_FAILURE);
    peer_deinit(&peer);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

static void refused(px_tls *tls, SSL_CTX *ctx, const char *name)
{
    peer_init(&peer, tls, ctx, name, 0);
    assert_false(peer_shake(&peer));
    assert_int_equal(peer.alert, SSL_AD_UNRECOGNIZED_NAME);
    peer_deinit(&peer);
}

/* One that cannot be used takes its names with it, and nobody else's; mended, it is like others. */
static void names_that_are_refused(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    SSL_CTX *ctx = ctx_of_version(0);
    const char *why = NULL;
    px_error error;

    (void)state;
    authority_issue(&authority, "m", "m.test,*.m.test", EVP_PKEY_EC, 30);
    authority_issue(&authority, "n", "n.test", EVP_PKEY_EC, 30);
    authority_write(&authority, "m-bad.key", "junk", 4);
    assert_int_equal(px_tls_add_refused(tls, PATH("m.pem"), PATH("m-bad.key"), &error), PX_OK);
    assert_int_equal(px_tls_reload(tls, &error), PX_OK); /* though there is nothing to serve */
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), NULL), PX_OK);
    assert_int_equal(px_tls_refused_at(tls, 0, &why), PX_OK);
    assert_non_null(strstr(why, "there is no private key in"));
    assert_int_equal(px_tls_refused_at(tls, 1, &why), PX_ERR_NOT_FOUND);
    refused(tls, ctx, "m.test");
    refused(tls, ctx, "M.test");
    refused(tls, ctx, "x.m.test");
    shown(tls, ctx, "y.x.m.test", "a.test", EVP_PKEY_EC);
    shown(tls, ctx, "a.test", "a.test", EVP_PKEY_EC);
    shown(tls, ctx, "nobody.test", "a.test", EVP_PKEY_EC);
    shown(tls, ctx, NULL, "a.test", EVP_PKEY_EC);
    /* Names that cannot be read may be any that no other certificate has. */
    assert_int_equal(px_tls_add_refused(tls, PATH("none.pem"), NULL, &error), PX_OK);
    assert_int_equal(px_tls_refused_at(tls, 1, &why), PX_OK);
    assert_non_null(strstr(why, "No such file"));
    refused(tls, ctx, "nobody.test");
    shown(tls, ctx, "x.wild.test", "a.test", EVP_PKEY_EC);
    shown(tls, ctx, NULL, "a.test", EVP_PKEY_EC);
    /* A reload tries both again, in their order; what is bad still stops nothing. */
    authority_issue(&authority, "m", "m.test", EVP_PKEY_EC, 30);
    authority_issue(&authority, "none", "none.test", EVP_PKEY_EC, 30);
    assert_int_equal(px_tls_reload(tls, &error), PX_OK);
    refused(tls, ctx, "none.test"); /* its key is another file */
    px_tls_destroy(tls);
    tls = px_tls_create(NULL, NULL);
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), NULL), PX_OK);
    authority_write(&authority, "n.key", "junk", 4);
    assert_int_equal(px_tls_add_refused(tls, PATH("n.pem"), PATH("n.key"), &error), PX_OK);
    refused(tls, ctx, "n.test");
    authority_issue(&authority, "n", "n.test", EVP_PKEY_EC, 30);
    assert_int_equal(px_tls_reload(tls, &error), PX_OK);
    assert_int_equal(px_tls_refused_at(tls, 0, &why), PX_ERR_NOT_FOUND);
    shown(tls, ctx, "n.test", "n.test", EVP_PKEY_EC);
    /* From then on it is one that was good: what becomes of it changes nothing. */
    authority_write(&authority, "n.key", "junk", 4);
    assert_int_equal(px_tls_reload(tls, &error), PX_ERR_INVALID);
    shown(tls, ctx, "n.test", "n.test", EVP_PKEY_EC);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

static void hosts_that_may_be_asked_for(void **state)
{
    static const struct {
        const char *name;
        const char *host;
        bool serves;
    } cases[] = {
        {"a.test", "a.test", true},
        {"a.test", "A.test.", true},
        {"a.test", "b.test", false},
        {"a.test", "nobody.test", false},
        {"b.test", "a.test", false},
        {"x.wild.test", "y.wild.test", true},
        {"x.wild.test", "a.test", false}, /* RSA serves it too: another set */
        {"nobody.test", "nobody.test", true},
        {"nobody.test", "other.test", false},
        {"nobody.test", "a.test", true},
        {NULL, "b.test", true},
        {NULL, "", true},
        {"a.test", "", false},
    };
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);

    (void)state;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        peer_init(&peer, tls, ctx, cases[i].name, 0);
        assert_true(peer_shake(&peer));
        assert_true(tls_session_serves(&peer.session, px_str_of(cases[i].host)));
        peer.session.http2 = true;
        if (tls_session_serves(&peer.session, px_str_of(cases[i].host)) != cases[i].serves)
            fail_msg("case %zu", i);
        /* Where clients show certificates it matters over HTTP/1 too. */
        peer.session.http2 = false;
        tls->options.client = PX_TLS_CLIENT_OPTIONAL;
        assert_int_equal(tls_session_serves(&peer.session, px_str_of(cases[i].host)),
                         cases[i].serves);
        tls->options.client = PX_TLS_CLIENT_OFF;
        peer_deinit(&peer);
    }
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

static void protocols_by_alpn(void **state)
{
    static const struct {
        const char *offered;
        bool http2;
        const char *chosen; /* NULL: the handshake fails */
    } cases[] = {
        {"\2h2\x08http/1.1", true, "h2"},
        {"\x08http/1.1\2h2", true, "h2"},
        {"\2h2\x08http/1.1", false, "http/1.1"},
        {"\x08http/1.1", true, "http/1.1"},
        {"\2h2", false, NULL},
        {"\6spdy/3", true, NULL},
        {NULL, true, ""},
    };
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const unsigned char *chosen;
        unsigned len;

        tls->http2 = cases[i].http2;
        peer_init(&peer, tls, ctx, "a.test", 3);
        if (cases[i].offered)
            SSL_set_alpn_protos(peer.ssl, (const unsigned char *)cases[i].offered,
                                (unsigned)strlen(cases[i].offered));
        assert_int_equal(peer_shake(&peer), cases[i].chosen != NULL);
        if (!cases[i].chosen) {
            assert_int_equal(peer.err, PX_ERR_MALFORMED);
            assert_int_equal(peer.alert, SSL_AD_NO_APPLICATION_PROTOCOL);
        } else {
            SSL_get0_alpn_selected(peer.ssl, &chosen, &len);
            assert_str_equal(px_str_make(chosen ? (const char *)chosen : "", len),
                             px_str_of(cases[i].chosen));
            assert_int_equal(peer.session.http2, strcmp(cases[i].chosen, "h2") == 0);
        }
        peer_deinit(&peer);
    }
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

static void staples_go_along(void **state)
{
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);
    unsigned char *staple;

    (void)state;
    assert_int_equal(px_tls_add_ocsp(tls, PATH("a.ocsp"), NULL), PX_OK);
    SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
    peer_init(&peer, tls, ctx, "a.test", 0);
    assert_true(peer_shake(&peer));
    assert_true(SSL_get_tlsext_status_ocsp_resp(peer.ssl, &staple) > 100);
    peer_deinit(&peer);
    peer_init(&peer, tls, ctx, "b.test", 0);
    assert_true(peer_shake(&peer));
    assert_int_equal(SSL_get_tlsext_status_ocsp_resp(peer.ssl, &staple), -1);
    peer_deinit(&peer);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

static void versions(void **state)
{
    static const struct {
        px_tls_profile profile;
        int version;
        bool fine;
    } cases[] = {
        {PX_TLS_INTERMEDIATE, TLS1_1_VERSION, false}, {PX_TLS_INTERMEDIATE, TLS1_2_VERSION, true},
        {PX_TLS_INTERMEDIATE, TLS1_3_VERSION, true},  {PX_TLS_MODERN, TLS1_2_VERSION, false},
        {PX_TLS_MODERN, TLS1_3_VERSION, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_tls_options options = PX_TLS_OPTIONS_DEFAULT;

        options.profile = cases[i].profile;
        px_tls *tls = tls_make(&options);
        SSL_CTX *ctx = ctx_of_version(cases[i].version);

        SSL_CTX_set_security_level(ctx, 0);
        peer_init(&peer, tls, ctx, "a.test", 0);
        assert_int_equal(peer_shake(&peer), cases[i].fine);
        if (!cases[i].fine)
            assert_int_equal(peer.alert, SSL_AD_PROTOCOL_VERSION);
        peer_deinit(&peer);
        SSL_CTX_free(ctx);
        px_tls_destroy(tls);
    }
}

/* --- Resumption ------------------------------------------------------------------------------- */

static SSL_SESSION *kept;

static int on_new(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

/* A connection that offers what was kept; whether it was resumed. */
static bool again(px_tls *tls, SSL_CTX *ctx, const char *name)
{
    peer_init(&peer, tls, ctx, name, 0);
    SSL_set_verify(peer.ssl, SSL_VERIFY_NONE, NULL);
    if (kept)
        assert_int_equal(SSL_set_session(peer.ssl, kept), 1);
    assert_true(peer_shake(&peer));
    peer_ask(&peer, "x", 1);
    peer_answer(&peer, "y", 1);
    bool resumed = SSL_session_reused(peer.ssl) == 1;

    assert_int_equal(peer.session.resumed, resumed);
    SSL_shutdown(peer.ssl);
    peer_deinit(&peer);
    return resumed;
}

static void resumed_within_a_host(void **state)
{
    static const int both[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    (void)state;
    for (size_t v = 0; v < 2; v++) {
        px_tls *tls = tls_make(NULL), *other = tls_make(NULL);
        SSL_CTX *ctx = ctx_of_version(both[v]);

        SSL_CTX_sess_set_new_cb(ctx, on_new);
        assert_false(again(tls, ctx, "x.wild.test"));
        assert_non_null(kept);
        assert_true(again(tls, ctx, "x.wild.test"));
        /* Another host, though the same certificate; nobody; a server with another secret. */
        SSL_SESSION *session = SSL_SESSION_dup(kept);

        assert_false(again(tls, ctx, "y.wild.test"));
        SSL_SESSION_free(kept);
        kept = SSL_SESSION_dup(session);
        assert_false(again(tls, ctx, NULL));
        SSL_SESSION_free(kept);
        kept = SSL_SESSION_dup(session);
        assert_false(again(other, ctx, "x.wild.test"));
        SSL_SESSION_free(kept);
        kept = session;
        /* A worker that was forked has the same secret. */
        tls_tickets_wipe(&other->tickets);
        other->tickets = tls->tickets;
        assert_true(again(other, ctx, "x.wild.test"));
        /* A reload changes nothing. */
        assert_int_equal(px_tls_reload(tls, NULL), PX_OK);
        assert_true(again(tls, ctx, "x.wild.test"));
        SSL_SESSION_free(kept);
        kept = NULL;
        SSL_CTX_free(ctx);
        px_tls_destroy(tls);
        px_tls_destroy(other);
    }
}

/* Of another thread: the same certificates and the same secret, then each goes its own way. */
static void clones_resume(void **state)
{
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    SSL_CTX *ctx = ctx_of_version(0);
    px_tls *tls = tls_make(NULL);
    char was[96], is[96];
    px_error error;

    (void)state;
    assert_int_equal(px_tls_add_self_signed(tls, "made.test", &error), PX_OK);
    assert_int_equal(px_tls_add_refused(tls, PATH("a.pem"), PATH("b.key"), &error), PX_OK);
    assert_int_equal(px_tls_add_ocsp(tls, PATH("a.ocsp"), &error), PX_OK);
    options.client = PX_TLS_CLIENT_OPTIONAL;
    options.client_ca_file = PATH("ca.pem");
    options.profile = PX_TLS_MODERN;
    px_tls *same = px_tls_clone(tls, NULL, &error);
    px_tls *asks = px_tls_clone(tls, &options, &error);
    const char *why = NULL;

    assert_non_null(same);
    assert_non_null(asks);
    for (size_t index = 0; index < 4; index++) {
        assert_int_equal(px_tls_fingerprint_at(tls, index, was, sizeof(was)), 95);
        assert_int_equal(px_tls_fingerprint_at(same, index, is, sizeof(is)), 95);
        assert_string_equal(was, is);
    }
    assert_int_equal(px_tls_refused_at(same, 0, &why), PX_OK);
    assert_non_null(strstr(why, "key"));
    assert_int_equal(asks->options.profile, PX_TLS_MODERN);
    assert_int_equal(same->options.profile, PX_TLS_INTERMEDIATE);
    assert_non_null(same->context->certificates[0]->staple);
    SSL_CTX_sess_set_new_cb(ctx, on_new);
    assert_false(again(tls, ctx, "a.test"));
    assert_true(again(same, ctx, "a.test"));
    assert_false(again(asks, ctx, "a.test")); /* it was begun under other rules */
    px_tls_destroy(tls);
    assert_int_equal(px_tls_reload(same, &error), PX_OK);
    assert_int_equal(px_tls_add_self_signed(same, "more.test", &error), PX_OK);
    assert_int_equal(px_tls_fingerprint_at(asks, 4, is, sizeof(is)), 0);
    SSL_SESSION_free(kept);
    kept = NULL;
    SSL_CTX_free(ctx);
    px_tls_destroy(same);
    px_tls_destroy(asks);
}

/* Files that are gone are an error of the clone's, and no matter of the other's. */
static void clones_fail_alone(void **state)
{
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    px_tls *tls = px_tls_create(NULL, NULL);
    px_error error;

    (void)state;
    authority_issue(&authority, "goes", "goes.test", EVP_PKEY_EC, 30);
    assert_int_equal(px_tls_add_certificate(tls, PATH("goes.pem"), PATH("goes.key"), NULL), PX_OK);
    assert_int_equal(unlink(PATH("goes.pem")), 0);
    assert_null(px_tls_clone(tls, NULL, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    options.profile = 7;
    assert_null(px_tls_clone(tls, &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    assert_null(px_tls_clone(tls, &options, NULL));
    assert_non_null(tls->context);
    px_tls_destroy(tls);
}

static void tickets_outlive_one_rotation(void **state)
{
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);

    (void)state;
    SSL_CTX_sess_set_new_cb(ctx, on_new);
    assert_false(again(tls, ctx, "a.test"));
    SSL_SESSION *first = SSL_SESSION_dup(kept);

    tls_tickets_advance(&tls->tickets, (tls->tickets.epoch + 1) * TLS_TICKET_ROTATION_S);
    assert_true(again(tls, ctx, "a.test"));
    tls_tickets_advance(&tls->tickets, (tls->tickets.epoch + 1) * TLS_TICKET_ROTATION_S);
    /* The one that was given in exchange is good, the first one is not any more. */
    assert_true(again(tls, ctx, "a.test"));
    SSL_SESSION_free(kept);
    kept = first;
    assert_false(again(tls, ctx, "a.test"));
    SSL_SESSION_free(kept);
    kept = NULL;
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

static void machines_share_a_file(void **state)
{
    unsigned char keys[160];
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    SSL_CTX *ctx = ctx_of_version(0);

    (void)state;
    for (size_t i = 0; i < sizeof(keys); i++)
        keys[i] = (unsigned char)(i * 31 + 7);
    authority_write(&authority, "keys", keys, 80);
    options.ticket_keys_file = PATH("keys");
    px_tls *one = tls_make(&options), *two = tls_make(&options);

    SSL_CTX_sess_set_new_cb(ctx, on_new);
    assert_false(again(one, ctx, "a.test"));
    assert_true(again(two, ctx, "a.test"));
    /* A new key in front, then the old one gone. */
    memmove(keys + 80, keys, 80);
    keys[0] ^= 1;
    authority_write(&authority, "keys", keys, 160);
    assert_int_equal(px_tls_reload(two, NULL), PX_OK);
    SSL_SESSION *old = SSL_SESSION_dup(kept);

    assert_true(again(two, ctx, "a.test"));
    authority_write(&authority, "keys", keys, 80);
    assert_int_equal(px_tls_reload(two, NULL), PX_OK);
    assert_true(again(two, ctx, "a.test"));
    SSL_SESSION_free(kept);
    kept = old;
    assert_false(again(two, ctx, "a.test"));
    SSL_SESSION_free(kept);
    kept = NULL;
    SSL_CTX_free(ctx);
    px_tls_destroy(one);
    px_tls_destroy(two);
}

/* --- Client certificates ---------------------------------------------------------------------- */

static void clients_show_who_they_are(void **state)
{
    static const struct {
        px_tls_client rule;
        const char *stem; /* NULL: shows none */
        bool fine;
    } cases[] = {
        {PX_TLS_CLIENT_OFF, NULL, true},
        {PX_TLS_CLIENT_OFF, "client", true},
        {PX_TLS_CLIENT_OPTIONAL, NULL, true},
        {PX_TLS_CLIENT_OPTIONAL, "client", true},
        {PX_TLS_CLIENT_OPTIONAL, "stranger", false},
        {PX_TLS_CLIENT_REQUIRED, NULL, false},
        {PX_TLS_CLIENT_REQUIRED, "client", true},
        {PX_TLS_CLIENT_REQUIRED, "stranger", false},
    };
    struct authority stranger;
    char pem[64], key[64], subject[128];

    (void)state;
    authority_init(&stranger);
    authority_issue(&stranger, "stranger", "stranger.test", EVP_PKEY_EC, 30);
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
        px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
        bool known = cases[i / 2].stem && strcmp(cases[i / 2].stem, "client") == 0;
        struct authority *from = known ? &authority : &stranger;

        options.client = cases[i / 2].rule;
        options.client_ca_file = PATH("ca.pem");
        px_tls *tls = tls_make(&options);
        SSL_CTX *ctx = ctx_of_version(i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);

        if (cases[i / 2].stem) {
            snprintf(pem, sizeof(pem), "%s.pem", cases[i / 2].stem);
            snprintf(key, sizeof(key), "%s.key", cases[i / 2].stem);
            assert_int_equal(
                SSL_CTX_use_certificate_file(ctx, authority_path(from, pem), SSL_FILETYPE_PEM), 1);
            assert_int_equal(
                SSL_CTX_use_PrivateKey_file(ctx, authority_path(from, key), SSL_FILETYPE_PEM), 1);
        }
        peer_init(&peer, tls, ctx, "a.test", 0);
        /* A client of TLS 1.3 is done before it hears of it: the session knows. */
        peer_pump(&peer);
        assert_int_equal(peer.session.established, cases[i / 2].fine);
        size_t len = tls_session_subject(&peer.session, subject, sizeof(subject));

        if (cases[i / 2].fine && known && options.client != PX_TLS_CLIENT_OFF)
            assert_string_equal(subject, "CN=client.test,O=Tests");
        else
            assert_int_equal(len, 0);
        assert_int_equal(tls_session_subject(&peer.session, subject, 5), 0);
        peer_deinit(&peer);
        SSL_CTX_free(ctx);
        px_tls_destroy(tls);
    }
    authority_deinit(&stranger);
}

/* A session that began without a certificate is not resumed where one is asked for. */
static void rules_for_clients_bind_sessions(void **state)
{
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    SSL_CTX *ctx = ctx_of_version(0);
    px_tls *free_for_all = tls_make(NULL);

    (void)state;
    options.client = PX_TLS_CLIENT_OPTIONAL;
    options.client_ca_file = PATH("ca.pem");
    px_tls *careful = tls_make(&options);

    careful->tickets = free_for_all->tickets;
    SSL_CTX_sess_set_new_cb(ctx, on_new);
    assert_false(again(free_for_all, ctx, "a.test"));
    assert_false(again(careful, ctx, "a.test"));
    SSL_SESSION_free(kept);
    kept = NULL;
    SSL_CTX_free(ctx);
    px_tls_destroy(careful);
    px_tls_destroy(free_for_all);
}

/* --- What peers may not do -------------------------------------------------------------------- */

static void no_renegotiation(void **state)
{
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(TLS1_2_VERSION);

    (void)state;
    peer_init(&peer, tls, ctx, "a.test", 0);
    assert_true(peer_shake(&peer));
    SSL_renegotiate(peer.ssl);
    peer_pump(&peer);
    assert_int_equal(peer.alert, SSL_AD_NO_RENEGOTIATION);
    peer_deinit(&peer);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

/* How many updates it takes until the session has had enough; `every` content lies between. */
static unsigned updates(px_tls *tls, SSL_CTX *ctx, size_t content)
{
    static char text[16 * 1024];
    unsigned count = 0;

    peer_init(&peer, tls, ctx, "a.test", 0);
    assert_true(peer_shake(&peer));
    while (!peer.session.failed && count < 200) {
        assert_int_equal(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        SSL_do_handshake(peer.ssl);
        peer_pump(&peer);
        count++;
        peer.received_len = 0;
        if (content > 0 && !peer.session.failed)
            peer_ask(&peer, text, content);
    }
    peer_deinit(&peer);
    return count;
}

static void new_keys_have_a_budget(void **state)
{
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(TLS1_3_VERSION);

    (void)state;
    assert_int_equal(updates(tls, ctx, 0), TLS_UPDATES_MAX + 1);
    assert_int_equal(updates(tls, ctx, 16 * 1024), 200);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

/* Requests for new keys that come with one receive: what is past the limit is not even opened, or a
 * tick would be spent on it. */
static void a_flood_of_updates_is_not_read(void **state)
{
    enum { UPDATES = 2000 };
    static char bytes[128 * 1024];
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(TLS1_3_VERSION);
    size_t opened;

    (void)state;
    peer_init(&peer, tls, ctx, "a.test", 0);
    assert_true(peer_shake(&peer));
    for (int count = 0; count < UPDATES; count++) {
        assert_int_equal(SSL_key_update(peer.ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(peer.ssl), 1);
    }
    int len = BIO_read(peer.out, bytes, sizeof(bytes));

    assert_true(len > UPDATES * 20);
    peer.session.in = px_str_make(bytes, (size_t)len);
    assert_int_equal(tls_session_read(&peer.session, peer.received, 100, &opened),
                     PX_ERR_MALFORMED);
    assert_true(peer.session.failed);
    assert_int_equal(peer.session.updates, TLS_UPDATES_MAX + 1);
    assert_int_equal(peer.session.in.len,
                     (size_t)(len / UPDATES) * (UPDATES - TLS_UPDATES_MAX - 1));
    assert_int_equal(ERR_peek_error(), 0);
    peer_deinit(&peer);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

/* A name in SNI that is no host name, and two of them (RFC 8446 section 6.2). */
static void names_that_are_none(void **state)
{
    static const char *const names[] = {"a\x07test", "a\xfftest", "a test"};
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        peer_init(&peer, tls, ctx, NULL, 0);
        SSL_set_tlsext_host_name(peer.ssl, names[i]);
        assert_false(peer_shake(&peer));
        assert_int_equal(peer.alert, SSL_AD_ILLEGAL_PARAMETER);
        peer_deinit(&peer);
    }
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

static void garbage(void **state)
{
    static const char *const texts[] = {
        "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        "\x16\x03\x01\xff\xff",
        "\x17\x03\x03\x00\x01x",
        "GET / HTTP/1.1\r\n\r\n",
        "\x80\x2e\x01\x00\x02",
        "\x15\x03\x01\x00\x02\x01\x00",
    };
    px_tls *tls = tls_make(NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct tls_session session;
        struct pool pool;
        char bytes[64] = {0};

        memcpy(bytes, texts[i], strlen(texts[i]));
        pool_init(&pool, &alloc_libc, sizeof(struct tls_block), 2, 64);
        assert_int_equal(tls_session_init(&session, tls, &pool), PX_OK);
        session.in = px_str_make(bytes, sizeof(bytes));
        assert_int_equal(tls_session_handshake(&session), PX_ERR_MALFORMED);
        assert_true(session.failed);
        assert_int_equal(ERR_peek_error(), 0);
        /* Nothing more can be done with it, and nothing happens. */
        size_t used;

        assert_int_equal(tls_session_read(&session, bytes, 1, &used), PX_ERR_MALFORMED);
        assert_int_equal(tls_session_write(&session, LITERAL("x"), &used), PX_ERR_MALFORMED);
        tls_session_close(&session);
        tls_session_deinit(&session);
        pool_deinit(&pool);
    }
    px_tls_destroy(tls);
}

/* A byte that was changed on the way is noticed. */
static void damage_is_noticed(void **state)
{
    px_tls *tls = tls_make(NULL);
    SSL_CTX *ctx = ctx_of_version(0);
    char bytes[256], text[64];
    size_t count;

    (void)state;
    peer_init(&peer, tls, ctx, "a.test", 0);
    assert_true(peer_shake(&peer));
    assert_int_equal(SSL_write(peer.ssl, "hello", 5), 5);
    int len = BIO_read(peer.out, bytes, sizeof(bytes));

    assert_true(len > 10);
    bytes[len - 1] ^= 1;
    peer.session.in = px_str_make(bytes, (size_t)len);
    assert_int_equal(tls_session_read(&peer.session, text, sizeof(text), &count), PX_ERR_MALFORMED);
    peer.session.in = px_str_make(NULL, 0);
    peer_pump(&peer);
    assert_int_equal(peer.alert, SSL_AD_BAD_RECORD_MAC);
    peer_deinit(&peer);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

/* --- Reloading -------------------------------------------------------------------------------- */

static void reloaded(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    static struct peer old;
    SSL_CTX *ctx = ctx_of_version(0);
    char before[96], after[96], text[64];

    (void)state;
    authority_issue(&authority, "r", "r.test", EVP_PKEY_EC, 30);
    assert_int_equal(px_tls_add_certificate(tls, PATH("r.pem"), PATH("r.key"), NULL), PX_OK);
    px_tls_fingerprint(tls, before, sizeof(before));
    peer_init(&old, tls, ctx, "r.test", 0);
    assert_true(peer_shake(&old));
    authority_issue(&authority, "r", "r.test,s.test", EVP_PKEY_RSA, 30);
    assert_int_equal(px_tls_reload(tls, NULL), PX_OK);
    px_tls_fingerprint(tls, after, sizeof(after));
    assert_string_not_equal(before, after);
    peer_init(&peer, tls, ctx, "s.test", 0);
    assert_true(peer_shake(&peer));
    assert_string_equal(peer_shown(&peer, text, sizeof(text)), "r.test");
    peer_deinit(&peer);
    /* The one that was there goes on. */
    peer_ask(&old, "hello", 5);
    peer_answer(&old, "world", 5);
    peer_deinit(&old);
    /* What cannot be read changes nothing. */
    authority_write(&authority, "r.key", "junk", 4);
    px_error error;

    assert_int_equal(px_tls_reload(tls, &error), PX_ERR_INVALID);
    px_tls_fingerprint(tls, before, sizeof(before));
    assert_string_equal(before, after);
    peer_init(&peer, tls, ctx, "s.test", 0);
    assert_true(peer_shake(&peer));
    peer_deinit(&peer);
    SSL_CTX_free(ctx);
    px_tls_destroy(tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_goes_both_ways),
        cmocka_unit_test(half_closed),
        cmocka_unit_test(records_grow),
        cmocka_unit_test(certificates_by_name),
        cmocka_unit_test(names_that_are_refused),
        cmocka_unit_test(hosts_that_may_be_asked_for),
        cmocka_unit_test(protocols_by_alpn),
        cmocka_unit_test(staples_go_along),
        cmocka_unit_test(versions),
        cmocka_unit_test(resumed_within_a_host),
        cmocka_unit_test(clones_resume),
        cmocka_unit_test(clones_fail_alone),
        cmocka_unit_test(tickets_outlive_one_rotation),
        cmocka_unit_test(machines_share_a_file),
        cmocka_unit_test(clients_show_who_they_are),
        cmocka_unit_test(rules_for_clients_bind_sessions),
        cmocka_unit_test(no_renegotiation),
        cmocka_unit_test(a_flood_of_updates_is_not_read),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(new_keys_have_a_budget),
        cmocka_unit_test(garbage),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(reloaded),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
