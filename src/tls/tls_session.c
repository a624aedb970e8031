/*
 * Sessions.
 *
 * Happy path: a few calls of tls_session_handshake, then reads and writes, then a close_notify each
 * way.  What can go wrong: a peer that breaks the protocol (an alert is queued for it), that asks
 * for new keys again and again (a budget), memory.
 */
#include "tls/tls_session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/check.h"
#include "base/work.h"
#include "tls/tls_bio.h"
#include "tls/tls_context.h"
#include "tls/tls_hello.h"
#include "tls/tls_trust.h"

_Static_assert(TLS_RECORD_FIRST_BYTES <= TLS_RECORD_BYTES, "records grow");
_Static_assert(TLS_BURST_BYTES % TLS_RECORD_FIRST_BYTES == 0, "a burst is small records");
_Static_assert(TLS_UPDATES_MAX < UINT16_MAX, "`updates` holds it, and one more");
_Static_assert(TLS_UPDATE_BYTES <= UINT32_MAX - TLS_RECORD_BYTES, "`moved` holds a record more");
_Static_assert(TLS_FILL_BYTES <= TLS_QUEUE_BYTES, "what is sealed at once fits the queue");
_Static_assert(TLS_CHAIN_BYTES_MAX + TLS_STAPLE_BYTES_MAX < TLS_BLOCKS_MAX * TLS_BLOCK_BYTES,
               "a flight with both fits the queue");

void tls_session_check(const struct tls_session *session)
{
    tls_queue_check(&session->out);
    ASSERT(!session->context || !session->trust);
    ASSERT(!session->set || session->context);
    ASSERT(session->moved == 0 || session->established);
    ASSERT(session->moved < TLS_UPDATE_BYTES);
    ASSERT(session->burst < TLS_BURST_BYTES + TLS_RECORD_FIRST_BYTES);
    ASSERT(!session->http2 || session->established);
    ASSERT(!session->resumed || session->established);
    ASSERT(!session->closed || session->established);
    ASSERT(session->established || session->updates == 0);
    ASSERT(!session->reason || session->failed);
    ASSERT(!session->trust || session->name || session->failed || !session->ssl);
}

/* --- Beginning and end ------------------------------------------------------------------------ */

/* Has OpenSSL's queue of errors empty, as its calls want it.  It is, nearly always, and a look
 * costs less than clearing sixteen places. */
static void errors_clear(void)
{
    if (PX_UNLIKELY(ERR_peek_error() != 0))
        ERR_clear_error();
}

px_err tls_session_init(struct tls_session *session, px_tls *tls, struct pool *pool)
{
    BIO *bio;

    CHECK(pool->object_bytes >= sizeof(struct tls_block));
    memset(session, 0, sizeof(*session));
    tls_queue_init(&session->out, pool);
    ERR_clear_error();
    session->context = tls_context_take(tls->context);
    session->set = session->context->fallback;
    session->ssl = SSL_new(session->set->ctx);
    if (!session->ssl)
        goto fail;
    bio = tls_bio_create(session->context->bio_method, session);
    if (!bio)
        goto fail;
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_app_data(session->ssl, session);
    SSL_set_accept_state(session->ssl);
    return PX_OK;

fail:
    ERR_clear_error();
    return PX_ERR_MEMORY;
}

void tls_session_deinit(struct tls_session *session)
{
    SSL_free(session->ssl);
    session->ssl = NULL;
    tls_queue_deinit(&session->out);
    if (session->context)
        alloc_put(&session->context->tls->allocator, session->name);
    else if (session->trust)
        alloc_put(&session->trust->allocator, session->name);
    session->name = NULL;
    tls_context_put(session->context);
    session->context = NULL;
    tls_trust_put(session->trust);
    session->trust = NULL;
}

/* RFC 9110 section 4.3.4: the host is checked against the certificate; RFC 6066 section 3: an
 * address is not sent as a name. */
static bool session_name(struct tls_session *session)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(session->ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, session->name) == 1)
        return true;
    errors_clear();
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(session->ssl, session->name) == 1 &&
           X509_VERIFY_PARAM_set1_host(param, session->name, 0) == 1;
}

static bool session_offer(struct tls_session *session, enum tls_offer offer)
{
    static const unsigned char list[] = "\2h2\x08http/1.1";

    switch (offer) {
    case TLS_OFFER_NONE:
        return true;
    case TLS_OFFER_HTTP1:
        return SSL_set_alpn_protos(session->ssl, list + 3, 9) == 0;
    case TLS_OFFER_HTTP2:
        return SSL_set_alpn_protos(session->ssl, list, 3) == 0;
    case TLS_OFFER_BOTH:
        return SSL_set_alpn_protos(session->ssl, list, 12) == 0;
    }
    return false;
}

/* A session that cannot be resumed is one that is made anew. */
static void session_resume(struct tls_session *session)
{
    SSL_SESSION *kept = tls_trust_resume(session->trust, session->name);

    if (kept && SSL_set_session(session->ssl, kept) != 1)
        errors_clear();
    SSL_SESSION_free(kept);
}

px_err tls_session_connect(struct tls_session *session, px_tls_trust *trust, struct pool *pool,
                           px_str host, enum tls_offer offer)
{
    BIO *bio;

    memset(session, 0, sizeof(*session));
    tls_queue_init(&session->out, pool);
    errors_clear();
    session->trust = tls_trust_take(trust);
    if (host.len == 0 || host.len > TLS_NAME_BYTES_MAX || memchr(host.ptr, '\0', host.len))
        return PX_ERR_INVALID;
    session->name = alloc_take(&trust->allocator, host.len + 1);
    session->ssl = SSL_new(trust->ctx);
    bio = session->ssl ? tls_bio_create(trust->bio_method, session) : NULL;
    if (!session->name || !bio)
        goto fail;
    session->name[tls_hello_fold(host, session->name)] = '\0';
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_app_data(session->ssl, session);
    SSL_set_connect_state(session->ssl);
    bio = NULL;
    if (!session_name(session) || !session_offer(session, offer))
        goto fail;
    session_resume(session);
    return PX_OK;

fail:
    BIO_free(bio);
    ERR_clear_error();
    return PX_ERR_MEMORY;
}

/* Measured, of a session that waits: OpenSSL 3.2 and later keep more of each (docs/TLS.md). */
uint32_t tls_session_open_bytes(void)
{
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
    return 30 * 1024;
#else
    return 15 * 1024;
#endif
}

bool tls_session_is_partial(const struct tls_session *session)
{
    CHECK(session->ssl && session->established);
    return SSL_has_pending(session->ssl) == 1;
}

/* --- The handshake ---------------------------------------------------------------------------- */

/* What a call that did not succeed means.  OpenSSL's queue tells, and is cleared. */
static px_err session_error(struct tls_session *session, int result)
{
    int error = SSL_get_error(session->ssl, result);
    unsigned long first = ERR_peek_error();

    if (first != 0)
        ERR_clear_error();
    switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return PX_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        session->peer_closed = true;
        return PX_ERR_CLOSED;
    }
    session->failed = true;
    session->reason = first != 0 ? ERR_reason_error_string(first) : NULL;
    return ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE ? PX_ERR_MEMORY : PX_ERR_MALFORMED;
}

/* After the handshake a peer may ask for new keys, and in TLS 1.2 for a new handshake, which is
 * refused with a warning: both make work for nothing when there is no content in between.  OpenSSL
 * goes on from one to the next within a single read, so past the limit its bytes end (tls_bio.c).
 */
static void on_message(int write, int version, int type, const void *bytes, size_t count, SSL *ssl,
                       void *context)
{
    struct tls_session *session = context;

    (void)version;
    (void)bytes;
    (void)count;
    (void)ssl;
    if (!write && type == SSL3_RT_HANDSHAKE && session->updates < UINT16_MAX)
        session->updates++;
}

static void session_established(struct tls_session *session)
{
    const unsigned char *protocol;
    unsigned len;

    SSL_get0_alpn_selected(session->ssl, &protocol, &len);
    session->http2 = len == 2;
    session->resumed = SSL_session_reused(session->ssl) == 1;
    session->established = true;
    SSL_set_msg_callback(session->ssl, on_message);
    SSL_set_msg_callback_arg(session->ssl, session);
}

/* Measured, in microseconds: RSA grows with the cube of its length; P-256 has code of its own,
 * which the larger curves do not. */
static uint32_t signature_work(const EVP_PKEY *key)
{
    uint32_t bits = key ? (uint32_t)EVP_PKEY_get_bits(key) : 0;

    if (bits <= 256)
        return 100;
    if (bits <= 521)
        return 1000;
    return bits * (bits / 64) * (bits / 64) / 5200;
}

/* What a step of the handshake took: on the server's side the flight that answers a hello is the
 * one that is signed. */
static uint16_t handshake_work(const struct tls_session *session, OSSL_HANDSHAKE_STATE before)
{
    if (SSL_get_state(session->ssl) == before)
        return WORK_RUN; /* a part of a message */
    if (session->trust || (before != TLS_ST_BEFORE && before != TLS_ST_SR_CLNT_HELLO))
        return WORK_HANDSHAKE;
    uint32_t units = WORK_HANDSHAKE + signature_work(SSL_get_privatekey(session->ssl));

    return units < UINT16_MAX ? (uint16_t)units : UINT16_MAX;
}

px_err tls_session_handshake(struct tls_session *session)
{
    CHECK(!session->established && !session->failed);
    errors_clear();
    OSSL_HANDSHAKE_STATE before = SSL_get_state(session->ssl);
    int result = SSL_do_handshake(session->ssl);

    session->work = handshake_work(session, before);
    if (result == 1) {
        session_established(session);
        return PX_OK;
    }
    px_err err = session_error(session, result);

    /* A close_notify in the middle of a handshake is the end of it. */
    if (err == PX_ERR_CLOSED) {
        session->failed = true;
        return PX_ERR_MALFORMED;
    }
    return err;
}

/* --- Content ---------------------------------------------------------------------------------- */

static void session_count(struct tls_session *session, size_t bytes)
{
    session->moved += (uint32_t)bytes;
    if (session->moved < TLS_UPDATE_BYTES)
        return;
    session->moved = 0;
    session->updates = 0;
}

px_err tls_session_read(struct tls_session *session, char *out, size_t room, size_t *out_bytes)
{
    if (session->failed)
        return PX_ERR_MALFORMED;
    if (session->peer_closed)
        return PX_ERR_CLOSED;
    errors_clear();
    int result = SSL_read_ex(session->ssl, out, room, out_bytes);

    if (tls_session_is_flooded(session)) {
        session->failed = true;
        errors_clear();
        return PX_ERR_MALFORMED;
    }
    if (result != 1)
        return session_error(session, result);
    ASSERT(*out_bytes > 0 && *out_bytes <= room);
    session_count(session, *out_bytes);
    return PX_OK;
}

bool tls_session_has_content(const struct tls_session *session)
{
    return session->established && SSL_pending(session->ssl) > 0;
}

size_t tls_session_record_bytes(const struct tls_session *session)
{
    return session->burst < TLS_BURST_BYTES ? TLS_RECORD_FIRST_BYTES : TLS_RECORD_BYTES;
}

px_err tls_session_write(struct tls_session *session, px_str bytes, size_t *out_used)
{
    size_t record = tls_session_record_bytes(session);
    size_t count = bytes.len < record ? bytes.len : record;

    if (session->failed || session->closed)
        return PX_ERR_MALFORMED;
    if (session->out.bytes + count > TLS_QUEUE_BYTES)
        return PX_AGAIN;
    errors_clear();
    int result = SSL_write_ex(session->ssl, bytes.ptr, count, out_used);

    if (result != 1)
        return session_error(session, result);
    ASSERT(*out_used <= count);
    if (session->burst < TLS_BURST_BYTES)
        session->burst += (uint32_t)*out_used;
    session_count(session, *out_used);
    return PX_OK;
}

void tls_session_close(struct tls_session *session)
{
    if (!session->established || session->failed || session->closed)
        return;
    session->closed = true;
    errors_clear();
    /* 0 says that the peer's close_notify is still to come, which is no concern of ours here. */
    if (SSL_shutdown(session->ssl) < 0)
        ERR_clear_error();
}

/* --- What is known of the peer ---------------------------------------------------------------- */

bool tls_session_serves(const struct tls_session *session, px_str host)
{
    char folded[TLS_NAME_BYTES_MAX];

    /* A Host that differs from the SNI is what proxies send, and no harm where every name has the
     * same rules: only those for client certificates, and HTTP/2's joining of connections (RFC 9113
     * section 9.1.1), make it matter. */
    if (!session->name ||
        (!session->http2 && session->context->tls->options.client == PX_TLS_CLIENT_OFF))
        return true;
    if (host.len > sizeof(folded))
        return false;
    px_str name = {folded, tls_hello_fold(host, folded)};

    return px_str_equal(name, px_str_of(session->name)) ||
           tls_context_find(session->context, name) == session->set;
}

size_t tls_session_subject(const struct tls_session *session, char *out_text, size_t room)
{
    X509 *certificate = SSL_get0_peer_certificate(session->ssl);
    BIO *bio;
    int len = 0;

    if (!certificate || SSL_get_verify_result(session->ssl) != X509_V_OK)
        return 0;
    bio = BIO_new(BIO_s_mem());
    if (bio && X509_NAME_print_ex(bio, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
        len = BIO_pending(bio);
    if (len <= 0 || (size_t)len >= room || BIO_read(bio, out_text, len) != len)
        len = 0;
    BIO_free(bio);
    ERR_clear_error();
    if (room > 0)
        out_text[len] = '\0';
    return (size_t)len;
}

bool tls_session_distrusts(const struct tls_session *session)
{
    return session->failed && session->trust && SSL_get_verify_result(session->ssl) != X509_V_OK &&
           SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE;
}

const char *tls_session_reason(const struct tls_session *session)
{
    if (!session->failed)
        return "";
    if (tls_session_distrusts(session))
        return X509_verify_cert_error_string(SSL_get_verify_result(session->ssl));
    return session->reason ? session->reason : "the peer broke off";
}

const char *tls_session_version(const struct tls_session *session)
{
    return SSL_get_version(session->ssl);
}

const char *tls_session_cipher(const struct tls_session *session)
{
    return SSL_get_cipher_name(session->ssl);
}
