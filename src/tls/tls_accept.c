/*
 * OpenSSL's callbacks of a handshake on the server's side.
 *
 * Happy path: the hello names a host, its certificates are chosen before anything else is looked
 * at, a session that is resumed must have been made for the same name, and ALPN settles the
 * protocol.  What can go wrong is an alert: a malformed name, one whose certificate cannot be used,
 * no protocol in common.
 */
#include "tls/tls_accept.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <time.h>

#include "tls/tls_context.h"
#include "tls/tls_hello.h"
#include "tls/tls_session.h"

/* Keeps the name, folded, for resumption, handlers and 421. */
static bool name_keep(struct tls_session *session, px_str name)
{
    const px_allocator *allocator = &session->context->tls->allocator;

    alloc_put(allocator, session->name);
    session->name = alloc_take(allocator, name.len + 1);
    if (!session->name)
        return false;
    session->name[tls_hello_fold(name, session->name)] = '\0';
    return true;
}

/* RFC 8446 section 4.6.1 and RFC 6066 section 3: a session is resumed only for the name it was made
 * for.  The name is part of the context that OpenSSL compares before it resumes one. */
static bool resumption_bind(struct tls_session *session)
{
    const char *name = session->name ? session->name : "";
    unsigned char id[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool fine = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(digest, session->context->client_digest,
                                 sizeof(session->context->client_digest)) == 1 &&
                EVP_DigestUpdate(digest, name, strlen(name)) == 1 &&
                EVP_DigestFinal_ex(digest, id, &len) == 1 &&
                SSL_set_session_id_context(session->ssl, id, len) == 1;

    EVP_MD_CTX_free(digest);
    return fine;
}

static int on_hello(SSL *ssl, int *out_alert, void *context)
{
    struct tls_session *session = SSL_get_app_data(ssl);
    const unsigned char *data;
    px_str name = {NULL, 0};
    px_err err = PX_OK;
    size_t len;

    (void)context;
    *out_alert = SSL_AD_INTERNAL_ERROR;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &len) == 1)
        err = tls_hello_name(px_str_make((const char *)data, len), &name);
    /* RFC 8446 section 6.2: a broken syntax is one alert, a value that is not allowed another. */
    if (err != PX_OK) {
        *out_alert = err == PX_ERR_INVALID ? SSL_AD_ILLEGAL_PARAMETER : SSL_AD_DECODE_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    session->set = session->context->fallback;
    if (name.ptr) {
        if (!name_keep(session, name))
            return SSL_CLIENT_HELLO_ERROR;
        const struct tls_set *set = tls_context_find(session->context, px_str_of(session->name));

        /* RFC 6066 section 3: better no certificate than another name's. */
        if (!set && tls_refuses(session->context->tls, session->name)) {
            *out_alert = SSL_AD_UNRECOGNIZED_NAME;
            return SSL_CLIENT_HELLO_ERROR;
        }
        if (set)
            session->set = set;
    }
    if (SSL_get_SSL_CTX(ssl) != session->set->ctx && !SSL_set_SSL_CTX(ssl, session->set->ctx))
        return SSL_CLIENT_HELLO_ERROR;
    return resumption_bind(session) ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
}

/* RFC 7301 section 3.2: without a protocol in common the handshake ends with
 * no_application_protocol.  A client that does not ask speaks HTTP/1.1. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *list, unsigned len, void *context)
{
    const struct tls_session *session = SSL_get_app_data(ssl);
    px_str protocol =
        tls_hello_protocol(px_str_make((const char *)list, len), session->context->tls->http2);

    (void)context;
    if (!protocol.ptr)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = (const unsigned char *)protocol.ptr;
    *out_len = (unsigned char)protocol.len;
    return SSL_TLSEXT_ERR_OK;
}

/* RFC 6066 section 8: the staple of the certificate that was chosen, while it says something. */
static int on_staple(SSL *ssl, void *context)
{
    const struct tls_session *session = SSL_get_app_data(ssl);
    const X509 *leaf = SSL_get_certificate(ssl);

    (void)context;
    for (int type = 0; type < TLS_KEY_TYPE_COUNT; type++) {
        const struct tls_certificate *certificate = session->set->certificates[type];

        if (!certificate || certificate->leaf != leaf || !certificate->staple ||
            certificate->staple_until < (int64_t)time(NULL))
            continue;
        /* OpenSSL frees what it is given. */
        unsigned char *copy = OPENSSL_memdup(certificate->staple, certificate->staple_bytes);

        if (!copy)
            return SSL_TLSEXT_ERR_NOACK;
        SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)certificate->staple_bytes);
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

void tls_accept_attach(SSL_CTX *ctx)
{
    SSL_CTX_set_client_hello_cb(ctx, on_hello, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
    SSL_CTX_set_tlsext_status_cb(ctx, on_staple);
}
