/*
 * px_tls_trust: what a client believes, what it shows, and what it resumes.
 *
 * Happy path: one SSL_CTX is made with the roots and, where there is one, the client's certificate;
 * sessions that servers offer are kept by host, the newest for each, and the oldest of all gives
 * way at the limit.  What can go wrong: a file that is not there or holds something else.
 */
#include "tls/tls_trust.h"

#include <openssl/err.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/options.h"
#include "tls/tls_bio.h"
#include "tls/tls_certificate.h"
#include "tls/tls_error.h"
#include "tls/tls_profile.h"
#include "tls/tls_session.h"

/* --- Sessions that are kept ------------------------------------------------------------------- */

static void kept_free(px_tls_trust *trust, struct tls_kept *kept)
{
    CHECK(trust->kept_count > 0 && list_linked(&kept->node));
    list_remove(&kept->node);
    trust->kept_count--;
    SSL_SESSION_free(kept->session);
    alloc_put(&trust->allocator, kept);
}

static struct tls_kept *kept_find(const px_tls_trust *trust, const char *name)
{
    for (struct list *node = trust->kept.next; node != &trust->kept; node = node->next) {
        struct tls_kept *kept = LIST_ENTRY(node, struct tls_kept, node);

        if (strcmp(kept->name, name) == 0)
            return kept;
    }
    return NULL;
}

/* Without memory it is not kept: the next handshake is a full one. */
static void kept_add(px_tls_trust *trust, const char *name, SSL_SESSION *session)
{
    size_t bytes = strlen(name) + 1;
    struct tls_kept *old = kept_find(trust, name);
    struct tls_kept *kept = alloc_take(&trust->allocator, sizeof(*kept) + bytes);

    CHECK(trust->sessions_max > 0 && trust->kept_count <= trust->sessions_max);
    if (!kept) {
        SSL_SESSION_free(session);
        return;
    }
    if (old)
        kept_free(trust, old);
    else if (trust->kept_count == trust->sessions_max)
        kept_free(trust, LIST_ENTRY(trust->kept.next, struct tls_kept, node));
    kept->session = session;
    memcpy(kept->name, name, bytes);
    list_append(&trust->kept, &kept->node);
    trust->kept_count++;
}

/* The server offers a session; 1 says that the reference is ours. */
static int on_session(SSL *ssl, SSL_SESSION *offered)
{
    struct tls_session *session = SSL_get_app_data(ssl);

    if (!session->trust || session->trust->sessions_max == 0 || session->failed ||
        SSL_SESSION_is_resumable(offered) != 1)
        return 0;
    kept_add(session->trust, session->name, offered);
    return 1;
}

SSL_SESSION *tls_trust_resume(px_tls_trust *trust, const char *name)
{
    struct tls_kept *kept = kept_find(trust, name);

    if (!kept)
        return NULL;
    CHECK(kept->session);
    SSL_SESSION *session = kept->session;

    SSL_SESSION_up_ref(session);
    if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
        kept_free(trust, kept);
    return session;
}

/* --- Making and ending ------------------------------------------------------------------------ */

static px_err roots_load(px_tls_trust *trust, const char *ca_file, px_error *out_error)
{
    if (!ca_file)
        return SSL_CTX_set_default_verify_paths(trust->ctx) == 1
                   ? PX_OK
                   : tls_error(out_error, PX_ERR_INVALID, "cannot load the system's roots");
    BIO *bio = BIO_new_file(ca_file, "r");

    if (!bio)
        return tls_error_open(out_error, "the roots", ca_file);
    BIO_free(bio);
    return SSL_CTX_load_verify_file(trust->ctx, ca_file) == 1
               ? PX_OK
               : tls_error(out_error, PX_ERR_INVALID, "there is no certificate in %s", ca_file);
}

static px_err identity_load(px_tls_trust *trust, const px_tls_trust_options *options,
                            px_error *out_error)
{
    if (!options->certificate_file)
        return options->key_file
                   ? error_set(out_error, PX_ERR_INVALID, 0, "a client's key needs its certificate")
                   : PX_OK;
    struct tls_certificate *certificate = tls_certificate_load(
        &trust->allocator, options->certificate_file, options->key_file, out_error);

    if (!certificate)
        return out_error->code;
    int fine = SSL_CTX_use_cert_and_key(trust->ctx, certificate->leaf, certificate->key,
                                        certificate->chain, 1);

    tls_certificate_free(certificate);
    return fine == 1 ? PX_OK
                     : tls_error(out_error, PX_ERR_INVALID, "the certificate in %s cannot be used",
                                 options->certificate_file);
}

static px_err trust_init(px_tls_trust *trust, const px_tls_trust_options *options,
                         px_error *out_error)
{
    trust->ctx = SSL_CTX_new(TLS_client_method());
    trust->bio_method = tls_bio_method();
    if (!trust->ctx || !trust->bio_method)
        return tls_error(out_error, PX_ERR_MEMORY, "out of memory");
    px_err err = tls_profile_apply(trust->ctx, (px_tls_profile)options->profile, out_error);

    if (err == PX_OK && options->verify != PX_TLS_VERIFY_OFF)
        err = roots_load(trust, options->ca_file, out_error);
    if (err == PX_OK)
        err = identity_load(trust, options, out_error);
    if (err != PX_OK)
        return err;
    SSL_CTX_set_verify(
        trust->ctx, options->verify == PX_TLS_VERIFY_OFF ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_session_cache_mode(trust->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(trust->ctx, on_session);
    return PX_OK;
}

px_tls_trust *px_tls_trust_create(const px_tls_trust_options *given, px_error *out_error)
{
    px_tls_trust_options options;
    px_error error = {0};
    px_error *where = out_error ? out_error : &error;

    error_clear(where);
    if (options_take(&options, sizeof(options), given, "TLS trust options", where) != PX_OK)
        return NULL;
    if (options.profile > PX_TLS_MODERN || options.verify > PX_TLS_VERIFY_OFF) {
        error_set(where, PX_ERR_INVALID, 0, "TLS trust options: a value that is not known");
        return NULL;
    }
    const px_allocator *allocator = options.allocator ? options.allocator : &alloc_libc;
    px_tls_trust *trust = alloc_take_zeroed(allocator, sizeof(*trust));

    if (!trust) {
        error_set(where, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    ERR_clear_error();
    trust->allocator = *allocator;
    trust->references = 1;
    list_init(&trust->kept);
    trust->sessions_max = options.sessions_max == PX_OFF ? 0
                          : options.sessions_max         ? options.sessions_max
                                                         : TLS_CLIENT_SESSIONS_DEFAULT;
    trust->handshake_timeout_ms = options.handshake_timeout_ms ? options.handshake_timeout_ms
                                                               : TLS_HANDSHAKE_TIMEOUT_MS_DEFAULT;
    if (trust_init(trust, &options, where) == PX_OK)
        return trust;
    tls_trust_put(trust);
    return NULL;
}

px_tls_trust *tls_trust_take(px_tls_trust *trust)
{
    CHECK(trust->references > 0);
    trust->references++;
    return trust;
}

void tls_trust_put(px_tls_trust *trust)
{
    if (!trust || --trust->references > 0)
        return;
    px_allocator allocator = trust->allocator;

    while (!list_empty(&trust->kept))
        kept_free(trust, LIST_ENTRY(trust->kept.next, struct tls_kept, node));
    SSL_CTX_free(trust->ctx);
    BIO_meth_free(trust->bio_method);
    alloc_put(&allocator, trust);
}

uint32_t tls_trust_handshake_ms(const px_tls_trust *trust)
{
    return trust->handshake_timeout_ms;
}

void px_tls_trust_destroy(px_tls_trust *trust)
{
    tls_trust_put(trust);
}
