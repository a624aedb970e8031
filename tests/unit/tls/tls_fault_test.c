/*
 * Failures on purpose: our allocation N for every N, and each call of OpenSSL's that we make and
 * that may fail.  Nothing crashes, nothing is left over, what failed changed nothing.
 */
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <string.h>

#include "authority.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "peer.h"
#include "pollux/tls.h"
#include "tls/tls.h"

static struct authority authority;

#define PATH(name) authority_path(&authority, name)

static int begin(void **state)
{
    (void)state;
    authority_init(&authority);
    authority_issue(&authority, "a", "a.test,*.wild.test", EVP_PKEY_EC, 30);
    authority_issue(&authority, "b", "b.test", EVP_PKEY_EC, 30);
    authority_vouch(&authority, "a", V_OCSP_CERTSTATUS_GOOD, 3);
    return 0;
}

static int end(void **state)
{
    (void)state;
    authority_deinit(&authority);
    return 0;
}

static void said(px_err err, const px_error *error)
{
    assert_int_equal(err, error->code);
    assert_int_equal(err == PX_OK, error->text[0] == '\0');
}

/* All that is done with a px_tls, and a handshake with what came of it. */
static void live(const px_allocator *allocator, void *context)
{
    static struct peer peer;
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    SSL_CTX *ctx = context;
    px_error error;

    options.allocator = allocator;
    options.client = PX_TLS_CLIENT_OPTIONAL;
    options.client_ca_file = PATH("ca.pem");
    px_tls *tls = px_tls_create(&options, &error);

    if (!tls) {
        assert_int_not_equal(error.code, PX_OK);
        return;
    }
    said(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), &error), &error);
    said(px_tls_add_self_signed(tls, "made.test", &error), &error);
    said(px_tls_add_certificate(tls, PATH("b.pem"), PATH("b.key"), &error), &error);
    said(px_tls_add_ocsp(tls, PATH("a.ocsp"), &error), &error);
    said(px_tls_add_refused(tls, PATH("a.pem"), PATH("b.key"), &error), &error);
    said(px_tls_keep_self_signed(tls, "made.test", tls, &error), &error);
    said(px_tls_reload(tls, &error), &error);
    assert_int_equal(tls->context == NULL, !tls->sources || tls->sources->refused);
    if (tls->context) {
        struct pool pool;
        struct tls_session session;

        pool_init(&pool, allocator, sizeof(struct tls_block), 2, 64);
        if (tls_session_init(&session, tls, &pool) == PX_OK) {
            /* The client is no part of this: its handshake goes as far as it can. */
            peer_init(&peer, tls, ctx, "x.wild.test", 7);
            peer_deinit(&peer);
        }
        tls_session_deinit(&session);
        pool_deinit(&pool);
    }
    px_tls_destroy(tls);
    assert_int_equal(ERR_peek_error(), 0);
}

/* One of another, which is as it was whatever fails. */
static void make_clone(const px_allocator *allocator, void *context)
{
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    px_error error;

    options.allocator = allocator;
    px_tls *made = px_tls_clone(context, &options, &error);

    said(made ? PX_OK : error.code, &error);
    px_tls_destroy(made);
    assert_int_equal(ERR_peek_error(), 0);
}

static void clones_are_whole_or_none(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    px_error error;

    (void)state;
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), &error), PX_OK);
    assert_int_equal(px_tls_add_self_signed(tls, "made.test", &error), PX_OK);
    assert_int_equal(px_tls_add_refused(tls, PATH("a.pem"), PATH("b.key"), &error), PX_OK);
    assert_true(fault_alloc_each("a clone", make_clone, tls) >= 10);
    px_tls_destroy(tls);
}

/* A handshake in which the session's own allocations may fail. */
static void shake(const px_allocator *allocator, void *context)
{
    static struct peer peer;
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    struct pool pool;

    options.allocator = allocator;
    px_tls *tls = px_tls_create(&options, NULL);

    if (!tls || px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), NULL) != PX_OK) {
        px_tls_destroy(tls);
        return;
    }
    peer_init(&peer, tls, context, "x.wild.test", 0);
    /* The queue's blocks come from where things fail. */
    pool_init(&pool, allocator, sizeof(struct tls_block), 2, 64);
    peer.session.out.pool = &pool;
    bool fine = peer_shake(&peer);

    assert_true(fine || peer.err != PX_OK);
    if (fine)
        peer_ask(&peer, "hello", 5);
    peer_deinit(&peer);
    pool_deinit(&pool);
    px_tls_destroy(tls);
}

static void our_allocations_fail(void **state)
{
    SSL_CTX *ctx = peer_context(PATH("ca.pem"));

    (void)state;
    assert_true(fault_alloc_each("a px_tls's life", live, ctx) >= 30);
    assert_true(fault_alloc_each("a handshake", shake, ctx) >= 10);
    SSL_CTX_free(ctx);
}

/* --- OpenSSL's calls -------------------------------------------------------------------------- */

static unsigned calls, fail_at;

static bool fails(void)
{
    return ++calls == fail_at;
}

#define FAULT(type, name, failure, parameters, arguments)     \
    type __real_##name parameters;                            \
    type __wrap_##name parameters;                            \
    type __wrap_##name parameters                             \
    {                                                         \
        return fails() ? (failure) : __real_##name arguments; \
    }

FAULT(SSL_CTX *, SSL_CTX_new, NULL, (const SSL_METHOD *method), (method))
FAULT(SSL *, SSL_new, NULL, (SSL_CTX * ctx), (ctx))
FAULT(BIO_METHOD *, BIO_meth_new, NULL, (int type, const char *name), (type, name))
FAULT(BIO *, BIO_new, NULL, (const BIO_METHOD *method), (method))
FAULT(BIO *, BIO_new_file, NULL, (const char *path, const char *mode), (path, mode))
FAULT(int, BIO_read, -1, (BIO * bio, void *out, int room), (bio, out, room))
FAULT(EVP_MD_CTX *, EVP_MD_CTX_new, NULL, (void), ())
FAULT(int, EVP_DigestInit_ex, 0, (EVP_MD_CTX * ctx, const EVP_MD *md, ENGINE *engine),
      (ctx, md, engine))
FAULT(int, EVP_DigestUpdate, 0, (EVP_MD_CTX * ctx, const void *bytes, size_t count),
      (ctx, bytes, count))
FAULT(int, EVP_DigestFinal_ex, 0, (EVP_MD_CTX * ctx, unsigned char *out, unsigned *out_len),
      (ctx, out, out_len))
FAULT(int, SSL_CTX_set_cipher_list, 0, (SSL_CTX * ctx, const char *text), (ctx, text))
FAULT(int, SSL_CTX_set_ciphersuites, 0, (SSL_CTX * ctx, const char *text), (ctx, text))
FAULT(int, SSL_CTX_use_cert_and_key, 0,
      (SSL_CTX * ctx, X509 *leaf, EVP_PKEY *key, STACK_OF(X509) * chain, int override),
      (ctx, leaf, key, chain, override))
FAULT(int, SSL_CTX_load_verify_file, 0, (SSL_CTX * ctx, const char *path), (ctx, path))
FAULT(STACK_OF(X509_NAME) *, SSL_load_client_CA_file, NULL, (const char *path), (path))
FAULT(int, SSL_set_session_id_context, 0, (SSL * ssl, const unsigned char *id, unsigned len),
      (ssl, id, len))
FAULT(SSL_CTX *, SSL_set_SSL_CTX, NULL, (SSL * ssl, SSL_CTX *ctx), (ssl, ctx))
FAULT(STACK_OF(X509) *, X509_chain_up_ref, NULL, (STACK_OF(X509) * chain), (chain))
FAULT(X509 *, PEM_read_bio_X509, NULL,
      (BIO * bio, X509 **out, pem_password_cb *call, void *context), (bio, out, call, context))
FAULT(EVP_PKEY *, PEM_read_bio_PrivateKey, NULL,
      (BIO * bio, EVP_PKEY **out, pem_password_cb *call, void *context), (bio, out, call, context))
FAULT(OCSP_RESPONSE *, d2i_OCSP_RESPONSE, NULL,
      (OCSP_RESPONSE * *out, const unsigned char **at, long count), (out, at, count))
FAULT(int, RAND_bytes, 0, (unsigned char *out, int count), (out, count))
FAULT(unsigned char *, HMAC, NULL,
      (const EVP_MD *md, const void *key, int key_len, const unsigned char *bytes, size_t count,
       unsigned char *out, unsigned *out_len),
      (md, key, key_len, bytes, count, out, out_len))
FAULT(int, EVP_MAC_CTX_set_params, 0, (EVP_MAC_CTX * ctx, const OSSL_PARAM *params), (ctx, params))
FAULT(int, EVP_CipherInit_ex, 0,
      (EVP_CIPHER_CTX * ctx, const EVP_CIPHER *cipher, ENGINE *engine, const unsigned char *key,
       const unsigned char *iv, int seal),
      (ctx, cipher, engine, key, iv, seal))
FAULT(void *, CRYPTO_memdup, NULL, (const void *bytes, size_t count, const char *file, int line),
      (bytes, count, file, line))
FAULT(X509_EXTENSION *, X509V3_EXT_conf_nid, NULL,
      (LHASH_OF(CONF_VALUE) * conf, X509V3_CTX *context, int nid, const char *value),
      (conf, context, nid, value))
FAULT(int, X509_sign, 0, (X509 * certificate, EVP_PKEY *key, const EVP_MD *md),
      (certificate, key, md))
FAULT(X509 *, X509_new, NULL, (void), ())

/* A whole life with one call failing; true when there was none to fail any more. */
static bool live_with_fault(SSL_CTX *ctx)
{
    static struct peer peer;
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    px_error error;
    px_tls *tls;

    options.client = PX_TLS_CLIENT_OPTIONAL;
    options.client_ca_file = PATH("ca.pem");
    tls = px_tls_create(&options, &error);
    if (!tls)
        return false;
    said(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), &error), &error);
    said(px_tls_add_self_signed(tls, "made.test", &error), &error);
    said(px_tls_add_certificate(tls, PATH("b.pem"), PATH("b.key"), &error), &error);
    said(px_tls_add_ocsp(tls, PATH("a.ocsp"), &error), &error);
    said(px_tls_reload(tls, &error), &error);
    /* Which calls of these are made for the client is beside the point. */
    unsigned before = fail_at;

    if (tls->context) {
        struct pool pool;
        struct tls_session session;

        pool_init(&pool, &alloc_libc, sizeof(struct tls_block), 2, 64);
        if (tls_session_init(&session, tls, &pool) == PX_OK) {
            unsigned at = calls;

            fail_at = 0;
            peer_init(&peer, tls, ctx, "x.wild.test", 0);
            fail_at = before;
            calls = at;
            (void)peer_shake(&peer);
            fail_at = 0;
            at = calls;
            peer_deinit(&peer);
            fail_at = before;
            calls = at;
        }
        tls_session_deinit(&session);
        pool_deinit(&pool);
    }
    px_tls_destroy(tls);
    return calls < fail_at;
}

static void their_calls_fail(void **state)
{
    SSL_CTX *ctx = peer_context(PATH("ca.pem"));

    (void)state;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_tlsext_status_type(ctx, TLSEXT_STATUSTYPE_ocsp);
    for (fail_at = 1;; fail_at++) {
        calls = 0;
        ERR_clear_error();
        if (live_with_fault(ctx))
            break;
        assert_true(fail_at < 5000);
    }
    print_message("calls of OpenSSL's that failed: %u\n", fail_at - 1);
    assert_true(fail_at > 100);
    fail_at = 0;
    SSL_CTX_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_allocations_fail),
        cmocka_unit_test(clones_are_whole_or_none),
        cmocka_unit_test(their_calls_fail),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
